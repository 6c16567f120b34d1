"""docs/api.md says what is so."""

import re
from pathlib import Path

import httpx
import pytest

from agent_assist.web.agent_api import DeskParts
from agent_assist.web.agent_feed import CloseCode
from agent_assist.web.problems import Problem
from agent_assist.webhook import CallReport, sign
from tests.agent_assist.web.conftest import Site
from tests.fakes.desk import fake_desk

DOCUMENT = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


@pytest.fixture
def parts() -> DeskParts:
    return fake_desk()[1]


async def test_every_operation_is_there(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    for path, operations in paths.items():
        for method in operations:
            assert re.search(rf"`{method.upper()} {re.escape(path)}[`?]", DOCUMENT), (method, path)
    for code in CloseCode:
        assert f"{code:d}" in DOCUMENT.partition("### The feed")[2]


def test_the_check_of_a_signature_works() -> None:
    found = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    names: dict[str, object] = {}
    exec(found[1], names)
    genuine = names["genuine"]
    assert callable(genuine)
    secret, body = b"an agreed secret", b'{"a":1}'
    assert genuine(secret, sign(secret, body, 1_793_611_800), body)
    assert not genuine(secret, sign(secret, body, 1_793_611_800), body + b" ")


def test_the_examples_are_of_the_documented_shape() -> None:
    report = re.search(r'    (\{"type": "call_ended".*?"link": "[^"]*"\})', DOCUMENT, re.DOTALL)
    problem = re.search(r'(\{"type": "about:blank".*\})', DOCUMENT)
    assert report is not None
    assert problem is not None
    assert set(CallReport.model_validate_json(report[1]).model_dump()) == set(CallReport.model_fields)
    Problem.model_validate_json(problem[1])
