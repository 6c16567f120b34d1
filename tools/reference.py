"""Write the references in docs/ from what they describe: `python -m tools.reference`.

A test compares the files with what this makes, so the reference is never older than the code.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup, TyperOption

from agent_assist.web.asyncapi import asyncapi
from dialog.events import PII_FIELDS, Event
from voice.cli import app
from voice.config import Settings

DOCS = Path(__file__).parents[1] / "docs"

_CONFIGURATION_HEAD = """# Configuration

One file, `centralino.toml` in the working folder, or the one `--config` names. The environment beats the file
(`CENTRALINO_SIP__PORT=5070`), and `--set sip.port=5070` beats both. An unknown key stops the start with its path.
Secrets come from the environment, or from a file where a setting names one; in `centralino.toml` they are refused.

Nothing listens beyond this machine until a setting names an address.

```toml
# centralino.toml: take calls from one trunk, and browsers on the office network
[sip]
host = "192.0.2.10"
peers = ["192.0.2.50", "198.51.100.0/24"]

[web]
host = "192.0.2.10"

[bots]
"echo" = "echo"
"*" = "helpdesk"
```
"""

_EVENTS_HEAD = """# Events

What a call's journal is made of; version 1. Each line of a journal is a record: `call_id`, `seq` (from 0, without a
hole), `at_ms` (audio time since the call began) and one of the events below. Store, metrics, live transcript and the
latency ledger are told from the journal alone.

"""

_COMMANDS_HEAD = """# Commands

`centralino COMMAND --help` says the same. Errors are one line that names the thing and the remedy; exit code 1 is an
error, 2 is wrong usage.
"""


def _doc(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").split())


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return ""
    if isinstance(value, (str, int, bool, tuple, dict)):
        text = str([str(item) for item in value] if isinstance(value, tuple) else value)
        return f"`{text.lower() if isinstance(value, bool) else text}`" if text else ""
    return f"`{value}`" if str(value).strip("*") else ""


def configuration() -> str:
    """The whole of docs/configuration.md."""
    parts = [_CONFIGURATION_HEAD]
    for section, field in Settings.model_fields.items():
        model = _model(field.annotation)
        if model is None:
            parts.append(f"## {section}\n\n{_doc(Settings).partition('. ')[2]} Default: {_default(field)}\n")
            continue
        parts.append(f"## {section}\n\n{_section(model)}")
        for name, item in model.model_fields.items():
            if below := _model(item.annotation):
                parts.append(f"### {section}.{name}\n\n{_section(below)}")
            parts += [
                f"### {section}.{name}.NAME\n\n{_section(each)}"
                for each in map(_model, get_args(item.annotation))
                if each
            ]
    return "\n".join(parts)


def _model(annotation: object) -> type[BaseModel] | None:
    """The section that a setting is, if it is one."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _section(model: type[BaseModel]) -> str:
    fields = {name: item for name, item in model.model_fields.items() if _model(item.annotation) is None}
    if not fields:
        return f"{_doc(model)}\n"
    rows = [f"| `{name}` | {_default(item)} | {item.description or ''} |" for name, item in fields.items()]
    return f"{_doc(model)}\n\n| key | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def events() -> str:
    """The whole of docs/events.md."""
    parts = [_EVENTS_HEAD]
    for model in get_args(Event):
        names = [name for name in model.model_fields if name != "type"]
        fields = ", ".join(f"`{name}`" + (" (personal)" if name in PII_FIELDS else "") for name in names)
        parts.append(f"### {model.model_fields['type'].default}\n\n{_doc(model)}\n\nFields: {fields or 'none'}.\n")
    return "\n".join(parts)


def commands() -> str:
    """The whole of docs/commands.md."""
    parts = [_COMMANDS_HEAD]
    for path, command in _leaves("centralino", typer.main.get_command(app)):
        arguments = [str(p.name).upper() for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if isinstance(p, TyperOption)]
        rows = "".join(f"- `{', '.join(option.opts)}`: {option.help or option.name}\n" for option in options)
        parts.append(f"## {' '.join([path, *arguments])}\n\n{command.help}\n\n{rows}")
    return "\n".join(parts)


def _leaves(path: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperCommand):
        yield path, command
    elif isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from _leaves(f"{path} {name}", below)


def feed() -> str:
    """The whole of docs/asyncapi.json, as a node serves it."""
    return json.dumps(asyncapi(), indent=2) + "\n"


FILES = {"configuration.md": configuration, "events.md": events, "commands.md": commands, "asyncapi.json": feed}

if __name__ == "__main__":
    for name, make in FILES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
