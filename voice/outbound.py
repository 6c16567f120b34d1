"""Calls out of the house, through a trunk: denied unless its settings allow the number, and bounded in every way."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TypeVar

import structlog
from sipmessage import URI

from dialog.errors import CentralinoError, NotFound, Overloaded, PeerError, PeerForbidden
from voice.dialling import CallRefused, Dialling, PlacedCall
from voice.media.leg import MediaLeg
from voice.settings.numbers import as_dialled, best_match
from voice.sip_audio import Audios, SipAudio
from voice.spending import DAY_S, Meter, Spending
from voice.targets import Target, Targets
from voice.trunk_link import TrunkLink
from voice.trunks import Trunks
from voice.wire.sip.message import NO_HEADERS, Address
from voice.wire.sip.watch import Standing

RING_S = 60.0
"""How long a call of ours may ring."""

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}\Z")
"""What may be dialled at all: a name, or whatever else a URI may hold, is no number."""

C = TypeVar("C", bound=PlacedCall)

log = structlog.get_logger("outbound")


class Outbound:
    """Places calls through `trunks`, which can be reached by now. `obstacle` says why the node takes on no call at all
    now; "" when it does.

    The calls of the last 24 hours, and what they cost, are known since the start of the node.
    """

    def __init__(
        self, trunks: Trunks, dialling: Dialling, audios: Audios, obstacle: Callable[[], str] = lambda: ""
    ) -> None:
        self.refused: Counter[str] = Counter()
        """Calls that were not placed or came to nothing, by the code of the error."""
        self._trunks = trunks
        self._dialling = dialling
        self._audios = audios
        self._obstacle = obstacle
        self._live: dict[PlacedCall, str] = {}
        self._placed: dict[str, deque[float]] = {}
        self._spending = {link.name: Spending(link.name, link.settings) for link in trunks.links}
        trunks.carries(self._live.values)

    @property
    def spent(self) -> dict[str, float]:
        """What calls have cost so far, by the trunk, of those that have rates."""
        now = asyncio.get_running_loop().time()
        priced = [link.name for link in self._trunks.links if link.settings.rates]
        return {name: float(self._spending[name].spent(now)) for name in priced}

    async def call(
        self,
        number: str,
        make: Callable[[SipAudio], C],
        limit_s: float = RING_S,
        *,
        trunk: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> C:
        """Call `number` with `headers` through `trunk`, by default the one that is there for it; the call that `make`
        makes of its sound, answered.

        Of the trunks that may dial the number it is the one whose pattern says most about it, then one that is not
        down, then the first of the settings.

        Where the trunk sends us elsewhere (3xx) we go, if it may have us called there: `Targets`.

        Raises NotFound for a trunk without a proxy, PeerForbidden for a number that it, or every one, must not dial,
        PeerError when it is down, Overloaded beyond a limit, and what `Dialling.place` raises.
        """
        try:
            link = self._find(trunk, number)
            trunk = link.name
            call = await self._place(link, number, make, limit_s, headers)
        except CentralinoError as error:
            self.refused[error.code] += 1
            log.info("call not placed", trunk=trunk, code=error.code, pii={"dialled": number})
            raise
        log.info("call placed", trunk=trunk, pii={"dialled": number})
        return call

    def check(self, number: str) -> None:
        """Raise PeerForbidden where no trunk may call `number`, as a person wrote it."""
        self._find("", as_dialled(number))

    async def dial(
        self, number: str, headers: Mapping[str, str] = NO_HEADERS, *, early: Callable[[MediaLeg], None]
    ) -> PlacedCall:
        """Call `number`, as a person wrote it, through the trunk that is there for it; see `call`. `early` is told of
        sound before the answer."""

        def make(audio: SipAudio) -> PlacedCall:
            call = PlacedCall(audio)
            call.on_early = early
            return call

        return await self.call(as_dialled(number), make, headers=headers)

    def _find(self, name: str, number: str) -> TrunkLink:
        links = [link for link in self._trunks.links if name in ("", link.name)]
        if name and not links:
            raise NotFound(f"no trunk called {name!r} has a proxy")
        if not _NUMBER.match(number):
            raise PeerForbidden(f"{number!r} is no number: digits, * and #, and + before them")
        best = best_match((pattern for link in links for pattern in link.settings.dial), number)
        if best is None:
            raise PeerForbidden(f"{number} may not be dialled: sip.trunks.{name or 'NAME'}.dial does not allow it")
        able = [link for link in links if best in link.settings.dial]
        return min(able, key=lambda link: link.standing is Standing.DOWN)  # the first of those that are alike

    def _admit(self, link: TrunkLink) -> None:
        if link.standing is Standing.DOWN:
            raise PeerError(f"trunk {link.name} is down: {link.reason}")
        if reason := self._obstacle():
            raise Overloaded(reason)
        self._trunks.admit(link.name)

    def _open(self, link: TrunkLink, number: str) -> Meter:
        """What a call to `number` costs, which counts from now on. Raises PeerForbidden, Overloaded."""
        today, now = self._placed.setdefault(link.name, deque()), asyncio.get_running_loop().time()
        while today and today[0] <= now - DAY_S:
            today.popleft()
        if len(today) >= link.settings.calls_a_day:
            raise Overloaded("trunk_calls_a_day")
        meter = self._spending[link.name].open(number, now)
        today.append(now)
        return meter

    def _allowed(self, link: TrunkLink, contact: URI) -> Target | None:
        """Where a 3xx of the trunk's sends us; None where it may not: to a number that `dial` does not allow, to a host
        that is not the trunk's own, or by another way."""
        number, host = contact.user or "", contact.host.strip("[]")
        transport = contact.parameters.get("transport") or link.settings.transport
        if contact.scheme != "sip" or transport.lower() != link.settings.transport or not _NUMBER.match(number):
            return None
        target = link.target(number, host, contact.port)
        if target is None or best_match(link.settings.dial, number) is None:
            return None
        return target if target.address is None or self._trunks.at(host) == link.name else None

    async def _place(
        self,
        link: TrunkLink,
        number: str,
        make: Callable[[SipAudio], C],
        limit_s: float,
        headers: Mapping[str, str],
    ) -> C:
        """Call `number`, and then whom the trunk names instead. It is one call to the trunk's limits at once and a
        second; to those of a day, and in price, each is its own."""
        clock = asyncio.get_running_loop().time
        targets, until = Targets(Target(number, link.uri(number))), clock() + limit_s
        self._admit(link)
        while True:
            try:
                return await self._invite(link, targets.present, make, until - clock(), {**targets.history, **headers})
            except CallRefused as error:
                allowed = (self._allowed(link, contact) for contact in error.contacts)
                if not targets.refused(error.status, filter(None, allowed)):
                    raise

    async def _invite(
        self,
        link: TrunkLink,
        target: Target,
        make: Callable[[SipAudio], C],
        limit_s: float,
        headers: Mapping[str, str],
    ) -> C:
        address = target.address or await _address(link)
        with ExitStack() as held:
            meter = self._open(link, target.number)
            held.callback(self._close, link, meter)
            call = make(self._trunks.audio(self._audios, link.name, address))
            call.trunk = link.name
            self._live[call] = link.name
            held.callback(self._live.pop, call)
            call.answered.add_done_callback(lambda answered: _run(meter, answered))
            try:
                await self._dialling.place(call, target.uri, link.caller, limit_s, link.login(), address, headers)
            except CallRefused as error:
                if error.status in (401, 407):
                    log.warning("trunk does not let us in", trunk=link.name, reason=str(error))
                raise
            except OSError as error:
                raise _unreachable(link, error) from error
            kept = held.pop_all()
            call.ended.add_done_callback(lambda _: kept.close())
        return call

    def _close(self, link: TrunkLink, meter: Meter) -> None:
        self._spending[link.name].close(meter, asyncio.get_running_loop().time())


def _run(meter: Meter, answered: "asyncio.Future[bytes | None]") -> None:
    """Let a meter run from the answer on, be it one of use or not."""
    if not answered.cancelled() and answered.exception() is None:
        meter.answered_s = answered.get_loop().time()


async def _address(link: TrunkLink) -> Address:
    try:
        return await link.address()
    except OSError as error:
        raise _unreachable(link, error) from error


def _unreachable(link: TrunkLink, error: OSError) -> PeerError:
    return PeerError(f"trunk {link.name} cannot be reached: {error}")
