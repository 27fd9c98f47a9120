"""Operation of the server: start, proxies, TLS, logs, commands. Stopping is in test_stopping."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e import fork_server
from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.fork_server import ENABLED
from tests.e2e.server import SECONDS, TOP, Client, Server

PASSWORD = "correct horse"


def gtchat(
    *words: str, data: Path | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the gtchat command.

    Args:
        words: its arguments.
        data: the data folder, None for no option.
        typed: what it finds on standard input.
    """
    where = ["--data", str(data)] if data else []
    program = "import sys; from gtchat.cli import main; sys.exit(main())"
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    return fork_server.run([program, *words, *where], env, os.getcwd(), SECONDS, typed)


class OperationCase(SynchronousTestCase):
    """Tests of a server with a data folder."""

    by_fork = ENABLED

    def server(self, *options: str, data: str | None = None) -> Server:
        """Return a server, not started, that is killed at the end of the test.

        Args:
            options: see `Server`.
            data: the data folder, by default one with an empty database.
        """
        server = Server(*options, data=data)
        server.by_fork = self.by_fork
        self.addCleanup(server.kill)
        return server

    def folder(self) -> str:
        """Create an empty folder."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        return str(folder)

    def client(self, server: Server, name: str) -> Client:
        """Return a client that is logged in as a guest."""
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def refused(self, server: Server) -> tuple[int, str]:
        """Start a server that cannot start; return its exit status and its one line of output."""
        process = server.spawn()
        assert process.stdout is not None
        timeout = threading.Timer(SECONDS, process.kill)
        timeout.start()
        with process.stdout:
            output = process.stdout.read()
        timeout.cancel()
        self.assertNotIn("Traceback", output)
        lines = [line for line in output.splitlines() if line.startswith("gtchat: ")]
        self.assertEqual(len(lines), 1, output)
        return process.wait(SECONDS), lines[0]


class Starting(OperationCase):
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
            (["--ws", "nonsense:1"], 78, "cannot listen on nonsense:1"),
            (["--data", str(a_file / "x")], 1, "choose another directory"),
            (["--trusted-proxies", "here"], 78, "trusted_proxies"),
            (["--text-chars", "many"], 78, "text_chars"),
            (["--pign-interval", "1"], 78, "--help lists the options"),
            (["--config", str(a_file / "x")], 78, str(a_file)),
            (["--store", "mysql://x"], 78, "sqlite, memory,"),
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
        server = self.server(data=self.folder())
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
        server.by_fork = False
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        try:
            server.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert server.process is not None
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(limits, (hard, hard))


class Proxies(OperationCase):
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


class Transports(OperationCase):
    def test_tls(self) -> None:
        pem = Path(self.mktemp()).resolve()
        make_certificate(pem)
        tls = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
        server = self.server("--ws", tls, "--commands-per-second", "0").start()
        self.assertIn("wss://", "".join(server.lines))
        context = trusting_all()
        client = Client(server.ws_port, context=context)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr="ann")["status"], "ok")
        other = Client(server.ws_port, context=context)
        self.addCleanup(other.close)
        other.call("login", type="tmp", usr="bob")
        for number in range(50):
            other.call("speak", room_name="lobby", msg=f"{number} " + "x" * 3000)
        received: list[str] = []
        while len(received) < 50:
            message = client.message()
            if message["cmd"] == "c_speak":
                received.append(message["msg"].split()[0])
        self.assertEqual(received, [str(number) for number in range(50)])

    def test_web_port_has_a_websocket_and_a_health_check(self) -> None:
        server = self.server().start()
        client = Client(server.web_port, "/ws")
        self.addCleanup(client.close)
        self.assertEqual(client.call("hello")["status"], "ok")
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


class Commands(OperationCase):
    def test_backup_of_a_running_server_can_be_started(self) -> None:
        server = self.server("--commands-per-second", "0").start()
        ann = self.client(server, "ann")
        for number in range(20):
            ann.call("speak", room_name="lobby", msg=str(number))
        copy = self.server(data=self.folder())
        done = gtchat("backup", str(copy.folder / "gtchat.sqlite"), data=server.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(ann.call("ping")["status"], "ok")
        exported = Path(self.mktemp()).resolve()
        done = gtchat("export", str(exported), data=server.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = gtchat("import", str(exported), data=copy.folder)
        self.assertRegex(done.stdout, r"(?s)^restored .+ 1 rooms,.+ there is .+\.replaced-1\n$")
        copy.start()
        bob = self.client(copy, "bob")
        entries = bob.call("history", room_name="lobby", kinds=["c_speak"])["entries"]
        self.assertEqual([entry["msg"] for entry in entries], [str(i) for i in range(20)])

    def test_accounts_of_older_systems_are_imported(self) -> None:
        server = self.server().start()
        words = Path(self.mktemp()).resolve()
        words.write_text(f"# old ones\nyoda wins\n\nann {PASSWORD}\nb@d name\n")
        done = gtchat("import-credentials", str(words), data=server.folder)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "^2 accounts created in .+, 1 skipped\n$")
        self.assertNotIn("name\n", done.stderr.split(":")[0])
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="reg", usr="yoda", pwd="wins")["status"], "ok")

    def test_accounts_are_administered_by_one_command(self) -> None:
        server = self.server().start()
        options = server.options
        store = options[options.index("--store") :][:2] if "--store" in options else ()
        where = ("--data", str(server.folder), *store)

        def admin(*words: str, typed: str = "") -> tuple[int, str]:
            """Run `gtchat admin`; return its status, and what it prints."""
            done = gtchat("admin", *where, *words, typed=typed)
            return done.returncode, done.stdout + done.stderr

        def logs_in(**fields: object) -> Client:
            client = Client(server.ws_port)
            self.addCleanup(client.close)
            self.assertEqual(client.call("login", **fields)["status"], "ok")
            return client

        self.assertEqual(admin("accounts", "create", "Ann", typed=f"{PASSWORD}\n")[0], 0)
        ann = logs_in(type="reg", usr="ann", pwd=PASSWORD)
        self.assertEqual(admin("accounts", "operator", "ann", "on")[0], 0)
        status, out = admin("--json", "accounts", "list")
        listed = json.loads(out)["accounts"]
        self.assertEqual([(one["name"], one["operator"]) for one in listed], [("Ann", True)])
        self.assertNotIn("Host", ann.call("get_user_list")["users"])
        reply = ann.call("admin", name="rooms list", pwd=PASSWORD)
        self.assertEqual([one["name"] for one in reply["result"]["rooms"]], ["lobby"])
        link = json.loads(admin("accounts", "login-link", "ann", "--json")[1])["link"]
        logs_in(type="link", link=link.partition("#/login/")[2])
        self.assertEqual(admin("accounts", "set-password", "ann", typed="another horse\n")[0], 0)
        self.assertEqual(ann.wait_closed(), 4001)
        logs_in(type="reg", usr="ann", pwd="another horse")
        self.assertEqual(admin("rooms", "delete", "nowhere")[0], 1)
        self.assertEqual(admin("--offline", "accounts", "list")[0], 78)
        server.stop()
        self.assertEqual(admin("accounts", "list")[0], 2)
        self.assertEqual(admin("--offline", "accounts", "rename", "ann", "Anna")[0], 0)
        status, out = admin("--offline", "audit", "--account", "Ann", "--json")
        codes = [one["code"] for one in json.loads(out)["records"]]
        self.assertEqual(codes[0], "account_renamed")
        self.assertLessEqual({"account_created", "operator_on", "login", "password_set"}, {*codes})
        log = "".join(server.lines)
        for secret in (PASSWORD, "another horse", link.partition("#/login/")[2]):
            self.assertNotIn(secret, out + log)

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


class PasswordHashing(OperationCase):
    by_fork = False  # servers that are forked hash at the least cost

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
            self.assertEqual(ann.call("speak", room_name="lobby", msg=str(number))["status"], "ok")
        # All were sent before, and at least one is answered only after the messages of ann.
        waiting = [client.peek() for client in busy]
        self.assertIn(False, waiting)
        for client in busy:
            self.assertEqual(client.message()["code"], "bad_credentials")
