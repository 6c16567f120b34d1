"""`[sip.trunks.NAME]`: what stands without being said, and what does not go together."""

from pathlib import Path

import pytest

from dialog.errors import ConfigurationError
from voice.config import load


def test_a_proxy_is_enough_and_nothing_may_be_dialled(tmp_path: Path) -> None:
    trunk = load(assignments=["sip.trunks.carrier.proxy=sip.example.net"], environ={}).sip.trunks["carrier"]
    assert (trunk.proxy_port, trunk.transport, trunk.register_s, trunk.ping_s, trunk.dial) == (5_060, "udp", 0, 0, ())
    assert trunk.secret("carrier") == "", "it asks for none"


def test_tls_has_a_port_of_its_own() -> None:
    given = ["sip.trunks.carrier.proxy=192.0.2.1", "sip.trunks.carrier.transport=tls"]
    assert load(assignments=given, environ={}).sip.trunks["carrier"].proxy_port == 5_061
    assert load(assignments=[*given, "sip.trunks.carrier.port=7"], environ={}).sip.trunks["carrier"].proxy_port == 7


def test_the_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("file's\n")
    toml = tmp_path / "centralino.toml"
    sections = (f'[sip.trunks.{name}]\nproxy = "192.0.2.1"\nuser = "u"\n' for name in ("a", "b", "c"))
    toml.write_text(f'{"".join(sections)}[sip.trunks.d]\nproxy = "192.0.2.1"\npassword_file = "{password}"\nuser="u"\n')
    trunks = load(toml, environ={"CENTRALINO_SIP__TRUNKS__A__PASSWORD": "0123"}).sip.trunks
    assert (trunks["a"].secret("a"), trunks["d"].secret("d")) == ("0123", "file's")
    assert "0123" not in repr(trunks)
    with pytest.raises(ConfigurationError, match=r"sip\.trunks\.b: .*CENTRALINO_SIP__TRUNKS__B__PASSWORD"):
        trunks["b"].secret("b")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{}", "name peers, a proxy, or both"),
        ('{peers=["nowhere"]}', "sip.trunks.carrier.peers"),
        ('{proxy="a b"}', "sip.trunks.carrier.proxy"),
        ('{peers=["192.0.2.1"], ping_s=30}', "ping_s needs a proxy"),
        ('{peers=["192.0.2.1"], dial=["*"]}', "dial needs a proxy"),
        ('{proxy="192.0.2.1", register_s=60}', "register_s needs a user"),
        ('{proxy="192.0.2.1", user="a\\"b"}', "sip.trunks.carrier.user"),
        ('{proxy="192.0.2.1", dial=["*39"]}', "sip.trunks.carrier.dial"),
        ('{proxy="192.0.2.1", bots={"1*1"="echo"}}', "sip.trunks.carrier.bots"),
        ('{proxy="192.0.2.1", bots={"1"="nobody"}}', "sip.trunks.carrier.bots"),
        ('{proxy="192.0.2.1", password="x"}', "CENTRALINO_SIP__TRUNKS__CARRIER__PASSWORD"),
    ],
)
def test_what_does_not_go_together_is_one_line(given: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        load(assignments=[f"sip.trunks.carrier={given}"], environ={})
    assert "\n" not in str(caught.value)
