"""The methods of `IInviteStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

import gtchat.store.invite_rules as invite_rules
from gtchat.chat.audit import AuditRecord
from gtchat.chat.invite_store import InviteLimits, InviteLink, NewInviteLink
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import invite_links
from gtchat.store.sql.read_pool import ReadPool

T = TypeVar("T")


class InviteCalls(ABC):
    """Calls of `IInviteStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    def add_invite_link(
        self, link: NewInviteLink, limits: InviteLimits, audit: AuditRecord
    ) -> Deferred[int]:
        """See `IInviteStore.add_invite_link`."""
        plan = invite_rules.add_invite_link(audit)
        return self._write(invite_links.add, link, limits, plan=plan)

    def invite_links(
        self, maker_id: int | None, at: int, before: int | None, limit: int
    ) -> Deferred[Sequence[InviteLink]]:
        """See `IInviteStore.invite_links`."""
        return self._reads.run(lambda db: invite_links.page(db, maker_id, at, before, limit))

    def find_invite_link(self, token_hash: bytes) -> Deferred[InviteLink | None]:
        """See `IInviteStore.find_invite_link`."""
        return self._reads.run(lambda db: invite_links.find(db, token_hash))

    def invited_with(self, account_id: int) -> Deferred[InviteLink | None]:
        """See `IInviteStore.invited_with`."""
        return self._reads.run(lambda db: invite_links.invited_with(db, account_id))

    def rooms_joined(self, account_id: int) -> Deferred[None]:
        """See `IInviteStore.rooms_joined`."""
        plan = invite_rules.rooms_joined(account_id)
        return self._write(invite_links.rooms_joined, account_id, plan=plan)

    def revoke_invite_link(
        self, link_id: int, maker_id: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IInviteStore.revoke_invite_link`."""
        plan = invite_rules.revoke_invite_link(audit)
        return self._write(invite_links.revoke, link_id, maker_id, audit.at, plan=plan)

    def add_operator_link(
        self, token_hash: bytes, expires_at: int, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IInviteStore.add_operator_link`."""
        plan = invite_rules.add_operator_link(audit)
        return self._write(invite_links.add_operator_link, token_hash, expires_at, plan=plan)

    def find_operator_link(self, token_hash: bytes, at: int) -> Deferred[bool]:
        """See `IInviteStore.find_operator_link`."""
        return self._reads.run(lambda db: invite_links.find_operator_link(db, token_hash, at))
