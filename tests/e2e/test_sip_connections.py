"""TCP and TLS with real peers on loopback: sipp, baresip, Kamailio between, and openssl for the handshake."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.node import free_port, serving
from tests.e2e.test_sip_peers import SCENARIOS, Dialler, answering, counts, dial, listening, run, sipp
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.peers import peer, stopped
from voice.net.certificate import ensure_certificate, server_tls
from voice.net.sip_streams import StreamSettings
from voice.wire.sdp import Codec, Direction
from voice.wire.sip.events import DialogEnded, EndCause, InviteReceived

BY_TCP = StreamSettings(tcp_port=0)
ONE_SOCKET, A_SOCKET_EACH = ("-t", "t1"), ("-t", "tn", "-max_socket", "200")
BARESIP_PORT, PROXY_PORT = 21_064, 21_070

PROXY = f"""
children=1
tcp_children=2
listen=udp:{HOST}:{PROXY_PORT}
listen=tcp:{HOST}:{PROXY_PORT}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
request_route {{
    if (has_totag()) {{
        if (loose_route()) t_relay();
        exit;
    }}
    record_route();
    $du = "sip:CALLEE;transport=tcp";
    t_relay();
}}
"""


@pytest.mark.parametrize("sockets", [ONE_SOCKET, A_SOCKET_EACH], ids=["one", "each"])
@pytest.mark.parametrize("scenario", ["caller", "hold", "delayed", "left"])
async def test_calls_by_tcp(tmp_path: Path, scenario: str, sockets: tuple[str, ...]) -> None:
    callee = SilentCallee(streams=BY_TCP, parting=scenario == "left")
    async with answering(callee) as address:
        path = str(SCENARIOS / f"{scenario}.xml")
        await sipp(tmp_path, *sockets, "-sf", path, "-m", "50", "-r", "50", address)
        assert not callee.agent.dropped and not callee.agent.cut
    assert callee.count(DialogEnded) == 50
    assert set(callee.codecs) == {Codec.PCMA}


async def test_calls_by_tcp_given_up_while_ringing(tmp_path: Path) -> None:
    callee = SilentCallee(ring_only=True, streams=BY_TCP)
    async with answering(callee) as address:
        await sipp(tmp_path, *ONE_SOCKET, "-sf", str(SCENARIOS / "cancel.xml"), "-m", "20", "-r", "20", address)
    assert counts(callee) == {"InviteReceived": 20, "InviteCancelled": 20}


async def test_we_call_sipp_by_tcp(tmp_path: Path) -> None:
    dialler = Dialler(hold=True)
    await dial(dialler, tmp_path, 20, "-sf", str(SCENARIOS / "callee.xml"), *ONE_SOCKET, transport="tcp")
    assert dialler.directions == [Direction.SENDONLY] * 20
    assert sum(isinstance(event, DialogEnded) for event in dialler.events) == 20
    assert not dialler.agent.cut


@pytest.mark.parametrize("scenario", ["caller", "left"])
async def test_a_proxy_that_comes_by_tcp(tmp_path: Path, scenario: str) -> None:
    """sipp speaks UDP to Kamailio, Kamailio TCP to us; it stays in the way, for our BYE as well (RFC 3261 16.6)."""
    callee = SilentCallee(streams=BY_TCP, parting=scenario == "left")
    async with answering(callee) as address:
        (tmp_path / "kamailio.cfg").write_text(PROXY.replace("CALLEE", address))
        async with kamailio(tmp_path):
            proxy = f"{HOST}:{PROXY_PORT}"
            await sipp(tmp_path, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", "20", "-r", "20", proxy)
        assert not callee.agent.dropped
    assert callee.count(DialogEnded) == 20
    assert {event.source[2:] for event in callee.events if isinstance(event, InviteReceived)} == {("TCP", 0)}


@asynccontextmanager
async def kamailio(folder: Path, host: str = HOST) -> AsyncIterator[None]:
    """Kamailio with the configuration in `folder`, once it listens at `host`."""
    with (folder / "kamailio.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(peer("kamailio", "kamailio"), "-f", "kamailio.cfg", "-DD", "-E", "-Y", str(folder), "-w", str(folder)),
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
        )
    try:
        await listening(PROXY_PORT, "tcp", host)
        yield
    finally:
        await stopped(process)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_baresip_phones_in(tmp_path: Path, transport: str) -> None:
    """By TLS it makes sure of our certificate. We hang up, by its own connection."""
    certificate, key = ensure_certificate(tmp_path, HOST, "sip")
    streams = StreamSettings(tcp_port=0, tls_port=0, tls=server_tls(certificate, key))
    callee = SilentCallee(parting=True, streams=streams)
    modules = "module g711.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n"
    (tmp_path / "config").write_text(
        f"sip_listen {HOST}:{BARESIP_PORT}\nnet_interface {HOST}\nrtp_ports 21400-21500\naudio_source aubridge,a\n"
        f"audio_player aubridge,a\naudio_alert aubridge,b\nmodule_path /usr/lib/baresip/modules\n{modules}"
        f"sip_cafile {certificate}\nsip_verify_server yes\n"
    )
    (tmp_path / "accounts").write_text(f"<sip:phone@{HOST};transport={transport}>;regint=0;audio_codecs=PCMU\n")
    (tmp_path / "contacts").write_text("")
    async with answering(callee):
        uri = f"sip:200@{HOST}:{callee.agent.stream_ports[transport.upper()]};transport={transport}"
        arguments = ("-f", str(tmp_path), "-t", "3", "-e", f"/dial {uri}")
        output = await run(peer("baresip", "baresip-core"), *arguments)
        assert "Call established" in output and "session closed" in output, output
        assert not callee.agent.calls and not callee.agent.cut
    assert counts(callee) == {"InviteReceived": 1, "InviteAcknowledged": 1, "DialogEnded": 1}
    assert callee.events[-1] == DialogEnded(callee.received(), EndCause.LOCAL)


def test_a_node_by_tcp_and_tls(tmp_path: Path) -> None:
    """As it is installed: the echo number answers, an unknown one is refused, and the certificate is its own."""
    tls_port = free_port()
    settings = f'[bots]\necho = "echo"\n[dialog]\nengine = "keypad"\n[sip]\ntls_port = {tls_port}\n'
    with serving(tmp_path, settings) as node:
        assert f"TCP {node.sip_port}, TLS {tls_port}" in node.log
        address = f"{HOST}:{node.sip_port}"
        echo, nobody = str(SCENARIOS / "caller.xml"), str(SCENARIOS / "refused.xml")
        for sockets in (ONE_SOCKET, A_SOCKET_EACH):
            asyncio.run(sipp(tmp_path, *sockets, "-sf", echo, "-s", "echo", "-m", "10", "-r", "10", address))
            asyncio.run(sipp(tmp_path, *sockets, "-sf", nobody, "-s", "nobody", "-m", "5", "-r", "10", address))
        output = handshake(tls_port, node.data / "sip.crt")
        assert "Verification: OK" in output and "TLSv1.3" in output
        assert node.figures()["centralino_sip_refused_total"] == {"peer.not_found": 10}
        assert node.figures().get("centralino_sip_cut_total", {}) == {}
        assert not node.bad_lines()


def handshake(port: int, trusted: Path) -> str:
    """What openssl says of our TLS."""
    program = peer("openssl", "openssl")
    command = (program, "s_client", "-connect", f"{HOST}:{port}", "-CAfile", str(trusted), "-verify_return_error")
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
