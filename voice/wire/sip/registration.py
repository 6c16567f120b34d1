"""Our own address bound at a registrar: REGISTER as a client (RFC 3261 section 10.2), kept up and taken back.

A registrar that knows RFC 5626 binds us to the flow by which we registered: it calls us by that, be our Contact reached
or not. Others pass over what asks for it.
"""

from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from sipmessage import URI, Request, Response

from dialog.errors import ProtocolError
from voice.wire.sip.auth import Login
from voice.wire.sip.core import Core
from voice.wire.sip.grammar import WireURI, read_address, read_number, split_list
from voice.wire.sip.message import Address, names
from voice.wire.sip.watch import Series, Standing

BASE_S, LONGEST_S = 30.0, 1_800.0
"""The wait after failures: the first doubled for each in a row, up to the longest, half of it left to chance (RFC 5626
section 4.5)."""

RETURN_S = 4.0
"""How soon, at most, a binding is renewed whose connection has ended."""

NO_FLOW = 439
"""First Hop Lacks Outbound Support (RFC 5626 section 11.6)."""

MAX_EXPIRES_S = 604_800
MIN_REFRESH_S = 1.0


class Registration:
    """Keeps `address` bound to us at `registrar`, for `expires_s` at a time; a watch.

    For no time at all (0) it binds nothing, and asks what is bound (section 10.2.3): that shows whether we are known.
    Who we are is said anew in each round, once, or once more where only a nonce was stale: so a registrar that forgets
    its nonces is no different from one that does not. `login` makes one for each round.
    """

    def __init__(
        self,
        registrar: WireURI,
        address: WireURI,
        expires_s: int,
        login: Callable[[], Login],
        token: Callable[[], str],
        chance: Callable[[], float],
        now: float,
    ) -> None:
        self._series = Series("REGISTER", registrar, address, token)
        self._address = address
        self._expires_s = expires_s
        self._new_login = login
        self._token = token
        self._chance = chance
        self._due = now
        self._until: float | None = None
        self._failures = 0
        self._reason = ""
        self._contact: URI | None = None
        self._leaving = False
        self._asks_flow = True
        self.by_flow = False
        """Whether we are bound to the flow by which we registered."""
        self.flow_timer_s: int | None = None
        """How long that may be silent, where the registrar says so (RFC 5626 section 4.4)."""
        self._begin()

    @property
    def reason(self) -> str:
        return self._reason

    def standing(self, now: float) -> Standing:
        """A binding holds until it expires, whatever became of those who wanted to renew it."""
        if self._until is not None and now < self._until:
            return Standing.UP
        return Standing.DOWN if self._failures else Standing.UNKNOWN

    def deadline(self) -> float:
        return self._due

    def request(self, core: Core, addr: Address) -> Request:
        if not self._expires_s:
            return self._signed(self._series.next(core, addr, self._address))
        identity = core.identity(addr, self._address.user or "")
        self._contact = read_address(identity["Contact"]).uri
        expires = "0" if self._leaving else str(self._expires_s)
        headers = {"Contact": identity["Contact"], "Expires": expires, "Allow": identity["Allow"]}
        if self._asks_flow:
            headers["Contact"] += f';reg-id=1;+sip.instance="<urn:uuid:{uuid5(NAMESPACE_URL, str(self._contact))}>"'
            headers["Supported"] = "path, outbound"
        return self._signed(self._series.next(core, addr, self._address, headers))

    def receive(self, response: Response | None, now: float) -> None:
        if response is None:
            self._fail("no answer", now)
        elif response.code < 300:
            self._bind(response, now)
        elif response.code in (401, 407):
            obstacle = self._login.take(response, self._token())
            if obstacle:
                self._fail(obstacle, now)
            else:
                self._due = now
        elif response.code == 423 and self._lengthen(response):
            self._due = now
        elif response.code == NO_FLOW and self._asks_flow:
            self._asks_flow = False
            self._due = now
        else:
            self._fail(f"{response.code} {response.phrase}", now, _number(response, "Retry-After"))

    def lost(self, now: float) -> None:
        """The connection has ended: who would call us by it no longer can (RFC 5626 section 4.5)."""
        if not self._failures:
            self._due = min(self._due, now + RETURN_S * (0.5 + 0.5 * self._chance()))

    def leave(self, now: float) -> None:
        """From now on the binding is to be taken back (section 10.2.2)."""
        self._leaving = True
        self._due = now
        self._begin()

    def _signed(self, request: Request) -> Request:
        self._login.sign(request)
        return request

    def _begin(self) -> None:
        """A round: what was asked and answered in those before counts no more."""
        self._login = self._new_login()
        self._lengthened = False

    def _bind(self, response: Response, now: float) -> None:
        wanted = bool(self._expires_s) and not self._leaving
        granted = self._granted(response) if wanted else 0
        if wanted and not granted:
            self._fail("bound for no time at all", now)
            return
        self._failures, self._reason = 0, ""
        self.by_flow = wanted and names(response, "Require", "outbound")
        self.flow_timer_s = _number(response, "Flow-Timer") if self.by_flow else None
        self._until = now + granted
        # soon enough for several tries, and not all of those who came together at once
        self._due = now + max(MIN_REFRESH_S, granted * (0.7 + 0.2 * self._chance()))
        self._begin()

    def _granted(self, response: Response) -> int:
        """Seconds: of our own binding among those that are listed, else of the response, else as asked (10.2.4)."""
        try:
            contacts = [read_address(value) for value in split_list(response.headers.getlist("Contact"))]
        except ProtocolError:
            contacts = []
        for contact in contacts:
            expires = contact.parameters.get("expires")
            if expires is not None and (len(contacts) == 1 or _same(contact.uri, self._contact)):
                try:
                    return read_number(expires, MAX_EXPIRES_S)
                except ProtocolError:
                    continue
        expires_s = _number(response, "Expires")
        return self._expires_s if expires_s is None else expires_s

    def _lengthen(self, response: Response) -> bool:
        """Ask for as long as the registrar wants at least (section 10.2.8); once a round."""
        least = _number(response, "Min-Expires")
        if least is None or least <= self._expires_s or self._lengthened:
            return False
        self._expires_s, self._lengthened = least, True
        return True

    def _fail(self, reason: str, now: float, retry_after_s: int | None = None) -> None:
        self._failures += 1
        self._reason = f"REGISTER: {reason}"
        wait = min(LONGEST_S, BASE_S * 2 ** min(self._failures, 16)) * (0.5 + 0.5 * self._chance())
        self._due = now + max(wait, min(LONGEST_S, retry_after_s or 0))
        self._begin()


def _same(one: URI, other: URI | None) -> bool:
    """Whether two contacts name the same place; registrars take and add parameters."""
    return other is not None and (one.user, one.host, one.port) == (other.user, other.host, other.port)


def _number(response: Response, name: str) -> int | None:
    """A header of seconds; a comment or parameters may follow it (RFC 3261 section 20.33)."""
    value = (response.headers.get(name) or "").partition("(")[0].partition(";")[0].strip()
    try:
        return read_number(value, MAX_EXPIRES_S)
    except ProtocolError:
        return None
