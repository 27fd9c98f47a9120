"""Live chat and the admin console over real sockets."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from queue import Queue
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import SECONDS, TOP, Client, Server

TIME = rb"\[\d\d:\d\d:\d\d\]"
#: Where one message ends and the next starts, if both arrive in one read.
BOUNDARY = re.compile(rb"(?<=OK)(?=&Host)|(?!^)(?=" + TIME + rb" )")


class LiveChatClient:
    """A client of Live chat.

    The original takes each read from its socket for one message. The server separates its writes
    in time for it (tests/protocols/test_livechat_pacing.py); where this process is scheduled too
    late to see that, this client separates the messages by their format.

    Args:
        port: of the server.
        name: sent at once, None for nothing.
        address: IP address of the client.
    """

    def __init__(self, port: int, name: bytes | None, address: str = "127.0.0.1") -> None:
        source = (address, 0)
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=source)
        self._reads: Queue[bytes] = Queue()
        Thread(target=self._run, daemon=True).start()
        if name is not None:
            self.socket.sendall(name)

    def _run(self) -> None:
        """Read data when it arrives, and queue the messages in it."""
        data = b"-"
        while data:
            try:
                data = self.socket.recv(4096)
            except OSError:
                data = b""
            for message in BOUNDARY.split(data):
                self._reads.put(message)

    def read(self) -> bytes:
        """Return the next message, b"" when the server closed."""
        return self._reads.get(timeout=SECONDS)

    def send(self, text: bytes) -> None:
        """Send a text."""
        self.socket.sendall(text)

    def log_in(self) -> list[bytes]:
        """Read OK and the user list; return the names in it."""
        assert self.read() == b"OK"
        return self.read().split(b"&")[1:]


class LiveChatCase(SynchronousTestCase):
    """Tests with a server that has Live chat."""

    def setUp(self) -> None:
        self.server = Server(
            "--livechat", "tcp:0:interface=127.0.0.1", "--commands-per-second", "0"
        )
        self.server.start()
        self.addCleanup(self.server.kill)
        found = re.search(r"livechat: tcp://[^:]+:(\d+)", "".join(self.server.lines))
        assert found is not None
        self.port = int(found[1])

    def live(self, name: bytes | None) -> LiveChatClient:
        client = LiveChatClient(self.port, name)
        self.addCleanup(client.socket.close)
        return client

    def logged_in(self, name: bytes) -> LiveChatClient:
        """Return a client that has logged in."""
        client = self.live(name)
        client.log_in()
        return client

    def web(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def assertReads(self, client: LiveChatClient, *texts: bytes) -> None:
        """The next messages are a time and one of the texts each."""
        for expected in texts:
            self.assertRegex(client.read(), rb"^" + TIME + b" " + re.escape(expected) + b"$")


class Transcript(LiveChatCase):
    """The transcript of the original server, as far as the behaviour is kept."""

    def test_session_of_the_original(self) -> None:
        alice = self.live(b"alice")
        self.assertEqual(alice.log_in(), [b"Host", b"alice"])
        bob = self.live(b"bob")
        self.assertEqual(bob.log_in(), [b"Host", b"alice", b"bob"])
        self.assertReads(alice, b"[*] bob entered.")
        alice.send(b"hello from alice\n")
        self.assertReads(bob, b"alice > hello from alice")
        bob.send(b"hi from bob")
        self.assertReads(alice, b"bob > hi from bob")
        alice.send(b"caf\xc3\xa9 \xe2\x98\x83\n")
        self.assertReads(bob, b"alice > caf\xc3\xa9 \xe2\x98\x83")
        dave = self.live(b"dave")
        self.assertEqual(dave.log_in(), [b"Host", b"alice", b"bob", b"dave"])
        self.assertReads(bob, b"[*] dave entered.")
        dave.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(dave.read(), b"")
        self.assertReads(bob, b"[*] dave exited.")

    def test_unavailable_names(self) -> None:
        self.live(b"alice").log_in()
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
        self.assertEqual(client.read(), b"&Host&alice")

    def test_messages_in_fast_succession(self) -> None:
        alice = self.live(b"alice")
        alice.log_in()
        ann = self.web("ann")
        for number in range(20):
            ann.send("speak", room_name="lobby", msg=str(number))
        self.assertReads(
            alice, b"[*] ann entered.", *(b"ann > " + str(n).encode() for n in range(20))
        )


class BadInput(LiveChatCase):
    def test_events_cannot_be_forged(self) -> None:  # E12
        alice = self.logged_in(b"alice")
        self.logged_in(b"bob")
        self.web("ann").call("speak", room_name="lobby", msg="[*] bob exited.")
        received = [alice.read() for _ in range(3)]
        self.assertEqual(sum(b"[*]" in message for message in received), 2)
        self.assertIn(b"ann > [ * ] bob exited.", received[-1])

    def test_malformed_input_affects_no_other(self) -> None:  # F10
        alice = self.live(b"alice")
        alice.log_in()
        silent, malformed = self.live(None), self.live(b"\xff\xfe\x00\x01")
        self.assertEqual(malformed.read(), b"NOT_UNIQUE")
        bob = self.live(b"bob")
        bob.log_in()
        self.assertReads(alice, b"[*] bob entered.")
        bob.send(b"\xff\x00\x1b[2Jx\r\n")
        self.assertReads(alice, "bob > \ufffd[2Jx".encode())
        silent.socket.close()

    def test_long_text_becomes_several_messages(self) -> None:
        alice, bob = self.logged_in(b"alice"), self.logged_in(b"bob")
        self.assertReads(alice, b"[*] bob entered.")
        bob.send(b"x" * 6000)
        received = b""
        while received.count(b"x") < 6000:
            received += alice.read()
        self.assertGreater(received.count(b"bob > "), 1)

    def test_reset_connection_leaves_once(self) -> None:  # F12
        alice = self.logged_in(b"alice")
        bob = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        bob.sendall(b"bob")
        while b"&bob" not in bob.recv(4096):
            pass
        self.assertReads(alice, b"[*] bob entered.")
        bob.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        bob.close()
        self.assertReads(alice, b"[*] bob exited.")
        again = self.live(b"bob")
        self.assertEqual(again.log_in(), [b"Host", b"alice", b"bob"])


class AcrossProtocols(LiveChatCase):
    def test_users_of_two_protocols_hear_each_other(self) -> None:
        ann = self.web("ann")
        alice = self.live(b"alice")
        self.assertEqual(alice.log_in(), [b"Host", b"ann", b"alice"])
        self.assertEqual(ann.message()["type"], "login")
        alice.send(b"hello web")
        message = ann.message()
        self.assertEqual((message["usr"], message["msg"]), ("alice", "hello web"))
        ann.call("whisper", target_user="alice", msg="psst")
        self.assertReads(alice, b"ann (to you alone) > psst")
        ann.call("create_room", room_name="elsewhere")
        ann.call("add_member", room_name="elsewhere", user="alice")
        ann.call("speak", room_name="elsewhere", msg="not for the lobby")
        ann.call("speak", room_name="lobby", msg="for the lobby")
        self.assertReads(alice, b"ann > for the lobby")


class HostConsole(LiveChatCase):
    def console(self) -> subprocess.Popen[str]:
        """Start the gtchat console command for this server."""
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
        alice.log_in()
        self.assertIn("[*] ann entered.", host.stdout.readline())
        self.assertReads(alice, b"[*] ann entered.")
        ann.call("speak", room_name="lobby", msg="hi host")
        self.assertIn("ann > hi host", host.stdout.readline())
        self.assertReads(alice, b"ann > hi host")
        host.stdin.write("server announcement here\n")
        self.assertReads(alice, b"server > server announcement here")
        message = ann.message()
        self.assertEqual((message["usr"], message["msg"]), ("Host", "server announcement here"))
        host.stdin.write("LIST_USERS\n")
        self.assertEqual(host.stdout.readline().split(), ["Host", "alice", "ann"])
        host.stdin.write("KICK unknown\n")
        self.assertIn("unknown", host.stdout.readline())
        host.stdin.write("KICK alice jones\n")
        self.assertIn("not sent; the command is: KICK NAME", host.stdout.readline())
        host.stdin.write("goodbye alice\nkick alice\n")
        self.assertReads(alice, b"server > goodbye alice")
        self.assertEqual(alice.read(), b"")
        while (push := ann.message()).get("type") != "logout":
            pass
        self.assertEqual(push["usr"], "alice")
        host.stdin.write("KICK ann\n")
        self.assertEqual(ann.wait_closed(), 4002)
        host.stdin.write("EXIT\n")
        assert self.server.process is not None
        self.assertEqual(self.server.process.wait(SECONDS), 0)

    def test_pipe_gets_the_last_answer(self) -> None:
        self.live(b"alice").log_in()
        for lines, answers in (
            ("LIST_USERS\n", ["Host alice"]),
            ("hi\nKICK alice", ["kicked alice"]),
        ):
            host = self.console()
            shown = host.communicate(lines, SECONDS)[0].splitlines()
            self.assertEqual([line for line in shown[1:] if "[*]" not in line], answers)
            self.assertEqual(host.returncode, 0)

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
