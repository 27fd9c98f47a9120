"""Peer addresses: where clients listen for peers, told only to users whom the owner allows."""

from __future__ import annotations

from gtchat.chat.errors import (
    BadRequest,
    Blocked,
    NoSuchUser,
    NotAllowed,
)
from gtchat.chat.events import AddressDenied, AddressGranted, AddressRequested
from gtchat.chat.interfaces import IStore
from gtchat.chat.users import ResolvedUser, Session, User, UserDirectory, UserRegistry

#: How long a request for an address waits, in milliseconds.
REQUEST_TTL_MS = 600_000


class PeerAddress:
    """Requests for peer addresses and their answers."""

    def __init__(self, store: IStore, users: UserRegistry, directory: UserDirectory) -> None:
        self._store = store
        self._users = users
        self._directory = directory
        self._requests: dict[tuple[Session, User], int] = {}

    def set_address(self, session: Session, port: int) -> None:
        """Say where one's client listens; the host is where the connection comes from.

        Args:
            port: 1024 to 65535.

        Raises:
            BadRequest.
        """
        if not 1024 <= port <= 65535:
            raise BadRequest("port: 1024 to 65535 is wanted.")
        session.port = port

    async def request(self, session: Session, target: str) -> None:
        """Ask somebody who is here for his address.

        Raises:
            NoSuchUser, SelfTarget, Blocked.
        """
        person = await self._directory.resolve_other(target, session.user)
        if person.blocks_asker:
            raise Blocked()
        if person.user is None or not person.user.sessions:
            raise NoSuchUser("This user is not here now.")
        now = self._users.now()
        self._requests = {
            asked: at
            for asked, at in self._requests.items()
            if at + REQUEST_TTL_MS > now and asked[0] in asked[0].user.sessions
        }
        self._requests[session, person.user] = now
        person.user.send(AddressRequested(usr=session.user.name, at=now))

    async def allow(self, session: Session, target: str) -> None:
        """Tell one's address to somebody who asked for it.

        Raises:
            NoSuchUser, SelfTarget, NotAllowed (he did not ask, or there is no address to tell).
        """
        person = await self._directory.resolve_other(target, session.user)
        if session.port is None:
            raise NotAllowed("Say first where you listen: set_address.")
        granted = AddressGranted(
            usr=session.user.name,
            host=session.connection.address,
            port=session.port,
            at=self._users.now(),
        )
        for asker in self._take(session.user, person):
            asker.send(granted)

    async def deny(self, session: Session, target: str) -> None:
        """Do not tell one's address to somebody who asked for it.

        Raises:
            NoSuchUser, SelfTarget, NotAllowed (he did not ask).
        """
        person = await self._directory.resolve_other(target, session.user)
        for asker in self._take(session.user, person):
            asker.send(AddressDenied(usr=session.user.name, at=self._users.now()))

    def _take(self, user: User, asker: ResolvedUser) -> list[Session]:
        """The sessions over which somebody asked; a request is answered once."""
        now = self._users.now()
        found = [
            asked
            for asked, at in self._requests.items()
            if asked[1] is user and asked[0].user.id == asker.id and at + REQUEST_TTL_MS > now
        ]
        for asked in found:
            del self._requests[asked]
        sessions = [session for session, _ in found if session in session.user.sessions]
        if not sessions:
            raise NotAllowed("This user has not asked for your address.")
        return sessions
