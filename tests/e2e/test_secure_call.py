"""A node that demands encryption, and baresip that does: TLS, SRTP, and a whole conversation in between."""

import asyncio
from pathlib import Path

import pytest

from dialog.events import CallEnded
from tests.e2e.callers import say
from tests.e2e.conversation import check_spoken, hold
from tests.e2e.node import free_port, serving
from tests.e2e.phones import Baresip
from tests.e2e.scripts import scripts
from tests.e2e.test_sip_peers import SCENARIOS, sipp
from tests.fakes.sip_uas import HOST

pytestmark = pytest.mark.timeout(400)

SCRIPT = "04_fault_by_keys"


def test_a_conversation_that_nobody_can_read_on_the_way(tmp_path: Path) -> None:
    (turns,) = (script.turns for script in scripts() if script.name == SCRIPT)
    moves = tuple(turn.keys or say(turn.say, "hibari") for turn in turns if not turn.silent)
    tls_port = free_port()
    with serving(tmp_path, f'[sip]\ntls_port = {tls_port}\nsrtp = "demanded"\n') as node:
        plain = tmp_path / "plain.xml"
        plain.write_text((SCENARIOS / "refused.xml").read_text().replace("404", "488"))
        asyncio.run(sipp(tmp_path, "-sf", str(plain), "-m", "1", f"{HOST}:{node.sip_port}"))
        assert node.figures()["centralino_sip_refused_total"] == {"peer.not_encrypted": 1}

        target = f"sip:100@{HOST}:{tls_port};transport=tls"
        authority = node.data / "sip.crt"
        phone = Baresip(tmp_path, "secure", target, "PCMA", moves, authority)
        held = hold(node, phone, "secure", turns)
        for exchange in held.exchanges:
            check_spoken(exchange, held.bot if held.telephone is None else held.telephone)
        ended = held.journal[-1].event
        assert isinstance(ended, CallEnded)
        assert ended.lost_packets <= ended.duration_ms // 2_000  # one in a hundred
        assert node.figures()["centralino_rtp_refused_total"].get("forged", 0) == 0
        assert not node.bad_lines()
