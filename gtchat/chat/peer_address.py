"""Peer addresses: where a client accepts direct connections, given only with the user's consent.

Each node keeps the requests of all nodes in memory, and takes note of requests and answers in the
order of the system log: so all nodes come to the same bounds, and a request is answered once,
wherever its two users are connected by then. A node that has begun since a request does not know
it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import BadRequest, Blocked, NoSuchUser, NotAllowed
from gtchat.chat.events import AddressDenied, AddressGranted, AddressRequested, Event
from gtchat.chat.node_records import AddressAnswered, AddressAsked, ForeignHandlers
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Milliseconds for which a request for an address can be answered.
REQUEST_TTL_MS = 600_000
#: Requests that can wait for an answer: of one session, to one user, and in all.
MAX_OF_SESSION, MAX_TO_USER, MAX_IN_ALL = 100, 100, 100_000


class AddressRequests:
    """The requests for addresses that wait for an answer. No call looks at those of others."""

    def __init__(self) -> None:
        #: (token hash of the session that asks, account that is asked) -> (account that asks, when
        #: in milliseconds since 1970); oldest first.
        self._asked: OrderedDict[tuple[bytes, int], tuple[int, int]] = OrderedDict()
        #: (account that asks, account that is asked) -> token hashes of the sessions that ask.
        self._askers: dict[tuple[int, int], dict[bytes, None]] = {}
        #: Number of requests of a session, and to an account.
        self._counts: Counter[bytes | int] = Counter()

    def __len__(self) -> int:
        return len(self._asked)

    def check(self, asked: AddressAsked, now: int) -> None:
        """Check that a request can be added.

        Args:
            asked: the request.
            now: milliseconds since 1970.

        Raises:
            NotAllowed: too many requests of the session, or to the account, wait.
        """
        self._drop_old(now, MAX_IN_ALL)
        again = (asked.token_hash, asked.target_id) in self._asked
        if self._counts[asked.token_hash] - again >= MAX_OF_SESSION:
            raise NotAllowed("Too many of your requests wait for an answer.")
        if self._counts[asked.target_id] - again >= MAX_TO_USER:
            raise NotAllowed("Too many requests wait for this user.")

    def add(self, asked: AddressAsked, now: int) -> None:
        """Add a request; one that waits already begins anew.

        Args:
            asked: the request.
            now: milliseconds since 1970.

        Raises:
            NotAllowed: too many requests of the session, or to the account, wait.
        """
        self.check(asked, now)
        token_hash, target_id = asked.token_hash, asked.target_id
        if (token_hash, target_id) in self._asked:
            self._remove(token_hash, target_id)
        self._drop_old(now, MAX_IN_ALL - 1)
        self._asked[token_hash, target_id] = asked.asker_id, now
        self._askers.setdefault((asked.asker_id, target_id), {})[token_hash] = None
        self._counts[token_hash] += 1
        self._counts[target_id] += 1

    def waiting(self, asker_id: int, target_id: int, now: int) -> list[bytes]:
        """Return the token hashes of the sessions of one account that wait for another one.

        Args:
            asker_id, target_id: the accounts.
            now: milliseconds since 1970; older requests have expired.
        """
        self._drop_old(now, MAX_IN_ALL)
        return list(self._askers.get((asker_id, target_id), ()))

    def take(self, asker_id: int, target_id: int, now: int) -> list[bytes]:
        """Remove the requests of one account to another; return what `waiting` returns."""
        tokens = self.waiting(asker_id, target_id, now)
        for token_hash in tokens:
            self._remove(token_hash, target_id)
        return tokens

    def _drop_old(self, now: int, most: int) -> None:
        """Remove what has expired, and the oldest ones until `most` are left."""
        while self._asked:
            (token_hash, target_id), (_, at) = next(iter(self._asked.items()))
            if at + REQUEST_TTL_MS > now and len(self._asked) <= most:
                return
            self._remove(token_hash, target_id)

    def _remove(self, token_hash: bytes, target_id: int) -> None:
        asker_id, _ = self._asked.pop((token_hash, target_id))
        pair = (asker_id, target_id)
        del self._askers[pair][token_hash]
        if not self._askers[pair]:
            del self._askers[pair]
        for who in (token_hash, target_id):
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
        self._store = state.store
        self._directory = state.directory
        self._requests = AddressRequests()

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {AddressAsked: self._asked_elsewhere, AddressAnswered: self._answered_elsewhere}

    def clear(self) -> None:
        """Forget all requests: this node does not hear of their answers any more."""
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
        if not self._users.is_online(found.id):
            raise NoSuchUser("This user is not online.")
        user, now = session.user, self._users.now()
        asked = AddressAsked(user.id, user.name, session.token_hash, found.id, now)
        self._requests.check(asked, now)
        await self._store.tell(asked)
        self._ask(asked)

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
        await self._answer(session.user, found, session.connection.address, session.port)

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
        await self._answer(session.user, found)

    async def _answer(self, user: User, asker: ResolvedUser, host: str = "", port: int = 0) -> None:
        """Answer the requests of one user to another; see `AddressAnswered`.

        Raises:
            NotAllowed: no session that has asked is connected, or another answer came first.
        """
        now = self._users.now()
        tokens = self._requests.waiting(asker.id, user.id, now)
        is_there = asker.id in self._users.presence.elsewhere or self._sessions(asker.id, tokens)
        answered = AddressAnswered(asker.id, user.id, user.name, now, host, port)
        if tokens and is_there:
            await self._store.tell(answered)
            if self._finish(answered):
                return
        raise NotAllowed("This user has not asked for your address.")

    # What all nodes do with a request and with an answer.

    def _ask(self, asked: AddressAsked) -> None:
        """Keep a request, and send it to the sessions of the user here; raise NotAllowed."""
        self._requests.add(asked, self._users.now())
        user = self._users.get_by_id(asked.target_id)
        if user is not None and asked.asker_id not in user.blocked:
            user.send(AddressRequested(usr=asked.usr, at=asked.at))

    def _finish(self, answered: AddressAnswered) -> bool:
        """Remove requests, and send the answer to those sessions that are here.

        Returns:
            Whether there were any.
        """
        usr, at, host, port = answered.usr, answered.at, answered.host, answered.port
        event: Event = AddressDenied(usr=usr, at=at)
        if port:
            event = AddressGranted(usr=usr, host=host, port=port, at=at)
        asker_id, target_id = answered.asker_id, answered.target_id
        tokens = self._requests.take(asker_id, target_id, self._users.now())
        for session in self._sessions(asker_id, tokens):
            session.send(event)
        return bool(tokens)

    def _asked_elsewhere(self, node_id: int, asked: AddressAsked) -> None:
        try:
            self._ask(asked)
        except NotAllowed:  # the node that has asked finds the same
            return

    def _answered_elsewhere(self, node_id: int, answered: AddressAnswered) -> None:
        self._finish(answered)

    def _sessions(self, account_id: int, tokens: list[bytes]) -> list[Session]:
        """Return those of some sessions of an account that are connected here."""
        user = self._users.get_by_id(account_id)
        sessions = user.sessions if user is not None else ()
        return [session for session in sessions if session.token_hash in tokens]
