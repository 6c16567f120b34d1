"""The composition root: one node, put together from its settings and taken apart again in the opposite order."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass

import structlog
import uvicorn

from agent_assist.auth.users import Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from agent_assist.store.writer import StoreWriter
from agent_assist.web.app import create_app
from agent_assist.web.guarded_http import uvicorn_options
from agent_assist.web.identity import agent_name
from agent_assist.web.settings import SiteSettings
from agent_assist.webhook import Webhook
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import RasaServer
from dialog.errors import EngineError, StoreError
from dialog.events import EngineFailed
from dialog.journal import Listener
from voice.addresses import check_addresses, taken
from voice.bots import Say, check_engine, open_bots
from voice.browser import BrowserCalls
from voice.calls import Calls
from voice.config import Settings
from voice.data_folder import held
from voice.desk import OpenDesk, open_desk
from voice.exchange import Exchange
from voice.media.plane import MediaPlane
from voice.media.recorder import Recorder
from voice.net.certificate import ensure_certificate, usable_tls
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.sip_agent import SipAgent
from voice.net.whip import Whip
from voice.observe import LoopLag, Metrics
from voice.outbound import Outbound
from voice.platforms import ALLOWANCES, OpenStreams, open_streams
from voice.recording_server import ROWS
from voice.services import Services
from voice.speech.host import SpeechHost
from voice.speech.settings import EngineSettings
from voice.status import CountedAnswers, status_router
from voice.tasks import sole_error
from voice.wire.sip.dialog import bracketed

log = structlog.get_logger("node")

SPARE_ROWS = 8
"""Media rows beyond the calls that are taken: a call that has just ended keeps its row for another tick."""

EXPIRY_S = 3_600
"""How often calls past their time are looked for."""

MARK_PAUSE_S = 5.0
MARK_TRIES = 60
"""The store is asked for five minutes to note that a recording is partial."""


@dataclass(slots=True)
class Node:
    """A node that serves."""

    settings: Settings
    calls: Calls
    speech: SpeechHost
    plane: MediaPlane
    lag: LoopLag
    store: SqlCallStore
    sip: SipAgent
    outbound: Outbound
    web_port: int
    rasa: RasaEngine | None
    first_password: str | None

    @property
    def web_url(self) -> str:
        """Where the pages are."""
        web = self.settings.web
        return f"{web.scheme}://{bracketed(web.host)}:{self.web_port}/"


class _Over(Exception):
    """Leaves the node's task group; never seen outside this module."""


@asynccontextmanager
async def open_node(settings: Settings, say: Say = lambda line: None) -> AsyncIterator[Node]:
    """Build a node and serve until the block is left; then calls are drained and everything is closed.

    `say` is told, line by line, what a person who waits wants to know. Raises ConfigurationError, NotReady,
    ModelMissing or StoreError, each of one line with its remedy.
    """
    raise_open_files(settings.limits.open_files)
    with sole_error():
        try:
            async with asyncio.TaskGroup() as tasks:
                async with AsyncExitStack() as stack:
                    yield await _Builder(settings, say, stack, tasks).build()
                raise _Over  # what is left are endless tasks: the group cancels them
        except* _Over:
            pass


