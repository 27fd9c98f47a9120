"""Live chat and the host's console, over real sockets: bytes as they arrive."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from queue import Queue
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import SECONDS, TOP, Client, Server

TIME = rb"\[\d\d:\d\d:\d\d\]"


class LiveClient:
    """The original client as the server sees it: a read is a message."""

    def __init__(self, port: int, name: bytes | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._reads: Queue[bytes] = Queue()
        Thread(target=self._run, daemon=True).start()
        if name is not None:
            self.socket.sendall(name)

    def _run(self) -> None:
        """Read as the original does: at once when something comes."""
        data = b"-"
        while data:
            try:
                data = self.socket.recv(4096)
            except OSError:
                data = b""
            self._reads.put(data)

    def read(self) -> bytes:
        """What one read of the original's gave; b"" when the server closed."""
        return self._reads.get(timeout=SECONDS)

    def say(self, text: bytes) -> None:
        """Send a text."""
        self.socket.sendall(text)

    def come_in(self) -> list[bytes]:
        """Read OK and the list; the names in it."""
        assert self.read() == b"OK"
        return self.read().split(b"&")[1:]


class LiveCase(SynchronousTestCase):
    """Tests with a server that speaks Live chat."""

    def setUp(self) -> None:
        self.server = Server(
            "--livechat", "tcp:0:interface=127.0.0.1", "--commands-per-second", "0"
        )
        self.server.start()
        self.addCleanup(self.server.kill)
        found = re.search(r"livechat: tcp://[^:]+:(\d+)", "".join(self.server.lines))
        assert found is not None
        self.port = int(found[1])

    def live(self, name: bytes | None) -> LiveClient:
        client = LiveClient(self.port, name)
        self.addCleanup(client.socket.close)
        return client

    def here(self, name: bytes) -> LiveClient:
        """A client that has come in."""
        client = self.live(name)
        client.come_in()
        return client

    def web(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def assertReads(self, client: LiveClient, *words: bytes) -> None:
        """The next reads are a time and these words each."""
        for expected in words:
            self.assertRegex(client.read(), rb"^" + TIME + b" " + re.escape(expected) + b"$")


class Transcript(LiveCase):
    """The transcript of the seed's own server, for what our decisions keep."""

    def test_session_of_the_original(self) -> None:
        alice = self.live(b"alice")
        self.assertEqual(alice.come_in(), [b"Host", b"alice"])
        bob = self.live(b"bob")
        self.assertEqual(bob.come_in(), [b"Host", b"alice", b"bob"])
        self.assertReads(alice, b"[*] bob entered.")
        alice.say(b"hello from alice\n")
        self.assertReads(bob, b"alice > hello from alice")
        bob.say(b"hi from bob")
        self.assertReads(alice, b"bob > hi from bob")
        alice.say(b"caf\xc3\xa9 \xe2\x98\x83\n")
        self.assertReads(bob, b"alice > caf\xc3\xa9 \xe2\x98\x83")
        dave = self.live(b"dave")
        self.assertEqual(dave.come_in(), [b"Host", b"alice", b"bob", b"dave"])
        self.assertReads(bob, b"[*] dave entered.")
        dave.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(dave.read(), b"")
        self.assertReads(bob, b"[*] dave exited.")

    def test_unavailable_names(self) -> None:
        self.live(b"alice").come_in()
        for name in (
            b"alice",
            b"Alice",
            b"Host",
            b"server",
            b"   ",
            b"carol jones",
            b"a&b",
            b"x" * 33,
        ):
            client = self.live(name)
            self.assertEqual((name, client.read(), client.read()), (name, b"NOT_UNIQUE", b""))

    def test_ok_is_sent_alone_before_the_user_list(self) -> None:
        client = self.live(b"alice")
        self.assertEqual(client.read(), b"OK")
        began = time.monotonic()
        self.assertEqual(client.read(), b"&Host&alice")
        self.assertGreater(time.monotonic() - began, 0.05)

    def test_two_messages_never_share_a_read(self) -> None:
        alice = self.live(b"alice")
        alice.come_in()
        ann = self.web("ann")
        for number in range(20):
            ann.send("speak", room_name="lobby", msg=str(number))
        self.assertReads(
            alice, b"[*] ann entered.", *(b"ann > " + str(n).encode() for n in range(20))
        )


class BadInput(LiveCase):
    def test_events_cannot_be_forged(self) -> None:  # E12
        alice = self.here(b"alice")
        self.here(b"bob")
        self.web("ann").say("speak", room_name="lobby", msg="[*] bob exited.")
        heard = [alice.read() for _ in range(3)]
        self.assertEqual(sum(b"[*]" in words for words in heard), 2)
        self.assertIn(b"ann > [ * ] bob exited.", heard[-1])

    def test_malformed_input_affects_no_other(self) -> None:  # F10
        alice = self.live(b"alice")
        alice.come_in()
        silent, junk = self.live(None), self.live(b"\xff\xfe\x00\x01")
        self.assertEqual(junk.read(), b"NOT_UNIQUE")
        bob = self.live(b"bob")
        bob.come_in()
        self.assertReads(alice, b"[*] bob entered.")
        bob.say(b"\xff\x00\x1b[2Jx\r\n")
        self.assertReads(alice, "bob > \ufffd[2Jx".encode())
        silent.socket.close()

    def test_long_text_becomes_several_messages(self) -> None:
        alice, bob = self.here(b"alice"), self.here(b"bob")
        self.assertReads(alice, b"[*] bob entered.")
        bob.say(b"x" * 6000)
        heard = b""
        while heard.count(b"x") < 6000:
            heard += alice.read()
        self.assertGreater(heard.count(b"bob > "), 1)

    def test_reset_connection_leaves_once(self) -> None:  # F12
        alice = self.here(b"alice")
        bob = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        bob.sendall(b"bob")
        while b"&bob" not in bob.recv(4096):
            pass
        self.assertReads(alice, b"[*] bob entered.")
        bob.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        bob.close()
        self.assertReads(alice, b"[*] bob exited.")
        again = self.live(b"bob")
        self.assertEqual(again.come_in(), [b"Host", b"alice", b"bob"])


class AcrossProtocols(LiveCase):
    def test_users_of_two_protocols_hear_each_other(self) -> None:
        ann = self.web("ann")
        alice = self.live(b"alice")
        self.assertEqual(alice.come_in(), [b"Host", b"ann", b"alice"])
        self.assertEqual(ann.message()["type"], "login")
        alice.say(b"hello web")
        spoke = ann.message()
        self.assertEqual((spoke["usr"], spoke["msg"]), ("alice", "hello web"))
        ann.say("whisper", target_user="alice", msg="psst")
        self.assertReads(alice, b"ann (to you alone) > psst")
        ann.say("create_room", room_name="elsewhere")
        ann.say("add_member", room_name="elsewhere", user="alice")
        ann.say("speak", room_name="elsewhere", msg="not for the lobby")
        ann.say("speak", room_name="lobby", msg="for the lobby")
        self.assertReads(alice, b"ann > for the lobby")


class HostConsole(LiveCase):
    def console(self) -> subprocess.Popen[str]:
        """The gtchat console command on this server."""
        process = subprocess.Popen(
            [sys.executable, "-m", "gtchat.cli", "console", "--data", str(self.server.folder)],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_host_sees_speaks_and_kicks(self) -> None:
        host = self.console()
        assert host.stdin is not None and host.stdout is not None
        self.assertIn("HELP", host.stdout.readline())
        alice, ann = self.live(b"alice"), self.web("ann")
        self.assertIn("[*] alice entered.", host.stdout.readline())
        alice.come_in()
        self.assertIn("[*] ann entered.", host.stdout.readline())
        self.assertReads(alice, b"[*] ann entered.")
        ann.say("speak", room_name="lobby", msg="hi host")
        self.assertIn("ann > hi host", host.stdout.readline())
        self.assertReads(alice, b"ann > hi host")
        host.stdin.write("server announcement here\n")
        self.assertReads(alice, b"server > server announcement here")
        spoke = ann.message()
        self.assertEqual((spoke["usr"], spoke["msg"]), ("Host", "server announcement here"))
        host.stdin.write("LIST_USERS\n")
        self.assertEqual(host.stdout.readline().split(), ["Host", "alice", "ann"])
        host.stdin.write("KICK nobody\n")
        self.assertIn("nobody", host.stdout.readline())
        host.stdin.write("KICK alice jones\n")
        self.assertReads(alice, b"server > KICK alice jones")
        host.stdin.write("KICK alice\n")
        self.assertEqual(alice.read(), b"")
        while (push := ann.message()).get("type") != "logout":
            pass
        self.assertEqual(push["usr"], "alice")
        host.stdin.write("KICK ann\n")
        self.assertEqual(ann.wait_closed(), 4002)
        host.stdin.write("EXIT\n")
        assert self.server.process is not None
        self.assertEqual(self.server.process.wait(SECONDS), 0)

    def test_console_on_standard_input(self) -> None:
        server = Server("--store", "memory", "--console")
        host = subprocess.Popen(
            server.command(),
            env={**os.environ, "PYTHONPATH": str(TOP)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.addCleanup(host.kill)
        assert host.stdin is not None and host.stdout is not None
        while "HELP lists" not in host.stdout.readline():
            pass
        host.stdin.write("LIST_USERS\nEXIT\n")
        while host.stdout.readline() != "Host\n":
            pass
        self.assertEqual(host.wait(SECONDS), 0)
        host.stdout.close()
        host.stdin.close()

    def test_console_socket_is_private(self) -> None:  # D25
        mode = (self.server.folder / "console.sock").stat().st_mode
        self.assertEqual(mode & 0o777, 0o600)
