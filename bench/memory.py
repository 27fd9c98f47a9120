"""`memory`: bytes of a connection, a room, a membership, an account; 200,000 logins and logouts."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

from bench import report
from bench.compare import Say
from bench.report import Curve, Points
from bench.servers import LOAD_CORE, PinnedServer, gtchat
from bench.tools import generate_load
from tests.e2e.server import Client

LOGIN = ("--noecho", "--step", '{"cmd":"login","type":"tmp","usr":"u%u"}', '"ok"')
JOIN = ("--step", '{"cmd":"join_room","room_name":"r%r"}', '"ok"')
#: Python code that makes SQLite's page cache small, so that it does not count as memberships.
SMALL_PAGE_CACHE = "import gtchat.store.sql.sqlite as c; c.PAGE_CACHE_KIB = 64; "


def resident_kib(server: PinnedServer) -> float:
    """Return the resident memory of the server's process (VmRSS) in KiB."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    return 0.0


def kib_per_connection(count: int) -> float:
    """Return KiB per idle connection, logged in and in one room of ten.

    Args:
        count: How many connections to open, a multiple of ten.
    """
    with gtchat(rooms=count // 10) as server:
        options = ["--port", str(server.ws_port), "--pid", str(server.pid), "--quiet"]
        load = ["-n", str(count), "-r", "10", "-s", "1", "--rate", "1", "--dur", "1"]
        result = generate_load([*options, *LOGIN, *JOIN, *load], core=LOAD_CORE)
        return result["kib_conn"]


def kib_per_room(count: int) -> float:
    """Return KiB per room whose owner, online, is its only member.

    Args:
        count: How many rooms to create.
    """
    with gtchat(rooms=10) as server:
        owner = Client(server.ws_port)
        owner.call("login", type="tmp", usr="builder")
        before = resident_kib(server)
        for number in range(count):
            owner.call("create_room", room_name=f"more{number}")
        return (resident_kib(server) - before) / count


def bytes_per_membership(users: int, rooms: int) -> float:
    """Return bytes per membership of users who are online: with all memberships minus with none.

    Args:
        users: How many users, each a member of every room.
        rooms: How many rooms.
    """
    keys = [str(uuid.UUID(int=number, version=4)) for number in range(users)]
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        with gtchat(rooms=rooms, data=folder) as server:
            for key in keys:
                client = Client(server.ws_port)
                client.call("register", uuid=key)
                client.call("login", type="reg", uuid=key)
                for number in range(rooms):
                    client.send("join_room", room_name=f"r{number}")
                client.call("ping")
                client.close()
        with_members = _kib_with_all_online(folder, keys)
        with closing(sqlite3.connect(Path(folder, "gtchat.sqlite"))) as db, db:
            db.execute("DELETE FROM members")
        without = _kib_with_all_online(folder, keys)
        return (with_members - without) * 1024 / (users * rooms)


def _kib_with_all_online(folder: str, keys: list[str]) -> float:
    """Start a server on a data folder, log in all accounts, return its resident KiB."""
    with gtchat(data=folder, before=SMALL_PAGE_CACHE) as server:
        # The clients must stay referenced: a socket that is collected is closed.
        clients = [Client(server.ws_port) for _ in keys]
        for client, key in zip(clients, keys, strict=True):
            client.call("login", type="reg", uuid=key)
        return resident_kib(server)


def bytes_per_account(count: int) -> float:
    """Return bytes per registered account that is offline.

    The accounts have a UUID instead of a password, which saves the time of Argon2.

    Args:
        count: How many to register.
    """
    with gtchat() as server:
        client = Client(server.ws_port)
        for _ in range(100):
            client.call("register", uuid=str(uuid.uuid4()))
        before = resident_kib(server)
        for _ in range(count):
            client.call("register", uuid=str(uuid.uuid4()))
        return (resident_kib(server) - before) * 1024 / count


def mib_by_logins(count: int, at_once: int, say: Say) -> Points:
    """Return resident MiB by the number of users who have logged in and disconnected.

    Args:
        count: How many in all.
        at_once: How many are connected at the same time.
        say: Shows progress.
    """
    points: Points = []
    with gtchat(rooms=1) as server:
        for done in range(0, count + 1, at_once):
            points.append((done, resident_kib(server) / 1024))
            if done < count:
                options = ["--port", str(server.ws_port), "--quiet", *LOGIN]
                load = ["-n", str(at_once), "-r", str(at_once), "-s", "1", "--rate", "1"]
                short = ["--warm", "0", "--dur", "0.1", "--settle", "0"]
                generate_load([*options, *load, *short], core=LOAD_CORE)
            if done % (at_once * 4) == 0:
                say(f"{done} logins and logouts: {points[-1][1]:.1f} MiB\n")
    return points


def memory(folder: Path, quick: bool, say: Say) -> int:
    """Measure all, print the numbers, write JSON and plot.

    Args:
        folder: Where to write.
        quick: Whether to measure with fewer of everything.
        say: Shows progress.

    Returns:
        The exit status, 0.
    """
    found = {}
    say("connections … ")
    found["connection_kib"] = kib_per_connection(1_000 if quick else 5_000)
    say(f"{found['connection_kib']:.2f} KiB each\nrooms … ")
    found["room_kib"] = kib_per_room(500 if quick else 5_000)
    say(f"{found['room_kib']:.2f} KiB each\nmemberships … ")
    found["member_bytes"] = bytes_per_membership(100, 50 if quick else 200)
    say(f"{found['member_bytes']:.0f} bytes each\naccounts … ")
    found["account_bytes"] = bytes_per_account(1_000 if quick else 10_000)
    say(f"{found['account_bytes']:.0f} bytes each\n")
    points = mib_by_logins(5_000 if quick else 200_000, 1_000 if quick else 5_000, say)
    document = {"machine": report.describe_machine(), **found, "logins_mib": points}
    report.write_results(folder, "memory", document)
    if not report.plot_curves(folder / "memory.png", [logins_curve(points)]):
        say("no plot: pip install matplotlib\n")
    sys.stdout.write("".join(f"{name}: {value:.2f}\n" for name, value in found.items()))
    return 0


def logins_curve(points: Points) -> Curve:
    """Return the plot of what `mib_by_logins` measured."""
    return Curve("resident memory", "logins and logouts", "MiB", points)
