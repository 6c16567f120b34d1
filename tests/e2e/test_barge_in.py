"""The caller breaks in: with words, and with a laugh after which the bot goes on at the phrase that was cut.

What the journal claims of the moment is held against what baresip recorded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dialog.events import (
    BargedIn,
    PlaybackEnded,
    PlaybackStarted,
    Record,
    SpeechDiscarded,
    TurnUnderstood,
)
from tests.e2e.callers import laugh, say
from tests.e2e.conversation import Exchange, read_back, word_overlap
from tests.e2e.node import Node, wait_for
from tests.e2e.phones import Baresip
from voice.ports import RATE_HZ, Pcm

pytestmark = pytest.mark.timeout(240)

CLAIM_MS = 60
"""How far the journal's account of what was heard may be off."""
LONG_PHRASE = "You can ask about"
BREAKS_IN_S = 1.3
"""After the phrase began: well inside it."""
FALLS_SILENT_MS = 600
"""From the caller's first sound to the bot's last: the onset is found in 100 ms, and must last 200 ms to be meant."""


@dataclass
class Line:
    """A call of baresip's and its journal so far."""

    node: Node
    phone: Baresip
    call_id: str = ""
    seen: int = 0

    def answered(self) -> Exchange:
        """The records since the last answer, once the next has been heard to its end."""

        def look() -> Exchange | None:
            exchange = Exchange(tuple(self.node.journal(self.call_id)[self.seen :]))
            return exchange if exchange.answered else None

        exchange = wait_for("an answer", look, 40.0)
        self.seen += len(exchange.records)
        return exchange

    def until(self, what: str, holds: Callable[[Record], bool]) -> None:
        wait_for(what, lambda: any(map(holds, self.node.journal(self.call_id)[self.seen :])) or None, 20.0)

    def move_into(self, phrase: str) -> None:
        """Make the next move in the middle of `phrase`."""
        self.until(phrase, lambda r: isinstance(r.event, PlaybackStarted) and r.event.text.startswith(phrase))
        time.sleep(BREAKS_IN_S)
        self.phone.move()


def cut(exchange: Exchange) -> tuple[Record, PlaybackStarted, PlaybackEnded]:
    """Where the cut phrase began, what it was, and how it ended."""
    (ended,) = [r.event for r in exchange.records if isinstance(r.event, PlaybackEnded) and r.event.interrupted]
    (began,) = [
        r for r in exchange.records if isinstance(r.event, PlaybackStarted) and r.event.playback == ended.playback
    ]
    assert isinstance(began.event, PlaybackStarted)
    return began, began.event, ended


def begins_at_ms(sound: Pcm, phrase: Pcm, near_ms: int) -> float:
    """Where in `sound`, within half a second of `near_ms`, the beginning of `phrase` is heard."""
    first = max(0, near_ms - 500) * RATE_HZ // 1000
    region = sound[first : (near_ms + 500) * RATE_HZ // 1000 + phrase.size].astype(np.float64)
    likeness = np.correlate(region, phrase.astype(np.float64), mode="valid")
    return (first + int(likeness.argmax())) * 1000 / RATE_HZ


def silent_from_ms(sound: Pcm, start_ms: float) -> float:
    """Where the sound after `start_ms` stops for at least 200 ms."""
    at = int(start_ms * RATE_HZ / 1000)
    loud = np.flatnonzero(np.abs(sound[at:].astype(np.int32)) > 40)
    gaps = np.flatnonzero(np.diff(loud) > RATE_HZ // 5)
    last = loud[gaps[0]] if gaps.size else loud[-1]
    return (at + int(last)) * 1000 / RATE_HZ


def test_after_a_laugh_the_bot_goes_on_at_the_phrase_and_words_take_the_floor(node: Node, tmp_path: Path) -> None:
    moves = (
        say("Please tell me what you can help with.", "hibari"),
        laugh(),
        say("Can you repeat that, please?", "hibari"),
        say("What are your opening hours?", "hibari"),
        say("Goodbye.", "hibari"),
    )
    phone = Baresip(tmp_path, "barge-in", f"sip:100@127.0.0.1:{node.sip_port}", "PCMU", moves)
    line = Line(node, phone)
    try:
        phone.dial()
        line.call_id = wait_for("the call in the store", lambda: node.call_id("barge-in"), 10.0)
        line.answered()
        phone.move()
        line.move_into(LONG_PHRASE)
        laughed = line.answered()
        phone.move()
        line.move_into(LONG_PHRASE)
        line.until("the barge-in", lambda r: isinstance(r.event, BargedIn))
        line.until("the request", lambda r: isinstance(r.event, TurnUnderstood) and r.event.intent == "opening_hours")
        spoken = line.answered()
        phone.move()
        line.answered()
        phone.wait_over()
    except AssertionError as error:
        account = "\n".join(f"{r.at_ms} {r.event}" for r in node.journal(line.call_id))
        raise AssertionError(f"{error}\n{account}") from error
    finally:
        phone.close()
    sound = phone.heard()
    assert sound is not None

    began, phrase, ended = cut(laughed)
    assert any(isinstance(r.event, SpeechDiscarded) for r in laughed.records)
    again = [
        r
        for r in laughed.records
        if isinstance(r.event, PlaybackStarted) and r.event.text == phrase.text and r.seq > began.seq
    ]
    assert len(again) == 1, "the phrase that was cut is said again, once"
    whole = sound[(again[0].at_ms - 40) * RATE_HZ // 1000 :][: 3 * RATE_HZ]
    whole = whole[np.flatnonzero(np.abs(whole.astype(np.int32)) > 40)[0] :]
    first_ms = begins_at_ms(sound, whole[:RATE_HZ], began.at_ms)
    second_ms = begins_at_ms(sound, whole[:RATE_HZ], again[0].at_ms)
    assert abs((second_ms - first_ms) - (again[0].at_ms - began.at_ms)) <= CLAIM_MS
    heard_ms = silent_from_ms(sound, first_ms) - first_ms
    assert abs(heard_ms - ended.played_ms) <= CLAIM_MS, f"{heard_ms:.0f} ms were heard, {ended.played_ms} are claimed"
    assert word_overlap(phrase.text, read_back(sound[int(second_ms - 100) * 16 : int(second_ms + 4_600) * 16])) >= 0.8

    began, phrase, ended = cut(spoken)
    assert BREAKS_IN_S * 1000 - 300 < ended.played_ms < BREAKS_IN_S * 1000 + FALLS_SILENT_MS + 500
    first_ms = begins_at_ms(sound, whole[:RATE_HZ], began.at_ms)
    heard_ms = silent_from_ms(sound, first_ms) - first_ms
    assert abs(heard_ms - ended.played_ms) <= CLAIM_MS, f"{heard_ms:.0f} ms were heard, {ended.played_ms} are claimed"
    assert "eight in the morning" in spoken.reply
    assert not any(isinstance(r.event, PlaybackStarted) and r.event.text == phrase.text for r in spoken.records[-4:])
