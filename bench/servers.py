"""The servers that are measured: GTChat, the peers of `peers/`, InspIRCd and the limit in C.

Starts and stops them; what they are measured with is in workloads.py.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.tools import HERE, BenchError, compile_program, pin_to_core
from bench.workloads import GTCHAT
from tests.e2e.server import NO_QUOTA, Client, Closed, Server

#: Options of `twistd gtchat` that disable its rate and count limits; all else is the default.
NO_LIMITS = (
    *("--commands-per-second", "0"),
    *("--connections-per-address", "0"),
    *("--rooms-per-user", "0"),
    *("--registrations-per-minute", "0"),
    *("--ping-interval", "0"),
    *NO_QUOTA,
)
#: The CPUs of the server and of the load generator.
SERVER_CORE, LOAD_CORE = 0, 1
START_TIMEOUT_S, STOP_TIMEOUT_S = 20, 5


@dataclass(frozen=True)
class Target:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        pid: Its process.
        arguments: Options of the load generator that say how to talk to it.
    """

    port: int
    pid: int
    arguments: tuple[str, ...]


#: Starts a server for so many rooms, r0, r1 …, and stops it at the end.
Start = Callable[[int], AbstractContextManager[Target]]


class PinnedServer(Server):
    """GTChat on one CPU.

    Args:
        options: Options of `twistd gtchat`.
        data: The data folder.
        before: Python code to run in the server's process before it starts.
        core: The CPU to keep it on; None for any.
    """

    def __init__(
        self, *options: str, data: str, before: str = "", core: int | None = SERVER_CORE
    ) -> None:
        super().__init__(*options, data=data)
        self.program = before + self.program
        self._core = core

    def command(self) -> list[str]:
        """Return the command line."""
        prefix = [] if self._core is None else pin_to_core(self._core)
        return [*prefix, *super().command()]

    @property
    def pid(self) -> int:
        """The process of the server, which must be running."""
        assert self.process is not None
        return self.process.pid


@contextmanager
def gtchat(
    *options: str,
    rooms: int = 0,
    data: str | None = None,
    before: str = "",
    core: int | None = SERVER_CORE,
) -> Iterator[PinnedServer]:
    """Start GTChat, with rooms r0, r1 … whose owner is offline; stop it at the end.

    Args:
        options: Options of `twistd gtchat`, in addition to `NO_LIMITS`.
        rooms: How many rooms to create.
        data: The data folder; None for one that is deleted at the end.
        before: Python code to run in the server's process before it starts.
        core: The CPU to keep it on; None for any.

    Raises:
        AssertionError: It does not start.
        BenchError: The rooms cannot be created.
    """
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        server = PinnedServer(*NO_LIMITS, *options, data=data or folder, before=before, core=core)
        try:
            server.start()
            create_rooms(server.ws_port, rooms)
            yield server
        finally:
            if server.process is not None:
                server.stop()


def create_rooms(port: int, rooms: int) -> None:
    """Create rooms r0, r1 …, owned by a registered user, so that they stay.

    Args:
        port: Where GTChat listens.
        rooms: How many; for 0 nothing is done.

    Raises:
        BenchError: The server refuses, or closes the connection.
    """
    if not rooms:
        return
    try:
        owner = Client(port)
        account = {"usr": "maker", "pwd": "a long password"}
        owner.call("register", **account)
        owner.call("login", type="reg", **account)
        for number in range(rooms):
            if owner.call("create_room", room_name=f"r{number}")["status"] != "ok":
                raise BenchError(f"room r{number} cannot be created")
        owner.call("logout")
        owner.close()
    except (OSError, Closed) as error:
        raise BenchError(f"the rooms cannot be created: {error!r}") from error


def free_port() -> int:
    """Return a TCP port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def run_server(
    command: Sequence[str],
    port: int,
    arguments: tuple[str, ...] = (),
    *,
    folder: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Target]:
    """Start a program on the server's CPU, wait until it listens, and stop it at the end.

    Args:
        command: Its command line.
        port: Where it will listen.
        arguments: Options of the load generator that say how to talk to it.
        folder: Its working directory; None for ours.
        environment: Its environment variables; None for ours.

    Raises:
        BenchError: It ends, or does not listen within `START_TIMEOUT_S`.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*pin_to_core(SERVER_CORE), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not _is_listening(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    lines = log.read().strip().splitlines()
                    raise BenchError(f"it does not start: {lines[-1] if lines else 'no output'}")
                time.sleep(0.05)
            yield Target(port, process.pid, arguments)
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            process.kill()
            process.wait()


@contextmanager
def gtchat_target(rooms: int, *options: str) -> Iterator[Target]:
    """Start GTChat as a target.

    Args:
        rooms: How many rooms to create.
        options: Options of `twistd gtchat`, in addition to `NO_LIMITS`.
    """
    with gtchat(*options, rooms=rooms) as server:
        yield Target(server.ws_port, server.pid, GTCHAT)


def peer(module: str) -> Start:
    """Return what starts a peer.

    Args:
        module: The name of its file in `peers/`, without `.py`.
    """

    def start(rooms: int) -> AbstractContextManager[Target]:
        port = free_port()
        return run_server([sys.executable, str(HERE / "peers" / f"{module}.py"), str(port)], port)

    return start


def limit(mode: int) -> Start:
    """Return what starts the server in C that does nothing but forward.

    Args:
        mode: 0 for one write per message and member, 1 for one per loop turn and member (limit.c).
    """

    def start(rooms: int) -> AbstractContextManager[Target]:
        port = free_port()
        return run_server([str(compile_program("limit")), str(port), str(mode)], port)

    return start


@contextmanager
def inspircd(rooms: int) -> Iterator[Target]:
    """Start InspIRCd (C++, IRC). It creates rooms when they are joined."""
    program = shutil.which("inspircd") or "/usr/sbin/inspircd"
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        motd, conf = Path(folder, "motd"), Path(folder, "conf")
        motd.write_text("bench\n")
        conf.write_text((HERE / "peers" / "inspircd.conf").read_text().format(port, motd))
        command = [program, "--nofork", "--nopid", "--nolog", "--runasroot", "--config", str(conf)]
        with run_server(command, port, ("--irc", "--noecho")) as target:
            yield target


#: Name -> the package that it needs, and its file in `peers/`.
PEERS = {
    "uWebSockets": ("socketify", "socketify_server"),
    "picows": ("picows", "picows_server"),
    "aiohttp": ("aiohttp", "aiohttp_server"),
    "websockets": ("websockets", "websockets_server"),
    "Autobahn": ("autobahn", "autobahn_server"),
}


def available_servers() -> tuple[dict[str, Start], list[str]]:
    """Find the servers that can be measured on this machine.

    Returns:
        Name -> what starts it; and a line for each that is not installed.
    """
    found: dict[str, Start] = {
        "GTChat": gtchat_target,
        "GTChat, in memory": lambda rooms: gtchat_target(rooms, "--store", "memory"),
        "C, coalesced": limit(1),
        "C, one write per message": limit(0),
    }
    missing = []
    for name, (package, module) in PEERS.items():
        if importlib.util.find_spec(package) is not None:
            found[name] = peer(module)
        else:
            missing.append(f"{name}: pip install -r bench/requirements.txt")
    if shutil.which("inspircd") or Path("/usr/sbin/inspircd").exists():
        found["InspIRCd"] = inspircd
    else:
        missing.append("InspIRCd: apt-get install inspircd")
    return found, missing
