"""The tables that make a chat, which are copied from one database to another one.

The index of messages and the sums of what they take are not among them: the next server makes them
in its idle time.
"""

from __future__ import annotations

from sqlalchemy import Table

from gtchat.chat.node_records import SYSTEM_ID
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection, PostgresSQL

#: Each after those that it refers to.
TABLES = tuple(
    one
    for one in schema.metadata.sorted_tables
    if one.name not in ("index_state", "account_usage", "room_usage")
)
#: Leaves out PostgreSQL's own rows, which are written with its tables and with each room.
_NOT_COPIED = {
    "meta": "key <> 'min_program'",
    "heads": f"room_id <> {SYSTEM_ID} AND (seq > 0 OR first > 1)",
}
#: The last id that was given, where one was: a sequence has a value of its own before.
_LAST_OF_SEQUENCE = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "


def rows_of(table: Table, condition: str = "") -> str:
    """Return the end of a SELECT of the rows of a table that are copied.

    Args:
        table: one of `TABLES`.
        condition: another one that they meet, "" for none.
    """
    conditions = [one for one in (_NOT_COPIED.get(table.name), condition) if one]
    return f"FROM {table.name}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def count_rows(db: Connection, table: Table, condition: str = "") -> int:
    """Return the number of rows that are copied, or were; see `rows_of`."""
    count: int = db.execute(f"SELECT count(*) {rows_of(table, condition)}").fetchone()[0]
    return count


def last_ids(db: Connection) -> dict[str, int]:
    """Return the last id that each table has given, also where its row was deleted."""
    given = {} if isinstance(db, PostgresSQL) else _given(db)
    found = {}
    for table in TABLES:
        column = table.autoincrement_column
        if column is not None:
            newest = f'SELECT coalesce(max("{column.name}"), 0) FROM {table.name}'
            last: int = db.execute(newest).fetchone()[0]
            if isinstance(db, PostgresSQL):
                sequence = f"SELECT pg_get_serial_sequence('{table.name}', '{column.name}')"
                name = db.execute(sequence).fetchone()[0]
                given[table.name] = db.execute(_LAST_OF_SEQUENCE + name).fetchone()[0]
            found[table.name] = max(last, given.get(table.name, 0))
    return found


def _given(db: Connection) -> dict[str, int]:
    """Return the last ids that SQLite has given."""
    return dict(db.execute("SELECT name, seq FROM sqlite_sequence"))
