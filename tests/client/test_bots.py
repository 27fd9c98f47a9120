"""The code in docs/bots.md runs and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from tests.client.fakes import ConnectedTestCase, spoken, welcome, whisper

PAGE = Path(__file__).parents[2] / "docs" / "bots.md"


def bot() -> str:
    """Return the first example of the page."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "the page has an example"
    return found[1]


class BotTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.server.answers["login"] = welcome("echo")
        names: dict[str, Any] = {"__name__": "bot"}
        exec(compile(bot(), str(PAGE), "exec"), names)
        self.running = Deferred.fromCoroutine(names["echo"](self.connection))
        self.server.pump()

    def test_it_answers_direct_messages(self) -> None:
        self.server.push(**whisper(1, "ann"))
        self.server.pump()
        (request,) = self.server.asked("whisper")
        self.assertEqual((request["target_user"], request["msg"]), ("ann", "You said: psst 1"))

    def test_it_greets_users_who_write_its_name(self) -> None:
        self.server.push(**spoken(1, "ann", msg="is it quiet here?"))
        self.server.push(**spoken(2, "ann", msg="hi echo"))
        self.server.pump()
        (request,) = self.server.asked("speak")
        self.assertEqual((request["room_name"], request["msg"]), ("lobby", "Hello, ann."))

    def test_it_ends_with_its_connection(self) -> None:
        Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(self.running)

    def test_it_is_short(self) -> None:
        self.assertTrue(len(bot().splitlines()) < 25)
