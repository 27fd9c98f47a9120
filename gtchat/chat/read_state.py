"""Read state: typing notifications, how far a user has read a room, what mentions the user.

Typing notifications go to the sessions of the room and are not stored. Read marks and levels of
notifications are stored, and go to the user's other sessions. Unread messages and mentions are
counted from the read marks whenever they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from gtchat.chat.conversations import Conversation, Conversations, Target
from gtchat.chat.errors import BadRequest, NotStored, RateLimited
from gtchat.chat.events import MessageSent, NotifySet, ReadMarked, UserTyping
from gtchat.chat.interfaces import AccountState, Direct, MentionsPage, UnreadRecord
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.moderation import find_refusal
from gtchat.chat.relay import DirectTyping, ReadMoved, RoomTyping
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.state import State
from gtchat.chat.subscribers import connections_of
from gtchat.chat.told import Told
from gtchat.chat.users import Session, User, UserRegistry

#: Of which messages of a room a user can want to be notified.
LEVELS = ("all", "mentions", "none")
#: Most messages in a page of mentions.
MENTIONS_LIMIT = 200


class ReadState:
    """Sends typing notifications and read marks; keeps what users want to be notified of.

    Args:
        state: the chat's shared objects.
        conversations: finds rooms and direct conversations.
    """

    def __init__(self, state: State, conversations: Conversations) -> None:
        self._conversations = conversations
        self._state = state
        self._store = state.store
        self._clock = state.clock
        self._limits = state.limits
        self._users = state.users
        self._rooms = state.rooms
        self._relay = state.relay

    async def typing(self, session: Session, target: Target) -> None:
        """Notify the others in a room that a user is typing, except those who block them.

        Args:
            session: a session of the user who is typing.
            target: the room, or the direct conversation.

        Raises:
            NoSuchRoom, NotInRoom, IsMuted, ModeratedRoom, NoSuchUser, Blocked, NotAllowed.
            RateLimited: the last notification to the room is less than `typing_interval` ago.
        """
        user = session.user
        room = await self._conversations.require(target, user)
        if isinstance(room, Room):
            refusal = find_refusal(room, user.id, user.name, self._users.now())
            if refusal is not None:
                raise refusal
            self._charge(user, room.id)
            send_typing(self._users, room, user.id, user.name)
            self._relay.send(RoomTyping(room.id, user.id, user.name))
            return
        room.require_open()
        self._charge(user, room.id or -abs(room.other_id))
        if room.other_id != user.id:
            send_direct_typing(self._users, room.other_id, user.id, user.name)
            self._relay.send(DirectTyping(room.other_id, user.id, user.name))

    def _charge(self, user: User, place: int) -> None:
        """Check the rate of notifications to a room or a user. Raises RateLimited."""
        now, interval = self._clock.seconds(), self._limits.typing_interval
        # Older ones are dropped, so that the table does not grow with the user's rooms.
        recent = {room_id: at for room_id, at in user.typed_at.items() if now - at < interval}
        if place in recent:
            raise RateLimited(retry_after=interval - (now - recent[place]))
        user.typed_at = {**recent, place: now}

    async def mark_read(self, session: Session, target: Target, seq: int) -> None:
        """Mark a room as read up to an entry; an entry before the last mark changes nothing.

        Args:
            session: a session of the user.
            target: the room, or the direct conversation.
            seq: the entry, 0 for none.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
            BadRequest: the room has no such entry.
        """
        user = session.user
        room = await self._require_entry(target, user, seq, 0)
        if not room.id:
            return
        before = _read_seq(user, room)
        read_seq = await self._store.mark_read(user.id, session.token_hash, room.id, seq)
        _set_read_seq(user, room, read_seq)
        if read_seq > before:
            self._send_mark(session, room, read_seq)

    async def _require_entry(
        self, target: Target, user: User, seq: int, first: int
    ) -> Room | Conversation:
        """Return the room or the conversation that a user is in, which has an entry.

        Raises:
            BadRequest: the seq is below `first`, or no entry has it.
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
        """
        room = await self._conversations.require(target, user)
        if seq > room.last_seq and isinstance(room, Room):
            # History has what other nodes have stored before it is delivered here.
            await self._store.catch_up((room.id,))
            room = await self._conversations.require(target, user)
        if not first <= seq <= room.last_seq:
            raise BadRequest(f"seq: must be {first} to {room.last_seq}, the last entry.")
        return room

    def _send_mark(self, session: Session, room: Room | Conversation, read_seq: int) -> None:
        """Tell the user's other sessions up to which entry a room is read."""
        event = ReadMarked(**_place(room), read_seq=read_seq, at=self._users.now())
        session.user.send(event, exclude=session)
        self._relay.send(ReadMoved(session.user.id, room.id, read_seq, event))

    async def mark_unread(self, session: Session, target: Target, seq: int) -> int:
        """Mark a room as unread from an entry on; where it is not read so far, nothing changes.

        Args:
            session: a session of the user, which marks what was read from now on.
            target: the room, or the direct conversation.
            seq: the first entry that is unread.

        Returns:
            The last entry that counts as read.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
            BadRequest: the room has no such entry.
        """
        user = session.user
        room = await self._require_entry(target, user, seq, 1)
        # A mark of the user's own last message must not come after this.
        await self._state.sender_marks.store()
        before = _read_seq(user, room)
        read_seq = await self._store.mark_unread(user.id, session.token_hash, room.id, seq - 1)
        _set_read_seq(user, room, read_seq)
        if read_seq < before:
            self._send_mark(session, room, read_seq)
        return read_seq

    async def set_notify(self, session: Session, target: Target, level: str) -> None:
        """Set of which messages of a room the user is notified.

        Args:
            session: a session of the user.
            target: the room, or the direct conversation.
            level: one of `LEVELS`.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
            NoSuchMessage: the conversation has not begun.
            BadRequest: there is no such level.
        """
        user = session.user
        room = await self._conversations.require(target, user)
        if level not in LEVELS:
            raise BadRequest(f"level: must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")
        if isinstance(room, Conversation):
            room.require_begun()
        event = NotifySet(**_place(room), level=level, at=self._users.now())
        await self._store.set_notify(user.id, room.id, level, (Told(user.id, event),))
        if _level(user, room) == level or not room.has_member(user):
            return
        if isinstance(room, Room):
            set_level(user, room, level)
        user.send(event, exclude=session)

    async def mentions(self, session: Session, before: int | None, limit: int) -> MentionsPage:
        """Return messages that mention the user, the newest mention first.

        Args:
            session: a session of the user.
            before: `MentionsPage.next` of the page before, None for the first page.
            limit: maximum number of messages, 1 to `MENTIONS_LIMIT`.

        Raises:
            BadRequest: the limit is another.
            NotStored.
        """
        if not 1 <= limit <= MENTIONS_LIMIT:
            raise BadRequest(f"limit: must be 1 to {MENTIONS_LIMIT}.")
        user = session.user
        page = await self._store.mentions(user.id, before, limit)
        # Those without a room are direct messages to the user: no message mentions its author.
        entries = (
            one if one.room_name or not isinstance(one, MessageSent) else whisper_of(one, user.name)
            for one in page.entries
        )
        return MentionsPage(tuple(entries), page.next)

    async def refresh_unread(self, user: User) -> None:
        """Count the unread messages of a user who is logged in, for `User.unread`.

        If they can't be read from the store, the counts stay as they are.
        """
        try:
            counted = await count_unread(self._state, user.id, None)
        except NotStored:
            return
        set_unread(user, self._rooms, counted)


