"""A node and Kamailio as its carrier, which asks for a password: bound, called, renewed, gone, back, and let go."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.node import Node, free_port, serving, wait_for
from tests.e2e.test_sip_peers import SCENARIOS, sipp
from tests.fakes.sip_uas import HOST
from tests.peers import peer, stop
from voice.net.sip_probe import FlowProbe
from voice.net.udp import Address, UdpSocket

BINDING_S = 5
"""What Kamailio grants."""

CARRIER = """
children=1
tcp_children=1
listen=udp:HOST:PORT
listen=tcp:HOST:PORT
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("registrar", "max_expires", BINDING_S)
request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("carrier", "wonder", "0")) { www_challenge("carrier", "0"); exit; }
        xlog("L_ALERT", "alice asks for $hdr(Expires) s\\n");
        save("location");
        exit;
    }
    if (has_totag()) {
        if (loose_route()) t_relay();
        exit;
    }
    record_route();
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
}
"""

CARRIER_OF_FLOWS = (
    CARRIER.replace(
        """loadmodule "auth.so"
""",
        """loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "stun.so"
modparam("registrar|nathelper", "received_avp", "$avp(RECEIVED)")
modparam("registrar", "outbound_mode", 1)
modparam("registrar", "flow_timer", 30)
""",
    )
    .replace("save(", "fix_nated_register(); save(")
    .replace(
        """    record_route();
""",
        """    record_route();
    t_on_reply("CALLEE");
""",
    )
    .replace("if (loose_route()) t_relay();", "if (loose_route()) { handle_ruri_alias(); t_relay(); }")
    + """
onreply_route[CALLEE] {
    if (status == 200) xlog("L_ALERT", "answered by $ct from $proto:$si:$sp\n");
    set_contact_alias();
}
"""
)
"""It keeps to the flow by which a node registered, as those behind NAT need it (RFC 5626)."""

NODE = """
[bots]
alice = "echo"
[dialog]
engine = "keypad"
"""

REGISTERED = """
[sip.trunks.carrier]
proxy = "HOST"
port = PORT
user = "alice"
password_file = "FOLDER/password"
register_s = 600
"""

BEHIND_NAT = (
    """
[sip]
tcp = false
"""
    + REGISTERED
    + """
transport = "TRANSPORT"
advertised = "192.0.2.99"
"""
)

WATCHED = """
[sip.trunks.carrier]
proxy = "localhost"
port = PORT
transport = "tcp"
ping_s = 1
"""


def prepared(folder: Path, trunk: str, carrier: str = CARRIER) -> str:
    """Kamailio's configuration in `folder`, on a free port; the settings of a trunk to it."""
    names = {"HOST": HOST, "PORT": str(free_port()), "FOLDER": str(folder), "BINDING_S": str(BINDING_S)}

    def fill(text: str) -> str:
        return re.sub("|".join(names), lambda found: names[found[0]], text)

    (folder / "kamailio.cfg").write_text(fill(carrier))
    (folder / "password").write_text("wonder\n")
    return fill(trunk)


@contextmanager
def kamailio(folder: Path) -> Iterator[Path]:
    """The carrier, until the block is left; its log."""
    log = folder / "kamailio.log"
    with log.open("ab") as lines:
        process = subprocess.Popen(
            (peer("kamailio", "kamailio"), "-f", "kamailio.cfg", "-DD", "-E", "-Y", str(folder), "-w", str(folder)),
            stdout=lines,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        yield log
    finally:
        stop(process)


def until_up(node: Node, up: int) -> None:
    def look() -> bool | None:
        return node.figures()["centralino_trunk_up"]["carrier"] == up or None

    wait_for(f"the trunk to be {'up' if up else 'down'}", look, 60)


def until_asked(log: Path, times: int) -> None:
    """For so many REGISTERs with the right password."""
    line = "alice asks for 600 s"
    wait_for("a registration", lambda: log.read_text(errors="replace").count(line) >= times or None, 60)


def test_a_carrier_that_asks_for_a_password(tmp_path: Path) -> None:
    trunk = prepared(tmp_path, REGISTERED)
    proxy = f"{HOST}:{re.findall('port = (.+)', trunk)[0]}"
    call = ("-sf", str(SCENARIOS / "caller.xml"), "-s", "alice", "-m", "3", "-r", "3", proxy)
    with kamailio(tmp_path) as log:
        with serving(tmp_path, NODE + trunk) as node:
            until_up(node, 1)
            asyncio.run(sipp(tmp_path, *call))
            until_asked(log, 4)  # the first binding is over by now
            asyncio.run(sipp(tmp_path, *call))
            assert not node.bad_lines()
        assert "alice asks for 0 s" in log.read_text(errors="replace").splitlines()[-1]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_carrier_calls_down_the_flow_by_which_we_registered(transport: str, tmp_path: Path) -> None:
    """Nobody could call the node otherwise: it takes no TCP, and its Contact leads nowhere."""
    trunk = prepared(tmp_path, BEHIND_NAT.replace("TRANSPORT", transport), CARRIER_OF_FLOWS)
    proxy = f"{HOST}:{re.findall('port = (.+)', trunk)[0]}"
    call = ("-sf", str(SCENARIOS / "caller.xml"), "-s", "alice", "-m", "3", "-r", "3", proxy)
    with kamailio(tmp_path) as log, serving(tmp_path, NODE + trunk) as node:
        until_up(node, 1)
        asyncio.run(sipp(tmp_path, *call))
        answers = re.findall(rf"answered by (.+) from {transport}:127.0.0.1:([0-9]+)", log.read_text(errors="replace"))
        assert len(answers) == 3
        assert len({port for _, port in answers}) == 1
        assert all(re.fullmatch(r"<sip:192\.0\.2\.99:[0-9]+;ob>", contact) for contact, _ in answers), answers
        assert not node.bad_lines()


def test_a_carrier_tells_by_stun_where_it_sees_us(tmp_path: Path) -> None:
    proxy = int(re.findall("port = (.+)", prepared(tmp_path, REGISTERED, CARRIER_OF_FLOWS))[0])

    async def asked() -> tuple[Address | None, Address]:
        udp = await UdpSocket.open(HOST, 0, lambda data, addr: received(data, addr))
        probe = FlowProbe(udp.send)

        def received(data: bytes, addr: Address) -> None:
            assert probe.receive(data, addr)

        try:
            return await probe.ask((HOST, proxy)), udp.address
        finally:
            await udp.close()

    with kamailio(tmp_path):
        seen, ours = asyncio.run(asked())
    assert seen == ours


def test_a_carrier_that_goes_and_comes_back_is_seen(tmp_path: Path) -> None:
    with serving(tmp_path, NODE + prepared(tmp_path, WATCHED)) as node:
        for _ in range(2):
            with kamailio(tmp_path):
                until_up(node, 1)
            until_up(node, 0)
        lines = [line for line in node.log.splitlines() if "trunk up" in line or "trunk down" in line]
        assert [line.split()[4] for line in lines[-4:]] == ["up", "down"] * 2
        assert not node.bad_lines()
