"""Every flow with a peer, as RFC 3261 and its kin have it: all against one node, many at once (docs/conformance.md)."""

import pytest

from tests.e2e.flows.flow import Flow, Proof, prove
from tests.e2e.flows.tables import FLOWS

pytestmark = pytest.mark.timeout(300)  # whoever comes first waits for all


@pytest.fixture(scope="module")
def proof(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """What became of the flows that this run has selected."""
    selected = {item.name for item in request.session.items if item.path == request.path}
    flows = [flow for flow in FLOWS if f"test_flow[{flow}]" in selected]
    return prove(flows, tmp_path_factory.mktemp("flows"))


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_flow(proof: Proof, flow: Flow) -> None:
    fault = proof.faults[flow]
    if fault is not None:
        raise fault


def test_the_node_took_no_harm(proof: Proof) -> None:
    assert proof.bad_lines == []


def test_each_flow_has_a_name_of_its_own() -> None:
    assert len({str(flow) for flow in FLOWS}) == len(FLOWS) >= 60
