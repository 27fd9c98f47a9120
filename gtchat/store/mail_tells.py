"""What calls about messages and invitations to users need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gtchat.chat.interfaces import Arrived, PendingWhisper, Told
from gtchat.store.jobs import NO_PLAN, Plan


def whisper(pending: PendingWhisper) -> Plan:
    """Return the plan of `whisper`."""
    return NO_PLAN


def set_delivered(arrived: Arrived) -> Plan:
    """Return the plan of `set_delivered`."""
    return NO_PLAN


def add_missed(account_id: int, room_id: int) -> Plan:
    """Return the plan of `add_missed`."""
    return NO_PLAN


def invite(room_id: int, account_id: int, inviter_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `invite`."""
    return NO_PLAN


def answer_invitation(room_id: int, account_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `answer_invitation`."""
    return NO_PLAN


def set_notify(account_id: int, room_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `set_notify`."""
    return NO_PLAN


def block(account_id: int, blocked_id: int, on: bool, name: str) -> Plan:
    """Return the plan of `block`."""
    return NO_PLAN


def mark_read(account_id: int, room_id: int) -> Plan:
    """Return the plan of `mark_read`."""
    return NO_PLAN


def mark_unread(account_id: int, room_id: int) -> Plan:
    """Return the plan of `mark_unread`."""
    return NO_PLAN


def set_read(marks: Collection[tuple[int, int]]) -> Plan:
    """Return the plan of `set_read`; `marks` are (account id, room id)."""
    return NO_PLAN
