"""Searches for messages in the index (`search_index`), with the rights of an account.

The newest rows are searched first, in windows that grow: where the time of a search ends, the
next one goes on from the last window that was finished.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Collection
from typing import Any, cast

import attrs
from sqlalchemy import and_, bindparam, func, literal, select, union_all

from gtchat.chat.events import AnnotatedMessage, MessageSent
from gtchat.chat.rooms import LOBBY
from gtchat.chat.search_query import (
    FoundMessage,
    MessageSearch,
    SearchPage,
    SearchQuery,
)
from gtchat.store.sql import fts5, schema, tsvector
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.search_index import read_state
from gtchat.store.sql.search_words import LINK_TAG, author_tag, room_tag
from gtchat.store.sql.statements import Statement

#: Rows of `entries` in the first window, and how much larger each further one is.
WINDOW, GROWTH = 200_000, 8
#: The first window in PostgreSQL, which reads all of it for a word that most messages have: its
#: lists of messages with a word are in no order that helps.
POSTGRES_WINDOW = 20_000
#: Up to so many rooms can be named in the query of the index, so that what is said in others costs
#: nothing. That makes most searches slower, as the index has a list of messages for each room: more
#: than a few rooms are named only where others turn out to have much that would match.
NAMED_ROOMS, NAMED_AT_ONCE = 200, 3
#: Instructions of SQLite between two looks at the time, and looks until the rooms are named.
_STEPS, _UNNAMED_LOOKS = 1_000, 40
#: The code of PostgreSQL's error for a statement that took too long.
_CANCELED = "57014"
#: Before and after every time.
_NEVER = 2**62

_log = schema.entries
_rooms = schema.rooms
_members = schema.members
_directs = schema.directs
_other = schema.accounts.alias("other_account")

#: The logs that an account can read.
_LOGS = Statement(
    union_all(
        select(_rooms.c.id).where(_rooms.c.key == literal(LOBBY)),
        select(_members.c.room_id).where(_members.c.account_id == bindparam("account")),
        select(_directs.c.room_id).where(_directs.c.account_id == bindparam("account")),
    )
)
#: A message with its room; in a direct conversation of the account, with the other user.
_MESSAGE = Statement(
    select(_log.c.room_id, _rooms.c.name, func.coalesce(_other.c.name, _directs.c.other), *COLUMNS)
    .select_from(_log)
    .join(_rooms, _rooms.c.id == _log.c.room_id)
    .outerjoin(
        _directs,
        and_(_directs.c.room_id == _log.c.room_id, _directs.c.account_id == bindparam("account")),
    )
    .outerjoin(_other, _other.c.id == _directs.c.other_id)
    .where(_log.c.row == bindparam("found"))
)
# Not in Core: FTS5 and `tsvector`. The rights are part of the statement even where the rooms are
# named in the words, too.
_READABLE = """
AND entries.room_id IN (SELECT rooms.id FROM rooms WHERE rooms.key = :lobby
    UNION ALL SELECT members.room_id FROM members WHERE members.account_id = :account
    UNION ALL SELECT directs.room_id FROM directs WHERE directs.account_id = :account)
AND entries.at >= :after AND entries.at < :before
"""
_FIND = f"""
SELECT found.rowid FROM message_index(:words) AS found
CROSS JOIN entries ON entries.row = found.rowid
WHERE found.rowid BETWEEN :low AND :high {_READABLE}
ORDER BY found.rowid DESC
"""
_FIND_IN_POSTGRES = re.sub(
    r":([a-z]+)\b(?!:)",
    r"%(\1)s",
    f"""
