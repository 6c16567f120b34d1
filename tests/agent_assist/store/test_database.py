"""Opening the file: migrations, permissions, and files that are not ours."""

import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from agent_assist.store.database import Database
from agent_assist.store.tables import Base
from dialog.errors import StoreError


async def test_migrations_end_at_the_tables_the_code_knows(database: Database) -> None:
    def layout(connection: Connection) -> dict[str, list[str]]:
        names = inspect(connection).get_table_names()
        return {name: [column["name"] for column in inspect(connection).get_columns(name)] for name in names}

    async with database.read("look") as connection:
        found = await connection.run_sync(layout)
    del found["alembic_version"]
    assert found == {name: [c.name for c in table.columns] for name, table in Base.metadata.tables.items()}


async def test_a_second_open_finds_the_tables_there(database: Database) -> None:
    again = await Database.open(database.path)
    await again.close()


async def test_only_the_owner_may_read_the_file(database: Database) -> None:
    files = [database.path, *database.path.parent.glob("*-wal")]
    assert len(files) == 2
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError, match=r"cannot open .*letter\.txt: file is not a database"):
        await Database.open(path)


async def test_a_file_of_a_later_version_is_refused(database: Database) -> None:
    with sqlite3.connect(database.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="9999"):
        await Database.open(database.path)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="cannot open"):
        await Database.open(tmp_path / "taken" / "centralino.db")
