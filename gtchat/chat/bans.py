"""Bans: whether a user, a name or an address is banned from the server.

All bans are in the memory of each node: a check costs as much with one ban as with thousands, but
for patterns of names, of which there are few. Connections, logins and registrations are checked,
messages never: a ban ends the sessions of the user (`ban_admin`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from gtchat.chat.ban_records import Ban, NamePattern, Network, parse_network, shown_network
from gtchat.chat.errors import BadRequest, Banned
from gtchat.chat.records import Account

#: Networks that cannot be banned: of this machine.
LOOPBACK: tuple[Network, ...] = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))
#: Most bans of patterns of names: each login compares its name with all of them.
MAX_PATTERNS = 500


class Bans:
    """The bans of a chat.

    Args:
        now: returns the time in milliseconds since 1970, UTC.

    Attributes:
        protected: networks that are never banned: loopback, and what the server adds: its trusted
            proxies.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.protected: tuple[Network, ...] = LOOPBACK
        #: Number -> ban; account id -> ban; number -> pattern.
        self._by_id: dict[int, Ban] = {}
        self._accounts: dict[int, Ban] = {}
        self._patterns: dict[int, NamePattern] = {}
        #: (version of IP, bits of the prefix) -> prefix -> ban.
        self._networks: dict[tuple[int, int], dict[int, Ban]] = {}

    def begin(self, bans: Iterable[Ban]) -> None:
        """Begin with the bans that are stored."""
        for ban_id in list(self._by_id):
            self.remove(ban_id)
        for ban in bans:
            self.add(ban)

    def add(self, ban: Ban) -> None:
        """Add a ban; one with its number is replaced."""
        self.remove(ban.id)
        self._by_id[ban.id] = ban
        if ban.account_id is not None:
            self._accounts[ban.account_id] = ban
        elif ban.kind == "name":
            self._patterns[ban.id] = NamePattern.parse(ban.target)
        else:
            kind, prefix = _prefix_of(parse_network(ban.target))
            self._networks.setdefault(kind, {})[prefix] = ban

    def remove(self, ban_id: int) -> None:
        """Remove a ban, if there is one with that number."""
        ban = self._by_id.pop(ban_id, None)
        if ban is None:
            return
        # One that is over may have been followed by another one of the same account or network.
        if ban.account_id is not None:
            if self._accounts.get(ban.account_id) is ban:
                del self._accounts[ban.account_id]
        elif self._patterns.pop(ban_id, None) is None:
            kind, prefix = _prefix_of(parse_network(ban.target))
            networks = self._networks.get(kind, {})
            if networks.get(prefix) is ban:
                del networks[prefix]
                if not networks:
                    del self._networks[kind]

    def drop_old(self) -> None:
        """Forget the bans that are over."""
        now = self._now()
        for ban in [ban for ban in self._by_id.values() if ban.is_over(now)]:
            self.remove(ban.id)

    def listed(self) -> list[Ban]:
        """Return the bans that are not over, newest first."""
        now = self._now()
        return [
            self._by_id[id_]
            for id_ in sorted(self._by_id, reverse=True)
            if not self._by_id[id_].is_over(now)
        ]

    def get(self, ban_id: int) -> Ban | None:
        """Return the ban with a number that is not over, None if there is none."""
        return self._alive(self._by_id.get(ban_id))

    def patterns(self, but: str) -> int:
        """Return how many patterns are banned, not counting one."""
        return sum(self._by_id[one].target != but for one in self._patterns)

    def _alive(self, ban: Ban | None) -> Ban | None:
        return None if ban is None or ban.is_over(self._now()) else ban

    # Checks.

    def of_address(self, address: str) -> Ban | None:
        """Return the ban of an IP address, None if it is not banned.

        Args:
            address: as text. What is no IP address, such as that of a Unix socket, is not banned.
        """
        if not self._networks:
            return None
        ip = _address(address)
        if ip is None:
            return None
        version, number, size = ip.version, int(ip), ip.max_prefixlen
        for (kind, bits), networks in self._networks.items():
            if kind == version:
                ban = self._alive(networks.get(number >> (size - bits)))
                if ban is not None and not any(ip in one for one in self.protected):
                    return ban
        return None

    def of_name(self, name: str) -> Ban | None:
        """Return the ban of a name, as displayed, None if no pattern matches it."""
        for ban_id, pattern in self._patterns.items():
            if pattern.matches(name) and (ban := self.get(ban_id)) is not None:
                return ban
        return None

    def of_account_id(self, account_id: int | None) -> Ban | None:
        """Return the ban of an account itself, not of its name; None for none, or no account."""
        return None if account_id is None else self._alive(self._accounts.get(account_id))

    def of_account(self, account: Account) -> Ban | None:
        """Return the ban of an account, None if it is not banned.

        Patterns do not concern operators: one that is too wide would keep out who can mend it.
        """
        ban = self.of_account_id(account.id)
        return ban if ban is not None or account.operator else self.of_name(account.name)

    def check_address(self, address: str) -> None:
        """Raise Banned if an IP address is banned."""
        self._check(self.of_address(address))

    def check_name(self, name: str) -> None:
        """Raise Banned if a name, as displayed, is banned."""
        self._check(self.of_name(name))

    def check_account(self, account: Account) -> None:
        """Raise Banned if an account is banned."""
        self._check(self.of_account(account))

    def check(self, account: Account, address: str) -> None:
        """Raise Banned if an account or the address of its client is banned."""
        self.check_address(address)
        self.check_account(account)

    def _check(self, ban: Ban | None) -> None:
        if ban is not None:
            raise ban.error(self._now())

    def refusal(self, address: str) -> Banned | None:
        """Return the error that refuses the connections of an IP address, None if there is none."""
        ban = self.of_address(address)
        return None if ban is None else ban.error(self._now())

    def protect(self, networks: Iterable[Network]) -> None:
        """Never ban these networks, besides those of this machine."""
        self.protected = (*LOOPBACK, *networks)

    def require_allowed(self, network: Network) -> None:
        """Check that a network may be banned.

        Raises:
            BadRequest: it has addresses of this machine, or of trusted proxies.
        """
        for one in self.protected:
            if one.version == network.version and one.overlaps(network):
                raise BadRequest(
                    f"{shown_network(network)} has addresses that cannot be banned: {one}."
                )


def covers(network: Network, address: str) -> bool:
    """Return whether an IP address, as text, is in a network."""
    ip = _address(address)
    return ip is not None and ip in network


def _address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address, one of IPv4 that is mapped into IPv6 as that; None for other text."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _prefix_of(network: Network) -> tuple[tuple[int, int], int]:
    """Return (version of IP, bits of the prefix), and the prefix as a number."""
    bits = network.prefixlen
    prefix = int(network.network_address) >> (network.max_prefixlen - bits)
    return (network.version, bits), prefix
