"""The methods of `ISessionStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence

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
from gtchat.store.jobs import NO_PLAN, audited
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.devices import DeviceTable
from gtchat.store.memory.sessions import SessionTable
from gtchat.store.memory.tables import MemoryTables


class MemorySessionCalls(MemoryCalls):
    """Calls of `ISessionStore`: writes to the queue, reads past it."""

    _tables: MemoryTables
    _devices: DeviceTable
    _sessions: SessionTable

    def login(
        self, account_id: int, proved: str | None, session: NewSession
    ) -> Deferred[AccountState]:
        """See `ISessionStore.login`."""
        plan = session_tells.login(account_id, session)
        return self._write(self._sessions.login, account_id, proved, session, plan=plan)

    def login_guest(self, name: str, key: str, session: NewSession) -> Deferred[int]:
        """See `ISessionStore.login_guest`."""
        plan = session_tells.login_guest(name, session)
        return self._write(self._sessions.login_guest, name, key, session, plan=plan)

    def find_device(
        self, token_hash: bytes, tokens_after: int
    ) -> Deferred[tuple[Account, str] | None]:
        """See `ISessionStore.find_device`."""
        return self._read(self._devices.find, token_hash, tokens_after)

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

        def resume() -> ResumeResult:
            result = self._sessions.resume(
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
                secrets.token_urlsafe(9),
            )
            self._tables.epoch = result.epoch or self._tables.epoch
            return result

        return self._write(resume, plan=session_tells.resume(token_hash, address, known))

    def session_lost(self, session: EndedSession, at: int) -> Deferred[None]:
        """See `ISessionStore.session_lost`."""
        plan = session_tells.session_lost(session)
        return self._write(self._sessions.session_lost, session, at, plan=plan)

    def sessions(
        self, account_id: int, oldest: int, tokens_after: int
    ) -> Deferred[Sequence[SessionRecord]]:
        """See `ISessionStore.sessions`."""
        return self._read(self._sessions.sessions, account_id, oldest, tokens_after)

    def sessions_at(
        self, network: str, oldest: int
    ) -> Deferred[Sequence[tuple[str, SessionRecord]]]:
        """See `ISessionStore.sessions_at`."""
        return self._read(self._sessions.sessions_at, network, oldest)

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
        return self._write(self._sessions.end_session, session, at, forget, plan=plan)

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

        def end_other_sessions() -> frozenset[bytes]:
            if at is None:
                self._tables.admin.delete_login_link(account_id)
            return self._sessions.end_other_sessions(account_id, keep, tuple(connected), at)

        plan = session_tells.end_other_sessions(account_id, keep, reason, audit)
        return self._write(end_other_sessions, plan=plan)

    def forget_device(
        self, account_id: int, device: str, audit: AuditRecord | None = None
    ) -> Deferred[None]:
        """See `ISessionStore.forget_device`."""
        plan = audited(NO_PLAN, audit)
        return self._write(self._devices.forget, account_id, device, plan=plan)

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

        def set_password() -> bool:
            args = (account_id, proved, password_hash, keep, tuple(ended), new_token)
            remembered = self._sessions.set_password(*args)
            self._tables.admin.delete_login_link(account_id)
            return remembered

        return self._write(set_password, plan=session_tells.set_password(account_id, audit))
