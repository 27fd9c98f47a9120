"""The store on disk: an SQLite file behind `IStore`.

Here is which question goes where: writes into the writer's queue, reads to a few threads with
connections of their own. What is done with a connection stands in the modules beside this one.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat.errors import NotStored
from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    Ack,
    HistoryPage,
    HistoryQuery,
    IStore,
    MembershipRecord,
    PendingEntry,
    PhoneAccount,
    ResumeResult,
    StoredState,
    StoredWhisper,
)
from gtchat.store.jobs import Job, StoreCall, deliver_results
from gtchat.store.sql import accounts, history, mailbox, read_state, rooms, sessions
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.sqlite import (
    BUSY_SECONDS,
    Connect,
    FileGuard,
    StoreError,
    advice,
    configure_writer,
    connect,
    prepare,
)
from gtchat.store.sql.writer import Outcome, Writer

T = TypeVar("T")


def _nobody(appends: Sequence[PendingEntry]) -> None:
    """Takes what nobody waits for."""


@implementer(IStore)
class SQLStore:
    """A store in an SQLite file; made by `SQLStore.open`."""

    _log = Logger()

    def __init__(
        self,
        path: Path,
        reactor: Any,
        connect: Connect,
        busy: float,
        wall: Callable[[], float],
    ) -> None:
        #: Takes finished appends; set by the chat.
        self.committed: Callable[[Sequence[PendingEntry]], None] = _nobody
        self._reactor = reactor
        self._wall = wall
        self._path = path
        self._connect = partial(connect, path, busy=busy)
        self._healthy = True
        self._reported = -math.inf
        self._closed = False
        self._log_writer = LogWriter()
        self._cleanup = rooms.Cleanup()
        same = FileGuard(path)
        self._readers = ReadPool(reactor, lambda: self._connect("ro"), same)
        self._writer = Writer(
            reactor, self._deliver, self._open_connection, same, self._log_writer, self._cleanup
        )

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
        """Open a database, making it if there is none, migrating it if it is of an older version.

        Args:
            path: the file; its folder has to be there.
            reactor: an IReactorTime and IReactorFromThreads.
            connect: opens connections.
            busy: seconds to wait for a lock of another program's.
            wall: tells the time of day, in seconds since 1970.

        Raises:
            StoreError: that can't be; the file was left as it is.
        """
        prepare(path)
        return cls(path, reactor, connect, busy, wall)

    def load(self) -> StoredState:
        """See `IStore.load`. Raises: StoreError."""
        now = int(self._wall() * 1000)
        try:
            with closing(self._open_connection()) as db:
                db.execute("BEGIN IMMEDIATE")
                contents = rooms.load(db, secrets.token_urlsafe(9), now)
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} can't be used: {advice(error)}.") from error
        self._cleanup.pending_deletes = True
        return contents

    def append(self, append: PendingEntry) -> None:
        """See `IStore.append`."""
        if self._closed:
            append.error = NotStored()
            self._reactor.callLater(0, self.committed, [append])
        else:
            self._writer.put(append)

    def find_account(self, key: str, asker: int | None) -> Deferred[Account | None]:
        """See `IStore.find`."""
        return self._readers.ask(lambda db: accounts.find(db, key, asker))

    def find_by_uuid(self, uuid_hash: bytes) -> Deferred[Account | None]:
        """See `IStore.find_uuid`."""
        return self._readers.ask(lambda db: accounts.find_by_uuid(db, uuid_hash))

    def register(
        self, name: str, key: str, password_hash: str | None, uuid_hash: bytes | None, at: int
    ) -> Deferred[int]:
        """See `IStore.register`."""
        return self._write(accounts.register, name, key, password_hash, uuid_hash, at)

    def set_password(
        self, account_id: int, password_hash: str, keep: bytes | None
    ) -> Deferred[None]:
        """See `IStore.set_password`."""
        return self._write(accounts.set_password, account_id, password_hash, keep)

    def login(
        self, account_id: int, token_hash: bytes, end_others: bool, at: int
    ) -> Deferred[AccountState]:
        """See `IStore.login`."""
        return self._write(sessions.login, account_id, token_hash, end_others, at)

    def login_guest(self, name: str, key: str, token_hash: bytes, at: int) -> Deferred[int]:
        """See `IStore.login_guest`."""
        return self._write(sessions.login_guest, name, key, token_hash, at)

    def resume(
        self,
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
    ) -> Deferred[ResumeResult]:
        """See `IStore.resume`."""
        return self._write(
            sessions.resume,
            self._log_writer,
            token_hash,
            at,
            oldest,
            dict(seen),
            liveness_ms,
            limit,
        )

    def end_session(self, account_id: int, token_hash: bytes) -> Deferred[None]:
        """See `IStore.end_session`."""
        return self._write(sessions.end, account_id, token_hash)

    def session_lost(
        self, account_id: int, token_hash: bytes, at: int, told: Mapping[int, int]
    ) -> Deferred[None]:
        """See `IStore.lose_session`."""
        return self._write(sessions.lose, account_id, token_hash, at, told)

    def mark_read(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[MembershipRecord]:
        """See `IStore.mark_read`."""
        return self._write(read_state.mark, account_id, token_hash, room_id, seq)

    def end_guest(self, account_id: int) -> Deferred[None]:
        """See `IStore.end_guest`."""
        return self._write(accounts.end_guest, account_id)

    def delete_room(self, room_id: int, at: int) -> Deferred[None]:
        """See `IStore.delete_room`."""

        def delete(db: sqlite3.Connection) -> None:
            rooms.delete_room(db, room_id, at)
            self._log_writer.invalidate(room_id)
            self._cleanup.pending_deletes = True

        return self._write(delete)

    def whisper(
        self, sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
    ) -> Deferred[tuple[Ack, int]]:
        """See `IStore.whisper`."""
        return self._write(mailbox.whisper, sender_id, target_id, event, txn, limit)

    def whispers(
        self, account_id: int, after: int, limit: int
    ) -> Deferred[Sequence[StoredWhisper]]:
        """See `IStore.whispers`."""
        return self._readers.ask(lambda db: mailbox.whispers(db, account_id, after, limit))

    def delete_whispers(self, account_id: int, numbers: Collection[int]) -> Deferred[None]:
        """See `IStore.forget_whispers`."""
        return self._write(mailbox.delete_whispers, account_id, tuple(numbers))

    def invite(
        self, room_id: int, account_id: int, inviter: str, told: bool, at: int
    ) -> Deferred[None]:
        """See `IStore.invite`."""
        return self._write(mailbox.invite, room_id, account_id, inviter, told, at)

    def end_invitations(
        self, room_id: int, account_id: int, inviter: str, later: bool
    ) -> Deferred[None]:
        """See `IStore.end_invitations`."""
        return self._write(mailbox.end_invitations, room_id, account_id, inviter, later)

    def is_invited(self, room_id: int, account_id: int, inviter: str | None) -> Deferred[bool]:
        """See `IStore.invited`."""
        return self._readers.ask(lambda db: mailbox.invited(db, room_id, account_id, inviter))

    def invitations(self, account_id: int, untold: bool) -> Deferred[Sequence[Invited]]:
        """See `IStore.invitations`."""
        return self._write(mailbox.invitations, account_id, untold)

    def block(self, account_id: int, blocked_id: int, on: bool) -> Deferred[None]:
        """See `IStore.block`."""
        return self._write(accounts.block, account_id, blocked_id, on)

    def register_phone(
        self, name: str, key: str, number: str, credential: bytes, at: int
    ) -> Deferred[int]:
        """See `IStore.register_phone`."""
        return self._write(accounts.register_phone, name, key, number, credential, at)

    def set_phone_left(self, account_id: int, at: int) -> Deferred[None]:
        """See `IStore.left_phone`."""
        return self._write(accounts.set_phone_left, account_id, at)

    def phones(self) -> Deferred[Sequence[PhoneAccount]]:
        """See `IStore.phones`."""
        return self._readers.ask(accounts.phones)

    def history(self, room_id: int, span: HistoryQuery) -> Deferred[HistoryPage]:
        """See `IStore.history`."""
        return self._readers.ask(lambda db: history.history(db, room_id, span))

    def prune(self, sessions_before: int, txns_before: int) -> Deferred[None]:
        """See `IStore.prune`."""

        def prune(db: sqlite3.Connection) -> None:
            rooms.prune(db, sessions_before)
            self._cleanup.prune_txns(db, txns_before)

        return self._write(prune)

    def flush(self) -> Deferred[None]:
        """See `IStore.flush`."""
        return self._put(StoreCall(None))

    def healthy(self) -> bool:
        """See `IStore.healthy`."""
        return self._healthy

    def close(self) -> Deferred[None]:
        """See `IStore.close`."""
        if self._closed:
            return succeed(None)
        self._closed = True
        # The last connection to go folds the write-ahead log into the file: it has to be the
        # writer's, since readers may not write.
        self._readers.close()
        return self._writer.close()

    def _open_connection(self) -> sqlite3.Connection:
        """A connection to write with."""
        db = self._connect("rw")
        try:
            configure_writer(db)
        except BaseException:
            db.close()
            raise
        return db

    def _write(self, act: Callable[..., T], *args: Any) -> Deferred[T]:
        """Do something with the writer's connection, in its turn."""
        return self._put(StoreCall(lambda db: act(db, *args)))

    def _put(self, request: StoreCall) -> Deferred[Any]:
        if self._closed:
            return fail(NotStored())
        self._writer.put(request)
        return request.deferred

    def _deliver(self, batch: list[Job], outcome: Outcome) -> None:
        """Tell the operator, then the chat, what became of a batch."""
        if outcome.error is not None:
            self._healthy = False
            self._report("Nothing can be stored now: {reason}", outcome.error)
        elif batch and not self._healthy:
            self._healthy = True
            self._log.info("Storing again.")
        if outcome.rejected is not None:
            self._report("Something could not be stored: {reason}", outcome.rejected)
        deliver_results(batch, self.committed, self._log)

    def _report(self, text: str, reason: Exception) -> None:
        """Tell the operator, at most once a second."""
        now = self._reactor.seconds()
        if now - self._reported >= 1.0:
            self._reported = now
            self._log.error(text, reason=str(reason))
