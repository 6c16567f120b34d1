"""Kamailio with rtpengine stands between: the sound goes through rtpengine, in the clear or encrypted on our side."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from tests.e2e.flows.callees import hang_up
from tests.e2e.flows.flow import HOST, NAME, Flow, Place
from tests.e2e.flows.proxies import HOLD, proxy, to
from tests.e2e.flows.sipp import calls
from tests.e2e.flows.telephones import measure, telephone
from tests.e2e.node import wait_for
from tests.e2e.test_sip_peers import listening
from tests.peers import peer, stopped

CONTROL_PORT = 21_080
CLEAR, SDES, DTLS = "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"

SOUND = """
    if (is_method("INVITE|ACK|BYE|CANCEL")) rtpengine_manage("{offers}");
    t_on_reply("SOUND");
    """
ANSWERED = 'onreply_route[SOUND] { if (has_body("application/sdp")) rtpengine_manage(); }'

_CARRIED = re.compile(r"audio over (\S+)\) .*\n.*<> +\S+, SSRC \w+, (\d+) p,")
"""What rtpengine says of each side when a call is over: its profile, and the packets that came from there."""


@asynccontextmanager
async def relay(place: Place, towards: str, offers: str = "") -> AsyncIterator[str]:
    """Kamailio and rtpengine, in the way `towards` an address, to which `offers` go; yields Kamailio's own."""
    host = place.host(8)
    with (place.folder / "rtpengine.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(peer("rtpengine", "rtpengine-daemon"), "--config-file=none", "--table=-1"),  # not in the kernel
            *("--foreground", "--log-stderr", f"--interface={host}", f"--listen-ng={host}:{CONTROL_PORT}"),
            *("--delete-delay=0", f"--pidfile={place.folder}/rtpengine.pid"),
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        await listening(CONTROL_PORT, "udp", host)
        settings = f'modparam("rtpengine", "rtpengine_sock", "udp:{host}:{CONTROL_PORT}")\n'
        always = SOUND.format(offers=offers)
        async with proxy(place, to(towards), ANSWERED, ("rtpengine",), settings=settings, always=always) as address:
            yield address
    finally:
        await stopped(process)


async def carried(place: Place, *profiles: str) -> None:
    """A second of sound has come from either side."""
    log = place.folder / "rtpengine.log"
    sides = await asyncio.to_thread(
        wait_for, f"the end in {log}", lambda: _CARRIED.findall(log.read_text()) or None, 10.0
    )
    assert sorted(profile for profile, _ in sides) == sorted(profiles)
    assert all(int(packets) >= 50 for _, packets in sides), sides


def measures(profile: str, flags: str = "") -> Callable[[Place], Awaitable[None]]:
    """baresip records the milliwatt; what it offers goes on with another `profile`."""

    async def run(place: Place) -> None:
        async with (
            relay(place, place.node["UDP"], f"{profile} {flags}") as address,
            telephone(place, f"sip:milliwatt@{address}") as phone,
        ):
            await measure(phone)
            await carried(place, CLEAR, profile)

    return run


async def holds(place: Place) -> None:
    async with relay(place, place.node["UDP"]) as address:
        await calls(place, HOLD, address)


async def takes(place: Place) -> None:
    """baresip takes a call of ours."""
    async with (
        telephone(place, more=";answermode=auto") as phone,
        relay(place, f"{HOST}:{phone.port}") as address,
    ):
        line = await place.caller.dial(f"sip:{NAME}@{address}")
        await line.wait(2_000)
        await hang_up(line)
        await carried(place, CLEAR, CLEAR)


flow = partial(Flow, "Kamailio and rtpengine")

FLOWS = (
    flow("relay the sound of a call", "RFC 3264 5", measures(CLEAR)),
    flow("encrypt the sound on our side by SDES", "RFC 4568 5.1", measures(SDES)),
    flow(
        "encrypt the sound on our side by DTLS, with ICE", "RFC 5764, 8445", measures(DTLS, "ICE=force rtcp-mux-offer")
    ),
    flow("relay a call that is put on hold", "RFC 3264 8.4", holds),
    flow("relay a call of ours", "RFC 3264 5", takes),
)
