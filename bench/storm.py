"""Everybody comes back at once: 2,000 clients lose their server and resume within a second."""

from __future__ import annotations

import selectors
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.servers import gtchat
from bench.tools import BenchError
from tests.e2e.server import Client

Say = Callable[[str], None]

CLIENTS = 2_000
ROOMS = 20
MISSED = 100


def storm(folder: Path, quick: bool, say: Say) -> int:
    """Measure, and write JSON into a folder; 1 if somebody missed something."""
    clients = CLIENTS // 10 if quick else CLIENTS
    with gtchat(rooms=ROOMS) as server:
        sessions = []
        say(f"{clients} come in … ")
        lines = []
        for number in range(clients):
            client = Client(server.ws_port)
            room = f"r{number % ROOMS}"
            login = client.say("login", type="tmp", usr=f"u{number}")
            joined = client.say("join_room", room_name=room)["room"]["last_seq"]
            sessions.append((login["session_id"], login["epoch"], room, joined))
            lines.append(client)
        seen = {room: max(s[3] for s in sessions if s[2] == room) for _, _, room, _ in sessions}
        port = server.ws_port
        server.kill()
        for client in lines:
            client.close()
        server.start()
        if server.ws_port != port:
            raise BenchError("the server has another port")
        say("the server was killed and is back; messages that they missed … ")
        speaker = Client(port)
        speaker.say("login", type="tmp", usr="speaker")
        for room in seen:
            speaker.say("join_room", room_name=room)
            for number in range(MISSED // ROOMS or 1):
                speaker.say("speak", room_name=room, msg=str(number))
        say("all come back … ")
        taken, wrong = _come_back(port, sessions, seen)
    taken.sort()
    document = {
        "machine": report.machine(),
        "clients": clients,
        "all_back_s": taken[-1],
        "half_back_s": taken[len(taken) // 2],
        "missed_something": wrong,
    }
    report.write(folder, "storm", document)
    say("\n")
    sys.stdout.write(f"{clients} back in {taken[-1]:.2f} s, {wrong} missed something\n")
    return int(wrong > 0)


def _come_back(
    port: int, sessions: list[tuple[str, str, str, int]], seen: dict[str, int]
) -> tuple[list[float], int]:
    """Seconds until each was back, and how many did not get all that they missed."""
    waiting = selectors.DefaultSelector()
    began = time.perf_counter()
    for session_id, epoch, room, _ in sessions:
        client = Client(port)
        client.send("resume", session_id=session_id, epoch=epoch, seen={room: seen[room]})
        waiting.register(client.socket, selectors.EVENT_READ, (client, room))
    taken: list[float] = []
    wrong = 0
    while len(taken) < len(sessions):
        for key, _ in waiting.select():
            client, room = key.data
            reply = client.message()
            if reply["cmd"] != "c_response":
                continue
            waiting.unregister(client.socket)
            taken.append(time.perf_counter() - began)
            got = [missed for missed in reply.get("resumed", ()) if missed["room_name"] == room]
            said = [e["msg"] for missed in got for e in missed["entries"] if e["cmd"] == "c_speak"]
            wrong += said != [str(number) for number in range(MISSED // ROOMS or 1)]
    return taken, wrong
