"""The scenarios of scenarios.py with clients of two languages, on a real server.

The client in JavaScript is examples/gtchat-client.mjs, that in Python gtchat.client. Each runs in a
process that is driven with the same commands and reports the same observations.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.gtchat_json import contract
from tests.e2e.scenario_peers import Driver, Peer, Proxy, close_frame
from tests.e2e.scenarios import PASSWORD, SCENARIOS, Steps
from tests.e2e.server import SECONDS, Server

TOP = Path(__file__).resolve().parents[2]

FOLDER = TOP / "tests" / "e2e"
#: A high rate, so that little is waited for; but the burst is small, so that clients must pace.
OPTIONS = (
    *("--commands-per-second", "1000"),
    *("--rooms-per-user", "0"),
    *("--registrations-per-minute", "0"),
)
#: The account of the peers.
PEER = "peer"
#: Characters of the topics that fill a list of rooms, of four bytes each.
TOPIC_CHARS = 500


def node() -> tuple[list[str], str]:
    """Return the command line of a Node.js with WebSocket; or why there is none."""
    found = shutil.which("node")
    if found is None:
        return [], "Node.js is not installed"
    for options in ((), ("--experimental-websocket",)):
        words = [found, *options]
        probe = [*words, "--eval", "process.exit(globalThis.WebSocket ? 0 : 1)"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return words, ""
    return [], "Node.js is older than 20: it has no WebSocket"


class Scenario:
    """Runs one scenario; see scenarios.py for the steps, each of which is a method `do_…` here.

    Args:
        test: whose assertions are used.
        server: the server, which restarts on the same ports.
        driver: the process of the client.
        peer: who is logged in; all scenarios have the same one.
        name: ends the names of the client in the driver, of its user and of the room.
    """

    def __init__(
        self, test: SynchronousTestCase, server: Server, driver: Driver, peer: Peer, name: str
    ) -> None:
        self.test = test
        self.server = server
        self.driver = driver
        self.me = f"me-{name}"
        self.room = f"room {name}"
        self.last = ""
        self.proxy = Proxy(server.ws_port)
        self.peer = peer
        self.other: Peer | None = None
        self.begun: deque[str] = deque()
        self.said: dict[int, int] = {}
        self.heard: dict[str, dict[str, Any]] = {}

    def run(self, steps: Steps) -> str:
        """Run the steps; return what went wrong, or nothing."""
        try:
            self.peer.client.taken.clear()
            self.peer.call("create_room", room_name=self.room)
            for word, *args in steps:
                getattr(self, f"do_{word.replace(' ', '_')}")(*map(self.filled, args))
        except Exception:
            return traceback.format_exc()
        finally:
            self.driver.tell(self.me, "end")
            self.proxy.close()
            if self.other is not None:
                self.other.client.close()
        return ""

    def filled(self, value: Any) -> Any:
        """Return a value of a step with the names of this run."""
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, str):
            return value.format(me=self.me, room=self.room)
        return value

    def result(self, stream: str, expected: Any) -> None:
        """Wait for the result of a command and compare it."""
        found = self.driver.next(self.me, stream)
        if isinstance(expected, str):
            self.test.assertEqual(found.get("error"), expected, found)
        else:
            self.test.assertIn("ok", found)
            self.test.assertEqual({key: (found["ok"] or {}).get(key) for key in expected}, expected)

    def tell_open(self, login: dict[str, Any], options: dict[str, Any]) -> str:
        url = f"ws://127.0.0.1:{self.proxy.port}/"
        fields = {"timeout": 30, "events": 5000, **options}
        if "after" in options:
            fields["after"] = self.heard
        return self.driver.tell(self.me, "open", url=url, login=login, **fields)

    def do_open(self, login: dict[str, Any], options: dict[str, Any] | None = None) -> None:
        self.result(self.tell_open(login, options or {}), {"user": self.me})

    def do_refused(self, login: dict[str, Any], code: str) -> None:
        self.result(self.tell_open(login, {}), code)

    def do_begin(self, cmd: str, fields: dict[str, Any]) -> None:
        self.begun.append(self.driver.tell(self.me, "call", cmd=cmd, fields=fields))

    def do_end(self, expected: Any) -> None:
        self.result(self.begun.popleft(), expected)

    def do_call(self, cmd: str, fields: dict[str, Any], expected: Any) -> None:
        self.do_begin(cmd, fields)
        self.do_end(expected)

    def do_burst(self, count: int) -> None:
        for number in range(1, count + 1):
            self.do_begin("speak", {"room_name": self.room, "msg": str(number)})
        for _ in range(count):
            self.do_end({"status": "ok"})

    def say(self, room: str, first: int, last: int) -> None:
        numbers = range(first, last + 1)
        replies = self.peer.calls([("speak", {"room_name": room, "msg": str(n)}) for n in numbers])
        self.said |= {n: reply["seq"] for n, reply in zip(numbers, replies, strict=True)}

    def hear(self, room: str, first: int, last: int) -> None:
        # By seq: where the server refused a message because of the rate, later ones came before it.
        for number in sorted(range(first, last + 1), key=self.said.__getitem__):
            found = self.driver.next(self.me, f"room {room}")
            while found["user"] == self.me:  # read from the log
                found = self.driver.next(self.me, f"room {room}")
            self.test.assertEqual((found["text"], found["seq"]), (str(number), self.said[number]))
            self.heard[room] = {"epoch": found["epoch"], "seq": found["seq"]}

    def do_say(self, first: int, last: int) -> None:
        self.say(self.room, first, last)

    def do_hears(self, first: int, last: int) -> None:
        self.hear(self.room, first, last)

    def do_heard(self, first: int, last: int, sort: bool = False) -> None:
        found = [int(self.peer.next_text(self.me)) for _ in range(first, last + 1)]
        self.test.assertEqual(sorted(found) if sort else found, [*range(first, last + 1)])

    def do_heard_in_any_order(self, first: int, last: int) -> None:
        self.do_heard(first, last, sort=True)

    def do_gone(self) -> None:
        self.peer.wait_offline(self.me)

    def do_peer(self, cmd: str, fields: dict[str, Any]) -> None:
        self.peer.call(cmd, **fields)

    def do_again(self) -> None:
        self.peer.log_in(PEER, PASSWORD)

    def do_account(self) -> None:
        self.peer.call("register", usr=self.me, pwd=PASSWORD)

    def do_other(self, cmd: str, fields: dict[str, Any], times: int = 1) -> None:
        if self.other is None:
            self.other = Peer(self.server.ws_port)
        self.other.calls([(cmd, fields)] * times)

    def do_hold(self) -> None:
        self.result(self.driver.tell(self.me, "hold"), {})

    def do_release(self) -> None:
        self.result(self.driver.tell(self.me, "release"), {})

    def do_close(self) -> None:
        self.result(self.driver.tell(self.me, "close"), {})

    def do_state(self, *names: str) -> None:
        for name in names:
            found = self.driver.next(self.me, "states")
            parts = [found[key] for key in ("saw", "code", "reason") if key in found]
            self.test.assertEqual(" ".join(map(str, parts)), name)

    def do_lost(self, code: int, seconds: float) -> None:
        found = self.driver.next(self.me, "states")
        self.test.assertEqual((found["saw"], found["code"]), ("lost", code))
        self.test.assertGreaterEqual(found["retry_in"], seconds)

    def do_rooms(self, count: int) -> None:
        found = self.driver.next(self.me, self.driver.tell(self.me, "rooms"))
        self.test.assertEqual(found["ok"], count)

    def do_create(self, count: int) -> None:
        names = [f"{self.room} {number:04}" for number in range(count)]
        self.last = names[-1]
        topic = "\N{GRINNING FACE}" * TOPIC_CHARS
        self.peer.calls([("create_room", {"room_name": name, "topic": topic}) for name in names])
        self.peer.calls([("add_member", {"room_name": name, "user": self.me}) for name in names])

    def do_say_in_last(self) -> None:
        self.say(self.last, 1, 1)

    def do_hears_in_last(self) -> None:
        self.hear(self.last, 1, 1)

    def do_link(self, what: str) -> None:
        if what in ("mute", "stall"):
            self.proxy.silence(clients=what == "stall")
            return
        self.proxy.refuses = what == "cut"
        if what == "cut":
            self.proxy.end()

    def do_frame(self, code: int, reason: str) -> None:
        self.proxy.end(close_frame(code, reason))

    def do_server(self, what: str) -> None:
        database, copy = (self.server.folder / name for name in ("gtchat.sqlite", "copy"))
        if what == "stop":
            self.peer.client.close()  # a server that stops would wait for its answer
        if what == "copy":
            shutil.copy(database, copy)
        elif what == "restore":
            for path in self.server.folder.glob("gtchat.sqlite*"):
                path.unlink()
            shutil.copy(copy, database)
        else:
            getattr(self.server, what)()


class ExamplesTest(SynchronousTestCase):
    """The files in JavaScript."""

    def test_the_tables_of_the_client_are_those_of_the_contract(self) -> None:
        text = (TOP / "examples" / "gtchat-client.mjs").read_text()

        def words(name: str) -> set[str]:
            found = re.search(rf"const {name} = (?:words|new Set)\(([^)]*)\)", text)
            assert found is not None, name
            return set(re.findall(r"\w+", found[1]))

        def keys(table: Mapping[Any, object], *values: object) -> set[str]:
            return {str(key) for key, value in table.items() if value in values}

        self.assertEqual(words("WITH_TXN"), keys(contract.REPEATABLE, contract.Repeatable.TXN))
        always = keys(contract.REPEATABLE, contract.Repeatable.ALWAYS)
        self.assertEqual(words("REPEATABLE"), always - {"resume"})  # the client does so by itself
        self.assertEqual(words("TEMPORARY"), contract.LOGIN_AGAIN)
        self.assertEqual(words("STAY_AWAY"), keys(contract.COME_BACK, contract.ComeBack.NO))

    def test_the_bot_answers_and_ends(self) -> None:
        words, missing = node()
        if missing:
            raise SkipTest(missing)
        server = Server("--store", "memory").start()
        self.addCleanup(server.kill)
        command = [*words, str(TOP / "examples" / "echo.mjs"), f"ws://127.0.0.1:{server.ws_port}/"]
        bot = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(bot.communicate)
        self.addCleanup(bot.kill)
        assert bot.stdout is not None
        self.assertEqual(bot.stdout.readline(), "echo is logged in\n")
        user = Peer(server.ws_port)
        self.addCleanup(user.client.close)
        user.call("login", type="tmp", usr="ann")
        user.call("whisper", target_user="echo", msg="hi")
        user.call("speak", room_name="lobby", msg="Is echo here?")
        self.assertEqual(user.next_text("echo"), "Hello, ann.")
        answers = [push["msg"] for push in user.client.taken if push["cmd"] == "c_whisper"]
        self.assertEqual(answers, ["You said: hi"])
        bot.terminate()
        self.assertEqual(bot.wait(SECONDS), 0)
        server.kill()
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((refused.returncode, refused.stderr), (1, "1006 no connection\n"))

    def test_a_client_that_is_closed_does_not_connect(self) -> None:
        words, missing = node()
        if missing:
            raise SkipTest(missing)
        program = f"""
            import {{ GTChat }} from "{(TOP / "examples" / "gtchat-client.mjs").as_uri()}";
            const chat = new GTChat("ws://127.0.0.1:1/", {{ login: {{}} }});
            chat.close();
            const silent = new Promise((resolve) => setTimeout(resolve, 1000, "no answer"));
            console.log(await Promise.race([chat.connect().catch(({{ code }}) => code), silent]));
            process.exit();
        """
        command = [*words, "--input-type=module", "-e", program]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((ran.stdout, ran.stderr.strip()), ("1000\n", ""))


class ScenariosTest(SynchronousTestCase):
    """All scenarios with one client of each language, one after the other on one server."""

    def run_all(self, words: list[str]) -> None:
        """Run the scenarios with the driver of a command line; report all that fail."""
        server = Server(*OPTIONS).start()
        self.addCleanup(server.kill)
        driver = Driver(words, {**os.environ, "PYTHONPATH": str(TOP)})
        self.addCleanup(driver.close)
        peer = Peer(server.ws_port)
        self.addCleanup(lambda: peer.client.close())
        peer.call("register", usr=PEER, pwd=PASSWORD)
        peer.log_in(PEER, PASSWORD)
        failed = []
        for number, (name, steps) in enumerate(SCENARIOS.items()):
            scenario = Scenario(self, server, driver, peer, str(number))
            if error := scenario.run(steps):
                failed.append(f"{name}:\n{error}")
                server.kill()
                server.start()
                peer.log_in(PEER, PASSWORD)
        self.assertEqual(failed, [], "\n".join(failed))

    def test_client_in_python(self) -> None:
        self.run_all([sys.executable, str(FOLDER / "scenario_driver.py")])

    def test_client_in_javascript(self) -> None:
        words, missing = node()
        if missing:
            raise SkipTest(missing)
        self.run_all([*words, str(FOLDER / "scenario_driver.mjs")])
