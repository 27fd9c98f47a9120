"""`growth`: cost by the number of members, rooms, idle connections and stored messages.

Cost must not grow faster than the work: CPU time per delivery falls as rooms become larger, and
does not depend on how many other rooms, idle connections or stored messages there are.
"""

from __future__ import annotations

import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.compare import Say
from bench.report import Curve, Points
from bench.servers import LOAD_CORE, PinnedServer, gtchat
from bench.tools import BenchError, LoadResult, count_faults, generate_load
from bench.workloads import GTCHAT
from tests.e2e.server import Client, Server

MEMBERS = (10, 100, 1_000, 10_000)
ROOMS = (1, 10, 100, 1_000, 10_000)
IDLE = (0, 1_000, 5_000, 20_000)
STORED = (0, 10_000, 100_000, 1_000_000, 5_000_000)
#: Rooms of the user who logs in.
USER_ROOMS = 200
TRIES = 30
ACCOUNT = {"usr": "reader", "pwd": "a long password"}


def _load(
    server: PinnedServer, connections: int, room: int, senders: int, seconds: float
) -> LoadResult:
    """Measure a load in the server's rooms.

    Raises:
        BenchError: A delivery was lost, repeated or reordered.
    """
    options = ["--port", str(server.ws_port), "--pid", str(server.pid), "--quiet", *GTCHAT]
    load = ["-n", str(connections), "-r", str(room), "-s", str(senders), "-w", "1"]
    result = generate_load([*options, *load, "--dur", str(seconds)], core=LOAD_CORE)
    if faults := count_faults(result):
        raise BenchError(f"{faults} deliveries were lost")
    return result


def cost_by_members(sizes: Sequence[int], seconds: float, say: Say) -> Points:
    """Return CPU µs per delivery by the number of members of the only room.

    Args:
        sizes: Numbers of members.
        seconds: How long to measure each.
        say: Shows progress.
    """
    points: Points = []
    for size in sizes:
        with gtchat(rooms=1) as server:
            points.append((size, _load(server, size, size, 1, seconds)["cpu_us"]))
        say(f"{size} members: {points[-1][1]:.2f} µs per delivery\n")
    return points


def cost_by_rooms(sizes: Sequence[int], seconds: float, say: Say) -> Points:
    """Return CPU µs per delivery in ten active rooms of ten, by the number of rooms that exist.

    Args:
        sizes: Numbers of rooms; with fewer than ten, all of them are active.
        seconds: How long to measure each.
        say: Shows progress.
    """
    points: Points = []
    for size in sizes:
        with gtchat(rooms=size) as server:
            active = min(size, 10)
            points.append((size, _load(server, 10 * active, 10, active, seconds)["cpu_us"]))
        say(f"{size} rooms: {points[-1][1]:.2f} µs per delivery\n")
    return points


