"""Ownership: settings, owners and deletion of rooms, and how many rooms an account can have.

Who may ask for a change is checked in `membership`; here is how it is made.
"""

from __future__ import annotations

from itertools import islice

import attrs

from gtchat.chat.appending import NO_LIMITS
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import BadRequest, ChatError, NotAllowed
from gtchat.chat.events import RoomChanged, RoomCreated
from gtchat.chat.fold import CurrentSettings
from gtchat.chat.interfaces import Ack, EndedInvitations, RepeatableRequest, RoomLimits
from gtchat.chat.limits import MAX_MEMBERSHIPS
from gtchat.chat.messages import text
from gtchat.chat.repetition import repeated
from gtchat.chat.retention import Keep
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Longest topic of a room, in characters.
TOPIC_CHARS = 500
#: Members of which one may become the owner of a room, if the limits of rooms are to be kept.
MAX_CANDIDATES = 200
#: Most seconds of slow mode.
MAX_SLOW_S = 6 * 3600
#: Largest number of messages or days that can be named: databases have 32 bits for it.
MAX_KEPT = 2**31 - 1


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


def keep_fields(keep: Keep) -> dict[str, int]:
    """Return the fields that say how much a room keeps, by their names on the wire."""
    return {"keep_messages": keep.messages, "keep_days": int(keep.days)}


def _kept(name: str, wanted: int | None, before: int, limit: float) -> int:
    """Return how many messages or days of a room are kept.

    Args:
        name: what is set, for errors.
        wanted: what a user asks for, None for as before.
        before: what it is.
        limit: how many the server keeps, 0 for all.

    Raises:
        BadRequest.
    """
    if wanted is None:
        return before
    if not 0 <= wanted <= MAX_KEPT:
        raise BadRequest(f"{name}: must be a number, or 0 for what the server keeps.")
    if limit and wanted > limit:
        raise BadRequest(f"{name}: the server keeps at most {limit:g}.")
    return wanted


@attrs.frozen(kw_only=True)
class RoomSettings:
    """Settings that a user asks for; None leaves a setting as it is, or at its default.

    Attributes:
        public: whether users who are not members can see and join the room.
        topic: one line of at most 500 characters, "" for none.
        max: maximum number of members, 0 for no limit of the room's own.
        preview: whether users who are not members can read the newest messages while the room is
            public. The default is what `public` is.
        moderated: whether members need a role to speak.
        slow: seconds between two messages of a member, 0 for none.
        keep_messages, keep_days: see `Keep`; 0 for what the server keeps.
    """

    public: bool | None = None
    topic: str | None = None
    max: int | None = None
    preview: bool | None = None
    moderated: bool | None = None
    slow: int | None = None
    keep_messages: int | None = None
    keep_days: int | None = None

    @property
    def is_moderation(self) -> bool:
        """Whether it changes only what moderators may change: who may speak."""
        return self == RoomSettings(moderated=self.moderated, slow=self.slow) != RoomSettings()


