"""The server as a node: its row in a database of PostgreSQL, and the number of its commits.

`nodes` has a row for each server that uses the database, `commits` how many batches each has
committed. The number is changed by the first statement of a batch, under the condition that it is
the one before. So a server finds out whether a commit took place whose answer was lost; it commits
no batch twice; and it commits nothing once its row is gone.

A row that is not prolonged (`heartbeat`) expires, and another node deletes it (`expiry`).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

from gtchat.store.sql import expiry
from gtchat.store.sql.database import Connection
from gtchat.store.sql.joining import START_S

#: A row to lock: for the log that all nodes follow, and for the index of messages.
FIRST_ROWS = (
    "INSERT INTO heads (room_id, seq, messages, first) VALUES (9223372036854775807, 0, 0, 1)",
    "INSERT INTO index_state (id, row, version, erased) VALUES (1, 0, '', 0)",
)
#: The same for the logs of all rooms, also of those that have no entries.
ADD_HEADS = (
    "INSERT INTO heads (room_id, seq, messages, first) SELECT id, 0, 0, 1 FROM rooms"
    " ON CONFLICT DO NOTHING"
)
#: Makes what belongs to no revision of SQLite's schema.
#:
#: `nodes`: `url` has the URLs at which the server listens (`node_ports`), `host` is the machine,
#: `began` when it entered, `loaded` whether it has loaded the chat, `lag` and `draining` how it
#: stands (`node_standing`). `sessions.node_id`: the node that has the connection or, after its
#: loss, that waits for the guest. `online`: who is online at which node. `system_log`: the log that
#: all nodes follow; `node_id` is the node that wrote the entry.
CREATE = (
    'CREATE TABLE nodes (id bigint PRIMARY KEY, name text COLLATE "C" NOT NULL,'
    ' url text COLLATE "C" NOT NULL, expires timestamptz NOT NULL,'
    " host text COLLATE \"C\" NOT NULL DEFAULT '',"
    " began timestamptz NOT NULL DEFAULT clock_timestamp(),"
    " loaded boolean NOT NULL DEFAULT false,"
    " lag double precision NOT NULL DEFAULT 0, draining boolean NOT NULL DEFAULT false)",
    # Half of a page is free: a row that is changed stays in its page, and no index is written.
    "CREATE TABLE commits (node_id bigint PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,"
    " n bigint NOT NULL) WITH (fillfactor = 50)",
    "ALTER TABLE sessions ADD COLUMN node_id bigint REFERENCES nodes ON DELETE SET NULL",
    "CREATE INDEX sessions_node ON sessions (node_id) WHERE node_id IS NOT NULL",
    "CREATE TABLE online (node_id bigint NOT NULL REFERENCES nodes ON DELETE CASCADE,"
    " account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,"
    " PRIMARY KEY (node_id, account_id))",
    "CREATE INDEX online_account ON online (account_id)",
    "CREATE TABLE system_log (seq bigint PRIMARY KEY, node_id bigint NOT NULL, at bigint NOT NULL,"
    ' kind text COLLATE "C" NOT NULL, body text COLLATE "C" NOT NULL)',
    'CREATE TABLE login_failures (key text COLLATE "C" NOT NULL,'
    ' address text COLLATE "C" NOT NULL, failures int NOT NULL, until bigint NOT NULL,'
    " at bigint NOT NULL, PRIMARY KEY (key, address))",
    *FIRST_ROWS,
)
#: The lock of the servers that write, with the schema that the tables are in: one of a database's
#: users may have several chats in as many schemas. Nodes share it; what writes alone has it alone:
#: servers of before there were several nodes, migrations, commands that need a stopped server. Any
#: number that is always the same.
WRITER_LOCK = f"{0x47544369}, hashtext(current_schema())"
#: Bits of an id. It is a random one: a database that was restored, or a standby that lacks what was
#: committed last, would give a number from a sequence again.
_ID_BITS = 62
#: How long a start waits for the end of a server of the same name on another machine, and how often
#: it looks, in seconds.
NAMESAKE_S, LOOK_S = 8.0, 0.2

_ADD = (
    "WITH made AS (INSERT INTO nodes (id, name, url, host, expires)"
    " VALUES (%s, %s, '', %s, clock_timestamp() + %s * interval '1 s') RETURNING id)"
    " INSERT INTO commits (node_id, n) SELECT id, 0 FROM made"
)
_NAMESAKE = (
    "SELECT host FROM nodes WHERE name = %s AND host <> %s AND expires > clock_timestamp() LIMIT 1"
)
_FORMER = (
    "SELECT id, is_former FROM (SELECT id, expires, coalesce(id = %s, name = %s AND host = %s)"
    " AS is_former FROM nodes WHERE id <> %s) AS others"
    " WHERE is_former OR expires < clock_timestamp() ORDER BY id"
)


class WrittenByAnother(Exception):
    """The database is not as this server has left it."""


class NodeExpired(WrittenByAnother):
    """This server is no node any more: what it has in memory may not be what is stored."""

    def __init__(self) -> None:
        super().__init__("other nodes have given this one up, or it has lost what was committed")


class Node:
    """This server among those that use a database.

    Args:
        name: its name; "" for that of the machine with the number of the process.
        wall: returns the time in seconds since 1970, UTC.

    Attributes:
        id: its number, None before the first `enter`; another one after `renew` and `enter`.
        name: as given.
        host: the name of the machine.
        entered: whether it has a row.
        begun: the number of the last transaction that was begun.
    """

    def __init__(self, name: str = "", wall: Callable[[], float] = time.time) -> None:
        self.id: int | None = None
        self.host = socket.gethostname()
        self.name = name or f"{self.host}:{os.getpid()}"
        self.entered = False
        self.begun = 0
        self._wall = wall
        #: The last commit, and the last one that waited for the disk.
        self._commits = 0
        self._durable = 0

    def enter(self, db: Connection, seconds: float = START_S) -> None:
        """Make the server's row, and end its predecessor and nodes that have expired.

        Its predecessor is the node that it was before `renew`, or else a server of the same name on
        the same machine.

        Args:
            db: a connection outside a transaction.
            seconds: after which the row expires if it is not prolonged.

        Raises:
            WrittenByAnother: a server of the same name lives on another machine.
        """
        former = self.id
        if former is None:
            self._await_namesake(db)
        made = secrets.randbits(_ID_BITS)
        db.execute(_ADD, (made, self.name, self.host, seconds))
        # A node that comes back ends itself only: a server of the same name may be the new one.
        found = db.execute(_FORMER, (former, self.name, self.host, made)).fetchall()
        for gone, is_former in found:
            expiry.expire(db, gone, made, self._now(), forced=is_former)
        self._commits = self._durable = 0
        self.id = made
        self.entered = True

    def _await_namesake(self, db: Connection) -> None:
        """Wait until no server of the same name lives on another machine.

        Raises:
            WrittenByAnother: one does.
        """
        ends = time.monotonic() + NAMESAKE_S
        while row := db.execute(_NAMESAKE, (self.name, self.host)).fetchone():
            if time.monotonic() > ends:
                raise WrittenByAnother(
                    f"a server on {row[0]} has the name {self.name}, too: choose another --node"
                )
            time.sleep(LOOK_S)

    def _now(self) -> int:
        return int(self._wall() * 1000)

    def renew(self) -> None:
        """Have the next connection that writes make another row: this node was given up."""
        self.entered = False

    def find_commits(self, db: Connection) -> int:
        """Read how many batches are committed, and go on from there; return the number.

        An earlier connection may still be within a batch: its end is waited for.

        Raises:
            NodeExpired: the row is gone, or the database has not what this server has committed,
                as after a failover.
        """
        row: Any = db.execute(
            "SELECT n FROM commits WHERE node_id = %s FOR UPDATE", (self.id,)
        ).fetchone()
        if row is None or row[0] < self._durable:
            raise NodeExpired()
        self._commits = int(row[0])
        return self._commits

    def leave(self, db: Connection) -> int | None:
        """Delete the server's row: it commits nothing any more. Others take over its guests.

        Returns:
            The seq of the entry of the system log that tells it, None if there is none.
        """
        if self.id is None:
            return None
        return expiry.expire(db, self.id, None, self._now(), forced=True)

    def count(self) -> str:
        """Return the first statement of a batch; it changes one row, or the batch must end."""
        self.begun = self._commits + 1
        return (
            f"UPDATE commits SET n = {self.begun} WHERE node_id = {self.id} AND n = {self._commits}"
        )

    def committed(self, on_disk: bool) -> None:
        """Take note of a commit, and of whether it waited for the disk."""
        self._commits += 1
        if on_disk:
            self._durable = self._commits


def delete_others(db: Connection, node: Node) -> None:
    """Delete the rows of all other servers, which do not live any more."""
    db.execute("DELETE FROM nodes WHERE id IS DISTINCT FROM %s::bigint", (node.id,))
