"""Whether something of a call is missing in its recording."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From a house whose recordings ended where the disk was full."""
    op.add_column("calls", sa.Column("partial", sa.Boolean(), nullable=False, server_default=sa.false()))
