"""STUN and TURN servers: their URLs, passwords that expire, and what a page is told."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest

from dialog.errors import ConfigurationError
from voice.wire.ice_server import Credentials, IceServer


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("stun:stun.example.org", "stun:stun.example.org:3478"),
        ("turn:192.0.2.1:3479", "turn:192.0.2.1:3479?transport=udp"),
        ("turn:turn.example.org?transport=tcp", "turn:turn.example.org:3478?transport=tcp"),
        ("turns:[2001:db8::1]", "turns:[2001:db8::1]:5349?transport=tcp"),
    ],
)
def test_a_url_says_what_it_leaves_out(url: str, whole: str) -> None:
    server = IceServer.parse(url)
    assert str(server) == whole
    assert IceServer.parse(whole) == server
    assert server.relays == (server.scheme != "stun")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "turn.example.org",
        "http://turn.example.org",
        "turn:turn.example.org:99999",
        "turn:turn.example.org?transport=sctp",
        "stun:stun.example.org?transport=udp",
        "turns:turn.example.org?transport=udp",
        "turn:user@turn.example.org",
        "turn:turn.example.org>; rel",
    ],
)
def test_a_url_of_no_server(url: str) -> None:
    with pytest.raises(ConfigurationError):
        IceServer.parse(url)


def test_passwords_of_a_shared_secret_expire() -> None:
    server = replace(IceServer.parse("turn:turn.example.org"), secret=b"north", lasting_s=60)
    given = server.credentials(1_000.9, "page")
    digest = hmac.new(b"north", b"1060:page", hashlib.sha1).digest()
    assert given == Credentials("1060:page", base64.b64encode(digest).decode())
    assert server.credentials(1_001, "page") != given


def test_what_a_page_is_told() -> None:
    assert IceServer.parse("stun:stun.example.org").link(0, "page") == '<stun:stun.example.org:3478>; rel="ice-server"'
    server = replace(IceServer.parse("turns:turn.example.org"), username="me", password='a"b\\c')
    assert server.link(0, "page") == (
        '<turns:turn.example.org:5349?transport=tcp>; rel="ice-server"; '
        'username="me"; credential="a\\"b\\\\c"; credential-type="password"'
    )


def test_no_secret_is_shown() -> None:
    server = replace(IceServer.parse("turn:turn.example.org"), password="pass-word", secret=b"se-cret", lasting_s=60)
    shown = f"{server!r} {server} {server.credentials(0, 'page')!r}"
    assert "pass-word" not in shown
    assert "se-cret" not in shown
    assert server.credentials(0, "page").password not in shown
