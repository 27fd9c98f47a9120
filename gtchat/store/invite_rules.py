"""What both stores check of invitations, and what their calls need locked."""

from __future__ import annotations

from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import NotAllowed
from gtchat.chat.invite_store import Admission, InviteLimits
from gtchat.store.jobs import Locks, Plan

#: Links for the first operator that are kept: each of several servers makes one when it starts.
OPERATOR_LINKS = 10
#: What stands for such links among names that are locked; no name has a colon.
_OPERATOR, _NEW = "link: first operator", "link: new"


def check_counts(limits: InviteLimits, own: int, total: int) -> None:
    """Check that one more invitation can be kept.

    Args:
        limits: how many are kept.
        own: how many the account has that makes it.
        total: how many there are.

    Raises:
        NotAllowed: there are too many.
    """
    if limits.account and own >= limits.account:
        raise NotAllowed(f"You can have at most {limits.account} invitations: revoke one.")
    if limits.total and total >= limits.total:
        raise NotAllowed("There are too many invitations on this server.")


def refuse_operator(has_operator: bool) -> None:
    """Raise NotAllowed if there is an operator, who can make others."""
    if has_operator:
        raise NotAllowed("There is an operator: use accounts operator NAME on.")


def admission_names(admission: Admission | None) -> tuple[str, ...]:
    """Return what a registration locks, so that no two use the last place of a link at once."""
    if admission is None:
        return ()
    return (_OPERATOR,) if admission.operator else (f"link: {admission.token_hash.hex()}",)


def add_invite_link(audit: AuditRecord) -> Plan:
    """Return the plan of `add_invite_link`: they are counted one after the other."""
    return Plan(Locks(names=(_NEW,)), audit=audit)


def revoke_invite_link(audit: AuditRecord) -> Plan:
    """Return the plan of `revoke_invite_link`."""
    return Plan(audit=audit)


def rooms_joined(account_id: int) -> Plan:
    """Return the plan of `rooms_joined`."""
    return Plan(Locks(accounts=(account_id,)))


def add_operator_link(audit: AuditRecord) -> Plan:
    """Return the plan of `add_operator_link`."""
    return Plan(Locks(names=(_OPERATOR,)), audit=audit)
