"""The moderation of rooms as it is stored, and the last messages in slow mode.

It is a value of `Moderation` as JSON in the row of the room, NULL where nothing is moderated: the
state that entries give is made by the function that makes it in memory, and rooms are loaded with
one query. Its size is bounded by the limits of roles, mutes and bans.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, delete, select, update

from gtchat.chat.interfaces import PendingEntry, PendingRoomChange
from gtchat.chat.moderation import UNMODERATED, Moderation
from gtchat.store.pending import check_slow
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_rooms = schema.rooms
_spoken = schema.spoken
_of_room = select(_rooms.c.moderation).where(_rooms.c.id == bindparam("room"))
_FIND = Statement(_of_room)
#: Waits for another node that changes it: an account is renamed without the lock of the log.
_FIND_TO_CHANGE = Statement(_of_room.with_for_update(key_share=True))
_SAVE = Statement(
    update(_rooms).where(_rooms.c.id == bindparam("room")).values(moderation=bindparam("value"))
)
#: Rooms whose moderation has some digits, as it has those of the ids of accounts.
_WITH_DIGITS = Statement(
    select(_rooms.c.id, _rooms.c.moderation)
    .where(_rooms.c.moderation.is_not(None), _rooms.c.moderation.like(bindparam("pattern")))
    .order_by(_rooms.c.id)
)
_LAST = Statement(
    select(_spoken.c.at).where(
        _spoken.c.room_id == bindparam("room"), _spoken.c.account_id == bindparam("account")
    )
)
_new_spoken = insert(_spoken)
_SPOKE = Statement(
    _new_spoken.on_conflict_do_update(
        index_elements=["room_id", "account_id"], set_={"at": _new_spoken.excluded.at}
    ),
    columns=("room_id", "account_id", "at"),
)
_FORGET_SPOKEN = Statement(delete(_spoken).where(_spoken.c.room_id == bindparam("room")))

_decode = msgspec.json.Decoder(Moderation).decode


def decode(stored: str | None) -> Moderation:
    """Return the moderation of a row."""
    return UNMODERATED if stored is None else _decode(stored)


def _save(db: Connection, room_id: int, moderation: Moderation) -> None:
    value = None if moderation == UNMODERATED else msgspec.json.encode(moderation).decode()
    _SAVE(db, room=room_id, value=value)


def fold(db: Connection, pending: PendingRoomChange) -> None:
    """Change the moderation of a room as an entry says, in the transaction that stores it."""
    before = decode(_FIND.scalar(db, room=pending.room_id))
    after = before.fold(pending.entry)
    if after is not before:
        stored = decode(_FIND_TO_CHANGE.scalar(db, room=pending.room_id))
        _save(db, pending.room_id, stored.fold(pending.entry))
    if before.slow and not after.slow:
        _FORGET_SPOKEN(db, room=pending.room_id)


def rename(db: Connection, account_id: int, name: str) -> None:
    """Change the name of an account wherever a moderation has it."""
    for room_id, stored in _WITH_DIGITS(db, pattern=f"%{account_id}%").fetchall():
        before = decode(stored)
        if before.renamed(account_id, name) is not before:
            found = decode(_FIND_TO_CHANGE.scalar(db, room=room_id))
            _save(db, room_id, found.renamed(account_id, name))


def check_last(db: Connection, pending: PendingEntry) -> None:
    """Check slow mode, and take note of a message; see `PendingEntry.slow`.

    Raises:
        SlowMode.
    """
    room_id, account_id = pending.room_id, pending.subject_id
    check_slow(pending, _LAST.scalar(db, room=room_id, account=account_id))
    _SPOKE(db, room_id=room_id, account_id=account_id, at=pending.entry.at)
