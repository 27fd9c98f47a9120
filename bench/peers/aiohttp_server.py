"""A server on aiohttp, with uvloop if that is installed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import Any

from aiohttp import WSMsgType, web

try:
    import uvloop

    uvloop.install()
except ImportError:
    pass

rooms: defaultdict[str, set[Any]] = defaultdict(set)


async def serve(request: web.Request) -> web.WebSocketResponse:
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    user, room = "", None
    async for data in connection:
        if data.type is not WSMsgType.TEXT:
            continue
        message = json.loads(data.data)
        if message["op"] == "msg":
            push = {"op": "msg", "room": message["room"], "from": user, "text": message["text"]}
            text = json.dumps(push)
            for member in rooms[message["room"]]:
                await member.send_str(text)
        elif message["op"] == "login":
            user = message["user"]
            await connection.send_str('{"op":"ok"}')
        else:
            room = rooms[message["room"]]
            room.add(connection)
            await connection.send_str('{"op":"joined"}')
    if room is not None:
        room.discard(connection)
    return connection


async def main(port: int) -> None:
    app = web.Application()
    app.add_routes([web.get("/", serve)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Future()


asyncio.run(main(int(sys.argv[1])))
