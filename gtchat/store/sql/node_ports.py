"""Where the servers of one chat listen: no server calls a client at a port of another one.

Each server tells the others in `nodes.url`, by its heartbeat, which also reads what they tell: so a
server that starts is known within two seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

#: The port in a URL.
_PORT = re.compile(r"://[^/ ]*:(\d{1,5})/")


@attrs.define(eq=False)
class NodePorts:
    """The ports of all servers of a chat.

    The attributes are set in one thread and read in another one.

    Attributes:
        told: the URLs at which this server listens, with a space between.
        others: the TCP port numbers of the other servers.
    """

    told: str = ""
    others: frozenset[int] = frozenset()

    def hear(self, told: Iterable[str]) -> None:
        """Take note of what all other servers tell."""
        self.others = frozenset(int(port) for urls in told for port in _PORT.findall(urls))
