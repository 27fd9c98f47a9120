"""`gtchat console`: connects the terminal to the admin console of a server on this machine."""

from __future__ import annotations

import os
import selectors
import socket
import sys
from pathlib import Path

from gtchat.server.admin.console import SCREEN_LINE


def open_console(path: Path) -> int:
    """Connect standard input and output to a console, until the server closes it. Return 0.

    Args:
        path: its Unix socket.

    Raises:
        OSError: no server answers there.
    """
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(path))
        if sys.stdin.isatty() and sys.stdout.isatty():
            server.sendall(SCREEN_LINE + b"\n")
        return _relay(server)


def _relay(server: socket.socket) -> int:
    """Copy standard input to a socket and the socket to standard output.

    Returns:
        0, when the server closes the socket.
    """
    typed = sys.stdin.fileno()
    with selectors.DefaultSelector() as ready:
        ready.register(server, selectors.EVENT_READ)
        try:
            ready.register(typed, selectors.EVENT_READ)
        except PermissionError:  # epoll refuses regular files, which are always readable
            server.sendall(sys.stdin.buffer.read())
            server.shutdown(socket.SHUT_WR)
        while True:
            for key, _ in ready.select():
                if key.fileobj is server:
                    data = server.recv(65_536)
                    sys.stdout.write(data.decode("utf-8", "replace"))
                    sys.stdout.flush()
                    if not data:
                        return 0
                elif data := os.read(typed, 65_536):
                    server.sendall(data)
                else:
                    ready.unregister(typed)
                    server.shutdown(socket.SHUT_WR)
