"""A real server for tests of programs: `running_server`, a child process that stores nothing."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds until the server must listen, and until it must have ended.
START_TIMEOUT, STOP_TIMEOUT = 60.0, 10.0
_LISTENS = re.compile(r"WebSocket: (wss?://\S+)")


@contextmanager
def running_server(*options: str) -> Iterator[str]:
    """Run a server on a free port of this machine, with `store = "memory"`; stop it at the end.

    It is the server of the package that this module is a part of.

    Args:
        options: further options of `twistd gtchat`, such as `"--commands-per-second", "0"`.

    Yields:
        its URL, `ws://127.0.0.1:…/`.

    Raises:
        RuntimeError: it did not start; the text is what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="gtchat-") as folder:
        process = _start(options, folder)
        try:
            yield _url_of(process)
        finally:
            _stop(process)


def _start(options: tuple[str, ...], folder: str) -> subprocess.Popen[str]:
    port = "tcp:0:interface=127.0.0.1"
    words = ("-m", "twisted", "--log-format=text", "gtchat", "--store", "memory")
    return subprocess.Popen(
        [sys.executable, *words, "--data", folder, "--ws", port, "--web", port, *options],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **_import_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _import_path() -> dict[str, str]:
    """Return the environment variable with which Python finds a package that is not installed."""
    folder = str(Path(__file__).resolve().parents[2])
    if folder in (sysconfig.get_path("purelib"), site.getusersitepackages()):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))}


def _url_of(process: subprocess.Popen[str]) -> str:
    """Return the URL of a server when it listens; what it prints later is dropped."""
    assert process.stdout is not None
    timer = threading.Timer(START_TIMEOUT, process.kill)
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := _LISTENS.search(line):
                # The server would wait when the pipe is full.
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return found[1]
    finally:
        timer.cancel()
    raise RuntimeError("the server did not start:\n" + "".join(lines))


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
