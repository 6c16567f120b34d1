"""The tables as the newest migration leaves them; a test compares the two."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The house's tables."""


class CallRow(Base):
    """One call's head. `number` counts calls in order of arrival, so it pages and it keeps the journal narrow."""

    __tablename__ = "calls"
    __table_args__ = (Index("ix_calls_started_s", "started_s"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    call_id: Mapped[str] = mapped_column(unique=True)
    transport: Mapped[str]
    caller: Mapped[str]
    dialled: Mapped[str]
    bot: Mapped[str]
    started_at: Mapped[str]
    started_s: Mapped[int]
    ended_at: Mapped[str] = mapped_column(default="")
    duration_ms: Mapped[int] = mapped_column(default=0)
    cause: Mapped[str] = mapped_column(default="")
    recording: Mapped[str]


class RecordRow(Base):
    """One journal record, kept as the JSON it was told in: the journal's own language is its schema."""

    __tablename__ = "records"
    __table_args__ = ({"sqlite_with_rowid": False},)

    call: Mapped[int] = mapped_column(ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]


class ErasedRow(Base):
    """A call that was erased while it ran: what it still tells must not be kept. Gone with its `CallEnded`."""

    __tablename__ = "erased"

    call_id: Mapped[str] = mapped_column(primary_key=True)
    recording: Mapped[str]


class UserRow(Base):
    """A person who may sign in."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    created_s: Mapped[int]


class SessionRow(Base):
    """A signed-in browser. Only the hash of its id is kept: a stolen file opens no door."""

    __tablename__ = "sessions"

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name", ondelete="CASCADE"), index=True)
    opened_s: Mapped[int]
    seen_s: Mapped[int]


class TokenRow(Base):
    """A program's key to the API, in a user's name; hashed like a session's id."""

    __tablename__ = "tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name", ondelete="CASCADE"), index=True)
    label: Mapped[str]
    created_s: Mapped[int]


class KeyRow(Base):
    """A key this node made for itself, by purpose."""

    __tablename__ = "keys"

    purpose: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[bytes]
