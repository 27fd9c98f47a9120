"""The number of open connections by address, for one limit on each network (`network_key`).

Every protocol and the web site have a limiter. Rates of requests are limited elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import attrs

from gtchat.chat.limits import Limits, network_key


@attrs.define(eq=False)
class ConnectionLimiter:
    """Counts the open connections of each network.

    Args:
        limits: `connections_per_address` is used, the maximum number of one network.
        proxies: addresses without a limit, as many users connect from them.

    Attributes:
        open: connections of all networks, also of addresses without a limit.
    """

    limits: Limits
    proxies: Container[str] = ()
    open: int = attrs.field(default=0, init=False)
    _by_network: Counter[str] = attrs.field(init=False, factory=Counter)
    _of_proxies: Counter[str] = attrs.field(init=False, factory=Counter)

    def acquire(self, address: str) -> bool:
        """Count a new connection, also one beyond the limit.

        Returns:
            Whether it is within the limit. If not, the caller must close it. In both cases
            `release` must be called, once.
        """
        self.open += 1
        if address in self.proxies:
            self._of_proxies[address] += 1
            return True
        network = network_key(address)
        self._by_network[network] += 1
        limit = self.limits.connections_per_address
        return not limit or self._by_network[network] <= limit

    def release(self, address: str) -> None:
        """Stop counting a connection that was counted by `acquire`."""
        self.open -= 1
        if self._of_proxies[address]:  # was one when it came: the settings may have changed since
            self._of_proxies -= Counter((address,))  # keeps positive numbers only
            return
        network = network_key(address)
        self._by_network[network] -= 1
        if not self._by_network[network]:
            del self._by_network[network]