def _read_seq(user: User, room: Room | Conversation) -> int:
    """Return up to which entry a user has read a room."""
    return user.read_seq(room) if isinstance(room, Room) else room.read_seq


def _set_read_seq(user: User, room: Room | Conversation, read_seq: int) -> None:
    """Keep up to which entry a user has read a room; of conversations nothing is kept here."""
    if isinstance(room, Room):
        user.set_read_seq(room, read_seq)


def set_level(user: User, room: Room, level: str) -> None:
    """Keep of which messages of a room a user is notified."""
    others = {key: one for key, one in user.notify.items() if key != room.id}
    user.notify = others if level == LEVELS[0] else {**others, room.id: level}


def _level(user: User, room: Room | Conversation) -> str:
    """Return of which messages of a room a user is notified."""
    return user.notify.get(room.id, LEVELS[0]) if isinstance(room, Room) else room.notify


def _place(room: Room | Conversation) -> dict[str, Any]:
    """Return the field of an event that names a room, the other user or a conversation."""
    if isinstance(room, Room):
        return {"room_name": room.name}
    return {"direct": room.id} if room.ended else {"target_user": room.other}


def send_typing(users: UserRegistry, room: Room, account_id: int, usr: str) -> None:
    """Notify the sessions in a room that a user is typing.

    Args:
        users: has the sessions of the user, and of those who block the user: they are left out.
        room: the room.
        account_id, usr: the user.
    """
    user = users.get_by_id(account_id)
    excluded = [*(user.sessions if user is not None else ()), *users.blockers_of(account_id)]
    event = UserTyping(room_name=room.name, usr=usr, at=users.now())
    room.subscribers.publish([event], exclude=connections_of(excluded))


