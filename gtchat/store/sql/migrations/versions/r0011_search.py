"""Search: the index of messages, which the server fills after the migration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0011"
down_revision = "0010"

#: The program separates words by spaces, and does not leave it to SQLite what a word is: SQLite
#: knows the letters of Unicode 6.1 only.
_CREATE = """
CREATE VIRTUAL TABLE message_index USING fts5 (
    text, tags, content='', columnsize=0,
    tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Z* C*' separators ' '"
)
"""


def upgrade() -> None:
    """Create the index and the table that says how far it is."""
    op.create_table(
        "index_state",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("row", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("erased", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.execute(_CREATE)
