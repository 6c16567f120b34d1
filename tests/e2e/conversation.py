"""A spoken conversation: a telephone does a script's turns as a listening caller would, and everything is looked at.

The account of what happened is the node's journal; what the bot said is recognised back from the sound itself.
"""

import difflib
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import soundfile

from dialog.actions import Expect
from dialog.events import (
    CallEnded,
    FinalHeard,
    KeysPressed,
    PlaybackEnded,
    PlaybackStarted,
    Record,
    ReplyGiven,
    SilencePassed,
    TurnTimed,
    TurnUnderstood,
)
from dialog.numbers import normalise
from tests.e2e.node import Node, wait_for
from tests.e2e.phones import Phone
from tests.e2e.scripts import Turn
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import Recogniser
from voice.speech.engines.catalogue import open_recogniser
from voice.speech.settings import EngineSettings

TURN_S = 45.0
"""From what the caller does to the end of the answer; the longest wait is for a silence to be noticed, twice."""
REACTION_S = 0.3
LEAST_OVERLAP = 0.8
SLOWEST_MS = 3_000
_MARGIN_MS = 150
_reader = ThreadPoolExecutor(1, "reader", os.nice, (10,))
"""Reads back what was said. It can wait and a call cannot, so the nodes have the processors first (a thread has its own
niceness, and hands it to those it starts: sched(7))."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the journal says of one turn: what the caller did, and the answer to the end of its sound."""

    records: tuple[Record, ...]

    @property
    def heard(self) -> str:
        """The best reading of what the caller said, or the keys."""
        said = [r.event.readings[0].text for r in self.records if isinstance(r.event, FinalHeard)]
        keyed = [r.event.digits for r in self.records if isinstance(r.event, KeysPressed)]
        return " ".join(said + keyed)

    @property
    def readings(self) -> list[str]:
        """What the caller said, as the best readings have it, then as the second ones: the bot is given both."""
        said = [[reading.text for reading in r.event.readings] for r in self.records if isinstance(r.event, FinalHeard)]
        ranks = max((len(texts) for texts in said), default=1)
        return [" ".join(texts[min(rank, len(texts) - 1)] for texts in said) for rank in range(ranks)]

    @property
    def understood(self) -> TurnUnderstood | None:
        found = [r.event for r in self.records if isinstance(r.event, TurnUnderstood)]
        return found[-1] if found else None

    @property
    def reply(self) -> str:
        return " ".join(r.event.text for r in self.records if isinstance(r.event, ReplyGiven))

    @property
    def timed(self) -> TurnTimed | None:
        found = [r.event for r in self.records if isinstance(r.event, TurnTimed)]
        return found[-1] if found else None

    @property
    def sound_ms(self) -> tuple[int, int]:
        """Call time of the answer's sound."""
        starts = [r.at_ms for r in self.records if isinstance(r.event, PlaybackStarted)]
        ends = [r.at_ms for r in self.records if isinstance(r.event, PlaybackEnded)]
        return (starts[0], ends[-1]) if starts and ends else (0, 0)

    @property
    def answered(self) -> bool:
        """The answer was given, and was heard to its end."""
        given = [i for i, r in enumerate(self.records) if isinstance(r.event, ReplyGiven)]
        if not given:
            return False
        after = [r.event for r in self.records[given[-1] :]]
        if any(isinstance(event, CallEnded) for event in after):
            return True
        texts = {event.playback: event.text for event in after if isinstance(event, PlaybackStarted)}
        said = [
            texts.get(event.playback, "")
            for event in after
            if isinstance(event, PlaybackEnded) and not event.interrupted
        ]
        wanted = after[0]
        return isinstance(wanted, ReplyGiven) and _letters("".join(said)) == _letters(wanted.text)


@dataclass(frozen=True, slots=True)
class Held:
    """A whole conversation. `exchanges[0]` is the greeting, `exchanges[n]` what followed the caller's turn n."""

    call_id: str
    exchanges: tuple[Exchange, ...]
    journal: tuple[Record, ...]
    bot: Pcm
    telephone: Pcm | None

    def __str__(self) -> str:
        return "\n".join(
            f"{r.at_ms:>7} {r.event.type} {r.event.model_dump(exclude={'type'})}"
            for r in self.journal
            if r.event.type != "partial_heard"
        )


