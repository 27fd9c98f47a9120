"""The number of open connections by address, for one limit on each address.

Every protocol and the web site have a limiter. Rates of requests are limited elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import attrs


@attrs.define(eq=False)
class ConnectionLimiter:
    """Counts the open connections of each address.

    Args:
        limit: maximum number of connections of one address. 0 disables the limit.
        proxies: addresses without a limit, as many users connect from them.
    """

    limit: int
    proxies: Container[str] = ()
    _by_address: Counter[str] = attrs.field(factory=Counter)

    def acquire(self, address: str) -> bool:
        """Count a new connection, also one beyond the limit.

        Returns:
            Whether it is within the limit. If not, the caller must close it. In both cases
            `release` must be called, once.
        """
        self._by_address[address] += 1
        room = not self.limit or self._by_address[address] <= self.limit
        return room or address in self.proxies

    def release(self, address: str) -> None:
        """Stop counting a connection that was counted by `acquire`."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
