"""Who may moderate a room, and how it is stored that a moderator does something.

Ranks are those of `moderation`; a moderator acts on users of a lower rank only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from gtchat.chat.changes import check_reason
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.entries import Entry
from gtchat.chat.errors import (
    NEEDS_MODERATOR,
    BadRequest,
    NotAllowed,
    NotInRoom,
    NotOwner,
    SelfTarget,
    TooMany,
)
from gtchat.chat.interfaces import IStore, RepeatableRequest
from gtchat.chat.moderation import Rank, rank_of
from gtchat.chat.repeats import RoomAck
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Longest mute and ban with an end, in seconds: ten years.
MAX_SECONDS = 10 * 366 * 24 * 3600


@attrs.frozen
class Sanction:
    """How a user is muted or banned.

    Attributes:
        reason: why, "" for no reason.
        seconds: for how long, 0 for no end.
    """

    reason: str = ""
    seconds: int = 0


class Authority:
    """Checks what moderators may do, and stores what they do with a record of the audit log.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
    """

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._audit = state.audit
        self._users = state.users
        self._loader = state.loader
        self._directory = state.directory
        self._filter = state.word_filter
        self._delivery = delivery

    async def require(self, user: User, raw: str) -> Room:
        """Return the room with a name, for one of its moderators.

        Raises:
            NoSuchRoom, NotOwner, NotStored.
        """
        room = await self._loader.look(raw)
        # Rooms of users who are here are in memory.
        if not isinstance(room, Room) or not moderates(room, user):
            raise NotOwner(NEEDS_MODERATOR)
        return room

    def _check_rank(self, room: Room, user: User, target: ResolvedUser) -> None:
        """Check that a moderator may act on a user. Raises SelfTarget, NotAllowed."""
        if target.id == user.id:
            raise SelfTarget()
        own, other = (rank_of(room, one.id, one.name) for one in (user, target))
        if other >= own:
            raise NotAllowed("You can do this to users of a lower rank only.")

    async def find(self, user: User, raw: str, target: str) -> tuple[Room, ResolvedUser]:
        """Return a room of a moderator, and a user of a lower rank.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, SelfTarget, NotAllowed, NotStored.
        """
        await self.require(user, raw)
        found = await self._directory.resolve(target)
        room = await self.require(user, raw)
        self._check_rank(room, user, found)
        return room, found

    def until(self, sanction: Sanction) -> int:
        """Return when a sanction ends, as of `Mute.until`. Raises BadRequest."""
        if not 0 <= sanction.seconds <= MAX_SECONDS:
            raise BadRequest(f"seconds: must be 0 to {MAX_SECONDS}, 0 for no end.")
        return self._users.now() + sanction.seconds * 1000 if sanction.seconds else 0

    def reason(self, session: Session, room: Room, raw: str) -> str:
        """Return the reason of what a moderator does in a room, which its members read.

        Raises:
            BadRequest, TooLong: as of `check_reason`.
            Filtered: a rule of the word filter refuses it.
        """
        reason = check_reason(raw)
        self._filter.check_other(session, reason, room)
        return reason

    async def append(
        self,
        room: Room,
        entry: Entry,
        session: Session,
        request: RepeatableRequest | None,
        **fields: Any,
    ) -> RoomAck:
        """Store an entry with the record of the audit log of its kind, which has some fields."""
        code = f"room_{entry.kind}"
        fields = {"name": entry.usr, "room": room.name, **fields}
        record = self._audit.record(code, session.actor, **fields)
        ack = await self._delivery.append_change(
            room, entry, session, request=request, audit=record
        )
        return RoomAck(room, ack)

    def check_member(self, room: Room, member: ResolvedUser) -> None:
        """Check that a user is in a room. Raises NotInRoom."""
        if not room.is_lobby and member.id not in room.members:
            raise NotInRoom("This user is not a member of the room.")


def moderates(room: Room, user: User) -> bool:
    """Return whether a user is a moderator of a room, or its owner."""
    is_moderator = rank_of(room, user.id, user.name) >= Rank.MODERATOR
    return is_moderator and not room.is_awaited_by(user)


async def is_operator(store: IStore, user: User) -> bool:
    """Return whether the account of a user has the operator mark now. Raises NotStored."""
    account = await store.find_account(user.key, None) if user.registered else None
    return account is not None and account.id == user.id and account.operator


def check_count(found: Collection[int | str], key: int | str, limit: int) -> None:
    """Check that a table may have a row with a key. Raises TooMany."""
    if key not in found and 0 < limit <= len(found):
        raise TooMany(f"A room can have at most {limit} of these.")
