"""What is read of mentions: the list of messages that mention an account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
from sqlalchemy import bindparam, literal_column, select, union_all

from gtchat.chat.events import MessageSent
from gtchat.chat.mentions import MentionsPage
from gtchat.chat.rooms import LOBBY
from gtchat.store.paging import MAX_SEQ, READ_ROWS, event_bytes, window
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.message_changes import SQLMessages, seen_by
from gtchat.store.sql.statements import Statement

_mentions = schema.mentions
_accounts = schema.accounts
_members = schema.members
_directs = schema.directs
_rooms = schema.rooms
_blocks = schema.blocks

_rows = (
    select(_mentions.c.row, _mentions.c.account_id, _mentions.c.room_id, _mentions.c.seq)
    .where(_mentions.c.row < bindparam("before"))
    .order_by(_mentions.c.row.desc())
    .limit(bindparam("limit"))
)
_OF_ACCOUNT = Statement(_rows.where(_mentions.c.account_id == bindparam("account")))
_OF_ALL = Statement(_rows.where(_mentions.c.account_id.is_(None)))
#: The rooms of an account and their names, since which entry and which time it is a member.
_ROOMS = Statement(
    union_all(
        select(_rooms.c.id, _rooms.c.name, _members.c.joined_seq, literal_column("0"))
        .join_from(_members, _rooms, _rooms.c.id == _members.c.room_id)
        .where(_members.c.account_id == bindparam("account")),
        select(_rooms.c.id, _rooms.c.name, literal_column("0"), _accounts.c.created_at).where(
            _rooms.c.key == LOBBY, _accounts.c.id == bindparam("account")
        ),
    )
)
#: A direct conversation of an account, as `_ROOMS` has a room: without a name.
_DIRECT = Statement(
    select(literal_column("''"), literal_column("0"), literal_column("0")).where(
        _directs.c.account_id == bindparam("account"), _directs.c.room_id == bindparam("room")
    )
)
_BLOCKED = Statement(
    select(_accounts.c.id, _accounts.c.name)
    .join_from(_blocks, _accounts, _accounts.c.id == _blocks.c.blocked_id)
    .where(_blocks.c.account_id == bindparam("account"))
)


@attrs.frozen
class _Mention:
    """A row of `mentions`."""

    row: int
    account_id: int | None
    room_id: int
    seq: int


def page(db: Connection, account_id: int, before: int | None, limit: int) -> MentionsPage:
    """Return messages that mention an account; see `IMentionStore.mentions`."""
    position = MAX_SEQ if before is None else before
    scans = [
        [_Mention(*row) for row in statement(db, before=position, limit=READ_ROWS, **account)]
        for statement, account in ((_OF_ACCOUNT, {"account": account_id}), (_OF_ALL, {}))
    ]
    # Behind the end of a scan that is full, there may be more.
    end = max((scan[-1].row for scan in scans if len(scan) == READ_ROWS), default=0)
    rows = sorted(
        (row for scan in scans for row in scan if row.row >= end), key=lambda one: -one.row
    )
    found = _messages(db, account_id, rows)
    taken, more = window(found, iter(()), limit, lambda one: event_bytes(one[1]))
    taken.reverse()
    entries = [
        entry for row, message in taken for entry in seen_by(db, row.room_id, [message], account_id)
    ]
    return MentionsPage(tuple(entries), taken[-1][0].row if more else end or None)


def _messages(
    db: Connection, account_id: int, rows: list[_Mention]
) -> Iterator[tuple[_Mention, MessageSent]]:
    """Yield the messages of mentions that an account may see, each once."""
    rooms = {row[0]: row[1:] for row in _ROOMS(db, account=account_id)}
    blocked: Mapping[int, str] = dict(_BLOCKED(db, account=account_id).fetchall())
    names = frozenset(blocked.values())
    done: set[tuple[int, int]] = set()
    for row in rows:
        if row.account_id is not None and row.room_id not in rooms:
            rooms[row.room_id] = _DIRECT(db, account=account_id, room=row.room_id).fetchone()
        room = rooms.get(row.room_id)
        if room is None or (row.room_id, row.seq) in done:
            continue
        name, joined_seq, created_at = room
        message = SQLMessages(db, row.room_id, name).find(row.seq)
        if message is None or message.subject_id == account_id:
            continue
        if row.account_id is None and (row.seq <= joined_seq or message.at < created_at):
            continue
        is_blocked = (
            message.usr in names if message.subject_id is None else message.subject_id in blocked
        )
        if not is_blocked:
            done.add((row.room_id, row.seq))
            yield row, message
