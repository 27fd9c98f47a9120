"""The index of messages for searches, written in the idle time of the writer.

The table is that of `fts5` or of `tsvector`. Both have the words of a message and its tags, which
come from Python: it alone decides what is a word. `index_state` says up to which row of `entries`
messages are in the index; it is written in the transaction that indexes them. Later messages are
read from `entries` when it is their turn, so a change of them touches no index.

Of several nodes one indexes at a time: it has the row of `index_state` locked. A transaction that
changes messages has a share of that lock, so that none of them is indexed while it decides whether
it is in the index. SQLite has one writer, and no such locks.

The sums of what messages take (`storage`) follow the index, in the same transactions;
`index_state` says how far they are, too.

Nodes may be of several versions of the program or of Unicode (`SEARCH_FORM`) for a while. The
newest one makes the index anew, once, and the others leave it to that one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import attrs
from sqlalchemy import bindparam, func, select, update
from twisted.logger import Logger

from gtchat.chat.events import MessageSent
from gtchat.chat.normalization import SEARCH_FORM, search_form
from gtchat.chat.storage_store import utf8_size
from gtchat.store.sql import fts5, schema, storage, tsvector
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.search_horizon import Horizon, Rest
from gtchat.store.sql.search_words import IndexedMessage, IndexedWords, tags
from gtchat.store.sql.statements import Statement, insert

#: Rows of `entries` that are read in one transaction. With 8,000 the cost of a message was higher.
SLICE = 1000
#: Seconds without further messages after which those that wait are indexed together.
DELAY_S = 0.2
#: How long, and how many, they wait while further ones come. A search has those indexed first.
MAX_DELAY_S, MAX_WAITING = 30.0, 100_000
#: Seconds after which a deleted text leaves the files of the index, with all that were deleted.
MERGE_DELAY_S = 1800.0
#: Seconds without progress after which an index of a newer version is made anew by an older one.
TAKE_OVER_S = 600.0
#: How often to look in vain for what other nodes are about to end, before a pause of `DELAY_S`.
LOOKS = 3

_log = schema.entries
_state = schema.index_state
_new_state = insert(_state)
_read_state = select(_state.c.row, _state.c.version, _state.c.erased, _state.c.counted)
_STATE = Statement(_read_state)
_SHARED_STATE = Statement(_read_state.with_for_update(read=True))
_LOCKED_STATE = Statement(_read_state.with_for_update(skip_locked=True))
_CREATE_STATE = Statement(
    _new_state.on_conflict_do_nothing(), columns=("id", "row", "version", "erased")
)
_SET_STATE = Statement(
    _new_state.on_conflict_do_update(
        index_elements=["id"],
        set_={"row": _new_state.excluded.row, "version": _new_state.excluded.version},
    ),
    columns=("id", "row", "version", "erased"),
)
_ADD_ERASED = Statement(update(_state).values(erased=_state.c.erased + bindparam("count")))
_NEXT = Statement(
    select(_log.c.row, _log.c.room_id, _log.c.usr, _log.c.msg, _log.c.kind)
    .where(_log.c.row > bindparam("after"), _log.c.row <= bindparam("last"))
    .order_by(_log.c.row)
    .limit(bindparam("limit"))
)
_FIND = Statement(
    select(_log.c.row, _log.c.room_id, _log.c.usr, _log.c.msg, _log.c.subject_id).where(
        _log.c.room_id == bindparam("room"), _log.c.seq == bindparam("number")
    )
)
_OLDEST = Statement(
    select(
        _log.c.seq,
        _log.c.kind,
        _log.c.subject_id,
        _log.c.row,
        _log.c.room_id,
        _log.c.usr,
        _log.c.msg,
    )
    .where(_log.c.room_id == bindparam("room"))
    .order_by(_log.c.seq)
    .limit(bindparam("limit"))
)
_LAST = Statement(select(func.coalesce(func.max(_log.c.row), 0)))


def index_of(db: Connection) -> ModuleType:
    """Return the module of the index that a database has: `fts5` or `tsvector`."""
    return tsvector if isinstance(db, PostgresSQL) else fts5


@attrs.frozen
class IndexState:
    """How far the index is.

    Attributes:
        row: the last row of `entries` that was read.
        version: what made it; see `normalization.SEARCH_FORM`.
        erased: number of texts that were taken out and are still in its files.
        counted: the last row of `entries` that is in the sums of `storage`.
    """

    row: int = 0
    version: str = SEARCH_FORM
    erased: int = 0
    counted: int = 0


def read_state(db: Connection) -> IndexState:
    """Return how far the index is."""
    return _state_of(_STATE(db).fetchone())


def share_state(db: Connection) -> IndexState:
    """Return how far the index is, and keep it there until the transaction ends."""
    return _state_of(_SHARED_STATE(db).fetchone())


def _lock_state(db: Connection) -> IndexState | None:
    """Return how far the index is, for this transaction to change; None if another one does."""
    row = _LOCKED_STATE(db).fetchone()
    if row is not None:
        return _state_of(row)
    is_new = _CREATE_STATE(db, id=1, row=0, version=SEARCH_FORM, erased=0).rowcount == 1
    return IndexState() if is_new else None


def _state_of(row: Any) -> IndexState:
    return IndexState() if row is None else IndexState(*row)


def replace_text(
    db: Connection, room_id: int, seq: int, msg: str, author: str | None = None
) -> None:
    """Put the text that a message is about to get in the place of its present one.

    Args:
        db: the writer's connection, in the transaction that changes the message.
        room_id, seq: the message, as it still is in `entries`.
        msg: its new text, "" if it is deleted.
        author: the name that its author is about to have there, None for the one that is there.
    """
    state = share_state(db)
    row, room, usr, old, account_id = _FIND(db, room=room_id, number=seq).fetchone()
    if row <= state.counted:
        storage.change(db, room_id, {account_id: (0, utf8_size(msg) - utf8_size(old))})
    if row > state.row:
        return
    if state.version != SEARCH_FORM and not isinstance(db, PostgresSQL):
        return  # it is made again; to take a message out, FTS5 needs the words that were put in
    take_out(db, [(row, room, usr, old)])
    index_of(db).insert(db, _words_of([(row, room, usr if author is None else author, msg)]))


def delete_oldest(db: Connection, room_id: int, limit: int) -> None:
    """Take the oldest messages of a room that is deleted out of the index, and out of the sums.

    Args:
        db: the writer's connection, in the transaction that deletes them.
        room_id: the room.
        limit: the messages with the lowest `seq` that is there, up to so many numbers.
    """
    state = share_state(db)
    found = _OLDEST(db, room=room_id, limit=limit).fetchall()
    messages: list[IndexedMessage] = []
    less: dict[int | None, tuple[int, int]] = {}
    for seq, kind, account_id, row, room, usr, msg in found:
        if seq < found[0][0] + limit and kind == MessageSent.kind:
            messages.append((row, room, usr, msg))
            if row <= state.counted:
                count, size = less.get(account_id, (0, 0))
                less[account_id] = count - 1, size - utf8_size(msg)
    storage.change(db, room_id, less)
    take_out(db, [one for one in messages if one[0] <= state.row])


def take_out(db: Connection, messages: Iterable[IndexedMessage]) -> None:
    """Take messages out of the index."""
    rows = _words_of(messages)
    if rows:
        index_of(db).delete(db, rows)
        if not isinstance(db, PostgresSQL):  # it needs no merge, and others share the lock
            _ADD_ERASED(db, count=len(rows))


def begin_again(db: Connection) -> None:
    """Empty the index."""
    _SET_STATE(db, id=1, row=0, version=SEARCH_FORM, erased=0)  # locks it
    index_of(db).clear(db)
    _ADD_ERASED(db, count=-read_state(db).erased)


@attrs.define(eq=False)
class NewerIndex:
    """Notices when no node adds any more to an index that is of a newer version than its own.

    Args:
        seconds: returns monotonic seconds.
    """

    _seconds: Callable[[], float]
    #: How far the index was at the first look at which it was no further, and when that was.
    _row: int | None = None
    _since: float = 0.0
    _log = Logger()

    def is_abandoned(self, row: int, last: int) -> bool:
        """Return whether the index has stood still for long.

        Args:
            row: how far it is.
            last: the newest row of `entries`.
        """
        now = self._seconds()
        if self._row is None:
            self._log.info("The index of messages is left to servers of a newer version.")
        if row != self._row or row >= last:
            self._row, self._since = row, now
        return now - self._since >= TAKE_OVER_S


def _is_newer(version: str) -> bool:
    """Return whether an index is of a newer version: that of the program, then that of Unicode."""
    return _order(version) > _order(SEARCH_FORM)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall("[0-9]+", version)))


def add_slice(db: Connection, horizon: Horizon, newer: NewerIndex | None = None) -> Rest:
    """Index the messages of the next `SLICE` rows; return what is left.

    Args:
        db: the writer's connection, in a transaction of its own.
        horizon: up to where to index; it moves on.
        newer: decides on an index of a newer version, None to make it anew.
    """
    state = _lock_state(db)
    if state is None:
        return Rest.LATER
    if state.version != SEARCH_FORM:
        # A server with SQLite is the only one.
        is_left = newer is not None and isinstance(db, PostgresSQL) and _is_newer(state.version)
        if newer is not None and is_left and not newer.is_abandoned(state.row, last_row(db)):
            return Rest.NOTHING
        begin_again(db)
        state = IndexState(counted=state.counted)
    rest = horizon.look(db)
    found = _NEXT(db, after=state.row, last=horizon.row, limit=SLICE).fetchall()
    if found:
        messages = (row for row in found if row[4] == MessageSent.kind)
        index_of(db).insert(db, _words_of(row[:4] for row in messages))
        _SET_STATE(db, id=1, row=found[-1][0], version=SEARCH_FORM, erased=0)
    if len(found) == SLICE:
        return Rest.MORE
    return rest if storage.count_slice(db, state.counted, horizon.row) else Rest.MORE


def last_row(db: Connection) -> int:
    """Return the newest row of `entries`, 0 if there is none."""
    row: int = _LAST.scalar(db)
    return row


def _words_of(messages: Iterable[IndexedMessage]) -> list[IndexedWords]:
    """Return the words of the messages that have a text."""
    return [(one[0], search_form(one[3]), tags(*one[1:])) for one in messages if one[3]]


@attrs.define(eq=False)
class Indexer:
    """Indexes messages between the transactions of the writer, and merges the index.

    All methods but `begin` and `has_waiting` are called in the writer's thread.

    Args:
        seconds: returns monotonic seconds.
    """

    _seconds: Callable[[], float] = time.monotonic
    #: When to index the next slice, None while there is nothing to index.
    _index_at: float | None = None
    #: How many jobs of the writer wait for that, and since when.
    _waiting: int = 0
    _since: float = 0.0
    #: When to begin to merge, None while nothing was erased.
    _merge_at: float | None = None
    #: While it merges: how many texts were erased when that began.
    _merged: int | None = None
    #: Seconds to wait before that: none for what the last run of the server has left.
    _merge_delay: float = 0.0
    _horizon: Horizon = attrs.field(factory=Horizon)
    #: How often in a row it has looked in vain.
    _looks: int = 0
    _newer: NewerIndex = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._newer = NewerIndex(self._seconds)

    def begin(self) -> None:
        """Index what the last run, or the last connection, has left, behind the next batch.

        Called in the thread of the writer, or in that of the reactor before there is a batch.
        """
        self._index_at = self._seconds()
        self._horizon = Horizon()

    def has_waiting(self) -> bool:
        """Return whether messages may wait that were stored before. Called in any thread."""
        return self._index_at is not None

    def entries_stored(self, count: int) -> None:
        """Take note that there may be so many new entries.

        While more come than the writer has time for, they wait: a burst is stored first.
        """
        now = self._seconds()
        if self._index_at is None:
            self._waiting, self._since = 0, now
        elif self._index_at <= now:
            return  # it is being indexed
        self._waiting += count
        is_full = self._waiting >= MAX_WAITING
        self._index_at = now if is_full else min(now + DELAY_S, self._since + MAX_DELAY_S)

    def wait(self) -> float | None:
        """Return the seconds until there is something to do, None if there is nothing."""
        times = [at for at in (self._index_at, self._merge_at) if at is not None]
        return max(0.0, min(times) - self._seconds()) if times else None

    def is_due(self) -> bool:
        """Return whether there is something to do now."""
        return self.wait() == 0.0

    def do_slice(self, db: Connection) -> None:
        """Do a part of it, in a transaction of its own."""
        now = self._seconds()
        if self._index_at is not None and self._index_at <= now:
            self.add_waiting(db)
            if self._merge_at is None and read_state(db).erased:
                self._merge_at = now + self._merge_delay
            self._merge_delay = MERGE_DELAY_S
        elif self._merge_at is not None and self._merge_at <= now:
            self._merge_slice(db)

    def add_waiting(self, db: Connection) -> Rest:
        """Index a slice of what waits, also as a job of a search.

        Returns:
            What is left; `LATER` if that waits for transactions which have not ended after some
            looks.
        """
        rest = add_slice(db, self._horizon, self._newer)
        self._looks = self._looks + 1 if rest is Rest.LATER else 0
        is_vain = self._looks >= LOOKS
        if is_vain:
            self._looks = 0
        now = self._seconds()
        self._index_at = None if rest is Rest.NOTHING else now + DELAY_S if is_vain else now
        if rest is Rest.NOTHING:
            return rest
        return Rest.LATER if is_vain else Rest.MORE

    def _merge_slice(self, db: Connection) -> None:
        """Merge a part of the index, which gets rid of what was taken out."""
        begin = self._merged is None
        if self._merged is None:
            self._merged = read_state(db).erased
        if index_of(db).merge(db, begin):
            _ADD_ERASED(db, count=-self._merged)
            self._merged = self._merge_at = None
            self._index_at = self._seconds()  # looks whether more was erased meanwhile

    def merge_part(self, db: Connection) -> bool:
        """Merge a part of the index now, as a job of the writer; return whether there is more."""
        if self._merge_at is None and not read_state(db).erased:
            return False
        self._merge_at = self._seconds()
        self._merge_slice(db)
        return self._merge_at is not None

    def merge(self, db: Connection) -> None:
        """Merge the whole index now, for a job of the writer that no other waits for."""
        self._merge_at = self._seconds()
        while self._merge_at is not None:
            self._merge_slice(db)
