"""All flows."""

from tests.e2e.flows import callees, callers, ipv6, pages, proxies, relays, telephones
from tests.e2e.flows.flow import Flow

FLOWS: tuple[Flow, ...] = (
    *callers.FLOWS,
    *callees.FLOWS,
    *telephones.FLOWS,
    *pages.FLOWS,
    *proxies.FLOWS,
    *relays.FLOWS,
    *ipv6.FLOWS,
)
