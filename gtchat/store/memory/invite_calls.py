"""The methods of `IInviteStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred

import gtchat.store.invite_rules as invite_rules
from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import BadInvite, NotAllowed
from gtchat.chat.invite_store import (
    OVER_MS,
    OVER_PER_ACCOUNT,
    Admission,
    InviteLimits,
    InviteLink,
    NewInviteLink,
)
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.calls import MemoryCalls


class InviteTable:
    """Invitations, and links for the first operator.

    Methods with the name of a method of `IInviteStore` do the same, but return the result at once.

    Args:
        accounts: the accounts.
    """

    def __init__(self, accounts: AccountTable) -> None:
        self._accounts = accounts
        self._last_id = 0
        #: Hash of the secret -> the invitation, without the name of its maker.
        self._links: dict[bytes, InviteLink] = {}
        #: Hash of the secret -> when the link ends.
        self._operator_links: dict[bytes, int] = {}

    def _valid(self, at: int) -> list[InviteLink]:
        return [one for one in self._links.values() if not one.is_over(at)]

    def add_invite_link(self, link: NewInviteLink, limits: InviteLimits) -> int:
        """Keep an invitation. Return its number."""
        valid = self._valid(link.at)
        own = sum(one.maker_id == link.maker_id is not None for one in valid)
        invite_rules.check_counts(limits, own, len(valid))
        if link.maker_id is not None:
            self._drop_over(link.maker_id, link.at)
        self._last_id += 1
        self._links[link.token_hash] = InviteLink(
            id=self._last_id,
            maker_id=link.maker_id,
            maker="",
            created_at=link.at,
            expires_at=link.expires_at,
            uses=link.uses,
            used=0,
            rooms=link.rooms,
        )
        return self._last_id

    def invite_links(
        self, maker_id: int | None, at: int, before: int | None, limit: int
    ) -> Sequence[InviteLink]:
        """Return invitations that are valid, newest first."""
        found = [
            self._named(one)
            for one in reversed(self._valid(at))
            if maker_id in (None, one.maker_id) and (before is None or one.id < before)
        ]
        return found[:limit]

    def _named(self, link: InviteLink) -> InviteLink:
        if link.maker_id is None:
            return link
        return attrs.evolve(link, maker=self._accounts.accounts[link.maker_id].name)

    def _drop_over(self, maker_id: int, at: int) -> None:
        """Keep the newest of the invitations of an account that are over."""
        over = [
            key for key, one in self._links.items() if one.maker_id == maker_id and one.is_over(at)
        ]
        for key in over[:-OVER_PER_ACCOUNT]:
            del self._links[key]

    def find_invite_link(self, token_hash: bytes) -> InviteLink | None:
        """Return the invitation with a secret, valid or over; None if none is kept."""
        link = self._links.get(token_hash)
        return None if link is None else self._named(link)

    def invited_with(self, account_id: int) -> InviteLink | None:
        """Return the invitation whose rooms an account has still to join, None for none."""
        invite_id = self._accounts.require_account(account_id).invite_id
        return next((self._named(one) for one in self._links.values() if one.id == invite_id), None)

    def rooms_joined(self, account_id: int) -> None:
        """Note that an account has joined the rooms of its invitation."""
        self._accounts.require_account(account_id).invite_id = None

    def revoke_invite_link(self, link_id: int, maker_id: int | None, at: int) -> None:
        """End an invitation."""
        for token_hash, link in self._links.items():
            if link.id == link_id and maker_id in (None, link.maker_id) and not link.is_over(at):
                self._links[token_hash] = attrs.evolve(link, expires_at=at)
                return
        raise NotAllowed("There is no such invitation.")

    def delete_account(self, account_id: int) -> None:
        """Delete the invitations that an account has made."""
        self._links = {key: one for key, one in self._links.items() if one.maker_id != account_id}

    def prune(self, at: int) -> None:
        """Delete the invitations that ended long before; see `IStore.prune`."""
        kept = at - OVER_MS
        self._links = {key: one for key, one in self._links.items() if one.expires_at >= kept}

    def _has_operator(self) -> bool:
        return any(row.operator for row in self._accounts.accounts.values())

    def add_operator_link(self, token_hash: bytes, expires_at: int) -> None:
        """Keep a link for the first operator."""
        invite_rules.refuse_operator(self._has_operator())
        self._operator_links[token_hash] = expires_at
        for oldest in list(self._operator_links)[: -invite_rules.OPERATOR_LINKS]:
            del self._operator_links[oldest]

    def find_operator_link(self, token_hash: bytes, at: int) -> bool:
        """Return whether a link for the first operator is valid."""
        return self._operator_links.get(token_hash, 0) > at and not self._has_operator()

    def register(
        self,
        name: str,
        key: str,
        password_hash: str | None,
        uuid_hash: bytes | None,
        at: int,
        network: str | None,
        admission: Admission | None,
    ) -> int:
        """Create a registered account; see `IStore.register`."""
        if admission is not None:
            self._check(admission, at)
        args = (name, key, password_hash, uuid_hash, at, network)
        account_id = self._accounts.register(*args)
        if admission is not None:
            self._use(admission, account_id)
        return account_id

    def _check(self, admission: Admission, at: int) -> None:
        """Check that a registration is let in. Raises BadInvite."""
        if admission.operator:
            is_valid = self.find_operator_link(admission.token_hash, at)
        else:
            link = self._links.get(admission.token_hash)
            is_valid = link is not None and not link.is_over(at)
        if not is_valid:
            raise BadInvite()

    def _use(self, admission: Admission, account_id: int) -> None:
        """Count an account that was registered."""
        if admission.operator:
            self._accounts.accounts[account_id].operator = True
            self._operator_links.clear()
        else:
            link = self._links[admission.token_hash]
            self._links[admission.token_hash] = attrs.evolve(link, used=link.used + 1)
            if link.rooms:
                self._accounts.accounts[account_id].invite_id = link.id


class MemoryInviteCalls(MemoryCalls):
    """Calls of `IInviteStore`: writes to the queue, reads past it."""

    _invites: InviteTable

    def add_invite_link(
        self, link: NewInviteLink, limits: InviteLimits, audit: AuditRecord
    ) -> Deferred[int]:
        """See `IInviteStore.add_invite_link`."""
        plan = invite_rules.add_invite_link(audit)
        return self._write(self._invites.add_invite_link, link, limits, plan=plan)

    def invite_links(
        self, maker_id: int | None, at: int, before: int | None, limit: int
    ) -> Deferred[Sequence[InviteLink]]:
        """See `IInviteStore.invite_links`."""
        return self._read(self._invites.invite_links, maker_id, at, before, limit)

    def find_invite_link(self, token_hash: bytes) -> Deferred[InviteLink | None]:
        """See `IInviteStore.find_invite_link`."""
        return self._read(self._invites.find_invite_link, token_hash)

    def invited_with(self, account_id: int) -> Deferred[InviteLink | None]:
        """See `IInviteStore.invited_with`."""
        return self._read(self._invites.invited_with, account_id)

    def rooms_joined(self, account_id: int) -> Deferred[None]:
        """See `IInviteStore.rooms_joined`."""
        plan = invite_rules.rooms_joined(account_id)
        return self._write(self._invites.rooms_joined, account_id, plan=plan)

    def revoke_invite_link(
        self, link_id: int, maker_id: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IInviteStore.revoke_invite_link`."""
        plan = invite_rules.revoke_invite_link(audit)
        return self._write(self._invites.revoke_invite_link, link_id, maker_id, audit.at, plan=plan)

    def add_operator_link(
        self, token_hash: bytes, expires_at: int, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IInviteStore.add_operator_link`."""
        plan = invite_rules.add_operator_link(audit)
        return self._write(self._invites.add_operator_link, token_hash, expires_at, plan=plan)

    def find_operator_link(self, token_hash: bytes, at: int) -> Deferred[bool]:
        """See `IInviteStore.find_operator_link`."""
        return self._read(self._invites.find_operator_link, token_hash, at)
