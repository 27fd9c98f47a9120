"""Changes of messages: edit, delete, react, pin and unpin; and the versions of an edited message.

Here a change is made of a request, and queued. Whether it is allowed is decided when it is stored,
from the message as it is then (`message_rules`). Who is a member and who is the owner may have been
changed by another node meanwhile: then the rules here run again (`repeated`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from gtchat.chat.annotations import require_emoji
from gtchat.chat.audit import AuditRecord
from gtchat.chat.conversations import Conversation, Conversations, Target
from gtchat.chat.delivery import Delivery
from gtchat.chat.errors import (
    NEEDS_MODERATOR,
    MessageDeleted,
    NoSuchMessage,
    NoSuchUser,
    NotAllowed,
    NotAuthor,
    NotInRoom,
    NotOwner,
    RateLimited,
    SlowMode,
)
from gtchat.chat.events import Deleted, Edited, MessageChange, Pinned, Reacted, Unpinned
from gtchat.chat.interfaces import Ack, ChangeLimits, MessageVersion, PendingEntry
from gtchat.chat.limits import Limits
from gtchat.chat.messages import check_txn, text
from gtchat.chat.moderation import Rank, find_refusal, rank_of
from gtchat.chat.repetition import repeated
from gtchat.chat.room_records import RecentMessages
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session, User

#: Longest reason of a deletion, in characters.
REASON_CHARS = 500
#: `Changes.delete_recent`: how old messages are at most, among how many entries they are looked
#: for, and how many are deleted at once.
RECENT_MS, RECENT_ENTRIES, RECENT_LIMIT = 3600 * 1000, 20_000, 200

C = TypeVar("C", bound=MessageChange)


def check_reason(raw: str) -> str:
    """Return the reason of what a moderator does, in NFC; "" for no reason.

    Raises:
        BadRequest, TooLong: as of `text`.
    """
    return text(raw, REASON_CHARS, "reason") if raw else ""


def may_moderate(user: User, room: Room | Conversation) -> bool:
    """Return whether a user may delete messages of others in a room, and pin messages.

    In a direct conversation, neither of the users may.
    """
    return isinstance(room, Room) and rank_of(room, user.id, user.name) >= Rank.MODERATOR


def _reaction_rate(limits: Limits) -> tuple[float, float]:
    return limits.reactions_per_minute / 60, limits.reactions_per_minute


class Changes:
    """Changes messages of rooms.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
        conversations: finds rooms and direct conversations.
        keep_versions: whether the earlier texts of edited messages are kept.

    Attributes:
        keep_versions: the same.
    """

    def __init__(
        self, state: State, delivery: Delivery, conversations: Conversations, keep_versions: bool
    ) -> None:
        self._conversations = conversations
        self.keep_versions = keep_versions
        self._store = state.store
        self._audit = state.audit
        self._users = state.users
        self._directory = state.directory
        self._delivery = delivery
        self._limits = state.limits
        self._quota = state.quota
        self._panic = state.access.panic
        self._filter = state.word_filter
        self._reactions = BucketTable(state.limits.rate(_reaction_rate), state.clock.seconds)

    def _change_limits(self, room_id: int) -> ChangeLimits:
        """Return what limits a change that is queued now."""
        limits = self._limits
        return ChangeLimits(
            edit_window=limits.edit_window,
            emoji=limits.reactions_per_message,
            reaction_changes=limits.reaction_changes,
            pins=limits.pins_per_room,
            keep_versions=self.keep_versions,
            full=self._quota.room_use(room_id),
        )

    async def edit(
        self, session: Session, target: Target, seq: int, msg: str, txn: str | None = None
    ) -> Ack:
        """Give a message of the user's own another text.

        Args:
            session: a session of the author.
            target: the room, or the direct conversation.
            seq: the message.
            msg: the text.
            txn: the client's idempotency key, as of `Messages.speak`.

        Returns:
            The ack with the `seq` of the entry, 0 if the message had that text already.

        Raises:
            NoSuchRoom, NotInRoom, IsMuted, ModeratedRoom, NoSuchUser, Blocked, NotAllowed,
                BadRequest, TooLong, SlowMode, Filtered, OverQuota, TxnConflict, NotStored.
            NoSuchMessage, NotAuthor, MessageDeleted, TooLate.
            StorageFull: the author, or a room in which the text gets longer, has no space left.
        """
        room = await self._conversations.require_open(target, session.user)
        self._check_speech(room, session.user)
        msg = text(msg, self._limits.text_chars)
        place = room if isinstance(room, Room) else None
        refusal = self._panic.check(session, place, txn)
        flag = None
        if refusal is None and (place is not None or self._filter.directs):
            flag = self._filter.check(session, msg, place)
        report = None if flag is None else partial(self._filter.report, flag, session, place)
        entry = self._entry(Edited, session, room, seq, msg=msg)
        return await self._say(session, target, room, entry, txn, refusal, report)

    async def delete(
        self, session: Session, target: Target, seq: int, reason: str = "", txn: str | None = None
    ) -> Ack:
        """Delete a message: its text, its earlier texts and the reactions to it.

        Args:
            session: a session of the author, or of a user who may moderate the room.
            target: the room, or the direct conversation.
            seq: the message.
            reason: why, at most `REASON_CHARS` characters; "" for no reason.
            txn: as in `edit`.

        Returns:
            The ack with the `seq` of the entry, 0 if the message was deleted already.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotAllowed, BadRequest, TooLong, OverQuota,
                TxnConflict, NotStored, NoSuchMessage, NotAuthor.
            IsMuted, ModeratedRoom, Blocked, SlowMode, Filtered: the reason can't be said.
        """
        reason = check_reason(reason)
        refusal = await self._check_text(session, target, reason, txn) if reason else None
        return await self._delete(session, target, seq, reason, txn, refusal)

    async def _find_place(self, target: Target, user: User) -> Room | Conversation:
        """Return a place that a user is in or may moderate. Raises NotInRoom, as `find_any`."""
        room = await self._conversations.find_any(target, user)
        if not (may_moderate(user, room) or room.has_member(user)):
            raise NotInRoom()
        return room

    async def _check_text(
        self, session: Session, target: Target, reason: str, txn: str | None
    ) -> SlowMode | None:
        """Check that a user may give a reason: others read it like a message.

        Returns the refusal of a request with a txn; see `PanicMode.check`.
        """
        room = await self._find_place(target, session.user)
        place = room if isinstance(room, Room) else None
        if isinstance(room, Conversation):
            room.require_open()
        elif not may_moderate(session.user, room):
            self._check_speech(room, session.user)
        refusal = self._panic.check(session, place, txn)
        if refusal is None and (place is not None or self._filter.directs):
            self._filter.check_other(session, reason, place)
        return refusal

    @repeated
    async def _delete(
        self,
        session: Session,
        target: Target,
        seq: int,
        reason: str,
        txn: str | None,
        refusal: SlowMode | None,
    ) -> Ack:
        """Store that a message is deleted. Return the ack."""
        user, room = session.user, await self._find_place(target, session.user)
        if isinstance(room, Conversation):  # also of a user who is blocked: it says nothing then
            room.require_present()
            room.require_begun()
        entry = self._entry(Deleted, session, room, seq, by=user.name, reason=reason)

        def record() -> AuditRecord | None:
            if entry.subject_id == user.id:
                return None
            return self._audit.record(
                "message_deleted", session.actor, name=entry.usr, room=room.name, seq=seq
            )

        return await self._append(session, room, entry, txn, record, refusal)

    async def delete_recent(self, session: Session, raw: str, target: str, reason: str = "") -> int:
        """Delete the messages that a user sent to a room within the last hour, newest first.

        Args:
            session: a session of a user who may moderate the room.
            raw, target: the names of the room and of the user as they were typed; the user may
                have ended.
            reason: as in `delete`.

        Returns:
            How many were deleted; the rest is for the next request.

        Raises:
            NoSuchRoom, NotOwner, BadRequest, TooLong, OverQuota, NotStored.
        """
        check_reason(reason)
        room = await self._conversations.find_any(raw, session.user)
        if not isinstance(room, Room) or not may_moderate(session.user, room):
            raise NotOwner(NEEDS_MODERATOR)
        name, account_id = target, 0
        with suppress(NoSuchUser):
            found = await self._directory.resolve(target)
            name, account_id = found.name, found.id
        since, after = self._users.now() - RECENT_MS, room.last_seq - RECENT_ENTRIES
        wanted = RecentMessages(name, account_id, since, after, RECENT_LIMIT)
        seqs = await self._store.recent_messages(room.id, wanted)
        for seq in seqs:
            await self.delete(session, raw, seq, reason)
        return len(seqs)

    async def react(
        self,
        session: Session,
        target: Target,
        seq: int,
        emoji: str,
        on: bool = True,
        txn: str | None = None,
    ) -> Ack:
        """React to a message with an emoji, or take that back.

        Args:
            session: a session of a member.
            target: the room, or the direct conversation.
            seq: the message.
            emoji: the emoji.
            on: False to take it back.
            txn: as in `edit`.

        Returns:
            The ack with the `seq` of the entry, 0 if the reaction was as wanted already.

        Raises:
            NoSuchRoom, NotInRoom, IsMuted, NoSuchUser, Blocked, NotAllowed, BadRequest,
                SlowMode, TxnConflict, NotStored.
            NoSuchMessage, MessageDeleted, TooMany.
            RateLimited: the user reacts too often.
        """
        room = await self._conversations.require_open(target, session.user)
        emoji = require_emoji(emoji)
        if wait := self._reactions.take(session.user.id):
            raise RateLimited(retry_after=wait)
        refusal = self._panic.check(session, room if isinstance(room, Room) else None, txn)
        entry = self._entry(Reacted, session, room, seq, emoji=emoji, on=on)
        return await self._say(session, target, room, entry, txn, refusal)

    @repeated
    async def _say(
        self,
        session: Session,
        target: Target,
        found: Room | Conversation,
        entry: Edited | Reacted,
        txn: str | None,
        refusal: SlowMode | None,
        flagged: Callable[[PendingEntry], None] | None = None,
    ) -> Ack:
        """Store an edit or a reaction, for which the rates are paid. Return its ack."""
        if isinstance(found, Room):  # may not be a room of the user any more
            found = await self._conversations.require_open(target, session.user)
        self._check_speech(found, session.user, reacts=isinstance(entry, Reacted))
        return await self._append(session, found, entry, txn, None, refusal, flagged)

    @repeated
    async def pin(
        self, session: Session, target: Target, seq: int, on: bool, txn: str | None = None
    ) -> Ack:
        """Pin a message, or unpin it.

        Args:
            session: a session of a user who may moderate the room.
            target: the room, or the direct conversation.
            seq: the message.
            on: False to unpin it.
            txn: as in `edit`.

        Returns:
            The ack with the `seq` of the entry, 0 if the message was pinned or not as wanted.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotOwner, TxnConflict, NotStored.
            NoSuchMessage, MessageDeleted, TooMany.
        """
        room = await self._conversations.find_any(target, session.user)
        if not may_moderate(session.user, room):
            raise NotOwner(NEEDS_MODERATOR)
        entry = self._entry(Pinned if on else Unpinned, session, room, seq)
        return await self._append(session, room, entry, txn)

    async def versions(
        self, session: Session, target: Target, seq: int
    ) -> tuple[MessageVersion, ...]:
        """Return the texts that a message had, oldest first, and the one that it has.

        Args:
            session: a session of the author, or of a user who may moderate the room.
            target: the room, or the direct conversation.
            seq: the message.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NoSuchMessage, NotAuthor, MessageDeleted, NotStored.
            NotAllowed: earlier texts are not kept.
        """
        if not self.keep_versions:
            raise NotAllowed("Earlier texts of messages are not kept here.")
        user = session.user
        room = await self._find_place(target, user)
        if not room.id:
            raise NoSuchMessage()
        found = await self._store.versions(room.id, seq)
        if not (may_moderate(user, room) or found.author_id == user.id):
            raise NotAuthor()
        if found.deleted:
            raise MessageDeleted()
        return found.versions

    def _check_speech(self, room: Room | Conversation, user: User, reacts: bool = False) -> None:
        """Check that a user may speak in a room. Raises IsMuted, ModeratedRoom."""
        if isinstance(room, Room):
            refusal = find_refusal(room, user.id, user.name, self._users.now(), reacts)
            if refusal is not None:
                raise refusal

    def _entry(
        self, kind: type[C], session: Session, room: Room | Conversation, seq: int, **fields: Any
    ) -> C:
        """Return the entry of a change by the user of a session."""
        user = session.user
        return kind(
            room_name=room.name,
            usr=user.name,
            subject_id=user.id,
            at=self._users.now(),
            of=seq,
            **fields,
        )

    async def _append(
        self,
        session: Session,
        room: Room | Conversation,
        entry: MessageChange,
        txn: str | None,
        audit: Callable[[], AuditRecord | None] | None = None,
        refusal: SlowMode | None = None,
        flagged: Callable[[PendingEntry], None] | None = None,
    ) -> Ack:
        """Store a change. Return its ack."""
        check_txn(txn)
        is_moderator = may_moderate(session.user, room)
        users = room.users if isinstance(room, Conversation) else None
        limits = self._change_limits(room.id)
        return await self._delivery.append_message_change(
            session, room, entry, txn, is_moderator, limits, users, audit, refusal, flagged
        )
