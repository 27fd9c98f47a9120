"""The factory of WebSocket connections: Autobahn's, with the options that the server needs.

What the connections share is in `ServerContext`; the factory gives it to them and to the service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.websocket.connection import ChatProtocol
from gtchat.protocols.websocket.context import API, SUBPROTOCOL, ServerContext
from gtchat.protocols.websocket.footprint import shared_defaults


class ChatFactory(WebSocketServerFactory):
    """Makes connections, for a listening port and for a web resource. See `build_factory`.

    Args:
        context: what the connections share.

    Attributes:
        origins: web pages that may connect. May be replaced at any time.
        hosts: names that clients may address the server by. May be replaced at any time.
    """

    noisy = False

    def __init__(self, context: ServerContext) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            protocols=[SUBPROTOCOL], server="", reactor=context.clock
        )
        self.context = context
        # Origins, pings and timeouts are ours (0 and "*" disable Autobahn's); sizes are Autobahn's.
        self.setProtocolOptions(  # type: ignore[no-untyped-call]
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=context.limits.message_bytes,
            maxMessagePayloadSize=context.limits.message_bytes,
            failByDrop=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            allowedOrigins=["*"],
            allowNullOrigin=True,
        )

    def apply_limits(self) -> None:
        """Let frames and messages have at most `message_bytes`, also on connections that are open.

        These are options of Autobahn, which `shared_defaults` keeps in the class of connections.
        """
        size, connections = self.context.limits.message_bytes, cast(Any, self.protocol)
        connections.maxFramePayloadSize = connections.maxMessagePayloadSize = size

    @property
    def origins(self) -> Origins:
        return self.context.origins

    @origins.setter
    def origins(self, origins: Origins) -> None:
        self.context.origins = origins

    @property
    def hosts(self) -> Hosts:
        return self.context.hosts

    @hosts.setter
    def hosts(self, hosts: Hosts) -> None:
        self.context.hosts = hosts

    def close_all(self, code: int, reason: str, within: float) -> Deferred[None]:
        """Close all connections, and accept no more.

        Args:
            code: close code (RFC 6455 section 7.4).
            reason: close reason, at most 123 bytes in UTF-8.
            within: seconds after which the connections that are left are aborted.

        Returns:
            A Deferred that fires when all are closed.
        """
        return self.context.close_all(code, reason, within)

    async def close_gradually(self, code: int, reason: str, within: float) -> None:
        """Close the connections that there are, spread over `within` seconds, as `close_all`."""
        await self.context.close_gradually(code, reason, within)

    def disconnect(self, code: int, reason: str) -> None:
        """Close the connections that there are, with a code and a reason as of `close_all`."""
        self.context.disconnect(code, reason)

    def stop(self) -> None:
        """Cancel all timers, also those of connections that are left."""
        self.context.timers.stop()


def build_factory(
    clock: IReactorTime,
    batcher: WriteBatcher,
    limits: Limits,
    build_api: Callable[[ChatProtocol], API],
    *,
    protocol: type[ChatProtocol] = ChatProtocol,
    origins: Origins | None = None,
    proxies: Proxies | None = None,
) -> ChatFactory:
    """Return a factory of WebSocket connections.

    permessage-deflate (RFC 7692) is never accepted: chat messages are small, and a message to a
    room is framed once for all members, while each compressed connection would need its own frame.

    Args:
        clock: monotonic time in seconds, and delayed calls.
        batcher: writes what outboxes gathered in a reactor iteration.
        limits: sizes in bytes, times in seconds; 0 disables a limit.
        build_api: makes the API of a connection that has become OPEN.
        protocol: the class of the connections; tests put an echo server in its place.
        origins: web pages that may connect; by default those of the host that they connect to.
        proxies: reverse proxies whose statement of the client's address is trusted; by default
            none.
    """
    context = ServerContext(clock, batcher, limits, origins or Origins(), proxies or Proxies())
    factory = ChatFactory(context)
    factory.protocol = shared_defaults(
        protocol, factory, context=context, build_api=staticmethod(build_api)
    )
    return factory
