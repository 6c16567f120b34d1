"""Who is who in a recording: which participants are agents of the desk, and who speaks in which stream."""

from collections.abc import Sequence
from dataclasses import dataclass

from dialog.event import Speaker
from voice.settings.siprec import SiprecSettings
from voice.wire.siprec import Metadata


@dataclass(frozen=True, slots=True)
class Cast:
    """`caller` is the address of the first who is no agent, "" where none is told; `agents` are users of the desk;
    `speakers` stand in the order of the streams."""

    caller: str = ""
    agents: tuple[str, ...] = ()
    speakers: tuple[Speaker, ...] = ()


def cast(metadata: Metadata, labels: Sequence[str], settings: SiprecSettings) -> Cast:
    """Read the cast from what a recording client tells of the streams with `labels`.

    Where no agent is known, or only agents are (they call each other), the first stream is the caller's and the others
    are the agent's, so that the two are kept apart in any case.
    """
    users = {person.id: settings.agent(person.aor, person.name) for person in metadata.present}
    people = [metadata.speaker(label) for label in labels]
    ours = [person is not None and bool(users[person.id]) for person in people]
    if all(ours) or not any(ours):
        ours = [index > 0 for index in range(len(labels))]
    calling = people[0] if people and not ours[0] else None
    caller = calling or next((person for person in metadata.present if not users[person.id]), None)
    agents = dict.fromkeys(users[person.id] for person in metadata.present if person is not caller)
    return Cast(
        caller.aor if caller else "",
        tuple(filter(None, agents)),
        tuple("agent" if each else "caller" for each in ours),
    )
