"""The SIP stack is a thing of its own: what it takes from the rest of the house is little, and said here."""

import subprocess
import sys
from pathlib import Path

import voice.net

NET = Path(voice.net.__path__[0])
AROUND = {"dialog.errors", "voice.net.resolver", "voice.net.udp", "voice.rate"}
WIRE = {"voice.wire.dtmf", "voice.wire.multipart", "voice.wire.rtp", "voice.wire.stun", "voice.wire.xml_element"}
PACKAGES = {"dialog", "voice", "voice.net", "voice.wire"}

LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
ours = [name for name in sys.modules if name.split(".")[0] in ("voice", "dialog", "dsp", "agent_assist")]
print(*[name for name in ours if not name.startswith(("voice.wire.sip", "voice.net.sip_"))])
"""


def test_it_could_be_lifted_out() -> None:
    stack = [f"voice.net.{path.stem}" for path in NET.glob("sip_*.py")]
    assert "voice.net.sip_agent" in stack
    command = [sys.executable, "-c", LOADED, *stack, "voice.wire.sip.endpoint", "voice.wire.sip.registrar"]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split())
    assert loaded <= AROUND | WIRE | PACKAGES
    assert "voice.net.resolver" in loaded
