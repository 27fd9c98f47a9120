"""Links to exports of accounts, as a store keeps them for all servers.

`IExportStore` is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import RateLimited


@attrs.frozen
class StoredExportLink:
    """A link to an export of an account; `session` is the token hash of the one that asked."""

    account_id: int
    session: bytes


def check_interval(begun_at: int, since: int) -> None:
    """Check that an account can have another export.

    Args:
        begun_at: when the last one began, in milliseconds since 1970, UTC; 0 for none. Of one that
            was not sent whole it is earlier: another one can follow sooner.
        since: an interval ago.

    Raises:
        RateLimited.
    """
    if begun_at > since:
        text = "An account can be exported once a day, and tried again after ten minutes."
        raise RateLimited(text, retry_after=(begun_at - since) / 1000)


class IExportStore(Interface):
    """Keeps links to exports, one for an account, and from when the last export of it counts."""

    def add_export_link(
        link: StoredExportLink, token_hash: bytes, expires_at: int, since: int
    ) -> Deferred[None]:
        """Keep a link in place of the one that the account had.

        Args:
            link: the link.
            token_hash: of its secret, 32 bytes.
            expires_at: when it ends.
            since: as of `check_interval`.

        Raises:
            NoSuchUser: there is no such account, it is temporary, or it is being deleted.
            NotLoggedIn: the session has ended, maybe at another node.
            RateLimited: an export of the account counts from later than that.
        """

    def find_export_link(token_hash: bytes, at: int) -> Deferred[StoredExportLink | None]:
        """Return the link with a secret, None if there is none that is good (read)."""

    def use_export_link(
        link: StoredExportLink, token_hash: bytes, at: int, counts_from: int, audit: AuditRecord
    ) -> Deferred[None]:
        """End a link: an export begins.

        Args:
            link: the link.
            token_hash: of its secret.
            at: now.
            counts_from: `begun_at` of `check_interval`, until the export was sent whole.
            audit: the record that is stored with it.

        Raises:
            BadCredentials: it is good no more, or its session has ended.
        """

    def count_export(account_id: int, at: int) -> Deferred[None]:
        """Take note that an export was sent whole, and end the link that the account has by now.

        Args:
            account_id: the account.
            at: when the export began: it counts from then.
        """
