"""Limits: what an operator can set, token buckets that hold rates, the key of an address.

`Limits` is the `[limits]` table of the settings; names and defaults are those of docs/protocol.md,
"Settings". 0 means no limit, for each of them.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import attrs

#: Largest reply of a protocol, and most text that is read from the store for one, in bytes.
REPLY_BYTES = 262_144

#: Size at which a table of rates or failed logins drops the keys that no longer matter.
TABLE_LIMIT = 10_000


def _limit(default: float, help_text: str) -> Any:
    """Return an attribute that refuses negative numbers, with its default and its help."""
    return attrs.field(
        default=default,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.ge(0)],
        metadata={"help": help_text},
    )


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of the chat and its protocols: sizes in bytes, times in seconds, 0 for no limit."""

    message_bytes: int = _limit(65_536, "largest message on the wire, in bytes")
    text_chars: int = _limit(4_000, "longest text of a message, in characters")
    commands_burst: int = _limit(20, "commands that an account can send at once")
    commands_per_second: float = _limit(10.0, "commands a second, for an account")
    failed_logins_per_minute: float = _limit(10.0, "failed logins a minute, for an address")
    registrations_burst: int = _limit(30, "registrations at once, for an address")
    registrations_per_minute: float = _limit(10.0, "registrations a minute, for an address")
    connections_per_address: int = _limit(256, "connections open at once, for an address")
    login_timeout: float = _limit(60.0, "seconds that a new connection has to log in")
    ping_interval: float = _limit(20.0, "seconds between pings to a connection")
    ping_timeout: float = _limit(20.0, "seconds to wait for a pong after a ping")
    outbox_bytes: int = _limit(1_048_576, "unsent bytes kept for a slow connection")
    unsent_bytes_total: int = _limit(268_435_456, "unsent bytes kept for all connections")
    heartbeat_timeout: float = _limit(
        45.0, "seconds of silence after which a Message Center or PA1 client counts as lost"
    )
    lockout_tries: int = _limit(3, "wrong passwords in a row before a name is locked out")
    lockout_seconds: float = _limit(60.0, "seconds that a lockout lasts")
    pa1_lockout_seconds: float = _limit(30.0, "seconds that a lockout by logins over PA1 lasts")
    typing_interval: float = _limit(
        3.0, "seconds between two typing notifications of a user to a room"
    )
    rooms_per_user: int = _limit(
        100, "rooms that a user can create, and as many that a user can receive"
    )
    members_per_room: int = _limit(0, "members that a room can have")
    stored_whispers_per_user: int = _limit(
        10_000, "whispers kept for a user from senders that the user never wrote to"
    )
    daily_bytes_account: int = _limit(
        52_428_800, "bytes of text that a registered account can store in a day"
    )
    daily_bytes_guest: int = _limit(5_242_880, "bytes of text that a guest can store in a day")
    daily_bytes_guests_address: int = _limit(
        52_428_800, "bytes of text that all guests of an address can store in a day"
    )
    min_free_bytes: int = _limit(67_108_864, "free disk space below which nothing more is stored")


@lru_cache(maxsize=4096)
def network_key(address: str) -> str:
    """Return the key under which an address is counted, for every limit by address.

    A host with IPv6 usually owns a /64 (RFC 6177, RFC 4291 section 2.5.4), so that all of its
    addresses count as one.

    Args:
        address: an IP address as text; a zone (`%eth0`) does not matter.

    Returns:
        An IPv4 address as it is, an IPv4-mapped one as IPv4, an IPv6 address as its /64 network,
        and text that is no address unchanged.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


@attrs.define
class TokenBucket:
    """A token bucket: limits an action to `burst` at once and `rate` a second on average.

    Args:
        rate: tokens a second, 0 for no limit.
        burst: tokens of the full bucket, 0 for no limit.
    """

    rate: float
    burst: float
    _tokens: float = attrs.field(init=False)
    _filled_at: float = attrs.field(init=False, default=-math.inf)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst
        if not self.burst:
            self.rate = 0.0

    def take(self, now: float) -> float:
        """Take a token if there is one.

        Args:
            now: monotonic seconds.

        Returns:
            0.0 if there was one, else the seconds until there will be one.
        """
        if not self.rate:
            return 0.0
        tokens = self._tokens + (now - self._filled_at) * self.rate
        self._filled_at = now
        if tokens > self.burst:
            tokens = self.burst
        if tokens < 1.0:
            self._tokens = tokens
            return (1.0 - tokens) / self.rate
        self._tokens = tokens - 1.0
        return 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token, 0.0 if there is one, without taking it."""
        if not self.rate:
            return 0.0
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self.rate

    def full(self, now: float) -> bool:
        """Return whether every token is there, so that a new bucket would be the same."""
        self.wait(now)
        return not self.rate or self._tokens >= self.burst

    def lower_to(self, other: TokenBucket, now: float) -> None:
        """Take tokens out until there are no more than in another bucket.

        Args:
            other: the bucket that its owner used until now.
            now: monotonic seconds.
        """
        self.wait(now)
        other.wait(now)
        self._tokens = min(self._tokens, other._tokens)


class BucketTable:
    """Token buckets by key: one for each account, name or address that was seen lately.

    Args:
        rate: tokens a second of each bucket; 0: no limit.
        burst: tokens of a full bucket; 0: no limit.
        seconds: returns monotonic seconds.

    Full buckets are dropped when there are more than `TABLE_LIMIT`, so that keys which clients
    invent do not fill the memory.
    """

    def __init__(self, rate: float, burst: float, seconds: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._seconds = seconds
        self._buckets: dict[Hashable, TokenBucket] = {}
        self._limit = TABLE_LIMIT

    def __len__(self) -> int:
        return len(self._buckets)

    def get(self, key: Hashable) -> TokenBucket:
        """Return the bucket of a key, a full one if it has none yet."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._limit:
                self._drop_full()
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst)
        return bucket

    def take(self, key: Hashable) -> float:
        """Take a token of a key; see `TokenBucket.take`."""
        return self.get(key).take(self._seconds())

    def wait(self, key: Hashable) -> float:
        """Return the seconds until a key has a token, without taking it."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait(self._seconds())

    def _drop_full(self) -> None:
        now = self._seconds()
        for key in [key for key, bucket in self._buckets.items() if bucket.full(now)]:
            del self._buckets[key]
        # A search takes time in proportion to the table: not again for each new key.
        self._limit = max(TABLE_LIMIT, 2 * len(self._buckets))
