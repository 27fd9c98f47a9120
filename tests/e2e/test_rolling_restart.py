"""Two servers behind HAProxy are restarted one after the other, while users talk through it."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres
from tests.e2e import haproxy
from tests.e2e.server import SECONDS, Client, Closed, Server

PASSWORD = "correct horse battery"
USERS = 6
#: Seconds between SIGTERM and the stop; more than HAProxy needs to notice.
DRAIN = 2
#: Seconds between two messages of a user.
PAUSE = 0.02


class Talker(Thread):
    """A user who sends numbers to the lobby through the proxy, and resumes after each end.

    Attributes:
        sent: how many messages were acknowledged.
        closed: the close codes of the connections that ended.
        spoken: set whenever a message is acknowledged.
        error: what ended the thread, None if it was asked to end.
    """

    def __init__(self, name: str, port: int) -> None:
        super().__init__(daemon=True)
        self.user = name
        self.sent = 0
        self.closed: list[int | None] = []
        self.error: BaseException | None = None
        self.stopping, self.spoken = Event(), Event()
        self._port = port
        self._client = Client(port, "/ws")
        self._client.call("register", usr=name, pwd=PASSWORD)
        self._login = self._client.call("login", type="reg", usr=name, pwd=PASSWORD)

    def run(self) -> None:
        try:
            while not self.stopping.wait(PAUSE):
                self._speak()
            self._client.close()
        except BaseException as error:
            self.error = error

    def _speak(self) -> None:
        """Send the next number until it is acknowledged."""
        number = str(self.sent)
        words = {"room_name": "lobby", "msg": f"{self.user} {number}", "txn": number}
        while (reply := self._try("speak", **words)) is None:
            self._resume()
        assert reply["status"] == "ok", reply
        self.sent += 1
        self.spoken.set()

    def _resume(self) -> None:
        where = {"session_id": self._login["session_id"], "epoch": self._login["epoch"]}
        while (reply := self._reconnect() and self._try("resume", seen={}, **where)) is None:
            time.sleep(PAUSE)
        assert reply["status"] == "ok", reply

    def _reconnect(self) -> bool | None:
        try:
            self._client = Client(self._port, "/ws")
        except (Closed, OSError):
            return None
        return True if self._client.status == 101 else None

    def _try(self, cmd: str, **fields: object) -> Any:
        """Return the reply to a request, None if the connection ended before it came."""
        try:
            return self._client.call(cmd, **fields)
        except (Closed, OSError) as error:
            self.closed.append(getattr(error, "code", None))
            return None


class RollingRestart(SynchronousTestCase):
    skip = postgres.MISSING or haproxy.MISSING or None

    def setUp(self) -> None:
        url = postgres.create_empty()
        options = ("--drain-seconds", str(DRAIN), "--trusted-proxies", "127.0.0.1")
        self.servers = [
            Server("--store", url, *options, "--commands-per-second", "0") for _ in range(2)
        ]
        for server in self.servers:
            self.addCleanup(server.kill)
            server.start()
        self.port = self.start_proxy()

    def start_proxy(self) -> int:
        """Start HAProxy with the configuration of the documentation; return its port."""
        port = haproxy.free_port()
        text = haproxy.documented(port, [server.web_port for server in self.servers])
        haproxy.start(self.addCleanup, text)
        self.until(lambda: self.status(port) == 200)
        return port

    def status(self, port: int) -> int:
        """Return the status of the page."""
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def until(self, condition: Any) -> None:
        ends = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), ends)
            time.sleep(0.05)

    def test_nothing_is_lost_or_repeated(self) -> None:  # H45
        talkers = [Talker(f"user{number}", self.port) for number in range(USERS)]
        for talker in talkers:
            talker.start()
        for server in self.servers:
            for talker in talkers:
                talker.spoken.clear()
            for talker in talkers:
                self.assertTrue(talker.spoken.wait(SECONDS), talker.error)
            self.assertEqual(server.stop(), 0)
            server.start()
        for talker in talkers:
            talker.stopping.set()
            talker.join(SECONDS)
            self.assertIsNone(talker.error)
            self.assertEqual(set(talker.closed) - {1012}, set())
        self.assertGreaterEqual(sum(len(talker.closed) for talker in talkers), USERS)
        self.assertEqual(self.stored(), [f"{t.user} {n}" for t in talkers for n in range(t.sent)])

    def stored(self) -> list[str]:
        """Return the messages of the lobby, user by user, in their order."""
        client = Client(self.servers[0].ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr="judge")
        found: list[str] = []
        after = 0
        while True:
            page = client.call("history", room_name="lobby", after=after, limit=200)
            if not page["entries"]:
                break
            after = page["entries"][-1]["seq"]
            found += [entry["msg"] for entry in page["entries"] if entry["cmd"] == "c_speak"]
        return sorted(found, key=lambda msg: msg.split()[0])
