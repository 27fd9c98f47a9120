"""Bans as data: who is banned, and patterns of names.

A pattern is compared with a name in two ways: as names are compared when users log in, and by what
the name looks like (UTS 39), so that `Spаm1` with a Cyrillic letter matches `spam*`. As for names
themselves, two that are in ASCII never count as alike (`look_alikes`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timezone

import attrs

from gtchat.chat.errors import BadRequest, Banned
from gtchat.chat.look_alikes import shape, skeleton
from gtchat.chat.names import fold_user, is_name_character

#: Longest pattern of names, in characters.
PATTERN_CHARS = 64
#: The prefix of the networks by which IPv6 is counted and banned; see `limits.network_key`.
IPV6_PREFIX = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Ban:
    """A ban.

    Attributes:
        id: its number; 0 as long as it is not stored.
        kind: `account`, `name` for a pattern of names, `network` for a network or an address.
        target: who is banned, as it is shown: a name, a pattern, a network.
        account_id: of an account: which, None otherwise.
        reason: the reason as users see it, "" for none.
        by: who has banned; see `Actor.name`.
        at: since when, in milliseconds since 1970, UTC.
        until: when it ends, in milliseconds since 1970, UTC; None for never.
    """

    id: int
    kind: str
    target: str
    account_id: int | None
    reason: str
    by: str
    at: int
    until: int | None

    @property
    def key(self) -> str:
        """Names what is banned: there is one ban for each."""
        return f"{self.kind} {self.target if self.account_id is None else self.account_id}"

    def is_over(self, now: int) -> bool:
        """Return whether it has ended. now: milliseconds since 1970, UTC."""
        return self.until is not None and self.until <= now

    @property
    def end(self) -> str:
        """When it ends, for people."""
        if self.until is None:
            return "for ever"
        time = datetime.fromtimestamp(self.until // 1000, timezone.utc)
        return f"until {time:%Y-%m-%d %H:%M} UTC"

    @property
    def text(self) -> str:
        """What a banned user is told."""
        end = "" if self.until is None else f" {self.end}"
        reason = f": {self.reason}" if self.reason else "."
        return f"You are banned from this server{end}{reason}"

    def error(self, now: int) -> Banned:
        """Return the error that refuses a banned user. now: milliseconds since 1970, UTC."""
        wait = None if self.until is None else max(0.001, (self.until - now) / 1000)
        return Banned(self.text, retry_after=wait)


@attrs.frozen
class NamePattern:
    """A pattern of names, in which `*` stands for any number of characters.

    Attributes:
        folds: the parts between the stars, as names are compared.
        shapes: the same, as they look.
        is_ascii: whether it is in ASCII, so that names in ASCII do not look like it.
    """

    folds: tuple[str, ...]
    shapes: tuple[str, ...]
    is_ascii: bool

    @classmethod
    def parse(cls, raw: str) -> NamePattern:
        """Return the pattern that was typed.

        Raises:
            BadRequest: no name can match it, or all do.
        """
        characters = raw.replace("*", "")
        if not characters or len(raw) > PATTERN_CHARS:
            raise BadRequest(f"name: a pattern has 1 to {PATTERN_CHARS} characters besides *.")
        if not all(map(is_name_character, characters)):
            raise BadRequest("name: a pattern has characters of names, and *.")
        parts = raw.split("*")
        folds = tuple(map(fold_user, parts))
        return cls(folds, tuple(map(shape, parts)), raw.isascii())

    @property
    def text(self) -> str:
        """The pattern as it is shown and compared with others."""
        return "*".join(self.folds)

    def matches(self, name: str) -> bool:
        """Return whether a user name, as displayed, matches."""
        if _matches(self.folds, fold_user(name)):
            return True
        alike = not (self.is_ascii and name.isascii())
        return alike and _matches(self.shapes, shape(name))

    @property
    def like_key(self) -> str:
        """The pattern of SQL for keys of names, in which a backslash escapes."""
        return "%".join(map(_escaped, self.folds))

    @property
    def like_skeleton(self) -> str:
        """The pattern of SQL for stored skeletons, whose first character is a mark."""
        mark = skeleton("ä")[0] if self.is_ascii else "_"
        return mark + "%".join(map(_escaped, self.shapes))


def _matches(parts: Sequence[str], text: str) -> bool:
    """Return whether a text has parts in order, the first at its beginning, the last at its end.

    The time grows with the length of the text, whatever the pattern.
    """
    first, *middle = parts
    if not middle:
        return text == first
    last = middle.pop()
    if not text.startswith(first) or len(first) + len(last) > len(text):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last)


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def parse_network(raw: str) -> Network:
    """Return a network that can be banned: of an address, it alone; of IPv6, its /64.

    Args:
        raw: an IP address or a network, as `192.0.2.0/24`.

    Raises:
        BadRequest: it is none, or a part of an IPv6 /64.
    """
    try:
        network = ipaddress.ip_network(raw.strip())
    except ValueError:
        raise BadRequest("This is no IP address, and no network such as 192.0.2.0/24.") from None
    if isinstance(network, ipaddress.IPv4Network):
        return network
    if network.prefixlen == network.max_prefixlen:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network(mapped)
        return network.supernet(new_prefix=IPV6_PREFIX)
    if network.prefixlen > IPV6_PREFIX:
        raise BadRequest(f"A network of IPv6 has at most {IPV6_PREFIX} bits, as a host has.")
    return network


def shown_network(network: Network) -> str:
    """Return a network as it is shown; of one address, that."""
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)
