"""How many connections are open, by address: every protocol and the site keep to the same bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import attrs


@attrs.define(eq=False)
class ConnectionLimiter:
    """How many connections are open at once, by address.

    Args:
        most: how many an address may have; 0: any number.
        proxies: addresses that many people come from.
    """

    limit: int
    proxies: Container[str] = ()
    _by_address: Counter[str] = attrs.field(factory=Counter)

    def acquire(self, address: str) -> bool:
        """Somebody has connected; whether there is room for him."""
        self._by_address[address] += 1
        room = not self.limit or self._by_address[address] <= self.limit
        return room or address in self.proxies

    def release(self, address: str) -> None:
        """A connection is no more."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
