"""Live chat and the admin console over real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.e2e import transcripts
from tests.e2e.old_protocols import OldProtocolsCase
from tests.e2e.server import SECONDS, TOP, Server
from tests.e2e.stream_clients import LiveChatClient


class LiveChatCase(OldProtocolsCase):
    accounts: Mapping[str, str] = {}

    def logged_in(self, name: bytes) -> LiveChatClient:
        """Return a client that has logged in."""
        client = self.live(name)
        client.log_in()
        return client


class Transcript(transcripts.LiveChat):
    """At one server."""


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
