"""The store on disk: a database behind `IStore`.

This module sends writes to the writer's queue and reads to the read pool. The statements are in
the modules beside it: each function there does one call of `IStore` with a connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

import gtchat.store.mail_tells as mail_tells
import gtchat.store.room_tells as room_tells
import gtchat.store.session_tells as session_tells
from gtchat.chat.admin_store import ALL_RECORDS, AuditLimits
from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import (
    Account,
    Ack,
    EndedInvitations,
    HistoryPage,
    HistoryQuery,
    IStore,
    MessageVersions,
    PendingEntry,
    PendingRoomChange,
    PhoneAccount,
    RepeatableRequest,
    StoredState,
    UnreadRecord,
)
from gtchat.chat.invite_store import Admission
from gtchat.chat.measures import StoreMeasures
from gtchat.chat.retention import NOTHING_REMOVED, Retention
from gtchat.chat.room_records import ShownRoom
from gtchat.store.jobs import (
    NO_PLAN,
    Job,
    Plan,
    StoreCall,
    audited,
    deliver_results,
    ignore_entries,
    refuse,
)
from gtchat.store.notifying import INotifier, ignore_heads
from gtchat.store.sql import accounts, direct, history, read_state, rooms
from gtchat.store.sql.admin_calls import AdminCalls
from gtchat.store.sql.batch_writer import Outcome
from gtchat.store.sql.catch_ups import CatchUps
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.follower import Follower
from gtchat.store.sql.health import StoreHealth, write_trial
from gtchat.store.sql.idempotency import do_once, find_request
from gtchat.store.sql.invite_calls import InviteCalls
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.mail_calls import MailCalls
from gtchat.store.sql.measured import MeasuredDelivery
from gtchat.store.sql.mention_calls import MentionCalls
from gtchat.store.sql.node_calls import NodeCalls
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.public_count import PublicCount
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.room_calls import RoomCalls
from gtchat.store.sql.search_calls import SearchCalls
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.session_calls import SessionCalls
from gtchat.store.sql.sqlite import BUSY_SECONDS, Connect, SQLiteDatabase, connect
from gtchat.store.sql.writer import Writer

T = TypeVar("T")


@implementer(IStore)
class SQLStore(
    SessionCalls,
    MentionCalls,
    MailCalls,
    NodeCalls,
    SearchCalls,  # before AdminCalls, which uses it
    AdminCalls,
    InviteCalls,
    RoomCalls,
):
    """A store in a database; `SQLStore.open` returns one in an SQLite file.

    Args:
        database: the database, of the newest revision.
        reactor: an IReactorTime and IReactorFromThreads.
        wall: returns the time in seconds since 1970, UTC.
        notifier: wakes nodes when others have stored something; None if that can wait a second.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        reactor: Any,
        wall: Callable[[], float] = time.time,
        notifier: INotifier | None = None,
    ) -> None:
        super().__init__()
        #: Takes finished entries; set by the chat.
        self.committed: Callable[[Sequence[PendingEntry]], None] = ignore_entries
        self.failed: Callable[[Sequence[PendingRoomChange]], None] = ignore_entries
        self.measures = StoreMeasures()
        self._reactor = reactor
        self._wall = wall
        self._database = database
        self._health = StoreHealth(
            reactor, self._log, database.reason, lambda: self._write(write_trial)
        )
        self._closed = False
        self._log_writer = LogWriter()
        self._follower = Follower(database, self._log_writer, wall) if database.has_nodes else None
        if self._follower is not None:
            self._catch_ups = CatchUps(
                reactor, self._put_catch_up, self._look, notifier, database.standing
            )
            self._follower.carries_rows = notifier is not None and notifier.carries_rows
        self._cleanup = rooms.Cleanup()
        self._reads = ReadPool(reactor, database)
        # Searches take long: no other read waits for one.
        self._searches = ReadPool(reactor, database, threads=1, connect=database.open_searcher)
        self._indexer = Indexer()
        self._writer = Writer(
            reactor,
            MeasuredDelivery(self._deliver, self.measures, wall),
            database,
            self._log_writer,
            self._cleanup,
            self._indexer,
            follower=self._follower,
            notify=self._catch_ups.notify if self._catch_ups is not None else ignore_heads,
            expired=self._expired,
        )
        self._life = database.life(reactor, self)
        self._public_count = PublicCount(reactor, database, self._count_failed)
        database.start_watching(reactor)

    @classmethod
    def open(
        cls,
        path: Path,
        reactor: Any,
        *,
        connect: Connect = connect,
        busy: float = BUSY_SECONDS,
        wall: Callable[[], float] = time.time,
    ) -> SQLStore:
        """Open a database; create it if there is none, migrate it if it is of an older revision.

        Args:
            path: the file; its folder has to exist.
            reactor: an IReactorTime and IReactorFromThreads.
            connect: opens connections.
            busy: seconds to wait for the lock of another program.
            wall: returns the time in seconds since 1970, UTC.

        Raises:
            StoreError: the database cannot be used; the file is unchanged.
        """
        prepare(path)
        return cls(SQLiteDatabase(path, connect, busy), reactor, wall)

    def load(self) -> StoredState:
        """See `IStore.load`.

        Raises:
            StoreError: the database cannot be written to.
        """
        state = self.reload()
        if self._life is not None:
            self._life.start()
        if self._catch_ups is not None:
            self._catch_ups.start()
        return state

    def append(self, entry: PendingEntry) -> None:
        """See `IStore.append`."""
        if self._closed or self.is_lost:
            entry.error = NotStored()
            results = ([entry], self.committed, self._log, self.failed)
            self._reactor.callLater(0, deliver_results, *results)
        else:
            self._writer.put(entry)

    def find_ack(self, request: RepeatableRequest) -> Deferred[Ack | None]:
        """See `IStore.find_ack`."""
        return self._reads.run(lambda db: find_request(db, request))

    def find_account(
        self, key: str, asker: int | None, network: str | None = None
    ) -> Deferred[Account | None]:
        """See `IStore.find_account`."""
        return self._reads.run(lambda db: accounts.find(db, key, asker, network))

    def is_name_taken(self, name: str, key: str) -> Deferred[bool]:
        """See `IStore.is_name_taken`."""
        return self._reads.run(lambda db: accounts.is_name_taken(db, name, key))

    def find_by_uuid(self, uuid_hash: bytes) -> Deferred[Account | None]:
        """See `IStore.find_by_uuid`."""
        return self._reads.run(lambda db: accounts.find_by_uuid(db, uuid_hash))

    def register(
        self,
        name: str,
        key: str,
        password_hash: str | None,
        uuid_hash: bytes | None,
        at: int,
        network: str | None = None,
        audit: AuditRecord | None = None,
        admission: Admission | None = None,
    ) -> Deferred[int]:
        """See `IStore.register`."""
        args = (name, key, password_hash, uuid_hash, at, network, admission)
        plan = audited(room_tells.register(name, admission), audit)
        return self._write(accounts.register, self._log_writer, *args, plan=plan)

    def mark_read(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[int]:
        """See `IStore.mark_read`."""
        plan = mail_tells.mark_read(account_id, room_id)
        return self._write(read_state.mark_read, account_id, token_hash, room_id, seq, plan=plan)

    def set_read(self, marks: Mapping[tuple[int, int], int]) -> Deferred[None]:
        """See `IStore.set_read`."""
        return self._write(read_state.set_read, marks, plan=mail_tells.set_read(marks))

    def unread(
        self, account_id: int | None, token_hash: bytes | None
    ) -> Deferred[Mapping[int, UnreadRecord]]:
        """See `IStore.unread`."""
        return self._reads.run(lambda db: read_state.unread(db, account_id, token_hash))

    def end_guest(self, account_id: int) -> Deferred[bool]:
        """See `IStore.end_guest`."""

        def end_guest(db: Connection) -> bool:
            self._logs_deleted(direct.end_guest(db, account_id))
            is_deleted = accounts.is_ending(db, account_id)
            self._cleanup.deletions |= is_deleted
            return is_deleted

        return self._write(end_guest, plan=session_tells.end_guest(account_id))

    def delete_room(
        self,
        room_id: int,
        at: int,
        request: RepeatableRequest | None = None,
        checked: int | None = None,
        by: str = "",
        audit: AuditRecord | None = None,
    ) -> Deferred[EndedInvitations]:
        """See `IStore.delete_room`."""

        def delete(db: Connection) -> tuple[EndedInvitations, ShownRoom | None]:
            nothing: tuple[EndedInvitations, ShownRoom | None] = ({}, None)
            result = do_once(db, request, nothing, lambda: rooms.delete_room(db, room_id, at))
            self._logs_deleted([room_id])
            return result

        plan = room_tells.delete_room(room_id, request, checked, by)
        return self._write(delete, plan=audited(plan, audit)).addCallback(itemgetter(0))

    def _logs_deleted(self, room_ids: Iterable[int]) -> None:
        """Take note of logs that are deleted, of which the rows are deleted later."""
        for room_id in room_ids:
            self._log_writer.invalidate(room_id)
            self._cleanup.pending_deletes = True

    def block(
        self,
        account_id: int,
        blocked_id: int,
        on: bool,
        limit: int = 0,
        name: str = "",
        audit: AuditRecord | None = None,
    ) -> Deferred[None]:
        """See `IStore.block`."""
        plan = audited(mail_tells.block(account_id, blocked_id, on, name), audit)
        return self._write(accounts.block, account_id, blocked_id, on, limit, plan=plan)

    def register_phone(
        self,
        name: str,
        key: str,
        number: str,
        credential: bytes,
        at: int,
        audit: AuditRecord | None = None,
    ) -> Deferred[int]:
        """See `IStore.register_phone`."""
        args = (name, key, number, credential, at)
        plan = audited(room_tells.register_phone(name, number, at), audit)
        return self._write(accounts.register_phone, self._log_writer, *args, plan=plan)

    def set_phone_left(self, phone: PhoneAccount) -> Deferred[None]:
        """See `IStore.set_phone_left`."""
        plan = room_tells.set_phone_left(phone)
        return self._write(accounts.set_phone_left, phone.account_id, phone.left_at, plan=plan)

    def phones(self) -> Deferred[Sequence[PhoneAccount]]:
        """See `IStore.phones`."""
        return self._reads.run(accounts.phones)

    def history(self, room_id: int, query: HistoryQuery) -> Deferred[HistoryPage]:
        """See `IStore.history`."""
        return self._reads.run(lambda db: history.history(db, room_id, query))

    def versions(self, room_id: int, seq: int) -> Deferred[MessageVersions]:
        """See `IStore.versions`."""
        return self._reads.run(lambda db: history.versions(db, room_id, seq))

    def prune(
        self,
        sessions_before: int,
        txns_before: int,
        tokens_before: int,
        audit: AuditLimits = ALL_RECORDS,
        retention: Retention = NOTHING_REMOVED,
    ) -> Deferred[None]:
        """See `IStore.prune`."""
        args = (sessions_before, txns_before, tokens_before, audit, retention)
        return self._write(self._cleanup.prune, *args)

    def flush(self) -> Deferred[None]:
        """See `IStore.flush`."""
        return self._put(StoreCall(None))

    def healthy(self) -> bool:
        """See `IStore.healthy`."""
        return self._health.healthy and not self.is_lost

    def close(self) -> Deferred[None]:
        """See `IStore.close`."""
        if self._closed:
            return succeed(None)
        self._closed = True
        self._health.stop()
        if self._life is not None:
            self._life.close()
        # The writer closes last: it copies the write-ahead log, which the others may not do.
        self._public_count.close()
        self._reads.close()
        self._searches.close()
        return Deferred.fromCoroutine(self._finish(self._writer.close()))

    async def _finish(self, written: Deferred[None]) -> None:
        """End what the writer needs, once it has ended."""
        await written
        if self._life is not None:
            self._life.stop()
        self._database.stop_watching()
        if self._catch_ups is not None:
            await self._catch_ups.stop()

    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""
        return self._put(StoreCall(lambda db: function(db, *args), plan=plan))

    def _put(self, call: StoreCall) -> Deferred[Any]:
        if self._closed or self.is_lost:
            return fail(NotStored())
        self._writer.put(call)
        return call.deferred

    def _deliver(self, batch: list[Job], outcome: Outcome) -> None:
        """Log the outcome of a batch, then deliver its results to the chat."""
        self._health.note(batch, outcome)
        if outcome.is_unreadable:
            self._failed()
        if outcome.foreign is not None and self._life is not None:
            self._life.look()
        if self.is_lost:
            # The chat has forgotten all rooms and users since the writer was done with this.
            refuse(batch)
        elif outcome.foreign is not None:
            try:
                self.foreign(outcome.foreign)
            except Exception:
                self._log.failure("The chat failed on entries of other nodes.")
                self._failed()
        deliver_results(batch, self.committed, self._log, self.failed)
