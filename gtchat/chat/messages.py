"""Messages: their texts, speaking in a room, reading its history, the operator's broadcast.

`speak` checks the rules and queues the entry; `delivery` takes it from there once it is stored.
Direct messages are in `direct`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.background import run_in_background
from gtchat.chat.conversations import Conversation, Conversations, Target
from gtchat.chat.errors import (
    BadKey,
    BadRequest,
    ChatError,
    NoSuchRoom,
    NotAllowed,
    NotInRoom,
    NotLoggedIn,
    PrivateRoom,
    RateLimited,
)
from gtchat.chat.events import BroadcastSent, GuestMessage, MessageSent
from gtchat.chat.guesses import Guesses
from gtchat.chat.interfaces import Ack, FoundRoom, HistoryPage, HistoryQuery
from gtchat.chat.limits import Limits, network_key
from gtchat.chat.message_rules import annotated
from gtchat.chat.moderation import UNMODERATED, check_ban, find_refusal, slow_seconds
from gtchat.chat.names import HOST
from gtchat.chat.normalization import MAX_COMPOSED, nfc, too_long
from gtchat.chat.queued import PendingMessage
from gtchat.chat.relay import BroadcastMade
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.storage_store import utf8_size
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session, User

#: Longest idempotency key of a request, in characters.
TXN_CHARS = 64
#: Most entries in a page of history.
HISTORY_LIMIT = 200

_FORBIDDEN_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
#: Invisible characters: white space, format characters, variation selectors, fillers.
_INVISIBLE = frozenset(
    chr(number)
    for number in [
        *(number for number in range(0x3001) if chr(number).isspace()),
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
        *range(0xE0100, 0xE01F0),
    ]
)
_VISIBLE = re.compile(f"[^{''.join(map(re.escape, sorted(_INVISIBLE)))}]")


def text(raw: str, max_chars: int, field: str = "msg") -> str:
    """Return the text of a message: in NFC, with LF at the ends of its lines (RFC 5198, section 2).

    Args:
        raw: the text as received.
        max_chars: maximum length in characters, 0 for no limit.
        field: what errors call it.

    Raises:
        BadRequest: it is empty or invisible, or has a C0 control other than newline and tab, or
            more than 30 combining marks in a row.
        TooLong: it has more than `max_chars` characters.
    """
    if not (raw.isascii() and raw.isprintable()):
        # A length that no step below can make good comes before their cost.
        if max_chars and len(raw) > max_chars * MAX_COMPOSED:
            raise too_long(max_chars, field)
        if "\r" in raw:
            raw = raw.replace("\r\n", "\n").replace("\r", "\n")
        raw = nfc(raw, 0, field)
        if _FORBIDDEN_CONTROLS.search(raw):
            raise BadRequest(f"{field}: of control characters only newline and tab are allowed.")
    if max_chars and len(raw) > max_chars:
        raise too_long(max_chars, field)
    if not raw or raw[0] in _INVISIBLE and not _VISIBLE.search(raw):
        raise BadRequest(f"{field}: the text is empty.")
    return raw


def check_txn(raw: str | None) -> None:
    """Check the idempotency key of a request, if it has one.

    Raises:
        BadRequest: it is empty or longer than 64 characters, or has a NUL.
    """
    if raw is None:
        return
    if not 1 <= len(raw) <= TXN_CHARS:
        raise BadRequest(f"txn: must have 1 to {TXN_CHARS} characters.")
    if "\0" in raw:  # PostgreSQL can't store it
        raise BadRequest("txn: the character NUL is not allowed.")


def _check_limit(query: HistoryQuery) -> None:
    """Raise BadRequest if a query asks for no entries or for more than `HISTORY_LIMIT`."""
    if not 1 <= query.limit <= HISTORY_LIMIT:
        raise BadRequest(f"limit: must be 1 to {HISTORY_LIMIT}.")


def _check_preview(room: Room | FoundRoom, user: User, at: int) -> None:
    """Check that a user who is no member can read the newest messages of a room.

    Args:
        room: the room.
        user: the user.
        at: now, in milliseconds since 1970, UTC.

    Raises:
        PrivateRoom, NotAllowed, BannedFromRoom.
    """
    if not room.public:
        raise PrivateRoom()
    if not room.preview:
        raise NotAllowed("The owner of this room allows no preview.")
    check_ban(room, user.id, user.name, at)


def _preview_rate(limits: Limits) -> tuple[float, float]:
    per_minute = limits.previews_per_minute
    return per_minute / 60, max(per_minute, 1)


class Messages:
    """Sends and reads messages of rooms.

    Args:
        state: the chat's shared objects.
        conversations: finds rooms and direct conversations.
        broadcast_key: the key that a broadcast needs; None if broadcasts are not allowed.
        guesses: counts wrong keys.
    """

    def __init__(
        self,
        state: State,
        conversations: Conversations,
        broadcast_key: str | None,
        guesses: Guesses,
    ) -> None:
        self._conversations = conversations
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._relay = state.relay
        self._audit = state.audit
        self._wall = state.wall
        self._next_id = state.next_id
        self._quota = state.quota
        self._panic = state.access.panic
        self._filter = state.word_filter
        self._limits = state.limits
        self._broadcast_key = broadcast_key
        self._guesses = guesses
        #: Network -> its previews of rooms.
        self._previews = BucketTable(state.limits.rate(_preview_rate), state.clock.seconds)

    def speak(
        self,
        session: Session,
        room_name: str,
        msg: str,
        txn: str | None,
        done: Callable[[Ack | ChatError], None],
        reply: int | None = None,
        style: str = "",
    ) -> None:
        """Queue a message to a room.

        Args:
            session: the sender's session.
            room_name: the room, as the sender typed it.
            msg: the text.
            txn: the client's idempotency key, 1 to 64 characters; None if it has none.
            done: called later with the ack, or with `NotStored`, `TxnConflict`, `SlowMode`, with
                `NotInRoom`, `IsMuted` or `ModeratedRoom` if another node has made that so, with
                `NoSuchRoom` or `NotInRoom` for a room that is not in memory, or, for a reply, with
                `NoSuchMessage` or `MessageDeleted`. The calls for
                rooms of the user come in the order of the requests of a session. It is a plain
                call because a Deferred would cost as much as the rules.
            reply: seq of the message that it replies to, None for none.
            style: "" or "action", see `AnnotatedMessage`.

        Raises:
            NoSuchRoom, NotInRoom, IsMuted, ModeratedRoom, BadRequest, TooLong, SlowMode,
                Filtered, OverQuota, StorageFull, NotStored: at once; then `done` is not called.
        """
        user = session.user
        try:
            room = self._rooms.require_member(room_name, user)
        except NoSuchRoom:
            if not self._loader.may_be_stored(room_name):
                raise
            refusing = Deferred.fromCoroutine(self._refuse(user, room_name, done))
            run_in_background(refusing, "refusing a message")
            return
        if txn is not None:
            check_txn(txn)
        at, slow = int(self._wall() * 1000), 0
        if room.moderation is not UNMODERATED:
            refusal = find_refusal(room, user.id, user.name, at)
            if refusal is not None:
                raise refusal
            slow = slow_seconds(room, user.id, user.name)
        msg = text(msg, self._limits.text_chars)
        refusal = self._panic.check(session, room, txn) if self._panic.until else None
        flag = None
        if self._filter.rules and refusal is None:
            flag = self._filter.check(session, msg, room)
        # Quota.charge, without its call.
        size = len(msg) if msg.isascii() else utf8_size(msg)
        if size > session.prepaid or self._quota.restricted:
            self._quota.prepay(session, size, room.id)
        session.prepaid -= size
        guest = not user.registered and user.key != HOST.key
        entry: MessageSent = (GuestMessage if guest else MessageSent)(
            room_name=room.name,
            usr=user.name,
            msg=msg,
            id=self._next_id(),
            at=at,
            subject_id=user.id,
        )
        if reply is not None or style:
            target = None if reply is None else ReplyTo(reply)
            entry = attrs.evolve(annotated(entry), reply=target, style=style)
        pending = PendingMessage(
            room_id=room.id,
            entry=entry,
            txn=txn,
            sender_id=None if txn is None else user.id,
            checked=room.foreign,
            slow=slow,
            refusal=refusal,
            room=room,
            session=session,
            done=done,
        )
        self._store.append(pending)
        if flag is not None:
            self._filter.report(flag, session, room, pending)

    async def _refuse(
        self, user: User, room_name: str, done: Callable[[Ack | ChatError], None]
    ) -> None:
        """Tell why a message to a room that was not in memory is refused: the user is not in it."""
        try:
            await self._loader.require_member(room_name, user)
        except ChatError as error:
            done(error)
        else:  # has joined it since
            done(NotInRoom())

    async def history(self, session: Session, target: Target, query: HistoryQuery) -> HistoryPage:
        """Read part of the log of a room, or of a direct conversation.

        Args:
            session: a session of a user who is in it.
            target: the room, or the direct conversation.
            query: which entries.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser.
            BadRequest: the query asks for no entries or for more than `HISTORY_LIMIT`.
        """
        _check_limit(query)
        room = await self._conversations.require(target, session.user)
        query = attrs.evolve(query, viewer=session.user.id)
        page = await self._store.history(room.id, query)
        if isinstance(room, Conversation):
            return attrs.evolve(page, entries=room.entries(page.entries))
        return page

    async def preview(self, session: Session, raw: str, query: HistoryQuery) -> HistoryPage:
        """Read the newest messages of a public room, of which the user need not be a member.

        Nothing else happens: the user is not told of later messages, and no message counts as read.

        Args:
            session: a session of the user.
            raw: the name of the room as it was typed.
            query: its `limit` counts; the rest is as in `HistoryQuery.preview`.

        Raises:
            NoSuchRoom, NotStored.
            BadRequest: the query asks for no entries or for more than `HISTORY_LIMIT`.
            PrivateRoom: the room is private.
            NotAllowed: the owner has turned previews off.
            BannedFromRoom: the user is banned from the room.
            RateLimited: the network of the user reads too many previews.
        """
        _check_limit(query)
        room = await self._loader.look(raw)
        _check_preview(room, session.user, self._users.now())
        if wait := self._previews.take(network_key(session.connection.address)):
            raise RateLimited("Too many previews from your address.", retry_after=wait)
        query = attrs.evolve(query, viewer=session.user.id, preview=True)
        page = await self._store.history(room.id, query)
        _check_preview(await self._loader.look(raw), session.user, self._users.now())
        return page

    async def broadcast(self, session: Session, msg: str, key: str) -> int:
        """Send a message to every logged-in user. It is not stored.

        Args:
            session: the sender's session.
            msg: the text.
            key: the operator's broadcast key.

        Returns:
            The number of users who received it.

        Raises:
            BadKey, BadRequest, TooLong.
            LockedOut, RateLimited: there were too many wrong keys.
            NotLoggedIn: the session has ended meanwhile.
            NotStored.
        """
        await self._check_key(session, key)
        if session not in session.user.sessions:
            raise NotLoggedIn()
        event = BroadcastSent(
            usr=session.user.name, msg=text(msg, self._limits.text_chars), at=self._users.now()
        )
        self._audit.note("broadcast", session.actor, name=session.user.name)
        self._relay.send(BroadcastMade(event))
        return self._users.broadcast(event, exclude=session)

    async def _check_key(self, session: Session, key: str) -> None:
        """Check a broadcast key; wrong ones count as wrong passwords do.

        Raises:
            BadKey.
            LockedOut, RateLimited: the user, or the user's network, gave too many wrong keys.
            NotStored.
        """
        subject = f"broadcast key from {session.user.key}"  # no name of a user: those have no space
        network = network_key(session.connection.address)
        expected = self._broadcast_key
        given = key.encode("utf-8", "replace")
        if not hmac.compare_digest(given, (expected or "").encode()) or not expected:
            await self._guesses.failed(subject, network, self._limits.lockout_seconds, rated=True)
            self._audit.note("broadcast_refused", session.actor, name=session.user.name)
            raise BadKey()
        await self._guesses.succeeded(subject, network, rated=True)
