"""Users, their sessions and tokens, and the key that signs cookies."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From calls alone."""
    op.create_table(
        "users",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_s", sa.Integer(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(), primary_key=True),
        sa.Column("user", sa.String(), sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("opened_s", sa.Integer(), nullable=False),
        sa.Column("seen_s", sa.Integer(), nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.String(), primary_key=True),
        sa.Column("user", sa.String(), sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created_s", sa.Integer(), nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("purpose", sa.String(), primary_key=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
    )
