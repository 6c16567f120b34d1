"""The panel's modules by themselves: messages become a screen, the stream keeps its order, keys do what they say."""

from pathlib import Path

from playwright.async_api import Browser, Page

from agent_assist.desk.messages import (
    Brief,
    CallChanged,
    CallJoined,
    CallLeft,
    CallView,
    Envelope,
    Me,
    MeChanged,
    Message,
    NotReached,
    Offer,
    Offered,
    OfferWithdrawn,
    QueueChanged,
    QueueLine,
    Recorded,
    Snapshot,
    SupervisedChanged,
    Supervisor,
    Third,
    WrapUp,
    WrapUpDone,
    WrapUpDue,
)
from agent_assist.desk.ports import Presence
from dialog.events import (
    Event,
    FinalHeard,
    PartialHeard,
    Reading,
    Record,
)
from dialog.people_events import (
    AgentJoined,
    CallQueued,
    HandoffRequested,
    NoteWritten,
    Suggestion,
    SuggestionDismissed,
    SuggestionsShown,
    SuggestionTaken,
)
from tests.agent_assist.web.conftest import Site

DOCS = Path(__file__).parents[4] / "docs"

BRIEF = Brief(caller="sip:7@host", transport="sip", bot="helpdesk", reason="a bill", summary="A bill.")
ME = Me(agent="bea", presence=Presence.TALKING, audio=True)


def record(seq: int, event: Event, at_ms: int = 0, call_id: str = "call-1") -> Record:
    return Record(call_id=call_id, seq=seq, at_ms=at_ms, event=event)


def heard(utterance: int, text: str, speaker: str = "caller") -> FinalHeard:
    readings = (Reading(text=text, confidence=1.0),)
    return FinalHeard.model_validate(
        {"utterance": utterance, "readings": readings, "voice_start_ms": 0, "voice_end_ms": 1, "speaker": speaker}
    )


SCREEN = """async ([messages, path]) => {
    const { BLANK, shown } = await import("/static/agent/screen.js");
    const screen = messages.reduce((before, message) => shown(before, message, 100_000), BLANK);
    return path.split(".").reduce((part, name) => part?.[name], screen) ?? null;
}"""


