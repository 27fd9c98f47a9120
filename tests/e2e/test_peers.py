"""Direct messages between console clients, and with a client of Message Center."""

from __future__ import annotations

import os
import subprocess
import sys
from queue import Queue
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import MessageCenterClient
from tests.e2e.server import SECONDS, TOP, Server


class Console:
    """A console client on a pipe.

    Args:
        port: of the server.
        options: of the client.
    """

    def __init__(self, port: int, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gtchat.cli", "client", f"ws://127.0.0.1:{port}/", *options],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._lines: Queue[str] = Queue()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def wait_for(self, text: str) -> str:
        """Wait for a line that contains a text; return the line."""
        while text not in (line := self._lines.get(timeout=SECONDS)):
            pass
        return line

    def end(self) -> None:
        """Kill the client."""
        self.process.kill()
        self.process.wait()


class Peers(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server("--message-center", "tcp:0:interface=127.0.0.1").start()
        self.addCleanup(self.server.kill)

    def console(self, name: str, *options: str) -> Console:
        console = Console(self.server.ws_port, "--guest", name, *options)
        self.addCleanup(console.end)
        console.wait_for(f"logged in as {name}")
        return console

    def test_two_console_clients_talk_directly(self) -> None:
        ann, bob = self.console("ann"), self.console("bob", "--peer-port", "0")
        ann.type("/private bob hi")
        ann.wait_for("/getaddress bob asks for it")
        ann.type("/getaddress bob")
        bob.wait_for("ann")
        bob.type("/allow ann")
        ann.wait_for("bob")
        ann.type("/private bob hello \x1b[2J there")
        ann.type("/private bob hello directly")
        self.assertIn(
            "from 127.0.0.1: ann: hello \\x1b[2J there", bob.wait_for("peer message from")
        )
        bob.wait_for("ann: hello directly")
        bob.end()
        ann.type("/private bob are you there?")
        ann.wait_for("can't be reached")

    def test_denied_address_is_not_sent(self) -> None:
        ann, bob = self.console("ann"), self.console("bob", "--peer-port", "0")
        ann.type("/getaddress bob")
        bob.wait_for("ann")
        bob.type("/deny ann")
        ann.wait_for("bob")
        ann.type("/private bob hi")
        ann.wait_for("has not sent you an address")

    def test_console_client_talks_to_a_client_of_message_center(self) -> None:
        ann = self.console("ann", "--peer-port", "0")
        ann.type("/register seas summerisover")
        found = next(line for line in self.server.lines if "message_center: " in line)
        seas = MessageCenterClient(int(found.rsplit(":", 1)[1].strip("/\n ")))
        self.addCleanup(seas.die)
        ann.wait_for("seas")
        self.assertEqual(seas.log_in(b"seas", b"summerisover"), [b"LOGIN_OKAY"])
        self.assertEqual(seas.next_push(), "seas has logged on.")
        ann.type("/getaddress seas")
        self.assertIn("Request: ann wants your address.", seas.next_push())
        seas.request(b"ALL", b"ann")
        ann.wait_for("seas")
        ann.type("/private seas hello old friend")
        self.assertEqual(seas.next_push(), "ann: hello old friend")

    def test_peer_port_in_use_is_reported(self) -> None:
        console = Console(self.server.ws_port, "--peer-port", str(self.server.ws_port))
        self.addCleanup(console.end)
        console.wait_for("choose another --peer-port")
        self.assertEqual(console.process.wait(SECONDS), 2)
