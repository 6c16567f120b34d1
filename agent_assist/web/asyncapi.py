"""The AsyncAPI document of the agents' feed, made from the messages' models."""

from collections.abc import Mapping, Sequence

from agent_assist.desk.messages import Envelope
from agent_assist.web.agent_feed import PATH
from agent_assist.web.apidocs import Json

_CLOSES = (
    "Close codes: 1013 and 1012, come back with `after`; 1008 and 1009, the client said more than a few short "
    "messages a second; 4401, the session is over; 4409, the agent opened more pages than may be open."
)


def asyncapi() -> dict[str, Json]:
    """The document, by AsyncAPI 3.0.0."""
    schema = Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = {**schema.pop("$defs"), "Envelope": schema}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Centralino",
            "version": "1",
            "description": "What an agent's screen is told",
        },
        "defaultContentType": "application/json",
        "channels": {
            "feed": {
                "address": PATH,
                "title": "An agent's feed",
                "description": "Sign in, or send a token; `Origin`, where there is one, must be this host. " + _CLOSES,
                "messages": {"envelope": {"$ref": "#/components/messages/envelope"}},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {
                            "type": "object",
                            "properties": {
                                "after": {
                                    "type": "string",
                                    "description": "RUN.SEQ of the last envelope seen; without it comes a snapshot",
                                }
                            },
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/feed"},
                "summary": "Tell the screen; nothing is expected back.",
                "security": [
                    {"$ref": "#/components/securitySchemes/token"},
                    {"$ref": "#/components/securitySchemes/session"},
                ],
            }
        },
        "components": {
            "messages": {
                "envelope": {"title": "One message in its place", "payload": {"$ref": "#/components/schemas/Envelope"}}
            },
            "schemas": {name: _draft_07(schemas[name]) for name in sorted(schemas)},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "httpApiKey", "in": "cookie", "name": "centralino"},
            },
        },
    }


def _draft_07(schema: Json) -> Json:
    """Pydantic writes JSON Schema 2020-12, AsyncAPI reads draft 07: tuples and discriminators are told otherwise."""
    if isinstance(schema, Mapping):
        told = {name: _draft_07(value) for name, value in schema.items()}
        if "prefixItems" in told:
            told["items"] = told.pop("prefixItems")
        discriminator = told.get("discriminator")
        if isinstance(discriminator, Mapping):
            told["discriminator"] = discriminator["propertyName"]
        return told
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_draft_07(each) for each in schema]
    return schema
