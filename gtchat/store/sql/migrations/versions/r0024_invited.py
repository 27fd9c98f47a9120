"""Which accounts have still to join the rooms of their invitation.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the column to `accounts`."""
    op.add_column("accounts", sa.Column("invite_id", sa.BigInteger))
