"""Reports of the word filter, which has no account.

Programs of the revision before can go on: they show "word filter" as the reporter.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the rule, and let the reporter be none."""
    with op.batch_alter_table("reports", table_kwargs={"sqlite_autoincrement": True}) as reports:
        reports.add_column(sa.Column("rule", sa.Text, nullable=False, server_default=""))
        reports.alter_column("reporter_id", existing_type=ID, nullable=True)
