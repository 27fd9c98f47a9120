"""Peer addresses: where a client accepts direct connections, given only with the user's consent."""

from __future__ import annotations

from collections import Counter, OrderedDict

from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import BadRequest, Blocked, NoSuchUser, NotAllowed
from gtchat.chat.events import AddressDenied, AddressGranted, AddressRequested
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Milliseconds for which a request for an address can be answered.
REQUEST_TTL_MS = 600_000
#: Requests that can wait for an answer: of one session, to one user, and in all.
MAX_OF_SESSION, MAX_TO_USER, MAX_IN_ALL = 100, 100, 100_000


class AddressRequests:
    """The requests for addresses that wait for an answer. No call looks at those of others."""

    def __init__(self) -> None:
        #: (session that asks, account that is asked) -> when, in milliseconds since 1970; oldest
        #: first.
        self._asked_at: OrderedDict[tuple[Session, int], int] = OrderedDict()
        #: (account that asks, account that is asked) -> sessions that ask.
        self._askers: dict[tuple[int, int], dict[Session, None]] = {}
        #: Number of requests of a session, and to an account.
        self._counts: Counter[Session | int] = Counter()

    def __len__(self) -> int:
        return len(self._asked_at)

    def add(self, session: Session, target_id: int, now: int) -> None:
        """Add a request; one that waits already begins anew.

        Args:
            session: the session that asks.
            target_id: the account that is asked.
            now: milliseconds since 1970.

        Raises:
            NotAllowed: too many requests of the session, or to the account, wait.
        """
        self._drop_old(now, MAX_IN_ALL - 1)
        if (session, target_id) in self._asked_at:
            self._remove(session, target_id)
        if self._counts[session] >= MAX_OF_SESSION:
            raise NotAllowed("Too many of your requests wait for an answer.")
        if self._counts[target_id] >= MAX_TO_USER:
            raise NotAllowed("Too many requests wait for this user.")
        self._asked_at[session, target_id] = now
        self._askers.setdefault((session.user.id, target_id), {})[session] = None
        self._counts[session] += 1
        self._counts[target_id] += 1

    def take(self, asker_id: int, target_id: int, now: int) -> list[Session]:
        """Remove the requests of one account to another; return the sessions that made them.

        Args:
            asker_id, target_id: the accounts.
            now: milliseconds since 1970; older requests have expired.
        """
        self._drop_old(now, MAX_IN_ALL)
        sessions = list(self._askers.get((asker_id, target_id), ()))
        for session in sessions:
            self._remove(session, target_id)
        return sessions

    def _drop_old(self, now: int, most: int) -> None:
        """Remove what has expired, and the oldest ones until `most` are left."""
        while self._asked_at:
            (session, target_id), at = next(iter(self._asked_at.items()))
            if at + REQUEST_TTL_MS > now and len(self._asked_at) <= most:
                return
            self._remove(session, target_id)

    def _remove(self, session: Session, target_id: int) -> None:
        del self._asked_at[session, target_id]
        pair = (session.user.id, target_id)
        del self._askers[pair][session]
        if not self._askers[pair]:
            del self._askers[pair]
        for who in (session, target_id):
            self._counts[who] -= 1
            if not self._counts[who]:
                del self._counts[who]


class PeerAddress:
    """Asks for peer addresses and answers.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._users = state.users
        self._directory = state.directory
        self._requests = AddressRequests()

    def set_address(self, session: Session, port: int) -> None:
        """Set where the client of a session accepts direct connections.

        The host is the address that the session's connection comes from.

        Args:
            session: the session.
            port: TCP port, 1024 to 65535.

        Raises:
            BadRequest: the port is out of range.
        """
        if not 1024 <= port <= 65535:
            raise BadRequest("port: must be 1024 to 65535.")
        session.port = port

    async def request(self, session: Session, target: str) -> None:
        """Ask a logged-in user for the address of the user's client.

        Args:
            session: the session that asks.
            target: the name of the user as it was typed.

        Raises:
            SelfTarget, Blocked.
            NoSuchUser: there is no such user, or the user is not logged in.
            NotAllowed: too many requests wait for an answer.
        """
        found = await self._directory.resolve_other(target, session.user)
        if found.blocks_asker:
            raise Blocked()
        if found.user is None or not found.user.sessions:
            raise NoSuchUser("This user is not online.")
        now = self._users.now()
        self._requests.add(session, found.id, now)
        found.user.send(AddressRequested(usr=session.user.name, at=now))

    async def allow(self, session: Session, target: str) -> None:
        """Give the address of this session's client to a user who asked for it.

        Args:
            session: the session.
            target: the name of the user who asked, as it was typed.

        Raises:
            NoSuchUser, SelfTarget.
            NotAllowed: the user did not ask, or the session has no address.
        """
        found = await self._directory.resolve_other(target, session.user)
        if session.port is None:
            raise NotAllowed("Set your own address first (set_address).")
        granted = AddressGranted(
            usr=session.user.name,
            host=session.connection.address,
            port=session.port,
            at=self._users.now(),
        )
        for asker in self._take_requests(session.user, found):
            asker.send(granted)

    async def deny(self, session: Session, target: str) -> None:
        """Refuse the address to a user who asked for it.

        Args:
            session: the session of the user who was asked.
            target: the name of the user who asked, as it was typed.

        Raises:
            NoSuchUser, SelfTarget.
            NotAllowed: the user did not ask.
        """
        found = await self._directory.resolve_other(target, session.user)
        for asker in self._take_requests(session.user, found):
            asker.send(AddressDenied(usr=session.user.name, at=self._users.now()))

    def _take_requests(self, user: User, asker: ResolvedUser) -> list[Session]:
        """Remove the requests of one user to another, and return the sessions that made them.

        Raises:
            NotAllowed: there are none.
        """
        askers = self._requests.take(asker.id, user.id, self._users.now())
        sessions = [session for session in askers if session in session.user.sessions]
        if not sessions:
            raise NotAllowed("This user has not asked for your address.")
        return sessions
