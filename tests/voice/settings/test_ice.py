"""`[web.ice_servers]`: none unless configured, credentials from files and the environment, who uses which."""

from pathlib import Path

import pytest

from dialog.errors import ConfigurationError
from voice.config import Settings, load
from voice.settings.sections import WebSettings


def test_there_are_none() -> None:
    web = Settings().web
    assert web.ice_servers_of("node") == web.ice_servers_of("pages") == ()


def test_credentials_and_who_uses_which(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("north\n")
    toml = tmp_path / "centralino.toml"
    toml.write_text(
        f"""
[web.ice_servers.outside]
url = "stun:stun.example.org"
used_by = "node"
[web.ice_servers.relay]
url = "turn:turn.example.org?transport=tcp"
secret_file = "{secret}"
lasting_s = 600
[web.ice_servers.other]
url = "turns:other.example.org"
used_by = "pages"
username = "centralino"
"""
    )
    web = load(toml, environ={"CENTRALINO_WEB__ICE_SERVERS__OTHER__PASSWORD": "0123"}).web
    node, pages = web.ice_servers_of("node"), web.ice_servers_of("pages")
    assert [str(server) for server in node] == [
        "stun:stun.example.org:3478",
        "turn:turn.example.org:3478?transport=tcp",
    ]
    assert [server.host for server in pages] == ["turn.example.org", "other.example.org"]
    assert (pages[0].secret, pages[0].lasting_s) == (b"north", 600)
    assert (pages[1].username, pages[1].password) == ("centralino", "0123")
    assert "0123" not in repr(web)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            'web.ice_servers.relay={url="turn:turn.example.org", password="x"}',
            "CENTRALINO_WEB__ICE_SERVERS__RELAY__PASS",
        ),
        ("web.ice_servers.relay.secret=x", "CENTRALINO_WEB__ICE_SERVERS__RELAY__SECRET"),
        ('web.ice_servers.relay={url="http://turn.example.org"}', "web.ice_servers.relay.url"),
        ('web.ice_servers.relay={used_by="pages"}', "web.ice_servers.relay.url"),
        ('web.ice_servers.Relay={url="stun:stun.example.org"}', "web.ice_servers.Relay"),
        ('web.ice_servers.relay={url="turn:a.example.org", username="Zoë"}', "web.ice_servers.relay.username"),
    ],
)
def test_a_server_that_is_not_to_be(given: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load(assignments=[given], environ={})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "wants credentials; name a username, or a secret_file, or set CENTRALINO_WEB__ICE_SERVERS__RELAY__SECRET"),
        ({"username": "me"}, "no password; name a password_file or set CENTRALINO_WEB__ICE_SERVERS__RELAY__PASSWORD"),
        ({"username": "me", "password": "Zoë"}, "letters that no header carries"),
        ({"secret_file": "/nowhere"}, "web.ice_servers.relay.secret_file: /nowhere: No such file"),
    ],
)
def test_a_relay_wants_credentials(more: dict[str, str], says: str) -> None:
    web = WebSettings.model_validate({"ice_servers": {"relay": {"url": "turn:turn.example.org", **more}}})
    with pytest.raises(ConfigurationError, match=says):
        web.ice_servers_of("pages")
