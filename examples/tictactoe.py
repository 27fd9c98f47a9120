"""Play tic-tac-toe with another user of a room. A move is a message, "1" to "9":

    python tictactoe.py URL NAME ROOM       and in another terminal the same with another name

Each game needs a room of its own. The server puts the messages of a room into one order, and
`follow` yields all of them, the user's own included. Both programs apply the same rules to the same
log, so both have the same game: a move that was made too late is no move for either of them.
"""

import asyncio
import sys
from contextlib import suppress

from gtchat.client.aio import CommandFailed, Connection, Guest, Message, run

FIELDS = tuple("123456789")
LINES = ("123", "456", "789", "147", "258", "369", "159", "357")


class Game:
    """A game, as it follows from the messages of a room. The first two users who move play."""

    def __init__(self) -> None:
        self.players: list[str] = []
        self.moves: dict[str, str] = {}  # field -> "X" or "O"

    def move(self, user: str, field: str) -> bool:
        """Take a move; return whether it is one: it is the user's turn, and the field is free."""
        turn = len(self.moves) % 2
        if self.over or field in self.moves or field not in FIELDS:
            return False
        if len(self.players) == turn and user not in self.players:
            self.players.append(user)
        elif self.players[turn : turn + 1] != [user]:
            return False
        self.moves[field] = "XO"[turn]
        return True

    @property
    def winner(self) -> str | None:
        """The user who has three fields in a line."""
        for mark, user in zip("XO", self.players, strict=False):
            if any(all(self.moves.get(field) == mark for field in line) for line in LINES):
                return user
        return None

    @property
    def over(self) -> bool:
        """Whether no move is left."""
        return self.winner is not None or len(self.moves) == 9

    def __str__(self) -> str:
        return "\n".join(" ".join(self.moves.get(f, f) for f in line) for line in LINES[:3])


async def play(conn: Connection, room: str) -> None:
    """Play one game: moves are read from standard input."""
    game = Game()
    print(game, flush=True)
    async for entry in conn.follow(room, after=None):
        if isinstance(entry, Message) and game.move(entry.user, entry.text):
            print(f"\n{entry.user}:\n{game}", flush=True)
        if game.over:
            print(f"{game.winner} has won." if game.winner else "A draw.", flush=True)
            return


async def send_lines(conn: Connection, room: str) -> None:
    """Send what is typed."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        try:
            await conn.speak(room, line.decode().strip())
        except CommandFailed as error:
            print(error)


async def main(conn: Connection, room: str) -> None:
    """Play until the game is over."""
    for enter in (conn.create_room, conn.join):
        with suppress(CommandFailed):  # the other player has created it, or we have
            await enter(room)
    sending = asyncio.create_task(send_lines(conn, room))
    try:
        await play(conn, room)
    finally:
        sending.cancel()


if __name__ == "__main__":
    url, name, room = sys.argv[1:]
    run(lambda conn: main(conn, room), url, user=Guest(name))
