"""Somebody who is spoken to by being called back: what Message Center and PA1 have in common.

What the chat tells such a person gathers until he has said where he listens, then goes out call by
call. A call that succeeds is proof that a whisper has arrived. One that fails ends his session: he
is gone, and what did not reach him waits for his next login.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.chat import Chat
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IOutlet
from gtchat.chat.people import Session, User
from gtchat.chat.unattended import unattended
from gtchat.protocols.crowd import Crowd
from gtchat.protocols.dialback import Call, Line, Push

#: Seconds between two looks at who is silent.
LOOK = 5.0


@implementer(IOutlet)
class Called:
    """One person's client.

    Args:
        house: its protocol's people. address: IP address that he logged in from.
    """

    gone = False  # he is called back, whatever becomes of the connection that he came by

    def __init__(self, house: CalledPeople, address: str) -> None:
        self.house = house
        self.address = address
        self.session: Session | None = None
        self.line: Line | None = None
        self.heard_at = house.clock.seconds()
        self._user: User | None = None
        self._early: list[tuple[Event, str]] = []
        self._collecting: list[events.Whispered] | None = None

    @property
    def name(self) -> str:
        """Who he is."""
        return self.session.user.name if self.session is not None else ""

    @property
    def unsent(self) -> int:
        """What waits to be said, in calls."""
        return len(self._early)

    async def open(self, session: Session, port: int) -> list[events.Whispered]:
        """He has said where he listens.

        Returns:
            The whispers that waited for him; to be confirmed when they have arrived.
        """
        chat = self.house.chat
        chat.consent.set_address(session, port)
        self._user = session.user
        self._collecting = []
        await chat.whispers.give(session)
        waited, self._collecting = self._collecting, None
        self.line = Line(self.house.reactor, self.address, port, self.house.own_ports)
        return waited

    def flush(self) -> None:
        """Say what was told before he could be called."""
        early, self._early = self._early, []
        for event, words in early:
            self.hear(event, words)

    def hear(self, event: Event, words: str) -> None:
        """Take an event in words."""
        if self._collecting is not None and isinstance(event, events.Whispered):
            self._collecting.append(event)
        elif self.line is None:
            self._early.append((event, words))
        elif not self._hidden(event):
            for text in [words] if words else self.house.each(event):
                self._deliver(event, self.house.call(self, event, text))

    def _hidden(self, event: Event) -> bool:
        """Whether somebody comes or goes who blocks this one."""
        if not isinstance(event, events.LoggedIn | events.LoggedOut) or self.session is None:
            return False
        user = self.house.chat.people.get(event.usr.lower())
        return user is not None and self.session.user.id in user.blocked

    def push(self, text: str) -> None:
        """Say something to him that is no event of the chat."""
        if self.line is not None:
            self.line.call(Push(self.house.clock, [(0, self.house.frame(text))])).addErrback(
                lambda failure: self.lose()
            )

    def deliver(self, call: Call, whispers: Collection[events.Whispered] = ()) -> Deferred[None]:
        """Make a call that tells whispers."""
        assert self.line is not None
        done = self.line.call(call)
        done.addCallbacks(self._confirm, self._undeliverable, (whispers,))
        return done

    def _deliver(self, event: Event, call: Call) -> None:
        if isinstance(event, events.Whispered):
            self.deliver(call, [event])
        elif isinstance(event, events.Spoke):
            assert self.line is not None
            self.line.call(call).addErrback(self._keep, event)
        else:
            self.deliver(call)

    def _confirm(self, _: None, whispers: Collection[events.Whispered]) -> None:
        if whispers and self.session is not None:
            ids = {whisper.id for whisper in whispers}
            self.house.chat.whispers.confirm(self.session, ids)

    def _undeliverable(self, failure: Failure) -> None:
        self.lose()

    def _keep(self, failure: Failure, event: events.Spoke) -> None:
        """Something said in the lobby did not reach him: it waits with his whispers."""
        if self._user is not None:
            kept = self.house.chat.whispers.keep(self._user, event)
            unattended(Deferred.fromCoroutine(kept), "keeping what was said")
        self.lose()

    def lose(self) -> None:
        """He is gone; what has not arrived is kept."""
        session, self.session = self.session, None
        self.house.forget(self)
        if session is not None:
            self.house.chat.sessions.lose(session, clean=False)
        if self.line is not None:
            self.line.close()

    def end(self, event: Event | None, reason: str) -> None:
        """The session has ended (IOutlet.end)."""
        self.session = None
        self.house.forget(self)
        line, self.line = self.line, None
        if line is not None:
            text = self.house.parting(event, reason)
            if text:
                push = Push(self.house.clock, [(0, self.house.frame(text))])
                line.call(push).addErrback(lambda failure: None)


class CalledPeople:
    """All people of a protocol that calls back. Subclasses say how it speaks.

    Args:
        chat: the chat. reactor: tells the time and connects. own_ports: where we listen.
    """

    def __init__(self, chat: Chat, reactor: Any, own_ports: Callable[[], Collection[int]]) -> None:
        self.chat = chat
        self.reactor = self.clock = reactor
        self.own_ports = own_ports
        self.people: set[Called] = set()
        self.crowd = Crowd(chat.limits.connections_per_address)
        self._look: Any = None

    def remember(self, person: Called) -> None:
        """Somebody is here; he is to give signs of life."""
        self.people.add(person)
        if self._look is None:
            self._look = self.clock.callLater(LOOK, self._look_around)

    def forget(self, person: Called) -> None:
        """Somebody is not here any more."""
        self.people.discard(person)
        if not self.people and self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_around(self) -> None:
        """See who was silent for too long."""
        self._look = None
        timeout = self.chat.limits.heartbeat_timeout
        now = self.clock.seconds()
        for person in list(self.people):
            if timeout and now - person.heard_at > timeout:
                person.lose()
        if self.people and self._look is None:
            self._look = self.clock.callLater(LOOK, self._look_around)

    def stop(self) -> None:
        """The server stops: what waits to be said is kept."""
        for person in list(self.people):
            person.lose()

    def frame(self, text: str) -> bytes:
        """A text as the protocol writes it."""
        raise NotImplementedError

    def each(self, event: Event) -> list[str]:
        """The words for an event that is several to this protocol."""
        return []

    def call(self, person: Called, event: Event, text: str) -> Call:
        """The call that tells an event."""
        return Push(self.clock, [(0, self.frame(text))])

    def parting(self, event: Event | None, reason: str) -> str:
        """What somebody is told last whose session has ended."""
        return ""