SELECT found.row FROM message_index AS found
JOIN entries ON entries.row = found.row
WHERE found.words @@ CAST(:words AS tsquery) AND found.tags @@ CAST(:tags AS tsquery)
AND found.row BETWEEN :low AND :high {_READABLE}
ORDER BY found.row DESC LIMIT :limit
""",
)


def search(db: Connection, wanted: MessageSearch) -> SearchPage:
    """Return the newest messages that fulfil a query; see `IStore.search`."""
    ends = time.monotonic() + wanted.seconds
    readable = frozenset(log_id for (log_id,) in _LOGS(db, account=wanted.account_id))
    logs = readable if wanted.log_ids is None else readable.intersection(wanted.log_ids)
    if not logs:
        return SearchPage(())
    above = read_state(db).row + 1
    if wanted.before is not None:
        above = min(above, max(wanted.before, 0))
    if isinstance(db, PostgresSQL):
        return _search_in_postgres(db, wanted, logs, above, ends)
    words = _words(wanted.query)
    named: str | None = f"{words} AND {fts5.any_tag(list(map(room_tag, sorted(logs))))}"
    if wanted.log_ids is not None or len(logs) <= NAMED_AT_ONCE:
        words, named = str(named), None
    elif len(logs) > NAMED_ROOMS:
        named = None
    return _Search(cast(sqlite3.Connection, db), wanted, words, named, above, ends).run()


@attrs.define
class _Search:
    """A search that goes on.

    Args:
        db: a connection to read with.
        wanted: what to look for.
        words: the query in the language of FTS5.
        named: the same with the rooms, None if that is no alternative.
        above: the rows from here on are searched.
        ends: when its time is over, in monotonic seconds.
    """

    _db: sqlite3.Connection
    _wanted: MessageSearch
    _words: str
    _named: str | None
    _above: int
    _ends: float
    _looks: int = 0
    _found: list[int] = attrs.field(factory=list)

    def run(self) -> SearchPage:
        """Search window by window, until there is enough, no row is left, or the time is over."""
        window, is_complete = WINDOW, True
        self._db.set_progress_handler(self._is_to_stop, _STEPS)
        try:
            while self._above > 1 and len(self._found) <= self._wanted.limit and is_complete:
                is_complete = not self._is_over() and self._look(max(1, self._above - window))
                window *= GROWTH
        finally:
            self._db.set_progress_handler(None, 0)
        rows, left = self._found[: self._wanted.limit], self._found[self._wanted.limit :]
        before = rows[-1] if left else None if is_complete else self._above
        return SearchPage(
            tuple(_message(self._db, self._wanted.account_id, row) for row in rows),
            before,
            not is_complete and not left,
        )

    def _look(self, low: int) -> bool:
        """Look for messages from the row `low` on; return whether the time has sufficed."""
        try:
            values = _values(self._wanted, low, self._above - 1)
            rows = self._db.execute(_FIND, {"words": self._words, **values})
            for (row,) in rows:
                self._found.append(row)
                self._above = row  # what is newer needs no second look
                if len(self._found) > self._wanted.limit:
                    break
            else:
                self._above = low
            rows.close()
        except sqlite3.OperationalError:
            if self._is_over():
                return False
            if self._named is None or self._looks <= _UNNAMED_LOOKS:
                raise
            self._words, self._named = self._named, None
        return True

    def _is_to_stop(self) -> bool:
        """Return whether to stop the statement, because of the time or to name the rooms."""
        self._looks += 1
        return self._is_over() or (self._named is not None and self._looks > _UNNAMED_LOOKS)

    def _is_over(self) -> bool:
        return time.monotonic() >= self._ends


def _values(wanted: MessageSearch, low: int, high: int) -> dict[str, Any]:
    """Return the values of `_READABLE`, and the rows that are searched."""
    query = wanted.query
    return {
        "low": low,
        "high": high,
        "after": -_NEVER if query.after is None else query.after,
        "before": _NEVER if query.before is None else query.before,
        "lobby": LOBBY,
        "account": wanted.account_id,
    }


def _message(db: Connection, account_id: int, row: int) -> FoundMessage:
    room_id, room_name, other, *columns = _MESSAGE(db, found=row, account=account_id).fetchone()
    message = entry_of(columns, room_name)
    assert isinstance(message, MessageSent), "only messages are indexed"
    if isinstance(message, AnnotatedMessage):
        message = attrs.evolve(message, reactions=())
    return FoundMessage(row, room_id, message, other)


def _words(query: SearchQuery) -> str:
    """Return a query in the language of FTS5 (SQLite's documentation of FTS5, section 3)."""
    parts = [fts5.phrase(term) for term in query.terms]
    parts += [fts5.any_tag(tags) for tags in _tags(query)]
    return " AND ".join(parts)


def _tags(query: SearchQuery) -> list[list[str]]:
    """Return lists of tags: a message has to have one of each list."""
    tags = [[author_tag(key) for key in sorted(query.authors)]] if query.authors else []
    return [*tags, [LINK_TAG]] if query.has_link else tags


def _search_in_postgres(
    db: Connection, wanted: MessageSearch, logs: Collection[int], above: int, ends: float
) -> SearchPage:
    """Search window by window, as `_Search` does.

    Args:
        db: a connection, in a transaction.
        wanted: what to look for.
        logs: where the account may look, as far as it wants to.
        above: the rows before this one are searched.
        ends: when its time is over, in monotonic seconds.
    """
    tags = _tags(wanted.query)
    if wanted.log_ids is not None or len(logs) <= NAMED_ROOMS:
        tags.append([room_tag(log_id) for log_id in sorted(logs)])
    values = {
        "words": " & ".join(map(tsvector.phrase, wanted.query.terms)),
        "tags": " & ".join(map(tsvector.any_tag, tags)),
    }
    statement = _FIND_IN_POSTGRES
    for column in ("words", "tags"):
        if not values[column]:  # an empty query is met by nothing
            statement = statement.replace(
                f"found.{column} @@ CAST(%({column})s AS tsquery)", "true"
            )
    found: list[int] = []
    window, is_complete = POSTGRES_WINDOW, True
    while above > 1 and len(found) <= wanted.limit and is_complete:
        low = max(1, above - window)
        limit = wanted.limit + 1 - len(found)
        bounds = _values(wanted, low, above - 1)
        rows = _look_in_postgres(db, statement, {**values, **bounds, "limit": limit}, ends)
        if rows is None:
            is_complete = False
        else:
            found += rows
            above = low
        window *= GROWTH
    rows, left = found[: wanted.limit], found[wanted.limit :]
    before = rows[-1] if left else None if is_complete else above
    return SearchPage(
        tuple(_message(db, wanted.account_id, row) for row in rows),
        before,
        not is_complete and not left,
    )


def _look_in_postgres(
    db: Connection, statement: str, values: dict[str, Any], ends: float
) -> list[int] | None:
    """Return the rows that are found, the newest first; None if the time has not sufficed."""
    left_ms = int((ends - time.monotonic()) * 1000)
    if left_ms <= 0:
        return None
    db.execute("SAVEPOINT look")
    db.execute(f"SET LOCAL statement_timeout = {left_ms}")
    try:
        found = [row for (row,) in db.execute(statement, values)]
    except Exception as error:
        if getattr(error, "sqlstate", None) != _CANCELED:
            raise
        db.execute("ROLLBACK TO look")
        return None
    db.execute("RELEASE look")
    db.execute("SET LOCAL statement_timeout TO DEFAULT")
    return found
