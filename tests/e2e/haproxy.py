"""HAProxy, which serves several servers as docs/ says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.e2e.server import keep_port

#: It is not in the PATH of all users.
_PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
#: The reason to skip tests that need it; "" if it is there.
MISSING = "" if _PROGRAM else "haproxy is not installed"
#: The configuration of the documentation: TLS, and two servers.
CONFIGURATION = Path(__file__).parents[2] / "docs" / "haproxy.cfg"
#: Sockets that keep ports, as long as this process runs.
_kept: list[socket.socket] = []


def free_port() -> int:
    """Return a port that is free, and on Linux stays so until a program listens there."""
    kept = keep_port()
    if sys.platform == "linux":
        _kept.append(kept)
    return int(kept.getsockname()[1])


def documented(port: int, servers: Sequence[int]) -> str:
    """Return the configuration of the documentation for servers of this machine, without TLS.

    Args:
        port: of the proxy.
        servers: the web ports of the servers.
    """
    text = CONFIGURATION.read_text(encoding="utf-8")
    one, two = "    server one 192.0.2.11:8080\n", "    server two 192.0.2.12:8080\n"
    lines = [f"    server s{number} 127.0.0.1:{number}\n" for number in servers]
    for old, new in (
        (":443 ssl crt /etc/ssl/chat.example.pem", f"127.0.0.1:{port}"),
        (one + two, "".join(lines)),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


def start(
    at_end: Callable[..., object], configuration: str, sockets: Sequence[socket.socket] = ()
) -> subprocess.Popen[bytes]:
    """Start HAProxy. It may not listen yet, except on the sockets.

    Args:
        at_end: has a function called with its arguments when HAProxy is to end, the last one first:
            that of `atexit` or a test's `addCleanup`.
        configuration: what its file contains.
        sockets: which it refers to by their number ("fd@5"); closed here.
    """
    folder = Path(tempfile.mkdtemp(prefix="gtchat-haproxy-"))
    at_end(shutil.rmtree, folder)
    path = folder / "haproxy.cfg"
    path.write_text(configuration, encoding="utf-8")
    quiet = subprocess.DEVNULL
    proxy = subprocess.Popen(
        [str(_PROGRAM), "-db", "-f", str(path)],
        stdout=quiet,
        stderr=quiet,
        pass_fds=[one.fileno() for one in sockets],
    )
    at_end(proxy.wait)
    at_end(proxy.terminate)
    for one in sockets:
        one.close()
    return proxy
