"""Jumps of the wall clock, and a server process that is suspended or starved."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.e2e.server import Client, Closed, Server
from tests.stress.disk import COMPILER, FaultInjector, FaultyServer

#: Seconds that clients have to answer: on a busy machine they may need a while.
PING_TIMEOUT = 3
FAST_PINGS = (
    *("--ping-interval", "0.3", "--ping-timeout", str(PING_TIMEOUT)),
    *("--commands-per-second", "0"),
)
DAY = 24 * 3600


class ServerCase(SynchronousTestCase):
    """Tests with a server."""

    def client(self, server: Server, name: str) -> Client:
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def until(self, client: Client, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Read until a message is wanted; all messages are kept in `taken`.

        Args:
            client: who reads.
            wanted: called with each message.
        """
        while True:
            client.taken.append(client.message())
            if wanted(client.taken[-1]):
                return


class ClockJumps(ServerCase):
    def test_clock_jumps_change_only_timestamps(self) -> None:  # G12
        if COMPILER is None:
            raise SkipTest("no C compiler is installed")
        injector = FaultInjector()
        self.addCleanup(injector.remove)
        server = FaultyServer(injector, *FAST_PINGS).start()
        self.addCleanup(server.kill)
        bob = self.client(server, "bob")
        for number, days in enumerate((1, -1, 400)):
            silent = self.client(server, f"silent{number}")
            injector.set_clock(days * DAY)
            ann = self.client(server, f"ann{number}")
            reply = ann.call("speak", room_name="lobby", msg=f"{days} days")
            ann.call("logout")
            self.assertEqual(reply["seq"], number + 1)
            at = datetime.fromisoformat(reply["at"].replace("Z", "+00:00"))
            off = at - datetime.now(timezone.utc) - timedelta(days=days)
            self.assertLess(abs(off), timedelta(hours=1))
            # Its timers go on: it pings, and disconnects the client that does not answer.
            logout = {"type": "logout", "usr": f"silent{number}"}
            self.until(bob, lambda one, logout=logout: logout.items() <= one.items())  # type: ignore[misc]
            self.assertIsNone(silent.wait_closed())
        received = [one["msg"] for one in bob.taken if one["cmd"] == "c_speak"]
        self.assertEqual(received, ["1 days", "-1 days", "400 days"])
        logouts = [one["usr"] for one in bob.taken if one.get("type") == "logout"]
        self.assertEqual(
            logouts, [f"{name}{number}" for number in range(3) for name in ("ann", "silent")]
        )


class Suspension(ServerCase):
    def test_suspended_server_disconnects_no_client(self) -> None:  # G16
        server, other = Server(*FAST_PINGS), Server("--store", "memory", *FAST_PINGS)
        for each in (server, other):
            self.addCleanup(each.kill)
            each.start()
        ann, bob = self.client(server, "ann"), self.client(server, "bob")
        assert server.process is not None
        # Both have received a ping, and answer it while the server is suspended.
        pings = [next(data for code, data in one.frames() if code == 9) for one in (ann, bob)]
        os.kill(server.process.pid, signal.SIGSTOP)
        for client, ping in zip((ann, bob), pings, strict=True):
            client.frame(ping, 10)
        waiting = [ann.send("speak", room_name="lobby", msg=str(number)) for number in range(20)]
        # What the clients send waits in the socket buffers.
        self.await_ping_timeout(other)
        os.kill(server.process.pid, signal.SIGCONT)
        for tracker in waiting:
            self.until(ann, lambda one: one["cmd"] == "c_response")
            reply = ann.taken[-1]
            self.assertEqual((reply["tracker"], reply["status"]), (tracker, "ok"))
        self.until(bob, lambda one: one.get("msg") == "19")
        self.assertEqual(bob.call("get_user_list")["users"], ["ann", "bob"])
        received = [one["msg"] for one in bob.taken if one["cmd"] == "c_speak"]
        self.assertEqual(received, [str(number) for number in range(20)])
        self.assertEqual([one for one in bob.taken if one["cmd"] == "c_event"], [])

    def await_ping_timeout(self, server: Server) -> None:
        """Wait until a server has given up a new client, which answers no ping."""
        silent = self.client(server, "silent")
        with contextlib.suppress(Closed, OSError):
            for _ in silent.frames():
                pass

    def test_server_with_little_cpu_time_answers(self) -> None:  # G19
        server = Server(*FAST_PINGS).start()
        self.addCleanup(server.kill)
        ann = self.client(server, "ann")
        assert server.process is not None
        pid, done = server.process.pid, threading.Event()

        def starve() -> None:
            """Suspend the server for nine tenths of the time."""
            while not done.is_set():
                os.kill(pid, signal.SIGSTOP)
                done.wait(0.09)
                os.kill(pid, signal.SIGCONT)
                done.wait(0.01)

        starving = threading.Thread(target=starve)
        starving.start()
        try:
            for number in range(20):
                reply = ann.call("speak", room_name="lobby", msg=str(number))
                self.assertEqual((reply["status"], reply["seq"]), ("ok", number + 1))
        finally:
            done.set()
            starving.join()
        self.assertNotIn("Traceback", "".join(server.lines))
