"""What the web side may be told; every limit has a number that fits one small node."""

from pydantic import BaseModel, ConfigDict, Field

from agent_assist.auth.sessions import IDLE_S, LONGEST_S


class SiteSettings(BaseModel):
    """Limits of the web side. `secure` is on where pages come by HTTPS: cookies then travel by nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    secure: bool = False
    body_limit_bytes: int = Field(default=1_000_000, gt=0)
    body_timeout_s: float = Field(default=15.0, gt=0)
    header_timeout_s: float = Field(default=10.0, gt=0)
    stall_timeout_s: float = Field(default=60.0, gt=0)
    connections: int = Field(default=512, gt=0)
    connections_per_address: int = Field(default=64, gt=0)
    feeds_per_address: int = Field(default=16, gt=0)
    feed_ping_s: float = Field(default=10.0, gt=0)
    feed_stall_s: float = Field(default=10.0, gt=0)
    feed_check_s: float = Field(default=30.0, gt=0, le=60)
    session_longest_s: int = Field(default=LONGEST_S, gt=0)
    session_idle_s: int = Field(default=IDLE_S, gt=0)
    signin_failures_per_address: int = Field(default=10, gt=0)
    signin_failures_per_account: int = Field(default=20, gt=0)
    signin_ban_s: int = Field(default=900, gt=0)

    def with_room(self, connections: int) -> "SiteSettings":
        """The same with room for so many more connections, of one address as well as in all."""
        beyond = {
            "connections": self.connections + connections,
            "connections_per_address": self.connections_per_address + connections,
        }
        return self.model_copy(update=beyond)
