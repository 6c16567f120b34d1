"""Who has the floor: the turn-taking machine, as a table.

The machine knows no audio and no clock: whoever drives it (the call's brain) turns frames, texts and replies into
inputs and carries the effects out. A pair the table does not hold changes nothing. A reply is *held* while the
caller has the floor: if the caller turns out to have said nothing it goes on at the phrase that was cut, otherwise
it is dropped and the new turn is asked. The idea of yielding at once and deciding later follows the incremental
processing model of Schlangen & Skantze (2011).
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Who has the floor."""

    OPENING = "opening"  # the bot: its first words, the notices among them, are being made
    ANSWERING = "answering"  # the bot: it thinks, or it speaks
    LISTENING = "listening"  # nobody: the caller is waited for
    HEARING = "hearing"  # the caller speaks
    DECIDING = "deciding"  # the caller has finished; the words are awaited
    LEAVING = "leaving"  # the bot: it says why the call ends now
    ENDED = "ended"


class Input(StrEnum):
    """What can happen."""

    REPLY = "reply"  # the bot's answer is there
    UNSAID = "unsaid"  # there was nothing to go on with
    SPOKEN = "spoken"  # it was said to the end, and the bot now listens
    CLOSED = "closed"  # it was said to the end, and it was the last word
    VOICE = "voice"  # the caller speaks
    PAUSED_OUT = "paused out"  # the caller's silence was long enough
    WORDS = "words"  # the recogniser found words
    NO_WORDS = "no words"  # it found none, or gave up
    KEY = "key"  # a key that does not complete the entry
    KEYS = "keys"  # the key that does, or the wait for one
    HURRIED = "hurried"  # a key, where all that is left to say is that a person comes
    SILENCE = "silence"  # nothing came for as long as the bot waited
    EXPIRED = "expired"  # the call has reached its longest time
    GONE = "gone"  # the caller, or the call, is gone


class Effect(StrEnum):
    """What is to be done, in the order given."""

    ASK = "ask"  # give the turn to the bot
    PLAY = "play"  # say the reply
    HOLD = "hold"  # keep the reply unsaid
    YIELD = "yield"  # fall silent, remember where
    RESUME = "resume"  # go on at the interrupted phrase
    DROP = "drop"  # fall silent for good: the reply is void
    WAIT = "wait"  # start the clock of silence
    FORGET = "forget"  # the running utterance is void
    ANNOUNCE = "announce"  # answer in the bot's place: the longest time is over; what it still makes is void
    CLOSE = "close"  # hang up, or hand over, as the reply said


@dataclass(frozen=True, slots=True)
class Row:
    """Where an input leads, what is done, and why."""

    state: State
    input: Input
    next: State
    effects: tuple[Effect, ...]
    why: str


_S, _I, _E = State, Input, Effect

