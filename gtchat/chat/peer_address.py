"""Peer addresses: where a client accepts direct connections, given only with the user's consent."""

from __future__ import annotations

from gtchat.chat.errors import BadRequest, Blocked, NoSuchUser, NotAllowed
from gtchat.chat.events import AddressDenied, AddressGranted, AddressRequested
from gtchat.chat.state import State
from gtchat.chat.users import ResolvedUser, Session, User

#: Milliseconds for which a request for an address can be answered.
REQUEST_TTL_MS = 600_000


class PeerAddress:
    """Asks for peer addresses and answers.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._users = state.users
        self._directory = state.directory
        #: (session that asks, user who is asked) -> when, in milliseconds since 1970.
        self._requests: dict[tuple[Session, User], int] = {}

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
        """
        found = await self._directory.resolve_other(target, session.user)
        if found.blocks_asker:
            raise Blocked()
        if found.user is None or not found.user.sessions:
            raise NoSuchUser("This user is not online.")
        now = self._users.now()
        self._requests = {
            request: at
            for request, at in self._requests.items()
            if at + REQUEST_TTL_MS > now and request[0] in request[0].user.sessions
        }
        self._requests[session, found.user] = now
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
        now = self._users.now()
        found = [
            request
            for request, at in self._requests.items()
            if request[1] is user and request[0].user.id == asker.id and at + REQUEST_TTL_MS > now
        ]
        for request in found:
            del self._requests[request]
        sessions = [session for session, _ in found if session in session.user.sessions]
        if not sessions:
            raise NotAllowed("This user has not asked for your address.")
        return sessions
