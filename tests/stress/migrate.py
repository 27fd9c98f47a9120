"""`gtchat migrate-store` with a large chat, and SIGKILL while it copies.

A copy that was killed leaves the target empty, and the next one is complete: it has the rows of the
file, table by table. The time and the memory of the copy are measured.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import attrs

from gtchat.chat.events import Joined, MessageSent, RoomCreated
from gtchat.store.sql.entry_rows import WRITTEN, row_of
from tests.databases import create_empty
from tests.e2e.server import TOP
from tests.postgres import PostgresServer

#: Rows that are written with one call.
_BATCH = 10_000
#: Seconds that PostgreSQL has to end the transaction of a copy that was killed.
_SECONDS = 30
#: Seconds between two looks at the memory of the command.
_LOOK = 0.05
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")
_WORDS = "and so they talked about the weather until tea and cake were on the table, round"


@attrs.frozen
class Size:
    """What is in a chat.

    Attributes:
        accounts: each has a session.
        rooms: number of rooms besides the lobby.
        members: of each room.
        messages: in all rooms together.
    """

    accounts: int
    rooms: int
    members: int
    messages: int


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        rows: that were copied.
        megabytes: size of the file.
        seconds: that the copy took.
        cpu: seconds of CPU time of the command; PostgreSQL's come on top.
        peak: of the command's resident memory, in MiB.
        kills: SIGKILLs that were sent.
        too_late: those to commands that had finished before.
        violations: one line each.
    """

    rows: int = 0
    megabytes: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    kills: int = 0
    too_late: int = 0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows of a file of {self.megabytes:.0f} MB copied in "
            f"{self.seconds:.1f} s, {self.cpu:.1f} s of CPU time and {self.peak:.0f} MiB of the "
            f"command; {self.kills} kills, {self.too_late} of them too late; "
            f"{len(self.violations)} violations"
        )


@attrs.frozen
class Usage:
    """What a command took: seconds, seconds of CPU time, and MiB of resident memory at most."""

    seconds: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s of CPU time, {self.peak:.0f} MiB"


def start(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start `gtchat` with arguments; both its outputs are one pipe. folder: where it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "gtchat.cli", *words],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def measure(command: subprocess.Popen[str]) -> Usage:
    """Wait for the end of a command that has just been started."""
    began, peak = time.monotonic(), 0.0
    used: Any = (0, 0, None)
    while not used[0]:
        # What `wait4` says of the memory counts that of this process, before the exec, too.
        if found := _PEAK.search(Path(f"/proc/{command.pid}/status").read_text()):
            peak = int(found[1]) / 1024
        time.sleep(_LOOK)
        used = os.wait4(command.pid, os.WNOHANG)
    command.returncode = os.waitstatus_to_exitcode(used[1])
    return Usage(time.monotonic() - began, used[2].ru_utime + used[2].ru_stime, peak)


def fill(path: Path, size: Size) -> None:
    """Create a file with a chat.

    Args:
        path: of the file, which does not exist.
        size: of the chat.
    """
    create_empty(path)
    with closing(sqlite3.connect(path)) as db, db:
        for statement, rows in _rows(size):
            marks = ", ".join("?" * (statement.count(",") + 1))
            while batch := list(islice(rows, _BATCH)):
                db.executemany(f"INSERT INTO {statement} VALUES ({marks})", batch)


def _rows(size: Size) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
    """Yield the table and columns of rows, and the rows. Rooms are 2, 3 and so on."""
    accounts = range(1, size.accounts + 1)
    rooms = range(2, size.rooms + 2)
    yield "meta (key, value)", iter([("epoch", "stress")])
    yield "starts (id, at, entries_mark)", iter([(1, 1, 0)])
    yield (
        "accounts (id, name, key, registered, password_hash, created_at, lobby_read_seq)",
        ((n, f"User{n}", f"user{n}", 1, "$argon2id$" + "h" * 80, 1, 0) for n in accounts),
    )
    yield (
        "sessions (token_hash, account_id, began_at, start_id)",
        ((n.to_bytes(32, "big"), n, 1, 1) for n in accounts),
    )
    lobby = [(1, "lobby", "lobby", 1, "", 0, None, "", None)]
    yield (
        "rooms (id, key, name, public, topic, max, owner_id, owner, creator_id)",
        iter([*lobby, *((r, f"r{r}", f"R{r}", 1, "t", 0, *_owner(size, r)) for r in rooms)]),
    )
    yield (
        "members (room_id, account_id, joined_seq, read_seq)",
        ((room, id_, seq, 0) for room in rooms for seq, id_ in enumerate(_members(size, room), 1)),
    )
    yield f"entries ({', '.join(WRITTEN)})", _entries(size)
    yield "heads (room_id, seq, messages, first)", _heads(size)


def _members(size: Size, room: int) -> list[int]:
    """Return the accounts of the members of a room; the first created it."""
    first = (room - 2) * size.members
    return [(first + n) % size.accounts + 1 for n in range(min(size.members, size.accounts))]


def _owner(size: Size, room: int) -> tuple[int, str, int]:
    owner = _members(size, room)[0]
    return owner, f"User{owner}", owner


