"""A server on Autobahn and Twisted, with sendPreparedMessage() to each member.

That is how Autobahn's documentation broadcasts.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor

rooms: defaultdict[str, set[Any]] = defaultdict(set)


class Member(WebSocketServerProtocol):
    user = ""
    room: set[Any] | None = None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = json.loads(payload)
        if message["op"] == "msg":
            push = {
                "op": "msg",
                "room": message["room"],
                "from": self.user,
                "text": message["text"],
            }
            prepared = self.factory.prepareMessage(json.dumps(push).encode())
            for member in rooms[message["room"]]:
                member.sendPreparedMessage(prepared)
        elif message["op"] == "login":
            self.user = message["user"]
            self.sendMessage(b'{"op":"ok"}')
        else:
            self.room = rooms[message["room"]]
            self.room.add(self)
            self.sendMessage(b'{"op":"joined"}')

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        if self.room is not None:
            self.room.discard(self)


factory = WebSocketServerFactory()
factory.protocol = Member
reactor.listenTCP(int(sys.argv[1]), factory, backlog=4096, interface="127.0.0.1")
reactor.run()
