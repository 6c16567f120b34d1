"""What is said, as lines of text: records become lines, and every line has its speaker."""

from typing import get_args

import pytest
from playwright.async_api import Browser

from dialog.events import (
    Event,
    FinalHeard,
    MachineHeard,
    PartialHeard,
    PlaybackEnded,
    PlaybackStarted,
    Reading,
    Record,
    SpeechStarted,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    CallerPutThrough,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
)
from tests.agent_assist.web.conftest import Site

pytestmark = pytest.mark.timeout(120)

NAMED_LINES = """async (records) => {
    const { BLANK, told } = await import("/static/call/transcript.js");
    const view = document.createElement("transcript-view");
    view.lines = records.reduce(told, BLANK);
    document.body.append(view);
    await view.updateComplete;
    return [...view.renderRoot.querySelectorAll(".line")].map((line) => {
        const [who] = line.querySelectorAll(".who");
        const text = line.textContent.trim();
        return who ? text.replace(who.textContent, `${who.textContent}: `) : text;
    });
}"""

TRANSCRIPT = """async (records) => {
    const { BLANK, told } = await import("/static/call/transcript.js");
    return records.reduce(told, BLANK).map(({ side, text, partial, cut }) => [side, text, partial, cut]);
}"""


def journal(events: list[Event]) -> list[object]:
    """The events as a page is told them."""
    return [Record(call_id="c", seq=n, at_ms=n, event=event).model_dump(mode="json") for n, event in enumerate(events)]


async def test_records_become_lines(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    events: list[Event] = [
        PlaybackStarted(playback=1, text="Hello."),
        SpeechStarted(utterance=1),
        PartialHeard(utterance=1, text="my bal"),
        PlaybackEnded(playback=1, played_ms=10, interrupted=True),
        SpeechStarted(utterance=2),
        FinalHeard(
            utterance=1, readings=(Reading(text="my balance", confidence=1.0),), voice_start_ms=0, voice_end_ms=1
        ),
        FinalHeard(utterance=2, readings=(), voice_start_ms=0, voice_end_ms=1),
        SpeechStarted(utterance=3),
    ]
    assert await page.evaluate(TRANSCRIPT, journal(events)) == [
        ["bot", "Hello.", False, True],
        ["caller", "my balance", False, False],
        ["caller", "…", True, False],
    ]


async def test_machines_are_told_and_cut_nobody_off(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    machines = [MachineHeard(what=what) for what in get_args(MachineHeard.model_fields["what"].annotation)]
    lines = await page.evaluate(TRANSCRIPT, journal([SpeechStarted(utterance=1), *machines]))
    assert lines[0] == ["caller", "…", True, False]
    assert [text for side, text, _, _ in lines[1:] if side == "note" and text] == [
        "An answering machine: after its beep it keeps what is said.",
        "A fax is at the other end.",
        "The line is busy.",
        "The telephone network is busy.",
        "The number cannot be reached.",
    ]


async def test_an_agent_speaks_by_name_and_what_a_transfer_cut_off_is_gone(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)

    def said(utterance: int, text: str) -> FinalHeard:
        readings = (Reading(text=text, confidence=1.0),)
        return FinalHeard(utterance=utterance, readings=readings, voice_start_ms=0, voice_end_ms=1, speaker="agent")

    events: list[Event] = [
        AgentJoined(agent="eve"),
        said(1, "Good morning."),
        SpeechStarted(utterance=1),
        SpeechStarted(utterance=2, speaker="agent"),
        AgentLeft(agent="eve", why="transferred"),
        AgentJoined(agent="gus"),
        said(3, "Hello."),
    ]
    lines = await page.evaluate(TRANSCRIPT, journal(events))
    assert [text for _, text, _, _ in lines] == [
        "eve is in the call.",
        "Good morning.",
        "eve is no longer in the call.",
        "gus is in the call.",
        "Hello.",
    ]
    names = """async (records) => {
        const { BLANK, told } = await import("/static/call/transcript.js");
        const view = document.createElement("transcript-view");
        view.lines = records.reduce(told, BLANK);
        document.body.append(view);
        await view.updateComplete;
        return [...view.renderRoot.querySelectorAll(".agent .who")].map((who) => who.textContent);
    }"""
    assert await page.evaluate(names, journal(events)) == ["eve", "gus"]


async def test_whoever_comes_in_speaks_by_name_or_without_one(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)

    def said(utterance: int) -> FinalHeard:
        readings = (Reading(text="Hello.", confidence=1.0),)
        return FinalHeard(utterance=utterance, readings=readings, voice_start_ms=0, voice_end_ms=1, speaker="third")

    async def told(*events: Event) -> list[str]:
        lines = await page.evaluate(NAMED_LINES, journal(list(events)))
        assert isinstance(lines, list)
        return lines

    assert await told(
        AgentJoined(agent="eve"),
        ThirdCalled(target="555", agent="eve"),
        ThirdJoined(target="555"),
        said(0),
        SupervisionChanged(supervisor="sue", how="join"),
        said(1),
        ThirdLeft(target="555", why="hung_up"),
        said(2),
        SupervisionChanged(supervisor="sue", how="whisper"),
        ThirdLeft(target="112", why="no_answer"),
        CallerPutThrough(target="555", agent="eve"),
    ) == [
        "eve is in the call.",
        "555 is called.",
        "555 is in the call.",
        "555: Hello.",
        "sue is in the call, too.",
        "555 or sue: Hello.",
        "555 is no longer in the call.",
        "sue: Hello.",
        "sue whispers to the agent.",
        "112 was not reached.",
        "The caller is left with 555.",
    ]
    # As a caller's page is told, which knows no names.
    assert await told(ThirdJoined(target=""), said(0), ThirdLeft(target="", why="dropped")) == [
        "Somebody else is in the call.",
        "Somebody else: Hello.",
        "Somebody else is no longer in the call.",
    ]


async def test_who_only_listens_cuts_nobody_off(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    events: list[Event] = [
        PartialHeard(utterance=0, text="what about"),
        SupervisionChanged(supervisor="sue", how="listen"),
        ThirdCalled(target="555", agent="eve"),
    ]
    assert [text for _, text, _, _ in await page.evaluate(TRANSCRIPT, journal(events))] == [
        "what about",
        "sue listens.",
        "555 is called.",
    ]
