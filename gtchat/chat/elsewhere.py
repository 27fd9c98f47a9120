"""Which accounts are online at other nodes, as the system log tells it.

An account can be online at several nodes. What is told twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Elsewhere:
    """Which accounts are online at other nodes.

    Its methods return account id -> name as displayed of those accounts whose state has changed:
    that are online at the first other node, or at none any more.
    """

    def __init__(self) -> None:
        #: Node id -> account id -> name.
        self._by_node: dict[int, dict[int, str]] = {}
        #: Account id -> number of nodes where it is online.
        self._counts: dict[int, int] = {}

    def __contains__(self, account_id: int) -> bool:
        return account_id in self._counts

    def name(self, account_id: int) -> str | None:
        """Return the name of an account as displayed, None if it is online at no other node."""
        found = (here[account_id] for here in self._by_node.values() if account_id in here)
        return next(found, None)

    def came(self, node_id: int, accounts: Mapping[int, str]) -> dict[int, str]:
        """Take note that accounts are online at a node; return those that were at no other node.

        Args:
            node_id: the node.
            accounts: account id -> name.
        """
        here, first = self._by_node.setdefault(node_id, {}), {}
        for account_id, name in accounts.items():
            if account_id in here:
                continue
            here[account_id] = name
            count = self._counts[account_id] = self._counts.get(account_id, 0) + 1
            if count == 1:
                first[account_id] = name
        return first

    def went(self, node_id: int, accounts: Iterable[int]) -> dict[int, str]:
        """Take note that accounts are not online at a node; return those that are at no other one.

        Args:
            node_id: the node.
            accounts: account ids.
        """
        here = self._by_node.get(node_id, {})
        last = {}
        for account_id in accounts:
            name = here.pop(account_id, None)
            if name is None:
                continue
            self._counts[account_id] -= 1
            if not self._counts[account_id]:
                del self._counts[account_id]
                last[account_id] = name
        return last

    def node_gone(self, node_id: int) -> dict[int, str]:
        """Take note that a node has ended; return the accounts that are online at no other node."""
        gone = self.went(node_id, list(self._by_node.get(node_id, ())))
        self._by_node.pop(node_id, None)
        return gone
