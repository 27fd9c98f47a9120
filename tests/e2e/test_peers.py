"""Two console clients that talk directly, and one that talks to an original of Message Center."""

from __future__ import annotations

import os
import subprocess
import sys
from queue import Queue
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import CenterClient
from tests.e2e.server import SECONDS, TOP, Server


class Console:
    """A console client in a pipe."""

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

    def say(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def shows(self, words: str) -> str:
        """Wait for a line with these words."""
        while words not in (line := self._lines.get(timeout=SECONDS)):
            pass
        return line

    def end(self) -> None:
        """Leave."""
        self.process.kill()
        self.process.wait()


class Peers(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server("--message-center", "tcp:0:interface=127.0.0.1").start()
        self.addCleanup(self.server.kill)

    def console(self, name: str, *options: str) -> Console:
        console = Console(self.server.ws_port, "--guest", name, *options)
        self.addCleanup(console.end)
        console.shows(f"you are {name}")
        return console

    def test_two_console_clients_talk_directly(self) -> None:
        ann, bob = self.console("ann"), self.console("bob", "--peer-port", "0")
        ann.say("/private bob hi")
        ann.shows("/getaddress bob asks for it")
        ann.say("/getaddress bob")
        bob.shows("ann")
        bob.say("/allow ann")
        ann.shows("bob")
        ann.say("/private bob hello \x1b[2J there")
        ann.say("/private bob hello directly")
        self.assertIn("from 127.0.0.1: ann: hello \\x1b[2J there", bob.shows("directly, from"))
        bob.shows("ann: hello directly")
        bob.end()
        ann.say("/private bob are you there?")
        ann.shows("can't be reached")

    def test_denied_address_is_not_sent(self) -> None:
        ann, bob = self.console("ann"), self.console("bob", "--peer-port", "0")
        ann.say("/getaddress bob")
        bob.shows("ann")
        bob.say("/deny ann")
        ann.shows("bob")
        ann.say("/private bob hi")
        ann.shows("has not told you an address")

    def test_console_client_talks_to_a_client_of_message_center(self) -> None:
        ann = self.console("ann", "--peer-port", "0")
        ann.say("/register seas summerisover")
        found = next(line for line in self.server.lines if "message_center: " in line)
        seas = CenterClient(int(found.rsplit(":", 1)[1].strip("/\n ")))
        self.addCleanup(seas.listening.close)
        ann.shows("seas")
        self.assertEqual(seas.log_in(b"seas", b"summerisover"), [b"LOGIN_OKAY"])
        self.assertEqual(seas.shown(), "seas has logged on.")
        ann.say("/getaddress seas")
        self.assertIn("Request: ann wants your address.", seas.shown())
        seas.ask(b"ALL", b"ann")
        ann.shows("seas")
        ann.say("/private seas hello old friend")
        self.assertEqual(seas.shown(), "ann: hello old friend")

    def test_peer_port_in_use_is_reported(self) -> None:
        console = Console(self.server.ws_port, "--peer-port", str(self.server.ws_port))
        self.addCleanup(console.end)
        console.shows("choose another --peer-port")
        self.assertEqual(console.process.wait(SECONDS), 2)
