"""Callers with an account: who they are, and how much each may call."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping

from dialog.errors import Overloaded
from voice.rate import RateLimit
from voice.settings.sip import AccountSettings, SipSettings
from voice.wire.sip.auth import Authenticator


def open_authenticator(settings: SipSettings) -> Authenticator | None:
    """Who asks strangers for their credentials; None without accounts. Raises ConfigurationError for one that has no
    password."""
    if not settings.accounts:
        return None
    passwords = {name: account.secret(name) for name, account in settings.accounts.items()}
    return Authenticator(settings.realm, passwords, secrets.token_bytes(32), settings.digests)


class AccountLimits:
    """How much each account may call."""

    def __init__(self, accounts: Mapping[str, AccountSettings]) -> None:
        self._accounts = accounts
        self._rates = {
            name: RateLimit(account.calls_per_minute, burst=account.calls_per_minute)
            for name, account in accounts.items()
        }

    def admit(self, name: str, present: Iterable[str]) -> None:
        """Raise Overloaded when `name` must not call now; `present` has the account of each call there is."""
        if sum(account == name for account in present) >= self._accounts[name].calls:
            raise Overloaded("account_calls")
        if not self._rates[name].allow(name, asyncio.get_running_loop().time()):
            raise Overloaded("account_rate")
