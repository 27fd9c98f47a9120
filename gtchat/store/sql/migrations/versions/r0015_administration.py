"""Administration: the operator mark, login links, reserved names, the audit log.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column to `accounts`, and the tables."""
    mark = sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("accounts", mark)
    op.create_table(
        "login_links",
        _account(),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reserved_names",
        sa.Column("key", sa.Text, nullable=False),
        _account(),
        sa.Column("skeleton", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_index("reserved_names_account", "reserved_names", ["account_id"])
    op.create_index("reserved_names_skeleton", "reserved_names", ["skeleton"])
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_at", "audit", ["at"])
    op.create_index("audit_who", "audit", ["who", "id"])
    has_subject = sa.text("subject != ''")
    op.create_index(
        "audit_subject",
        "audit",
        ["subject", "id"],
        sqlite_where=has_subject,
        postgresql_where=has_subject,
    )


def _account() -> sa.Column[int]:
    key = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    return sa.Column("account_id", ID, key, nullable=False, autoincrement=False)
