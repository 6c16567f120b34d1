"""All flows."""

from tests.e2e.flows import callees, callers, ipv6, proxies, relays, telephones
from tests.e2e.flows.flow import Flow

FLOWS: tuple[Flow, ...] = (
    *callers.FLOWS,
    *callees.FLOWS,
    *telephones.FLOWS,
    *proxies.FLOWS,
    *relays.FLOWS,
    *ipv6.FLOWS,
)