def cost_by_idle(sizes: Sequence[int], seconds: float, say: Say) -> tuple[Points, Points]:
    """Measure ten active rooms of ten by the number of idle connections, in other rooms.

    Args:
        sizes: Numbers of idle connections; reduced to what `ulimit -Hn` allows.
        seconds: How long to measure each.
        say: Shows progress.

    Returns:
        CPU µs per delivery, and p99 of the latency in ms.
    """
    costs: Points = []
    latencies: Points = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    for wanted in sizes:
        size = min(wanted, most)
        if size < wanted:
            say(f"{wanted} idle connections are more than `ulimit -Hn` allows: {size} instead\n")
        with gtchat(rooms=(size + 100) // 10) as server:
            result = _load(server, size + 100, 10, 10, seconds)
            costs.append((size, result["cpu_us"]))
            latencies.append((size, result["p99_us"] / 1000))
        say(f"{size} idle: {costs[-1][1]:.2f} µs per delivery\n")
    return costs, latencies


def insert_messages(file: Path, room: str, count: int) -> None:
    """Append messages to the log of a room, directly in the database of a stopped server.

    Args:
        file: The SQLite file.
        room: The key of the room.
        count: How many messages of about 90 characters.
    """
    with closing(sqlite3.connect(file)) as db, db:
        [(room_id, last, messages)] = db.execute(
            "SELECT rooms.id, coalesce(seq, 0), coalesce(messages, 0) FROM rooms"
            " LEFT JOIN heads ON heads.room_id = rooms.id WHERE rooms.key = ?",
            (room,),
        )
        now = int(time.time() * 1000)
        text = "x" * 80
        db.executemany(
            "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, id, msg)"
            " VALUES (?, ?, ?, 'speak', ?, 'maker', ?, ?)",
            (
                (room_id, last + n, messages + n, now, f"fill-{last + n:x}", f"message {n} {text}")
                for n in range(1, count + 1)
            ),
        )
        db.execute(
            "INSERT INTO heads (room_id, seq, messages, first) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (room_id) DO UPDATE SET seq = excluded.seq, messages = excluded.messages",
            (room_id, last + count, messages + count),
        )


def _median_ms(action: Callable[[], object]) -> float:
    """Return how many milliseconds an action takes: the median of `TRIES`."""
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


def latency_by_stored(sizes: Sequence[int], say: Say) -> dict[str, Points]:
    """Return milliseconds of five operations by the number of messages stored in a room.

    Args:
        sizes: Numbers of messages, ascending.
        say: Shows progress.

    Returns:
        `start` of the server, `speak`, `history`, `resume`, `login` -> points.
    """
    found: dict[str, Points] = {"speak": [], "history": [], "resume": [], "login": [], "start": []}
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        with gtchat(rooms=USER_ROOMS, data=folder) as server:
            reader = Client(server.ws_port)
            reader.call("register", **ACCOUNT)
            reader.call("login", type="reg", **ACCOUNT)
            for number in range(USER_ROOMS):
                reader.call("join_room", room_name=f"r{number}")
        stored = 0
        for size in sizes:
            insert_messages(Path(folder, "gtchat.sqlite"), "r0", size - stored)
            stored = size
            began = time.perf_counter()
            with gtchat(data=folder) as server:
                taken = {"start": (time.perf_counter() - began) * 1000, **_latencies(server)}
            for name, milliseconds in taken.items():
                found[name].append((size, milliseconds))
            say(f"{size} stored: " + ", ".join(f"{k} {v:.1f} ms" for k, v in taken.items()) + "\n")
    return found


def _latencies(server: Server) -> dict[str, float]:
    """Return the milliseconds of speak, history, resume and login, in a room with stored messages.

    A resume has missed 400 entries in that room.
    """
    reader = Client(server.ws_port)
    login = reader.call("login", type="reg", **ACCOUNT)
    last = next(room["last_seq"] for room in login["rooms"] if room["room_name"] == "r0")
    middle = max(2, last // 2)
    session = {"session_id": login["session_id"], "epoch": login["epoch"]}
    seen = {f"r{number}": max(0, last - 400) for number in range(USER_ROOMS)}

    def resume() -> None:
        client = Client(server.ws_port)
        client.call("resume", seen=seen, **session)
        client.close()

    def log_in() -> None:
        client = Client(server.ws_port)
        client.call("login", type="reg", **ACCOUNT)
        client.close()

    return {
        "speak": _median_ms(lambda: reader.call("speak", room_name="r0", msg="x" * 80)),
        "history": _median_ms(
            lambda: reader.call("history", room_name="r0", before=middle, limit=200)
        ),
        "resume": _median_ms(resume),
        "login": _median_ms(log_in),
    }


def growth(folder: Path, quick: bool, say: Say) -> int:
    """Measure all, write JSON and plot.

    Args:
        folder: Where to write.
        quick: Whether to measure three sizes of each only, and for a short time.
        say: Shows progress.

    Returns:
        The exit status, 0.

    Raises:
        BenchError: A delivery was lost.
    """
    few = 3 if quick else None
    seconds = 1.0 if quick else 3.0
    members = cost_by_members(MEMBERS[:few], seconds, say)
    rooms = cost_by_rooms(ROOMS[:few], seconds, say)
    idle, idle_p99 = cost_by_idle(IDLE[:few], seconds, say)
    document = {
        "machine": report.describe_machine(),
        "members": members,
        "rooms": rooms,
        "idle": idle,
        "idle_p99_ms": idle_p99,
        "stored_ms": latency_by_stored(STORED[:few], say),
    }
    report.write_results(folder, "growth", document)
    if not report.plot_curves(folder / "growth.png", growth_curves(document)):
        say("no plot: pip install matplotlib\n")
    return 0


def growth_curves(document: Mapping[str, Any]) -> list[Curve]:
    """Return the plots of a document that `growth` wrote."""
    cost, idle = "CPU µs per delivery", "10 active rooms, all others idle"
    return [
        Curve("members of a room", "members", cost, document["members"]),
        Curve("rooms, 10 of them active", "rooms", cost, document["rooms"]),
        Curve(idle, "idle connections", cost, document["idle"]),
        Curve(idle, "idle connections", "latency p99, ms", document["idle_p99_ms"]),
        *(
            Curve(name, "messages stored", "ms", points)
            for name, points in document["stored_ms"].items()
        ),
    ]
