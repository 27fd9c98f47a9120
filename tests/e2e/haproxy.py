"""HAProxy, which serves several servers as docs/ says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

#: It is not in the PATH of all users.
_PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
#: The reason to skip tests that need it; "" if it is there.
MISSING = "" if _PROGRAM else "haproxy is not installed"


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def start(case: Any, configuration: str) -> subprocess.Popen[bytes]:
    """Start HAProxy; it ends with a test. It may not listen yet.

    Args:
        case: the test.
        configuration: what its file contains.
    """
    folder = Path(tempfile.mkdtemp(prefix="gtchat-haproxy-"))
    case.addCleanup(shutil.rmtree, folder)
    path = folder / "haproxy.cfg"
    path.write_text(configuration, encoding="utf-8")
    quiet = subprocess.DEVNULL
    proxy = subprocess.Popen([str(_PROGRAM), "-db", "-f", str(path)], stdout=quiet, stderr=quiet)
    case.addCleanup(proxy.wait)
    case.addCleanup(proxy.terminate)
    return proxy
