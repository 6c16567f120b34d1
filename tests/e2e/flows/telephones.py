"""baresip calls the node and is called by us. Its address is not listed: it signs in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.e2e.flows.callees import hang_up, hung_up
from tests.e2e.flows.flow import HOST, HOST_SIX, NAME, PASSWORD, Flow, Place
from tests.e2e.phones import ANSWER_S, Baresip
from tests.e2e.test_trunk_proofs import level_dbm0
from voice.caller import OutgoingLine
from voice.dialling import CallRefused


@asynccontextmanager
async def telephone(
    place: Place,
    dials: str = "echo",
    codec: str = "PCMU",
    by: str = "UDP",
    password: str = PASSWORD,
    more: str = "",
    *,
    six: bool = False,
) -> AsyncIterator[Baresip]:
    """A baresip that would dial the node, for as long as the block lasts; `six`: the one at an IPv6 address."""
    way = "" if by == "UDP" else f";transport={by.lower()}"
    phone = Baresip(
        place.folder,
        NAME,
        dials if "@" in dials else f"sip:{dials}@{place.six if six else place.node[by]}{way}",
        codec,
        uri=way,
        account=f";auth_user={NAME};auth_pass={password}{more}",
        settings=f"sip_cafile {place.certificate}\nsip_verify_server yes\n",
        port=place.port,
        host=HOST_SIX if six else HOST,
    )
    try:
        await asyncio.to_thread(phone.start)
        yield phone
    finally:
        await asyncio.to_thread(phone.close)


async def establish(phone: Baresip) -> None:
    phone.call()
    await asyncio.to_thread(phone.until, "CALL_ESTABLISHED", ANSWER_S)


def phones(codec: str = "PCMU", by: str = "UDP", dials: str = "echo") -> Callable[[Place], Awaitable[None]]:
    """It calls, is answered, and hangs up."""

    async def run(place: Place) -> None:
        async with telephone(place, dials, codec, by) as phone:
            await establish(phone)
            await asyncio.to_thread(phone.hang_up)

    return run


def is_refused(because: str, dials: str = "echo", password: str = PASSWORD) -> Callable[[Place], Awaitable[None]]:
    """Its call is refused, and it says why."""

    async def run(place: Place) -> None:
        async with telephone(place, dials, password=password) as phone:
            phone.call()
            await asyncio.to_thread(phone.wait_over)
            assert because in phone.ended, phone.ended

    return run


async def gives_up(place: Place) -> None:
    async with telephone(place, "ring") as phone:
        phone.call()
        await asyncio.to_thread(phone.until, "CALL_RINGING", ANSWER_S)
        await asyncio.to_thread(phone.hang_up)


async def holds(place: Place) -> None:
    """sendonly and back, by re-INVITE; then it hangs up as usual."""
    async with telephone(place) as phone:
        await establish(phone)
        for command in ("hold", "resume"):
            phone.forget("CALL_REMOTE_SDP")
            phone.tell(command)
            await asyncio.to_thread(phone.until, "CALL_REMOTE_SDP", ANSWER_S)
        await asyncio.to_thread(phone.hang_up)


def measures(law: str = "PCMU", by: str = "UDP", *, six: bool = False) -> Callable[[Place], Awaitable[None]]:
    """It calls the milliwatt."""

    async def run(place: Place) -> None:
        async with telephone(place, "milliwatt", law, by, six=six) as phone:
            await measure(phone)

    return run


async def measure(phone: Baresip) -> None:
    """It records what it hears: 1 kHz at 0 dBm0 (ITU-T G.711)."""
    await establish(phone)
    await asyncio.to_thread(phone.until_heard, 3_000)
    await asyncio.to_thread(phone.hang_up)
    assert abs(level_dbm0(phone.heard(), phone.codec)) < 0.1


async def is_left(place: Place) -> None:
    async with telephone(place, f"sip:200@{place.leaver['UDP']}") as phone:
        phone.call()
        await asyncio.to_thread(phone.wait_over)


def takes(ends: Callable[[OutgoingLine], Awaitable[None]], by: str = "UDP") -> Callable[[Place], Awaitable[None]]:
    """It takes a call of ours, which then `ends`."""

    async def run(place: Place) -> None:
        async with telephone(place, by=by, more=";answermode=auto") as phone:
            way = "" if by == "UDP" else f";transport={by.lower()}"
            line = await place.caller.dial(f"sip:{NAME}@{HOST}:{phone.port}{way}")
            await asyncio.to_thread(phone.until, "CALL_ESTABLISHED", ANSWER_S)
            if ends is hung_up:
                phone.tell("hangup")
            await ends(line)
            await asyncio.to_thread(phone.wait_over)

    return run


async def declines(place: Place) -> None:
    async with telephone(place) as phone, asyncio.TaskGroup() as tasks:
        dialled = tasks.create_task(refused(place, phone))
        await asyncio.to_thread(phone.until, "CALL_INCOMING", ANSWER_S)
        phone.tell("hangup")
        assert await dialled == 486


async def refused(place: Place, phone: Baresip) -> int:
    """The status by which it refuses a call of ours."""
    with pytest.raises(CallRefused) as refused:
        await place.caller.dial(f"sip:{NAME}@{HOST}:{phone.port}")
    return refused.value.status


flow = partial(Flow, "baresip")

FLOWS = (
    *(flow(f"signs in and calls by {by}", "RFC 3261 13, 22.2", phones(by=by)) for by in ("UDP", "TCP", "TLS")),
    flow("calls with PCMA", "RFC 3264 6", phones("PCMA")),
    flow("hears it ring, then the answer", "RFC 3261 13.3.1", phones(dials="ring")),
    flow("gives up while it rings", "RFC 3261 9.1", gives_up),
    flow("is busy", "RFC 3261 21.4.24", is_refused("486", dials="busy")),
    flow("dials a number nobody has", "RFC 3261 21.4.5", is_refused("404", dials="nobody")),
    flow("guesses a password", "RFC 3261 21.4.4", is_refused("403", password="guess")),
    flow("puts us on hold and comes back", "RFC 3264 8.4", holds),
    *(flow(f"measures the milliwatt in {law}", "ITU-T G.711 4", measures(law)) for law in ("PCMU", "PCMA")),
    flow("is hung up on", "RFC 3261 15.1.1", is_left),
    *(flow(f"takes our call, and we hang up, by {by}", "RFC 3261 13.2", takes(hang_up, by)) for by in ("UDP", "TCP")),
    flow("takes our call, and hangs up", "RFC 3261 15.1.2", takes(hung_up)),
    flow("declines our call", "RFC 3261 21.4.24", declines),
)
