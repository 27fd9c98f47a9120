"""What entries change besides the log: rooms with their settings, members, invitations.

The changes are made in the transaction that appends the entry, by `log_writer`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from sqlalchemy import bindparam, case, delete, exists, func, select, update

from gtchat.chat.errors import PrivateRoom, RoomExists
from gtchat.chat.events import Joined, Kicked, Left, Removed, RoomChanged, RoomCreated
from gtchat.chat.interfaces import EndedInvitations, Inviter, PendingEntry, PendingRoomChange
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.room_records import ShownRoom
from gtchat.store.pending import check_room_limits
from gtchat.store.sql import mentions, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_rooms = schema.rooms
_members = schema.members
_invitations = schema.invitations
_in_room = _members.c.room_id == bindparam("room_id")
_is_account = _members.c.account_id == bindparam("account_id")

#: Whether there is an account whose deletion has not begun.
_ACCOUNT = Statement(
    select(schema.accounts.c.id).where(
        schema.accounts.c.id == bindparam("account_id"),
        ~exists().where(schema.deletions.c.account_id == schema.accounts.c.id),
    )
)
_CREATE_ROOM = Statement(
    insert(_rooms).on_conflict_do_nothing().returning(_rooms.c.id),
    columns=(
        "key",
        "name",
        "public",
        "topic",
        "max",
        "owner_id",
        "owner",
        "creator_id",
        "skeleton",
        "preview",
        "keep_messages",
        "keep_days",
    ),
)
_FIND_RIVAL = Statement(
    select(_rooms.c.id)
    .where(_rooms.c.skeleton.in_((bindparam("rival"), bindparam("other_rival"))))
    .limit(1)
)
_CHANGE_ROOM = Statement(
    update(_rooms)
    .where(_rooms.c.id == bindparam("room_id"))
    .values(
        public=bindparam("is_public"),
        topic=bindparam("new_topic"),
        max=bindparam("new_max"),
        owner_id=bindparam("new_owner_id"),
        owner=bindparam("new_owner"),
        preview=bindparam("has_preview"),
        keep_messages=bindparam("new_keep_messages"),
        keep_days=bindparam("new_keep_days"),
        public_since=case((_rooms.c.public, _rooms.c.public_since), else_=bindparam("seq")),
    )
)
_SHOWN = Statement(
    select(
        _rooms.c.key,
        _rooms.c.name,
        _rooms.c.public,
        select(func.count()).where(_members.c.room_id == _rooms.c.id).scalar_subquery(),
    ).where(_rooms.c.id == bindparam("room_id"))
)
_COUNT_CREATED = Statement(
    select(func.count()).select_from(_rooms).where(_rooms.c.creator_id == bindparam("account_id"))
)
_COUNT_RECEIVED = Statement(
    select(func.count())
    .select_from(_rooms)
    .where(
        _rooms.c.owner_id == bindparam("account_id"),
        _rooms.c.creator_id.is_distinct_from(bindparam("account_id")),
    )
)
_COUNT_MEMBERSHIPS = Statement(select(func.count()).select_from(_members).where(_is_account))
_ADD_MEMBER = Statement(
    insert(_members).on_conflict_do_nothing(),
    columns=("room_id", "account_id", "joined_seq", "read_seq"),
)
_REMOVE_MEMBER = Statement(delete(_members).where(_in_room, _is_account))
_is_invited_to = (
    _invitations.c.room_id == bindparam("room_id"),
    _invitations.c.account_id == bindparam("account_id"),
)
_DELETE_INVITATIONS = Statement(delete(_invitations).where(*_is_invited_to))
_IS_INVITED = Statement(select(_invitations.c.room_id).where(*_is_invited_to).limit(1))
#: What `_ended` groups.
_ENDED = (_invitations.c.account_id, _invitations.c.inviter_id, _invitations.c.inviter)
_DELETE_SENT_INVITATIONS = Statement(
    delete(_invitations)
    .where(
        _invitations.c.room_id == bindparam("room_id"),
        _invitations.c.inviter_id == bindparam("account_id"),
    )
    .returning(*_ENDED)
)
_DELETE_ALL_INVITATIONS = Statement(
    delete(_invitations).where(_invitations.c.room_id == bindparam("room_id")).returning(*_ENDED)
)


def _check_limits(db: Connection, pending: PendingRoomChange) -> None:
    """Check whether the subject of a change may have another room.

    Raises:
        NotAllowed.
    """
    if pending.subject_id is not None:
        account = {"account_id": pending.subject_id}
        check_room_limits(
            pending,
            memberships=lambda limit: _COUNT_MEMBERSHIPS.scalar(db, **account) >= limit,
            created=lambda limit: _COUNT_CREATED.scalar(db, **account) >= limit,
            received=lambda limit: _COUNT_RECEIVED.scalar(db, **account) >= limit,
        )


def create_room(db: Connection, pending: PendingRoomChange) -> int:
    """Create the room that an entry is the first one of, without members, and return its id.

    Args:
        db: the writer's connection.
        pending: the entry, a `RoomCreated`; its subject is the creator and owner.

    Raises:
        RoomExists: a room has this name, or one that looks like it.
        NotAllowed: the subject has as many rooms as the limits allow.
    """
    entry, key = pending.entry, pending.room_key
    assert isinstance(entry, RoomCreated)
    _check_limits(db, pending)
    looks = skeleton(entry.room_name)
    rival, other = rivals(looks)
    if _FIND_RIVAL(db, rival=rival, other_rival=other).fetchone() is not None:
        raise RoomExists()
    room_id: int | None = _CREATE_ROOM.scalar(
        db,
        key=key,
        name=entry.room_name,
        public=entry.public,
        topic=entry.topic,
        max=entry.max,
        owner_id=entry.subject_id,
        owner=entry.owner,
        creator_id=entry.subject_id,
        skeleton=looks,
        preview=entry.preview,
        keep_messages=entry.keep_messages,
        keep_days=entry.keep_days,
    )
    if room_id is None:
        raise RoomExists()
    return room_id


def subject_is_missing(db: Connection, pending: PendingEntry) -> bool:
    """Return whether an entry would make an account a member or an owner that ends, or is gone."""
    subject = pending.subject_id
    return (
        subject is not None
        and isinstance(pending.entry, RoomCreated | RoomChanged | Joined)
        and _ACCOUNT(db, account_id=subject).fetchone() is None
    )


def _add_member(db: Connection, pending: PendingRoomChange) -> None:
    """Make the subject a member who has read everything up to this entry."""
    member = {"room_id": pending.room_id, "account_id": pending.subject_id}
    _ADD_MEMBER(db, **member, joined_seq=pending.entry.seq, read_seq=pending.entry.seq)
    _DELETE_INVITATIONS(db, **member)


def _add_creator(db: Connection, pending: PendingRoomChange) -> None:
    """Make the creator of a room its first member, if the room has a creator."""
    if pending.subject_id is not None:
        _add_member(db, pending)


def check_subject(db: Connection, pending: PendingRoomChange) -> None:
    """Check that the subject of a change is invited to the room, if that is needed, and its limits.

    Raises:
        PrivateRoom, NotAllowed.
    """
    if not isinstance(pending.entry, RoomCreated):  # checked by `create_room`
        _check_limits(db, pending)
    if pending.needs_invitation:
        found = _IS_INVITED(db, room_id=pending.room_id, account_id=pending.subject_id)
        if found.fetchone() is None:
            raise PrivateRoom()


def _ended(rows: Iterable[tuple[int, int | None, str]]) -> EndedInvitations:
    """Return invitations by the account that was invited. rows: the columns of `_ENDED`."""
    ended: defaultdict[int, list[Inviter]] = defaultdict(list)
    for account_id, inviter_id, inviter in rows:
        ended[account_id].append(Inviter(inviter_id, inviter))
    return ended


def delete_invitations(db: Connection, room_id: int) -> EndedInvitations:
    """Delete the invitations to a room; return them."""
    return _ended(_DELETE_ALL_INVITATIONS(db, room_id=room_id))


def _remove_member(db: Connection, pending: PendingRoomChange) -> None:
    """End the membership of the subject, and the invitations that the subject sent."""
    member = {"room_id": pending.room_id, "account_id": pending.subject_id}
    if pending.subject_id is not None:
        mentions.set_level(db, pending.subject_id, pending.room_id, "all")
    _REMOVE_MEMBER(db, **member)
    pending.ended = _ended(_DELETE_SENT_INVITATIONS(db, **member))


def find_shown(db: Connection, room_id: int) -> ShownRoom | None:
    """Return what lists show of a room, None if there is no such room."""
    row = _SHOWN(db, room_id=room_id).fetchone()
    if row is None:
        return None
    key, name, public, member_count = row
    return ShownRoom(key, name, bool(public), member_count)


def _change_room(db: Connection, pending: PendingRoomChange) -> None:
    """Set the room's settings and owner."""
    entry = pending.entry
    assert isinstance(entry, RoomChanged)
    pending.before = find_shown(db, pending.room_id)
    _CHANGE_ROOM(
        db,
        room_id=pending.room_id,
        is_public=entry.public,
        new_topic=entry.topic,
        new_max=entry.max,
        new_owner_id=pending.subject_id,
        new_owner=entry.owner,
        has_preview=entry.preview,
        new_keep_messages=entry.keep_messages,
        new_keep_days=entry.keep_days,
        seq=entry.seq,
    )


#: Kind of entry -> makes the change that it means for the room and its members.
CHANGES: dict[str, Callable[[Connection, PendingRoomChange], None]] = {
    RoomCreated.kind: _add_creator,
    RoomChanged.kind: _change_room,
    Joined.kind: _add_member,
    Left.kind: _remove_member,
    Kicked.kind: _remove_member,
    Removed.kind: _remove_member,
}
