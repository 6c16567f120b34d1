"""The peer-to-peer relationship of two ends: RFC 3261 section 12. Values and message building, no time."""

import ipaddress
import re
from dataclasses import dataclass

from sipmessage import URI, Request
from sipmessage import Address as NamedAddress

from voice.wire.sip.auth import Login
from voice.wire.sip.flow import DEFAULT_PORT, Flow, hop
from voice.wire.sip.grammar import WireURI, read_address, split_list
from voice.wire.sip.guard import Received
from voice.wire.sip.message import Address, make_request, tokens

MAX_CONTACTS = 8
"""So many addresses of a 3xx are told."""

_Q = re.compile(r"[01](?:\.[0-9]{1,3})?")

DialogKey = tuple[str, str, str]
"""Call-ID, local tag, remote tag (RFC 3261 section 12)."""


@dataclass(slots=True)
class Dialog:
    """State of one dialog. `local` and `remote` are the From and To texts of the requests we send in it."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_seq: int
    remote_seq: int
    routes: tuple[str, ...]
    target: URI
    source: Address
    """Where the peer's messages come from."""
    alias: str = ""
    """The peer's own name for itself where packets come from elsewhere (NAT): that host is reached at `source`."""
    allowed: frozenset[str] = frozenset()
    """Methods that the peer takes, as far as it said so."""
    login: Login | None = None
    """Signs what we send, where the callee asked who we are."""
    account: str = ""
    """Whose credentials opened it; empty where the address was enough."""

    @classmethod
    def from_invite(cls, received: Received, source: Address, local_tag: str) -> "Dialog":
        """The callee's side (RFC 3261 section 12.1.1). Without a Contact the source stands in for it."""
        headers = received.message.headers
        host = received.via.host.strip("[]")
        return cls(
            call_id=received.call_id,
            local_tag=local_tag,
            remote_tag=received.from_tag,
            local=f"{headers['To']};tag={local_tag}",
            remote=headers["From"],
            local_seq=0,
            remote_seq=received.cseq.sequence,
            routes=tuple(split_list(headers.getlist("Record-Route"))),
            target=_contact(received) or WireURI.parse(f"sip:{bracketed(source[0])}:{source[1]}"),
            source=source,
            alias=host if host != source[0] else "",
            allowed=_allowed(received),
        )

    @classmethod
    def from_answer(cls, invite: Request, received: Received, source: Address, sent_to: Address) -> "Dialog":
        """The caller's side, from a 2xx (RFC 3261 section 12.1.2). `sent_to` is where the INVITE went: a callee that is
        not reached at its own URI has that for its `alias`."""
        headers = received.message.headers
        host = invite.uri.host.strip("[]")
        return cls(
            call_id=received.call_id,
            local_tag=received.from_tag,
            remote_tag=received.to_tag,
            local=invite.headers["From"],
            remote=headers["To"],
            local_seq=received.cseq.sequence,
            remote_seq=0,
            routes=tuple(reversed(split_list(headers.getlist("Record-Route")))),
            target=_contact(received) or invite.uri,
            source=source,
            alias=host if host != sent_to[0] else "",
            allowed=_allowed(received),
        )

    @property
    def key(self) -> DialogKey:
        return (self.call_id, self.local_tag, self.remote_tag)

    def is_with(self, host: str, account: str = "") -> bool:
        """Whether the other party is at `host`, or signed in to `account`."""
        return host == self.source[0] or (account != "" and account == self.account)

    def accepts(self, sequence: int) -> bool:
        """Whether a request is newer than all before it; if so, note its number (RFC 3261 section 12.2.2)."""
        if sequence <= self.remote_seq:
            return False
        self.remote_seq = sequence
        return True

    def refresh(self, received: Received, source: Address | None = None) -> None:
        """Follow the peer to a new Contact (target refresh, RFC 3261 sections 12.2.1.2 and 12.2.2)."""
        self.target = _contact(received) or self.target
        self.allowed = _allowed(received) or self.allowed
        if source is not None:
            self.source = source

    def allows(self, method: str) -> bool:
        """Whether the peer said that it takes `method` (RFC 3261 section 20.5)."""
        return method in self.allowed

    def request(self, method: str, via: str, *, cseq: int | None = None) -> Request:
        """The next request in this dialog (RFC 3261 section 12.2.1.1); an ACK names the `cseq` of its INVITE."""
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        uri, routes = self.target, self.routes
        if routes:
            first = read_address(routes[0]).uri
            if "lr" not in first.parameters:
                # a strict router takes its own address as Request-URI and finds the target last in Route
                uri, routes = first, (*routes[1:], f"<{self.target}>")
        request = make_request(
            method, uri, via=via, from_=self.local, to=self.remote, call_id=self.call_id, cseq=cseq, routes=routes
        )
        if self.login is not None:
            self.login.sign(request)
        return request

    def next_hop(self) -> Address:
        """Where requests go: first route or target if that is an IP literal, else where the peer was heard from.

        A connection by which that same host was heard serves for requests as well, while it lasts: behind NAT there
        is no other way to it. `alias` of RFC 5923 is not followed for more: it asks for certificates on both sides.
        """
        uri = read_address(self.routes[0]).uri if self.routes else self.target
        host = uri.host.strip("[]")
        if isinstance(self.source, Flow) and host in (self.source.host, self.alias):
            return self.source._replace(home=uri.port or DEFAULT_PORT[self.source.transport])
        if host != self.alias and is_ip(host):
            return hop(uri)
        return self.source


def bracketed(host: str) -> str:
    """`host` as it stands in a URI: an IPv6 literal in brackets."""
    return f"[{host}]" if ":" in host else host


def is_ip(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 literal."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def read_contacts(received: Received) -> tuple[URI, ...]:
    """All that a 3xx names, best first (RFC 3261 section 8.1.3.4)."""
    values = split_list(received.message.headers.getlist("Contact"))
    found = [read_address(value) for value in values[:MAX_CONTACTS] if value and value != "*"]
    return tuple(address.uri for address in sorted(found, key=_likes, reverse=True))


def _likes(contact: NamedAddress) -> float:
    """The q-value, 0 to 1; 1 where none can be read."""
    match = _Q.fullmatch(contact.parameters.get("q") or "")
    return float(match[0]) if match else 1.0


def _allowed(received: Received) -> frozenset[str]:
    return frozenset(tokens(received.message, "Allow"))


def _contact(received: Received) -> URI | None:
    values = split_list(received.message.headers.getlist("Contact"))
    return read_address(values[0]).uri if values and values[0] != "*" else None
