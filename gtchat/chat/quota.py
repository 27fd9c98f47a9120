"""The quota: how much text users can store in a day, and whether there is space for more.

What is counted are the UTF-8 bytes of texts: of messages, of direct messages, of topics, and of
messages that are kept for a user who could not be reached. The amounts are token buckets that fill
up in the course of a day. They are in memory: after a restart they are full.

How much is stored in all is counted by the store, which tells every few seconds who and which rooms
have as much as they can (`quota_admin`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gtchat.chat.errors import NotStored, OverQuota, StorageFull
from gtchat.chat.limits import Limits, network_key
from gtchat.chat.storage_store import AtQuota, utf8_size
from gtchat.chat.token_buckets import BucketTable, TokenBucket
from gtchat.chat.users import Session, User

DAY_S = 24 * 3600
#: Bytes that a session takes out of its buckets at once, so that most messages do not look at them.
PREPAID = 4096


def _account_rate(limits: Limits) -> tuple[float, float]:
    return limits.daily_bytes_account / DAY_S, limits.daily_bytes_account


def _guest_rate(limits: Limits) -> tuple[float, float]:
    return limits.daily_bytes_guest / DAY_S, limits.daily_bytes_guest


def _network_rate(limits: Limits) -> tuple[float, float]:
    return limits.daily_bytes_guests_address / DAY_S, limits.daily_bytes_guests_address


class Quota:
    """Charges texts to accounts, to guests and to the networks of guests.

    A registered account has an amount of its own only: it is never refused because of its address.

    Args:
        limits: `daily_bytes_account`, `daily_bytes_guest` and `daily_bytes_guests_address` are
            used.
        seconds: returns monotonic seconds.

    Attributes:
        restricted: whether each text has to be checked: the disk, or a room, is full.
    """

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._accounts, self._guests, self._networks = (
            BucketTable(limits.rate(find), seconds)
            for find in (_account_rate, _guest_rate, _network_rate)
        )
        self._disk_full = False
        self._over = AtQuota()
        self.restricted = False

    @property
    def disk_full(self) -> bool:
        """Whether nothing that takes up space may be stored. The server sets it."""
        return self._disk_full

    @disk_full.setter
    def disk_full(self, full: bool) -> None:
        self._disk_full = full
        self.restricted = full or bool(self._over.rooms)

    def refuse(self, over: AtQuota) -> None:
        """Store nothing more of some accounts, and in some rooms, from now on."""
        self._over = over
        self.restricted = self._disk_full or bool(over.rooms)

    def room_use(self, room_id: int) -> tuple[int, int] | None:
        """Return the bytes that a full room has and can have, None if it has space for more."""
        return self._over.rooms.get(room_id)

    def check_space(self) -> None:
        """Check that the disk has space for what a request would store.

        Raises:
            NotStored: it has not.
        """
        if self._disk_full:
            raise NotStored()

    def charge(self, session: Session, text: str) -> None:
        """Count a text that is about to be stored.

        Args:
            session: a session of the user who sends it.
            text: the text.

        Raises:
            OverQuota: it is more than the rest of the day's amount; nothing is counted.
            StorageFull: the user has stored as much as is allowed.
            NotStored: the disk is full.
        """
        size = utf8_size(text)
        if size > session.prepaid or self.restricted:
            self.prepay(session, size)
        session.prepaid -= size

    def prepay(self, session: Session, size: int, room_id: int | None = None) -> None:
        """Take at least the bytes that a text needs out of the buckets of its user.

        Args:
            session: a session of the user; its `prepaid` is at least `size` afterwards.
            size: bytes of the text.
            room_id: the room that it is for, None for no room.

        Raises:
            OverQuota, NotStored: as in `charge`.
            StorageFull: the user, or the room, has as much as is allowed.
        """
        self.check_space()
        if size:
            self._check_stored(session.user, room_id)
        missing = size - session.prepaid
        if missing > 0:
            buckets = self._buckets(session.user, session.connection.address)
            session.prepaid += self._take(buckets, missing, max(missing, PREPAID))

    def _check_stored(self, user: User, room_id: int | None) -> None:
        """Raise StorageFull if a user or a room has as much as is allowed."""
        if (own := self._over.accounts.get(user.id)) is not None:
            raise StorageFull("You have stored", *own)
        if room_id is not None and (all_of := self.room_use(room_id)) is not None:
            raise StorageFull("This room has", *all_of)

    def give_back(self, session: Session, text: str) -> None:
        """Count a text no longer, since it was not stored.

        Args:
            session: the session that `charge` was called with.
            text: the text.
        """
        session.prepaid += utf8_size(text)

    def settle(self, session: Session) -> None:
        """Put back what a session that ends has taken out and not used."""
        for bucket in self._buckets(session.user, session.connection.address):
            bucket.give_back(session.prepaid)
        session.prepaid = 0

    def _take(self, buckets: Sequence[TokenBucket], least: int, most: int) -> int:
        """Take `most` bytes out of all buckets if they have them, else `least`; return how many.

        Raises:
            OverQuota: a bucket does not have `least`; nothing is taken.
        """
        now = self._seconds()
        if wait := max(bucket.wait(now, least) for bucket in buckets):
            raise OverQuota(retry_after=wait)
        size = most if all(bucket.tokens(now) >= most for bucket in buckets) else least
        for bucket in buckets:
            bucket.take(now, size)
        return size

    def _buckets(self, user: User, address: str) -> list[TokenBucket]:
        if user.registered:
            return [self._accounts.get(user.id)]
        return [self._guests.get(user.id), self._networks.get(network_key(address))]
