"""What TLS costs: the same talk in a room over plain connections and over TLS."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.servers import gtchat
from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.server import Client

Say = Callable[[str], None]

MEMBERS = 100


def talk(pem: Path | None, messages: int) -> tuple[float, float]:
    """A member speaks, and waits for each answer; the others read afterwards.

    Args:
        pem: key and certificate; None: plain.

    Returns:
        CPU µs of the server for each delivery, and ms until an answer (median).
    """
    where = "tcp:0" if pem is None else f"ssl:0:privateKey={pem}:certKey={pem}"
    options = ("--ws", f"{where}:interface=127.0.0.1", "--outbox-bytes", "0")
    with gtchat(*options) as server:
        assert server.process is not None
        context = None if pem is None else trusting_all()
        members = [Client(server.ws_port, context=context) for _ in range(MEMBERS)]
        for number, member in enumerate(members):
            member.say("login", type="tmp", usr=f"u{number}")
        speaker, others = members[0], members[1:]
        began, waits = cpu(server.process.pid), []
        for number in range(messages):
            asked = time.perf_counter()
            speaker.say("speak", room_name="lobby", msg=f"{number} " + "x" * 110)
            waits.append(time.perf_counter() - asked)
            for member in others:
                while member.message()["cmd"] != "c_speak":
                    pass
        spent = cpu(server.process.pid) - began
        return spent * 1e6 / (messages * len(others)), sorted(waits)[messages // 2] * 1000


def cpu(pid: int) -> float:
    """Seconds of CPU time that a process has had."""
    return sum(
        int(path.read_text().split()[0]) / 1e9
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def tls(folder: Path, quick: bool, say: Say) -> int:
    """Measure, and write JSON into a folder."""
    messages = 50 if quick else 500
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as place:
        pem = Path(place, "pem")
        make_certificate(pem)
        say("plain … ")
        plain = talk(None, messages)
        say(f"{plain[0]:.2f} µs a delivery\nTLS … ")
        secured = talk(pem, messages)
        say(f"{secured[0]:.2f} µs a delivery\n")
    document = {
        "machine": report.machine(),
        "members": MEMBERS,
        "plain": {"cpu_us": plain[0], "answer_ms": plain[1]},
        "tls": {"cpu_us": secured[0], "answer_ms": secured[1]},
    }
    report.write(folder, "tls", document)
    sys.stdout.write(f"TLS costs {secured[0] / plain[0]:.1f} times the CPU of plain connections\n")
    return 0
