"""Answer direct messages, and greet users who write the name of the bot in the lobby.

python echo.py [URL]
"""

import sys

from gtchat.client import Connection, Guest, Message, Whisper, run

URL = "ws://127.0.0.1:9000/"


async def echo(conn: Connection) -> None:
    """Answer until the connection is closed."""
    async for event in conn.events():
        match event:
            case Whisper(user=user, text=text):
                await conn.whisper(user, f"You said: {text}")
            case Message(room=room, user=user, text=text) if "echo" in text:
                await conn.speak(room, f"Hello, {user}.")


if __name__ == "__main__":
    run(echo, sys.argv[1] if sys.argv[1:] else URL, user=Guest("echo"))
