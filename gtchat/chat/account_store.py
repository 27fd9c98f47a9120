"""What the chat needs of a store for accounts: names, credentials, blocks, telephone numbers.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord
from gtchat.chat.invite_store import Admission
from gtchat.chat.records import Account, PhoneAccount


class IAccountStore(Interface):
    """Keeps accounts."""

    def find_account(
        key: str, asker: int | None, network: str | None = None
    ) -> Deferred[Account | None]:
        """Return the account with a name (read).

        Args:
            key: the name.
            asker: account id for `Account.blocks_asker`.
            network: key of a network for `Account.seen_at`.
        """

    def is_name_taken(name: str, key: str) -> Deferred[bool]:
        """Return whether an account has a name, or one that looks like it; or had it (read)."""

    def find_by_uuid(uuid_hash: bytes) -> Deferred[Account | None]:
        """Return the account with a credential of 32 bytes (read)."""

    def register(
        name: str,
        key: str,
        password_hash: str | None,
        uuid_hash: bytes | None,
        at: int,
        network: str | None = None,
        audit: AuditRecord | None = None,
        admission: Admission | None = None,
    ) -> Deferred[int]:
        """Create a registered account. Return its id.

        Args:
            name, key: its name.
            password_hash: Argon2id hash as text; None with a UUID.
            uuid_hash: credential of 32 bytes; None with a password.
            at: now.
            network: key of the client's network, which the account knows from then on; None for
                no network.
            admission: what it is let in by, which is used; None for nothing.

        Raises:
            BadInvite: the admission is not valid any more.
            NameTaken: an account has the name or one that looks like it, or the credential; or it
                is reserved for another account.
        """

    def register_phone(
        name: str,
        key: str,
        number: str,
        credential: bytes,
        at: int,
        audit: AuditRecord | None = None,
    ) -> Deferred[int]:
        """Create a registered account with a telephone number. Return its id.

        Args:
            name, key: its name.
            number: the telephone number.
            credential: stands for the number in `find_by_uuid`, 32 bytes.
            at: now.

        Raises:
            NameTaken: an account has the name or the number.
        """

    def set_phone_left(phone: PhoneAccount) -> Deferred[None]:
        """Store when the user of an account with a telephone number was online last.

        Args:
            phone: the account, with that time. Nothing is stored if there is none.
        """

    def phones() -> Deferred[Sequence[PhoneAccount]]:
        """Return all accounts with a telephone number, oldest first (read)."""

    def end_guest(account_id: int) -> Deferred[bool]:
        """Delete a temporary account, or one whose deletion has begun, and all that it has.

        Of the latter the names stay reserved, and what it has said is changed in idle time, as its
        deletion says; see `deletion_rules`.

        Returns:
            Whether it was an account whose deletion had begun.

        Raises:
            NotStored: it is a member or the owner of a room: the log of the room has to say first
                that it has left, and who owns the room now.
        """

    def block(
        account_id: int,
        blocked_id: int,
        on: bool,
        limit: int = 0,
        name: str = "",
        audit: AuditRecord | None = None,
    ) -> Deferred[None]:
        """Block an account, or unblock it.

        Args:
            account_id: the account that blocks.
            blocked_id, name: the account that is blocked.
            on: True to block, False to unblock.
            limit: the largest number of accounts that it can block, 0 for no limit.

        Raises:
            NoSuchUser: one of the accounts to block with does not exist any more.
            NotAllowed: the limit is reached.
        """
