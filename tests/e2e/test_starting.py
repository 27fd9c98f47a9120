"""Starts of a real server that fail, as a daemon too, and what is renewed while it runs."""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL

from tests.e2e import fork_server
from tests.e2e.certificate import make_certificate, make_chain, trusting_all
from tests.e2e.server import SECONDS, TOP, Client
from tests.e2e.test_operation import OperationCase

#: What only some servers need, with what brings it in there; and what no server needs.
NOT_LOADED = {
    "alembic": "an older database, not a new one",
    "emoji": "the first reaction",
    "re2": "the first regular expression of the word filter",
    "gtchat.store.memory": "--store memory",
    "psycopg": "--store postgresql:",
    "nats": "--notify nats:",
    "gtchat.store.sql.postgres": "--store postgresql:",
    "gtchat.store.sql.bus": "--store postgresql:",
    "gtchat.server.self_signed": "gtchat certificate",
    "gtchat.server.doctor": "gtchat doctor",
    "gtchat.client": "gtchat client",
    "gtchat.ui": "gtchat client",
    "urwid": "gtchat client",
    "tkinter": "gtchat tk",
    "hypothesis": "tests",
    "tests": "tests",
}
#: Prints the modules that are loaded when the process ends.
TELL_MODULES = """
import atexit, sys
def tell_modules():
    with open({path!r}, "w") as file:
        print(*sys.modules, file=file)
atexit.register(tell_modules)
"""

TWISTD = "from twisted.scripts.twistd import run; run()"


class Daemon(OperationCase):
    """`twistd gtchat`, which forks."""

    environment = {**os.environ, "PYTHONPATH": str(TOP)}

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    def start(self, *options: str) -> tuple[int, str]:
        """Start a daemon; return the exit status and the output of the first process."""
        words = [TWISTD, "gtchat", "--data", str(self.folder / "data"), *options]
        done = fork_server.run(words, self.environment, str(self.folder), SECONDS)
        return done.returncode, done.stdout + done.stderr

    def free(self) -> list[str]:
        return ["--ws", "tcp:0:interface=127.0.0.1", "--web", "tcp:0:interface=127.0.0.1"]

    def test_failed_start_is_one_line_with_the_exit_status(self) -> None:  # H30
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        (self.folder / "file").write_text("")
        damaged = self.folder / "damaged"
        damaged.write_bytes(b"this is no database" * 1000)
        for options, status, words in (
            ([*self.free(), "--ws", f"tcp:{port}:interface=127.0.0.1"], 1, "already in use"),
            ([*self.free(), "--data", str(self.folder / "file")], 1, "choose another directory"),
            ([*self.free(), "--store", f"sqlite:///{damaged}"], 78, "is not a database"),
            (["--ws", "nonsense:1"], 78, "cannot listen on nonsense:1"),
            (["--text-chars", "many"], 78, "text_chars must be a whole number"),
        ):
            found, output = self.start(*options)
            self.assertEqual(found, status, output)
            self.assertRegex(output, r"^gtchat: [^\n]+\n$")
            self.assertIn(words, output)
            self.assertFalse((self.folder / "twistd.pid").exists(), options)
        log = (self.folder / "twistd.log").read_text()
        self.assertIn("the server cannot start: cannot listen on", log)
        self.assertNotIn("Traceback", log)

    def test_started_daemon_stops_and_removes_its_pid_file(self) -> None:
        self.assertEqual(self.start(*self.free()), (0, ""))
        pid_file = self.folder / "twistd.pid"
        pid = int(pid_file.read_text())
        ended = os.pidfd_open(pid)
        self.addCleanup(os.close, ended)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(select.select([ended], [], [], SECONDS)[0], [ended])
        self.assertFalse(pid_file.exists())

    def test_pid_file_in_a_folder_that_cannot_be_written(self) -> None:
        words = [TWISTD, "-n", "--pidfile=/proc/twistd.pid", "gtchat", "--store", "memory"]
        done = fork_server.run(words, self.environment, str(self.folder), SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^gtchat: cannot write /proc/twistd.pid: [^\n]+\n$")


class Modules(OperationCase):
    """What a start loads."""

    def test_an_ordinary_start_does_not_load_what_only_others_need(self) -> None:
        server = self.server(data=self.folder())
        # The process that other tests fork their servers from has loaded all of it.
        told = Path(self.mktemp()).resolve()
        server.by_fork = False
        server.program = TELL_MODULES.format(path=str(told)) + server.program
        server.start()
        client = Client(server.ws_port)
        self.assertEqual(client.call("hello")["status"], "ok")  # it handles signals by now
        client.close()
        server.stop()
        found = told.read_text().split()
        self.assertIn("gtchat.server.service", found)
        self.assertEqual({name: NOT_LOADED[name] for name in found if name in NOT_LOADED}, {})


class Certificates(OperationCase):
    """Keys and certificates of `ssl:` endpoints."""

    def certificates(self, port: int) -> list[x509.Certificate]:
        """Return the certificates that a server sends, its own first."""
        with socket.create_connection(("127.0.0.1", port)) as plain:
            tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain)
            tls.set_connect_state()
            tls.do_handshake()
            return list(tls.get_peer_cert_chain(as_cryptography=True) or [])

    def test_full_chain_is_sent(self) -> None:
        pem = Path(self.mktemp()).resolve()
        make_chain(pem)
        server = self.server("--ws", f"ssl:0:privateKey={pem}:interface=127.0.0.1").start()
        names = [found.subject.rfc4514_string() for found in self.certificates(server.ws_port)]
        self.assertEqual(names, ["CN=localhost", "CN=intermediate"])

    def test_renewed_certificate_is_used_after_sighup(self) -> None:
        pem = Path(self.mktemp()).resolve()
        make_certificate(pem)
        tls = f"ssl:0:privateKey={pem}:interface=127.0.0.1"
        server = self.server("--ws", tls, "--commands-per-second", "0").start()
        client = Client(server.ws_port, context=trusting_all())
        self.addCleanup(client.close)
        before = self.certificates(server.ws_port)
        assert server.process is not None
        for content, words in (
            (b"this is no certificate", "settings and certificates stay as they are"),
            (None, "certificate loaded from"),
        ):
            if content is None:
                make_certificate(pem)
            else:
                pem.write_bytes(content)
            server.process.send_signal(signal.SIGHUP)
            # The line is written after the files were read.
            while not any(words in line for line in server.lines):
                self.assertEqual(client.call("hello")["status"], "ok")
            self.assertEqual(self.certificates(server.ws_port) == before, content is not None)
        self.assertNotIn("Traceback", "".join(server.lines))

    def test_unusable_key_is_one_line(self) -> None:
        key, other = (Path(self.mktemp()).resolve() for _ in range(2))
        make_certificate(key)
        make_certificate(other)
        empty = Path(self.mktemp()).resolve()
        empty.write_text("no PEM")
        for words, text in (
            (f"privateKey={key}:certKey={other}", "does not belong to the certificate"),
            (f"privateKey={empty}:certKey={key}", "has no private key in PEM"),
            (f"privateKey={key}:certKey={empty}", "has no certificate in PEM"),
            ("privateKey=/none", "cannot read /none"),
            (f"privateKey={key}:extraCertChain={empty}", "has no certificate in PEM"),
        ):
            code, line = self.refused(self.server("--ws", f"ssl:0:{words}"))
            self.assertEqual((code, text in line), (78, True), line)
