"""Settings and certificates that are read again while many clients are connected.

In turns the settings file is broken, and changed together with the certificate; in turns a command
and SIGHUP have it read. After each reload a
new connection gets the certificate and a reply says the limits that should hold; every client that
was connected before still answers on the same connection.
"""

from __future__ import annotations

import re
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import attrs
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from gtchat.chat.errors import BadRequest
from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.server import Client, Server

NO_RATE = ("--commands-burst", "0", "--commands-per-second", "0")


@attrs.define
class Result:
    """What a run has found.

    Attributes:
        clients: connected all the time.
        reloads: how often settings were read again.
        seconds: the longest of these, in seconds.
        violations: what was not as it should be.
    """

    clients: int
    reloads: int = 0
    seconds: float = 0.0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.clients} clients, {self.reloads} reloads, the longest {self.seconds:.3f} s: "
            f"{len(self.violations)} violations"
        )


class Reload:
    """A server with TLS beside plain WebSocket, and its clients.

    Args:
        folder: for the settings file and the certificate.
        clients: how many stay connected.
    """

    def __init__(self, folder: Path, clients: int) -> None:
        self._pem, self._config = folder / "server.pem", folder / "gtchat.toml"
        make_certificate(self._pem)
        self._write_limit(100)
        tls = f"ssl:0:interface=127.0.0.1:privateKey={self._pem}:certKey={self._pem}"
        options = (
            *NO_RATE,
            "--connections-per-address",
            "0",
            "--config",
            str(self._config),
            "--web",
            tls,
        )
        self.server = Server(*options)
        self.result = Result(clients)
        self._clients: list[Client] = []

    def _write_limit(self, text_chars: int) -> None:
        self._config.write_text(f"[limits]\ntext_chars = {text_chars}\n")

    def run(self, rounds: int, progress: Callable[[int], None]) -> Result:
        """Reload twice in each round; return what was found."""
        try:
            self.server.start()
            found = [re.search(r"page: https://[^:]+:(\d+)/", line) for line in self.server.lines]
            self._tls_port = next(int(one[1]) for one in found if one)
            for number in range(self.result.clients):
                client = Client(self.server.ws_port)
                self._clients.append(client)
                client.call("login", type="tmp", usr=f"u{number}")
            for number in range(rounds):
                self._break(number)
                self._renew(number)
                progress(number + 1)
            return self.result
        finally:
            for client in self._clients:
                client.close()
            self.server.kill()

    def _break(self, number: int) -> None:
        """Reload a settings file with an error behind a value that is valid."""
        self._config.write_text("[limits]\ntext_chars = 7\nno_such_limit = 1\n")
        try:
            if number % 2:
                self._signal()
            else:
                self._reload()
                self._expect(False, f"round {number}: a broken file was taken")
        except BadRequest as error:
            self._expect("no_such_limit" in error.text, f"round {number}: {error.text}")
        self._check(number, 99 + number if number else 100)

    def _renew(self, number: int) -> None:
        """Reload another limit and another certificate."""
        make_certificate(self._pem)
        self._write_limit(100 + number)
        if number % 2:
            self._signal()
        else:
            self._reload()
        self._check(number, 100 + number)

    def _reload(self) -> None:
        began = time.monotonic()
        try:
            request(self.server.folder / SOCKET, "reload", {})
        finally:
            self.result.seconds = max(self.result.seconds, time.monotonic() - began)
            self.result.reloads += 1

    def _signal(self) -> None:
        """Send SIGHUP; the request behind it is answered after the server has acted on that."""
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGHUP)
        request(self.server.folder / SOCKET, "help", {})
        self.result.reloads += 1

    def _check(self, number: int, text_chars: int) -> None:
        [wanted] = load_pem_x509_certificates(self._pem.read_bytes())
        with Client(self._tls_port, "/ws", context=trusting_all()).socket as tls:
            assert isinstance(tls, ssl.SSLSocket)
            served = tls.getpeercert(binary_form=True)
        is_new = served == wanted.public_bytes(Encoding.DER)
        self._expect(is_new, f"round {number}: the old certificate")
        for place, client in enumerate(self._clients):
            try:
                limits = client.call("hello")["limits"]
            except Exception as error:
                self._expect(False, f"round {number}: client {place}: {error!r}")
                continue
            told = limits["text_chars"]
            self._expect(told == text_chars, f"round {number}: text_chars is {told}")

    def _expect(self, right: bool, otherwise: str) -> None:
        if not right:
            self.result.violations.append(otherwise)
