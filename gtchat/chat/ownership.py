"""Ownership: settings, owners and deletion of rooms, and how many rooms an account can have.

Who may ask for a change is checked in `membership`; here is how it is made.
"""

from __future__ import annotations

import attrs

from gtchat.chat.appending import NO_LIMITS
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import BadRequest, ChatError, NotAllowed
from gtchat.chat.events import RoomChanged, RoomCreated
from gtchat.chat.fold import CurrentSettings
from gtchat.chat.interfaces import Ack, EndedInvitations, RepeatableRequest, RoomLimits
from gtchat.chat.limits import MAX_CREATED, MAX_MEMBERSHIPS, MAX_RECEIVED
from gtchat.chat.messages import text
from gtchat.chat.repetition import repeated
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Longest topic of a room, in characters.
TOPIC_CHARS = 500


def check_topic(raw: str) -> str:
    """Return the topic of a room in NFC, "" for none.

    Raises:
        BadRequest: it is more than one line.
        TooLong: it has more than 500 characters.
    """
    topic = text(raw, TOPIC_CHARS, "topic") if raw else ""
    if "\t" in topic or len(topic.splitlines()) > 1:
        raise BadRequest("topic: must be one line.")
    return topic


@attrs.frozen(kw_only=True)
class RoomSettings:
    """Settings that a user asks for; None leaves a setting as it is, or at its default.

    Attributes:
        public: whether users who are not members can see and join the room.
        topic: one line of at most 500 characters, "" for none.
        max: maximum number of members, 0 for no limit of the room's own.
        preview: whether users who are not members can read the newest messages while the room is
            public. The default is what `public` is.
    """

    public: bool | None = None
    topic: str | None = None
    max: int | None = None
    preview: bool | None = None


