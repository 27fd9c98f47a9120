"""The pages docs/bots.md and docs/client.md: their code runs, and they have what there is."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

import gtchat.client
from gtchat.client import CommandFailed, Message, Reply, Room, RoomEvent, RoomReset, Whisper
from gtchat.client.testing import FakeConnection
from tests.examples import FOLDER

DOCS = Path(__file__).parents[2] / "docs"
BOTS = (DOCS / "bots.md").read_text(encoding="utf-8")


def example(words: str) -> dict[str, Any]:
    """Run the block of code of bots.md that has some words; return its names."""
    (code,) = (
        code for code in re.findall(r"```python\n(.*?)```", BOTS, re.DOTALL) if words in code
    )
    names: dict[str, Any] = {"__name__": "page"}
    names.update((name, getattr(gtchat.client, name)) for name in gtchat.client.__all__)
    exec(compile(code, "bots.md", "exec"), names)
    return names


class BotsPage(SynchronousTestCase):
    """The examples of docs/bots.md, each on a connection without a server."""

    def setUp(self) -> None:
        self.conn = FakeConnection(user="echo")

    def run_bot(self, bot: Any) -> None:
        """Run a bot to its end, which needs no reactor."""
        self.successResultOf(Deferred.fromCoroutine(self.conn.run(bot)))

    def test_first_bot_answers_direct_messages_and_greets(self) -> None:
        self.conn.hear(
            Whisper(user="ann", text="psst"),
            Message(room="lobby", user="bob", text="is it quiet here?"),
            Message(room="lobby", user="bob", text="hi echo"),
        )
        self.run_bot(example("async def echo(")["echo"])
        self.assertEqual(
            self.conn.calls,
            [
                ("speak", {"target_user": "ann", "msg": "You said: psst"}),
                ("speak", {"room_name": "lobby", "msg": "Hello, bob."}),
            ],
        )

    def test_first_bot_is_the_example_of_the_folder(self) -> None:
        (code,) = re.findall(r"(?m)^    async for event in conn.events.*?\n\n", BOTS, re.DOTALL)
        self.assertIn(code, (FOLDER / "echo.py").read_text(encoding="utf-8"))

    def test_commands(self) -> None:
        self.conn.answer("set_room", Reply(room=Room(name="garden", topic="trees")))
        self.conn.answer("get_room_user_list", users=("ann", "bob"), users_total=2)
        printed: list[Any] = []
        names = example("async def about(")
        names["print"] = lambda *words: printed.append(words[-1])
        self.conn.hear(Message(room="garden", user="ann", text="hi"))

        async def bot(conn: Any) -> None:
            self.assertEqual(await names["about"](conn, "garden"), "trees")

        self.run_bot(bot)
        self.assertEqual(printed, ["ann", "bob", "ann"])

    def test_handlers(self) -> None:
        async def bot(conn: Any) -> None:
            example("def greet(")["greet"](conn)

        self.conn.hear(
            RoomEvent(kind="join_room", room="garden", user="ann"),
            RoomEvent(kind="leave_room", room="garden", user="ann"),
            RoomEvent(kind="join_room", room="orchard", user="ann"),
        )
        self.run_bot(bot)
        self.assertEqual(self.conn.asked("speak"), [{"room_name": "garden", "msg": "Hello, ann."}])

    def test_archive(self) -> None:
        entries: list[Any] = []
        archive = example("async def archive(")["archive"]
        self.conn.hear(*(Message(room="garden", user="ann", text=text) for text in "ab"))
        self.run_bot(lambda conn: archive(conn, "garden", entries))
        self.assertEqual([entry.text for entry in entries], ["a", "b"])
        self.conn.hear(Message(room="garden", user="ann", text="c"))
        self.run_bot(lambda conn: archive(conn, "garden", entries))
        self.assertEqual([entry.text for entry in entries], ["a", "b", "c"])
        self.conn.hear(RoomReset(room="garden", reason="epoch"))
        self.run_bot(lambda conn: archive(conn, "garden", entries))
        self.assertEqual([entry.text for entry in entries], ["a", "b", "c"])

    def test_test_of_a_bot(self) -> None:
        names = example("class EchoTests")
        names["echo"] = example("async def echo(")["echo"]
        result = names["EchoTests"]("test_it_answers_direct_messages").run()
        self.assertEqual((result.testsRun, result.failures, result.errors), (1, [], []))

    def test_program_on_asyncio(self) -> None:
        names = example("asyncio.run(")

        async def connect(url: str, user: Any) -> FakeConnection:
            return FakeConnection(user.name)

        printed: list[Any] = []
        names.update(connect=connect, print=lambda *words: printed.append(words[0]))
        asyncio.run(names["main"]("ws://127.0.0.1:9000/"))
        self.assertEqual(printed, [1])

    def test_error_that_the_page_tells_of(self) -> None:
        self.conn.answer("kick", CommandFailed("not_owner", "No."))
        self.failureResultOf(Deferred.fromCoroutine(self.conn.kick("garden", "ann")), CommandFailed)


class Reference(SynchronousTestCase):
    """The page docs/client.md."""

    def setUp(self) -> None:
        spec = importlib.util.spec_from_file_location("reference", DOCS / "client_reference.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.page = module.page()

    def test_it_is_what_the_docstrings_say(self) -> None:
        written = (DOCS / "client.md").read_text(encoding="utf-8")
        self.assertEqual(written, self.page, "python docs/client_reference.py > docs/client.md")

    def test_it_has_each_public_name(self) -> None:
        sections = re.findall(r"(?m)^### (\w+)$", self.page)
        self.assertEqual(len(sections), len(set(sections)))
        self.assertEqual(set(gtchat.client.__all__) - set(sections), set())
