"""What people add: skills of users, who was in a call, how it ended for them, and whom to call back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From a house without a desk."""
    op.add_column("users", sa.Column("skills", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "participants",
        sa.Column("call", sa.Integer(), sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("agent", sa.String(), primary_key=True, index=True),
        sa.Column("joined_at", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wrap_ups",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("call", sa.Integer(), sa.ForeignKey("calls.number", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("disposition", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("written_at", sa.String(), nullable=False),
    )
    op.create_table(
        "callbacks",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("call", sa.Integer(), sa.ForeignKey("calls.number", ondelete="CASCADE"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_at", sa.String(), nullable=False),
        sa.Column("done_at", sa.String(), nullable=False),
        sa.Column("done_by", sa.String(), nullable=False),
        sa.UniqueConstraint("call", "done_at"),
        sqlite_autoincrement=True,
    )
