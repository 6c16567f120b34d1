"""`[sip.siprec]`: calls that others hold, and recording clients let us hear."""

import re

from pydantic import Field

from voice.settings.base import Section

_ADDRESS = re.compile(r"\s*<?(?:(?:sips?|tel):)?(?:(?P<user>[^@;>]*)@)?(?P<host>[^@;:?>\s]*)", re.IGNORECASE)


class SiprecSettings(Section):
    """Recording sessions (SIPREC, RFC 7866) of a PBX or session border controller that may call: no bot answers
    them; they are heard, journalled, recorded, and shown to the agent who is in the call.

    An agent is known by `agents` or by `agent_hosts`. Where nobody is, the first stream counts as the caller's.
    """

    enabled: bool = Field(default=False, description="take recording sessions; off, they are refused by 420")
    agents: dict[str, str] = Field(
        default={},
        description="who is which user of the desk: an address of record (`2001@pbx.example`), its user part (`2001`), "
        "or a displayed name",
    )
    agent_hosts: tuple[str, ...] = Field(
        default=(), description="hosts of addresses of record whose user part is the name of the desk's user"
    )

    def agent(self, aor: str, name: str) -> str:
        """The desk's user who is meant by an address of record and a displayed name; "" for nobody of ours."""
        match = _ADDRESS.match(aor)
        user, host = (match["user"], match["host"].lower()) if match else (None, "")
        if user is None:  # a telephone number has no host
            user, host = host, ""
        for key in (f"{user}@{host}", user, name):
            if found := self.agents.get(key, ""):
                return found
        return user if host in self.agent_hosts else ""
