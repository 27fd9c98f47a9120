"""What operators do: start, stop, what stands in the way, proxies, TLS, logs, backups."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.server import SECONDS, TOP, Client, Server

PASSWORD = "correct horse"


def gtchat(*words: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the gtchat command."""
    where = ["--data", str(data)] if data else []
    return subprocess.run(
        [sys.executable, "-m", "gtchat.cli", *words, *where],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Operation(SynchronousTestCase):
    """Tests of a server on disk."""

    def server(self, *options: str, data: str | None = None) -> Server:
        """A server that is stopped at the end."""
        server = Server(*options, data=data or self.mktemp())
        server.folder.mkdir(parents=True, exist_ok=True)
        server.folder = server.folder.resolve()
        self.addCleanup(server.kill)
        return server

    def client(self, server: Server, name: str) -> Client:
        """Somebody who is in."""
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def refused(self, server: Server) -> tuple[int, str]:
        """Start a server that can't; its exit status, and the one line that it says."""
        done = subprocess.run(
            server.command(),
            env={**os.environ, "PYTHONPATH": str(TOP)},
            cwd=TOP,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        self.assertNotIn("Traceback", said)
        lines = [line for line in said.splitlines() if line.startswith("gtchat: ")]
        self.assertEqual(len(lines), 1, said)
        return done.returncode, lines[0]


class Starting(Operation):
    def test_start_errors_are_one_line(self) -> None:  # H15
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        a_file = Path(self.mktemp()).resolve()
        a_file.write_text("")
        for options, status, words in (
            (["--ws", f"tcp:{port}:interface=127.0.0.1"], 1, "Choose another port"),
            (["--ws", "nonsense:1"], 78, "can't listen on nonsense:1"),
            (["--data", str(a_file / "x")], 1, "choose another folder"),
            (["--trusted-proxies", "here"], 78, "trusted_proxies"),
            (["--text-chars", "many"], 1, "text_chars"),
            (["--pign-interval", "1"], 1, "--help lists the options"),
            (["--config", str(a_file / "x")], 1, str(a_file)),
            (["--store", "mysql://x"], 78, "sqlite, memory or"),
        ):
            code, line = self.refused(self.server(*options))
            self.assertEqual((code, words in line), (status, True), line)

    def test_second_server_on_a_data_folder_is_refused(self) -> None:
        first = self.server().start()
        code, line = self.refused(self.server(data=str(first.folder)))
        self.assertEqual(code, 1)
        self.assertIn("another server uses", line)
        self.client(first, "ann")

    def test_foreign_databases_are_not_changed(self) -> None:  # H11
        server = self.server()
        file = server.folder / "gtchat.sqlite"

        def foreign() -> None:
            with sqlite3.connect(file) as db:
                db.execute("CREATE TABLE other (x)")
            db.close()

        def newer() -> None:
            file.unlink()
            server.start()
            server.stop()
            with sqlite3.connect(file) as db:
                db.execute("UPDATE alembic_version SET version_num = '9999'")
            db.close()

        for make, words in (
            (lambda: file.write_bytes(b"this is no database" * 1000), "not a database"),
            (lambda: file.unlink() or foreign(), "another program"),
            (newer, "newer version"),
        ):
            make()
            before = file.read_bytes()
            code, line = self.refused(server)
            self.assertEqual((code, words in line), (78, True), line)
            self.assertEqual(file.read_bytes(), before)

    def test_descriptor_limit_is_raised_to_the_hard_limit(self) -> None:
        server = self.server("--store", "memory")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        try:
            server.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert server.process is not None
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(limits, (hard, hard))


class Stopping(Operation):
    def test_signal_stops_the_server_after_pending_requests(self) -> None:  # H04, H05
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.server("--commands-per-second", "0").start()
            ann = self.client(server, "ann")
            asked = {ann.send("speak", room_name="lobby", msg=str(i)): str(i) for i in range(200)}
            said = [asked[ann.message()["tracker"]]]
            assert server.process is not None
            server.process.send_signal(number)
            code = None
            try:
                while True:
                    reply = ann.message()
                    if reply["cmd"] == "c_response" and reply["status"] == "ok":
                        said.append(asked[reply["tracker"]])
            except Exception as closed:
                code = getattr(closed, "code", None)
            self.assertEqual(code, 1012)
            self.assertEqual(server.process.wait(SECONDS), 0)
            server.stop()
            self.assertNotIn("Traceback", "".join(server.lines))
            server.start()
            bob = self.client(server, "bob")
            page = bob.say("history", room_name="lobby", limit=200, kinds=["c_speak"])
            kept = [entry["msg"] for entry in page["entries"]]
            self.assertEqual(kept[: len(said)], said)
            server.kill()


class Hangups(Operation):  # H05
    """SIGHUP: a terminal that is gone, or a log that was moved away."""

    def on_terminal(self, server: Server) -> None:
        """Start a server whose input is a terminal."""
        ours, theirs = os.openpty()
        for end in (ours, theirs):
            self.addCleanup(os.close, end)
        server.stdin = theirs
        server.start()

    def hang_up(self, server: Server) -> None:
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)

    def assertStays(self, server: Server) -> None:
        """Nothing happens at a hangup."""
        client = self.client(server, "ann")
        self.hang_up(server)
        self.assertEqual(client.say("ping")["status"], "ok")
        self.client(server, "bob").close()  # it takes new ones, too
        client.close()
        self.assertEqual(server.stop(), 0)

    def test_server_stops_with_its_terminal(self) -> None:
        server = self.server()
        self.on_terminal(server)
        client = self.client(server, "ann")
        self.hang_up(server)
        self.assertEqual(client.wait_closed(), 1012)
        assert server.process is not None
        self.assertEqual(server.process.wait(SECONDS), 0)

    def test_server_under_nohup_keeps_running(self) -> None:
        server = self.server()
        words = server.command()
        ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        server.command = lambda: [sys.executable, "-c", ignoring + words[2], *words[3:]]  # type: ignore[method-assign]
        self.on_terminal(server)
        self.assertStays(server)

    def test_server_without_a_terminal_keeps_running(self) -> None:
        server = self.server().start()
        self.assertStays(server)

    def test_hangup_reopens_the_log_file(self) -> None:
        for options in ((), ("--log-json",)):
            server = self.server("--store", "memory", *options)
            file, old = server.folder / "log", server.folder / "log.old"
            words = server.command()
            at = words.index("gtchat")
            process = subprocess.Popen(
                [*words[:at], "--logfile", str(file), *words[at:]],
                env=server.environment(),
                cwd=server.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            tail = subprocess.Popen(
                ["tail", "-n", "+1", "-F", str(file)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert tail.stdout is not None
            late = threading.Timer(SECONDS, tail.kill)
            late.start()
            try:
                for line in tail.stdout:
                    if found := re.search(r"WebSocket: ws://[^:]+:(\d+)/", line):
                        server.ws_port = int(found[1])
                    if re.search('[ "]data: ', line):
                        break
                self.client(server, "ann")
                file.rename(old)
                process.send_signal(signal.SIGHUP)
                for line in tail.stdout:
                    if "the log goes on here" in line:
                        break
                self.client(server, "bob")
            finally:
                process.terminate()
                process.wait(SECONDS)
                late.cancel()
                tail.kill()
                tail.communicate()
            self.assertEqual(process.returncode, 0)
            for name, where in (("ann", old), ("bob", file)):
                for each in (old, file):
                    said = f"{name} logged in" in each.read_text()
                    self.assertEqual(said, each == where, (name, each, options))

    def test_unwritable_log_is_reported_in_one_line(self) -> None:
        server = self.server()
        words = server.command()
        at = words.index("gtchat")
        server.command = lambda: [*words[:at], "--logfile", "/nowhere/log", *words[at:]]  # type: ignore[method-assign]
        code, line = self.refused(server)
        self.assertEqual(code, 1)
        self.assertRegex(line, "^gtchat: the log can't be written: .*/nowhere/log")


class Proxies(Operation):
    def test_proxy_protocol_is_accepted_from_trusted_proxies_only(self) -> None:
        header = b"PROXY TCP4 203.0.113.7 127.0.0.1 1000 2000\r\n"
        for trusted, expected in ((True, b"101"), (False, b"")):
            options = ["--trusted-proxies", "127.0.0.1"] if trusted else []
            server = self.server("--ws", "haproxy:tcp:0:interface=127.0.0.1", *options).start()
            with socket.create_connection(("127.0.0.1", server.ws_port), SECONDS) as proxy:
                proxy.sendall(
                    header + b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    b"Sec-WebSocket-Version: 13\r\n\r\n"
                )
                try:
                    answer = proxy.recv(1000)
                except ConnectionResetError:
                    answer = b""
            self.assertEqual(answer[9:12], expected)
            server.stop()

    def test_forwarded_addresses_are_accepted_from_trusted_proxies_only(self) -> None:
        for options, refused in (
            (["--trusted-proxies", "127.0.0.1"], [False, False]),
            ([], [False, True]),
        ):
            server = self.server("--connections-per-address", "1", *options).start()
            for number in range(2):
                forwarded = f"X-Forwarded-For: 203.0.113.{number}\r\n"
                client = Client(server.ws_port, headers=forwarded)
                self.addCleanup(client.close)
                self.assertEqual(client.status == 503, refused[number])
            server.kill()


class Transports(Operation):
    def test_tls(self) -> None:
        pem = Path(self.mktemp()).resolve()
        make_certificate(pem)
        tls = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
        server = self.server("--ws", tls, "--commands-per-second", "0").start()
        self.assertIn("wss://", "".join(server.lines))
        context = trusting_all()
        client = Client(server.ws_port, context=context)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr="ann")["status"], "ok")
        other = Client(server.ws_port, context=context)
        self.addCleanup(other.close)
        other.say("login", type="tmp", usr="bob")
        for number in range(50):
            other.say("speak", room_name="lobby", msg=f"{number} " + "x" * 3000)
        heard: list[str] = []
        while len(heard) < 50:
            message = client.message()
            if message["cmd"] == "c_speak":
                heard.append(message["msg"].split()[0])
        self.assertEqual(heard, [str(number) for number in range(50)])

    def test_web_port_has_a_websocket_and_a_health_check(self) -> None:
        server = self.server().start()
        client = Client(server.web_port, "/ws")
        self.addCleanup(client.close)
        self.assertEqual(client.say("hello")["status"], "ok")
        with socket.create_connection(("127.0.0.1", server.web_port), SECONDS) as monitor:
            monitor.sendall(b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n")
            self.assertRegex(monitor.recv(1000), rb"^HTTP/1.[01] 200")

    def test_log_as_json(self) -> None:
        server = self.server("--log-json")
        server.start()
        self.client(server, "ann").close()
        server.stop()
        for line in "".join(server.lines).splitlines():
            event = json.loads(line)
            self.assertEqual({"time", "level", "source", "message"} - event.keys(), set())


class Commands(Operation):
    def test_backup_of_a_running_server_can_be_started(self) -> None:
        server = self.server("--commands-per-second", "0").start()
        ann = self.client(server, "ann")
        for number in range(20):
            ann.say("speak", room_name="lobby", msg=str(number))
        copy = self.server()
        done = gtchat("backup", str(copy.folder / "gtchat.sqlite"), data=server.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(ann.say("ping")["status"], "ok")
        copy.start()
        bob = self.client(copy, "bob")
        entries = bob.say("history", room_name="lobby", kinds=["c_speak"])["entries"]
        self.assertEqual([entry["msg"] for entry in entries], [str(i) for i in range(20)])

    def test_accounts_of_older_systems_are_imported(self) -> None:
        server = self.server().start()
        words = Path(self.mktemp()).resolve()
        words.write_text(f"# old ones\nyoda wins\n\nann {PASSWORD}\nb@d name\n")
        done = gtchat("import-credentials", str(words), data=server.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 accounts made, 1 passed over", done.stdout)
        self.assertNotIn("name\n", done.stderr.split(":")[0])
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="reg", usr="yoda", pwd="wins")["status"], "ok")

    def test_settings_are_shown_with_their_source(self) -> None:
        config = Path(self.mktemp()).resolve()
        config.write_text('[server]\nbroadcast_key = "a secret"\n[limits]\ntext_chars = 7\n')
        done = gtchat("config", "--config", str(config), "--ping-interval", "5")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, rf"text_chars\s*=\s*7\b.*{config}")
        self.assertRegex(done.stdout, r"ping_interval\s*=\s*5.*--ping-interval")
        self.assertRegex(done.stdout, r"outbox_bytes\s*=\s*1048576.*default")
        self.assertNotIn("a secret", done.stdout)

    def test_command_errors_are_one_line(self) -> None:
        for words in (
            ["nonsense"],
            ["backup"],
            ["backup", "copy", "--data", "/nonexistent"],
            ["import-credentials", "/nonexistent"],
            ["config", "--text-chars", "many"],
            ["client", "http://x"],
        ):
            done = gtchat(*words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertEqual(len(done.stderr.splitlines()), 1, (words, done.stderr))
        self.assertEqual(gtchat("--version").returncode, 0)
        self.assertIn("gtchat backup FILE", gtchat("--help").stdout)


class PasswordHashing(Operation):
    def test_password_hashing_delays_no_other_user(self) -> None:  # G08
        server = self.server(
            *("--failed-logins-per-minute", "0"),
            *("--lockout-tries", "0"),
            *("--commands-per-second", "0"),
        ).start()
        ann = self.client(server, "ann")
        busy = [Client(server.ws_port) for _ in range(8)]
        for number, client in enumerate(busy):
            self.addCleanup(client.close)
            client.send("login", type="reg", usr=f"u{number}", pwd=PASSWORD)
        for number in range(20):
            self.assertEqual(ann.say("speak", room_name="lobby", msg=str(number))["status"], "ok")
        # All were asked before, and answered after somebody else had talked.
        waiting = [client.peek() for client in busy]
        self.assertIn(False, waiting)
        for client in busy:
            self.assertEqual(client.message()["code"], "bad_credentials")
