"""The tables as the newest migration leaves them; a test compares the two."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false
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
    partial: Mapped[bool] = mapped_column(server_default=false())


class RecordRow(Base):
    """One journal record, kept as the JSON it was told in: the journal's own language is its schema."""

    __tablename__ = "records"
    __table_args__ = ({"sqlite_with_rowid": False},)

    call: Mapped[int] = mapped_column(ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]


class ParticipantRow(Base):
    """An agent who was in a call, and may read its record. What people add to a call goes with it."""

    __tablename__ = "participants"
    __table_args__ = ({"sqlite_with_rowid": False},)

    call: Mapped[int] = mapped_column(ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True)
    agent: Mapped[str] = mapped_column(primary_key=True, index=True)
    joined_at: Mapped[str]


class WrapUpRow(Base):
    """How a call ended for an agent, who may have had it twice."""

    __tablename__ = "wrap_ups"

    number: Mapped[int] = mapped_column(primary_key=True)
    call: Mapped[int] = mapped_column(ForeignKey("calls.number", ondelete="CASCADE"), index=True)
    agent: Mapped[str]
    disposition: Mapped[str]
    note: Mapped[str]
    written_at: Mapped[str]


class CallbackRow(Base):
    """A caller to be called back; done when `done_at` is not empty. A call has one open callback at most."""

    __tablename__ = "callbacks"
    __table_args__ = (UniqueConstraint("call", "done_at"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    call: Mapped[int] = mapped_column(ForeignKey("calls.number", ondelete="CASCADE"))
    reason: Mapped[str]
    asked_at: Mapped[str]
    done_at: Mapped[str] = mapped_column(default="")
    done_by: Mapped[str] = mapped_column(default="")


class ErasedRow(Base):
    """A call that was erased while it ran: what it still tells must not be kept. Gone with its `CallEnded`."""

    __tablename__ = "erased"

    call_id: Mapped[str] = mapped_column(primary_key=True)
    recording: Mapped[str]


class UserRow(Base):
    """A person who may sign in. `skills` are names parted by blanks."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    created_s: Mapped[int]
    skills: Mapped[str] = mapped_column(server_default="")


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
