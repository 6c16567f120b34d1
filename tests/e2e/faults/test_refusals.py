"""A wrong key, a taken port, a missing model: one line that names it and the remedy, and an exit that is not zero."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.faults.served import COMMAND, ROOT, Served

pytestmark = pytest.mark.timeout(60)


def refused(*arguments: str, **environment: str) -> str:
    """The one line that says why the command failed."""
    ended = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=50, cwd=ROOT, env=os.environ | environment
    )
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr + ended.stdout
    # log lines of the parts that did start begin with their time
    lines = [line for line in ended.stderr.splitlines() if line[:2] != "20"]
    assert len(lines) == 1, ended.stderr
    return lines[0]


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[sip]\nprot = 5060\n")
    assert refused("serve", "--config", str(file)).startswith("centralino: sip.prot: no such setting; ")


def test_a_setting_of_the_wrong_kind(tmp_path: Path) -> None:
    line = refused("serve", "--set", "dialog.customers_url=ftp://example.org/base")
    assert line.startswith("centralino: dialog.customers_url: ")
    assert "http://" in line


def test_a_file_that_is_none(tmp_path: Path) -> None:
    line = refused("serve", "--config", str(tmp_path / "nowhere.toml"))
    assert "nowhere.toml: No such file or directory; name a file that can be read" in line


def test_a_sip_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        line = refused("serve", "--set", f"sip.port={port}", "--set", f"record.folder={tmp_path}")
    assert line.startswith(f"centralino: sip.port: 127.0.0.1:{port} cannot be bound (Address already in use); ")
    assert "--set sip.port=" in line


def test_a_web_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused(
            "serve", "--set", "sip.port=0", "--set", f"web.port={port}", "--set", f"record.folder={tmp_path}"
        )
    assert line.startswith(f"centralino: web.port: 127.0.0.1:{port} cannot be bound (Address already in use); ")
    assert "--set web.port=" in line


def test_a_model_that_is_missing(tmp_path: Path) -> None:
    free = ("--set", "sip.port=0", "--set", "web.port=0", "--set", f"record.folder={tmp_path}")
    line = refused("serve", *free, CENTRALINO_CACHE=str(tmp_path / "empty"))
    assert line.startswith("centralino: model moonshine-")
    assert "run `make setup`" in line


def test_a_bot_that_nobody_knows(tmp_path: Path) -> None:
    free = ("--set", "sip.port=0", "--set", "web.port=0", "--set", f"record.folder={tmp_path}")
    line = refused("serve", *free, "--set", "dialog.engine=eliza")
    assert line.startswith("centralino: dialog.engine: no bot is called 'eliza'; known are rasa, keypad")


def test_a_folder_that_another_node_serves_from(shared_node: Served) -> None:
    free = ("--set", "sip.port=0", "--set", "web.port=0")
    line = refused("serve", *free, "--set", f"record.folder={shared_node.data}")
    assert line.startswith(f"centralino: record.folder: another node serves from {shared_node.data}; ")
