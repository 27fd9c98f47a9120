"""What calls about sessions and temporary accounts need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them.

All calls about the sessions of an account lock the account, so that they follow each other. Those
that end a session which another node may have, and those that begin one, lock the system log too: a
node hears of ends before the result of a login that comes after them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from gtchat.chat.audit import AuditRecord
from gtchat.chat.deletion_rules import DELETED_USER
from gtchat.chat.interfaces import AccountState, EndedSession, NewSession, ResumeResult
from gtchat.chat.node_records import (
    AccountEnded,
    AccountRenamed,
    EpochBegun,
    SessionsEnded,
    SystemEntry,
)
from gtchat.store.jobs import Locks, Plan


def login(account_id: int, session: NewSession) -> Plan:
    """Return the plan of `login`."""

    def tells(state: AccountState) -> Iterable[SystemEntry]:
        ended = SessionsEnded(account_id, state.ended, "replaced", session.address)
        return (ended,) if state.ended else ()

    return Plan(_locks(session, account_id), tells, begun=_begun(session), audit=session.audit)


def login_guest(name: str, session: NewSession) -> Plan:
    """Return the plan of `login_guest`."""
    locks = attrs.evolve(_locks(session), names=(name,))
    return Plan(locks, begun=_begun(session), audit=session.audit)


def _locks(session: NewSession, *accounts: int) -> Locks:
    """Return the locks of a login to accounts, which may end a session of another one."""
    accounts += tuple(one.account_id for one in session.ended)
    return Locks(accounts=accounts, begins=True, held=session.known, system=True)


def _begun(session: NewSession) -> tuple[bytes, ...]:
    return () if session.token_hash is None else (session.token_hash,)


def resume(token_hash: bytes, address: str, known: Collection[int]) -> Plan:
    """Return the plan of `resume`."""

    def tells(result: ResumeResult) -> Iterable[SystemEntry]:
        account_id = result.account_state.account.id
        if result.moved:
            yield SessionsEnded(account_id, frozenset({token_hash}), "replaced", address)
        if result.epoch is not None:
            yield EpochBegun(result.epoch)

    locks = Locks(tokens=(token_hash,), begins=True, held=frozenset(known), system=True)
    return Plan(locks, tells, begun=(token_hash,))


def session_lost(session: EndedSession) -> Plan:
    """Return the plan of `session_lost`."""
    return Plan(Locks(accounts=(session.account_id,)))


def end_session(
    session: EndedSession, audit: AuditRecord | None = None, reason: str = "ended"
) -> Plan:
    """Return the plan of `end_session`."""
    ended = SessionsEnded(session.account_id, frozenset({session.token_hash}), reason)
    locks = Locks(accounts=(session.account_id,), system=True)
    return Plan(locks, lambda result: (ended,), audit=audit)


def end_other_sessions(
    account_id: int,
    keep: bytes | None,
    reason: str = "ended",
    audit: AuditRecord | None = None,
) -> Plan:
    """Return the plan of `end_other_sessions`."""

    def tells(ended: frozenset[bytes]) -> Iterable[SystemEntry]:
        tokens = ended if keep is not None else None
        return () if tokens == frozenset() else (SessionsEnded(account_id, tokens, reason),)

    return Plan(Locks(accounts=(account_id,), system=True), tells, audit=audit)


def set_password(account_id: int, audit: AuditRecord | None = None) -> Plan:
    """Return the plan of `set_password`; the session that goes on is at this node."""
    return end_other_sessions(account_id, None, "password", audit)


def begin_ending(account_id: int) -> Plan:
    """Return the plan of `begin_ending`: the rooms that it returns are up to date then."""
    return Plan(Locks(accounts=(account_id,), begins=True, system=True))


def end_guest(account_id: int) -> Plan:
    """Return the plan of `end_guest`."""
    ended = AccountEnded(account_id)

    def tells(is_deleted: bool) -> Iterable[SystemEntry]:
        renamed = AccountRenamed(account_id, DELETED_USER, "")
        return (renamed, ended) if is_deleted else (ended,)

    return Plan(Locks(accounts=(account_id,), system=True), tells)
