"""websockets, with its own broadcast()."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import Any

from websockets.asyncio.server import broadcast, serve

rooms: defaultdict[str, set[Any]] = defaultdict(set)


async def talk(connection: Any) -> None:
    user, mine = "", None
    try:
        async for data in connection:
            message = json.loads(data)
            if message["op"] == "msg":
                told = {"op": "msg", "room": message["room"], "from": user, "text": message["text"]}
                broadcast(rooms[message["room"]], json.dumps(told))
            elif message["op"] == "login":
                user = message["user"]
                await connection.send('{"op":"ok"}')
            else:
                mine = rooms[message["room"]]
                mine.add(connection)
                await connection.send('{"op":"joined"}')
    finally:
        if mine is not None:
            mine.discard(connection)


async def main(port: int) -> None:
    async with serve(talk, "127.0.0.1", port, compression=None, ping_interval=None):
        await asyncio.Future()


asyncio.run(main(int(sys.argv[1])))
