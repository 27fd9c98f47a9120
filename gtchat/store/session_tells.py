"""What calls about sessions and temporary accounts need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them.
"""

from __future__ import annotations

from collections.abc import Collection

from gtchat.chat.interfaces import EndedSession, NewSession
from gtchat.store.jobs import NO_PLAN, Plan


def login(account_id: int, session: NewSession) -> Plan:
    """Return the plan of `login`."""
    return NO_PLAN


def login_guest(name: str, session: NewSession) -> Plan:
    """Return the plan of `login_guest`."""
    return NO_PLAN


def resume(token_hash: bytes, seen: Collection[int], address: str) -> Plan:
    """Return the plan of `resume`; `seen` are the rooms that its client has seen entries of."""
    return NO_PLAN


def session_lost(session: EndedSession) -> Plan:
    """Return the plan of `session_lost`."""
    return NO_PLAN


def end_session(session: EndedSession, reason: str) -> Plan:
    """Return the plan of `end_session`."""
    return NO_PLAN


def end_other_sessions(account_id: int, keep: bytes) -> Plan:
    """Return the plan of `end_other_sessions`."""
    return NO_PLAN


def set_password(account_id: int, keep: bytes | None) -> Plan:
    """Return the plan of `set_password`."""
    return NO_PLAN


def begin_ending(account_id: int) -> Plan:
    """Return the plan of `begin_ending`."""
    return NO_PLAN


def end_guest(account_id: int) -> Plan:
    """Return the plan of `end_guest`."""
    return NO_PLAN
