"""Accounts that users or operators delete: how that begins, and what they have said afterwards.

`begin` is the transaction that proves the right to it: from then on the account can do nothing. The
chat ends its memberships, then `direct.end_guest` deletes it as it deletes a temporary account.
What it has said is found by reading all of `entries` once, in slices between the transactions of
the writer; how far that is stands in `deletions`, and is stored with each slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, func, literal_column, or_, select, update

from gtchat.chat.deletion_rules import (
    DELETED_USER,
    FOR_EVER,
    AccountDeletion,
    Erasure,
    forget_author,
)
from gtchat.chat.errors import NoSuchUser
from gtchat.chat.events import Entry, MessageSent, RoomChanged
from gtchat.chat.interfaces import Account, EndedSession
from gtchat.chat.look_alikes import skeleton
from gtchat.store.sql import (
    accounts,
    administration,
    moderation,
    schema,
    search_index,
    session_ends,
)
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.message_changes import SQLMessages
from gtchat.store.sql.statements import Statement, insert

#: Rows of `entries` that are read in one transaction, and how many of them are changed at most.
SLICE, CHANGED = 2000, 100

_accounts = schema.accounts
_deletions = schema.deletions
_directs = schema.directs
_links = schema.invite_links
_log = schema.entries
_phones = schema.phones
_reserved = schema.reserved_names
_rooms = schema.rooms
_side = _directs.alias("own_side")
_target = _log.alias("target")
_of_account = _deletions.c.account_id == bindparam("account")

_BEGIN = Statement(
    insert(_deletions).on_conflict_do_nothing(),
    columns=("account_id", "name", "erase", "erase_directs", "row"),
)
_DISABLE = Statement(
    update(_accounts)
    .where(_accounts.c.id == bindparam("account"))
    .values(password_hash=None, uuid_hash=None, operator=False)
)
_DELETE_PHONE = Statement(delete(_phones).where(_phones.c.account_id == bindparam("account")))
_DELETE_LINKS = Statement(delete(_links).where(_links.c.maker_id == bindparam("account")))
_invitations = schema.invitations
_DELETE_RECEIVED = Statement(
    delete(_invitations).where(_invitations.c.account_id == bindparam("account"))
)
#: Those that did not end with a membership: an owner need not be a member.
_DELETE_SENT = Statement(
    delete(_invitations).where(_invitations.c.inviter_id == bindparam("account"))
)
_KEEP_NAMES = Statement(
    update(_reserved)
    .where(_reserved.c.account_id == bindparam("account"))
    .values(until=bindparam("for_ever"))
)
_UNFINISHED = Statement(
    select(*accounts.COLUMNS)
    .join_from(_deletions, _accounts, _accounts.c.id == _deletions.c.account_id)
    .order_by(_deletions.c.account_id)
)
#: The other sides of its conversations, which show the name that it had when they began.
_RENAME_SIDES = Statement(
    update(_directs)
    .where(
        _directs.c.other_id == bindparam("account"),
        _directs.c.room_id.in_(
            select(_side.c.room_id).where(_side.c.account_id == bindparam("account"))
        ),
    )
    .values(other=bindparam("name"))
)
_END = Statement(
    update(_deletions)
    .where(_of_account)
    .values(until=select(func.coalesce(func.max(_log.c.row), 0)).scalar_subquery())
)
_NEXT = Statement(
    select(
        _deletions.c.account_id,
        _deletions.c.name,
        _deletions.c.erase,
        _deletions.c.erase_directs,
        _deletions.c.row,
    )
    .where(_deletions.c.until.is_not(None))
    .order_by(_deletions.c.account_id)
    .limit(1)
)
_in_slice = (_log.c.row > bindparam("after"), _log.c.row <= bindparam("last"))
_LAST = Statement(
    select(_log.c.row).where(*_in_slice).order_by(_log.c.row).limit(1).offset(bindparam("skipped"))
)
#: Logs that are being deleted are left out. Of a reply the message may have been removed.
_FIND = Statement(
    select(_log.c.row, _log.c.room_id, _log.c.seq, _rooms.c.name, _rooms.c.kind)
    .join_from(_log, _rooms, _rooms.c.id == _log.c.room_id)
    .where(
        *_in_slice,
        or_(
            _log.c.subject_id == bindparam("account"),
            and_(
                _log.c.kind == literal_column(f"'{RoomChanged.kind}'"),
                _log.c.usr == bindparam("name"),
            ),
            and_(
                _log.c.kind == literal_column(f"'{MessageSent.kind}'"),
                _log.c.of.is_not(None),
                ~exists().where(
                    _target.c.room_id == _log.c.room_id,
                    _target.c.seq == _log.c.of,
                    _target.c.subject_id.is_distinct_from(bindparam("account")),
                ),
            ),
        ),
    )
    .order_by(_log.c.row)
    .limit(bindparam("limit"))
)
_ENTRY = Statement(
    select(*COLUMNS).where(_log.c.room_id == bindparam("room"), _log.c.seq == bindparam("number"))
)
_MOVE = Statement(update(_deletions).where(_of_account).values(row=bindparam("done")))
_FINISH = Statement(delete(_deletions).where(_of_account))
#: No other node changes a message of these logs until the transaction ends.
_LOCK_HEADS = "SELECT 1 FROM heads WHERE room_id = ANY(%s) ORDER BY room_id FOR NO KEY UPDATE"


def begin(
    db: Connection,
    account_id: int,
    proved: str | None,
    erasure: Erasure,
    connected: Sequence[EndedSession],
) -> None:
    """Begin to delete an account; see `IAdminStore.begin_deletion`."""
    account = accounts.get(db, account_id)
    session_ends.check_proof(db, account, proved)
    if account is None or not account.registered or accounts.is_ending(db, account_id):
        raise NoSuchUser()
    _BEGIN(
        db,
        account_id=account_id,
        name=account.name,
        erase=erasure.rooms,
        erase_directs=erasure.directs,
        row=0,
    )
    session_ends.end_other_sessions(db, account_id, None, connected)
    for statement in (_DISABLE, _DELETE_PHONE, _DELETE_LINKS, _DELETE_RECEIVED):
        statement(db, account=account_id)
    _KEEP_NAMES(db, account=account_id, for_ever=FOR_EVER)
    name = {"key": account.key, "skeleton": skeleton(account.name)}
    administration.RESERVE(db, account_id=account_id, until=FOR_EVER, **name)


def unfinished(db: Connection) -> list[Account]:
    """Return the accounts that are being deleted; see `IAdminStore.deletions`."""
    return [accounts.from_row(row) for row in _UNFINISHED(db)]


def prepare_end(db: Connection, account_id: int) -> None:
    """Do what has to be done of an account that is being deleted before its row goes."""
    if accounts.is_ending(db, account_id):
        moderation.rename(db, account_id, DELETED_USER)
        _DELETE_SENT(db, account=account_id)
        _RENAME_SIDES(db, account=account_id, name=DELETED_USER)
        _END(db, account=account_id)


def do_slice(db: Connection) -> bool:
    """Change a slice of what deleted accounts have said. Return whether there may be more."""
    row = _NEXT(db).fetchone()
    if row is None:
        return False
    account_id, name, erase, erase_directs, done = row
    deletion = AccountDeletion(account_id, name, Erasure(bool(erase), bool(erase_directs)))
    # A reply has the name that the message had: that of the account also after its end.
    newest = search_index.last_row(db)
    last = _LAST.scalar(db, after=done, last=newest, skipped=SLICE - 1) or newest
    values = {"account": account_id, "name": name, "after": done, "last": last}
    found = _FIND(db, **values, limit=CHANGED).fetchall()
    if len(found) == CHANGED:
        last = found[-1][0]
    if isinstance(db, PostgresSQL) and found:
        db.execute(_LOCK_HEADS, (sorted({row[1] for row in found}),))
        if _FIND(db, **values, limit=CHANGED).fetchall() != found:
            return True  # more was stored before the logs were locked: do it with that
    _change(db, deletion, found)
    if last >= search_index.last_row(db):  # nothing was stored while logs were locked
        _FINISH(db, account=account_id)
    else:
        _MOVE(db, account=account_id, done=last)
    return True


def _change(db: Connection, deletion: AccountDeletion, found: Iterable[Any]) -> None:
    """Change entries. found: rows of `_FIND`."""
    for _, room_id, seq, room_name, kind in found:
        entry = _entry(db, room_id, seq, room_name)
        if entry is not None:
            rows = SQLMessages(db, room_id, room_name)
            forget_author(entry, deletion, kind == "direct", rows)


def _entry(db: Connection, room_id: int, seq: int, room_name: str) -> Entry | None:
    """Return an entry, None if its log was deleted meanwhile."""
    row = _ENTRY(db, room=room_id, number=seq).fetchone()
    return None if row is None else entry_of(row, room_name)
