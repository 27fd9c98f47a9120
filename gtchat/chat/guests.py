"""Guests: temporary accounts, which have no password and end with their user.

After a lost connection a guest has a grace period to come back. Then, or at logout, the guest
leaves all rooms, and the account is deleted, so that its name can be used again. As many guests of
a network can be waited for as it can have connections; beyond that, those end who were lost first.

An account that is ending (`User.ending`) gets nothing more: requests that were stored before are
waited for, and later ones that would make it a member or an owner are refused (`Delivery`).

A guest can come back at any node, and is waited for where the connection was lost. So the store
decides who ends a guest: `begin_ending` deletes the sessions of one who is connected at no other
node, and from then on none can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.background import InProgress, run_in_background
from gtchat.chat.errors import ChatError, NameTaken
from gtchat.chat.interfaces import NewSession, StoredGuest
from gtchat.chat.limits import network_key
from gtchat.chat.membership import Membership
from gtchat.chat.names import Name
from gtchat.chat.node_records import ForeignHandlers, NodeGone, Online
from gtchat.chat.state import State
from gtchat.chat.users import User

#: Seconds that a guest whose connection was lost has to come back.
GUEST_GRACE_S = 120


@attrs.frozen(eq=False)
class GracePeriod:
    """The time that a guest has to come back.

    Args:
        timer: ends the guest.
        forget: removes the guest from those who are waited for.
    """

    _timer: IDelayedCall
    _forget: Callable[[], None]

    def cancel(self) -> None:
        """Do not end the guest, if the time is not over."""
        self._forget()
        if self._timer.active():
            self._timer.cancel()


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
        self._loader = state.loader
        self._quota = state.quota
        self._membership = membership
        self._ending = InProgress()
        self._limits = state.limits
        #: `network_key` -> the guests of that network who are waited for, lost first.
        self._waiting: dict[str, dict[User, None]] = {}

    def restore(self, guests: Iterable[StoredGuest], ownerless: Iterable[int]) -> None:
        """Take over the guests of the last run of the server, with their rooms in memory.

        Those who can resume a session have a grace period; the others are ended.

        Args:
            guests: the guests.
            ownerless: ids of the rooms of former guests, which need owners.
        """
        users: dict[int, User] = {}
        ended: list[User] = []
        for guest in guests:
            user = users[guest.account.id] = self._add(guest)
            if guest.resumable:
                # Those who were connected are not more than the limit, nor those who were waiting.
                self._wait(user, GUEST_GRACE_S)
            else:
                ended.append(user)
        for room in self._rooms:
            for member in room.guests & users.keys():
                users[member].rooms[room] = 0
        finishing = Deferred.fromCoroutine(self._finish_last_run(ended, ownerless))
        run_in_background(finishing, "ending temporary users of the last run")

    def _add(self, guest: StoredGuest) -> User:
        """Make a user who is waited for, or about to end, of an account without a session."""
        account = guest.account
        user = User(id=account.id, name=account.name, key=account.key, registered=False)
        user.address = guest.network
        self._users.add(user)
        return user

    async def _finish_last_run(self, ended: Iterable[User], ownerless: Iterable[int]) -> None:
        """End guests who cannot come back, and find owners for the rooms of former guests."""
        for user in ended:
            await self.end(user)
        for room_id in ownerless:
            room = await self._loader.get(room_id)
            if room is not None:
                await self._membership.reassign(room)

    async def create(self, name: Name, session: NewSession) -> User:
        """Create a temporary account with a session in the store.

        Args:
            name: the name of the account.
            session: the session that begins.

        Raises:
            NameTaken, NotStored.
        """
        user = self._users.get(name.key)
        if user is not None and self._is_free(user, session.network):
            await self.end(user)
        self._quota.check_space()
        try:
            account_id = await self._store.login_guest(name.display, name.key, session)
        except NameTaken:
            if not await self._end_elsewhere(name.key, session.network):
                raise
            account_id = await self._store.login_guest(name.display, name.key, session)
        user = User(id=account_id, name=name.display, key=name.key, registered=False)
        user.lobby_read_seq = self._rooms.lobby.last_seq
        return user

    def _is_free(self, user: User, network: str) -> bool:
        """Return whether a client from a network can have the name of a user.

        A guest whose connection was lost may have come back without the id of the old session.
        A guest without a grace period is ending, or about to.
        """
        if user.registered or user.sessions:
            return False
        return user.grace_timer is None or network_key(user.address) == network

    async def _end_elsewhere(self, key: str, network: str) -> bool:
        """End a guest who is waited for elsewhere, if a client from a network can have the name.

        One without a session is none: what is connected and cannot be resumed has none either.

        Returns:
            Whether there was such a guest.
        """
        guest = await self._store.find_guest(key)
        if guest is None or not guest.resumable or guest.network != network:
            return False
        if self._users.get(key) is not None:
            return False
        await self.end(self._add(guest))
        return True

    def start_grace_period(self, user: User, seconds: float) -> None:
        """Wait for a guest to come back; then end the account.

        Args:
            user: a guest without a session.
            seconds: how long to wait; 0 for a guest who closed the client.
        """
        self._wait(user, seconds)
        waiting = self._waiting.get(network_key(user.address), {})
        limit = self._limits.connections_per_address
        if limit and len(waiting) > limit:
            self._expire(next(iter(waiting)))

    def _wait(self, user: User, seconds: float) -> None:
        """Start a grace period, however many others are waited for."""
        network = network_key(user.address)
        if seconds:
            self._waiting.setdefault(network, {})[user] = None
        timer = self._clock.callLater(seconds, self._expire, user)
        user.grace_timer = GracePeriod(timer, partial(self._forget, network, user))

    def _forget(self, network: str, user: User) -> None:
        """Remove a guest from those who are waited for."""
        waiting = self._waiting.get(network, {})
        waiting.pop(user, None)
        if not waiting:
            self._waiting.pop(network, None)

    def _expire(self, user: User) -> None:
        run_in_background(Deferred.fromCoroutine(self.end(user)), "ending a temporary user")

    async def end(self, user: User) -> None:
        """Leave all rooms and delete the account; if that can't be stored, try again later.

        A guest who has come back at another node goes on there, and is forgotten here.

        Args:
            user: a guest without a session here.
        """
        if user in self._ending:
            await self._ending.finished(user)
            return
        if not self._is_here(user):
            return
        self._ending.begin(user)
        user.cancel_grace_timer()
        user.ending = True
        try:
            # What was queued for the account until now has its result then.
            room_ids = await self._store.begin_ending(user.id)
            if room_ids is not None:
                await self._leave_and_delete(user, room_ids)
        except ChatError:
            user.ending = False
            if self._is_here(user):
                self._wait(user, GUEST_GRACE_S)
        else:
            self._users.discard(user)
        finally:
            self._ending.end(user)

    def _is_here(self, user: User) -> bool:
        """Return whether a user is still known: not if all was forgotten when the node was lost."""
        return self._users.get_by_id(user.id) is user

    async def _leave_and_delete(self, user: User, room_ids: Sequence[int]) -> None:
        """End the memberships of a guest, then the account.

        Args:
            user: the guest.
            room_ids: the rooms of the guest, of which not all may be in memory, nor known as rooms
                of the guest if they were joined at other nodes.

        Raises:
            ChatError: it could not be stored.
        """
        await self._loader.bring_in(room_ids)
        for room in map(self._rooms.get, room_ids):
            if room is not None and user.id in room.members:
                user.rooms.setdefault(room, 0)
        await self._membership.leave_all(user)
        await self._store.end_guest(user.id)
        self.forget_account(user.id)

    # What other nodes tell.

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {Online: self._came_elsewhere, NodeGone: self._node_gone}

    def _came_elsewhere(self, node_id: int, entry: Online) -> None:
        """Wait no more for guests who have come back at another node."""
        for user in self._users.known(entry.came):
            if not user.registered and not user.sessions and not user.ending:
                self.forget(user)

    def _node_gone(self, node_id: int, entry: NodeGone) -> None:
        """Wait for the guests of a node that has ended, if they are given to this one."""
        for guest in entry.guests:
            if self._users.get(guest.account.key) is None:
                seconds = GUEST_GRACE_S if guest.resumable else 0
                self.start_grace_period(self._add(guest), seconds)

    def forget_account(self, account_id: int) -> None:
        """Forget an account that is deleted, with the blocks by and of it, as the store does."""
        self._users.forget_account(account_id)
        user = self._users.get_by_id(account_id)
        if user is not None:
            self.forget(user)

    def forget(self, user: User) -> None:
        """Forget a guest without a session here, who goes on at another node or has ended."""
        user.cancel_grace_timer()
        self._users.discard(user)