class Screens:
    """A page that folds messages."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def part(self, path: str, *messages: Message) -> object:
        """What stands at `path` of the screen after `messages`."""
        return await self._page.evaluate(SCREEN, [[m.model_dump(mode="json") for m in messages], path])


async def test_messages_become_a_screen(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    screens = Screens(page)
    records = (
        record(0, HandoffRequested(reason="a bill")),
        record(1, CallQueued(position=3)),
        record(2, CallQueued(position=1)),
        record(3, AgentJoined(agent="bea"), 30_000),
        record(4, heard(0, "my bill"), 40_000),
    )
    view = CallView(call_id="call-1", brief=BRIEF, records=records)
    opened = Snapshot(me=ME, call=view)
    # The same record from the snapshot and from the stream is one line; the place in the queue is told once.
    again = [Recorded(record=each) for each in records[3:]]
    late = Recorded(record=record(5, heard(0, "let me see", "agent")))
    lines = await screens.part("call.lines", opened, *again, late)
    assert isinstance(lines, list)
    assert [(line["side"], line["text"]) for line in lines] == [
        ("note", "A person is asked for."),
        ("note", "Waiting for a person, place 1."),
        ("note", "bea is in the call."),
        ("caller", "my bill"),
        ("agent", "let me see"),
    ]
    assert await screens.part("call.since", opened) == 100_000 - 10_000
    assert (
        await screens.part("call.lines.length", opened, Recorded(record=record(9, heard(9, "x"), call_id="other"))) == 4
    )
    note = Recorded(record=record(5, NoteWritten(agent="bea", text="by post")))
    assert await screens.part("call.notes.length", opened, note, note) == 1


async def test_suggestions_are_those_for_the_last_phrase_that_led_to_any(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    screens = Screens(page)
    due, lost = (Suggestion(article=name, title=name, reply=name) for name in ("due", "lost"))
    opened = CallJoined(call=CallView(call_id="call-1", brief=BRIEF, records=(record(0, heard(0, "when is it due")),)))

    def then(*events: Event) -> list[Message]:
        return [opened, *(Recorded(record=record(seq, event)) for seq, event in enumerate(events, 1))]

    both = SuggestionsShown(utterance=0, suggestions=(due, lost))
    assert await screens.part("call.phrase", *then(both)) == "when is it due"
    taken = SuggestionTaken(agent="bea", article="lost", how="spoken")
    assert await screens.part("call.cards.1.used", *then(both, taken)) == "spoken"
    dismissed = SuggestionDismissed(agent="bea", article="due")
    assert await screens.part("call.cards.0.article", *then(both, dismissed)) == "lost"
    nothing = SuggestionsShown(utterance=1, suggestions=())
    assert await screens.part("call.cards.length", *then(both, nothing)) == 2
    other = SuggestionsShown(utterance=1, suggestions=(lost,))
    assert await screens.part("call.cards.length", *then(both, heard(1, "I lost it"), other)) == 1


async def test_an_offer_a_queue_and_a_wrap_up_come_and_go(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    screens = Screens(page)
    offered = Offered(offer=Offer(call_id="call-1", brief=BRIEF, expires_s=12.5))
    assert await screens.part("offer.until", offered) == 112_500
    assert await screens.part("offer.call_id", offered, OfferWithdrawn(call_id="other", why="caller")) == "call-1"
    gone: list[Message] = [offered, OfferWithdrawn(call_id="call-1", why="no_answer")]
    assert await screens.part("offer", *gone) is None
    assert await screens.part("notice", *gone) == "You did not answer in time, so you are away now."
    line = QueueLine(call_id="call-2", reason="a bill", skill="", waited_s=7)
    assert await screens.part("queue.0.since", QueueChanged(queue=(line,))) == 93_000
    said = (record(0, heard(0, "goodbye")), record(1, PartialHeard(utterance=1, text="and")))
    ended: list[Message] = [
        CallJoined(call=CallView(call_id="call-1", brief=BRIEF, records=said)),
        CallLeft(call_id="call-1", why="caller"),
        WrapUpDue(wrap_up=WrapUp(call_id="call-1", brief=BRIEF, dispositions=("solved",))),
    ]
    # What was said stays beside the wrap-up; what was not said to its end does not.
    assert await screens.part("wrapUp.lines.length", *ended) == 1
    assert await screens.part("call", *ended) is None
    assert await screens.part("wrapUp", *ended, WrapUpDone(call_id="call-1")) is None


async def test_how_a_call_stands_is_told_whole_each_time(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    screens = Screens(page)
    third = Third(number="555", joined=True)
    sue = Supervisor(agent="sue", how="join")
    opened = CallJoined(call=CallView(call_id="call-1", brief=BRIEF, records=(), third=third, on_hold=True))
    assert await screens.part("call.third.joined", opened) is True
    assert await screens.part("call.onHold", opened) is True
    lost = CallChanged(call_id="call-1", supervisors=(sue,), trouble="third_hung_up")
    assert await screens.part("call.supervisors.0.how", opened, lost) == "join"
    assert await screens.part("call.third", opened, lost) is None
    assert await screens.part("notice", opened, lost) == "555 hung up."
    assert await screens.part("notice", opened, lost, lost) == "That number hung up."
    later = CallChanged(call_id="call-1", trouble="third_of_a_later_version")
    assert await screens.part("notice", opened, later) == "555 could not be reached: of_a_later_version."
    assert await screens.part("notice", NotReached(number="556", why="no_answer")) == "556 did not answer."


async def test_a_supervised_call_is_of_a_colleague(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    screens = Screens(page)
    view = CallView(call_id="call-1", brief=BRIEF, records=(), supervised="whisper", of="carl")
    opened = Snapshot(me=ME, call=view)
    assert await screens.part("call.of", opened) == "carl"
    changed = SupervisedChanged(call_id="call-1", how="join")
    assert await screens.part("call.supervised", opened, changed) == "join"
    assert await screens.part("call.supervised", opened, SupervisedChanged(call_id="other", how="join")) == "whisper"
    left = CallLeft(call_id="call-1", why="over")
    assert await screens.part("notice", opened, left) == "carl is no longer in that call, and neither are you."


FEED = """async (sent) => {
    const sockets = [];
    globalThis.WebSocket = class { constructor(url) { this.url = String(url); sockets.push(this); } close() {} };
    const { Feed } = await import("/static/agent/feed.js");
    const feed = new Feed();
    const told = [];
    feed.addEventListener("message", ({ detail }) => told.push(detail.me.agent));
    feed.start();
    for (const envelopes of sent) {
        const socket = sockets.at(-1);
        socket.onopen();
        for (const envelope of envelopes) socket.onmessage({ data: JSON.stringify(envelope) });
        socket.onclose({ code: 1006 });
        while (sockets.at(-1) === socket) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    feed.stop();
    return [told, sockets.map(({ url }) => new URL(url).search)];
}"""


async def test_the_stream_is_told_once_and_without_a_hole(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)

    def envelope(run: str, seq: int, *, snapshot: bool = False) -> object:
        me = ME.model_copy(update={"agent": f"{run}{seq}"})
        return Envelope(run=run, seq=seq, message=Snapshot(me=me) if snapshot else MeChanged(me=me)).model_dump(
            mode="json"
        )

    sent = [
        [envelope("a", 4, snapshot=True), envelope("a", 5)],
        [envelope("a", 5), envelope("a", 6)],  # told again, and what follows
        [envelope("a", 8)],  # one is missing
        [envelope("b", 2, snapshot=True), envelope("b", 3)],  # the node began anew
    ]
    told, searches = await page.evaluate(FEED, sent)
    assert told == ["a4", "a5", "a6", "b2", "b3"]
    assert searches == ["", "?after=a.5", "?after=a.6", "", "?after=b.3"]


KEYS = """async () => {
    const { KEYS } = await import("/static/agent/keys.js");
    const { Actions } = await import("/static/agent/actions.js");
    return KEYS.map(({ keys, action }) => [keys, typeof Actions.prototype[action]]);
}"""


async def test_every_key_does_something_and_is_documented(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    told = (DOCS / "agents.md").read_text(encoding="utf-8")
    keys = await page.evaluate(KEYS)
    assert [name for name, kind in keys if kind != "function"] == []
    assert [name for name, _ in keys if f"| `{name}` |" not in told] == []


MARKDOWN = """async (text) => {
    const { markdown } = await import("/static/agent/markdown.js");
    const { LitElement, html } = await import("/static/vendor/lit.min.js");
    class Shown extends LitElement { render() { return html`${markdown(text)}`; } }
    customElements.define("shown-text", Shown);
    const shown = document.body.appendChild(new Shown());
    await shown.updateComplete;
    return shown.renderRoot.innerHTML.replaceAll(/<!--.*?-->/g, "");
}"""


async def test_articles_are_markdown_and_nothing_else(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    text = (
        "## Steps\n\n- one **bold** `code`\n- two\n  goes on\n\n1. first\n\n"
        "See [the site](https://example.org/a) or [this](javascript:alert(1)) *now*. <img src=x onerror=alert(1)>"
    )
    assert await page.evaluate(MARKDOWN, text) == (
        "<h4>Steps</h4><ul><li>one <strong>bold</strong> <code>code</code></li><li>two goes on</li></ul>"
        "<ol><li>first</li></ol><p>See "
        '<a target="_blank" rel="noreferrer" href="https://example.org/a">the site</a>'
        " or [this](javascript:alert(1)) <em>now</em>. &lt;img src=x onerror=alert(1)&gt;</p>"
    )
