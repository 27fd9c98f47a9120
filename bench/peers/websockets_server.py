"""A server on websockets, with its own broadcast()."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import Any

from websockets.asyncio.server import broadcast, serve

rooms: defaultdict[str, set[Any]] = defaultdict(set)


async def on_connect(connection: Any) -> None:
    user, room = "", None
    try:
        async for data in connection:
            message = json.loads(data)
            if message["op"] == "msg":
                push = {"op": "msg", "room": message["room"], "from": user, "text": message["text"]}
                broadcast(rooms[message["room"]], json.dumps(push))
            elif message["op"] == "login":
                user = message["user"]
                await connection.send('{"op":"ok"}')
            else:
                room = rooms[message["room"]]
                room.add(connection)
                await connection.send('{"op":"joined"}')
    finally:
        if room is not None:
            room.discard(connection)


async def main(port: int) -> None:
    async with serve(on_connect, "127.0.0.1", port, compression=None, ping_interval=None):
        await asyncio.Future()


asyncio.run(main(int(sys.argv[1])))
