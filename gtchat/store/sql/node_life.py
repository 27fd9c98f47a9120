"""The life of a node: it loads the chat, is kept alive, is lost, and loads the chat anew.

A node is lost when others have given it up, or when it could not reach the database for as long as
that takes. What it has in memory may then differ from what is stored, and clients must not be told
any more of it: it forgets everything, and enters as a new node.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gtchat.chat.interfaces import StoredState
from gtchat.chat.node_records import SYSTEM_ID
from gtchat.store.jobs import Queued, deliver_results, finish, refuse, split
from gtchat.store.sql.database import StoreError
from gtchat.store.sql.heartbeat import Heartbeat, HeartbeatDatabase
from gtchat.store.sql.living import LivingStore

#: Seconds between two looks whether the node can still be alive, and between two tries to enter.
LOOK_S, RETRY_S = 0.5, 0.5
#: Seconds between two loads for failures of the chat: the next one may fail on the same.
RELOAD_S = 600.0


class LivingDatabase(HeartbeatDatabase, Protocol):
    """What a node needs of its database: `PostgresDatabase`."""

    @property
    def node_id(self) -> int | None:
        """The number of the node."""

    def renew(self) -> None:
        """Have the next connection that writes enter as a new node."""

    def cut_off(self) -> None:
        """Let all calls fail that wait for an answer."""


class NodeLife:
    """Keeps one node alive. All methods are called in the reactor thread.

    Args:
        reactor: an IReactorTime and IReactorFromThreads.
        database: the database.
        store: the store.
    """

    _log = Logger()

    def __init__(self, reactor: Any, database: LivingDatabase, store: LivingStore) -> None:
        self._reactor = reactor
        self._database = database
        self._store = store
        self._heartbeat: Heartbeat | None = None
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor
        self._closing = Event()
        #: When the chat was loaded last for a failure, and the next such load, None for none.
        self._reloaded = -RELOAD_S
        self._reloading: IDelayedCall | None = None

    def start(self) -> None:
        """Keep the node alive from now on: it has loaded the chat."""
        node_id = self._database.node_id
        assert node_id is not None
        call = self._reactor.callFromThread
        self._heartbeat = Heartbeat(
            self._database,
            node_id,
            lambda: call(self._gone, node_id),
            lambda seq: call(self._store.told, {SYSTEM_ID: seq}),
        )
        self._heartbeat.start()
        self._looking.start(LOOK_S, now=False)

    def close(self) -> None:
        """Take note that the store is closing: if the node is lost now, it does not come back."""
        self._closing.set()

    def stop(self) -> None:
        """End: the node has left, or was lost."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None
        if self._looking.running:
            self._looking.stop()
        if self._reloading is not None and self._reloading.active():
            self._reloading.cancel()
        self._reloading = None

    def failed(self) -> None:
        """See `Life.failed`: a room would stand still else, until the next start."""
        if self._heartbeat is None or self._reloading is not None:
            return
        wait = max(0.0, self._reloaded + RELOAD_S - self._reactor.seconds())
        self._log.error(
            "What other nodes have stored is not all here: the chat is loaded anew in {s} s.",
            s=round(wait),
        )
        self._reloading = self._reactor.callLater(wait, self._reload)

    def _reload(self) -> None:
        self._reloaded = self._reactor.seconds()
        self.lose()

    def look(self) -> None:
        """See `Life.look`; done twice a second, too."""
        if self._heartbeat is not None and self._heartbeat.is_overdue():
            self.lose()

    def _gone(self, node_id: int) -> None:
        """Take note that the row of a node is gone: this one, or the one that it was before."""
        if node_id == self._database.node_id:
            self.lose()

    def lose(self) -> None:
        """Give up the node: no client gets a result any more. Then enter as a new one."""
        if self._heartbeat is None:
            return  # it was given up before, or has left
        self.stop()
        self._log.error("This node is lost: it closes all connections, and loads the chat anew.")
        self._store.is_lost = True
        ended = self._store.abandon()
        ended.addCallback(self._ended)
        self._database.cut_off()
        if not self._closing.is_set():
            self._store.lost()

    def _ended(self, jobs: list[Queued]) -> None:
        """Let what has no result fail: the connections are closed. Then come back."""
        writes, waiting = split(jobs)
        finish(waiting, True)
        refuse(writes)  # one may be stored: its commit came when this node was given up
        deliver_results(writes, self._store.committed, self._log, self._store.failed)
        if not self._closing.is_set():
            Thread(target=self._return, name="gtchat node", daemon=True).start()

    def _return(self) -> None:
        """Enter and load in a thread of its own, however long the database does not answer."""
        reported = ""
        while True:
            self._database.renew()
            try:
                state = self._store.reload()
            except StoreError as error:
                if str(error) != reported:
                    reported = str(error)
                    self._log.warn("The chat can't be loaded: {error}", error=reported)
            except Exception:  # also after a bug there is nothing better than to try again
                self._log.failure("The chat can't be loaded.")
            else:
                self._reactor.callFromThread(self._restored, state)
                return
            if self._closing.wait(RETRY_S):
                return

    def _restored(self, state: StoredState) -> None:
        if self._closing.is_set():
            return
        self._log.info("This node has loaded the chat anew.")
        self._store.is_lost = False
        self.start()
        self._store.restored(state)
