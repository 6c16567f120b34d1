"""Settings: what beats what, and errors of one line that name the key."""

from pathlib import Path

import pytest

from dialog.actions import Expect
from dialog.errors import ConfigurationError
from voice.config import Settings, load
from voice.speech.settings import EngineSettings


def test_everything_is_on_loopback_until_a_setting_says_otherwise() -> None:
    settings = Settings()
    assert {settings.sip.host, settings.web.host, settings.media_host} == {"127.0.0.1"}
    assert settings.sip.allows("127.0.0.9")
    assert not settings.sip.allows("192.0.2.1")
    assert not settings.web.secure
    assert Settings.model_validate({"web": {"host": "192.0.2.1"}}).web.secure


@pytest.mark.parametrize(("tcp", "port"), [("true", 5070), ("5075", 5075), ("1", 1), ("false", None), ("0", None)])
def test_tcp_is_where_udp_is_or_where_it_is_told(tcp: str, port: int | None) -> None:
    assert load(assignments=["sip.port=5070", f"sip.tcp={tcp}"], environ={}).sip.tcp_port == port
    assert load(environ={"CENTRALINO_SIP__TCP": tcp, "CENTRALINO_SIP__PORT": "5070"}).sip.tcp_port == port


def test_file_yields_to_environment_and_both_to_set(tmp_path: Path) -> None:
    file = tmp_path / "centralino.toml"
    file.write_text('[sip]\nport = 1\n[web]\nport = 1\n[limits]\ncalls = 7\n[bots]\n"100" = "echo"\n')
    environ = {"CENTRALINO_SIP__PORT": "2", "CENTRALINO_WEB__PORT": "2", "CENTRALINO_CACHE": "/elsewhere"}
    settings = load(file, ["web.port=3"], environ)
    assert (settings.sip.port, settings.web.port, settings.limits.calls) == (2, 3, 7)
    assert settings.bot_for("100") == "echo"
    assert settings.bot_for("200") == "", "without * other numbers are nobody's"


def test_a_grammar_belongs_to_what_the_bot_expects(tmp_path: Path) -> None:
    file = tmp_path / "centralino.toml"
    file.write_text('[speech]\ngrammars.yes_no = ["네", "아니요"]\n')
    assert load(file, ['speech.grammars.free=["영업 시간"]'], {}).speech.grammars == {
        Expect.YES_NO: ("네", "아니요"),
        Expect.FREE: ("영업 시간",),
    }


def test_the_speech_child_is_told_all_settings_of_speech() -> None:
    speech = Settings.model_validate({"speech": {"recogniser": "vosk", "n_best": 3}}).speech
    engine = EngineSettings(**speech.model_dump())
    assert (engine.recogniser, engine.n_best) == ("vosk", 3)


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ('speech.grammars.maybe=["네"]', "speech.grammars.maybe"),
        ("sip.prot=5060", "sip.prot"),
        ("sip.port=99999", "sip.port"),
        ("sip.tcp=99999", "sip.tcp"),
        ("sip.tls_port=-1", "sip.tls_port"),
        ("sip.host=example", "sip.host"),
        ('sip.peers=["nowhere"]', "sip.peers"),
        ("nowhere.port=1", "nowhere"),
        ("sip=3", "sip"),
        ("media.last_port=10", "media"),
        ("port", "SECTION.NAME=VALUE"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(assignment: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        load(assignments=[assignment], environ={})
    assert "\n" not in str(caught.value)


def test_a_secret_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "centralino.toml"
    file.write_text('[webhook]\nsecret = "s"\n')
    with pytest.raises(ConfigurationError, match="CENTRALINO_WEBHOOK__SECRET"):
        load(file, environ={})


def test_a_secret_is_taken_as_it_stands_and_only_from_the_environment() -> None:
    settings = load(environ={"CENTRALINO_WEBHOOK__SECRET": "1234567890123456"})
    assert settings.webhook.key() == b"1234567890123456"
    with pytest.raises(ConfigurationError, match="CENTRALINO_WEBHOOK__SECRET"):
        load(assignments=["webhook.secret=x"], environ={})


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.toml"):
        load(tmp_path / "nothing.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("[sip\n")
    with pytest.raises(ConfigurationError, match=r"bad\.toml"):
        load(bad)


def test_an_account_has_its_password_from_the_environment_or_a_file(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("file's\n")
    toml = tmp_path / "centralino.toml"
    toml.write_text(f'[sip.accounts.pbx]\npassword_file = "{password}"\ncalls = 30\n')
    accounts = load(toml, environ={"CENTRALINO_SIP__ACCOUNTS__1001__PASSWORD": "0123"}).sip.accounts
    assert {name: account.secret(name) for name, account in accounts.items()} == {"pbx": "file's", "1001": "0123"}
    assert (accounts["pbx"].calls, accounts["1001"].calls) == (30, 2)
    assert "0123" not in repr(accounts)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("sip.accounts.alice.password=x", "CENTRALINO_SIP__ACCOUNTS__ALICE__PASSWORD"),
        ('sip.accounts.alice={password="x"}', "CENTRALINO_SIP__ACCOUNTS__ALICE__PASSWORD"),
        ('webhook={secret="x"}', "CENTRALINO_WEBHOOK__SECRET"),
        ("sip.accounts.Alice.calls=1", "sip.accounts.Alice"),
        ('sip.realm="a b"', "sip.realm"),
        ("sip.digests=[]", "sip.digests"),
        ("sip.session_expires_s=60", "at least 90"),
        ('sip.pass_headers=["Authorization"]', "credentials"),
        ('sip.pass_headers=["X Y"]', "sip.pass_headers"),
        ('sip.hand_on=["X-Customer"]', "hand_on: X-Customer is not told"),
        ('sip.hand_on=["User-Agent"]', "hand_on: User-Agent is not told"),
    ],
)
def test_an_account_that_is_not_to_be(given: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load(assignments=[given], environ={})


def test_a_password_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "centralino.toml"
    file.write_text('[sip.accounts.alice]\npassword = "s"\n')
    with pytest.raises(ConfigurationError, match="CENTRALINO_SIP__ACCOUNTS__ALICE__PASSWORD"):
        load(file, environ={})
