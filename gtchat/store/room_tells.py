"""What calls about rooms and names need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them. Entries
have no such functions: `job_tells.locks_of` and `told_by` follow from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from gtchat.chat.interfaces import EndedInvitations, RepeatableRequest
from gtchat.chat.invite_store import Admission
from gtchat.chat.node_records import Online, RoomGone, SystemEntry
from gtchat.chat.records import PhoneAccount
from gtchat.chat.room_records import ShownRoom
from gtchat.store.invite_rules import admission_names
from gtchat.store.jobs import Locks, Plan


def delete_room(
    room_id: int, request: RepeatableRequest | None, checked: int | None, by: str
) -> Plan:
    """Return the plan of `delete_room`, given the invitations that end, and what the room was."""

    def tells(result: tuple[EndedInvitations, ShownRoom | None]) -> Iterable[SystemEntry]:
        ended, shown = result
        if shown is not None:  # else it was deleted before
            yield RoomGone(room_id, by, ended, shown.key, shown.name, shown.public)

    return Plan(
        Locks(rooms=(room_id,), system=True),
        tells,
        checked=None if checked is None else (room_id, checked),
        txn=None if request is None else (request.account_id, request.txn),
    )


def load_rooms(ids: Collection[int], key: str | None = None) -> Plan:
    """Return the plan of `load_rooms`, and of `entries_since` for its room."""
    return Plan(Locks(loads=tuple(ids), load_key=key, system=True))


def release(rooms: Mapping[int, int]) -> Plan:
    """Return the plan of `release`."""
    return Plan(releases=dict(rooms))


def register(name: str, admission: Admission | None) -> Plan:
    """Return the plan of `register`."""
    return Plan(Locks(names=(name, *admission_names(admission))))


def register_phone(name: str, number: str, at: int) -> Plan:
    """Return the plan of `register_phone`."""
    return Plan(
        Locks(names=(name,), system=True),
        tells=lambda account_id: [PhoneAccount(account_id, name, number, at)],
    )


def set_phone_left(phone: PhoneAccount) -> Plan:
    """Return the plan of `set_phone_left`."""
    return tell(phone)


def announce(came: Mapping[int, str], went: Collection[int]) -> Plan:
    """Return the plan of `announce`."""
    return Plan(Locks(system=True), tells=lambda _: [Online(came, tuple(went))])


def tell(entry: SystemEntry) -> Plan:
    """Return the plan of `tell`."""
    return Plan(Locks(system=True), tells=lambda _: [entry])
