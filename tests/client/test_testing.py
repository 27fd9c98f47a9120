"""The connection without a server that tests of bots use."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    CommandFailed,
    Connection,
    ConnectionClosed,
    Deleted,
    Direct,
    Message,
    Presence,
    Reply,
    RoomEvent,
    RoomReset,
    Whisper,
)
from gtchat.client.account_actions import AccountActions
from gtchat.client.actions import MessageActions
from gtchat.client.moderation_actions import ModerationActions
from gtchat.client.testing import AT, FakeConnection


class FakeConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.conn = FakeConnection(user="bot")
        self.seen: list[Any] = []

    def run_bot(self, bot: Any) -> None:
        """Run a bot. Nothing waits, so its Deferred has fired."""
        self.successResultOf(Deferred.fromCoroutine(self.conn.run(bot)))

    def result(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of a coroutine that does not wait."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    async def read(self, conn: Connection) -> None:
        """Read all events."""
        async for event in conn.events():
            self.seen.append(event)

    def test_it_has_all_that_a_connection_has(self) -> None:
        """What is thin over `call` is inherited; all else would reach for the network."""
        inherited = {*vars(MessageActions), *vars(AccountActions), *vars(ModerationActions)}
        for name, _ in inspect.getmembers(Connection):
            if not name.startswith("_") and name not in inherited:
                self.assertIn(name, vars(FakeConnection))

    def test_state(self) -> None:
        conn = self.conn
        self.assertEqual((conn.user, conn.state, conn.retry_in), ("bot", "up", 0.0))
        self.assertEqual((conn.server.version, dict(conn.limits)), ("", {}))
        self.assertIsNotNone(conn.epoch)
        self.result(conn.open())

    def test_events_are_read_in_their_order(self) -> None:
        events = [
            Message(room="lobby", user="ann", text="hi"),
            Whisper(user="ann", text="psst"),
            Presence(came=("bob",)),
        ]
        self.conn.hear(*events[:2])
        self.conn.hear(events[2])
        self.run_bot(self.read)
        self.assertEqual([type(one) for one in self.seen], [Message, Whisper, Presence])
        self.assertEqual((self.seen[0].seq, self.seen[0].at), (1, AT))
        self.assertEqual(self.seen[0].cursor, f"{self.conn.epoch}:1")
        self.assertEqual(self.seen[1].room, Direct(user="ann"))

    def test_leaving_a_loop_keeps_what_waits(self) -> None:
        async def read_one(conn: Connection) -> None:
            async for event in conn.events():
                self.seen.append(event)
                break
            self.seen.append("then")
            await self.read(conn)

        self.conn.hear(Presence(came=("a",)), Presence(came=("b",)))
        self.run_bot(read_one)
        self.assertEqual(self.seen, [Presence(came=("a",)), "then", Presence(came=("b",))])

    def test_events_have_what_the_server_would_have_sent(self) -> None:
        self.conn.hear(
            Message(room="lobby", user="ann", text="hi", id="x"),
            Deleted(room="lobby", user="ann", of=1, by="bob"),
            RoomEvent(kind="kicked", room="lobby", user="ann", by="bob"),
            Whisper(user="ann", text="psst"),
        )
        self.run_bot(self.read)
        raws = [{k: v for k, v in one.raw.items() if k not in ("at", "seq")} for one in self.seen]
        self.assertEqual(
            raws,
            [
                {"cmd": "c_speak", "room_name": "lobby", "usr": "ann", "msg": "hi", "id": "x"},
                {
                    "cmd": "c_event",
                    "type": "deleted",
                    "room_name": "lobby",
                    "usr": "ann",
                    "of": 1,
                    "by": "bob",
                },
                {
                    "cmd": "c_event",
                    "type": "kicked",
                    "room_name": "lobby",
                    "usr": "ann",
                    "by": "bob",
                },
                {"cmd": "c_whisper", "usr": "ann", "msg": "psst"},
            ],
        )

    def test_calls_are_noted_without_what_the_library_adds(self) -> None:
        self.result(self.conn.speak("lobby", "hi"))
        self.result(self.conn.kick("garden", "ann", txn="t"))
        self.assertEqual(
            self.conn.calls,
            [
                ("speak", {"room_name": "lobby", "msg": "hi"}),
                ("kick", {"room_name": "garden", "user": "ann"}),
            ],
        )
        self.assertEqual(self.conn.asked("kick"), [{"room_name": "garden", "user": "ann"}])

    def test_reserved_fields_are_refused(self) -> None:
        for name in ("cmd", "tracker"):
            failed = Deferred.fromCoroutine(self.conn.call("ping", **{name: "x"}))
            self.failureResultOf(failed, TypeError)

    def test_answers_come_in_turn_and_the_last_one_stays(self) -> None:
        self.conn.answer("versions", CommandFailed("not_author", "No."))
        self.conn.answer("versions", Reply(usr="1"))
        self.conn.answer("versions", usr="2")
        failed = Deferred.fromCoroutine(self.conn.call("versions"))
        self.failureResultOf(failed, CommandFailed)
        found = [self.result(self.conn.call("versions")).usr for _ in range(3)]
        self.assertEqual(found, ["1", "2", "2"])

    def test_an_answer_with_an_error_is_raised(self) -> None:
        self.conn.answer("ping", status="error", code="busy", msg="Later.")
        failed = Deferred.fromCoroutine(self.conn.call("ping"))
        self.assertEqual(self.failureResultOf(failed, CommandFailed).value.code, "busy")

    def test_what_is_spoken_is_in_the_log(self) -> None:
        self.conn.hear(Message(room="Garden", user="ann", text="a"))
        ack = self.result(self.conn.speak("garden", "b"))
        self.assertEqual((ack.seq, ack.duplicate), (2, False))

        async def read(conn: Connection) -> None:
            self.seen += [entry async for entry in conn.history("garden")]
            self.seen += [entry async for entry in conn.follow("garden", after=None)]

        self.run_bot(read)
        self.assertEqual([entry.text for entry in self.seen], ["a", "b"] * 2)

    def test_follow_begins_behind_the_cursor_and_again_after_a_reset(self) -> None:
        self.conn.hear(*(Message(room="garden", user="ann", text=text) for text in "abc"))
        self.conn.hear(RoomReset(room="garden", reason="epoch"))

        async def read(conn: Connection) -> None:
            async for entry in conn.follow("garden", after=f"{conn.epoch}:2"):
                self.seen.append(getattr(entry, "text", type(entry)))

        self.run_bot(read)
        self.assertEqual(self.seen, ["c", RoomReset, "a", "b", "c"])

    def test_handlers_get_the_events_that_they_are_for(self) -> None:
        async def bot(conn: Connection) -> None:
            @conn.on(Message, room="garden")
            async def first(event: Message) -> None:
                await conn.speak("garden", f"{event.text}!")

            @conn.on(Message)
            def second(event: Message) -> None:
                self.seen.append(event.text)

        self.conn.hear(Message(room="garden", user="ann", text="a"))
        self.conn.hear(Message(room="lobby", user="ann", text="b"))
        self.run_bot(bot)
        self.assertEqual(self.conn.asked("speak"), [{"room_name": "garden", "msg": "a!"}])
        self.assertEqual(self.seen, ["a", "b"])

    def test_exceptions_of_bot_and_handlers_are_raised(self) -> None:
        async def broken(conn: Connection) -> None:
            raise KeyError("no")

        async def bot(conn: Connection) -> None:
            conn.on(Presence)(lambda event: 1 / 0)  # type: ignore[arg-type, return-value]

        self.failureResultOf(Deferred.fromCoroutine(self.conn.run(broken)), KeyError)
        self.conn.hear(Presence())
        self.failureResultOf(Deferred.fromCoroutine(self.conn.run(bot)), ZeroDivisionError)

    def test_on_error_of_the_bot_gets_exceptions_of_handlers(self) -> None:
        async def bot(conn: Connection) -> None:
            conn.on_error = lambda error, event: self.seen.append(type(error))
            conn.on(Presence)(lambda event: 1 / 0)  # type: ignore[arg-type, return-value]

        self.conn.hear(Presence())
        self.run_bot(bot)
        self.assertEqual(self.seen, [ZeroDivisionError])
        self.assertIsNotNone(self.conn.on_error)

    def test_nothing_happens_after_close(self) -> None:
        async def bot(conn: Connection) -> None:
            async with conn:
                pass
            await self.read(conn)
            await conn.call("ping")

        self.conn.hear(Presence())
        running = Deferred.fromCoroutine(self.conn.run(bot))
        self.failureResultOf(running, ConnectionClosed)
        self.assertEqual((self.seen, self.conn.state), ([], "closed"))

    def test_it_has_no_wire(self) -> None:
        self.failureResultOf(Deferred.fromCoroutine(self.conn.send("{}")), NotImplementedError)

    def test_it_runs_on_asyncio(self) -> None:
        async def bot(conn: Connection) -> None:
            await asyncio.sleep(0)
            await self.read(conn)

        self.conn.hear(Presence(came=("a",)))
        asyncio.run(self.conn.run(bot))
        self.assertEqual(self.seen, [Presence(came=("a",))])
