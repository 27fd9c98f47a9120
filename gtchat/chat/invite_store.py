"""What a store does with links that let users register, and the records of them.

An invitation here is a link for people who have no account yet; those to rooms, for users, are in
`IMailStore`. It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord

#: Invitations that are over are kept for so many milliseconds after their end, and so many of the
#: newest of an account: who opens such a link again has guessed nothing.
OVER_MS, OVER_PER_ACCOUNT = 30 * 24 * 3600 * 1000, 100


@attrs.frozen
class Admission:
    """What a registration is let in by: the hash of a secret that its user has.

    Attributes:
        token_hash: of the secret, 32 bytes.
        operator: whether it is the one-time link of the first operator, not an invitation.
        by: who has made the invitation, for the audit log.
    """

    token_hash: bytes
    operator: bool = False
    by: str = ""


@attrs.frozen(kw_only=True)
class NewInviteLink:
    """An invitation that is made.

    Attributes:
        token_hash: of its secret, 32 bytes.
        maker_id: the account that makes it, None for an operator at the server.
        at: now.
        expires_at: when it ends.
        uses: how many accounts can be registered with it.
        rooms: ids of the rooms that these join, if the maker may still add members then.
    """

    token_hash: bytes
    maker_id: int | None
    at: int
    expires_at: int
    uses: int
    rooms: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class InviteLink:
    """An invitation that is kept.

    Attributes:
        id: its number.
        maker_id: the account that has made it, None for an operator at the server.
        maker: the name of that account, "" for none.
        created_at: when it was made.
        expires_at, uses, rooms: as of `NewInviteLink`.
        used: how many accounts were registered with it.
    """

    id: int
    maker_id: int | None
    maker: str
    created_at: int
    expires_at: int
    uses: int
    used: int
    rooms: tuple[int, ...]

    def is_over(self, at: int) -> bool:
        """Return whether it is used up, revoked or too old at a time."""
        return self.used >= self.uses or self.expires_at <= at


@attrs.frozen
class InviteLimits:
    """How many invitations are kept that are valid; 0 for no limit.

    Attributes:
        account: of an account.
        total: in all.
    """

    account: int = 0
    total: int = 0


class IInviteStore(Interface):
    """Keeps invitations, and the one-time links for the first operator."""

    def add_invite_link(
        link: NewInviteLink, limits: InviteLimits, audit: AuditRecord
    ) -> Deferred[int]:
        """Keep an invitation. Return its number.

        Args:
            link: the invitation.
            limits: how many are kept.
            audit: the record that is stored with it.

        Raises:
            NotAllowed: there are too many.
        """

    def invite_links(
        maker_id: int | None, at: int, before: int | None, limit: int
    ) -> Deferred[Sequence[InviteLink]]:
        """Return invitations that are valid, newest first (read).

        Args:
            maker_id: those of an account, None for all.
            at: now.
            before: the number before which the page begins, None for the newest.
            limit: the most that are returned.
        """

    def find_invite_link(token_hash: bytes) -> Deferred[InviteLink | None]:
        """Return the invitation with a secret, valid or over; None if none is kept (read)."""

    def invited_with(account_id: int) -> Deferred[InviteLink | None]:
        """Return the invitation whose rooms an account has still to join, None for none (read)."""

    def rooms_joined(account_id: int) -> Deferred[None]:
        """Note that an account has joined the rooms of its invitation, as far as it may."""

    def revoke_invite_link(
        link_id: int, maker_id: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """End an invitation.

        Args:
            link_id: its number.
            maker_id: the account that has made it, None for any.
            audit: the record that is stored with it.

        Raises:
            NotAllowed: there is none that is not over.
        """

    def add_operator_link(token_hash: bytes, expires_at: int, audit: AuditRecord) -> Deferred[None]:
        """Keep a link with which the first operator registers; a few of the newest are kept.

        Raises:
            NotAllowed: there is an operator.
        """

    def find_operator_link(token_hash: bytes, at: int) -> Deferred[bool]:
        """Return whether a link for the first operator is valid (read)."""
