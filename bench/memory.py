"""Memory: an idle connection, a room, a member, an account, and 200,000 comings and goings."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench import report
from bench.servers import gtchat
from bench.tools import generate
from tests.e2e.server import Client, Server

Say = Callable[[str], None]

LOGIN = ("--noecho", "--step", '{"cmd":"login","type":"tmp","usr":"u%u"}', '"ok"')
NO_CACHE = "import gtchat.store.sql.sqlite as c; c.PAGE_CACHE_KIB = 64; "
JOIN = ("--step", '{"cmd":"join_room","room_name":"r%r"}', '"ok"')


def resident(server: Server) -> float:
    """KiB of memory that the server's process has."""
    assert server.process is not None
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    return 0.0


def connection(count: int) -> float:
    """KiB an idle connection, logged in and in one room of ten."""
    with gtchat(rooms=count // 10) as server:
        assert server.process is not None
        words = ["--port", str(server.ws_port), "--pid", str(server.process.pid), "--quiet"]
        work = ["-n", str(count), "-r", "10", "-s", "1", "--rate", "1", "--dur", "1"]
        result = generate([*words, *LOGIN, *JOIN, *work], core=1)
        return float(result["kib_conn"])


def room(count: int) -> float:
    """KiB a room that somebody made who is a member alone."""
    with gtchat(rooms=10) as server:
        maker = Client(server.ws_port)
        maker.say("login", type="tmp", usr="builder")
        before = resident(server)
        for number in range(count):
            maker.say("create_room", room_name=f"more{number}")
        return (resident(server) - before) / count


def member(people: int, rooms: int) -> float:
    """Bytes a membership, of people who are here: with all memberships, and with none.

    What SQLite keeps of the pages that it read is not the members', and is kept small.
    """
    keys = [str(uuid.UUID(int=number, version=4)) for number in range(people)]

    def with_everybody(folder: str) -> float:
        with gtchat(data=folder, before=NO_CACHE) as server:
            clients = [Client(server.ws_port) for _ in keys]
            for client, key in zip(clients, keys, strict=True):
                client.say("login", type="reg", uuid=key)
            return resident(server)

    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        with gtchat(rooms=rooms, data=folder) as server:
            for key in keys:
                client = Client(server.ws_port)
                client.say("register", uuid=key)
                client.say("login", type="reg", uuid=key)
                for number in range(rooms):
                    client.send("join_room", room_name=f"r{number}")
                client.say("ping")
                client.close()
        many = with_everybody(folder)
        with closing(sqlite3.connect(Path(folder, "gtchat.sqlite"))) as db, db:
            db.execute("DELETE FROM members")
        return (many - with_everybody(folder)) * 1024 / (people * rooms)


def account(count: int) -> float:
    """Bytes an account that is registered and not here (by uuid, which costs no Argon2)."""
    with gtchat() as server:
        client = Client(server.ws_port)
        for _ in range(100):
            client.say("register", uuid=str(uuid.uuid4()))
        before = resident(server)
        for _ in range(count):
            client.say("register", uuid=str(uuid.uuid4()))
        return (resident(server) - before) * 1024 / count


def comings(count: int, at_once: int, say: Say) -> list[tuple[float, float]]:
    """MiB after so many comings and goings."""
    points: list[tuple[float, float]] = []
    with gtchat(rooms=1) as server:
        for done in range(0, count + 1, at_once):
            points.append((done, resident(server) / 1024))
            if done < count:
                words = ["--port", str(server.ws_port), "--quiet", *LOGIN]
                work = ["-n", str(at_once), "-r", str(at_once), "-s", "1", "--rate", "1"]
                generate([*words, *work, "--warm", "0", "--dur", "0.1", "--settle", "0"], core=1)
            if done % (at_once * 4) == 0:
                say(f"{done} came and went: {points[-1][1]:.1f} MiB\n")
    return points


def memory(folder: Path, quick: bool, say: Say) -> int:
    """Measure all, and write JSON and plot into a folder."""
    found = {}
    say("connections … ")
    found["connection_kib"] = connection(1_000 if quick else 5_000)
    say(f"{found['connection_kib']:.2f} KiB each\nrooms … ")
    found["room_kib"] = room(500 if quick else 5_000)
    say(f"{found['room_kib']:.2f} KiB each\nmembers … ")
    found["member_bytes"] = member(100, 50 if quick else 200)
    say(f"{found['member_bytes']:.0f} bytes each\naccounts … ")
    found["account_bytes"] = account(1_000 if quick else 10_000)
    say(f"{found['account_bytes']:.0f} bytes each\n")
    points = comings(5_000 if quick else 200_000, 1_000 if quick else 5_000, say)
    document = {"machine": report.machine(), **found, "comings_mib": points}
    report.write(folder, "memory", document)
    report.curves(folder / "memory.png", [("comings and goings", "connections", "MiB", points)])
    sys.stdout.write("".join(f"{name}: {value:.2f}\n" for name, value in found.items()))
    return 0
