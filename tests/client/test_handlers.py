"""Handlers of events: which are called, in which order, and their errors."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gtchat.client import Broadcast, Direct, Event, Message, Whisper
from tests.client.fakes import AT, ConnectedTestCase, spoken, whisper


class HandlerTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.log_in(lobby=0, den=0)
        self.handled: list[Any] = []

    def push(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.server.push(**message)
        self.server.pump()

    def note(self, event: Any) -> None:
        self.handled.append(event.text)

    def test_events_are_chosen_by_class_and_room(self) -> None:
        for cls, room, expected in (
            (Message, None, ["text 1", "text 2"]),
            (Message, "DEN", ["text 2"]),
            (Whisper, None, ["psst 1"]),
            (Whisper, Direct(user="Bob"), ["psst 1"]),
            (Whisper, Direct(user="cid"), []),
            (Broadcast, None, []),
            (Event, None, ["text 1", "text 2", "psst 1"]),
        ):
            self.setUp()
            self.connection.on(cls, room)(self.note)
            self.push(spoken(1), spoken(2, room="den"), whisper(1))
            self.assertEqual(self.handled, expected, (cls, room))

    def test_the_decorator_returns_the_function(self) -> None:
        self.assertEqual(self.connection.on(Message)(self.note), self.note)

    def test_handlers_of_one_room_run_in_order_and_rooms_beside_each_other(self) -> None:
        waits: list[Deferred[None]] = []

        @self.connection.on(Message)
        async def slow(message: Message) -> None:
            waits.append(Deferred())
            await waits[-1]
            self.handled.append((message.room, message.seq))

        self.push(spoken(1), spoken(2), spoken(1, room="den"))
        self.assertEqual(len(waits), 2, "the second message of the lobby waits for the first")
        for number in (1, 0, 2):
            waits[number].callback(None)
        self.assertEqual(self.handled, [("den", 1), ("lobby", 1), ("lobby", 2)])
        self.assertEqual(self.connection._stream.waiting, 0)

    def test_an_exception_goes_to_on_error_and_the_next_event_is_handled(self) -> None:
        errors: list[tuple[str, Event]] = []
        self.connection.on_error = lambda error, event: errors.append((str(error), event))

        @self.connection.on(Message)
        async def fail(message: Message) -> None:
            self.note(message)
            raise ValueError("no")

        self.push(spoken(1), spoken(2))
        self.assertEqual(self.handled, ["text 1", "text 2"])
        self.assertEqual([error for error, _ in errors], ["no", "no"])
        self.assertIsInstance(errors[0][1], Message)

    def test_without_on_error_exceptions_are_logged(self) -> None:
        @self.connection.on(Message)
        def fail(message: Message) -> None:
            raise ValueError("no")

        with self.assertLogs("gtchat.client") as logged:
            self.push(spoken(1))
        self.assertIn("The handler of Message failed", logged.output[0])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1, "and by twisted.logger")

    def test_an_on_error_that_fails_stops_nothing(self) -> None:
        self.connection.on_error = lambda error, event: 1 / 0  # type: ignore[assignment,return-value]

        @self.connection.on(Message)
        def fail(message: Message) -> None:
            self.note(message)
            raise ValueError("no")

        self.push(spoken(1), spoken(2))
        self.assertEqual(self.handled, ["text 1", "text 2"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_what_ends_a_program_holds_up_no_later_event(self) -> None:
        for error in (SystemExit(3), KeyboardInterrupt()):
            self.setUp()
            exits: list[BaseException] = []
            self.connection._stream.handlers.on_exit = exits.append

            @self.connection.on(Message)
            def leave(message: Message, error: BaseException = error) -> None:
                self.note(message)
                raise error

            self.push(spoken(1), spoken(2))
            self.assertEqual((self.handled, exits), (["text 1", "text 2"], [error, error]))
            self.assertEqual(self.connection._stream.waiting, 0)

    def test_an_exit_is_logged_where_nothing_can_end_the_program(self) -> None:
        @self.connection.on(Message)
        def leave(message: Message) -> None:
            raise SystemExit(3)

        with self.assertLogs("gtchat.client") as logged:
            self.push(spoken(1))
        self.assertIn("A handler has raised SystemExit", logged.output[0])
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_events_and_handlers_both_get_what_happens(self) -> None:
        self.connection.on(Broadcast)(self.note)
        events = self.connection.events()
        self.push({"cmd": "c_broadcast", "usr": "op", "msg": "hi", "at": AT})
        event = self.successResultOf(Deferred.fromCoroutine(events.__anext__()))
        self.assertEqual((event.text, self.handled), ("hi", ["hi"]))
