"""Where peers reach us, by each transport: what our Via and Contact headers say (RFC 3261 8.1.1.7 and 8.1.1.8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipmessage import Request

from voice.wire.sip.dialog import bracketed
from voice.wire.sip.flow import Flow
from voice.wire.sip.message import ALLOW, SDP, SUPPORTED, Address, make_via


@dataclass(slots=True)
class Reach:
    """Our host and UDP port, as peers are told, and the ports of connections by transport (`flow.TCP`, `flow.TLS`).

    `connects` says whether there are connections to be had: if so, requests too long for UDP go by TCP.
    """

    host: str
    port: int
    stream_ports: dict[str, int] = field(default_factory=dict)
    connects: bool = False

    def identity(self, addr: Address) -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are (section 11.2)."""
        way = f"{self._port(addr)}"
        if isinstance(addr, Flow) and addr.transport in self.stream_ports:
            way += f";transport={addr.transport.lower()}"
        return {"Contact": f"<sip:{bracketed(self.host)}:{way}>", "Allow": ALLOW, "Accept": SDP, "Supported": SUPPORTED}

    def via(self, addr: Address, branch: str) -> str:
        """A Via value for a request to `addr`."""
        transport = addr.transport if isinstance(addr, Flow) else "UDP"
        return make_via(bracketed(self.host), self._port(addr), branch, transport)

    def redirect(self, request: Request, addr: Address) -> None:
        """Let the Via of a request of ours name the way to `addr`; its branch stays."""
        request.headers.set("Via", self.via(addr, request.headers["Via"].rpartition("branch=")[2]))

    def _port(self, addr: Address) -> int:
        """Our port for whoever is at `addr`; where we take no connections it is that of UDP."""
        return self.stream_ports.get(addr.transport, self.port) if isinstance(addr, Flow) else self.port