class Ownership:
    """Changes settings and owners of rooms, and deletes rooms.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
    """

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._store = state.store
        self._audit = state.audit
        self._limits = state.limits
        self._users = state.users
        self._rooms = state.rooms
        self._panic = state.access.panic
        self._filter = state.word_filter
        self._delivery = delivery

    @property
    def limits(self) -> RoomLimits:
        """How many rooms an account can have; the store decides."""
        limits = self._limits
        return RoomLimits(rooms=limits.rooms_per_user, memberships=limits.memberships_per_user)

    def check_memberships(self, target: User | ResolvedUser) -> None:
        """Check that a user may become a member of another room, by what is known here.

        Raises:
            NotAllowed: the user is a member of as many rooms as the limit allows.
        """
        limit = self._limits.memberships_per_user
        known = self._users.get_by_id(target.id) or target
        if limit and known.memberships >= limit:
            raise NotAllowed(MAX_MEMBERSHIPS.format(limit))

    def limits_of_receiver(self, room: Room, account_id: int) -> RoomLimits:
        """Return the limits with which a room is handed to a member.

        An account can receive as many rooms of other creators as it can create.
        """
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

    def slow_seconds(self, wanted: int) -> int:
        """Return the seconds of slow mode. Raises BadRequest: it is negative, or over six hours."""
        if not 0 <= wanted <= MAX_SLOW_S:
            raise BadRequest(f"slow: must be 0 to {MAX_SLOW_S} seconds.")
        return wanted

    def keep(self, room: Room, wanted: RoomSettings) -> Keep:
        """Return how much of the log of a room is kept, as far as the room limits it.

        Raises:
            BadRequest: that is more than the server keeps, or no number of messages or days.
        """
        before, limits = room.keep, self._limits
        return Keep(
            _kept("keep_messages", wanted.keep_messages, before.messages, limits.keep_messages),
            _kept("keep_days", wanted.keep_days, int(before.days), limits.keep_days),
        )

    def first_entry(self, room: Room, session: Session, wanted: RoomSettings) -> RoomCreated:
        """Return the entry with which the user of a session creates a room.

        Raises:
            BadRequest, TooLong, SlowMode, Filtered.
        """
        public, user = wanted.public is not False, session.user
        topic, keep = check_topic(wanted.topic or ""), self.keep(room, wanted)
        self._panic.check(session)
        self._filter.check_other(session, room.name)
        self._filter.check_other(session, topic)
        return RoomCreated(
            room_name=room.name,
            usr=user.name,
            subject_id=user.id,
            guest=not user.registered,
            public=public,
            topic=topic,
            max=self.max_members(wanted.max or 0),
            owner=user.name,
            preview=public if wanted.preview is None else wanted.preview,
            moderated=bool(wanted.moderated),
            slow=self.slow_seconds(wanted.slow or 0),
            keep_messages=keep.messages,
            keep_days=int(keep.days),
            at=self._users.now(),
        )

    def settings(
        self, room: Room, wanted: RoomSettings, owner: ResolvedUser | None, session: Session
    ) -> CurrentSettings:
        """Return the settings of a room with those that a user asks for.

        Args:
            room: the room.
            wanted: the settings to change.
            owner: the new owner, None to keep the owner.
            session: a session of the user.

        Raises:
            BadRequest, TooLong, Filtered.
        """
        before = room.moderation
        topic = room.topic if wanted.topic is None else check_topic(wanted.topic)
        if topic != room.topic:
            self._filter.check_other(session, topic, room)
        return CurrentSettings(
            public=room.public if wanted.public is None else wanted.public,
            topic=topic,
            max=room.max if wanted.max is None else self.max_members(wanted.max),
            owner_id=room.owner_id if owner is None else owner.id,
            owner=room.owner if owner is None else owner.name,
            preview=room.preview if wanted.preview is None else wanted.preview,
            moderated=before.moderated if wanted.moderated is None else wanted.moderated,
            slow=before.slow if wanted.slow is None else self.slow_seconds(wanted.slow),
            keep=self.keep(room, wanted),
        )

    def record_of(self, room: Room, settings: CurrentSettings, actor: Actor) -> AuditRecord:
        """Return the record of the audit log of settings that a user changes."""
        fields = {
            name: getattr(settings, name)
            for name in ("public", "max", "owner", "moderated", "slow")
        }
        if settings.keep != room.keep:
            fields |= keep_fields(settings.keep)
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
            moderated=settings.moderated,
            slow=settings.slow,
            keep_messages=settings.keep.messages,
            keep_days=int(settings.keep.days),
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
        self._rooms.require_stored(room)
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

    def discard(
        self,
        room: Room,
        by: str,
        actor: Session | None,
        ended: EndedInvitations,
        is_foreign: bool = False,
    ) -> None:
        """Forget a room that is deleted, and announce it.

        Args:
            room, by, actor, ended: as in `Delivery.publish_deletion`.
            is_foreign: as in `RoomRegistry.discard`.
        """
        self._rooms.discard(room, is_foreign)
        for member in room.members:
            if (user := self._users.get_by_id(member)) is not None:
                user.remove_room(room)
        self._delivery.publish_deletion(room, by, actor, ended)

    @repeated
    async def reassign_or_delete(self, room: Room, ending: int | None = None) -> None:
        """Find an owner for a room whose owner ends, or is temporary and not a member any more.

        The owner is then the registered member who joined first, of those who may receive a room,
        or else of all: an account can receive as many rooms as it can create. Without a registered
        member the room has no owner as long as temporary users are in it; then it is deleted.

        Args:
            room: the room.
            ending: the account that ends and is no member any more, None for none.

        Raises:
            NotStored.
        """
        received = {} if self._keeps_owner(room, ending) else await self._count_received(room)
        if self._keeps_owner(room, ending):
            return
        if not room.members:
            await self.delete(room, room.owner)
            return
        # A limit that keeps users from collecting rooms must not end a room with its members.
        first = next(room.registered_members, None)
        most = self._limits.rooms_per_user
        candidates = (
            one
            for one in room.registered_members
            if not most or one == room.creator_id or received.get(one, most) < most
        )
        next_owner = next(candidates, first)
        if next_owner is not None or room.owner_id is not None:
            name = "" if next_owner is None else room.members[next_owner]
            settings = attrs.evolve(room.settings, owner_id=next_owner, owner=name)
            await self.change(room, settings, room.owner, None)

    def _keeps_owner(self, room: Room, ending: int | None) -> bool:
        """Return whether a room needs no other owner, and does not end."""
        if room.deleted or room.owner_id is None:
            return room.deleted
        owner = self._users.get_by_id(room.owner_id)
        keeps_owner = owner is None or owner.registered or owner.id in room.members
        return keeps_owner and room.owner_id != ending

    async def _count_received(self, room: Room) -> dict[int, int]:
        """Return how many rooms the first registered members have received from others."""
        members = list(islice(room.registered_members, MAX_CANDIDATES))
        if not members or not self._limits.rooms_per_user:
            return {}
        return {**dict.fromkeys(members, 0), **await self._store.count_received(members)}
