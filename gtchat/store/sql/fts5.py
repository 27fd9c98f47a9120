"""The index of messages in SQLite: a table of FTS5, which Core does not know.

`message_index` has no texts (`content=''`), only words: what was written for a message has to be
given again to take it out. Source: SQLite's documentation of FTS5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import cast

from gtchat.chat.search_query import SearchTerm
from gtchat.store.sql.database import Connection
from gtchat.store.sql.search_words import IndexedWords

#: Makes the table. The program separates words by spaces, and does not leave it to SQLite what a
#: word is: SQLite knows the letters of Unicode 6.1 only.
CREATE = """
CREATE VIRTUAL TABLE message_index USING fts5 (
    text, tags, content='', columnsize=0,
    tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Z* C*' separators ' '"
)
"""
#: Pages that are merged in one transaction.
MERGE_PAGES = 64

# What a statement fills, and the values of one row.
_INSERT = ("INSERT INTO message_index (rowid, text, tags)", "(?, ?, ?)")
_DELETE = (
    "INSERT INTO message_index (message_index, rowid, text, tags)",
    "('delete', ?, ?, ?)",
)
_DELETE_ALL = "INSERT INTO message_index (message_index) VALUES ('delete-all')"
_MERGE = "INSERT INTO message_index (message_index, rank) VALUES ('merge', ?)"


def insert(db: Connection, rows: Sequence[IndexedWords]) -> None:
    """Put messages into the index, at most `search_index.SLICE`."""
    _execute(db, _INSERT, rows)


def delete(db: Connection, rows: Sequence[IndexedWords]) -> None:
    """Take messages out of the index; they stay in its files until they are merged."""
    _execute(db, _DELETE, rows)


def clear(db: Connection) -> None:
    """Empty the index."""
    db.execute(_DELETE_ALL)


def merge(db: Connection, begin: bool) -> bool:
    """Merge a part of the index into one segment: what was taken out is not copied.

    Args:
        db: the writer's connection.
        begin: whether this is the first part.

    Returns:
        Whether that was the last part. Source: "The 'merge' Command".
    """
    counted = cast(sqlite3.Connection, db)
    before = counted.total_changes
    db.execute(_MERGE, (-MERGE_PAGES if begin else MERGE_PAGES,))
    return not begin and counted.total_changes - before < 2


def _execute(db: Connection, what: tuple[str, str], rows: Sequence[IndexedWords]) -> None:
    """Write rows to the index.

    They are one statement: before one that writes several rows FTS5 writes the words that it has
    in memory as a segment of its own, which has to be merged with the others later. With statements
    of up to 128 rows the index took a quarter more time.
    """
    if rows:
        size = 1 << (len(rows) - 1).bit_length()
        values: list[int | str | None] = [value for row in rows for value in row]
        values += [None] * (3 * size - len(values))
        db.execute(_statement(what, size), values)


@cache
def _statement(what: tuple[str, str], size: int) -> str:
    """Return the statement for so many rows, of which those that are NULL are left out.

    Args:
        what: as in `_execute`.
        size: a power of two, so that there are few statements in the driver's cache.
    """
    target, row = what
    if size == 1:  # makes FTS5 write nothing before it: edits in one transaction share a segment
        return f"{target} VALUES {row}"
    return f"{target} SELECT * FROM (VALUES {', '.join([row] * size)}) WHERE column2 IS NOT NULL"


def phrase(term: SearchTerm) -> str:
    """Return a phrase in the language of FTS5 (section 3). Words have no quotation marks."""
    return f'text : "{" ".join(term.words)}"{" *" if term.prefix else ""}'


def any_tag(tags: Sequence[str]) -> str:
    """Return a condition that is met by messages with any of some tags."""
    return f"tags : ({' OR '.join(tags)})"
