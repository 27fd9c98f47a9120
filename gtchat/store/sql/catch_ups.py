"""When a node reads what others have written: a bus wakes it, a look each second finds the rest.

The writer reads, between its batches, so that everything is delivered in one order. Here is only
who asks it to, and when. All of it runs in the reactor thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.errors import NotStored
from gtchat.chat.node_records import SYSTEM_ID
from gtchat.store.jobs import CatchUp, raise_heads
from gtchat.store.notifying import CarriedRows, INotifier
from gtchat.store.paging import MAX_SEQ
from gtchat.store.sql.node_standing import NodeStanding

#: Seconds between two looks at the heads of logs: the longest delay without a bus.
LOOK_S = 1.0
#: Transactions of other nodes whose rows wait; those of more are read.
MAX_ROWS = 256


@attrs.define(eq=False)
class CatchUps:
    """Has the writer catch up.

    Of what wakes this node one catch-up is in the queue of the writer; what comes meanwhile gathers
    for the next one.

    Args:
        clock: tells when to look.
        put: queues a catch-up, whose Deferred fails if it is not done.
        look: returns the heads of rooms that are behind, from a read.
        notifier: wakes this node and others, None if nothing does.
        standing: is told since when this node misses something.
    """

    _clock: IReactorTime
    _put: Callable[[CatchUp], None]
    _look: Callable[[], Deferred[dict[int, int]]]
    _notifier: INotifier | None = None
    _standing: NodeStanding = attrs.field(factory=NodeStanding)
    #: Rooms to catch up, whether that is any room, and rows that were sent.
    _heads: dict[int, int] = attrs.field(init=False, factory=dict)
    _any_room: bool = attrs.field(init=False, default=False)
    _rows: list[CarriedRows] = attrs.field(init=False, factory=list)
    #: When the first of these came, None if nothing waits.
    _since: float | None = attrs.field(init=False, default=None)
    _is_under_way: bool = attrs.field(init=False, default=False)
    _looking: LoopingCall = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._looking = LoopingCall(self._look_once)
        self._looking.clock = self._clock

    def start(self) -> None:
        """Begin to listen and to look, once the writer can catch up; again does nothing."""
        if self._looking.running:
            return
        self._looking.start(LOOK_S, now=False)
        if self._notifier is not None:
            self._notifier.received = self.received
            self._notifier.start()

    def stop(self) -> Deferred[None]:
        """Listen and look no more."""
        if self._looking.running:
            self._looking.stop()
        return succeed(None) if self._notifier is None else self._notifier.stop()

    def join(self, chat: str) -> None:
        """Hear the nodes of a chat; see `INotifier.join`."""
        if self._notifier is not None:
            self._notifier.join(chat)

    def notify(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        """Wake the other nodes; see `INotifier.notify`."""
        if self._notifier is not None:
            self._notifier.notify(heads, rows)

    def received(self, heads: Mapping[int, int] | None, rows: CarriedRows | None = None) -> None:
        """Catch up in rooms that another node has written; see `INotifier.received`."""
        if self._since is None:
            self._since = self._standing.now()
        if heads is None:
            self._any_room = True
        elif rows is not None and len(self._rows) < MAX_ROWS:
            self._rows.append(rows)
        else:
            raise_heads(self._heads, heads)
        if not self._is_under_way:
            self._catch_up()

    def catch_up(self, rooms: Collection[int]) -> Deferred[None]:
        """Catch up with the system log and in some rooms; see `INodeStore.catch_up`."""
        done: Deferred[None] = Deferred()
        self._put(CatchUp({SYSTEM_ID: MAX_SEQ} | dict.fromkeys(rooms, MAX_SEQ), done))
        return done

    def _catch_up(self) -> None:
        done: Deferred[None] = Deferred()
        job = CatchUp({}, done)
        if not self._any_room:
            job = CatchUp(self._heads, done, self._rows)
        self._standing.behind_since = self._since
        self._forget()
        self._is_under_way = True
        done.addBoth(self._done)
        self._put(job)

    def _forget(self) -> None:
        self._heads, self._rows, self._any_room, self._since = {}, [], False, None

    def _done(self, result: Failure | None) -> None:
        self._is_under_way = False
        if isinstance(result, Failure):
            result.trap(NotStored)
            self._forget()  # the next look finds them
        elif self._heads or self._rows or self._any_room:
            self._catch_up()
        else:
            self._standing.behind_since = None

    def _look_once(self) -> Deferred[None]:
        return maybeDeferred(self._look).addCallback(self._found).addErrback(self._failed)

    def _found(self, heads: dict[int, int]) -> None:
        if heads:
            self.received(heads)
        elif not self._is_under_way:
            self._standing.behind_since = None

    def _failed(self, failure: Failure) -> None:
        if self._standing.behind_since is None:
            self._standing.behind_since = self._standing.now()
        if not failure.check(NotStored):
            self._log.failure("A look at what other nodes write failed.", failure)
