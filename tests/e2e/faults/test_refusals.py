"""A wrong key, a taken port, a missing model: one line that names it and the remedy, and an exit that is not zero."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.node import COMMAND, ROOT, Node

pytestmark = pytest.mark.timeout(60)

SEVERAL = """
import contextlib, io, json, sys
from voice.cli import main
ends = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["centralino", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as error, contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    ends.append((code, error.getvalue()))
print(json.dumps(ends))
"""
"""Runs the command once for each list of arguments: most of a run that fails at once is the loading of the program."""

FREE = ("--set", "sip.port=0", "--set", "web.port=0")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Arguments of `centralino serve`, and how the line that refuses them begins and what it holds."""

    arguments: tuple[str, ...]
    begins: str
    remedy: str


@contextmanager
def taken(kind: socket.SocketKind) -> Iterator[int]:
    """A port that somebody else serves on."""
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        yield other.getsockname()[1]


def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, shared_node: Node) -> None:
    (tmp_path / "node.toml").write_text("[sip]\nprot = 5060\n")
    (tmp_path / "broken.toml").write_bytes(b"[sip\nport = \xff")
    with taken(socket.SOCK_DGRAM) as sip, taken(socket.SOCK_STREAM) as web:
        refusals = (
            Refusal(("--config", str(tmp_path / "node.toml")), "sip.prot: no such setting", "docs/configuration.md"),
            Refusal(("--config", str(tmp_path / "nowhere")), f"{tmp_path}/nowhere: No such file", "name a file"),
            Refusal(("--config", str(tmp_path / "broken.toml")), f"{tmp_path}/broken.toml: ", "utf-8"),
            Refusal(("--set", "dialog.customers_url=ftp://x"), "dialog.customers_url: ", "http://"),
            Refusal(("--set", f"sip.port={sip}"), f"sip.port: 127.0.0.1:{sip} cannot be bound", "--set sip.port="),
            Refusal(
                (*FREE, "--set", f"web.port={web}"), f"web.port: 127.0.0.1:{web} cannot be bound", "--set web.port="
            ),
            Refusal((*FREE, "--set", "media.host=192.0.2.1"), "media.host: 192.0.2.1 cannot be bound", "this machine"),
            Refusal((*FREE, "--set", "dialog.engine=eliza"), "dialog.engine: no bot is called 'eliza'", "keypad"),
            Refusal(
                (*FREE, "--set", f"record.folder={shared_node.data}"),
                f"record.folder: another node serves from {shared_node.data}",
                "--set record.folder=",
            ),
        )
        runs = json.dumps([["serve", "--set", f"record.folder={tmp_path}", *each.arguments] for each in refusals])
        ended = subprocess.run(
            [sys.executable, "-c", SEVERAL, runs], stdout=subprocess.PIPE, text=True, timeout=50, cwd=ROOT, check=True
        )
    for refusal, (code, said) in zip(refusals, json.loads(ended.stdout), strict=True):
        assert code == 1, said
        assert said.startswith(f"centralino: {refusal.begins}"), said
        assert refusal.remedy in said
        assert said.count("\n") == 1, said


def test_a_missing_model_is_named_and_the_process_fails(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "serve", *FREE, "--set", f"record.folder={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=ROOT,
        env=os.environ | {"CENTRALINO_CACHE": str(tmp_path / "empty")},
    )
    assert ended.returncode == 1
    # log lines of the parts that did start begin with their time
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("20")]
    assert line.startswith("centralino: model moonshine-")
    assert line.endswith("run `make setup`")
