"""The file: opened, brought to today's tables, and shared by calls and people."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from dialog.errors import StoreError

BUSY_MS = 2_000
"""How long SQLite waits for another process's write lock before it says no."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
)


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Whatever a driver or the disk raises becomes `StoreError`: "cannot `doing`: why"."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, CommandError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(f"cannot {doing}: {reason}") from error


class Database:
    """One SQLite file in WAL mode. Reads run side by side; writes of this process queue, others' are waited for.

    Deleted content is overwritten (secure_delete), and `shed` empties the write-ahead log after an erasure, so
    that what was erased is in neither file.
    """

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self._engine = engine
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or make the file (readable by its owner only) and run the migrations. Raises StoreError."""
        with store_errors(f"open {path}"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{path}",
            pool_size=4,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,  # an error that is logged must not quote what callers said
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        database = cls(path, engine)
        try:
            async with database.write(f"open {path}") as connection:
                await connection.run_sync(_upgrade)
        except StoreError:
            await engine.dispose()
            raise
        return database

    @asynccontextmanager
    async def read(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """A connection in one consistent view of the file. Raises StoreError."""
        with store_errors(doing):
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """A connection that holds the write lock from the start; committed at the end. Raises StoreError."""
        with store_errors(doing):
            async with self._writing, self._engine.connect() as connection:
                await connection.execution_options(writes=True)
                async with connection.begin():
                    yield connection

    async def shed(self) -> None:
        """Copy the write-ahead log into the file and cut it to nothing (as far as other readers allow)."""
        with store_errors("empty the write-ahead log"):
            async with self._writing, self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close every connection."""
        with store_errors(f"close {self.path}"):
            await self._engine.dispose()


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # isolation_level None: the driver starts no transaction behind our back, `_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once when another wrote in between,
    # whatever busy_timeout says; so whoever means to write says so at the start.
    if connection.get_isolation_level() == "AUTOCOMMIT":
        return
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
