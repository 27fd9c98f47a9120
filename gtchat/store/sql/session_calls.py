"""The methods of `ISessionStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

import gtchat.store.session_tells as session_tells
from gtchat.chat.audit import AuditRecord
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    EndedSession,
    NewSession,
    ResumeResult,
    SessionRecord,
)
from gtchat.store.jobs import NO_PLAN, BulkCall, Plan, StoreCall, audited
from gtchat.store.sql import devices, guest_logins, session_ends, session_lists, sessions
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.read_pool import ReadPool

T = TypeVar("T")


def new_epoch() -> str:
    """Return a name for the logs that no others have."""
    return secrets.token_urlsafe(9)


class SessionCalls(ABC):
    """Calls of `ISessionStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool
    _log_writer: LogWriter
    _database: Database

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    @abstractmethod
    def _put(self, call: StoreCall) -> Deferred[Any]:
        """Queue a call; return its result."""

    def login(
        self, account_id: int, proved: str | None, session: NewSession
    ) -> Deferred[AccountState]:
        """See `ISessionStore.login`."""
        plan = session_tells.login(account_id, session)
        args = (account_id, proved, session, self._database.node_id)
        return self._write(sessions.login, self._log_writer, *args, plan=plan)

    def login_guest(self, name: str, key: str, session: NewSession) -> Deferred[int]:
        """See `ISessionStore.login_guest`."""
        plan = session_tells.login_guest(name, session)
        arguments = (name, key, session)
        return self._put(
            BulkCall(None, together=self._login_guests, arguments=arguments, plan=plan)
        )

    def _login_guests(self, db: Connection, calls: Sequence[BulkCall]) -> None:
        guest_logins.login_guests(db, self._log_writer, calls, self._database.node_id)

    def find_device(
        self, token_hash: bytes, tokens_after: int
    ) -> Deferred[tuple[Account, str] | None]:
        """See `ISessionStore.find_device`."""
        return self._reads.run(lambda db: devices.find(db, token_hash, tokens_after))

    def resume(
        self,
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
        network: str,
        marks_read: bool = False,
        address: str = "",
        known: Collection[int] = (),
    ) -> Deferred[ResumeResult]:
        """See `ISessionStore.resume`."""
        return self._write(
            sessions.resume,
            self._log_writer,
            token_hash,
            at,
            oldest,
            dict(seen),
            liveness_ms,
            limit,
            network,
            marks_read,
            address,
            known,
            new_epoch(),
            self._database.node_id,
            plan=session_tells.resume(token_hash, address, known),
        )

    def session_lost(self, session: EndedSession, at: int) -> Deferred[None]:
        """See `ISessionStore.session_lost`."""
        plan = session_tells.session_lost(session)
        node_id = self._database.node_id
        return self._write(session_ends.session_lost, session, at, node_id, plan=plan)

    def sessions(
        self, account_id: int, oldest: int, tokens_after: int
    ) -> Deferred[Sequence[SessionRecord]]:
        """See `ISessionStore.sessions`."""

        def read(db: Connection) -> Sequence[SessionRecord]:
            return sessions.listed(db, account_id, oldest, tokens_after)

        return self._reads.run(read)

    def sessions_at(
        self, network: str, oldest: int
    ) -> Deferred[Sequence[tuple[str, SessionRecord]]]:
        """See `ISessionStore.sessions_at`."""
        return self._reads.run(lambda db: session_lists.at_network(db, network, oldest))

    def end_session(
        self,
        session: EndedSession,
        at: int,
        forget: bool = False,
        audit: AuditRecord | None = None,
        reason: str = "ended",
    ) -> Deferred[None]:
        """See `ISessionStore.end_session`."""
        plan = session_tells.end_session(session, audit, reason)
        return self._write(session_ends.end_session, session, at, forget, plan=plan)

    def end_other_sessions(
        self,
        account_id: int,
        keep: bytes | None,
        connected: Sequence[EndedSession],
        at: int | None = None,
        reason: str = "ended",
        audit: AuditRecord | None = None,
    ) -> Deferred[frozenset[bytes]]:
        """See `ISessionStore.end_other_sessions`."""
        plan = session_tells.end_other_sessions(account_id, keep, reason, audit)
        args = (account_id, keep, tuple(connected), at)
        return self._write(session_ends.end_other_sessions, *args, plan=plan)

    def forget_device(
        self, account_id: int, device: str, audit: AuditRecord | None = None
    ) -> Deferred[None]:
        """See `ISessionStore.forget_device`."""
        return self._write(devices.forget, account_id, device, plan=audited(NO_PLAN, audit))

    def set_password(
        self,
        account_id: int,
        proved: str | None,
        password_hash: str,
        keep: bytes | None,
        ended: Sequence[EndedSession],
        new_token: bytes | None = None,
        audit: AuditRecord | None = None,
    ) -> Deferred[bool]:
        """See `ISessionStore.set_password`."""
        return self._write(
            session_ends.set_password,
            account_id,
            proved,
            password_hash,
            keep,
            tuple(ended),
            new_token,
            plan=session_tells.set_password(account_id, audit),
        )
