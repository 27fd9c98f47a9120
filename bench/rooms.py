"""`rooms`: start and memory of a chat with 1,000,000 rooms and 100,000 accounts, on both databases.

Each room has an owner and two more members; half of the rooms are public. The logs are empty: what
a start and a login read does not depend on their length.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import tests.e2e.server as e2e
from bench import report
from bench.compare import Say
from bench.memory import resident_kib
from bench.servers import NO_LIMITS, PinnedServer
from gtchat.chat.accounts import uuid_hash
from gtchat.store.sql.opening import prepare
from tests import postgres
from tests.e2e.server import Client, Closed

ROOMS, ACCOUNTS, ONLINE = 1_000_000, 100_000, 1_000
#: Divisor of all three with `--quick`; of rooms and accounts, where a server cannot serve so many.
QUICK, SMALLER = 50, 10
#: Seconds that a start may take.
START_S = 900
#: Logins whose time is measured, of accounts that log in again.
AGAIN = 100

#: Table -> its columns, in the order in which the tables are filled.
TABLES = {
    "accounts": "id, name, key, registered, uuid_hash, created_at, lobby_read_seq",
    "rooms": "id, key, name, public, topic, max, owner_id, owner, creator_id",
    "members": "room_id, account_id, joined_seq, read_seq",
    "heads": "room_id, seq, messages, first",
}
#: Stores rows of a table.
Insert = Callable[[str, Iterable[Sequence[object]]], None]


def credential(account: int) -> str:
    """Return the UUID of an account, which logs in with it: that takes no Argon2."""
    return str(uuid.UUID(int=account, version=4))


def members_of(room: int, accounts: int) -> tuple[int, int, int]:
    """Return the ids of the accounts in a room, its owner first."""
    first = room % accounts + 1
    return first, (room * 7 + 3) % accounts + 1, (room * 13 + 5) % accounts + 1


def rows_of(table: str, rooms: int, accounts: int) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table. The lobby has the id 1."""
    if table == "accounts":
        for n in range(1, accounts + 1):
            yield n, f"user{n}", f"user{n}", True, uuid_hash(credential(n)), 0, 0
        return
    if table == "rooms":
        yield 1, "lobby", "lobby", True, "", 0, None, "", None
    if table == "heads":
        yield 1, 0, 0, 1
    for n in range(2, rooms + 2):
        members = members_of(n, accounts)
        if table == "rooms":
            owner = members[0]
            yield n, f"r{n:07}", f"r{n:07}", n % 2 == 0, "a topic", 0, owner, f"user{owner}", owner
        elif table == "heads":
            yield n, 3, 0, 4
        else:
            for seq, account in enumerate(dict.fromkeys(members), start=1):
                yield n, account, seq, seq


def fill(insert: Insert, rooms: int, accounts: int, say: Say) -> None:
    """Fill an empty database."""
    for table in TABLES:
        say(f"{table} … ")
        insert(table, rows_of(table, rooms, accounts))


def fill_sqlite(path: Path, rooms: int, accounts: int, say: Say) -> None:
    """Create a file of SQLite with so many rooms and accounts."""
    prepare(path)
    with closing(sqlite3.connect(path)) as db, db:

        def insert(table: str, rows: Iterable[Sequence[object]]) -> None:
            columns = TABLES[table]
            marks = ", ".join("?" * len(columns.split(", ")))
            db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

        fill(insert, rooms, accounts, say)


