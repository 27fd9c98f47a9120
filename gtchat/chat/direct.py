"""Direct messages (whispers): from one user to one other; entries of the log of the two.

A client that does not show direct conversations itself is sent those messages that have not
arrived at the account, which the store knows; what has arrived is in `arrivals`. A user who lost
the connection before gets them again with the same ids.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.arrivals import Arrivals, Sent
from gtchat.chat.blocks import hides
from gtchat.chat.conversations import Conversations, DirectTarget, publish_change
from gtchat.chat.errors import ChatError, SelfTarget
from gtchat.chat.events import (
    Edited,
    MessageChange,
    MessageSent,
    Reacted,
    WhisperSent,
)
from gtchat.chat.foreign import ForeignDirect
from gtchat.chat.interfaces import (
    Ack,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.chat.limits import REPLY_BYTES
from gtchat.chat.message_records import Pair
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.messages import check_txn, text
from gtchat.chat.names import HOST
from gtchat.chat.node_records import ForeignHandlers
from gtchat.chat.pending_delivery import PendingDelivery
from gtchat.chat.state import State
from gtchat.chat.subscribers import connections_of
from gtchat.chat.users import Session, User

#: Stored whispers that are sent at once, and seconds between two looks whether they have left.
PAGE, PAUSE_S = 100, 0.05
#: Characters of a page that are so much that no more is sent at once: a page has `REPLY_BYTES`.
PAGE_CHARS = REPLY_BYTES // 8
#: Whispers that can wait: from a user to one other, and to one who has never answered.
PENDING_OF_PAIR, PENDING_OF_STRANGER = 1_000, 100


class Whispers(Arrivals):
    """Stores and sends direct messages.

    Args:
        state: the chat's shared objects.
        conversations: finds the direct conversations.
    """

    def __init__(self, state: State, conversations: Conversations) -> None:
        super().__init__(state)
        self._conversations = conversations
        self._rooms = state.rooms
        self._store = state.store
        self._limits = state.limits
        self._users = state.users
        self._next_id = state.next_id
        self._quota = state.quota
        self._panic = state.access.panic
        self._filter = state.word_filter

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {ForeignDirect: self._publish_foreign}

    async def send(
        self,
        session: Session,
        target: DirectTarget,
        raw: str,
        txn: str | None,
        reply: int | None = None,
        style: str = "",
        to_self: bool = False,
    ) -> tuple[Ack, bool]:
        """Send a direct message to a user.

        Args:
            session: the sender's session.
            target: the user, or the conversation with the user.
            raw: the text.
            txn: the client's idempotency key, 1 to 64 characters; None if it has none.
            reply, style: as of `Messages.speak`.
            to_self: whether users can send messages to themselves.

        Returns:
            The ack, and whether the user was online and was sent the message.

        Raises:
            BadRequest, TooLong, NoSuchUser, NoSuchRoom, SelfTarget, Blocked, SlowMode, Filtered,
                TxnConflict, OverQuota, NotStored, NoSuchMessage, MessageDeleted.
            NotAllowed: the user's account has ended; or too many of the sender's messages wait
                for the user, or, if the user has never written to the sender, too many of such
                senders.
        """
        check_txn(txn)
        msg = text(raw, self._limits.text_chars)
        user = session.user
        if target.usr is not None:
            found = await self._conversations.with_user(target.usr, user)
        else:
            found = await self._conversations.find(target, user)
        if found.other_id == user.id and not to_self:
            raise SelfTarget()
        found.require_open()
        refusal = self._panic.check(session, txn=txn)
        flag = None
        if self._filter.directs and refusal is None:
            flag = self._filter.check(session, msg)
        event = WhisperSent(
            usr=user.name,
            subject_id=user.id,
            msg=msg,
            id=self._next_id(),
            at=self._users.now(),
            reply=None if reply is None else ReplyTo(reply),
            style=style,
            guest=not user.registered and user.key != HOST.key,
        )
        pending = PendingWhisper(
            entry=event,
            txn=txn,
            sender_id=user.id,
            target_id=found.other_id,
            users=found.users,
            refusal=refusal,
        )
        limits = WhisperLimits(
            pair=PENDING_OF_PAIR,
            stranger=PENDING_OF_STRANGER,
            strangers=self._limits.stored_whispers_per_user,
        )
        self._quota.charge(session, msg)
        try:
            storing = self._store.whisper(pending, limits)
            if flag is not None:
                self._filter.report(flag, session, None, pending)
            ack = await storing
        except ChatError:
            self._quota.give_back(session, msg)
            raise
        if ack.dup:
            self._quota.give_back(session, msg)
            return ack, False
        self._publish(event, pending.room_id, found.users, session)
        return ack, found.other_id != user.id and self._users.is_online(found.other_id)

    def _publish(
        self, event: WhisperSent, room_id: int, users: Pair, sender: Session | None
    ) -> None:
        """Send a stored message to the sessions of its two users.

        Args:
            event: the message as the other user gets it.
            room_id: the log that has it.
            users: its author and the other user.
            sender: the session that has sent it, which is not sent it; None if it is elsewhere.
        """
        (author_id, _), (other_id, other_name) = users
        author, other = self._users.get_by_id(author_id), self._users.get_by_id(other_id)
        if author is not None:
            author.send(attrs.evolve(event, to=other_name), exclude=sender)
        if other is None or other is author:
            return
        for session in other.sessions:
            if session.pending is not None:
                session.pending.came[room_id] = event.seq
            elif event.seq > session.sent_directs.get(room_id, 0):
                self._send(session, event, room_id, event.seq)

    def _publish_foreign(self, node_id: int, found: ForeignDirect) -> None:
        """Send an entry that another node has stored to those of its users who are here."""
        entry, users = found.entry, found.users
        if isinstance(entry, MessageSent):
            event = whisper_of(entry)
            if event.deleted is None:
                self._publish(event, found.room_id, users, None)
            return
        assert isinstance(entry, MessageChange)
        is_said = isinstance(entry, Edited | Reacted)
        blockers = self._users.blockers_of(users[0][0]) if is_said else ()
        publish_change(self._users, entry, found.room_id, users, connections_of(blockers))

    def _send(self, session: Session, event: WhisperSent, room_id: int, seq: int) -> None:
        """Send a message of a log to a session of its target, once."""
        if not self._is_unconfirmed(session, event.id):
            session.send(event)
            self._add_unconfirmed(session, event.id, Sent(room_id, seq))

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session all messages that wait for its user, as fast as the client reads.

        What blocked users said is left out.

        Raises:
            NotStored: they could not be read, and are sent at the next login.
        """
        pending = session.pending or PendingDelivery()
        session.sent_directs = pending.sent
        after = 0
        hidden = hides(session.user)
        while session in session.user.sessions:
            came = dict(pending.came)
            page = await self._store.whispers(session.user.id, after, PAGE)
            if session not in session.user.sessions:
                return
            for whisper in page:
                after = whisper.number
                if pending.is_new(whisper) and not hidden(whisper.event):
                    self._send(session, whisper.event, whisper.room_id, whisper.seq)
            if len(page) == PAGE or sum(len(one.event.msg) for one in page) >= PAGE_CHARS:
                await self._wait_for_reader(session)
            if page:
                continue
            if pending.end_pass(came):
                after = 0
            elif came == pending.came:
                session.pending = None
                return

    async def _wait_for_reader(self, session: Session) -> None:
        """Wait until a client has read what it was sent, or its session has ended."""
        while session.connection.buffered_bytes and session in session.user.sessions:
            waiting: Deferred[None] = Deferred()
            self._clock.callLater(PAUSE_S, waiting.callback, None)
            await waiting

    async def keep(self, user: User, event: MessageSent) -> None:
        """Have a message of the lobby that did not reach a user delivered at the next login.

        Args:
            user: the user who did not get it.
            event: the message.

        Raises:
            NoSuchUser: the account does not exist any more.
            NotStored.
        """
        await self._store.add_missed(
            user.id, self._rooms.lobby.id, event.seq, self._limits.stored_whispers_per_user
        )