class _Builder:
    """Opens the parts in the order in which they lean on each other; `stack` closes them in the opposite one."""

    def __init__(self, settings: Settings, say: Say, stack: AsyncExitStack, tasks: asyncio.TaskGroup) -> None:
        self._settings = settings
        self._say = say
        self._stack = stack
        self._tasks = tasks
        self._folder = settings.record.folder
        self._recordings = self._folder / "recordings"
        self._listeners: list[Listener] = []
        self._metrics = Metrics()
        self._calls: Calls | None = None

    async def build(self) -> Node:
        """All of it. Sockets open last: whatever a call could wait for is warm by then."""
        settings, stack, tasks = self._settings, self._stack, self._tasks
        check_addresses(settings)
        check_engine(settings.dialog.engine)
        stack.enter_context(held(self._folder))
        database = await Database.open(self._folder / "calls.sqlite")
        stack.push_async_callback(database.close)
        store = await self._open_record(database)
        users = await Users.open(database)
        speech = await self._open_speech()
        self._say("starting the bot")
        people = settings.desk.queue > 0
        bots = await open_bots(settings.dialog, self._folder, tasks, self._engine_failed, self._say, people=people)
        stack.push_async_callback(bots.close)
        await speech.mouth.prepare([*settings.announcements.fixed(), *bots.prompts])
        # each agent may have one more in the call
        agents = 2 * settings.desk.agents + len(settings.sip.phone_users) if settings.desk.queue else 0
        rows = settings.limits.calls * (ROWS if settings.sip.siprec.enabled else 1)
        plane = MediaPlane(
            asyncio.get_running_loop(),
            capacity=rows + agents + SPARE_ROWS,
            cancels_echo=settings.media.cancel_echo,
            dtx=settings.media.dtx,
        )
        plane.start()
        stack.push_async_callback(plane.close)

        lag = LoopLag()
        tasks.create_task(lag.run(), name="loop lag")
        services = Services(
            speech.ears,
            speech.mouth,
            bots.engines,
            self._listeners,
            settings.announcements,
            settings.limits.longest_call_s,
        )
        recorder = self._open_recorder()
        calls = self._calls = Calls(settings.limits, services, recorder, tasks, lag)
        calls.on_partial(lambda call_id: tasks.create_task(_mark_partial(store, call_id), name="partial recording"))
        exchange = Exchange(settings, plane)
        desk = await self._open_desk(calls, plane, database, exchange)
        agent = await exchange.open(self._folder, calls, self._metrics, tasks, stack)
        streams = await open_streams(settings, calls, plane, self._metrics, stack)
        self._listeners.append(streams.calls)

        def amiss() -> list[str]:
            return [*exchange.trunks.down, *(recorder.amiss() if recorder is not None else ())]

        web_port = await self._open_web(calls, plane, store, users, desk, streams, amiss)
        stack.push_async_callback(calls.drain, settings.limits.drain_s)
        stack.callback(agent.drain)
        exchange.trunks.start(tasks)
        stack.push_async_callback(exchange.trunks.close)
        self._expose(calls, plane, speech, bots.server, lag)
        lag.forgive()
        return Node(
            settings=settings,
            calls=calls,
            speech=speech,
            plane=plane,
            lag=lag,
            store=store,
            sip=agent,
            outbound=exchange.outbound,
            web_port=web_port,
            rasa=bots.rasa,
            # last: a password that a failed start swallowed would be shown to nobody
            first_password=await users.first_start(),
        )

    async def _open_record(self, database: Database) -> SqlCallStore:
        settings, tasks = self._settings, self._tasks
        store = SqlCallStore(database, self._recordings)
        await store.close_lost()
        tasks.create_task(_expire(store, settings.record.keep_days), name="expiry")
        writer = StoreWriter(store)
        tasks.create_task(writer.run(), name="store writer")
        self._stack.push_async_callback(writer.close)
        self._metrics.count(
            "centralino_journal_records", "Records by what became of them", "fate", lambda: asdict(writer.counts)
        )
        self._listeners += [writer, self._metrics]
        if settings.webhook.url:
            site = f"{settings.web.scheme}://{settings.web.advertised or settings.web.host}:{settings.web.port}"
            webhook = Webhook(settings.webhook.url, settings.webhook.key(), site)
            tasks.create_task(webhook.run(), name="webhook")
            self._stack.callback(webhook.close)
            self._listeners.append(webhook)
        return store

    async def _open_speech(self) -> SpeechHost:
        self._say("loading speech")
        speech = SpeechHost(EngineSettings(**self._settings.speech.model_dump()))
        self._stack.push_async_callback(speech.close)
        await speech.start()
        return speech

    def _open_recorder(self) -> Recorder | None:
        if not self._settings.record.audio:
            return None
        record = self._settings.record
        recorder = Recorder(self._recordings, record.format, record.pause)
        self._stack.callback(recorder.close)
        metrics = self._metrics
        metrics.count("centralino_recordings", "Recordings ended", "fate", lambda: recorder.ended)
        metrics.gauge("centralino_recorder", "Recordings under way, and faults of the disk", "what", recorder.figures)
        return recorder

    async def _open_desk(
        self, calls: Calls, plane: MediaPlane, database: Database, exchange: Exchange
    ) -> OpenDesk | None:
        settings = self._settings.desk
        if not settings.queue:
            return None
        desk = await open_desk(
            settings, self._folder, database, calls, plane, exchange, self._tasks, self._stack, self._say
        )
        self._listeners += desk.listeners
        self._metrics.gauge("centralino_desk", "Callers and agents at the desk", "what", lambda: desk.host.figures)
        return desk

    async def _open_web(
        self,
        calls: Calls,
        plane: MediaPlane,
        store: SqlCallStore,
        users: Users,
        desk: OpenDesk | None,
        streams: OpenStreams,
        amiss: Callable[[], Iterable[str]],
    ) -> int:
        settings = self._settings
        web = settings.web
        site = SiteSettings(secure=web.secure).with_room(streams.connections)
        browsers = BrowserCalls(settings, calls, plane, self._tasks)
        self._listeners.append(browsers)
        app = create_app(store, users, self._recordings, site, desk.parts if desk else None)
        guard = IceGuard([IceAddress(web.host, web.advertised or "")], servers=web.ice_servers_of("node"))
        told = web.ice_servers_of("pages")
        app.include_router(Whip(browsers, guard, servers=told).router)
        if desk is not None:
            agents = Whip(desk.lines, guard, path="/api/agent/audio", who=agent_name, servers=told)
            app.include_router(agents.router)
        app.include_router(streams.router)
        app.include_router(status_router(self._metrics, calls.obstacle, amiss))
        certificate, key = web.certificate, web.key
        if web.secure and certificate is None:
            certificate, key = ensure_certificate(self._folder, web.host)
        if certificate is not None:
            usable_tls("web", certificate, key)
        refused, dropped = Counter[str](), Counter[str]()
        app.add_middleware(CountedAnswers, refused=refused)
        count = self._metrics.count
        count(
            "centralino_ice_dropped",
            "Datagrams at ICE ports",
            "reason",
            lambda: {str(k): n for k, n in guard.dropped.items()},
        )
        count(
            "centralino_ice_unanswered", "STUN and TURN servers without an answer", "server", lambda: guard.unanswered
        )
        count("centralino_web_refused", "Requests answered with an error", "status", lambda: refused)
        count("centralino_web_dropped", "Connections cut, bytes that are no HTTP", "reason", lambda: dropped)
        listener = _listen(web.host, web.port)
        options = uvicorn_options(site, dropped, ALLOWANCES)
        config = uvicorn.Config(app, ssl_certfile=certificate, ssl_keyfile=key, loop="none", **options)
        server = _WebServer(config)
        serving = self._tasks.create_task(server.serve(sockets=[listener]), name="web")
        port: int = listener.getsockname()[1]

        async def stop() -> None:
            server.should_exit = True
            await serving

        self._stack.push_async_callback(stop)
        return port

    def _expose(
        self, calls: Calls, plane: MediaPlane, speech: SpeechHost, rasa: RasaServer | None, lag: LoopLag
    ) -> None:
        metrics = self._metrics

        def children() -> dict[str, int]:
            return {"speech": speech.describe().restarts} | ({"rasa": rasa.restarts} if rasa is not None else {})

        def late() -> dict[str, float]:
            stats = plane.stats
            return {"p50": stats.lateness_p50_ms, "p99": stats.lateness_p99_ms, "max": stats.lateness_max_ms}

        def left_out() -> dict[str, int]:
            stats = plane.stats
            return {"ticks": stats.skipped, "judgements": stats.unjudged, "frames": plane.left_out}

        metrics.count("centralino_rtp_refused", "Packets that no leg took", "reason", lambda: plane.refused)
        metrics.count("centralino_calls_refused", "Calls not admitted", "reason", lambda: calls.refused)
        metrics.count("centralino_child_restarts", "Children started anew", "child", children)
        metrics.count(
            "centralino_media_left_out", "20 ms steps skipped, left unjudged, and not read in time", "what", left_out
        )
        metrics.gauge("centralino_tick_late_ms", "How late packets left over a minute or so", "quantile", late)
        metrics.gauge("centralino_loop_lag_ms", "Lateness of the event loop", "of", lambda: {"worst": lag()})

    def _engine_failed(self, call_id: str, engine: str, error: EngineError) -> None:
        call = self._calls.get(call_id) if self._calls is not None else None
        if call is not None:
            call.tell(EngineFailed(engine=engine, code=error.code))


class _WebServer(uvicorn.Server):
    """Signals are the node's business: a call must not end because the web side was asked to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def raise_open_files(wanted: int) -> None:
    """Ask the system for `wanted` descriptors; what it grants is enough, or admission finds out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise taken("web", host, port, error) from error
    return listener


async def _mark_partial(store: SqlCallStore, call_id: str) -> None:
    """The disk that failed the recording may be the store's as well: it is asked again for as long as may help."""
    for _ in range(MARK_TRIES):
        try:
            await store.mark_partial(call_id)
        except StoreError as error:
            log.warning("partial recording not marked", call_id=call_id, reason=str(error))
            await asyncio.sleep(MARK_PAUSE_S)
        else:
            return


async def _expire(store: SqlCallStore, keep_days: int) -> None:
    while True:
        try:
            expired = await store.expire(keep_days)
            if expired:
                log.info("calls expired", calls=expired)
        except StoreError as error:
            log.warning("calls not expired", reason=str(error))
        await asyncio.sleep(EXPIRY_S)
