"""Servers that are measured: ours as users get it, others beside it, and the physical limit."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.tools import HERE, BenchError, compiled
from bench.workloads import GTCHAT
from tests.e2e.server import Client, Server

#: Rates and counts are lifted, nothing else.
LIFTED = (
    *("--commands-per-second", "0"),
    *("--connections-per-address", "0"),
    *("--rooms-per-user", "0"),
    *("--registrations-per-minute", "0"),
    *("--ping-interval", "0"),
)
SECONDS = 20


@dataclass(frozen=True)
class Target:
    """A server that runs: where, as which process, and how it is spoken to."""

    port: int
    pid: int
    words: tuple[str, ...]


def pinned(core: int) -> list[str]:
    """The words that keep a program on one CPU, where the machine can."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") else []


class PinnedServer(Server):
    """Our server on one CPU."""

    def command(self) -> list[str]:
        """What is run."""
        return [*pinned(0), *super().command()]


@contextmanager
def gtchat(
    *options: str, rooms: int = 0, data: str | None = None, before: str = ""
) -> Iterator[Server]:
    """Our server, with rooms r0, r1 … that belong to somebody else.

    Args:
        options: of `twistd gtchat`, besides those that lift limits.
        rooms: how many.
        data: folder; by default one that is deleted at the end.
        before: Python to run before the server starts.
    """
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        server = PinnedServer(*LIFTED, *options, data=data or folder)
        server.program = before + server.program
        try:
            server.start()
            if rooms:
                make_rooms(server.ws_port, rooms)
            yield server
        finally:
            if server.process is not None:
                server.stop()


def make_rooms(port: int, rooms: int) -> None:
    """Make rooms r0, r1 … that stay."""
    maker = Client(port)
    account = {"usr": "maker", "pwd": "a long password"}
    maker.say("register", **account)
    maker.say("login", type="reg", **account)
    for number in range(rooms):
        if maker.say("create_room", room_name=f"r{number}")["status"] != "ok":
            raise BenchError(f"room r{number} can't be made")
    maker.say("logout")
    maker.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], port: int, words: tuple[str, ...] = ()) -> Iterator[Target]:
    """A program that listens on a port.

    Raises:
        BenchError: it does not.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([*pinned(0), *command], stdout=log, stderr=log)
        try:
            give_up = time.monotonic() + SECONDS
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if process.poll() is not None or time.monotonic() > give_up:
                    log.seek(0)
                    lines = log.read().strip().splitlines()
                    raise BenchError(f"it does not start: {lines[-1] if lines else 'no word'}")
                time.sleep(0.05)
            yield Target(port, process.pid, words)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


Start = Callable[[int], "contextmanager[Target]"]


@contextmanager
def ours(rooms: int, *options: str) -> Iterator[Target]:
    """Our server as a target."""
    with gtchat(*options, rooms=rooms) as server:
        assert server.process is not None
        yield Target(server.ws_port, server.process.pid, GTCHAT)


def peer(module: str, needs: str) -> tuple[str, Callable[[int], object]]:
    """A peer of `peers/`, by the package that it needs."""

    def start(rooms: int) -> object:
        port = free_port()
        return started([sys.executable, str(HERE / "peers" / f"{module}.py"), str(port)], port)

    return needs, start


def limit(mode: int) -> Callable[[int], object]:
    """What C can do with nothing but sockets. mode: see limit.c."""

    def start(rooms: int) -> object:
        port = free_port()
        return started([str(compiled("limit")), str(port), str(mode)], port)

    return start


@contextmanager
def inspircd(rooms: int) -> Iterator[Target]:
    """InspIRCd (C++), spoken to in IRC."""
    program = shutil.which("inspircd") or "/usr/sbin/inspircd"
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        motd, conf = Path(folder, "motd"), Path(folder, "conf")
        motd.write_text("bench\n")
        conf.write_text((HERE / "peers" / "inspircd.conf").read_text().format(port, motd))
        command = [program, "--nofork", "--nopid", "--nolog", "--runasroot", "--config", str(conf)]
        with started(command, port, ("--irc", "--noecho")) as target:
            yield target


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def servers() -> tuple[dict[str, Callable[[int], object]], list[str]]:
    """All that can be measured here, by name; and why the others can't."""
    found: dict[str, Callable[[int], object]] = {
        "GTChat": lambda rooms: ours(rooms),
        "GTChat, in memory": lambda rooms: ours(rooms, "--store", "memory"),
        "C, coalesced": limit(1),
        "C, a write a message": limit(0),
    }
    missing = []
    for name, (package, start) in {
        "uWebSockets": peer("socketify_server", "socketify"),
        "picows": peer("picows_server", "picows"),
        "aiohttp": peer("aiohttp_server", "aiohttp"),
        "websockets": peer("websockets_server", "websockets"),
        "Autobahn": peer("autobahn_server", "autobahn"),
    }.items():
        if installed(package):
            found[name] = start
        else:
            missing.append(f"{name}: pip install -r bench/requirements.txt")
    if shutil.which("inspircd") or Path("/usr/sbin/inspircd").exists():
        found["InspIRCd"] = inspircd
    else:
        missing.append("InspIRCd: apt-get install inspircd")
    return found, missing
