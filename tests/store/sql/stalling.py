"""A proxy in front of PostgreSQL that can stop forwarding without closing anything."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

#: Name of the socket in a folder that is given to libpq as the host.
NAME = ".s.PGSQL.5432"


class Proxy:
    """Forwards connections from a socket of its own, in threads.

    Args:
        folder: has the socket of the server.

    Attributes:
        folder: has the socket of the proxy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gtchat-proxy-"))
        self._target = str(folder / NAME)
        #: Those from which nothing is forwarded, and what is called when there is something.
        self._stalled: dict[socket.socket, Callable[[], object]] = {}
        #: Those from which something was not forwarded.
        self._swallowed: set[socket.socket] = set()
        self._clients: list[tuple[socket.socket, socket.socket]] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / NAME))
        self._listening.listen()
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._clients.append((client, server))
                for ends in ((client, server), (server, client)):
                    Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source in self._swallowed:
                    continue
                swallowed = self._stalled.get(source)
                if swallowed is None:
                    target.sendall(data)
                else:
                    self._swallowed.add(source)
                    swallowed()
        if source not in self._swallowed:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)

    def stall(self, swallowed: Callable[[], object], *, answers: bool = False) -> None:
        """Forward nothing more that comes on the connections there are; new ones work.

        Args:
            swallowed: called in a thread when something came and was not forwarded.
            answers: forward what the clients send, but no answers.
        """
        for client, server in self._clients:
            self._stalled[server if answers else client] = swallowed

    def resume(self) -> None:
        """Forward again, except what follows something that was swallowed: a stream has no gaps."""
        self._stalled.clear()

    def close(self) -> None:
        """Close all connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for ends in self._clients:
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        shutil.rmtree(self.folder)
