"""The store that keeps everything in memory until the process ends.

The calls of one reactor turn are done as one batch in the next turn, so that results come in the
same order and the same batches as from the store on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

import gtchat.store.mail_tells as mail_tells
import gtchat.store.room_tells as room_tells
import gtchat.store.session_tells as session_tells
from gtchat.chat.admin_store import ALL_RECORDS, AuditLimits
from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import NotStored
from gtchat.chat.events import GuestMessage, MessageSent
from gtchat.chat.interfaces import (
    Account,
    Ack,
    EndedInvitations,
    Foreign,
    HistoryPage,
    HistoryQuery,
    IStore,
    MessageSearch,
    MessageVersions,
    PendingEntry,
    PhoneAccount,
    RepeatableRequest,
    SearchPage,
    UnreadRecord,
)
from gtchat.chat.invite_store import Admission
from gtchat.chat.retention import NOTHING_REMOVED, Retention
from gtchat.chat.room_records import ShownRoom
from gtchat.store.jobs import NO_PLAN, Job, Plan, StoreCall, audited, deliver_results, records_of
from gtchat.store.memory.admin_calls import MemoryAdminCalls
from gtchat.store.memory.direct_calls import MemoryDirectCalls
from gtchat.store.memory.invite_calls import MemoryInviteCalls
from gtchat.store.memory.mention_calls import MemoryMentionCalls
from gtchat.store.memory.node_calls import MemoryNodeCalls
from gtchat.store.memory.retention import remove_oldest
from gtchat.store.memory.room_calls import MemoryRoomCalls
from gtchat.store.memory.session_calls import MemorySessionCalls
from gtchat.store.memory.tables import MemoryTables

T = TypeVar("T")


@implementer(IStore)
class MemoryStore(
    MemorySessionCalls,
    MemoryDirectCalls,
    MemoryMentionCalls,
    MemoryNodeCalls,
    MemoryAdminCalls,
    MemoryInviteCalls,
    MemoryRoomCalls,
):
    """A store in memory.

    Args:
        reactor: calls back with results; a `task.Clock` is enough.
        tables: what it shares with other stores, which are the nodes of one chat with it; None
            for a store that is alone.
    """

    def __init__(self, reactor: IReactorTime, tables: MemoryTables | None = None) -> None:
        super().__init__(reactor, tables)
        self._rooms = self._tables.rooms
        self._accounts = self._tables.accounts
        self._devices = self._tables.devices
        self._sessions = self._tables.sessions
        self._mailbox = self._tables.mailbox
        self._directs = self._mailbox.directs
        self._mentions = self._tables.mentions
        self._room_lists = self._tables.room_lists
        self._invites = self._tables.invites

    def append(self, entry: PendingEntry) -> None:
        """See `IStore.append`."""
        if self._closed:
            entry.error = NotStored()
            self._reactor.callLater(0, self._deliver, Foreign(), [entry])
        else:
            self._enqueue(entry)

    def find_ack(self, request: RepeatableRequest) -> Deferred[Ack | None]:
        """See `IStore.find_ack`."""
        return self._read(self._rooms.txns.find_request, request)

    def find_account(
        self, key: str, asker: int | None, network: str | None = None
    ) -> Deferred[Account | None]:
        """See `IStore.find_account`."""
        return self._read(self._accounts.find, key, asker, network)

    def is_name_taken(self, name: str, key: str) -> Deferred[bool]:
        """See `IStore.is_name_taken`."""
        return self._read(self._accounts.is_name_taken, name, key)

    def find_by_uuid(self, uuid_hash: bytes) -> Deferred[Account | None]:
        """See `IStore.find_by_uuid`."""
        return self._read(self._accounts.find_by_uuid, uuid_hash)

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
        return self._write(self._invites.register, *args, plan=plan)

    def mark_read(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[int]:
        """See `IStore.mark_read`."""
        plan = mail_tells.mark_read(account_id, room_id)
        args = (account_id, token_hash, room_id, seq)
        return self._write(self._accounts.mark_read, *args, plan=plan)

    def set_read(self, marks: Mapping[tuple[int, int], int]) -> Deferred[None]:
        """See `IStore.set_read`."""
        return self._write(self._accounts.set_read, marks, plan=mail_tells.set_read(marks))

    def unread(
        self, account_id: int | None, token_hash: bytes | None
    ) -> Deferred[Mapping[int, UnreadRecord]]:
        """See `IStore.unread`."""
        return self._read(self._mentions.count, account_id, token_hash)

    def end_guest(self, account_id: int) -> Deferred[bool]:
        """See `IStore.end_guest`."""

        plan = session_tells.end_guest(account_id)
        return self._write(self._tables.end_guest, account_id, plan=plan)

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

        def delete_room() -> tuple[EndedInvitations, ShownRoom | None]:
            self._mentions.delete_room(room_id)
            return self._mailbox.delete_room(room_id, at)

        plan = audited(room_tells.delete_room(room_id, request, checked, by), audit)
        nothing: tuple[EndedInvitations, ShownRoom | None] = ({}, None)
        deleted = self._write(self._rooms.txns.do_once, request, nothing, delete_room, plan=plan)
        return deleted.addCallback(itemgetter(0))

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
        return self._write(self._accounts.block, account_id, blocked_id, on, limit, plan=plan)

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
        plan = audited(room_tells.register_phone(name, number, at), audit)
        args = (name, key, number, credential, at)
        return self._write(self._accounts.register_phone, *args, plan=plan)

    def set_phone_left(self, phone: PhoneAccount) -> Deferred[None]:
        """See `IStore.set_phone_left`."""
        args = (phone.account_id, phone.left_at)
        plan = room_tells.set_phone_left(phone)
        return self._write(self._accounts.set_phone_left, *args, plan=plan)

    def phones(self) -> Deferred[Sequence[PhoneAccount]]:
        """See `IStore.phones`."""
        return self._read(self._accounts.phones)

    def history(self, room_id: int, query: HistoryQuery) -> Deferred[HistoryPage]:
        """See `IStore.history`."""

        def history() -> HistoryPage:
            viewer = self._accounts.accounts.get(query.viewer or 0)
            return self._rooms.history(room_id, query, () if viewer is None else viewer.blocks)

        return self._read(history)

    def versions(self, room_id: int, seq: int) -> Deferred[MessageVersions]:
        """See `IStore.versions`."""
        return self._read(self._rooms.versions, room_id, seq)

    def search(self, wanted: MessageSearch) -> Deferred[SearchPage]:
        """See `IStore.search`."""
        return self._read(self._accounts.search, wanted)

    def prune(
        self,
        sessions_before: int,
        txns_before: int,
        tokens_before: int,
        audit: AuditLimits = ALL_RECORDS,
        retention: Retention = NOTHING_REMOVED,
    ) -> Deferred[None]:
        """See `IStore.prune`."""

        def prune() -> None:
            self._sessions.prune(sessions_before, tokens_before)
            self._rooms.txns.prune(txns_before)
            self._tables.admin.prune(audit, sessions_before)
            self._tables.bans.prune(sessions_before)
            self._tables.exports.prune(sessions_before)
            self._tables.reports.prune(audit.reports_before)
            self._invites.prune(sessions_before)
            remove_oldest(self._rooms, self._directs, retention)

        return self._write(prune)

    def flush(self) -> Deferred[None]:
        """See `IStore.flush`."""
        return self._put(StoreCall(None))

    def healthy(self) -> bool:
        """See `IStore.healthy`."""
        return True

    def close(self) -> Deferred[None]:
        """See `IStore.close`."""
        if self._closed:
            return succeed(None)
        done = self.flush()
        self._closed = True
        return done.addCallback(self._leave) if self._is_node else done

    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function; return its result."""
        return self._put(StoreCall(lambda: function(*args), plan=plan))

    def _put(self, call: StoreCall) -> Deferred[Any]:
        if self._closed:
            return fail(NotStored())
        self._enqueue(call)
        return call.deferred

    def _enqueue(self, job: Job) -> None:
        if not self._queue:
            self._reactor.callLater(0, self._do_batch)
        self._queue.append(job)

    def _read(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Return the result of a function, which is called in the next turn, past the queue."""
        result: Deferred[T] = Deferred()
        result.addCallback(lambda _: function(*args))
        self._reactor.callLater(0, result.callback, None)
        return result

    def _do_batch(self) -> None:
        """Do the jobs in the queue, then deliver their results."""
        batch, self._queue = self._queue, []
        follower, rooms, todo = self._follower, self._rooms.rooms, batch
        if follower is not None:
            if self._is_lost():
                self._fail(batch)
                return
            foreign, todo = self._prepare(batch)
        for job in todo:
            if isinstance(job, PendingEntry):
                room = rooms.get(job.room_id)
                is_plain = type(job.entry) is MessageSent or type(job.entry) is GuestMessage
                is_plain = is_plain and job.txn is None and not job.slow and job.audit is None
                if room is not None and is_plain:
                    room.append(job.entry)
                else:
                    self._mailbox.append(job)
                    self._tables.admin.write(records_of([job]))
            else:
                job.run()
                self._tables.admin.write(records_of([job]))
            if follower is not None:
                follower.finish(job)
        if follower is None:
            deliver_results(batch, self.committed, self._log, self.failed)
        else:
            self._finish(foreign, batch)
