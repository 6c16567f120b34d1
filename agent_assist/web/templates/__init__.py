"""HTML by Jinja: everything escaped, nothing undefined."""

from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def clock(ms: int) -> str:
    """A moment of a call: 1:05, or 1:02:03 past an hour."""
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def words(name: str) -> str:
    """An identifier as words: "caller_hung_up" is "caller hung up"."""
    return name.replace("_", " ").replace(".", " ")


def ending(cause: str) -> str:
    """Why a call ended, in words."""
    return f"{cause} hung up" if cause in ("caller", "agent", "bot") else words(cause)


_environment.filters["clock"] = clock
_environment.filters["ending"] = ending
_environment.filters["words"] = words


def page(name: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: object) -> HTMLResponse:
    """The template `name` filled with `values`."""
    return HTMLResponse(_environment.get_template(name).render(**values), status_code=status, headers=headers)
