"""Where phones are: RFC 3261 section 10.3, for accounts that have one address-of-record each, their name.

A phone is sent to at the address from which it registered, never at what its Contact claims: behind NAT nothing else
reaches it, and nobody can aim us at others. Where that is a connection, the phone is registered while it stands (RFC
5626 section 5.3, without flow tokens: there is no proxy between us).
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sipmessage import URI, Request, Response
from sipmessage import Address as NameAddress

from dialog.errors import ProtocolError
from voice.wire.sip.flow import Flow
from voice.wire.sip.grammar import read_address, read_number, split_list
from voice.wire.sip.guard import Received
from voice.wire.sip.message import NO_HEADERS, Address, make_response, response_address, stateless_tag

MIN_EXPIRES_S = 60
"""Who wants less is told so (423), and asks again."""

MAX_EXPIRES_S = 300
"""Who wants more gets this: so long a phone that went without a word is missed, and a node that starts anew waits for
those it had. No connection idles away meanwhile."""

DEFAULT_EXPIRES_S = 3_600
"""Of a Contact that does not say, or cannot be read (RFC 3261 sections 10.2.1.1 and 20.10)."""

MAX_CONTACTS = 4
"""Phones of an account at once. One more takes the place of the one that was heard from longest ago: a phone that
starts anew under another Contact is not shut out by what it was before."""

_MOST = 2**32 - 1

_Key = tuple[str | int | None, ...]
_NOBODY: Mapping[_Key, "Binding"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Binding:
    """One phone of an account: its name for itself, the address it is sent to, and how long that holds.

    `call_id` and `sequence` are of the REGISTER that said so; `until` is in the endpoint's clock.
    """

    uri: URI
    addr: Address
    call_id: str
    sequence: int
    until: float


class Registrar:
    """The bindings of all accounts. Whoever calls `register` has seen the account's credentials.

    Bounded by the accounts that there are: MAX_CONTACTS each.
    """

    def __init__(self) -> None:
        self._bindings: dict[str, dict[_Key, Binding]] = {}
        self._changed: dict[str, None] = {}

    @property
    def phones(self) -> Counter[str]:
        """How many are registered, by account."""
        return Counter({account: len(bindings) for account, bindings in self._bindings.items()})

    def bindings(self, account: str) -> tuple[Binding, ...]:
        """The account's phones, the one heard from longest ago first."""
        return tuple(self._bindings.get(account, _NOBODY).values())

    def changes(self) -> list[str]:
        """Take the accounts that have a phone since the last look, or have none any more."""
        taken, self._changed = list(self._changed), {}
        return taken

    def register(self, received: Received, request: Request, account: str, source: Address, now: float) -> Response:
        """The answer to a REGISTER of `account`; all of it is done, or nothing (section 10.3, steps 5 to 8)."""
        address = received.to_address.uri
        if address.scheme not in ("sip", "sips") or address.user != account:
            # the domain is not looked at: a node goes by whatever name or address its phones were given
            return _refusal(request, 403, "Not Your Address")
        contacts = split_list(request.headers.getlist("Contact"))
        if len(contacts) > MAX_CONTACTS:
            return _refusal(request, 403, "Too Many Contacts")
        before = self._bindings.get(account, _NOBODY)
        if contacts == ["*"]:
            if _expires_s(request.headers.get("Expires")) != 0:
                return _refusal(request, 400, "Contact * Without Expires 0")
            wanted: list[tuple[_Key, int, URI]] = [(key, 0, binding.uri) for key, binding in before.items()]
        else:
            wanted = [_read_contact(contact, request.headers.get("Expires")) for contact in contacts]
        after = dict(before)
        for key, expires_s, uri in wanted:
            former = before.get(key)
            if uri.scheme not in ("sip", "sips"):
                return _refusal(request, 400, "Contact Is No SIP URI")
            if 0 < expires_s < MIN_EXPIRES_S:
                return _refusal(request, 423, "Interval Too Brief", {"Min-Expires": str(MIN_EXPIRES_S)})
            if former and former.call_id == received.call_id and received.cseq.sequence <= former.sequence:
                return _refusal(request, 500, "CSeq Out Of Order")
            after.pop(key, None)
            if expires_s:
                until = now + min(expires_s, MAX_EXPIRES_S)
                addr = response_address(received.via, source)
                after[key] = Binding(uri, addr, received.call_id, received.cseq.sequence, until)
        while len(after) > MAX_CONTACTS:
            del after[next(iter(after))]
        self._keep(account, after)
        response = make_response(request, 200, to_tag=stateless_tag(request))
        found = [f"<{it.uri}>;expires={math.ceil(it.until - now)}" for it in after.values()]
        response.headers.setlist("Contact", found)
        return response

    def disconnected(self, flow: Flow) -> None:
        """A connection is gone, and with it whoever was reached by it."""
        for account, bindings in list(self._bindings.items()):
            left = {
                key: binding
                for key, binding in bindings.items()
                if not isinstance(binding.addr, Flow) or binding.addr.peer != flow.peer
            }
            self._keep(account, left)

    def deadline(self) -> float | None:
        """When the next binding ends."""
        return min((it.until for bindings in self._bindings.values() for it in bindings.values()), default=None)

    def on_timer(self, now: float) -> None:
        """Forget those whose time is over."""
        for account, bindings in list(self._bindings.items()):
            self._keep(account, {key: binding for key, binding in bindings.items() if binding.until > now})

    def _keep(self, account: str, bindings: dict[_Key, Binding]) -> None:
        if bool(bindings) is not (account in self._bindings):
            self._changed[account] = None
        if bindings:
            self._bindings[account] = bindings
        else:
            self._bindings.pop(account, None)


def _read_contact(value: str, default: str | None) -> tuple[_Key, int, URI]:
    """Which phone a Contact speaks of, for how many seconds, and its URI."""
    contact = read_address(value)
    return _key(contact), _expires_s(contact.parameters.get("expires") or default), contact.uri


def _key(contact: NameAddress) -> _Key:
    """What tells one phone from another: its instance, which outlives a restart (RFC 5626 section 4.1), else its URI,
    by what of it must be equal (RFC 3261 section 19.1.4)."""
    instance = contact.parameters.get("+sip.instance")
    if instance:
        return (instance, contact.parameters.get("reg-id"))
    uri = contact.uri
    return (uri.scheme, uri.user, uri.host.lower(), uri.port, (uri.parameters.get("transport") or "udp").lower())


def _expires_s(value: str | None) -> int:
    try:
        return DEFAULT_EXPIRES_S if value is None else read_number(value.strip(), _MOST)
    except ProtocolError:
        return DEFAULT_EXPIRES_S


def _refusal(request: Request, status: int, reason: str, headers: Mapping[str, str] = NO_HEADERS) -> Response:
    return make_response(request, status, reason, to_tag=stateless_tag(request), headers=headers)
