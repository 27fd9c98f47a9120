"""What the texts of messages take, and quotas: records, and what a store does with them.

`IStorageStore` is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord

#: Stands for the names of direct conversations, which have none.
DIRECT_MESSAGES = "(direct messages)"
#: What texts are counted by.
CountedBy = Literal["rooms", "accounts"]


def utf8_size(text: str) -> int:
    """Return the number of bytes of a text in UTF-8; in the most common case without encoding."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@attrs.frozen
class StorageQuery:
    """What the texts of messages are counted by, the largest sum first.

    Attributes:
        by: `rooms`, where all direct messages are one, or `accounts`, the registered authors.
        limit: the most sums.
        exceptions: whether only those are listed that have a quota of their own.
    """

    by: CountedBy
    limit: int = 100
    exceptions: bool = False


@attrs.frozen
class StoredTexts:
    """What the messages of a room or an account take.

    Attributes:
        name: of the room or account as displayed, or `DIRECT_MESSAGES`.
        messages: how many there are, those without a text any more among them.
        bytes: of their texts, as they are now, in UTF-8.
        quota: bytes that it can have, 0 for any number; None if it has no quota of its own.
    """

    name: str
    messages: int
    bytes: int
    quota: int | None = None


@attrs.frozen
class StorageUse:
    """The answer to a `StorageQuery`.

    Attributes:
        texts: the sums, largest first, then by name.
        complete: whether all messages are in them: those of the last seconds may not be.
    """

    texts: tuple[StoredTexts, ...]
    complete: bool


@attrs.frozen
class StorageLimits:
    """Bytes that the texts of each registered account, and of each room, can take; 0 for any.

    That of rooms is not for the lobby.
    """

    account: int = 0
    room: int = 0


@attrs.frozen
class AtQuota:
    """What takes as much as it can, or more.

    Attributes:
        accounts, rooms: id -> bytes that its texts take, and that they can take.
    """

    accounts: Mapping[int, tuple[int, int]] = MappingProxyType({})
    rooms: Mapping[int, tuple[int, int]] = MappingProxyType({})


class IStorageStore(Interface):
    """Counts what messages take, and keeps quotas."""

    def storage(query: StorageQuery) -> Deferred[StorageUse]:
        """Return what the texts of messages take, by room or by account (read)."""

    def stored_texts(by: CountedBy, owner_id: int) -> Deferred[StoredTexts]:
        """Return what one room or account takes; without a name if there is none (read)."""

    def over_quota(limits: StorageLimits) -> Deferred[AtQuota]:
        """Return the rooms and accounts that are at their quota or above (read)."""

    def set_quota(
        by: CountedBy, owner_id: int, quota: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """Give a room or a registered account a quota of its own.

        Args:
            by: what it is.
            owner_id: the room or the account.
            quota: bytes, 0 for any number; None to have that of the setting.
            audit: the record that is stored with it.

        Raises:
            NoSuchRoom, NoSuchUser: there is none.
        """
