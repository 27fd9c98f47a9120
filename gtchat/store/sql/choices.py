"""What operators have chosen at run time: rows of `meta`."""

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
_DELETE = Statement(delete(_meta).where(_meta.c.key == bindparam("key")))


def load(db: Connection) -> dict[str, str]:
    """Return the choices by name; see `StoredState.choices`."""
    return {key.removeprefix(PREFIX): value for key, value in _LIST(db)}


def choose(db: Connection, name: str, value: str | None) -> None:
    """Keep a choice, or forget it; see `IAdminStore.choose`."""
    if value is None:
        _DELETE(db, key=PREFIX + name)
    else:
        _SET(db, key=PREFIX + name, value=value)
