"""Callers with an account: who gets one, how much each may call, and a whole call with a password."""

from pathlib import Path
from random import Random

import pytest

from dialog.errors import ConfigurationError, Overloaded
from tests.fakes.clock import virtual_time
from tests.fakes.house import house
from tests.fakes.sip_uas import HOST
from tests.ports import FIRST, LAST
from voice.accounts import AccountLimits, open_authenticator
from voice.caller import open_caller
from voice.config import Settings
from voice.dialling import CallRefused
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.settings.sip import AccountSettings, SipSettings
from voice.trunk import Trunk
from voice.wire.sip.auth import Login


def test_without_accounts_nobody_is_asked() -> None:
    assert open_authenticator(SipSettings()) is None


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_an_account_without_a_password_does_not_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    for account in (AccountSettings(), AccountSettings(password_file=file)):
        with pytest.raises(ConfigurationError, match=r"sip\.accounts\.pbx"):
            open_authenticator(SipSettings(accounts={"pbx": account}))


@virtual_time
async def test_an_account_has_so_many_calls_at_once_and_a_minute() -> None:
    limits = AccountLimits({"a": AccountSettings(calls=2, calls_per_minute=3), "b": AccountSettings()})
    limits.admit("a", [])
    limits.admit("a", ["a", "", "b", "b"])
    with pytest.raises(Overloaded, match="account_calls"):
        limits.admit("a", ["a", "a"])
    limits.admit("a", [])
    with pytest.raises(Overloaded, match="account_rate"):
        limits.admit("a", [])
    limits.admit("b", [])


async def test_a_caller_with_a_password_from_an_address_that_is_not_listed() -> None:
    sip = {"peers": [], "accounts": {"alice": {"password": "wonder", "calls": 1}}}
    settings = Settings.model_validate({"bots": {"*": "echo"}, "sip": sip})
    async with house() as home, open_caller(HOST) as caller:
        trunk = Trunk(settings, home.calls, home.plane, RtpPorts(HOST, FIRST, LAST, Random()))
        agent = SipAgent(trunk, settings.sip.allows, authenticator=open_authenticator(settings.sip))
        trunk.serve(agent)
        await agent.start(HOST, 0, home.tasks)
        uri = f"sip:100@{HOST}:{agent.port}"
        try:
            for login, status in ((None, 401), (Login("alice", "guess"), 403), (Login("bob", "wonder"), 403)):
                with pytest.raises(CallRefused) as refused:
                    await caller.dial(uri, login=login)
                assert refused.value.status == status
            line = await caller.dial(uri, login=Login("alice", "wonder"))
            with pytest.raises(CallRefused) as refused:
                await caller.dial(uri, login=Login("alice", "wonder"))
            assert refused.value.status == 503
            line.hang_up()
            assert await line.ended == "us"
            assert trunk.refused == {"ours.overloaded": 1}
        finally:
            await agent.close()
