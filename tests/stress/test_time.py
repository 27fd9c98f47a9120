"""Clocks that jump, and processes that stand still."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.e2e.server import Client, Server
from tests.stress.disk import COMPILER, FailingMachine, ServerOnIt

QUICK = ("--ping-interval", "0.3", "--ping-timeout", "0.6", "--commands-per-second", "0")
DAY = 24 * 3600


class Case(SynchronousTestCase):
    """Tests with a server."""

    def client(self, server: Server, name: str) -> Client:
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def until(self, client: Client, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Read until something comes; all that comes is kept in `taken`."""
        while True:
            client.taken.append(client.message())
            if wanted(client.taken[-1]):
                return


class Jumps(Case):
    def test_the_clock_jumps(self) -> None:  # G12
        if COMPILER is None:
            raise SkipTest("there is no C compiler")
        machine = FailingMachine()
        self.addCleanup(machine.remove)
        server = ServerOnIt(machine, *QUICK).start()
        self.addCleanup(server.kill)
        bob = self.client(server, "bob")
        for number, days in enumerate((1, -1, 400)):
            silent = self.client(server, f"silent{number}")
            machine.set_clock(days * DAY)
            ann = self.client(server, f"ann{number}")
            reply = ann.say("speak", room_name="lobby", msg=f"{days} days")
            ann.say("logout")
            self.assertEqual(reply["seq"], number + 1)
            at = datetime.fromisoformat(reply["at"].replace("Z", "+00:00"))
            off = at - datetime.now(timezone.utc) - timedelta(days=days)
            self.assertLess(abs(off), timedelta(hours=1))
            # Time passes for the server: it pings, and notices who does not answer.
            gone = {"type": "logout", "usr": f"silent{number}"}
            self.until(bob, lambda one, gone=gone: gone.items() <= one.items())  # type: ignore[misc]
            self.assertIsNone(silent.wait_closed())
        heard = [one["msg"] for one in bob.taken if one["cmd"] == "c_speak"]
        self.assertEqual(heard, ["1 days", "-1 days", "400 days"])
        went = [one["usr"] for one in bob.taken if one.get("type") == "logout"]
        self.assertEqual(
            went, [f"{who}{number}" for number in range(3) for who in ("ann", "silent")]
        )


class StandsStill(Case):
    def test_a_process_that_is_stopped_for_a_while(self) -> None:  # G16
        server = Server(*QUICK).start()
        self.addCleanup(server.kill)
        ann, bob = self.client(server, "ann"), self.client(server, "bob")
        assert server.process is not None
        # Both have been pinged, and answer while the server can't hear it.
        pings = [next(data for code, data in one.frames() if code == 9) for one in (ann, bob)]
        os.kill(server.process.pid, signal.SIGSTOP)
        for client, ping in zip((ann, bob), pings, strict=True):
            client.frame(ping, 10)
        waiting = [ann.send("speak", room_name="lobby", msg=str(number)) for number in range(20)]
        # Longer than pings may stay unanswered. What clients sent waits in the sockets.
        time.sleep(1.2)
        os.kill(server.process.pid, signal.SIGCONT)
        for tracker in waiting:
            self.until(ann, lambda one: one["cmd"] == "c_response")
            reply = ann.taken[-1]
            self.assertEqual((reply["tracker"], reply["status"]), (tracker, "ok"))
        self.until(bob, lambda one: one.get("msg") == "19")
        self.assertEqual(bob.say("get_user_list")["users"], ["ann", "bob"])
        heard = [one["msg"] for one in bob.taken if one["cmd"] == "c_speak"]
        self.assertEqual(heard, [str(number) for number in range(20)])
        self.assertEqual([one for one in bob.taken if one["cmd"] == "c_event"], [])

    def test_little_time_of_the_processor(self) -> None:  # G19
        server = Server(*QUICK).start()
        self.addCleanup(server.kill)
        ann = self.client(server, "ann")
        assert server.process is not None
        pid, done = server.process.pid, threading.Event()

        def starve() -> None:
            """Let the server run for a tenth of the time."""
            while not done.is_set():
                os.kill(pid, signal.SIGSTOP)
                done.wait(0.09)
                os.kill(pid, signal.SIGCONT)
                done.wait(0.01)

        starving = threading.Thread(target=starve)
        starving.start()
        try:
            for number in range(20):
                reply = ann.say("speak", room_name="lobby", msg=str(number))
                self.assertEqual((reply["status"], reply["seq"]), ("ok", number + 1))
        finally:
            done.set()
            starving.join()
        self.assertNotIn("Traceback", "".join(server.lines))
