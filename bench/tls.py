"""`tls`: what TLS costs, by the same conversation over plain connections and over TLS."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import report
from bench.compare import Say
from bench.servers import gtchat
from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.server import Client

MEMBERS = 100


def measure_room(pem: Path | None, messages: int) -> dict[str, float]:
    """Measure a room in which one member sends and waits for each answer.

    The others read a message before the next one is sent.

    Args:
        pem: File with key and certificate; None for plain connections.
        messages: How many to send.

    Returns:
        `cpu_us`, of the server per delivery, and `answer_ms`, the median time until an answer.
    """
    where = "tcp:0" if pem is None else f"ssl:0:privateKey={pem}:certKey={pem}"
    options = ("--ws", f"{where}:interface=127.0.0.1", "--outbox-bytes", "0")
    with gtchat(*options) as server:
        context = None if pem is None else trusting_all()
        members = [Client(server.ws_port, context=context) for _ in range(MEMBERS)]
        for number, member in enumerate(members):
            member.call("login", type="tmp", usr=f"u{number}")
        sender, others = members[0], members[1:]
        began, answers = cpu_seconds(server.pid), []
        for number in range(messages):
            sent = time.perf_counter()
            sender.call("speak", room_name="lobby", msg=f"{number} " + "x" * 110)
            answers.append(time.perf_counter() - sent)
            for member in others:
                while member.message()["cmd"] != "c_speak":
                    pass
        spent = cpu_seconds(server.pid) - began
    return {
        "cpu_us": spent * 1e6 / (messages * len(others)),
        "answer_ms": median(answers) * 1000,
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds (proc(5), schedstat)."""
    return sum(
        int(path.read_text().split()[0]) / 1e9
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def tls(folder: Path, quick: bool, say: Say) -> int:
    """Measure, print the ratio, write JSON.

    Args:
        folder: Where to write.
        quick: Whether to send a tenth of the messages.
        say: Shows progress.

    Returns:
        The exit status, 0.
    """
    messages = 50 if quick else 500
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as place:
        pem = Path(place, "pem")
        make_certificate(pem)
        say("plain … ")
        plain = measure_room(None, messages)
        say(f"{plain['cpu_us']:.2f} µs per delivery\nTLS … ")
        encrypted = measure_room(pem, messages)
        say(f"{encrypted['cpu_us']:.2f} µs per delivery\n")
    document = {
        "machine": report.describe_machine(),
        "members": MEMBERS,
        "plain": plain,
        "tls": encrypted,
    }
    report.write_results(folder, "tls", document)
    ratio = encrypted["cpu_us"] / plain["cpu_us"]
    sys.stdout.write(f"TLS costs {ratio:.1f} times the CPU time of plain connections\n")
    return 0
