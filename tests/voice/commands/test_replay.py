"""The node that replays and checks are made on touches nothing of the one that runs."""

from pathlib import Path

from voice.commands.replay import private
from voice.config import Settings


def test_a_private_node_is_on_loopback_in_a_folder_of_its_own_and_tells_nobody(tmp_path: Path) -> None:
    streams = {"tcp": 5065, "tls_port": 5061}
    settings = Settings.model_validate(
        {
            "bots": {"100": "keypad", "*": "keypad"},
            "sip": {"host": "0.0.0.0", "port": 5060, "advertised": "192.0.2.1", "peers": ["192.0.2.9"]} | streams,
            "media": {"host": "0.0.0.0", "advertised": "192.0.2.1"},
            "web": {"host": "0.0.0.0", "port": 443, "advertised": "192.0.2.1", "certificate": "/etc/x.pem"},
            "webhook": {"url": "https://example.org/", "secret": "key"},
            "record": {"folder": "/var/lib/centralino"},
            "speech": {"voice": "espeak"},
        }
    )
    own = private(settings, tmp_path)
    assert (own.sip.host, own.sip.port, own.web.host, own.web.port) == ("127.0.0.1", 0, "127.0.0.1", 0)
    assert own.sip_advertised == own.media_host == own.media_advertised == "127.0.0.1"
    assert (own.sip.tcp_port, own.sip.tls_port) == (0, 0)
    assert own.sip.allows("127.0.0.1")
    assert not own.web.secure
    assert own.webhook.url == ""
    assert own.record.folder == tmp_path
    assert own.bot_for("echo") == "echo"
    assert own.bot_for("replay") == "keypad", "the bot that is being tried"
    assert own.speech == settings.speech
