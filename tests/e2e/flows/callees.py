"""We call sipp: set-up, refusals, challenges, and what crosses on the way."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from dialog.errors import PeerTimeout
from tests.e2e.flows.flow import NAME, PASSWORD, Flow, Place
from tests.e2e.flows.script import Script, sdp
from tests.e2e.flows.sipp import called
from tests.e2e.test_sip_peers import SIPP_PORT
from voice.caller import OutgoingLine
from voice.config import Settings
from voice.dialling import CallRefused
from voice.outbound import Outbound
from voice.sip_audio import Audios
from voice.trunks import Trunks
from voice.wire.sip.auth import Login

CHALLENGE = 'Digest realm="far", nonce="f1a2", algorithm=MD5, qop="auth"'


async def hang_up(line: OutgoingLine) -> None:
    """We are the first to hang up."""
    line.hang_up()
    assert await line.ended == "us"


async def hung_up(line: OutgoingLine) -> None:
    """The far end is the first."""
    assert await line.ended == "far end"


def calls(
    script: Script,
    ends: Callable[[OutgoingLine], Awaitable[None]] = hang_up,
    by: str = "UDP",
    login: Login | None = None,
) -> Callable[[Place], Awaitable[None]]:
    """sipp takes a call of ours, which then `ends`."""

    async def run(place: Place) -> None:
        async with called(place, script, by=by) as address:
            uri = f"sip:200@{address}" + (f";transport={by.lower()}" if by != "UDP" else "")
            await ends(await place.caller.dial(uri, login=login))

    return run


def refuses(
    script: Script, status: int, login: Login | None = None, limit_s: float = 30.0
) -> Callable[[Place], Awaitable[None]]:
    """sipp does not take it."""

    async def run(place: Place) -> None:
        async with called(place, script) as address:
            with pytest.raises(CallRefused) as refused:
                await place.caller.dial(f"sip:200@{address}", limit_s, login)
        assert refused.value.status == status

    return run


def sends_on(second: Script) -> Callable[[Place], Awaitable[None]]:
    """sipp is a trunk's proxy, and sends a call that we place through it to another address of the trunk's."""

    async def run(place: Place) -> None:
        contacts = f"<sip:200@192.0.2.1>;q=0.9, <sip:201@{place.host(2)}:{SIPP_PORT}>;q=0.5"
        moved = Script().called().reply(302, "Moved", "", f"Contact: {contacts}").hear("ACK")
        trunk = {"proxy": place.host(), "port": SIPP_PORT, "peers": [place.host(2)], "dial": ["20*"]}
        settings = Settings.model_validate({"sip": {"trunks": {"carrier": trunk}}})
        trunks, caller = Trunks(settings), place.caller
        async with called(place, moved), called(place, second, 2):
            trunks.reach(caller.agent, lambda: 0.5)
            outbound = Outbound(trunks, caller.dialling, Audios(caller.plane, caller.ports))
            await hang_up((await outbound.call("200", OutgoingLine)).listen())

    return run


def rings(script: Script) -> Callable[[Place], Awaitable[None]]:
    """sipp rings for longer than we wait."""

    async def run(place: Place) -> None:
        async with called(place, script) as address:
            with pytest.raises(PeerTimeout):
                await place.caller.dial(f"sip:200@{address}", limit_s=1.0)

    return run


def answered() -> Script:
    """sipp answers a call."""
    return Script().called().reply(180, "Ringing").reply(200, "OK", sdp()).hear("ACK")


def ended() -> Script:
    return answered().hear("BYE").reply(200, "OK")


def crossing() -> Script:
    """sipp answers, and the CANCEL that it then finds has crossed the answer."""
    rung = Script().called().reply(180, "Ringing").hear("CANCEL").reply(200, "OK")
    return rung.reply(200, "OK", sdp(), "CSeq: 1 INVITE").hear("ACK").hear("BYE").reply(200, "OK")


def refusal(status: int) -> Script:
    return Script().called().reply(status, "No", "", "Contact: <sip:elsewhere@[local_ip]>").hear("ACK")


def asked(status: int, header: str, credentials: str) -> Script:
    """sipp asks who calls, and looks whether it is told."""
    again = Script().called().reply(status, "Who", "", f"{header}: {CHALLENGE}").hear("ACK")
    return again.hear("INVITE", f'{credentials}: Digest .*username="{NAME}"')


flow = partial(Flow, "sipp, called")

FLOWS = (
    *(
        flow(f"rings, answers, is hung up on, by {by}", "RFC 3261 13.2, 15.1", calls(ended(), by=by))
        for by in ("UDP", "TCP")
    ),
    flow("hangs up", "RFC 3261 15.1.2", calls(answered().asks().bye().expect(200), hung_up)),
    flow(
        "answers without ringing",
        "RFC 3261 13.2.2.4",
        calls(Script().called().reply(200, "OK", sdp()).hear("ACK").hear("BYE").reply(200, "OK")),
    ),
    flow(
        "sends sound before it answers",
        "RFC 3261 13.2.1",
        calls(
            Script()
            .called()
            .reply(183, "Session Progress", sdp())
            .pause(300)
            .reply(200, "OK", sdp())
            .hear("ACK")
            .hear("BYE")
            .reply(200, "OK")
        ),
    ),
    flow(
        "pings in a call",
        "RFC 3261 11.2",
        calls(answered().asks().request("OPTIONS").expect(200).bye().expect(200), hung_up),
    ),
    flow(
        "asks in a call by a method nobody knows",
        "RFC 3261 12.2.2",
        calls(answered().asks().request("FROBNICATE").expect(501).bye().expect(200), hung_up),
    ),
    *(
        flow(f"refuses by {status}", f"RFC 3261 {section}", refuses(refusal(status), status))
        for status, section in (
            (302, "21.3.3"),
            (404, "21.4.5"),
            (480, "21.4.18"),
            (486, "21.4.24"),
            (503, "21.5.4"),
            (603, "21.6.2"),
        )
    ),
    flow(
        "sends us to another gateway",
        "RFC 3261 8.1.3.4",
        sends_on(
            Script()
            .called("INVITE sip:201@", "History-Info: <sip:200@.*cause%3D302>;index=1, <sip:201@.*>;index=2")
            .reply(200, "OK", sdp())
            .hear("ACK")
            .hear("BYE")
            .reply(200, "OK")
        ),
    ),
    *(
        flow(
            f"asks who we are by {status}",
            "RFC 3261 22",
            calls(
                asked(status, header, credentials)
                .reply(200, "OK", sdp())
                .hear("ACK")
                .hear("BYE", f"{credentials}: Digest ")
                .reply(200, "OK"),
                login=Login(NAME, PASSWORD),
            ),
        )
        for status, header, credentials in (
            (401, "WWW-Authenticate", "Authorization"),
            (407, "Proxy-Authenticate", "Proxy-Authorization"),
        )
    ),
    flow(
        "asks again, and is not told again",
        "RFC 3261 22.2",
        refuses(
            asked(401, "WWW-Authenticate", "Authorization")
            .reply(401, "Who", "", f"WWW-Authenticate: {CHALLENGE}")
            .hear("ACK"),
            401,
            Login(NAME, PASSWORD),
        ),
    ),
    flow("asks who we are, which nobody told us", "RFC 3261 21.4.2", refuses(refusal(401), 401)),
    flow(
        "rings until we give up",
        "RFC 3261 9.1",
        rings(
            Script()
            .called()
            .reply(180, "Ringing")
            .hear("CANCEL")
            .reply(200, "OK")
            .reply(487, "Gone", "", "CSeq: 1 INVITE")
            .hear("ACK")
        ),
    ),
    flow("answers as we give up", "RFC 3261 9.1, 15", rings(crossing())),
    flow(
        "says nothing at all",
        "RFC 3261 17.1.1.2",
        refuses(Script().called().pause(33_000), 408, limit_s=40.0),
        patient=True,
    ),
)
