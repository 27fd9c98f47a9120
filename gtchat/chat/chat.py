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
from gtchat.chat.attention import Attention
from gtchat.chat.audit import audit
from gtchat.chat.consent import Consent
from gtchat.chat.errors import BadKey, BadRequest, ChatError
from gtchat.chat.events import Broadcasted, Spoke
from gtchat.chat.ids import ids
from gtchat.chat.interfaces import IPasswords, IStore, Page, Receipt, Span
from gtchat.chat.invitations import Invitations
from gtchat.chat.limits import Limits
from gtchat.chat.log import Log, Speech
from gtchat.chat.membership import Membership
from gtchat.chat.names import check_txn, text
from gtchat.chat.people import People, Session, User
from gtchat.chat.persons import Persons
from gtchat.chat.rooms import Room, Rooms
from gtchat.chat.sessions import GUEST_GRACE, RESUMABLE, Sessions
from gtchat.chat.unattended import unattended
from gtchat.chat.whispers import Whispers

HISTORY_MOST = 200
#: Seconds between two clean-ups of what has expired in the store; txns are kept for a day.
PRUNE, TXN_KEPT = 3600, 24 * 3600

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
        rooms, people: what is there.
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
        self._clock = clock
        self._broadcast_key = broadcast_key
        self._next_id = ids(token)
        self._seconds = wall or clock.seconds
        self._prune: IDelayedCall | None = None
        self.limits = limits
        self.epoch = ""
        self.rooms = Rooms()
        self.people = People(clock, self._seconds)
        self._log = Log(store, self.people, self.rooms)
        self.persons = persons = Persons(store, self.people)
        self.accounts = Accounts(store, clock, limits, passwords, self.people.now)
        self.membership = Membership(store, limits, self.people, persons, self.rooms, self._log)
        self.invitations = Invitations(store, self.people, persons, self.rooms, self.membership)
        self.whispers = Whispers(store, clock, limits, self.people, persons, self._next_id)
        self.consent = Consent(store, self.people, persons)
        self.attention = Attention(store, limits, self.people, self.rooms, clock.seconds)
        self.sessions = Sessions(
            store,
            clock,
            limits,
            self.accounts,
            self.people,
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
            self.people.add(guest)
            self.sessions.expect_guest(guest, GUEST_GRACE)
        self._clean_up()

    def _clean_up(self) -> None:
        """Forget what has expired, now and every hour."""
        now = self.people.now()
        pruned = self._store.prune(now - RESUMABLE * 1000, now - TXN_KEPT * 1000)
        unattended(pruned, "cleaning up")
        self._prune = self._clock.callLater(PRUNE, self._clean_up)

    async def stop(self) -> None:
        """Leave no timer behind, and wait until everything queued is stored."""
        if self._prune is not None:
            self._prune.cancel()
            self._prune = None
        self.whispers.stop()
        self.people.stop()
        await self._store.flush()

    def speak(
        self,
        session: Session,
        room_name: str,
        msg: str,
        txn: str | None,
        done: Callable[[Receipt | ChatError], None],
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
        room = self.rooms.joined(room_name, user)
        if txn is not None:
            check_txn(txn)
        entry = Spoke(
            room_name=room.name,
            usr=user.name,
            msg=text(msg, self.limits.text_chars),
            id=self._next_id(),
            at=int(self._seconds() * 1000),
        )
        self._store.append(
            Speech(
                room_id=room.id,
                entry=entry,
                subject=user.id,
                txn=txn,
                room=room,
                session=session,
                done=done,
            )
        )

    def history(self, session: Session, room_name: str, span: Span) -> Deferred[Page]:
        """Part of the log of a room that one belongs to.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest.
        """
        if not 1 <= span.limit <= HISTORY_MOST:
            raise BadRequest(f"limit: 1 to {HISTORY_MOST} is wanted.")
        room = self.rooms.joined(room_name, session.user)
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
        event = Broadcasted(
            usr=session.user.name,
            msg=text(msg, self.limits.text_chars),
            at=self.people.now(),
        )
        audit("broadcast", name=session.user.name)
        return self.people.tell_all(event, but=session)

    async def welcome(self, session: Session) -> None:
        """Give a session that has begun what waits for its user: invitations and whispers."""
        if session.owed is None:  # a temporary user who has only just come
            return
        try:
            await self.invitations.give(session)
            await self.whispers.give(session)
        except ChatError as error:
            session.owed = None
            _log.warn("what waits was not given: {code}", code=error.code)
