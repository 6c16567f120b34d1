"""An agent's stream: numbered without a hole, resumed without a double, and bounded for whoever reads it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_assist.desk.feed import KEPT_S, READERS, AgentFeeds, FeedEnd, FeedReader
from agent_assist.desk.messages import CallLeft, Envelope, Me, QueueLine, Snapshot
from agent_assist.desk.ports import Presence
from tests.agent_assist.conftest import Clock


class Told:
    """A desk that tells one thing after another; its screen shows all it told."""

    def __init__(self, feeds: AgentFeeds) -> None:
        self.told: list[str] = []
        self.doors: list[str] = []
        self._feeds = feeds
        feeds.serve(self)

    def tell(self, agent: str = "anna") -> None:
        self.told.append(str(len(self.told)))
        self._feeds.tell(agent, CallLeft(call_id=self.told[-1], why="caller"))

    def arrive(self, agent: str, skills: Sequence[str], *, supervisor: bool = False) -> None:
        self.doors.append(f"{agent} in, to supervise" if supervisor else f"{agent} in")
        self.tell(agent)

    def depart(self, agent: str) -> None:
        self.doors.append(f"{agent} out")
        self.tell(agent)

    def snapshot(self, agent: str) -> Snapshot:
        lines = tuple(QueueLine(call_id=each, reason="", skill="", waited_s=0) for each in self.told)
        return Snapshot(me=Me(agent=agent, presence=Presence.AWAY, audio=False), queue=lines)


class Page:
    """What a page makes of the stream: it must end up with all that was told, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.after = ""
        self.snapshots = 0
        self.reader: FeedReader | None = None
        self._envelopes: AsyncIterator[Envelope] | None = None

    def open(self, feeds: AgentFeeds) -> None:
        self.reader = feeds.open("anna", ("billing",), self.after)
        self._envelopes = aiter(self.reader)

    def cut(self, feeds: AgentFeeds) -> None:
        if self.reader is not None:
            feeds.close(self.reader)
        self.reader = None

    async def read(self, *, lost: bool = False) -> bool:
        """One envelope, if one is there; `lost` leaves the socket and never arrives."""
        assert self._envelopes is not None
        reading = asyncio.ensure_future(anext(self._envelopes, None))
        for _ in range(3):
            await asyncio.sleep(0)
        if not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
            self._envelopes = aiter(self.reader) if self.reader else None
            return False
        envelope = await reading
        if envelope is None:
            return False
        if not lost:
            self._take(envelope)
        return True

    def _take(self, envelope: Envelope) -> None:
        run, _, seq = self.after.partition(".")
        if isinstance(envelope.message, Snapshot):
            self.snapshots += 1
            self.seen = [line.call_id for line in envelope.message.queue]
        else:
            assert (envelope.run, envelope.seq) == (run, int(seq) + 1)
            assert isinstance(envelope.message, CallLeft)
            self.seen.append(envelope.message.call_id)
        self.after = f"{envelope.run}.{envelope.seq}"


STEPS = st.lists(st.sampled_from(("tell", "read", "read", "lose", "cut", "open", "restart")), max_size=60)


@given(STEPS)
def test_a_page_that_is_cut_at_random_sees_everything_once(steps: list[str]) -> None:
    async def play() -> None:
        feeds = AgentFeeds(log=6)
        desk, page = Told(feeds), Page()
        for step in [*steps, "open"]:
            if step == "tell":
                desk.tell()
            elif step == "cut":
                page.cut(feeds)
            elif step == "restart":
                page.cut(feeds)
                feeds = AgentFeeds(log=6)
                desk = Told(feeds)
            elif step == "open" and (page.reader is None or page.reader.end is not None):
                page.cut(feeds)
                page.open(feeds)
            elif step == "read" and page.reader is not None:
                await page.read()
            elif step == "lose" and page.reader is not None:
                await page.read(lost=True)
                page.cut(feeds)
        while await page.read() or (page.reader is not None and page.reader.end is FeedEnd.LAGGED):
            if page.reader is not None and page.reader.end is not None:
                page.cut(feeds)
                page.open(feeds)
        assert page.seen == desk.told

    asyncio.run(play())