def hold(node: Node, phone: Phone, caller: str, turns: Sequence[Turn]) -> Held:
    """Call, do every turn once the bot has finished, check what followed, and end as the script says.

    The first turn that goes wrong ends the call: what follows would answer another question.
    """
    held: list[Exchange] = []
    call_id = ""
    try:
        phone.dial()
        call_id = wait_for("the call in the store", lambda: node.call_id(caller), 20.0)
        seen = 0

        def answer() -> Exchange | None:
            exchange = Exchange(tuple(node.journal(call_id)[seen:]))
            return exchange if exchange.answered else None

        for turn in (None, *turns):
            if turn is not None and not turn.silent:
                time.sleep(REACTION_S)
                phone.move()
            held.append(wait_for(f"the answer to {turn}", answer, TURN_S))
            seen += len(held[-1].records)
            if turn is not None:
                check_turn(turn, held[-1])
        if turns[-1].ends == "hangup":
            phone.wait_over()
        else:
            phone.hang_up()
        wait_for("the end of the call", lambda: _end(node, call_id), 20.0)
        recording = node.recording(call_id)
        wait_for("the recording", lambda: recording.exists() or None, 20.0)
        both, _ = soundfile.read(recording, dtype="int16")
        journal = tuple(node.journal(call_id))
        return Held(call_id, tuple(held), journal, np.ascontiguousarray(both[:, 1]), phone.heard())
    except AssertionError as error:
        journal = tuple(node.journal(call_id)) if call_id else ()
        account = Held(call_id, (), journal, np.zeros(0, np.int16), None)
        raise AssertionError(f"{error}\n{account}") from error
    finally:
        phone.close()


def exchanges(journal: Sequence[Record]) -> list[Exchange]:
    """A whole journal, cut after each answer that was heard to its end."""
    found: list[Exchange] = []
    first = 0
    for end in range(1, len(journal) + 1):
        exchange = Exchange(tuple(journal[first:end]))
        if exchange.answered:
            found.append(exchange)
            first = end
    return found


def check_turn(turn: Turn, exchange: Exchange) -> None:
    """Transcript, intent, action and words of the answer are what the script says."""
    if turn.keys:
        assert exchange.heard == turn.keys
    elif turn.silent:
        assert any(isinstance(r.event, SilencePassed) for r in exchange.records)
    elif turn.intent:
        check_transcript(turn.say, min(exchange.readings, key=lambda heard: _wrong(turn.say, heard)))
    understood = exchange.understood
    assert understood is not None, f"{turn} was not understood"
    if turn.intent:
        assert understood.intent == turn.intent, f"{turn.say!r} was heard as {exchange.heard!r}"
    assert turn.action in understood.actions
    assert turn.matches(exchange.reply), f"{exchange.reply!r} is not {turn.reply!r}"
    timed = exchange.timed
    if turn.say:
        assert timed is not None
        assert 0 < timed.first_audio_ms < SLOWEST_MS, timed


def _wrong(said: str, heard: str) -> int:
    """How many words of `said` are not in `heard`."""
    return len(set(_tokens(said)) - set(_tokens(heard)))


def check_transcript(said: str, heard: str) -> None:
    """Digits exactly; of the other words at most every third may be wrong."""
    wanted, found = _tokens(said), _tokens(heard)
    digits = [token for token in wanted if token.isdigit()]
    assert [token for token in found if token.isdigit()] == digits, f"{said!r} was heard as {heard!r}"
    words = [token for token in wanted if not token.isdigit()]
    same = _in_common(words, [token for token in found if not token.isdigit()])
    assert len(words) - same <= len(words) // 3, f"{said!r} was heard as {heard!r}"


def check_spoken(exchange: Exchange, sound: Pcm) -> float:
    """The answer can be understood from the sound alone; the share of its words that were recognised."""
    start_ms, end_ms = exchange.sound_ms
    piece = sound[max(0, start_ms - _MARGIN_MS) * RATE_HZ // 1000 : (end_ms + _MARGIN_MS) * RATE_HZ // 1000]
    recognised = read_back(piece)
    overlap = word_overlap(exchange.reply, recognised)
    assert overlap >= LEAST_OVERLAP, f"{exchange.reply!r} sounds like {recognised!r} ({overlap:.2f})"
    return overlap


def read_back(pcm: Pcm) -> str:
    """What a recogniser of our own makes of 16 kHz sound."""
    return _reader.submit(_read, pcm).result()


def word_overlap(text: str, recognised: str) -> float:
    """Share of the words of `text` found, in order, in `recognised`; numbers count digit by digit."""
    wanted = _tokens(text)
    return _in_common(wanted, _tokens(recognised)) / max(1, len(wanted))


def _read(pcm: Pcm) -> str:
    stream = _recogniser().open(Expect.FREE)
    try:
        stream.push(pcm)
        return " ".join(h.text for h in stream.final().hypotheses[:1])
    finally:
        stream.close()


@cache
def _recogniser() -> Recogniser:
    return open_recogniser(EngineSettings())


def _end(node: Node, call_id: str) -> CallEnded | None:
    event = node.journal(call_id)[-1].event
    return event if isinstance(event, CallEnded) else None


def _in_common(wanted: Sequence[str], found: Sequence[str]) -> int:
    matcher = difflib.SequenceMatcher(None, wanted, found, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def _tokens(text: str) -> list[str]:
    """Words, and numbers digit by digit however they were written."""
    text = re.sub(r"\bgood[- ]bye?\b", "goodbye", text.lower())
    text = re.sub(r"\bto-(?=day|morrow)", "to", text)
    return re.findall(r"[a-z']+|\d", normalise(text))


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text.lower())
