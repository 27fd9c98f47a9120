"""The queue of a client's commands: order, rate, pause and resume."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.chat import GUEST_BURSTS
from gtchat.chat.errors import RateLimited
from gtchat.chat.limits import Limits
from gtchat.protocols.base import command_queue
from gtchat.protocols.base.command_queue import FLOOD_FACTOR, QUEUE_LIMIT, CommandQueue
from gtchat.protocols.base.login import keep_session
from tests.fakes import TestServer


class Client:
    """Records what a queue asks of it; commands are answered when the test says so."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.queue = CommandQueue[str](self, server.chat)
        self.started: list[str] = []
        self.waiting: dict[str, Deferred[None]] = {}
        self.reading = True
        self.flooded = 0
        #: Called when a command of this name starts.
        self.actions: dict[str, Callable[[], object]] = {}

    def run_command(self, command: str) -> Coroutine[Any, Any, None] | None:
        self.started.append(command)
        self.actions.get(command, int)()
        if command.startswith("pipelined"):
            self.queue.in_flight += 1
            return None
        if command.startswith("now"):
            return None
        self.waiting[command] = Deferred()
        return self.wait(command)

    async def wait(self, command: str) -> None:
        await self.waiting[command]

    def answer(self, command: str) -> None:
        """Answer a serial command."""
        self.waiting.pop(command).callback(None)
        self.server.run_pending()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def disconnect_flood(self) -> None:
        self.flooded += 1


