"""Calls, their journals, and the mark of a call erased while it runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From an empty file."""
    op.create_table(
        "calls",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("call_id", sa.String(), nullable=False, unique=True),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("dialled", sa.String(), nullable=False),
        sa.Column("bot", sa.String(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("started_s", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.String(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("recording", sa.String(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_calls_started_s", "calls", ["started_s"])
    op.create_table(
        "records",
        sa.Column("call", sa.Integer(), sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erased",
        sa.Column("call_id", sa.String(), primary_key=True),
        sa.Column("recording", sa.String(), nullable=False),
    )