def fill_postgres(url: str, rooms: int, accounts: int, say: Say) -> None:
    """Fill an empty database of PostgreSQL."""
    import psycopg

    with psycopg.connect(url) as db:

        def insert(table: str, rows: Iterable[Sequence[object]]) -> None:
            with db.cursor().copy(f"COPY {table} ({TABLES[table]}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

        db.execute("DELETE FROM heads WHERE room_id = 1")
        fill(insert, rooms, accounts, say)
        for table, last in (("accounts", accounts or 1), ("rooms", rooms + 1)):
            db.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(options: Sequence[str], folder: str, accounts: int, online: int) -> dict[str, float]:
    """Start a server, and log users in.

    Args:
        options: Where its store is; empty for a file in the folder.
        folder: The data folder.
        accounts: How many accounts there are; 0 for an empty chat.
        online: How many of them log in.

    Returns:
        CPU seconds until it serves, seconds until then, resident MiB then and with the users
        online, and CPU ms of a login.
    """
    server = PinnedServer(*NO_LIMITS, *options, data=folder)
    began = time.perf_counter()
    server.start()
    try:
        found = {
            "start_cpu_s": cpu_seconds(server.pid),
            "start_s": time.perf_counter() - began,
            "start_mib": resident_kib(server) / 1024,
        }
        if not accounts:
            return found
        clients: list[Client] = []
        for number in range(online):  # one by one: who does not log in is not waited for long
            clients.append(client := Client(server.ws_port))
            client.call("login", type="reg", uuid=credential(number * (accounts // online) + 1))
        found["online_mib"] = resident_kib(server) / 1024
        before = cpu_seconds(server.pid)
        for number in range(AGAIN):
            client = Client(server.ws_port)
            client.call("login", type="reg", uuid=credential(number * (accounts // online) + 1))
            client.close()
        found["login_ms"] = (cpu_seconds(server.pid) - before) * 1000 / AGAIN
        return found
    finally:
        server.stop()


def rooms(folder: Path, quick: bool, say: Say) -> int:
    """Measure all, print the numbers and write JSON.

    Args:
        folder: Where to write.
        quick: Whether to measure with fewer of everything.
        say: Shows progress.

    Returns:
        The exit status, 0.
    """
    e2e.SECONDS = START_S
    part = QUICK if quick else 1
    sizes = {"rooms": ROOMS // part, "accounts": ACCOUNTS // part, "online": ONLINE // part}
    document: dict[str, Any] = {"machine": report.describe_machine(), **sizes}
    for store in ("sqlite", "postgresql"):
        if store == "postgresql" and postgres.MISSING:
            say(f"postgresql is left out: {postgres.MISSING}\n")
            continue
        document[store] = _measure(store, sizes, say)
        for state, values in document[store].items():
            text = ", ".join(f"{name} {value:.2f}" for name, value in values.items())
            sys.stdout.write(f"{store}, {state}: {text or 'cannot serve'}\n")
    report.write_results(folder, "rooms", document)
    return 0


def _measure(store: str, sizes: dict[str, int], say: Say) -> dict[str, dict[str, float]]:
    """Measure a server on an empty store, and on a full one, which is smaller if it can't start.

    Returns:
        "empty", or the number of rooms -> what was measured; nothing if the server cannot serve so
        many.
    """
    found: dict[str, dict[str, float]] = {}
    rooms, accounts, online = sizes["rooms"], sizes["accounts"], sizes["online"]
    say(f"{store}: empty … ")
    with _full(store, 0, 0, say) as (options, data):
        found["empty"] = measure(options, data, 0, 0)
    while rooms >= online:
        with _full(store, rooms, accounts, say) as (options, data):
            say("full … ")
            name = f"{rooms:,} rooms"
            try:
                found[name] = measure(options, data, accounts, online)
            except (AssertionError, Closed, OSError) as error:
                say(f"{repr(error)[-300:]} … ")
                found[name] = {}
        if found[name]:
            break
        rooms, accounts = rooms // SMALLER, accounts // SMALLER
    say("done\n")
    return found


@contextmanager
def _full(store: str, rooms: int, accounts: int, say: Say) -> Iterator[tuple[tuple[str, ...], str]]:
    """Provide a store with so many rooms and accounts; yield options and folder."""
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as data:
        if store == "sqlite":
            path = Path(data, "gtchat.sqlite")
            fill_sqlite(path, rooms, accounts, say)
            yield (), data
        else:
            url = postgres.create_empty()
            fill_postgres(url, rooms, accounts, say)
            yield ("--store", url), data
