"""The OpenAPI document made ready for a page of our own: no viewer from elsewhere, no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a model."""

    name: str
    type: str
    required: bool
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation; `model` is empty where it has no JSON body."""

    status: str
    model: str
    note: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: str
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Model:
    """A JSON object."""

    name: str
    description: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Api:
    """Everything the page tells."""

    operations: list[Operation]
    models: list[Model]


def described(document: Mapping[str, Json]) -> Api:
    """Operations and models of an OpenAPI 3.1 document, in its order."""
    operations = [
        _operation(method, path, _map(operation))
        for path, methods in _map(document.get("paths")).items()
        for method, operation in _map(methods).items()
    ]
    schemas = _map(_map(document.get("components")).get("schemas"))
    return Api(operations, [_model(name, _map(schema)) for name, schema in schemas.items()])


def _operation(method: str, path: str, operation: Mapping[str, Json]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=_text(operation.get("summary")),
        description=_text(operation.get("description")),
        parameters=[
            Field(
                _text(parameter.get("name")),
                f"{_type(_map(parameter.get('schema')))}, in {_text(parameter.get('in'))}",
                parameter.get("required") is True,
                _text(parameter.get("description")),
            )
            for parameter in map(_map, _list(operation.get("parameters")))
        ],
        body=_content(_map(operation.get("requestBody"))),
        answers=[
            Answer(status, _content(_map(answer)), _text(_map(answer).get("description")))
            for status, answer in _map(operation.get("responses")).items()
        ],
    )


def _model(name: str, schema: Mapping[str, Json]) -> Model:
    required = _list(schema.get("required"))
    fields = [
        Field(field, _type(_map(detail)), field in required, _text(_map(detail).get("description")))
        for field, detail in _map(schema.get("properties")).items()
    ]
    return Model(name, _text(schema.get("description")), fields)


def _content(part: Mapping[str, Json]) -> str:
    for media_type, content in _map(part.get("content")).items():
        kind = _type(_map(_map(content).get("schema")))
        return kind if "json" in media_type and kind != "anything" else media_type
    return ""


def _type(schema: Mapping[str, Json]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return _text(schema["$ref"]).rsplit("/", 1)[-1]
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in _list(schema["enum"]))
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(_type(_map(each)) for each in _list(schema[choice]))
    if schema.get("type") == "array":
        return f"list of {_type(_map(schema.get('items')))}"
    return _text(schema.get("type")) or "anything"


def _map(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
