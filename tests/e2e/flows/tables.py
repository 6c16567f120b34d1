"""All flows."""

from tests.e2e.flows import callees, callers, ipv6, proxies, telephones
from tests.e2e.flows.flow import Flow

FLOWS: tuple[Flow, ...] = (
    *callers.FLOWS,
    *callees.FLOWS,
    *telephones.FLOWS,
    *proxies.FLOWS,
    *ipv6.FLOWS,
)
