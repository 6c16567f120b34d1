"""The commands of the README, as a newcomer types them; and what a node tells others once it is open to them."""

import json
import ssl
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import soundfile

from agent_assist.webhook import SIGNATURE_HEADER, CallReport, sign
from tests.e2e.node import Node, serving, wait_for

pytestmark = pytest.mark.timeout(120)

SECRET = "a secret of the receiver's"
OPEN = """
[dialog]
engine = "keypad"
[web]
host = "0.0.0.0"
[webhook]
url = "http://127.0.0.1:{port}/calls"
secret_file = "{secret}"
"""


def test_a_call_from_the_command_line(node: Node, tmp_path: Path) -> None:
    audio = tmp_path / "heard.wav"
    steps = ("--text", "I would like to know my balance", "--dtmf", "12345678")
    told = node.command("call", f"sip:100@127.0.0.1:{node.sip_port}", *steps, "--audio", str(audio), "--json")
    outcome = json.loads(told)
    assert (outcome["status"], outcome["audio"]) == (200, str(audio))
    greeting, question, answer = (turn["text"] for turn in outcome["heard"])
    assert "help" in greeting
    assert "account" in question
    assert "balance" in answer
    assert soundfile.info(audio).duration == pytest.approx(outcome["duration_ms"] / 1000, abs=1)


def test_beyond_this_machine_the_web_side_is_https_and_the_end_of_a_call_is_told_and_signed(tmp_path: Path) -> None:
    reports: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reports.append((self.headers[SIGNATURE_HEADER], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with serving(tmp_path, OPEN.format(port=receiver.server_port, secret=secret)) as node:
            trusted = ssl.create_default_context(cafile=node.data / "web.crt")
            with urllib.request.urlopen(f"https://0.0.0.0:{node.web_port}/", context=trusted, timeout=10) as page:
                assert "Centralino" in page.read().decode()
            audio = str(tmp_path / "heard.wav")
            node.command("call", f"sip:100@127.0.0.1:{node.sip_port}", "--audio", audio)
            signature, body = wait_for("the report", lambda: reports[0] if reports else None, 20)
        receiver.shutdown()
    report = CallReport.model_validate_json(body)
    assert (report.dialled, report.cause, len(reports)) == ("100", "caller", 1)
    assert report.link.endswith(report.call_id)
    at_s = int(signature.partition(",")[0].removeprefix("t="))
    assert signature == sign(SECRET.encode(), body, at_s)
