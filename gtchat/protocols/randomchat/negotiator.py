"""Which API a WebSocket connection speaks: its first message selects one."""

from __future__ import annotations

from collections.abc import Callable

from gtchat.chat.errors import BadRequest
from gtchat.protocols.randomchat.api import (
    ConnectionAPI,
    RandomChatAPI,
    RandomChatTransport,
    decode_object,
)
from gtchat.protocols.randomchat.state import RandomChatState


class ProtocolNegotiator:
    """The API of a connection that has sent nothing yet: its first message selects one.

    Args:
        transport: the WebSocket connection; its `api` is this object until then.
        build_default: makes the JSON API.
        state: of RandomChat.
    """

    logged_in = False

    def __init__(
        self,
        transport: RandomChatTransport,
        build_default: Callable[[RandomChatTransport], ConnectionAPI],
        state: RandomChatState,
    ) -> None:
        self._transport = transport
        self._build_default = build_default
        self._state = state

    def message(self, payload: bytes) -> None:
        """Select an API, and give it the message."""
        try:
            first: object = decode_object(payload)
        except BadRequest:
            first = None
        if isinstance(first, dict) and "type" in first and "cmd" not in first:
            api: ConnectionAPI = RandomChatAPI(self._state, self._transport)
        else:
            api = self._build_default(self._transport)
        self._transport.api = api
        api.message(payload)

    def ping_sent(self) -> None:
        """Nothing was sent that could arrive."""

    def pong_received(self) -> None:
        """Nothing was sent that could arrive."""

    def connection_lost(self, clean: bool, arrived: bool = False) -> None:
        """The connection is gone, and nothing was sent on it."""
