"""A chat and settings in, Twisted factories out: one for each protocol.

`STREAM_PROTOCOLS` has a row for each protocol with an endpoint of its own: a new one is a row here
and a setting in `settings.py`. WebSocket has a function instead, since the web site serves it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol as TwistedProtocol

from gtchat.chat.chat import Chat
from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.dialback_server import DialbackFactory
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies
from gtchat.protocols.base.outbox import MessageTransport, WriteBatcher
from gtchat.protocols.base.request_log import RequestLines
from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.protocols.gtchat_json.pushes import JSONEncoder
from gtchat.protocols.livechat import LiveChatFactory
from gtchat.protocols.message_center import MessageCenter
from gtchat.protocols.pa1 import PA1
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatState
from gtchat.protocols.websocket import API, ChatFactory, ChatProtocol, build_factory, text_frame
from gtchat.server.settings import ServerSettings, Settings


class StreamFactory(Protocol):
    """The factory of a protocol with an endpoint of its own.

    Attributes:
        limiter: counts its connections.
        requests: writes a line for each request.
    """

    limiter: ConnectionLimiter
    requests: RequestLines

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol | None:
        """Make the protocol of a connection (IProtocolFactory.buildProtocol)."""

    def stop(self) -> Deferred[None] | None:
        """Disconnect all clients; what they have not received is kept for them.

        Returns:
            Fires when it is stored; None if nothing has to be.
        """


def _message_center(chat: Chat, reactor: Any, rules: CallbackRules) -> StreamFactory:
    return DialbackFactory(MessageCenter(chat, reactor, rules))


def _pa1(chat: Chat, reactor: Any, rules: CallbackRules) -> StreamFactory:
    return DialbackFactory(PA1(chat, reactor, rules))


def _livechat(chat: Chat, reactor: Any, rules: CallbackRules) -> StreamFactory:
    return LiveChatFactory(chat, reactor)


#: Setting with the endpoints of a protocol -> makes its factory.
STREAM_PROTOCOLS: dict[str, Callable[[Chat, Any, CallbackRules], StreamFactory]] = {
    "message_center": _message_center,
    "pa1": _pa1,
    "livechat": _livechat,
}


def set_access(factory: ChatFactory, server: ServerSettings, web_ports: frozenset[int]) -> None:
    """Let settings say which pages and hosts may connect, and what is logged.

    Args:
        factory: of the WebSocket connections.
        server: the settings.
        web_ports: ports on which the server's own page is served.
    """
    factory.context.request_lines.enabled = server.log_requests
    factory.hosts = Hosts(frozenset(map(str.lower, server.allowed_hosts)))
    factory.origins = Origins(server.allowed_origins, web_ports, server.file_page)


def build_websocket(chat: Chat, reactor: Any, settings: Settings, proxies: Proxies) -> ChatFactory:
    """Make the factory of WebSocket connections, which speak the JSON API, and RandomChat if set.

    Args:
        chat: the chat.
        reactor: schedules writes and timeouts.
        settings: whether RandomChat is on.
        proxies: the trusted proxies.
    """
    limits = chat.limits
    batcher = WriteBatcher(reactor, limits)
    lines = RequestLines()
    encoder = JSONEncoder(batcher, text_frame, lines)

    def build_api(connection: MessageTransport) -> API:
        return API_Chatroom(chat, encoder, connection)

    random = RandomChatState(chat, batcher, text_frame, lines)

    def build_negotiator(connection: ChatProtocol) -> API:
        return ProtocolNegotiator(connection, build_api, random)

    build = build_negotiator if settings.server.randomchat else build_api
    factory = build_factory(reactor, batcher, limits, build, proxies=proxies)
    factory.context.request_lines = lines
    factory.context.available = lambda: chat.available
    factory.context.refusal = chat.bans.refusal
    chat.admin.limits.on_change = factory.apply_limits
    return factory