class Order(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.client = Client(self.server)
        self.queue = self.client.queue

    def submit(self, *commands: str) -> None:
        for command in commands:
            self.queue.submit(command, pipelined=command.startswith("pipelined"))

    def test_a_serial_command_waits_for_the_one_before(self) -> None:
        self.submit("a", "b", "now c", "d")
        self.assertEqual(self.client.started, ["a"])
        self.client.answer("a")
        self.assertEqual(self.client.started, ["a", "b"])
        self.client.answer("b")
        self.assertEqual(self.client.started, ["a", "b", "now c", "d"])

    def test_pipelined_commands_are_under_way_together(self) -> None:
        self.submit("pipelined 1", "pipelined 2", "a", "pipelined 3")
        self.assertEqual(self.client.started, ["pipelined 1", "pipelined 2"])
        self.queue.answered()
        self.server.run_pending()
        self.assertEqual(len(self.client.started), 2)
        self.queue.answered()
        self.server.run_pending()
        self.assertEqual(self.client.started[2:], ["a"])
        self.client.answer("a")
        self.assertEqual(self.client.started[3:], ["pipelined 3"])

    def test_what_is_submitted_first_comes_before_all_that_waits(self) -> None:
        self.submit("pipelined 1", "now a")
        self.queue.submit_first("now refused")
        self.queue.answered()
        self.server.run_pending()
        self.assertEqual(self.client.started, ["pipelined 1", "now refused", "now a"])

    def test_a_command_that_fails_does_not_stop_the_others(self) -> None:
        self.submit("a", "now b")
        self.client.waiting.pop("a").errback(ZeroDivisionError())
        self.server.run_pending()
        self.assertEqual(self.client.started, ["a", "now b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothing_is_started_after_close(self) -> None:
        self.submit("a", "now b")
        self.queue.close()
        self.client.answer("a")
        self.assertEqual(self.client.started, ["a"])
        self.assertFalse(self.queue.idle and self.client.waiting)

    def test_close_returns_what_waited(self) -> None:
        self.submit("a", "now b", "c")
        self.assertEqual(self.queue.close(), ["now b", "c"])
        self.assertEqual(self.queue.close(), [])

    def test_a_closed_queue_starts_nothing_when_its_last_command_is_answered(self) -> None:
        self.submit("a")
        self.queue.close()
        self.client.answer("a")
        self.submit("now b", "pipelined c")
        self.queue.submit_first("now d")
        self.server.run_pending()
        self.assertEqual(self.client.started, ["a"])
        self.assertEqual(self.queue.close(), [])

    def test_a_command_that_closes_the_queue_is_the_last_one(self) -> None:
        for last in ("now b", "b"):
            self.setUp()
            self.client.actions[last] = self.queue.close
            self.submit("a", last, "now c")
            self.client.answer("a")
            if last in self.client.waiting:
                self.client.answer(last)
            self.submit("now d")
            self.server.run_pending()
            self.assertEqual(self.client.started, ["a", last])

    def test_pipelined_commands_are_answered_after_close(self) -> None:
        self.submit("pipelined 1", "pipelined 2", "a")
        self.queue.close()
        self.queue.answered()
        self.queue.answered()
        self.server.run_pending()
        self.assertEqual((self.client.started[2:], self.queue.in_flight), ([], 0))

    def test_a_command_submitted_by_another_one_runs_after_it(self) -> None:
        self.client.actions["now a"] = lambda: self.submit("now b")
        self.submit("now a")
        self.server.run_pending()
        self.assertEqual(self.client.started, ["now a", "now b"])
        self.assertTrue(self.queue.idle)

    def test_a_command_that_can_not_be_started_does_not_stop_the_others(self) -> None:
        self.client.actions["now b"] = lambda: 1 / 0
        self.submit("a", "now b", "now c")
        self.client.answer("a")
        self.assertEqual(self.client.started, ["a", "now b", "now c"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_reading_does_not_resume_after_close(self) -> None:
        self.submit("a", *(f"now {number}" for number in range(QUEUE_LIMIT)))
        self.assertTrue(self.queue.full)
        self.queue.close()
        self.client.answer("a")
        self.assertFalse(self.client.reading)

    def test_reading_pauses_while_many_commands_wait(self) -> None:
        self.submit("a", *(f"now {number}" for number in range(QUEUE_LIMIT - 1)))
        self.assertTrue(self.client.reading)
        self.submit("now last")
        self.assertFalse(self.client.reading)
        self.client.answer("a")
        self.assertTrue(self.client.reading)
        self.assertEqual(len(self.client.started), QUEUE_LIMIT + 1)

    @given(st.lists(st.sampled_from(("serial", "now", "pipelined")), max_size=30), st.randoms())
    def test_commands_start_in_the_order_of_their_coming(self, kinds: Any, random: Any) -> None:
        self.setUp()
        commands = [f"{kind} {number}" for number, kind in enumerate(kinds)]
        submitted: list[str] = []
        while len(self.client.started) < len(commands):
            steps: list[Any] = [
                lambda name=name: self.client.answer(name) for name in self.client.waiting
            ]
            if len(submitted) < len(commands):
                steps.append(
                    lambda: submitted.append(commands[len(submitted)]) or self.submit(submitted[-1])
                )
            if self.queue.in_flight:
                steps.append(lambda: self.queue.answered() or self.server.run_pending())
            random.choice(steps)()
        self.assertEqual(self.client.started, commands)


class Rates(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_burst=3, commands_per_second=1))
        self.ann = self.server.guest("ann").api.session
        self.server.clock.advance(60)

    def charges(self, client: Client, times: int) -> list[bool]:
        """Whether each of so many commands is allowed."""
        return [client.queue.charge() is None for _ in range(times)]

    def test_a_command_too_many_is_refused_with_the_time_to_wait(self) -> None:
        client = Client(self.server)
        self.assertEqual(self.charges(client, 3), [True] * 3)
        refused = client.queue.charge()
        assert isinstance(refused, RateLimited)
        self.assertEqual(refused.retry_after, 1.0)
        self.server.clock.advance(1)
        self.assertEqual(self.charges(client, 2), [True, False])

    def test_the_rate_of_an_account_holds_over_connections(self) -> None:
        assert self.ann is not None
        used = 0
        for _ in range(5):
            client = Client(self.server)
            client.queue.use_account_rate(self.ann)
            used += sum(self.charges(client, 3))
        self.assertEqual(used, 3)

    def test_what_was_used_up_before_login_stays_used_up(self) -> None:
        assert self.ann is not None
        client = Client(self.server)
        self.charges(client, 2)
        client.queue.use_account_rate(self.ann)
        self.assertEqual(self.charges(client, 2), [True, False])

    def test_a_flood_is_disconnected(self) -> None:
        client = Client(self.server)
        self.charges(client, 3 + 3 * FLOOD_FACTOR)
        self.assertEqual(client.flooded, 0)
        client.queue.charge()
        self.assertEqual(client.flooded, 1)

    def test_times_are_told_once_for_all_connections_of_an_account(self) -> None:
        assert self.ann is not None
        for _ in range(2):
            client = Client(self.server)
            client.queue.use_account_rate(self.ann)
            waits = [self.wait(client) for _ in range(6)]
        self.assertEqual(waits, [4.0, 5.0, 6.0, 7.0, 8.0, 9.0])  # after those of the first one
        self.assertEqual(client.queue.recovery_seconds, 3)

    def wait(self, client: Client) -> float:
        """Return the time that a command is told to wait, 0.0 if it is allowed."""
        refused = client.queue.charge()
        return 0.0 if refused is None or refused.retry_after is None else refused.retry_after

    def obey(self, client: Client, commands: int, seconds: float, late: float = 0.0) -> list[float]:
        """Send commands at once, and each refused one again when it was told to.

        Args:
            client: sends them.
            commands: how many.
            seconds: how long.
            late: seconds by which each one is late.

        Returns:
            The seconds after which each command succeeded, in order.
        """
        clock = self.server.clock
        start = clock.seconds()
        done: list[float] = []

        def send() -> None:
            wait = self.wait(client)
            if wait:
                clock.callLater(wait + late, send)
            else:
                done.append(clock.seconds() - start)

        for _ in range(commands):
            send()
        for _ in range(int(seconds * 100)):
            clock.advance(0.01)
        return done

    def test_each_command_succeeds_when_it_is_told_to_come_again(self) -> None:  # G24
        client = Client(self.server)
        done = self.obey(client, 33, 31)
        self.assertEqual([round(seconds) for seconds in done], [0, 0, *range(31)])
        self.assertEqual(client.flooded, 0)

    def test_a_client_that_obeys_is_not_disconnected_even_if_it_is_late(self) -> None:
        client = Client(self.server)
        self.assertEqual(len(self.obey(client, 30, 200, late=5.0)), 30)
        self.assertEqual(client.flooded, 0)

    def test_a_client_that_obeys_may_send_other_commands_meanwhile(self) -> None:
        client, clock = Client(self.server), self.server.clock
        for second in range(60):
            clock.callLater(second + 0.5, client.queue.charge)
        self.obey(client, 30, 300)
        self.assertEqual(client.flooded, 0)

    def test_only_what_comes_unasked_counts_as_flooding(self) -> None:  # G24
        client = Client(self.server)
        self.charges(client, 3 + 3 * FLOOD_FACTOR)  # one more would be a flood
        self.server.clock.advance(10)  # ten were told to come by now
        self.assertEqual(sum(self.charges(client, 10)), 3)
        self.charges(client, 3 * FLOOD_FACTOR)
        self.assertEqual(client.flooded, 0)
        client.queue.charge()
        self.assertEqual(client.flooded, 1)

    def test_times_that_were_told_are_bounded(self) -> None:
        client = Client(TestServer(Limits(commands_burst=3, commands_per_second=1e-6)))
        with patch.object(command_queue, "TOLD_LIMIT", 5):
            self.charges(client, 50)
        assert client.queue._told is not None
        self.assertEqual(len(client.queue._told), 5)

    def test_new_guests_of_a_network_share_the_tokens_of_some_bursts(self) -> None:  # G25
        allowed = []
        for number in range(GUEST_BURSTS + 10):
            client = Client(self.server)
            guest = self.server.connect(f"2001:db8::{number:x}").api
            with patch.object(guest, "queue", client.queue):
                self.login_guest(guest, f"g{number}")
            allowed.append(sum(self.charges(client, 5)))
        self.assertEqual(allowed, [3] * GUEST_BURSTS + [0] * 10)
        self.server.clock.advance(1)
        self.assertEqual(self.charges(client, 2), [True, False])
        other = Client(self.server)
        guest = self.server.connect("2001:db8:0:1::1").api
        with patch.object(guest, "queue", other.queue):
            self.login_guest(guest, "other")
        self.assertEqual(sum(self.charges(other, 5)), 3)

    def login_guest(self, api: Any, name: str) -> None:
        login = self.server.chat.logins.login_guest(name, self.server.encoder, api, None)
        result = Deferred.fromCoroutine(login)
        self.server.run_pending()
        keep_session(api, self.successResultOf(result).session)

    def test_no_rate_is_no_limit(self) -> None:
        client = Client(TestServer(Limits(commands_per_second=0)))
        self.assertEqual(self.charges(client, 1000), [True] * 1000)
