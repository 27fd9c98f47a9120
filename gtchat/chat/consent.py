"""Consent: where people can be reached directly, told only to those whom they allow.

And blocks: whom one does not want to hear.
"""

from __future__ import annotations

from gtchat.chat.audit import audit
from gtchat.chat.errors import (
    BadRequest,
    Blocked,
    NoSuchUser,
    NotAllowed,
    SelfTarget,
)
from gtchat.chat.events import AddressDenied, AddressGranted, AddressRequested
from gtchat.chat.interfaces import IStore
from gtchat.chat.people import People, Session, User
from gtchat.chat.persons import Person, Persons

#: How long a request for an address waits, in milliseconds.
REQUEST_MS = 600_000


class Consent:
    """Who may reach whom."""

    def __init__(self, store: IStore, people: People, persons: Persons) -> None:
        self._store = store
        self._people = people
        self._persons = persons
        self._asked: dict[tuple[Session, User], int] = {}

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
        person = await self._other(session, target)
        if person.blocks_asker:
            raise Blocked()
        if person.user is None or not person.user.sessions:
            raise NoSuchUser("This user is not here now.")
        now = self._people.now()
        self._asked = {
            asked: at
            for asked, at in self._asked.items()
            if at + REQUEST_MS > now and asked[0] in asked[0].user.sessions
        }
        self._asked[session, person.user] = now
        person.user.tell(AddressRequested(usr=session.user.name, at=now))

    async def allow(self, session: Session, target: str) -> None:
        """Tell one's address to somebody who asked for it.

        Raises:
            NoSuchUser, SelfTarget, NotAllowed (he did not ask, or there is no address to tell).
        """
        person = await self._other(session, target)
        if session.port is None:
            raise NotAllowed("Say first where you listen: set_address.")
        granted = AddressGranted(
            usr=session.user.name,
            host=session.outlet.address,
            port=session.port,
            at=self._people.now(),
        )
        for asker in self._take(session.user, person):
            asker.tell(granted)

    async def deny(self, session: Session, target: str) -> None:
        """Do not tell one's address to somebody who asked for it.

        Raises:
            NoSuchUser, SelfTarget, NotAllowed (he did not ask).
        """
        person = await self._other(session, target)
        for asker in self._take(session.user, person):
            asker.tell(AddressDenied(usr=session.user.name, at=self._people.now()))

    def _take(self, user: User, asker: Person) -> list[Session]:
        """The sessions over which somebody asked; a request is answered once."""
        now = self._people.now()
        found = [
            asked
            for asked, at in self._asked.items()
            if asked[1] is user and asked[0].user.id == asker.id and at + REQUEST_MS > now
        ]
        for asked in found:
            del self._asked[asked]
        sessions = [session for session, _ in found if session in session.user.sessions]
        if not sessions:
            raise NotAllowed("This user has not asked for your address.")
        return sessions

    async def block(self, session: Session, target: str, on: bool) -> list[str]:
        """Begin or end not to hear somebody.

        Returns:
            The names of all whom the user blocks, in order.

        Raises:
            NoSuchUser, SelfTarget, NotStored.
        """
        person = await self._other(session, target)
        user = session.user
        await self._store.block(user.id, person.id, on)
        blocked = self._people.numbered(person.id)
        if on:
            user.blocked[person.id] = person.name
        else:
            user.blocked.pop(person.id, None)
        if blocked is not None:
            one = frozenset({user.id})
            blocked.blocked_by = blocked.blocked_by | one if on else blocked.blocked_by - one
        audit("blocked" if on else "unblocked", by=user.name, name=person.name)
        return sorted(user.blocked.values())

    async def _other(self, session: Session, target: str) -> Person:
        """A person who is not oneself."""
        person = await self._persons.named(target, session.user)
        if person.id == session.user.id:
            raise SelfTarget()
        return person
