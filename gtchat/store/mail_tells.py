"""What calls about messages and invitations to users need locked, and what other nodes are told.

Each function gets arguments of the call of `IStore` with its name. Both stores use them. A call
that writes to rows of an account (read marks, conversations) has the account locked, so that two
nodes do not wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gtchat.chat.interfaces import Ack, Arrived, PendingWhisper, Told
from gtchat.chat.node_records import BlockChanged, DirectEntry, SystemEntry
from gtchat.store.jobs import Locks, Plan


def whisper(pending: PendingWhisper) -> Plan:
    """Return the plan of `whisper`: its blocks and its conversation do not change meanwhile."""
    pair = (pending.sender_id, pending.target_id)

    def tells(ack: Ack) -> Sequence[SystemEntry]:
        if ack.dup or pending.users is None:
            return ()
        return (DirectEntry(pending.room_id, ack.seq, pending.users),)

    return Plan(Locks(accounts=pair, directs=(pair,), system=True), tells, entry=pending)


def set_delivered(arrived: Arrived) -> Plan:
    """Return the plan of `set_delivered`."""
    return Plan(Locks(accounts=(arrived.account_id,)))


def add_missed(account_id: int, room_id: int) -> Plan:
    """Return the plan of `add_missed`."""
    return Plan(Locks(accounts=(account_id,)))


def invite(room_id: int, account_id: int, inviter_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `invite`.

    Neither of the two becomes or ceases to be a member meanwhile: entries of a room that make a
    member lock the account, and those that end a membership lock the system log.
    """
    locks = Locks(accounts=(account_id, inviter_id), system=True)
    return Plan(locks, lambda is_new: tells if is_new else ())


def answer_invitation(room_id: int, account_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `answer_invitation`."""
    locks = Locks(accounts=(account_id,), system=True)
    return Plan(locks, lambda is_change: tells if is_change else ())


def invitations(account_id: int) -> Plan:
    """Return the plan of `invitations`: what it returns, other nodes have told before."""
    return Plan(Locks(accounts=(account_id,), system=True))


def set_notify(account_id: int, room_id: int, tells: Sequence[Told]) -> Plan:
    """Return the plan of `set_notify`."""
    return Plan(Locks(accounts=(account_id,), system=True), lambda _: tells)


def block(account_id: int, blocked_id: int, on: bool, name: str) -> Plan:
    """Return the plan of `block`."""
    locks = Locks(accounts=(account_id, blocked_id), system=True)
    return Plan(locks, lambda _: (BlockChanged(account_id, blocked_id, name, on),))


def mark_read(account_id: int, room_id: int) -> Plan:
    """Return the plan of `mark_read`."""
    return Plan(Locks(accounts=(account_id,)))


def mark_unread(account_id: int, room_id: int) -> Plan:
    """Return the plan of `mark_unread`."""
    return Plan(Locks(accounts=(account_id,)))


def set_read(marks: Collection[tuple[int, int]]) -> Plan:
    """Return the plan of `set_read`; `marks` are (account id, room id)."""
    return Plan(Locks(accounts=tuple({account_id for account_id, _ in marks})))
