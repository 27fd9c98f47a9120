"""The chat: what protocols hold on to. Its parts stand beside it, one for each thing to do.

`speak` is here, since it is the way of every message: it checks the rules, queues the entry and
returns; the answer comes when the message is stored (see `log`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gtchat.chat.accounts import Accounts
from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.blocks import Blocks
from gtchat.chat.delivery import Delivery, PendingMessage
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import BadKey, BadRequest, ChatError
from gtchat.chat.events import BroadcastSent, MessageSent
from gtchat.chat.interfaces import Ack, HistoryPage, HistoryQuery, IPasswords, IStore
from gtchat.chat.invitations import Invitations
from gtchat.chat.limits import BucketTable, Limits
from gtchat.chat.membership import Membership
from gtchat.chat.names import check_txn, message_ids, text
from gtchat.chat.peer_address import PeerAddress
from gtchat.chat.read_state import ReadState
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.sessions import GUEST_GRACE_S, RESUME_WINDOW_S, Sessions
from gtchat.chat.users import Session, User, UserDirectory, UserRegistry

HISTORY_LIMIT = 200
#: Seconds between two clean-ups of what has expired in the store; txns are kept for a day.
PRUNE_INTERVAL_S, TXN_RETENTION_S = 3600, 24 * 3600

_log = Logger()


class Chat:
    """One chat.

    Args:
        store: where it is kept.
        clock: calls later, and counts seconds that pass.
        limits: its bounds.
        passwords: hashes them.
        token: makes an unguessable string.
        sessions: `replace`, `refuse` or `share`, see `Sessions`.
        broadcast_key: what a broadcast needs; None: nobody can.
        wall: tells the time of day, in seconds since 1970; the clock's own where there is none.
            It may jump, and is used for nothing but to say when something was.

    Attributes:
        accounts, sessions, membership, invitations, whispers, consent, attention: what people can
            do.
        persons: whom somebody means by a name.
        rooms, users: what is there.
        rates: the token bucket of each account by its id, for all of its connections.
        epoch: names all logs together; another one after a restored backup.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        limits: Limits,
        passwords: IPasswords,
        token: Callable[[], str],
        sessions: str = "replace",
        broadcast_key: str | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self.clock = clock
        self._broadcast_key = broadcast_key
        self._next_id = message_ids(token)
        self._seconds = wall or clock.seconds
        self._prune: IDelayedCall | None = None
        self.limits = limits
        self.rates = BucketTable(limits.commands_per_second, limits.commands_burst, clock.seconds)
        self.epoch = ""
        self.rooms = RoomRegistry()
        self.users = UserRegistry(clock, self._seconds)
        self._delivery = Delivery(store, self.users, self.rooms)
        self.directory = directory = UserDirectory(store, self.users)
        self.accounts = Accounts(store, clock, limits, passwords, self.users.now)
        self.membership = Membership(
            store, limits, self.users, directory, self.rooms, self._delivery
        )
        self.invitations = Invitations(store, self.users, directory, self.rooms, self.membership)
        self.whispers = Whispers(store, clock, limits, self.users, directory, self._next_id)
        self.blocks = Blocks(store, self.users, directory)
        self.peer_address = PeerAddress(store, self.users, directory)
        self.read_state = ReadState(store, limits, self.users, self.rooms, clock.seconds)
        self.sessions = Sessions(
            store,
            clock,
            limits,
            self.accounts,
            self.users,
            self.rooms,
            self.membership,
            self.whispers,
            token,
            sessions,
        )

    def start(self) -> None:
        """Take up what the store has. To be called once, before anybody comes."""
        contents = self._store.load()
        self.epoch = self.sessions.epoch = contents.epoch
        for record in contents.rooms:
            self.rooms.add(Room.from_record(record))
        self.membership.count_owned()
        guests = {
            account.id: User(id=account.id, name=account.name, key=account.key, registered=False)
            for account in contents.guests
        }
        for room in self.rooms:
            for member in room.guests & guests.keys():
                guests[member].rooms[room] = 0
        for guest in guests.values():
            self.users.add(guest)
            self.sessions.start_grace_period(guest, GUEST_GRACE_S)
        self._clean_up()

    def _clean_up(self) -> None:
        """Forget what has expired, now and every hour."""
        now = self.users.now()
        pruned = self._store.prune(now - RESUME_WINDOW_S * 1000, now - TXN_RETENTION_S * 1000)
        run_in_background(pruned, "cleaning up")
        self._prune = self.clock.callLater(PRUNE_INTERVAL_S, self._clean_up)

    async def stop(self) -> None:
        """Leave no timer behind, and wait until everything queued is stored."""
        if self._prune is not None:
            self._prune.cancel()
            self._prune = None
        self.whispers.stop()
        self.users.stop()
        await self._store.flush()

    def speak(
        self,
        session: Session,
        room_name: str,
        msg: str,
        txn: str | None,
        done: Callable[[Ack | ChatError], None],
    ) -> None:
        """Say something in a room.

        Args:
            txn: the client's own mark against doubles, at most 64 characters.
            done: called later, with the receipt or `NotStored` or `TxnConflict`; calls come in
                the order of the requests of a session.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest, TooLong: at once; then `done` is not called.
        """
        user = session.user
        room = self.rooms.require_member(room_name, user)
        if txn is not None:
            check_txn(txn)
        entry = MessageSent(
            room_name=room.name,
            usr=user.name,
            msg=text(msg, self.limits.text_chars),
            id=self._next_id(),
            at=int(self._seconds() * 1000),
        )
        self._store.append(
            PendingMessage(
                room_id=room.id,
                entry=entry,
                subject_id=user.id,
                txn=txn,
                room=room,
                session=session,
                done=done,
            )
        )

    def history(
        self, session: Session, room_name: str, span: HistoryQuery
    ) -> Deferred[HistoryPage]:
        """Part of the log of a room that one belongs to.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest.
        """
        if not 1 <= span.limit <= HISTORY_LIMIT:
            raise BadRequest(f"limit: 1 to {HISTORY_LIMIT} is wanted.")
        room = self.rooms.require_member(room_name, session.user)
        return self._store.history(room.id, span)

    def broadcast(self, session: Session, msg: str, key: str) -> int:
        """Speak to everybody who is logged in. It is not kept.

        Args:
            key: the operator's broadcast key.

        Returns:
            How many people were told.

        Raises:
            BadKey, BadRequest, TooLong.
        """
        expected = self._broadcast_key
        given = key.encode("utf-8", "replace")
        if not hmac.compare_digest(given, (expected or "").encode()) or not expected:
            audit("broadcast_refused", name=session.user.name)
            raise BadKey()
        event = BroadcastSent(
            usr=session.user.name,
            msg=text(msg, self.limits.text_chars),
            at=self.users.now(),
        )
        audit("broadcast", name=session.user.name)
        return self.users.broadcast(event, exclude=session)

    async def deliver_pending(self, session: Session) -> None:
        """Give a session that has begun what waits for its user: invitations and whispers."""
        if session.pending_whisper is None:  # a temporary user who has only just come
            return
        try:
            await self.invitations.deliver_pending(session)
            await self.whispers.deliver_pending(session)
        except ChatError as error:
            session.pending_whisper = None
            _log.warn("what waits was not given: {code}", code=error.code)
