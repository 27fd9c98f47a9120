"""What operators have chosen at run time: rows of `meta`; and single values there."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

#: Begins the keys of these rows.
PREFIX = "choice "

_meta = schema.meta
_insert = insert(_meta)
#: The character behind the last one of the prefix ends the range.
_LIST = Statement(
    select(_meta.c.key, _meta.c.value).where(_meta.c.key >= PREFIX, _meta.c.key < "choice!")
)
_SET = Statement(
    _insert.on_conflict_do_update(index_elements=["key"], set_={"value": _insert.excluded.value}),
    columns=("key", "value"),
)
_GET = Statement(select(_meta.c.value).where(_meta.c.key == bindparam("key")))
_DELETE = Statement(delete(_meta).where(_meta.c.key == bindparam("key")))


def load(db: Connection) -> dict[str, str]:
    """Return the choices by name; see `StoredState.choices`."""
    return {key.removeprefix(PREFIX): value for key, value in _LIST(db)}


def choose(db: Connection, name: str, value: str | None) -> None:
    """Keep a choice, or forget it; see `IAdminStore.choose`."""
    set_value(db, PREFIX + name, value)


def value(db: Connection, key: str) -> str | None:
    """Return the value of a row of `meta`, None if there is none."""
    found: str | None = _GET.scalar(db, key=key)
    return found


def set_value(db: Connection, key: str, value: str | None) -> None:
    """Write a row of `meta`; None deletes it."""
    if value is None:
        _DELETE(db, key=key)
    else:
        _SET(db, key=key, value=value)
