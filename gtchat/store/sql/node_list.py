"""The servers that use a database of PostgreSQL, as `gtchat nodes` shows them."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

_NODES = """
SELECT id, name, host, began, loaded, draining, lag,
    extract(epoch FROM expires - clock_timestamp())::float8,
    (SELECT count(*) FROM sessions s WHERE s.node_id = n.id AND s.expires_from IS NULL),
    (SELECT count(*) FROM online o WHERE o.node_id = n.id)
FROM nodes n ORDER BY began, id
"""


@attrs.frozen
class ListedNode:
    """A server.

    Attributes:
        id: its number, another one after each start.
        name: the setting `node`.
        host: the name of its machine.
        since: when it entered, UTC.
        loaded: whether it has loaded the chat.
        draining: whether it is about to stop.
        lag: seconds for which it had missed something of what the others have stored, when it
            prolonged its row last; 0.0 for nothing.
        expires_in: seconds until it is given up if it prolongs its row no more; not positive if it
            has not been ended yet.
        sessions: sessions that are connected.
        online: users who are online there, guests included.
    """

    id: int
    name: str
    host: str
    since: datetime
    loaded: bool
    draining: bool
    lag: float
    expires_in: float
    sessions: int
    online: int

    @classmethod
    def from_row(cls, row: Any) -> ListedNode:
        """Return the node of a row of `_NODES`."""
        node = cls(*row)
        return attrs.evolve(node, since=node.since.astimezone(timezone.utc))


def list_nodes(database: PostgresDatabase) -> list[ListedNode]:
    """Return the servers that use a database, the oldest first.

    Raises:
        StoreError: the database does not answer, or has no chat of this version.
    """
    try:
        with closing(database.open_reader()) as db:
            return [ListedNode.from_row(row) for row in db.execute(_NODES).fetchall()]
    except database.errors as error:
        raise database.refused(error) from error