def _entries(size: Size) -> Iterator[tuple[Any, ...]]:
    for room in range(2, size.rooms + 2):
        first, *others = _members(size, room)
        name = f"User{first}"
        about = {"room_name": f"R{room}", "at": 1}
        created = RoomCreated(
            **about, seq=1, usr=name, subject_id=first, public=True, topic="t", max=0, owner=name
        )
        yield row_of(room, created, 0)
        for seq, id_ in enumerate(others, 2):
            yield row_of(room, Joined(**about, seq=seq, usr=f"User{id_}", subject_id=id_), 0)
    for number in range(size.messages):
        turn, room = divmod(number, size.rooms)
        members = _members(size, room + 2)
        id_ = members[turn % len(members)]
        seq, text = len(members) + turn + 1, f"{_WORDS} {number}"
        message = MessageSent(
            room_name="", usr=f"User{id_}", msg=text, id=f"i{number:x}", at=2, seq=seq
        )
        message.subject_id = id_
        yield row_of(room + 2, message, turn + 1)


def _heads(size: Size) -> Iterator[tuple[int, int, int, int]]:
    members = min(size.members, size.accounts)
    for room in range(size.rooms):
        messages = size.messages // size.rooms + (room < size.messages % size.rooms)
        yield room + 2, members + messages, messages, 1


class Migrate:
    """One run.

    Args:
        size: of the chat.
        kills: how many copies are killed, at moments spread over the whole time.
    """

    def __init__(self, size: Size, kills: int) -> None:
        self.result = Result()
        self._size, self._kills = size, kills
        self._postgres = PostgresServer()
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-migrate-"))
        self._file = self._folder / "gtchat.sqlite"

    def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Copy the chat, and copy it again and again.

        Args:
            progress: called with the number of kills.
        """
        result = self.result
        try:
            fill(self._file, self._size)
            result.megabytes = self._file.stat().st_size / 1e6
            self._postgres.start()
            self._create("measured")
            self._measure()
            self._create("killed")
            for number in range(self._kills if not result.violations else 0):
                self._kill((number + 0.5) / self._kills * result.seconds)
                progress(number + 1)
            self._check_last()
        finally:
            self._postgres.close()
            shutil.rmtree(self._folder)
        return result

    def _create(self, name: str) -> None:
        self._postgres.execute(f"CREATE DATABASE {name}")

    def _start(self, target: str) -> subprocess.Popen[str]:
        words = ["migrate-store", f"sqlite:{self._file}", self._postgres.url(target)]
        return start(words, self._folder)

    def _measure(self) -> None:
        """Copy all of it, without being killed."""
        command, result = self._start("measured"), self.result
        used = measure(command)
        result.seconds, result.cpu, result.peak = used.seconds, used.cpu, used.peak
        if self._expect(command, 0, "copied "):
            result.rows = self._compare("measured")

    def _expect(self, command: subprocess.Popen[str], status: int, words: str) -> bool:
        """Return whether a command ended so, with one line; note a violation if it did not."""
        assert command.stdout is not None
        said = command.stdout.read()
        if command.returncode == status and words in said and said.count("\n") == 1:
            return True
        self.result.violations.append(f"exit status {command.returncode}: {said}")
        return False

    def _kill(self, seconds: float) -> None:
        """Kill a copy after some seconds; the target has nothing of it."""
        command = self._start("killed")
        time.sleep(seconds)
        command.send_signal(signal.SIGKILL)
        self.result.kills += 1
        if command.wait() == 0:
            self.result.too_late += 1
            self._compare("killed")
            self._postgres.execute("DROP DATABASE killed")
            self._create("killed")
        else:
            self._require_empty(seconds)

    def _require_empty(self, seconds: float) -> None:
        import psycopg

        with psycopg.connect(self._postgres.url("killed"), autocommit=True) as db:
            tables = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables.fetchall():
                rows = db.execute(f"SELECT count(*) FROM {table}").fetchone()
                if table in ("accounts", "rooms", "entries", "members") and rows != (0,):
                    self.result.violations.append(f"after {seconds:.1f} s {rows} of {table}")

    def _check_last(self) -> None:
        """Kill a copy and start the next one at once: it is complete. One more is refused."""
        for status, words in ((0, "copied "), (2, "has a chat already: name an empty database")):
            command = self._start("killed")
            command.wait()
            if not self._expect(command, status, words):
                return
        self._compare("killed")

    def _compare(self, database: str) -> int:
        """Compare all rows of the file with those of a copy; return their number."""
        import psycopg

        from gtchat.store.sql.migrate_store import TABLES

        found = 0
        with (
            closing(sqlite3.connect(self._file)) as old,
            psycopg.connect(self._postgres.url(database)) as new,
        ):
            for table in TABLES:
                names = ", ".join(f'"{column.name}"' for column in table.columns)
                order = ", ".join(f'"{column.name}"' for column in table.primary_key)
                sql = f"SELECT {names} FROM {table.name} ORDER BY {order}"
                with new.cursor(name="rows") as cursor:
                    cursor.itersize = _BATCH
                    copied: Iterable[Any] = cursor.execute(sql)
                    if table.name == "meta":
                        copied = (row for row in copied if row[0] != "min_program")
                    elif table.name == "heads":  # of logs that have no entries
                        copied = (row for row in copied if row[1])
                    for one, other in zip_longest(old.execute(sql), copied):
                        if one != other:
                            text = f"{table.name} has {other} in place of {one}"
                            self.result.violations.append(text)
                            break
                        found += 1
        return found
