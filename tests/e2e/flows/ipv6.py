"""Calls over IPv6: sipp and baresip call a node at ::1, and sipp is called there."""

from collections.abc import Awaitable, Callable

from tests.e2e.flows.callees import ended, hang_up
from tests.e2e.flows.flow import HOST_SIX, Flow, Place
from tests.e2e.flows.script import Script, call, sdp
from tests.e2e.flows.sipp import called, calls
from tests.e2e.flows.telephones import measures
from voice.caller import open_caller


def phones(script: Script, by: str = "UDP", number: int = 1) -> Callable[[Place], Awaitable[None]]:
    """sipp calls."""

    async def run(place: Place) -> None:
        await calls(place, script, place.six, by=by, number=number)

    return run


def takes(by: str) -> Callable[[Place], Awaitable[None]]:
    """sipp takes a call of ours."""

    async def run(place: Place) -> None:
        async with called(place, ended(), by=by, six=True) as address, open_caller(HOST_SIX) as caller:
            await hang_up(await caller.dial(f"sip:200@{address};transport={by.lower()}"))

    return run


FLOWS = (
    *(
        Flow(
            "sipp",
            f"calls and hangs up, by {by} and IPv6",
            "RFC 3261 13, 15.1",
            phones(call().pause(300).bye().expect(200), by, 5),
        )
        for by in ("UDP", "TCP")
    ),
    Flow(
        "sipp",
        "puts us on hold and comes back, by IPv6",
        "RFC 3264 8.4",
        phones(
            call()
            .invite(sdp(version=2, direction="sendonly"))
            .dialog("c=IN IP6 ::1", "a=recvonly")
            .ack()
            .invite(sdp(version=3))
            .dialog("a=sendrecv")
            .ack()
            .bye()
            .expect(200)
        ),
    ),
    *(
        Flow("sipp, called", f"answers and is hung up on, by {by} and IPv6", "RFC 3261 13.2, 15.1", takes(by))
        for by in ("UDP", "TCP")
    ),
    *(
        Flow("baresip", f"measures the milliwatt, by {by} and IPv6", "ITU-T G.711 4", measures(by=by, six=True))
        for by in ("UDP", "TCP")
    ),
)