def send_direct_typing(users: UserRegistry, account_id: int, sender_id: int, usr: str) -> None:
    """Notify the sessions of an account that a user is typing to it, unless it blocks the user.

    Args:
        users: has the sessions.
        account_id: the account.
        sender_id, usr: the user who is typing.
    """
    user = users.get_by_id(account_id)
    if user is not None and sender_id not in user.blocked:
        user.send(UserTyping(target_user=usr, usr=usr, at=users.now()))


def load_user(user: User, rooms: RoomRegistry, account_state: AccountState) -> None:
    """Set the rooms, read marks and blocks of a user from the store's record.

    Args:
        user: the user.
        rooms: the rooms in memory, with those of the user.
        account_state: what the store has.
    """
    user.rooms = {}
    levels: dict[int, str] = {}
    for record in account_state.memberships:
        room = rooms.get(record.room_id)
        # Others come as entries: the store has them, and they are not delivered here yet.
        if room is None or not room.has_stored_member(user.id):
            continue
        if not room.is_lobby:
            user.rooms[room] = 0
        user.set_read_seq(room, record.read_seq)
        if record.notify != LEVELS[0]:
            levels[room.id] = record.notify
    user.notify = levels
    user.blocked = dict(account_state.blocked)
    user.blocked_by = account_state.blocked_by


def advance_marks(user: User, rooms: RoomRegistry, account_state: AccountState) -> None:
    """Advance the read marks of a user who is logged in to those that the store has.

    What was sent to a session that has ended counts as read; other sessions of the user go on.

    Args:
        user, rooms, account_state: as in `load_user`.
    """
    for record in account_state.memberships:
        room = rooms.get(record.room_id)
        if room is not None and room.has_member(user) and record.read_seq > user.read_seq(room):
            user.set_read_seq(room, record.read_seq)


async def count_unread(
    state: State, account_id: int | None, token_hash: bytes | None
) -> Mapping[int, UnreadRecord]:
    """Count the unread messages of an account, whether it is logged in or not.

    Args:
        state: the chat's shared objects.
        account_id, token_hash: as in `IStore.unread`.

    Raises:
        BadSession: there is no session with this token.
        NotStored: they could not be read.
    """
    await state.sender_marks.store()
    return await state.store.unread(account_id, token_hash)


async def read_account(
    state: State, account_id: int | None, token_hash: bytes | None
) -> tuple[Mapping[int, tuple[str, str]], Mapping[int, UnreadRecord]]:
    """Return what is read of an account before a session of it begins; see `IRoomStore.rooms_of`.

    The session has to begin next: what is stored meanwhile in a room without unread messages would
    be taken for read.

    Args:
        state: the chat's shared objects.
        account_id, token_hash: as in `IRoomStore.rooms_of`.

    Raises:
        NotStored: it could not be read.
    """
    await state.rooms.public.counted()  # a session is told how many there are
    await state.sender_marks.store()
    return await state.store.rooms_of(account_id, token_hash)


def set_unread(user: User, rooms: RoomRegistry, counted: Mapping[int, UnreadRecord]) -> None:
    """Set the unread counts of a user.

    Args:
        user: the user, with the present read marks.
        rooms: the rooms in memory, with those of the user.
        counted: room id -> what was counted; messages that came since are added.
    """
    user.unread = {}
    mentions: dict[int, int] = {}
    for room_id, record in counted.items():
        room = rooms.get(room_id)
        if room is not None and room.has_member(user) and room.last_seq > user.read_seq(room):
            unread = record.unread + room.message_count - record.message_count
            # What another session was sent may count as read since then.
            unread = min(unread, room.last_seq - user.read_seq(room))
            if unread > 0:
                user.unread[room_id] = unread
                if record.mentions:
                    mentions[room_id] = min(record.mentions, unread)
    user.mentions = mentions


def with_unread(
    directs: Iterable[Direct], counted: Mapping[int, UnreadRecord]
) -> tuple[Direct, ...]:
    """Return direct conversations with their unread messages and mentions.

    Args:
        directs: the conversations as they are now.
        counted: id -> what was counted; messages that came since are added.
    """
    return tuple(_with_unread(one, counted.get(one.id)) for one in directs)


def _with_unread(direct: Direct, record: UnreadRecord | None) -> Direct:
    if record is None:
        return direct
    since = direct.message_count - record.message_count
    unread = max(0, min(record.unread + since, direct.last_seq - direct.read_seq))
    return attrs.evolve(direct, unread=unread, mentions=min(record.mentions, unread))
