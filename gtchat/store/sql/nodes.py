"""The server as a node: its row in a database of PostgreSQL, and the number of its commits.

`nodes` has a row for each server that uses the database, `commits` how many batches each has
committed. The number is changed by the first statement of a batch, under the condition that it is
the one before. So a server finds out whether a commit took place whose answer was lost; it commits
no batch twice; and it commits nothing once its row is gone.
"""

from __future__ import annotations

import os
import secrets
import socket

from gtchat.store.sql.database import Connection

#: Makes the tables; they belong to no revision of SQLite's schema.
CREATE = (
    'CREATE TABLE nodes (id bigint PRIMARY KEY, name text COLLATE "C" NOT NULL,'
    ' url text COLLATE "C" NOT NULL, expires timestamptz NOT NULL)',
    # Half of a page is free: a row that is changed stays in its page, and no index is written.
    "CREATE TABLE commits (node_id bigint PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,"
    " n bigint NOT NULL) WITH (fillfactor = 50)",
)
#: The lock of the server that writes, with the schema that the tables are in: one of a database's
#: users may have several chats in as many schemas. Any number that is always the same.
WRITER_LOCK = f"{0x47544369}, hashtext(current_schema())"
#: Bits of an id. It is a random one: a database that was restored, or a standby that lacks what was
#: committed last, would give a number from a sequence again.
_ID_BITS = 62


class WrittenByAnother(Exception):
    """The database is not as this server has left it."""


class Node:
    """This server among those that use a database.

    Attributes:
        id: its number, None before `enter`.
        name: its name, for operators.
    """

    def __init__(self) -> None:
        self.id: int | None = None
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        #: The last commit, and the last one that waited for the disk.
        self._commits = 0
        self._durable = 0

    def enter(self, db: Connection) -> None:
        """Make the server's row. It does not expire: the lock of the writer says that it lives.

        Args:
            db: a connection outside a transaction, which has the lock.
        """
        made = secrets.randbits(_ID_BITS)
        db.execute(
            "WITH made AS (INSERT INTO nodes (id, name, url, expires)"
            " VALUES (%s, %s, '', 'infinity') RETURNING id)"
            " INSERT INTO commits (node_id, n) SELECT id, 0 FROM made",
            (made, self.name),
        )
        self.id = made

    def find_commits(self, db: Connection) -> int:
        """Read how many batches are committed, and go on from there; return the number.

        An earlier connection may still be within a batch: its end is waited for.

        Raises:
            WrittenByAnother: the database has not what this server has committed.
        """
        row = db.execute(
            "SELECT n FROM commits WHERE node_id = %s FOR UPDATE", (self.id,)
        ).fetchone()
        if row is None:
            raise WrittenByAnother("another server has used it meanwhile: start this one again")
        number: int = row[0]
        if number < self._durable:
            raise WrittenByAnother(
                "it has lost what was committed, as after a failover: start the server again"
            )
        self._commits = number
        return number

    def leave(self, db: Connection) -> None:
        """Delete the server's row: it commits nothing any more."""
        db.execute("DELETE FROM nodes WHERE id = %s", (self.id,))

    @property
    def next_number(self) -> int:
        """The number of the next commit."""
        return self._commits + 1

    def count(self) -> str:
        """Return the first statement of a batch; it changes one row, or the batch must end."""
        return (
            f"UPDATE commits SET n = {self.next_number}"
            f" WHERE node_id = {self.id} AND n = {self._commits}"
        )

    def committed(self, on_disk: bool) -> None:
        """Take note of a commit, and of whether it waited for the disk."""
        self._commits += 1
        if on_disk:
            self._durable = self._commits


def delete_others(db: Connection, node: Node) -> None:
    """Delete the rows of all other servers, which do not live any more."""
    db.execute("DELETE FROM nodes WHERE id IS DISTINCT FROM %s::bigint", (node.id,))
