"""Cost as the work grows: members, rooms, idle connections, stored messages.

Nothing should grow worse than its work does: CPU a delivery falls as rooms get larger, and does not
know how many rooms, idle connections or stored messages there are besides.
"""

from __future__ import annotations

import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import report
from bench.servers import gtchat
from bench.tools import BenchError, faults, generate
from bench.workloads import GTCHAT
from tests.e2e.server import Client, Server

Say = Callable[[str], None]
Points = list[tuple[float, float]]

MEMBERS = (10, 100, 1_000, 10_000)
ROOMS = (1, 10, 100, 1_000, 10_000)
IDLE = (0, 1_000, 5_000, 20_000)
STORED = (0, 10_000, 100_000, 1_000_000, 5_000_000)
#: Rooms of the person who logs in.
OWN_ROOMS = 200
TRIES = 30


def _load(server: Server, connections: int, room: int, senders: int, seconds: float) -> Any:
    """CPU and latency of talk in rooms that are there."""
    assert server.process is not None
    words = ["--port", str(server.ws_port), "--pid", str(server.process.pid), "--quiet", *GTCHAT]
    work = ["-n", str(connections), "-r", str(room), "-s", str(senders), "-w", "1"]
    result = generate([*words, *work, "--dur", str(seconds)], core=1)
    if faults(result):
        raise BenchError(f"{faults(result)} deliveries were lost")
    return result


def members(sizes: tuple[int, ...], seconds: float, say: Say) -> Points:
    """CPU µs a delivery by members of the one room."""
    points: Points = []
    for size in sizes:
        with gtchat(rooms=1) as server:
            points.append((size, _load(server, size, size, 1, seconds)["cpu_us"]))
        say(f"{size} members: {points[-1][1]:.2f} µs a delivery\n")
    return points


def rooms(sizes: tuple[int, ...], seconds: float, say: Say) -> Points:
    """CPU µs a delivery of ten rooms that talk, by how many rooms there are."""
    points: Points = []
    for size in sizes:
        with gtchat(rooms=size) as server:
            talking = min(size, 10)
            result = _load(server, 10 * talking, 10, talking, seconds)
            points.append((size, result["cpu_us"]))
        say(f"{size} rooms: {points[-1][1]:.2f} µs a delivery\n")
    return points


def idle(sizes: tuple[int, ...], seconds: float, say: Say) -> tuple[Points, Points]:
    """CPU µs a delivery of ten rooms of ten, and its p99 in ms, by connections in other rooms that
    say nothing."""
    costs: Points = []
    waits: Points = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    for wanted in sizes:
        size = min(wanted, most)
        if size < wanted:
            say(f"{wanted} idle connections are more than `ulimit -Hn` allows: {size} instead\n")
        with gtchat(rooms=(size + 100) // 10) as server:
            result = _load(server, size + 100, 10, 10, seconds)
            costs.append((size, result["cpu_us"]))
            waits.append((size, result["p99_us"] / 1000))
        say(f"{size} idle: {costs[-1][1]:.2f} µs a delivery\n")
    return costs, waits


def fill(file: Path, room: str, wanted: int) -> None:
    """Give a room's log so many messages, behind the server's back."""
    with closing(sqlite3.connect(file)) as db, db:
        key = (room,)
        [(room_id, last, spoken)] = db.execute(
            "SELECT r.id, coalesce(max(e.seq), 0), coalesce(max(e.spoken), 0) FROM rooms r"
            " LEFT JOIN entries e ON e.room_id = r.id WHERE r.key = ?",
            key,
        )
        now = int(time.time() * 1000)
        db.executemany(
            "INSERT INTO entries (room_id, seq, spoken, kind, at, usr, id, msg)"
            " VALUES (?, ?, ?, 'speak', ?, 'maker', ?, ?)",
            (
                (
                    room_id,
                    last + n,
                    spoken + n,
                    now,
                    f"fill-{last + n:x}",
                    f"message {n} " + "x" * 80,
                )
                for n in range(1, wanted + 1)
            ),
        )


def _best(action: Callable[[], object]) -> float:
    """Milliseconds that something takes: the median of some tries."""
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[TRIES // 2] * 1000


def stored(sizes: tuple[int, ...], say: Say) -> dict[str, Points]:
    """Milliseconds of speaking, reading, resuming and logging in, by messages stored before."""
    found: dict[str, Points] = {"speak": [], "history": [], "resume": [], "login": [], "start": []}
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        file = Path(folder, "gtchat.sqlite")
        account = {"usr": "reader", "pwd": "a long password"}
        with gtchat(rooms=OWN_ROOMS, data=folder) as server:
            reader = Client(server.ws_port)
            reader.say("register", **account)
            reader.say("login", type="reg", **account)
            for number in range(OWN_ROOMS):
                reader.say("join_room", room_name=f"r{number}")
        before = 0
        for size in sizes:
            fill(file, "r0", size - before)
            before = size
            began = time.perf_counter()
            with gtchat(data=folder) as server:
                found["start"].append((size, (time.perf_counter() - began) * 1000))
                _measure(server, account, size, found)
            say(f"{size} stored: " + ", ".join(f"{k} {v[-1][1]:.1f} ms" for k, v in found.items()))
            say("\n")
    return found


def _measure(server: Server, account: dict[str, str], size: int, found: dict[str, Points]) -> None:
    reader = Client(server.ws_port)
    login = reader.say("login", type="reg", **account)
    last = next(room["last_seq"] for room in login["rooms"] if room["room_name"] == "r0")
    speak = _best(lambda: reader.say("speak", room_name="r0", msg="x" * 80))
    middle = max(2, last // 2)
    history = _best(lambda: reader.say("history", room_name="r0", before=middle, limit=200))
    session = {"session_id": login["session_id"], "epoch": login["epoch"]}

    def resume() -> None:
        again = Client(server.ws_port)
        seen = {f"r{number}": max(0, last - 400) for number in range(OWN_ROOMS)}
        again.say("resume", seen=seen, **session)
        again.close()

    def come_in() -> None:
        again = Client(server.ws_port)
        again.say("login", type="reg", **account)
        again.close()

    for name, value in (
        ("speak", speak),
        ("history", history),
        ("resume", _best(resume)),
        ("login", _best(come_in)),
    ):
        found[name].append((size, value))


def growth(folder: Path, quick: bool, say: Say) -> int:
    """Measure all, and write JSON and plot into a folder."""
    few = slice(0, 3) if quick else slice(None)
    seconds = 1.0 if quick else 3.0
    by_members = members(MEMBERS[few], seconds, say)
    by_rooms = rooms(ROOMS[few], seconds, say)
    by_idle, idle_p99 = idle(IDLE[few], seconds, say)
    by_stored = stored(STORED[few], say)
    cost = "CPU µs a delivery"
    series = [
        ("members of a room", "members", cost, by_members),
        ("rooms", "rooms", cost, by_rooms),
        ("ten rooms talk, all others are idle", "idle connections", cost, by_idle),
        ("ten rooms talk, all others are idle", "idle connections", "p99, ms", idle_p99),
        *((name, "messages stored", "ms", points) for name, points in by_stored.items()),
    ]
    document = {
        "machine": report.machine(),
        "members": by_members,
        "rooms": by_rooms,
        "idle": by_idle,
        "idle_p99_ms": idle_p99,
        "stored_ms": by_stored,
    }
    report.write(folder, "growth", document)
    if not report.curves(folder / "growth.png", series):
        say("no plot: pip install matplotlib\n")
    return 0
