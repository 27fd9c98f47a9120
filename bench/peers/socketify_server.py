"""A server on uWebSockets (C++) through socketify, with its own publish and subscribe."""

from __future__ import annotations

import json
import sys
from typing import Any

from socketify import App, OpCode

app = App()


def on_message(connection: Any, data: Any, opcode: Any) -> None:
    message = json.loads(data)
    if message["op"] == "msg":
        push = {"op": "msg", "room": message["room"], "from": "", "text": message["text"]}
        app.publish(message["room"], json.dumps(push), OpCode.TEXT)
    elif message["op"] == "login":
        connection.send('{"op":"ok"}', OpCode.TEXT)
    else:
        connection.subscribe(message["room"])
        connection.send('{"op":"joined"}', OpCode.TEXT)


app.ws("/*", {"compression": 0, "idle_timeout": 0, "message": on_message})
app.listen(int(sys.argv[1]), lambda _: None)
app.run()
