"""WebSocket: Autobahn's protocol and factory, bounded, and quick where nearly all frames are.

`connection` is the protocol, `factory` makes and counts connections, `frames` has the quick way
through text messages, `deadlines` one timer for everybody.
"""

from gtchat.protocols.websocket.connection import ChatProtocol
from gtchat.protocols.websocket.factory import API, ChatFactory, build_factory
from gtchat.protocols.websocket.frames import text_frame

__all__ = ["API", "ChatFactory", "ChatProtocol", "build_factory", "text_frame"]
