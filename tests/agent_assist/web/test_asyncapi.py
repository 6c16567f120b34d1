"""The feed's document: whole, of the version it says, and about what is really sent."""

from collections.abc import Iterator, Mapping

from agent_assist.desk.messages import Envelope
from agent_assist.web.apidocs import Json
from agent_assist.web.asyncapi import asyncapi


def nodes(document: Json) -> Iterator[Mapping[str, Json]]:
    """Every object in the document."""
    if isinstance(document, Mapping):
        yield document
        for value in document.values():
            yield from nodes(value)
    elif isinstance(document, list):
        for value in document:
            yield from nodes(value)


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()
    references = [str(node["$ref"]) for node in nodes(document) if "$ref" in node]
    assert len(references) > 30
    for reference in references:
        found: Json = document
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(found, Mapping)
            found = found[part]


def test_every_message_is_described() -> None:
    schemas = asyncapi()["components"]
    assert isinstance(schemas, Mapping)
    described = schemas["schemas"]
    assert isinstance(described, Mapping)
    kinds = Envelope.model_json_schema()["properties"]["message"]["discriminator"]["mapping"]
    assert len(kinds) == 14
    for reference in kinds.values():
        schema = described[reference.rpartition("/")[2]]
        assert isinstance(schema, Mapping)
        assert schema["description"]


def test_schemas_are_of_the_draft_that_asyncapi_reads() -> None:
    for node in nodes(asyncapi()):
        assert "prefixItems" not in node
        assert "$defs" not in node
        assert isinstance(node.get("discriminator", ""), str)
