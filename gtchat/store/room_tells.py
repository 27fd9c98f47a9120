"""What calls about rooms and names need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them. Entries
have no such functions: `jobs.locks_of` and `jobs.told_by` follow from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gtchat.chat.interfaces import RepeatableRequest
from gtchat.store.jobs import NO_PLAN, Plan


def delete_room(
    room_id: int, request: RepeatableRequest | None, checked: int | None, by: str
) -> Plan:
    """Return the plan of `delete_room`."""
    return NO_PLAN


def register(name: str) -> Plan:
    """Return the plan of `register`."""
    return NO_PLAN


def register_phone(name: str) -> Plan:
    """Return the plan of `register_phone`."""
    return NO_PLAN


def announce(came: Mapping[int, str], went: Collection[int]) -> Plan:
    """Return the plan of `announce`."""
    return NO_PLAN
