"""A server on picows (Cython), with uvloop if that is installed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

try:
    import uvloop

    uvloop.install()
except ImportError:
    pass

rooms: defaultdict[str, set[Any]] = defaultdict(set)


class Member(WSListener):
    user = ""
    room: set[Any] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            return
        message = json.loads(frame.get_payload_as_bytes())
        if message["op"] == "msg":
            push = {
                "op": "msg",
                "room": message["room"],
                "from": self.user,
                "text": message["text"],
            }
            data = json.dumps(push).encode()
            for member in rooms[message["room"]]:
                member.send(WSMsgType.TEXT, data)
        elif message["op"] == "login":
            self.user = message["user"]
            transport.send(WSMsgType.TEXT, b'{"op":"ok"}')
        else:
            self.room = rooms[message["room"]]
            self.room.add(transport)
            transport.send(WSMsgType.TEXT, b'{"op":"joined"}')

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.room is not None:
            self.room.discard(transport)


async def main(port: int) -> None:
    def accept(request: WSUpgradeRequest) -> WSListener:
        return Member()

    server = await ws_create_server(accept, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
