"""Moderate a room: delete messages with unwanted words, kick a user at the third of them.

    python moderation.py URL NAME PASSWORD ROOM WORD ...

The bot creates the room, since its owner may do both. What it knows, it has from the log of the
room: after a restart it counts anew how often it deleted messages of a user, and finds what was
written while it was away.
"""

import re
import sys
from collections import Counter
from contextlib import suppress

from gtchat.client import (
    CommandFailed,
    Connection,
    Deleted,
    Edited,
    Message,
    Registered,
    run,
)

#: Deleted messages of a user at which they are kicked.
LIMIT = 3


async def moderate(conn: Connection, room: str, words: set[str]) -> None:
    """Moderate until the connection is closed. words: casefolded."""
    with suppress(CommandFailed):  # it exists: the bot was here before
        await conn.create_room(room)
    deleted: Counter[str] = Counter()
    async for entry in conn.follow(room, after=None):
        match entry:
            case Message(seq=int(seq), text=text) | Edited(of=seq, text=text):
                if found(text, words):
                    # It can be deleted already, when the log is read after a restart.
                    with suppress(CommandFailed):
                        await conn.delete(room, seq, reason="unwanted words")
            case Deleted(user=user, by=by) if by == conn.user and by != user:
                deleted[user] += 1
                if deleted[user] >= LIMIT:
                    deleted[user] = 0
                    with suppress(CommandFailed):  # the user has left
                        await conn.kick(room, user)


def found(text: str, words: set[str]) -> bool:
    """Return whether a text has one of the words."""
    return not words.isdisjoint(re.findall(r"\w+", text.casefold()))


if __name__ == "__main__":
    url, name, password, room, *unwanted = sys.argv[1:]
    run(
        lambda conn: moderate(conn, room, {word.casefold() for word in unwanted}),
        url,
        user=Registered(name, password, create=True),
    )
