"""Faults of disks, database files and logs under the real server."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gtchat.store.sql.opening import prepare
from tests.e2e.server import SECONDS, Client, Closed, Server
from tests.stress.disk import COMPILER, FaultInjector, FaultyServer
from tests.stress.websocket import DISCONNECTED, WebSocket

NO_RATE_LIMIT = ("--commands-per-second", "0")


def texts(client: Client, room: str = "lobby") -> list[str]:
    """Return the texts of all messages in a room; their seqs have no gap."""
    found: list[str] = []
    after, more = 0, True
    while more:
        page = client.call("history", room_name=room, after=after, limit=200)
        for entry in page["entries"]:
            assert entry["seq"] == after + 1, entry
            after += 1
            found.append(entry["msg"])
        more = page["more"]
    return found


class DiskFaults(SynchronousTestCase):
    def setUp(self) -> None:
        if COMPILER is None:
            raise SkipTest("no C compiler is installed")
        self.disk = FaultInjector()
        self.addCleanup(self.disk.remove)
        self.server = FaultyServer(self.disk, *NO_RATE_LIMIT).start()
        self.addCleanup(self.server.kill)

    def client(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def speak(self, client: Client, prefix: str) -> tuple[list[str], list[str]]:
        """Send 60 messages that start with `prefix`.

        Returns:
            the texts that were acknowledged, and those that were rejected.
        """
        pending = {
            client.send("speak", room_name="lobby", msg=f"{prefix} {number}"): f"{prefix} {number}"
            for number in range(60)
        }
        stored, rejected = [], []
        while pending:
            reply = client.message()
            text = pending.pop(reply["tracker"])
            if reply["status"] == "ok":
                stored.append(text)
            else:
                self.assertEqual(reply["code"], "not_stored")
                rejected.append(text)
        return stored, rejected

    def test_exactly_the_acknowledged_messages_are_stored(self) -> None:
        """H06: fsync fails. H07: writes fail, or are short. H08: the disk is full."""
        ann = self.client("ann")
        stored: list[str] = []
        for fault, percent in (("fsync", 40), ("write", 20), ("short", 50), ("full", 100)):
            rejected: list[str] = []
            self.disk.fail(fault, percent)
            for number in range(8):
                more_stored, more_rejected = self.speak(ann, f"{fault} {number}")
                stored += more_stored
                rejected += more_rejected
            self.assertTrue(rejected or fault == "short", fault)
            self.disk.heal()
            more_stored, more_rejected = self.speak(ann, f"after {fault}")
            self.assertEqual(more_rejected, [])
            stored += more_stored
            self.assertEqual(texts(ann), stored)
        self.server.kill()
        with closing(sqlite3.connect(self.server.folder / "gtchat.sqlite")) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.server.start()
        self.assertEqual(texts(self.client("bob")), stored)
        self.assertNotIn("Traceback", "".join(self.server.lines))


class DatabaseFiles(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server(*NO_RATE_LIMIT).start()
        self.addCleanup(self.server.kill)
        self.ann = self.client("ann")

    def client(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def test_copied_files_have_all_acknowledged_messages(self) -> None:  # H13
        sent = 0
        for number in range(6):
            waiting = [
                self.ann.send("speak", room_name="lobby", msg=str(sent + more))
                for more in range(80)
            ]
            for _ in range(40):
                self.ann.message()
            copy = Path(self.mktemp()) / "gtchat.sqlite"
            copy.parent.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(f"{self.server.folder}/gtchat.sqlite{suffix}", f"{copy}{suffix}")
            prepare(copy)
            with closing(sqlite3.connect(copy)) as db:
                rows = db.execute("SELECT seq, msg FROM entries ORDER BY seq").fetchall()
            self.assertGreaterEqual(len(rows), sent + 40, number)
            self.assertEqual(rows, [(seq + 1, str(seq)) for seq in range(len(rows))])
            for _ in waiting[40:]:
                self.ann.message()
            sent += 80

    def test_locked_database_delays_only_writes(self) -> None:  # H10
        with closing(sqlite3.connect(self.server.folder / "gtchat.sqlite")) as db:
            db.execute("BEGIN IMMEDIATE")
            tracker = self.ann.send("speak", room_name="lobby", msg="waits")
            bob = Client(self.server.ws_port)
            self.addCleanup(bob.close)
            for _ in range(20):  # the reactor is not blocked
                self.assertEqual(bob.call("ping")["status"], "ok")
            self.assertFalse(self.ann.peek())
            db.execute("ROLLBACK")
        reply = self.ann.message()
        self.assertEqual((reply["tracker"], reply["status"]), (tracker, "ok"))


class LogFaults(SynchronousTestCase):
    """Faults of the destination of the log."""

    def assertWorks(self, port: int) -> None:
        """The server answers requests, some of which it logs."""
        client = Client(port)
        self.addCleanup(client.close)
        client.call("register", usr="ann", pwd="long enough")
        client.call("login", type="reg", usr="ann", pwd="long enough")
        for number in range(5):
            new = {"pwd": "long enough", "new_pwd": f"long {number}"}
            client.call("update_pwd", **new, new_pwd2=new["new_pwd"])
            reply = client.call("speak", room_name="lobby", msg=str(number))
            self.assertEqual((reply["status"], reply["seq"]), ("ok", number + 1))

    def run_server(self, server: Server, *options: str) -> subprocess.Popen[bytes]:
        words = server.command()
        at = words.index("gtchat")
        process = subprocess.Popen(
            [*words[:at], *options, *words[at:]],
            env=server.environment(),
            cwd=server.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

        def end() -> None:
            process.kill()
            process.wait(SECONDS)
            assert process.stdout is not None
            process.stdout.close()

        self.addCleanup(end)
        return process

    def test_closed_log_pipe_does_not_stop_the_server(self) -> None:  # H14
        server = Server(*NO_RATE_LIMIT)
        process = self.run_server(server)
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if b"WebSocket: " in line:
                port = int(line.rstrip().rstrip(b"/").rpartition(b":")[2])
            if b"data: " in line:
                break
        process.stdout.close()
        self.assertWorks(port)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(SECONDS), 0)

    def test_full_log_disk_does_not_stop_the_server(self) -> None:  # H14
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        server = Server(*NO_RATE_LIMIT)
        server.ws_port = port
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "log").symlink_to("/dev/full")
        process = self.run_server(server, "--logfile", str(folder.resolve() / "log"))
        while True:  # until it listens
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                self.assertIsNone(process.poll(), process.stdout)
        self.assertWorks(port)


class Shutdown(SynchronousTestCase):
    def test_thousand_clients_are_closed_with_service_restart(self) -> None:  # H04
        server = Server(*NO_RATE_LIMIT, "--connections-per-address", "0").start()
        self.addCleanup(server.kill)
        codes, sent, stored = asyncio.run(self._stop(server))
        self.assertEqual(codes, [1012] * 1000)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", "".join(server.lines))
        server.start()
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr="bob")
        kept = texts(client)
        self.assertLessEqual(set(stored), set(kept))
        self.assertLessEqual(set(kept), set(sent))

    async def _stop(self, server: Server) -> tuple[list[int | None], list[str], list[str]]:
        """Connect a thousand clients, let some send, and stop the server.

        Returns:
            the close codes, the texts that were sent, and the texts that were acknowledged.
        """
        sockets = [await WebSocket.connect(server.ws_port) for _ in range(1000)]
        for number, ws in enumerate(sockets):
            if number % 50 == 0:
                await ws.call(cmd="login", type="tmp", usr=f"u{number}")
                for more in range(20):
                    text = f"{number} {more}"
                    ws.send({"cmd": "speak", "room_name": "lobby", "msg": text, "tracker": text})
        await sockets[0].call(cmd="ping")
        assert server.process is not None
        server.process.terminate()
        stored: list[str] = []

        async def read_to_end(ws: WebSocket) -> int | None:
            code, messages = None, []
            try:
                while True:
                    messages += await ws.read()
            except Closed as closed:
                code = closed.code
            except DISCONNECTED:
                pass
            stored.extend(
                one["tracker"]
                for one in messages + ws.unread
                if one["cmd"] == "c_response" and one["status"] == "ok" and " " in one["tracker"]
            )
            ws.close()
            return code

        codes = await asyncio.wait_for(asyncio.gather(*map(read_to_end, sockets)), SECONDS)
        sent = [f"{number} {more}" for number in range(0, 1000, 50) for more in range(20)]
        return list(codes), sent, stored

    def test_further_signals_do_not_disturb_the_shutdown(self) -> None:  # H05
        for numbers in (
            (signal.SIGTERM, signal.SIGTERM),
            (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM),
        ):
            server = Server(*NO_RATE_LIMIT).start()
            self.addCleanup(server.kill)
            client = Client(server.ws_port)
            self.addCleanup(client.close)
            client.call("login", type="tmp", usr="ann")
            assert server.process is not None
            for number in numbers:
                server.process.send_signal(number)
            self.assertEqual(client.wait_closed(), 1012, numbers)
            self.assertEqual(server.process.wait(SECONDS), 0, numbers)
            server.stop()
            self.assertNotIn("Traceback", "".join(server.lines))
