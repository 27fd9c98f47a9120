"""What nodes on one database tell each other at once, by a server of NATS; see `bus_payloads`.

Core NATS: a message is lost where it does not arrive at once. What others have written is found
then by the look of each node (`catch_ups`). What was lost with a connection is looked for when the
next one is open.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Iterable, Mapping
from threading import Lock, Thread
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.store.notifying import INotifier, TakeHeads, ignore_heads
from gtchat.store.sql.bus import BusRelay, deliver
from gtchat.store.sql.bus_payloads import Heard
from gtchat.store.sql.nats_link import NatsAddress, NatsLink

#: What was heard and waits for the reactor, in messages and bytes: beyond, all rooms are looked at.
MAX_HEARD, MAX_HEARD_BYTES = 1_000, 4 * 1024 * 1024


@implementer(INotifier)
class NatsBus:
    """A bus with one connection to a server of NATS, or to one of a cluster.

    Args:
        reactor: an IReactorFromThreads.
        addresses, tls: those of `NatsLink`.

    Attributes:
        relay: what the chat sends and receives events with.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, addresses: Iterable[NatsAddress], tls: ssl.SSLContext | None = None
    ) -> None:
        self.received: TakeHeads = ignore_heads
        self.carries_rows = True
        self._reactor = reactor
        self._id = secrets.token_hex(8)
        self.relay = BusRelay(self._put_events)
        self._link = NatsLink(addresses, self._id, self._take, self._report, tls)
        #: What was heard, and its bytes.
        self._heard: list[Heard] = []
        self._heard_bytes = 0
        self._lock = Lock()
        self._running = False
        self._stopped: Deferred[None] | None = None

    def join(self, chat: str) -> None:
        """See `INotifier.join`."""
        with self._link.changing() as link:
            link.subject = f"gtchat.{chat}"

    def start(self) -> None:
        """See `INotifier.start`."""
        self._running = True
        Thread(target=self._run, name="gtchat bus", daemon=True).start()

    def _run(self) -> None:
        try:
            asyncio.run(self._link.main())
        finally:
            self._reactor.callFromThread(self._ended)

    def notify(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        """See `INotifier.notify`."""
        with self._link.changing() as link:
            if rows is None:
                link.outgoing.put_heads(heads)
            else:
                link.outgoing.put_rows(heads, rows)

    def _put_events(self, payloads: list[str]) -> None:
        with self._link.changing() as link:
            link.outgoing.put_events(payloads)

    def stop(self) -> Deferred[None]:
        """See `INotifier.stop`."""
        with self._link.changing() as link:
            link.is_stopped = True
        if not self._running:
            return succeed(None)
        self._stopped = Deferred()
        return self._stopped

    def _ended(self) -> None:
        self._running = False
        if self._stopped is not None:
            self._stopped.callback(None)

    def _take(self, heard: Heard, size: int) -> None:
        """Have the reactor thread deliver what was heard. Called in the thread of the link.

        Args:
            heard: what.
            size: its bytes.
        """
        with self._lock:
            is_first = not self._heard
            self._heard_bytes += size
            if len(self._heard) >= MAX_HEARD or self._heard_bytes > MAX_HEARD_BYTES:
                self._heard, self._heard_bytes = [None], 0
            else:
                self._heard.append(heard)
        if is_first:
            self._reactor.callFromThread(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            heard, self._heard, self._heard_bytes = self._heard, [], 0
        for one in heard:
            deliver(one, self.received, self.relay)

    def _report(self, text: str, is_warning: bool = True, **fields: object) -> None:
        """Log something. Called in the thread of the link."""
        log = self._log.warn if is_warning else self._log.info
        self._reactor.callFromThread(log, text, **fields)
