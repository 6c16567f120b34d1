"""A real Rasa for the tests of this folder: trained once into a cached folder, served once a test session."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialog.bot.sample import generate
from dialog.engines.rasa_server import RasaServer
from dialog.engines.training import PROJECT, rasa_python, train

CACHE = Path(__file__).parents[2] / ".setup" / "bot"


@pytest.fixture(scope="session")
def model() -> Path:
    """The help desk's model; `NotReady` names the remedy where Rasa's environment is missing."""
    return train(PROJECT, CACHE)


@pytest.fixture(scope="session")
def customers_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The customer base of the shared Rasa."""
    return tmp_path_factory.mktemp("customers") / "customers.sqlite"


@pytest.fixture
def fresh_customers(customers_file: Path) -> Path:
    """The same base as it was generated: what a test before paid or blocked is undone."""
    customers_file.unlink(missing_ok=True)
    generate(customers_file)
    return customers_file


@pytest.fixture(scope="session")
def rasa(model: Path, customers_file: Path) -> Iterator[RasaServer]:
    """One Rasa for all tests that do it no harm, in a thread of its own: it outlives the tests' event loops."""
    server = RasaServer(PROJECT, model, rasa_python(), customers=str(customers_file), people=True)
    up = threading.Event()
    stop: list[asyncio.Task[None]] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        task = asyncio.ensure_future(server.run())
        stop.append(task)
        try:
            await server.wait_up()
        finally:
            up.set()
        await asyncio.wait([task])

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    up.wait()
    yield server
    loop.call_soon_threadsafe(stop[0].cancel)
    thread.join()
    loop.close()
