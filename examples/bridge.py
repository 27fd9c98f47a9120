"""Copy a room into a file: each entry once, over restarts of this program and of the server.

    python bridge.py URL NAME PASSWORD ROOM FILE

A line of the file has the cursor of an entry and the entry itself: what was copied and how far the
copy goes can't disagree, whenever the program is killed. When a backup of the server was put back,
the room is read again from its beginning, and the lines that the file has already are left out.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gtchat.client import CommandFailed, Connection, Entry, Registered, RoomReset, run


class Archive:
    """The file. A line that was not written to its end is cut off.

    Attributes:
        cursor: that of the last line, None if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.cursor: str | None = None
        self._path = path
        self._known: set[str] = set()
        self._file = path.open("ab", buffering=0)
        end = 0
        for line in self._lines():
            end += len(line)
            self.cursor = json.loads(line)["cursor"]
        self._file.truncate(end)

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as lines:
            yield from (line for line in lines if line.endswith(b"\n"))

    def begin_again(self) -> None:
        """Leave out from now on what the file has: the room is read from its beginning."""
        self._known = {identity(json.loads(line)["entry"]) for line in self._lines()}

    def append(self, entry: Entry) -> None:
        """Add a line, unless there is one of this entry."""
        if identity(entry.raw) not in self._known:
            line = json.dumps({"cursor": entry.cursor, "entry": entry.raw})
            self._file.write(line.encode() + b"\n")


def identity(raw: dict[str, Any]) -> str:
    """Return what names an entry for good: the id of a message, which is never used again."""
    return str(raw.get("id") or (raw["seq"], raw["at"]))


async def bridge(conn: Connection, room: str, archive: Archive) -> None:
    """Copy a room until the connection is closed."""
    with suppress(CommandFailed):  # it is in the room already
        await conn.join(room)
    async for entry in conn.follow(room, after=archive.cursor):
        if isinstance(entry, RoomReset):
            archive.begin_again()
        else:
            archive.append(entry)


if __name__ == "__main__":
    url, name, password, room, file = sys.argv[1:]
    run(
        lambda conn: bridge(conn, room, Archive(Path(file))),
        url,
        user=Registered(name, password, create=True),
    )