TABLE: tuple[Row, ...] = (
    Row(_S.OPENING, _I.REPLY, _S.ANSWERING, (_E.PLAY,), "nothing comes before the notices, not even the caller"),
    Row(_S.ANSWERING, _I.REPLY, _S.ANSWERING, (_E.PLAY,), "the bot answers"),
    Row(_S.ANSWERING, _I.SPOKEN, _S.LISTENING, (_E.WAIT,), "it asked; now it is the caller's turn"),
    Row(_S.ANSWERING, _I.UNSAID, _S.LISTENING, (), "only noise: the silence goes on where it was"),
    Row(_S.ANSWERING, _I.CLOSED, _S.ENDED, (_E.CLOSE,), "that was the last word"),
    Row(_S.ANSWERING, _I.VOICE, _S.HEARING, (_E.YIELD,), "barge-in: nobody is talked over"),
    Row(_S.ANSWERING, _I.KEY, _S.LISTENING, (_E.DROP, _E.WAIT), "a key is meant: no need to go on speaking"),
    Row(_S.ANSWERING, _I.KEYS, _S.ANSWERING, (_E.DROP, _E.ASK), "a key can be a whole answer"),
    Row(_S.ANSWERING, _I.HURRIED, _S.ENDED, (_E.DROP, _E.CLOSE), "the caller knows: on to the person"),
    Row(_S.LISTENING, _I.VOICE, _S.HEARING, (), "the caller takes the floor"),
    Row(_S.LISTENING, _I.REPLY, _S.LISTENING, (_E.DROP,), "void: a key was pressed while it was made"),
    Row(_S.LISTENING, _I.KEY, _S.LISTENING, (_E.WAIT,), "an entry has begun: the silence starts over"),
    Row(_S.LISTENING, _I.KEYS, _S.ANSWERING, (_E.ASK,), "the entry is complete"),
    Row(_S.LISTENING, _I.SILENCE, _S.ANSWERING, (_E.ASK,), "the bot has to help on"),
    Row(_S.HEARING, _I.REPLY, _S.HEARING, (_E.HOLD,), "late: the caller speaks again"),
    Row(_S.HEARING, _I.PAUSED_OUT, _S.DECIDING, (), "end of turn"),
    Row(_S.HEARING, _I.KEY, _S.LISTENING, (_E.FORGET, _E.DROP, _E.WAIT), "keys win over voice"),
    Row(_S.HEARING, _I.KEYS, _S.ANSWERING, (_E.FORGET, _E.DROP, _E.ASK), "keys win over voice"),
    Row(_S.HEARING, _I.HURRIED, _S.ENDED, (_E.FORGET, _E.DROP, _E.CLOSE), "keys win over voice"),
    Row(_S.DECIDING, _I.REPLY, _S.DECIDING, (_E.HOLD,), "late: the words decide"),
    Row(_S.DECIDING, _I.VOICE, _S.HEARING, (), "not finished after all: the utterance goes on"),
    Row(_S.DECIDING, _I.WORDS, _S.ANSWERING, (_E.DROP, _E.ASK), "a turn"),
    Row(_S.DECIDING, _I.NO_WORDS, _S.ANSWERING, (_E.RESUME,), "a cough: go on where it was cut"),
    Row(_S.DECIDING, _I.KEY, _S.LISTENING, (_E.FORGET, _E.DROP, _E.WAIT), "keys win over voice"),
    Row(_S.DECIDING, _I.KEYS, _S.ANSWERING, (_E.FORGET, _E.DROP, _E.ASK), "keys win over voice"),
    Row(_S.DECIDING, _I.HURRIED, _S.ENDED, (_E.FORGET, _E.DROP, _E.CLOSE), "keys win over voice"),
    *(
        Row(state, _I.EXPIRED, _S.LEAVING, (_E.FORGET, _E.DROP, _E.ANNOUNCE), "nobody is cut off without a word")
        for state in (_S.ANSWERING, _S.LISTENING, _S.HEARING, _S.DECIDING)
    ),
    Row(_S.LEAVING, _I.REPLY, _S.LEAVING, (_E.PLAY,), "the announcement"),
    Row(_S.LEAVING, _I.CLOSED, _S.ENDED, (_E.CLOSE,), "that was the last word"),
    *(Row(state, _I.GONE, _S.ENDED, (_E.DROP,), "the line is dead") for state in State if state != _S.ENDED),
)

_ROWS = {(row.state, row.input): row for row in TABLE}


def step(state: State, happened: Input) -> tuple[State, tuple[Effect, ...]]:
    """The next state and what is to be done; a pair that the table does not hold changes nothing."""
    row = _ROWS.get((state, happened))
    return (state, ()) if row is None else (row.next, row.effects)


def mermaid() -> str:
    """The table as a diagram, for docs/turns.md (a test compares the two)."""
    lines = ["stateDiagram-v2", "    [*] --> opening"]
    for row in TABLE:
        effects = ", ".join(row.effects)
        lines.append(f"    {row.state} --> {row.next}: {row.input}" + (f" / {effects}" if effects else ""))
    return "\n".join(lines)
