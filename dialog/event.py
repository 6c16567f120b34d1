"""What every event of the journal is."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

Speaker = Literal["caller", "agent", "third"]
"""Whose words: utterances are numbered from 0 for each of the three. A third is whoever else is in the call: somebody
outside whom the agent called in, or a supervisor who joined."""


class EventModel(BaseModel):
    """Frozen, and nothing in it that the vocabulary does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _writable(cls, value: object) -> object:
        """Half a surrogate pair, which a bot's JSON may escape, fits no file and no socket: it becomes "?"."""
        if isinstance(value, str):
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        return tuple(map(cls._writable, value)) if isinstance(value, tuple) else value
