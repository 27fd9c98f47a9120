"""Disks, files and logs that fail, under the real server."""

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

from gtchat.store.sql.sqlite import prepare
from tests.e2e.server import SECONDS, Client, Closed, Server
from tests.stress.disk import COMPILER, FailingMachine, ServerOnIt
from tests.stress.wire import BROKEN, Wire

FREE = ("--commands-per-second", "0")


def texts(client: Client, room: str = "lobby") -> list[str]:
    """All that was said in a room; its numbers have no gap."""
    found: list[str] = []
    after, more = 0, True
    while more:
        page = client.say("history", room_name=room, after=after, limit=200)
        for entry in page["entries"]:
            assert entry["seq"] == after + 1, entry
            after += 1
            found.append(entry["msg"])
        more = page["more"]
    return found


class Disk(SynchronousTestCase):
    def setUp(self) -> None:
        if COMPILER is None:
            raise SkipTest("there is no C compiler")
        self.disk = FailingMachine()
        self.addCleanup(self.disk.remove)
        self.server = ServerOnIt(self.disk, *FREE).start()
        self.addCleanup(self.server.kill)

    def client(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def say(self, client: Client, way: str) -> tuple[list[str], list[str]]:
        """Say much; what was stored and what was not, as its speaker was told."""
        asked = {
            client.send("speak", room_name="lobby", msg=f"{way} {number}"): f"{way} {number}"
            for number in range(60)
        }
        stored, refused = [], []
        while asked:
            reply = client.message()
            text = asked.pop(reply["tracker"])
            if reply["status"] == "ok":
                stored.append(text)
            else:
                self.assertEqual(reply["code"], "not_stored")
                refused.append(text)
        return stored, refused

    def test_what_is_acknowledged_is_stored_and_nothing_else(self) -> None:
        """H06: fsync fails. H07: writes fail, or are short. H08: there is no room."""
        ann = self.client("ann")
        stored: list[str] = []
        for way, percent in (("fsync", 40), ("write", 20), ("short", 50), ("full", 100)):
            refused: list[str] = []
            self.disk.fail(way, percent)
            for number in range(8):
                more, fewer = self.say(ann, f"{way} {number}")
                stored += more
                refused += fewer
            self.assertTrue(refused or way == "short", way)
            self.disk.heal()
            more, fewer = self.say(ann, f"after {way}")
            self.assertEqual(fewer, [])
            stored += more
            self.assertEqual(texts(ann), stored)
        self.server.kill()
        with closing(sqlite3.connect(self.server.folder / "gtchat.sqlite")) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.server.start()
        self.assertEqual(texts(self.client("bob")), stored)
        self.assertNotIn("Traceback", "".join(self.server.lines))


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server(*FREE).start()
        self.addCleanup(self.server.kill)
        self.ann = self.client("ann")

    def client(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def test_copies_of_the_files_while_they_are_written(self) -> None:  # H13
        said = 0
        for number in range(6):
            waiting = [
                self.ann.send("speak", room_name="lobby", msg=str(said + more))
                for more in range(80)
            ]
            for _ in range(40):
                self.ann.message()
            copy = Path(self.mktemp()) / "gtchat.sqlite"
            copy.parent.mkdir()
            for ending in ("", "-wal"):
                shutil.copy(f"{self.server.folder}/gtchat.sqlite{ending}", f"{copy}{ending}")
            prepare(copy)
            with closing(sqlite3.connect(copy)) as db:
                rows = db.execute("SELECT seq, msg FROM entries ORDER BY seq").fetchall()
            self.assertGreaterEqual(len(rows), said + 40, number)
            self.assertEqual(rows, [(seq + 1, str(seq)) for seq in range(len(rows))])
            for _ in waiting[40:]:
                self.ann.message()
            said += 80

    def test_somebody_else_holds_the_database(self) -> None:  # H10
        with closing(sqlite3.connect(self.server.folder / "gtchat.sqlite")) as db:
            db.execute("BEGIN IMMEDIATE")
            tracker = self.ann.send("speak", room_name="lobby", msg="waits")
            bob = Client(self.server.ws_port)
            self.addCleanup(bob.close)
            for _ in range(20):  # the reactor does not wait
                self.assertEqual(bob.say("ping")["status"], "ok")
            self.assertFalse(self.ann.peek())
            db.execute("ROLLBACK")
        reply = self.ann.message()
        self.assertEqual((reply["tracker"], reply["status"]), (tracker, "ok"))


class Logs(SynchronousTestCase):
    """Nobody takes the log."""

    def goes_on(self, port: int) -> None:
        """The chat does its work, and logs things."""
        client = Client(port)
        self.addCleanup(client.close)
        client.say("register", usr="ann", pwd="long enough")
        client.say("login", type="reg", usr="ann", pwd="long enough")
        for number in range(5):
            new = {"pwd": "long enough", "new_pwd": f"long {number}"}
            client.say("update_pwd", **new, new_pwd2=new["new_pwd"])
            reply = client.say("speak", room_name="lobby", msg=str(number))
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

    def test_a_pipe_that_is_closed(self) -> None:  # H14
        server = Server(*FREE)
        process = self.run_server(server)
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if b"WebSocket: " in line:
                port = int(line.rstrip().rstrip(b"/").rpartition(b":")[2])
            if b"data: " in line:
                break
        process.stdout.close()
        self.goes_on(port)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(SECONDS), 0)

    def test_a_disk_without_room(self) -> None:  # H14
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        server = Server(*FREE)
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
        self.goes_on(port)


class Goodbyes(SynchronousTestCase):
    def test_a_thousand_are_told_to_come_back(self) -> None:  # H04
        server = Server(*FREE, "--connections-per-address", "0").start()
        self.addCleanup(server.kill)
        codes, asked, stored = asyncio.run(self._stop(server))
        self.assertEqual(codes, [1012] * 1000)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", "".join(server.lines))
        server.start()
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        client.say("login", type="tmp", usr="bob")
        kept = texts(client)
        self.assertLessEqual(set(stored), set(kept))
        self.assertLessEqual(set(kept), set(asked))

    async def _stop(self, server: Server) -> tuple[list[int | None], list[str], list[str]]:
        """Let a thousand come and talk, then stop; close codes, and what was acknowledged."""
        wires = [await Wire.connect(server.ws_port) for _ in range(1000)]
        for number, wire in enumerate(wires):
            if number % 50 == 0:
                await wire.ask(cmd="login", type="tmp", usr=f"u{number}")
                for more in range(20):
                    text = f"{number} {more}"
                    wire.send({"cmd": "speak", "room_name": "lobby", "msg": text, "tracker": text})
        await wires[0].ask(cmd="ping")
        assert server.process is not None
        server.process.terminate()
        stored: list[str] = []

        async def last(wire: Wire) -> int | None:
            code, taken = None, []
            try:
                while True:
                    taken += await wire.read()
            except Closed as closed:
                code = closed.code
            except BROKEN:
                pass
            stored.extend(
                one["tracker"]
                for one in taken + wire.unread
                if one["cmd"] == "c_response" and one["status"] == "ok" and " " in one["tracker"]
            )
            wire.close()
            return code

        codes = await asyncio.wait_for(asyncio.gather(*map(last, wires)), SECONDS)
        asked = [f"{number} {more}" for number in range(0, 1000, 50) for more in range(20)]
        return list(codes), asked, stored

    def test_signals(self) -> None:  # H05
        for numbers in (
            (signal.SIGTERM, signal.SIGTERM),
            (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM),
        ):
            server = Server(*FREE).start()
            self.addCleanup(server.kill)
            client = Client(server.ws_port)
            self.addCleanup(client.close)
            client.say("login", type="tmp", usr="ann")
            assert server.process is not None
            for number in numbers:
                server.process.send_signal(number)
            self.assertEqual(client.wait_closed(), 1012, numbers)
            self.assertEqual(server.process.wait(SECONDS), 0, numbers)
            server.stop()
            self.assertNotIn("Traceback", "".join(server.lines))
