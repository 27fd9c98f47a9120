"""Mutants of nodes, each without something that keeps several nodes on one database in step.

    no-lock-order           locks logs in any order
    no-stale-check          takes what rules have seen for what there is
    sequence                numbers entries by sequences, without a lock of their log
    no-foreign-first        delivers what others have stored behind its own results
    every-start-is-a-start  takes the start of a node for a start of the chat
    bus-only                never looks at what others have stored, and the bus loses everything
    zombie                  goes on when other nodes have given it up
    no-system-lock          writes to the system log without having it locked from the start
    session-lost-anyway     takes a session for lost that was resumed at another node
    no-horizon              indexes messages as if none could still come before them
    no-confirmation         takes no message for arrived that a client read to which it was sent
                            by a call (Message Center, PA1)
    rows-anyhow             delivers rows from a bus whatever it knows of the log (with --bus nats)

`mutants` has them in a table; `python -m tests.stress nodes --nodes 2 --mutant MUTANT` runs one.
What is no fault of order, limits or sessions is left to tests with two stores or two chats.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

#: Seconds between two locks, which gives another node time for one of its own.
GAP = 0.005


def no_lock_order() -> None:
    """Lock the ends of logs one by one, in any order."""
    from gtchat.store.sql.batch_locks import BatchLocks

    def begin_anyhow(self: BatchLocks, database: Any, db: Any) -> Mapping[int, tuple[int, int]]:
        database.begin(db)
        for room_id in random.sample(sorted(self.rooms), len(self.rooms)):
            db.execute("SELECT 1 FROM heads WHERE room_id = %s FOR NO KEY UPDATE", (room_id,))
            time.sleep(GAP)
        return self.take(db)

    BatchLocks.begin = begin_anyhow  # type: ignore[method-assign]


def no_stale_check() -> None:
    """Find nothing stale."""
    from gtchat.store.following import Known

    Known.is_stale = lambda self, room_id, checked: False  # type: ignore[method-assign]


def sequence() -> None:
    """Number the entries of a log by a sequence; its end is not locked, only read."""
    from gtchat.store.sql import batch_locks
    from gtchat.store.sql.log_writer import LogPosition, LogWriter

    class DrawnPosition(LogPosition):
        """A position before the next number of a sequence."""

        draw: Callable[[], int]
        last = 0

        @property
        def seq(self) -> int:
            return self.draw() - 1

        @seq.setter
        def seq(self, seq: int) -> None:
            self.last = seq

    begin, position, write_heads = LogWriter.begin, LogWriter.position, LogWriter.write_heads
    found: dict[int, tuple[int, int]] = {}

    def begin_drawing(self: LogWriter, heads: Mapping[int, tuple[int, int]]) -> None:
        begin(self, {})
        found.clear()
        found.update(heads)

    def drawn_position(self: LogWriter, db: Any, room_id: int) -> LogPosition | None:
        if room_id in found and room_id not in self._positions:
            seq, messages = found[room_id]
            drawn = self._positions[room_id] = DrawnPosition(seq, messages)
            name = f"mutant_{room_id}"
            db.execute(f"CREATE SEQUENCE IF NOT EXISTS {name} START {seq + 1}")
            drawn.draw = lambda: int(db.execute(f"SELECT nextval('{name}')").fetchone()[0])
        return position(self, db, room_id)

    def write_drawn(self: LogWriter, db: Any) -> None:
        for room_id, one in self._positions.items():
            if isinstance(one, DrawnPosition):
                self._positions[room_id] = LogPosition(one.last, one.message_count)
        write_heads(self, db)

    batch_locks._LOCK_HEADS = "SELECT room_id, seq, messages FROM heads WHERE room_id = ANY(%s)"
    LogWriter.begin = begin_drawing  # type: ignore[method-assign]
    LogWriter.position = drawn_position  # type: ignore[method-assign]
    LogWriter.write_heads = write_drawn  # type: ignore[method-assign]


def no_foreign_first() -> None:
    """Deliver foreign entries behind the results of the batch that has read them."""
    from gtchat.store.sql.batch_writer import Outcome
    from gtchat.store.sql.store import SQLStore

    deliver = SQLStore._deliver

    def deliver_late(self: SQLStore, batch: list[Any], outcome: Outcome) -> None:
        foreign, outcome.foreign = outcome.foreign, None
        deliver(self, batch, outcome)
        deliver(self, [], Outcome(foreign=foreign))

    SQLStore._deliver = deliver_late  # type: ignore[method-assign]


def every_start_is_a_start() -> None:
    """Think that no other node is there."""
    from gtchat.store.sql import joining

    join = joining.join

    def join_alone(db: Any, me: int, at: int) -> bool:
        join(db, me, at)
        return True

    joining.join = join_alone


def bus_only() -> None:
    """Neither look nor hear."""
    from gtchat.store.sql.bus import PgBus
    from gtchat.store.sql.catch_ups import CatchUps

    CatchUps._found = lambda self, heads: None  # type: ignore[method-assign]
    PgBus._look = lambda self: None  # type: ignore[method-assign]
    PgBus._take = lambda self, payload: None  # type: ignore[method-assign]


def zombie() -> None:
    """Commit without a row in `nodes`, and take no notice that it is gone."""
    from gtchat.store.sql.heartbeat import Heartbeat
    from gtchat.store.sql.node_life import NodeLife
    from gtchat.store.sql.nodes import NodeExpired
    from gtchat.store.sql.postgres import PostgresDatabase

    begin, beat = PostgresDatabase._begin, Heartbeat.beat

    def begin_anyway(self: PostgresDatabase, *args: Any, **options: Any) -> Any:
        with suppress(NodeExpired):
            return begin(self, *args, **options)

    PostgresDatabase._begin = begin_anyway  # type: ignore[method-assign]
    Heartbeat.beat = lambda self: beat(self) or True  # type: ignore[method-assign]
    NodeLife.lose = lambda self: None  # type: ignore[method-assign]


def no_system_lock() -> None:
    """Lock the system log when something is written to it, without a look at what others wrote."""
    from gtchat.store.sql.batch_locks import BatchLocks

    begin = BatchLocks.begin

    def begin_rest(self: BatchLocks, database: Any, db: Any) -> Mapping[int, tuple[int, int]]:
        self.system = False
        return begin(self, database, db)

    BatchLocks.begin = begin_rest  # type: ignore[method-assign]


def session_lost_anyway() -> None:
    """Store that a session is lost, wherever it is."""
    from gtchat.store.sql import session_ends

    session_lost = session_ends.session_lost
    session_ends.session_lost = lambda db, session, at, node_id=None: session_lost(db, session, at)


def no_horizon() -> None:
    """Index all rows that are visible, behind each batch; rows wait a while for their commit."""
    from gtchat.store.sql import search_horizon, search_index
    from gtchat.store.sql.log_writer import LogWriter
    from gtchat.store.sql.search_horizon import Horizon, Rest

    write_heads = LogWriter.write_heads

    def look(self: Horizon, db: Any) -> Rest:
        self.row = search_horizon._NO_LIMIT
        return Rest.NOTHING

    def write_late(self: LogWriter, db: Any) -> None:
        write_heads(self, db)
        db.execute("SELECT 1")  # what was to be sent is there
        time.sleep(random.choice((0, 20 * GAP)))

    Horizon.look = look  # type: ignore[method-assign]
    LogWriter.write_heads = write_late  # type: ignore[method-assign]
    search_index.DELAY_S = 0.0


def no_confirmation() -> None:
    """Take no notice that clients which are called back have read what they were sent."""
    from gtchat.protocols.base.dialback_client import DialbackClient

    DialbackClient._confirm = lambda self, done, whispers: None  # type: ignore[method-assign]


def rows_anyhow() -> None:
    """Take what the bus carries for what comes next in a log."""
    from gtchat.store.sql import carried_rows, foreign_reader

    def find_anyhow(carried: Any, known: Any, node_id: int) -> Any:
        for room_id in carried.logs.keys() & known.rooms.keys():
            known.rooms[room_id].seq = carried.logs[room_id][0][0] - 1
        return carried_rows.find_fitting(carried, known, node_id)

    foreign_reader.find_fitting = find_anyhow


#: Name -> makes the process one.
NODE_MUTANTS: dict[str, Callable[[], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(no_lock_order, no_stale_check, sequence, no_foreign_first),
        *(every_start_is_a_start, bus_only, zombie, rows_anyhow),
        *(no_system_lock, session_lost_anyway, no_horizon, no_confirmation),
    )
}