@pytest.fixture
def feeds(clock: Clock) -> AgentFeeds:
    return AgentFeeds(log=6, clock=clock)


@pytest.fixture
def desk(feeds: AgentFeeds) -> Told:
    return Told(feeds)


@pytest.mark.parametrize("told", range(10))
async def test_an_absence_needs_a_snapshot_only_past_the_log(feeds: AgentFeeds, desk: Told, told: int) -> None:
    page, other = Page(), Page()
    other.open(feeds)  # so that neither arrival nor departure is told
    page.open(feeds)
    await page.read()
    page.cut(feeds)
    for _ in range(told):
        desk.tell()
    page.open(feeds)
    while await page.read():
        pass
    assert (page.seen, page.snapshots) == (desk.told, 1 + (told > 6))


@pytest.mark.parametrize(
    "after",
    ["", "x", ".", "1", "RUN.", "RUN.-1", "RUN.1e0", "RUN.99", "RUN.٣", "RUN. 1", "other.1", "RUN.1.1", "9" * 5000],
)
async def test_what_names_no_place_gets_a_snapshot(feeds: AgentFeeds, desk: Told, after: str) -> None:
    page = Page()
    page.open(feeds)
    await page.read()
    page.cut(feeds)
    page.after = after.replace("RUN", page.after.partition(".")[0])
    page.open(feeds)
    await page.read()
    assert page.snapshots == 2


async def test_a_reader_behind_the_log_is_cut_and_no_other(feeds: AgentFeeds, desk: Told) -> None:
    slow, quick = Page(), Page()
    slow.open(feeds)
    quick.open(feeds)
    for _ in range(8):
        desk.tell()
        await quick.read()
    while await quick.read():
        pass
    assert slow.reader is not None
    assert slow.reader.end is FeedEnd.LAGGED
    assert quick.seen == desk.told
    # It comes back.
    slow.cut(feeds)
    slow.open(feeds)
    await slow.read()
    assert slow.seen == desk.told


async def test_of_too_many_pages_the_oldest_is_cut(feeds: AgentFeeds, desk: Told) -> None:
    pages = [Page() for _ in range(READERS + 1)]
    for page in pages:
        page.open(feeds)
    assert [page.reader.end if page.reader else None for page in pages] == [FeedEnd.REPLACED] + [None] * READERS
    assert desk.doors == ["anna in"]


async def test_the_first_page_is_an_arrival_and_the_last_a_departure(feeds: AgentFeeds, desk: Told) -> None:
    one, two = Page(), Page()
    one.open(feeds)
    two.open(feeds)
    one.cut(feeds)
    assert desk.doors == ["anna in"]
    reader = two.reader
    assert reader is not None
    two.cut(feeds)
    feeds.close(reader)
    assert desk.doors == ["anna in", "anna out"]
    feeds.open("bert", ())
    feeds.open("sue", (), supervisor=True)
    assert desk.doors[2:] == ["bert in", "sue in, to supervise"]


async def test_a_stream_that_nobody_reads_is_forgotten_and_its_numbers_with_it(
    feeds: AgentFeeds, desk: Told, clock: Clock
) -> None:
    page = Page()
    page.open(feeds)
    await page.read()
    page.cut(feeds)
    clock.now_s += KEPT_S + 1
    desk.tell()
    before = page.after
    page.open(feeds)
    await page.read()
    assert page.snapshots == 2
    assert page.after.partition(".")[0] != before.partition(".")[0]
    assert page.seen == desk.told


async def test_who_has_no_page_is_told_nothing(feeds: AgentFeeds, desk: Told) -> None:
    desk.tell("stranger")
    page = Page()
    page.open(feeds)
    await page.read()
    assert page.after.endswith(".1")  # what `arrive` told, and nothing of the stranger's
