"""PA1 without sockets: login, reading, order and rate of commands."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.chat.limits import Limits
from gtchat.protocols.base import dialback, dialback_client
from gtchat.protocols.base.dialback_server import LOGIN_PATIENCE
from gtchat.protocols.pa1 import (
    COMMAND_PAUSE,
    MAX_COMMAND,
    PENDING_PAUSE,
)
from tests.protocols.cases import PA1TestCase
from tests.protocols.fakes import ADDRESS


class Login(PA1TestCase):
    def test_ok_and_what_was_pending_are_written_apart_on_the_first_call(self) -> None:
        client = self.send("logIn ann password 6067")
        self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.reactor.tcpClients[0][:2], (ADDRESS, 6067))
        call = self.accept()
        self.assertEqual(call.writes, [b"Ok"])
        self.reactor.advance(PENDING_PAUSE - 0.01)
        self.assertEqual((call.writes, call.disconnecting), ([b"Ok"], False))
        self.reactor.advance(0.01)
        self.assertEqual((call.writes, call.disconnecting), ([b"Ok", b" "], True))
        self.server.run_pending()
        self.assertEqual(self.called(), [(6067, ">>>ann<<<logs in\n")])

    def test_everyone_online_learns_of_a_login(self) -> None:
        self.log_in_all("ann")
        self.send("logIn bob password 6002")
        self.assertEqual(
            sorted(self.called()),
            [(6001, ">>>bob<<<logs in\n"), (6002, ">>>bob<<<logs in\n"), (6002, "Ok ")],
        )

    def test_a_login_that_is_refused(self) -> None:
        for line, text in (
            ("logIn ann wrong 6067", "wrong password"),
            ("logIn ghost password 6067", "usr not exist"),
            ("logIn usrIp password 6067", "usr not exist"),
        ):
            client = self.send(line)
            self.assertTrue(client.closed)
            self.assertEqual(self.called(), [(6067, text)])
        self.assertEqual((self.online(), self.pa1.by_key), ([], {}))

    def test_three_wrong_passwords_block_the_name(self) -> None:
        for _ in range(3):
            self.send("logIn ann wrong 6067")
        self.send("logIn ann password 6067")
        self.assertEqual(self.called(), [(6067, "wrong password")] * 3 + [(6067, "BLOCK")])
        self.send("logIn bob password 6068")
        self.assertEqual(self.called()[0], (6068, "Ok "))
        self.send("bob logout")
        self.reactor.advance(self.limits.pa1_lockout_seconds)
        self.log_in_all("ann")

    def test_names_can_not_be_tried_without_end(self) -> None:  # F23
        answers = []
        for number in range(20):
            self.send(f"logIn ghost{number} password 6067")
            answers += self.called()
        allowed = int(self.limits.failed_logins_per_minute)
        self.assertEqual(answers[:allowed], [(6067, "usr not exist")] * allowed)
        self.assertEqual(answers[allowed:], [(6067, "BLOCK")] * (20 - allowed))
        self.send("logIn ann wrong 6067")
        self.assertEqual(self.called(), [(6067, "BLOCK")])

    def test_a_name_that_can_not_be_looked_up_is_refused(self) -> None:
        with patch.object(self.chat.directory, "resolve", side_effect=NotStored()):
            self.send("logIn ann wrong 6067")
        self.assertEqual(self.called(), [(6067, "BLOCK")])

    def test_addresses_that_are_not_called_can_not_log_in(self) -> None:
        client = self.send("logIn ann password 6067", "192.0.2.1")
        self.assertEqual((client.closed, self.called(), self.online()), (True, [], []))

    def test_a_login_that_can_not_be_stored_is_refused(self) -> None:
        with patch.object(self.chat.logins, "login", side_effect=NotStored()):
            self.send("logIn ann password 6067")
        self.assertEqual(self.called(), [(6067, "BLOCK")])

    def test_a_client_that_is_refused_need_not_listen(self) -> None:
        self.send("logIn ann wrong 6067")
        self.refuse()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.pa1.limiter._by_network), 0)

    def test_calls_that_refuse_a_login_are_bounded(self) -> None:
        self.limits = Limits(commands_per_second=0, connections_per_address=3)
        self.setUp()
        for _ in range(10):
            self.send("logIn ghost password 6067")
        self.assertEqual(len(self.reactor.tcpClients), 2)  # the third is the login's connection
        self.called()
        self.send("logIn bob wrong 6067")
        self.assertEqual(self.called(), [(6067, "wrong password")])

    def test_ports_that_are_not_called(self) -> None:
        for port in ("22", "1023", "65536", "9" * 50, "9000"):
            client = self.send(f"logIn ann password {port}")
            self.assertTrue(client.closed)
            self.assertEqual((port, self.online()), (port, []))
        self.assertEqual(self.reactor.tcpClients, [])

    def test_a_login_with_a_port_that_is_no_number_is_no_command(self) -> None:
        for line in ("logIn ann password x", "logIn ann password", "logIn", "login ann password 1"):
            self.assertTrue(self.send(line).closed)
        self.assertEqual((self.called(), self.online()), ([], []))

    def test_a_second_login_replaces_the_first(self) -> None:
        self.log_in_all("ann")
        self.send("logIn ann wrong 6002", "192.0.2.8")
        self.assertEqual(self.called(), [(6002, "wrong password")])
        self.send("logIn ann password 6002", "192.0.2.8")
        self.assertEqual(
            self.called(),
            [(6001, "logout 192.0.2.8"), (6002, "Ok "), (6002, ">>>ann<<<logs in\n")],
        )
        self.send("ann online")
        self.assertEqual(self.called(), [])
        self.send("ann online", "192.0.2.8")
        self.assertEqual(self.called(), [(6002, "\nann\n")])

    def test_a_session_ended_while_its_messages_are_read_is_not_called(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(session: object) -> None:
            await held

        with patch.object(self.chat.whispers, "deliver_pending", hold):
            self.send("logIn ann password 6001")
        page = self.log_in_web("ann")
        self.assertEqual(page.call("end_other_sessions")["status"], "ok")
        held.callback(None)
        self.server.run_pending()
        self.assertEqual((self.called(), self.pa1.clients), ([], set()))

    def test_a_login_that_fails_ends_its_session(self) -> None:
        for error in (NotStored(), ZeroDivisionError()):
            with patch.object(self.chat.whispers, "deliver_pending", side_effect=error):
                client = self.send("logIn ann password 6001")
            self.assertTrue(client.closed)
            self.assertEqual((self.online(), self.pa1.by_key), ([], {}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_pending_messages_that_can_not_be_read_refuse_a_login(self) -> None:
        with patch.object(self.chat.whispers, "deliver_pending", side_effect=NotStored()):
            self.send("logIn ann password 6067")
        self.assertEqual(self.called(), [(6067, "BLOCK")])

    def test_more_pending_messages_than_calls_may_wait_do_not_end_the_session(self) -> None:
        self.patch(dialback_client, "PENDING_LIMIT", 2)
        self.patch(dialback, "QUEUE_LIMIT", 6)
        eve = self.server.member("eve")
        for number in range(12):
            eve.call("whisper", target_user="ann", msg=f"{number} " + "x" * 3_000)
        arrived = []
        for port in range(6001, 6010):
            self.send(f"logIn ann password {port}")
            self.assertIn("ann", self.online())
            for _, text in self.called():
                arrived += [word[5:] for word in text.split() if word.startswith("said:")]
            self.send("ann logout")
        self.assertEqual(sorted(map(int, arrived)), list(range(12)))

    def test_a_login_whose_check_fails_closes_its_connection(self) -> None:
        with patch.object(self.chat.logins, "login", side_effect=ZeroDivisionError()):
            client = self.send("logIn ann password 6001")
        self.assertEqual((client.closed, self.online()), (True, []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_connection_that_is_lost_during_the_login_is_called_all_the_same(self) -> None:
        client = self.connect()
        client.write(b"logIn ann password 6001")
        client.drop()
        self.assertEqual(self.called()[0], (6001, "Ok "))


class Reading(PA1TestCase):
    def test_a_command_ends_with_a_pause(self) -> None:
        client = self.connect()
        for piece in (b"logIn a", b"nn pass", b"word 6067"):
            client.send(piece)
            self.reactor.advance(COMMAND_PAUSE - 0.01)
        self.assertEqual(self.online(), [])
        self.reactor.advance(0.01)
        self.server.run_pending()
        self.assertEqual(self.called()[0], (6067, "Ok "))

    @given(st.lists(st.integers(1, 22), max_size=6))
    def test_a_command_may_be_split_anywhere(self, cuts: list[int]) -> None:
        self.setUp()
        data = b"logIn ann password 6067"
        edges = [0, *sorted(set(cuts)), len(data)]
        client = self.connect()
        for start, end in zip(edges, edges[1:], strict=False):
            client.send(data[start:end])
            self.reactor.advance(COMMAND_PAUSE / 2)
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        self.assertEqual(self.called()[0], (6067, "Ok "))

    @given(st.binary(max_size=200))
    def test_any_bytes_do_no_harm(self, data: bytes) -> None:
        client = self.connect()
        client.send(data)
        client.drop()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual((self.pa1.clients, self.reactor.tcpClients), (set(), []))

    def test_what_follows_a_command_is_ignored(self) -> None:
        self.log_in_all("ann")
        held: Deferred[None] = Deferred()

        async def hold(*args: object) -> None:
            await held

        with patch.object(self.chat.blocks, "set_block", hold):
            client = self.send("ann block bob")
            client.send(b"ann online")
            self.reactor.advance(COMMAND_PAUSE)
            held.callback(None)
            self.server.run_pending()
        self.assertTrue(client.closed)
        self.assertEqual(self.called(), [(6001, "bob is Blocked Successfully\n")])

    def test_a_command_is_cut(self) -> None:
        self.log_in_all("ann", "bob")
        self.send("ann broadcast " + "x" * 2 * MAX_COMMAND)
        texts = [text for port, text in self.called() if port == 6002]
        sent = sum(text.count("x") for text in texts)
        self.assertEqual(sent, MAX_COMMAND - len("ann broadcast "))

    def test_a_connection_that_sends_nothing_is_aborted(self) -> None:
        client = self.connect()
        self.reactor.advance(LOGIN_PATIENCE - 1)
        self.assertFalse(client.closed)
        self.reactor.advance(1)
        self.server.run_pending()
        self.assertTrue(client.transport.aborted and client.closed)

    def test_a_connection_that_is_abandoned_does_nothing(self) -> None:
        client = self.connect()
        client.drop()
        self.assertEqual(client.received(), [])

    def test_no_timer_is_left_behind(self) -> None:
        client = self.connect()
        client.write(b"x")
        client.drop()
        self.chat._prune_timer.cancel()
        self.chat.admin.quotas.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class Order(PA1TestCase):
    def test_commands_run_in_order_over_many_connections(self) -> None:
        self.log_in_all("ann", "bob")
        held: Deferred[None] = Deferred()

        async def hold(*args: object) -> None:
            await held

        with patch.object(self.chat.blocks, "set_block", hold):
            first = self.send("ann block bob")
            others = [self.send(f"ann message bob {number}") for number in range(5)]
            self.assertEqual(self.called(), [])
            self.assertFalse(any(one.closed for one in (first, *others)))
            held.callback(None)
            self.server.run_pending()
        self.assertEqual(
            [text for port, text in self.called() if port == 6002],
            [f"\nann:{number}\n" for number in range(5)],
        )
        self.assertTrue(all(one.closed for one in (first, *others)))

    def test_the_end_of_a_session_closes_the_connections_that_wait(self) -> None:
        self.log_in_all("ann", "bob")
        with patch.object(self.chat.blocks, "set_block", lambda *args: Deferred()):
            self.send("ann block bob")
            waiting = [self.send("ann online") for _ in range(5)]
            self.send("logIn ann password 6009")
        self.assertTrue(all(one.closed for one in waiting))
        self.assertNotIn((6001, "\nann\nbob\n"), self.called())


class Rate(PA1TestCase):
    limits = Limits(ping_interval=0)

    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")
        self.reactor.advance(10)

    def broadcast(self, times: int) -> int:
        """Broadcast on as many connections within 0.1 s; return how many were delivered."""
        clients = [self.connect() for _ in range(times)]
        for number, client in enumerate(clients):
            client.write(f"ann broadcast flood {number}".encode())
            self.reactor.advance((0.1 - COMMAND_PAUSE) / times)
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        self.assertTrue(all(client.closed for client in clients))
        answered = self.answer_calls()
        return len([data for port, data in answered if port == 6002 and b"flood" in data])

    def test_many_connections_have_the_rate_of_one_account(self) -> None:
        self.limits = Limits(ping_interval=0, connections_per_address=0)
        self.setUp()
        self.assertIn(self.broadcast(400), (20, 21))  # the burst, and what 0.1 s refills

    def test_a_new_login_does_not_refill_the_rate(self) -> None:
        self.broadcast(100)
        self.send("logIn ann password 6001")
        self.answer_calls(PENDING_PAUSE)
        self.assertLess(self.broadcast(100), 10)  # what the seconds of the login refill

    def test_a_client_that_is_too_fast_is_told_so_once(self) -> None:
        for _ in range(20):
            client = self.connect()
            client.write(b"ann message ghost hi")
        clients = [self.connect() for _ in range(50)]
        for client in clients:
            client.write(b"ann online")
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        self.assertTrue(all(client.closed for client in clients))
        texts = [data.decode() for _, data in self.answer_calls()]
        self.assertEqual(texts.count(f"\n{RateLimited().text}\n"), 1)

    def test_a_client_over_its_rate_is_alive(self) -> None:
        for _ in range(60):
            for _ in range(20):
                self.send("ann heartbeat 2026-11-2022:56:21")
            self.reactor.advance(1)
            self.send("bob heartbeat 2026-11-2022:56:21")
            self.answer_calls()
        self.assertEqual(self.online(), ["ann", "bob"])
