"""Deleted accounts: what is left to do of them, and their names, which stay reserved.

Programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the table, and take the foreign key from `reserved_names`."""
    op.create_table(
        "deletions",
        sa.Column("account_id", ID, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("erase", sa.Boolean, nullable=False),
        sa.Column("erase_directs", sa.Boolean, nullable=False),
        sa.Column("row", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE reserved_names DROP CONSTRAINT reserved_names_account_id_fkey")
        return
    # SQLite can't take a foreign key from a table.
    for index in ("reserved_names_account", "reserved_names_skeleton"):
        op.drop_index(index, "reserved_names")
    op.rename_table("reserved_names", "reserved_names_before")
    op.create_table(
        "reserved_names",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("skeleton", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.execute(
        'INSERT INTO reserved_names ("key", account_id, skeleton, until)'
        ' SELECT "key", account_id, skeleton, until FROM reserved_names_before'
    )
    op.drop_table("reserved_names_before")
    op.create_index("reserved_names_account", "reserved_names", ["account_id"])
    op.create_index("reserved_names_skeleton", "reserved_names", ["skeleton"])
