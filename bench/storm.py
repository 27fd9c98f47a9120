"""`storm`: 2,000 clients lose their server and reconnect at the same time (a reconnect storm)."""

from __future__ import annotations

import selectors
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.compare import Say
from bench.servers import PinnedServer, gtchat
from bench.tools import BenchError
from tests.e2e.server import Client

CLIENTS = 2_000
ROOMS = 20
#: Messages that are sent to each room while the clients are away.
MISSED = [str(number) for number in range(5)]


@dataclass(frozen=True)
class LostSession:
    """A session to resume; `seen` is the last `seq` of its room that it has seen."""

    session_id: str
    epoch: str
    room: str
    seen: int


def storm(folder: Path, quick: bool, say: Say) -> int:
    """Measure, print the result, write JSON.

    Args:
        folder: Where to write.
        quick: Whether to take a tenth of the clients.
        say: Shows progress.

    Returns:
        The exit status: 1 if a client did not get all that it had missed, else 0.

    Raises:
        BenchError: The restarted server has another port.
    """
    clients = CLIENTS // 10 if quick else CLIENTS
    with gtchat(rooms=ROOMS) as server:
        say(f"{clients} clients log in … ")
        sessions = lose_sessions(server, clients)
        say("the server was killed and is back; messages that they missed … ")
        send_missed(server.ws_port)
        say("all resume … ")
        taken, incomplete = resume_all(server.ws_port, sessions)
    taken.sort()
    document = {
        "machine": report.describe_machine(),
        "clients": clients,
        "all_resumed_s": taken[-1],
        "half_resumed_s": taken[len(taken) // 2],
        "incomplete": incomplete,
    }
    report.write_results(folder, "storm", document)
    say("\n")
    sys.stdout.write(f"{clients} resumed in {taken[-1]:.2f} s, {incomplete} incompletely\n")
    return int(incomplete > 0)


def lose_sessions(server: PinnedServer, clients: int) -> list[LostSession]:
    """Log in clients, kill the server, start it again.

    Args:
        server: The running server, with `ROOMS` rooms.
        clients: How many; each joins one room.

    Returns:
        Their sessions.

    Raises:
        BenchError: The restarted server has another port.
    """
    logins, connections = [], []
    # The last `seq` of each room when its last client has joined.
    seen: dict[str, int] = {}
    for number in range(clients):
        client = Client(server.ws_port)
        room = f"r{number % ROOMS}"
        login = client.call("login", type="tmp", usr=f"u{number}")
        seen[room] = client.call("join_room", room_name=room)["room"]["last_seq"]
        logins.append((login["session_id"], login["epoch"], room))
        connections.append(client)
    port = server.ws_port
    server.kill()
    for client in connections:
        client.close()
    server.start()
    if server.ws_port != port:
        raise BenchError("the restarted server has another port")
    return [LostSession(session_id, epoch, room, seen[room]) for session_id, epoch, room in logins]


def send_missed(port: int) -> None:
    """Send the messages of `MISSED` to every room."""
    sender = Client(port)
    sender.call("login", type="tmp", usr="speaker")
    for number in range(ROOMS):
        sender.call("join_room", room_name=f"r{number}")
        for text in MISSED:
            sender.call("speak", room_name=f"r{number}", msg=text)


def resume_all(port: int, sessions: list[LostSession]) -> tuple[list[float], int]:
    """Resume all sessions at the same time.

    Args:
        port: Where the server listens.
        sessions: What to resume.

    Returns:
        The seconds until each was resumed, and how many did not get all that they had missed.
    """
    waiting = selectors.DefaultSelector()
    began = time.perf_counter()
    for lost in sessions:
        client = Client(port)
        client.send(
            "resume", session_id=lost.session_id, epoch=lost.epoch, seen={lost.room: lost.seen}
        )
        waiting.register(client.socket, selectors.EVENT_READ, (client, lost.room))
    taken: list[float] = []
    incomplete = 0
    while len(taken) < len(sessions):
        for key, _ in waiting.select():
            client, room = key.data
            reply = client.message()
            if reply["cmd"] != "c_response":
                continue
            waiting.unregister(client.socket)
            taken.append(time.perf_counter() - began)
            backlogs = [found for found in reply.get("resumed", ()) if found["room_name"] == room]
            entries = [entry for backlog in backlogs for entry in backlog["entries"]]
            incomplete += [e["msg"] for e in entries if e["cmd"] == "c_speak"] != MISSED
    return taken, incomplete
