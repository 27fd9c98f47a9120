"""The index of messages in PostgreSQL: a table with two columns of the type `tsvector`.

PostgreSQL's own parsers are not used: the program says what a word is, on every database alike.
Source: PostgreSQL's documentation, "Text Search Types".
"""

from __future__ import annotations

from collections.abc import Sequence

from gtchat.chat.search_query import SearchTerm
from gtchat.store.sql.database import Connection
from gtchat.store.sql.search_words import IndexedWords

#: Largest number of bytes of a word; PostgreSQL allows 2,046. No query has a longer word: it has at
#: most 500 characters.
MAX_WORD_BYTES = 2_000
#: Largest position of a word that PostgreSQL keeps; later ones would share it.
MAX_POSITION = 16_383

#: Makes the table; it belongs to no revision of SQLite's schema.
CREATE = (
    "CREATE TABLE message_index (row bigint PRIMARY KEY, words tsvector NOT NULL,"
    " tags tsvector NOT NULL)",
    # Without a list of changes that are still to be indexed: it would be searched each time.
    "CREATE INDEX message_index_words ON message_index USING gin (words, tags)"
    " WITH (fastupdate = off)",
)
_INSERT = (
    "INSERT INTO message_index (row, words, tags) SELECT * FROM"
    " unnest(%s::bigint[], %s::tsvector[], %s::tsvector[])"
)
_DELETE = "DELETE FROM message_index WHERE row = ANY(%s::bigint[])"


def insert(db: Connection, rows: Sequence[IndexedWords]) -> None:
    """Put messages into the index."""
    if rows:
        numbers = [row for row, _, _ in rows]
        words = [_vector(text) for _, text, _ in rows]
        db.execute(_INSERT, (numbers, words, [_vector(tags) for _, _, tags in rows]))


def delete(db: Connection, rows: Sequence[IndexedWords]) -> None:
    """Take messages out of the index."""
    if rows:
        db.execute(_DELETE, ([row for row, _, _ in rows],))


def clear(db: Connection) -> None:
    """Empty the index, at once: a DELETE of millions of rows takes longer than a statement may."""
    db.execute("TRUNCATE message_index")


def merge(db: Connection, begin: bool) -> bool:
    """Do nothing: PostgreSQL's autovacuum removes what was taken out."""
    return True


def _vector(text: str) -> str:
    """Return the `tsvector` of words that have spaces between them."""
    positions: dict[str, list[str]] = {}
    for position, word in enumerate(text.split()[:MAX_POSITION], 1):
        positions.setdefault(word, []).append(str(position))
    return " ".join(f"{_quoted(word)}:{','.join(at)}" for word, at in positions.items())


def _quoted(word: str) -> str:
    encoded = word.encode()
    if len(encoded) > MAX_WORD_BYTES:
        word = encoded[:MAX_WORD_BYTES].decode(errors="ignore")
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def phrase(term: SearchTerm) -> str:
    """Return a phrase as a `tsquery`."""
    words = [_quoted(word) for word in term.words]
    if term.prefix:
        words[-1] += ":*"
    return f"({' <-> '.join(words)})"


def any_tag(tags: Sequence[str]) -> str:
    """Return a `tsquery` that is met by messages with any of some tags."""
    return f"({' | '.join(map(_quoted, tags))})"