class Ownership:
    """Changes settings and owners of rooms, and deletes rooms.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.

    Attributes:
        limits: how many rooms an account can have. Memory has what is stored, and says so at once;
            the store decides, since other nodes write too.
    """

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._store = state.store
        self._audit = state.audit
        self._limits = state.limits
        self.limits = RoomLimits(
            rooms=state.limits.rooms_per_user, memberships=state.limits.memberships_per_user
        )
        self._users = state.users
        self._rooms = state.rooms
        self._delivery = delivery
        #: Account id -> number of rooms that the account created, also if others own them now.
        self._created: dict[int, int] = {}

    def count_all(self) -> None:
        """Count the rooms of each creator, once all rooms are loaded."""
        self._created = {}
        for room in self._rooms:
            self.count(room.creator_id, 1)

    def count(self, account_id: int | None, change: int) -> None:
        """Change the number of rooms that an account created.

        Args:
            account_id: the creator; None, for no creator, changes nothing.
            change: 1 or -1.
        """
        if account_id is not None:
            count = self._created.pop(account_id, 0) + change
            if count:
                self._created[account_id] = count

    def check_limit(self, user: User) -> None:
        """Check that a user may create another room.

        Raises:
            NotAllowed: of the rooms that the user created, as many exist as the limit allows, or
                the user is a member of too many.
        """
        self.check_memberships(user)
        limit = self._limits.rooms_per_user
        if limit and self._created.get(user.id, 0) >= limit:
            raise NotAllowed(MAX_CREATED.format(limit))

    def check_memberships(self, target: User | ResolvedUser) -> None:
        """Check that a user may become a member of another room.

        Raises:
            NotAllowed: the user is a member of as many rooms as the limit allows.
        """
        limit = self._limits.memberships_per_user
        known = self._users.get_by_id(target.id) or target
        if limit and known.memberships >= limit:
            raise NotAllowed(MAX_MEMBERSHIPS.format(limit))

    def may_receive(self, room: Room, account_id: int) -> bool:
        """Return whether a room may be handed to an account.

        An account can receive as many rooms of other creators as it can create.
        """
        limit = self._limits.rooms_per_user
        if not limit or account_id in (room.owner_id, room.creator_id):
            return True
        owned = self._rooms.owned_by(account_id)
        return sum(other.creator_id != account_id for other in owned) < limit

    def limits_of_receiver(self, room: Room, account_id: int) -> RoomLimits:
        """Return the limits with which a room is handed to a member.

        Raises:
            NotAllowed: the member has received as many rooms as the limit allows.
        """
        if not self.may_receive(room, account_id):
            raise NotAllowed(MAX_RECEIVED)
        is_received = account_id not in (room.owner_id, room.creator_id)
        return self.limits if is_received else NO_LIMITS

    def max_members(self, wanted: int) -> int:
        """Return the member limit that a room gets, 0 for none: at most the operator's.

        Raises:
            BadRequest: it is negative or above 2**31 - 1.
        """
        if not 0 <= wanted < 2**31:
            raise BadRequest("max: must be a number of members, or 0 for no limit.")
        limit = self._limits.members_per_room
        return min(wanted or limit, limit) if limit else wanted

    def first_entry(self, room: Room, user: User, wanted: RoomSettings) -> RoomCreated:
        """Return the entry with which a user creates a room.

        Raises:
            BadRequest, TooLong.
        """
        public = wanted.public is not False
        return RoomCreated(
            room_name=room.name,
            usr=user.name,
            subject_id=user.id,
            guest=not user.registered,
            public=public,
            topic=check_topic(wanted.topic or ""),
            max=self.max_members(wanted.max or 0),
            owner=user.name,
            preview=public if wanted.preview is None else wanted.preview,
            at=self._users.now(),
        )

    def settings(
        self, room: Room, wanted: RoomSettings, owner: ResolvedUser | None
    ) -> CurrentSettings:
        """Return the settings of a room with those that a user asks for.

        Args:
            room: the room.
            wanted: the settings to change.
            owner: the new owner, None to keep the owner.

        Raises:
            BadRequest, TooLong.
        """
        return CurrentSettings(
            public=room.public if wanted.public is None else wanted.public,
            topic=room.topic if wanted.topic is None else check_topic(wanted.topic),
            max=room.max if wanted.max is None else self.max_members(wanted.max),
            owner_id=room.owner_id if owner is None else owner.id,
            owner=room.owner if owner is None else owner.name,
            preview=room.preview if wanted.preview is None else wanted.preview,
        )

    def record_of(self, room: Room, settings: CurrentSettings, actor: Actor) -> AuditRecord:
        """Return the record of the audit log of settings that a user changes."""
        fields = {"public": settings.public, "max": settings.max, "owner": settings.owner}
        return self._audit.record("room_set", actor, room=room.name, **fields)

    async def change(
        self,
        room: Room,
        settings: CurrentSettings,
        by: str,
        actor: Session | None,
        request: RepeatableRequest | None = None,
        limits: RoomLimits = NO_LIMITS,
        audit: AuditRecord | None = None,
    ) -> Ack:
        """Change the settings of a room. Return the ack.

        Args:
            room: the room.
            settings: the new settings.
            by: name of the user who changes them.
            actor, request, limits, audit: as in `Delivery.append_change`.

        Raises:
            NoSuchUser: the new owner is ending.
            NotAllowed: the new owner has received too many rooms.
            OverQuota, TxnConflict, Stale, NotStored.
        """
        entry = RoomChanged(
            room_name=room.name,
            usr=by,
            public=settings.public,
            topic=settings.topic,
            max=settings.max,
            owner=settings.owner,
            preview=settings.preview,
            subject_id=settings.owner_id,
            at=self._users.now(),
        )
        return await self._delivery.append_change(
            room, entry, actor, request=request, limits=limits, audit=audit
        )

    async def delete(
        self,
        room: Room,
        by: str,
        actor: Session | None = None,
        request: RepeatableRequest | None = None,
        audit: AuditRecord | None = None,
    ) -> None:
        """Delete a room with its log.

        Args:
            room: the room.
            by: name of the user who deletes it.
            actor, request, audit: as in `Delivery.append_change`.

        Raises:
            TxnConflict, Stale, NotStored: the room is as before, unless another node has deleted it
                meanwhile.
        """
        room.deleted = True
        try:
            ended = await self._store.delete_room(
                room.id, self._users.now(), request, room.foreign, by, audit
            )
        except ChatError:
            room.deleted = self._rooms.get(room.id) is not room
            raise
        if audit is not None:
            write_line(audit)
        if self._rooms.get(room.id) is room:  # else another node did the same request before
            self.discard(room, by, actor, ended)

    def discard(self, room: Room, by: str, actor: Session | None, ended: EndedInvitations) -> None:
        """Forget a room that is deleted, and announce it; see `Delivery.publish_deletion`."""
        self._rooms.discard(room)
        self.count(room.creator_id, -1)
        for member in room.members:
            if (user := self._users.get_by_id(member)) is not None:
                user.remove_room(room)
        self._delivery.publish_deletion(room, by, actor, ended)

    @repeated
    async def reassign_or_delete(self, room: Room) -> None:
        """Find an owner for a room whose temporary owner is not a member any more.

        The owner is then the registered member who joined first, of those who may receive a room,
        or else of all. Without a registered member the room has no owner as long as temporary users
        are in it; then it is deleted.

        Raises:
            NotStored.
        """
        owner = self._users.get_by_id(room.owner_id)
        keeps_owner = owner is None or owner.registered or owner.id in room.members
        if room.deleted or (room.owner_id is not None and keeps_owner):
            return
        if not room.members:
            await self.delete(room, room.owner)
            return
        # A limit that keeps users from collecting rooms must not end a room with its members.
        first = next(room.registered_members, None)
        candidates = (one for one in room.registered_members if self.may_receive(room, one))
        next_owner = next(candidates, first)
        if next_owner is not None or room.owner_id is not None:
            name = "" if next_owner is None else room.members[next_owner]
            settings = attrs.evolve(room.settings, owner_id=next_owner, owner=name)
            await self.change(room, settings, room.owner, None)
