"""What nodes on one database tell each other at once, by LISTEN and NOTIFY of PostgreSQL.

What is sent is in `bus_payloads`. Nothing here is written in the transaction that stores: a NOTIFY
holds a lock of the whole server until its commit.
Source: PostgreSQL's documentation of NOTIFY.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import count
from threading import Condition, Event, Thread
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat.relay import IRelay, Relayed, ignore_relayed
from gtchat.store.notifying import CarriedRows, INotifier, TakeHeads, ignore_heads
from gtchat.store.sql.bus_payloads import (
    NOT_UNDERSTOOD,
    Heard,
    Hearing,
    Outgoing,
    event_payloads,
)
from gtchat.store.sql.database import Database
from gtchat.store.sql.watchdog import PostgresConnection

#: Seconds between two tries to connect; after a bug, twice as many each time, up to the second.
RETRY_S, MAX_RETRY_S = 0.2, 30.0
#: Seconds after which a listener looks whether it has to stop.
WAIT_S = 1.0
#: Of NOTIFY; one for each schema, as several chats may be in one database.
_CHANNEL = "SELECT 'gtchat_' || oid FROM pg_namespace WHERE nspname = current_schema()"
_NOTIFY = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload"


@implementer(IRelay)
class BusRelay:
    """The relay of a bus.

    Args:
        send: takes payloads.
    """

    def __init__(self, send: Callable[[list[str]], None]) -> None:
        self.received: Callable[[Relayed], None] = ignore_relayed
        self._send = send
        self._numbers = count(1)

    def send(self, relayed: Relayed) -> None:
        """See `IRelay.send`."""
        self._send(event_payloads(relayed, next(self._numbers)))


def deliver(heard: Heard, received: TakeHeads, relay: BusRelay) -> None:
    """Deliver what a payload says. Called in the reactor thread."""
    if isinstance(heard, CarriedRows):
        received(heard.heads, heard)
    elif isinstance(heard, Relayed):
        relay.received(heard)
    else:
        received(heard)


@implementer(INotifier)
class PgBus:
    """A bus with two connections, each with a thread: one listens, one sends.

    Args:
        reactor: an IReactorFromThreads.
        database: a database of PostgreSQL.

    Attributes:
        relay: what the chat sends and receives events with.
    """

    def __init__(self, reactor: Any, database: Database) -> None:
        self.received: TakeHeads = ignore_heads
        self.carries_rows = False
        self._id = secrets.token_hex(8)
        self._sender = _Sender(database, reactor, self._id)
        self._listener = _Listener(database, reactor, self._take, self._look)
        self._reactor = reactor
        self._hearing = Hearing(self._id)
        self.relay = BusRelay(self._sender.put_events)
        self._running = 0
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """See `INotifier.start`."""
        for worker, name in ((self._sender, "sender"), (self._listener, "listener")):
            self._running += 1
            name = f"gtchat bus {name}"
            Thread(target=self._run, args=(worker,), name=name, daemon=True).start()

    def _run(self, worker: _Worker) -> None:
        try:
            worker.run()
        finally:
            self._reactor.callFromThread(self._ended)

    def join(self, chat: str) -> None:
        """See `INotifier.join`; a schema has one chat."""

    def notify(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        """See `INotifier.notify`."""
        self._sender.put_heads(heads)

    def stop(self) -> Deferred[None]:
        """See `INotifier.stop`."""
        self._sender.stop()
        self._listener.stop()
        if not self._running:
            return succeed(None)
        self._stopped = Deferred()
        return self._stopped

    def _ended(self) -> None:
        self._running -= 1
        if not self._running and self._stopped is not None:
            self._stopped.callback(None)

    def _look(self) -> None:
        """Have all rooms looked at, as it is not known what was missed."""
        self._hearing = Hearing(self._id)
        self.received(None)

    def _take(self, payload: str) -> None:
        """Take a payload, in the reactor thread."""
        try:
            heard = self._hearing.take(payload)
        except NOT_UNDERSTOOD:
            return  # of a newer program
        for one in heard:
            deliver(one, self.received, self.relay)


class _Worker:
    """A thread with a connection of its own, which is opened again when it is lost.

    Args:
        database: what to connect to.
        reactor: an IReactorFromThreads.
    """

    _log = Logger()

    def __init__(self, database: Database, reactor: Any) -> None:
        self._database = database
        self._reactor = reactor
        self._is_stopped = Event()
        self._is_cut = False
        #: Seconds to wait after the next bug.
        self._pause = RETRY_S

    def run(self) -> None:
        """Work until `stop` is called."""
        while not self._is_stopped.is_set():
            self._try()

    def _try(self) -> None:
        """Connect and work until the connection is lost, or until a bug."""
        began = time.monotonic()
        try:
            with closing(cast(PostgresConnection, self._database.open_reader())) as db:
                channel = cast(Any, db.execute(_CHANNEL).fetchone())[0]
                if self._is_cut:
                    self._is_cut = False
                    self._report("Nodes wake each other again.")
                self.work(db, channel)
        except self._database.errors as error:
            if not self._is_cut and not self._is_stopped.is_set():
                self._is_cut = True
                self._report("Nodes don't wake each other: {reason}", error)
            self._is_stopped.wait(RETRY_S)
        except Exception:
            # Without its thread the node would be woken, or wake others, no more.
            text = "The bus failed; it begins again in {pause} s."
            if time.monotonic() - began > MAX_RETRY_S:
                self._pause = RETRY_S
            self._reactor.callFromThread(self._log.failure, text, Failure(), pause=self._pause)
            self._is_stopped.wait(self._pause)
            self._pause = min(2 * self._pause, MAX_RETRY_S)

    def _report(self, text: str, error: Exception | None = None) -> None:
        reason = "" if error is None else self._database.describe(error)
        log = self._log.info if error is None else self._log.warn
        self._reactor.callFromThread(log, text, reason=reason)

    def work(self, db: PostgresConnection, channel: str) -> None:
        """Work with an open connection, until `stop` is called."""
        raise NotImplementedError()

    def stop(self) -> None:
        """End the thread. Called in another one."""
        self._is_stopped.set()


class _Sender(_Worker):
    """Sends, one statement at a time; what is to be sent gathers meanwhile.

    Args:
        database: what to connect to.
        reactor: an IReactorFromThreads.
        bus: number of the bus.
    """

    def __init__(self, database: Database, reactor: Any, bus: str) -> None:
        super().__init__(database, reactor)
        self._changed = Condition()
        self._outgoing = Outgoing(bus)

    def put_heads(self, heads: Mapping[int, int]) -> None:
        """Have heads sent."""
        with self._changed:
            self._outgoing.put_heads(heads)
            self._changed.notify()

    def put_events(self, payloads: list[str]) -> None:
        """Have an event sent."""
        with self._changed:
            self._outgoing.put_events(payloads)
            self._changed.notify()

    def stop(self) -> None:
        """End the thread."""
        super().stop()
        with self._changed:
            self._changed.notify()

    def work(self, db: PostgresConnection, channel: str) -> None:
        """Send until `stop` is called, and what waits then: that this node leaves, for instance."""
        db.execute("SET synchronous_commit = off")
        try:
            while payloads := self._take():
                db.execute(_NOTIFY, (channel, payloads))
        except Exception:
            with self._changed:
                self._outgoing.lose()
            raise

    def _take(self) -> list[str]:
        """Wait for something to send; return its payloads, none after `stop`."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped.is_set() or self._outgoing)
            return self._outgoing.take()


class _Listener(_Worker):
    """Listens.

    Args:
        database: what to connect to.
        reactor: an IReactorFromThreads.
        take: called in the reactor thread with each payload.
        look: called in the reactor thread when it has begun to listen.
    """

    def __init__(
        self,
        database: Database,
        reactor: Any,
        take: Callable[[str], None],
        look: Callable[[], None],
    ) -> None:
        super().__init__(database, reactor)
        self._take = take
        self._look = look
        self._db: PostgresConnection | None = None

    def work(self, db: PostgresConnection, channel: str) -> None:
        """Listen until `stop` is called."""
        self._db = db
        try:
            db.execute(f"LISTEN {channel}")
            self._reactor.callFromThread(self._look)
            while not self._is_stopped.is_set():
                for notification in db.notifies(timeout=WAIT_S):
                    self._reactor.callFromThread(self._take, notification.payload)
        finally:
            self._db = None

    def stop(self) -> None:
        """End the thread, which waits for a notification."""
        super().stop()
        db = self._db
        if db is not None:
            db.shut_down()
