"""Guests: temporary accounts, which have no password and end with their user.

After a lost connection a guest has a grace period to come back. Then, or at logout, the guest
leaves all rooms, and the account is deleted, so that its name can be used again.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import ChatError
from gtchat.chat.interfaces import Account, IConnection, IEncoder
from gtchat.chat.membership import Membership
from gtchat.chat.names import Name
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Seconds that a guest whose connection was lost has to come back.
GUEST_GRACE_S = 120


class Guests:
    """Creates and ends temporary accounts.

    Args:
        state: the chat's shared objects.
        membership: ends the memberships of a guest.
    """

    def __init__(self, state: State, membership: Membership) -> None:
        self._store = state.store
        self._clock = state.clock
        self._users = state.users
        self._rooms = state.rooms
        self._membership = membership

    def restore(self, accounts: Iterable[Account]) -> None:
        """Give the guests of the last run of the server a grace period, with their rooms."""
        guests = {
            account.id: User(id=account.id, name=account.name, key=account.key, registered=False)
            for account in accounts
        }
        for room in self._rooms:
            for member in room.guests & guests.keys():
                guests[member].rooms[room] = 0
        for guest in guests.values():
            self._users.add(guest)
            self.start_grace_period(guest, GUEST_GRACE_S)

    async def login(
        self,
        name: Name,
        token_hash: bytes,
        encoder: IEncoder,
        connection: IConnection,
        marks_read: bool = False,
    ) -> Session:
        """Create a temporary account and begin its session.

        Args:
            name: the name of the account.
            token_hash: hash of the session's id, 32 bytes.
            encoder: the encoder of the client's protocol.
            connection: the client's connection.
            marks_read: whether the client marks itself what was read.

        Raises:
            NameTaken, NotStored.
        """
        user = self._users.get(name.key)
        if user is not None and user.grace_timer is not None and user.address == connection.address:
            # The same user after a lost connection, without the id of the old session.
            await self.end(user)
        account_id = await self._store.login_guest(
            name.display, name.key, token_hash, self._users.now(), marks_read
        )
        user = User(id=account_id, name=name.display, key=name.key, registered=False)
        user.lobby_read_seq = self._rooms.lobby.last_seq
        audit("login", name=name.display, address=connection.address)
        self._users.add(user)
        session = Session(
            user, encoder, connection, token_hash, pending_whisper=None, marks_read=marks_read
        )
        self._users.add_session(session, [self._rooms.lobby])
        return session

    def start_grace_period(self, user: User, seconds: float) -> None:
        """Wait for a guest to come back; then end the account.

        Args:
            user: a guest without a session.
            seconds: how long to wait; 0 for a guest who closed the client.
        """
        user.grace_timer = self._clock.callLater(seconds, self._expire, user)

    def _expire(self, user: User) -> None:
        user.grace_timer = None
        run_in_background(Deferred.fromCoroutine(self.end(user)), "ending a temporary user")

    async def end(self, user: User) -> None:
        """Leave all rooms and delete the account; if that can't be stored, try again later."""
        user.cancel_grace_timer()
        user.leaving = True
        try:
            await self._membership.leave_all(user)
            await self._store.end_guest(user.id)
        except ChatError:
            user.leaving = False
            self.start_grace_period(user, GUEST_GRACE_S)
        else:
            self._users.discard(user)
