"""PA1 without sockets: login, each command, what clients are called with, rate, the end."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.chat.events import (
    AddressDenied,
    AddressGranted,
    AddressRequested,
    BroadcastSent,
    LoggedIn,
    LoggedOut,
    MessageSent,
    PresenceChanged,
    UserTyping,
    WhisperSent,
)
from gtchat.chat.limits import Limits
from gtchat.protocols.base.dialback import ANSWER_TIMEOUT
from gtchat.protocols.base.dialback_client import HEARTBEAT_CHECK
from gtchat.protocols.pa1 import (
    COMMAND_PAUSE,
    COMMAND_TIMEOUT,
    MAX_COMMAND,
    MAX_READ,
    PA1,
    PENDING_PAUSE,
    REJECTED,
    PA1Factory,
    render,
)
from tests.protocols.fakes import ADDRESS, FakeConnection, TCPTestCase


class PA1TestCase(TCPTestCase):
    own_ports = (9000,)

    def setUp(self) -> None:
        super().setUp()
        self.pa1 = PA1(self.chat, self.reactor, lambda: self.own_ports)
        self.factory = PA1Factory(self.pa1)
        self.register("ann", "bob", "eve")

    def connect(self, address: str = ADDRESS) -> FakeConnection:
        return FakeConnection(self.server, self.factory, address)

    def send(self, line: str, address: str = ADDRESS) -> FakeConnection:
        """Send a command as the original does, and let it be done; return the connection."""
        client = self.connect(address)
        client.send(line.encode())
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        return client

    def called(self) -> list[tuple[int, str]]:
        """Let clients take their calls; return ports and texts."""
        return [(port, data.decode()) for port, data in self.answer_calls(PENDING_PAUSE)]

    def log_in_all(self, *names: str) -> None:
        """Log users in, each with a port of its own; what they are told of it is taken."""
        for index, name in enumerate(names):
            self.send(f"logIn {name} password {6001 + index}")
        self.called()
        self.assertEqual(self.online(), sorted(names))

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))


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
        self.send("logIn bob password 6068")
        texts = self.called()
        self.assertEqual(texts[:4], [(6067, "wrong password")] * 3 + [(6067, "BLOCK")])
        self.assertEqual(texts[4], (6068, "Ok "))
        self.reactor.advance(61)
        self.log_in_all("ann")

    def test_a_login_that_can_not_be_stored_is_refused(self) -> None:
        with patch.object(self.chat.sessions, "login", side_effect=NotStored()):
            self.send("logIn ann password 6067")
        self.assertEqual(self.called(), [(6067, "BLOCK")])

    def test_a_client_that_is_refused_need_not_listen(self) -> None:
        self.send("logIn ann wrong 6067")
        self.refuse()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.pa1.limiter._by_address), 0)

    def test_calls_that_refuse_a_login_are_bounded(self) -> None:
        self.limits = Limits(commands_per_second=0, connections_per_address=3)
        self.setUp()
        for _ in range(10):
            self.send("logIn ghost password 6067")
        self.assertEqual(len(self.reactor.tcpClients), 2)  # the third is the login's connection
        self.called()
        self.send("logIn ghost password 6067")
        self.assertEqual(self.called(), [(6067, "usr not exist")])

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

    def test_a_session_replaced_while_its_messages_are_read_is_not_called(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(session: object) -> None:
            await held

        with patch.object(self.chat.whispers, "deliver_pending", hold):
            self.send("logIn ann password 6001")
        self.log_in_web("ann")
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

    def test_a_login_whose_check_fails_closes_its_connection(self) -> None:
        with patch.object(self.chat.sessions, "login", side_effect=ZeroDivisionError()):
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
        self.reactor.advance(COMMAND_TIMEOUT)
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
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class Commands(PA1TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def test_the_list_of_users(self) -> None:
        client = self.send("ann online")
        self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.called(), [(6001, "\nann\nbob\n")])

    def test_a_direct_message(self) -> None:
        self.send("ann message bob hello  there ")
        self.assertEqual(self.called(), [(6002, "\nann:hello  there\n")])

    def test_a_direct_message_to_a_user_who_is_offline(self) -> None:
        self.send("ann message eve offline one")
        self.send("ann message eve offline\ntwo")
        self.assertEqual(self.called(), [])
        self.send("logIn eve password 6003")
        self.assertEqual(
            [text for port, text in self.called() if port == 6003],
            [
                "Ok \nann said:offline one\n\nann said:offline\n    two\n",
                ">>>eve<<<logs in\n",
            ],
        )
        self.send("logIn eve password 6003")
        self.assertIn((6003, "Ok "), self.called())

    def test_a_direct_message_that_is_refused(self) -> None:
        self.send("bob block ann")
        self.called()
        for target, text in (
            ("ghost", "\nusr doesn't exist\n"),
            ("bob", "\nyou are blocked by this user, sending failed\n"),
        ):
            self.send(f"ann message {target} hi")
            self.assertEqual(self.called(), [(6001, text)])
        self.send("ann message bob")
        self.send("ann message")
        self.assertEqual(self.called(), [])
        self.send("ann message ann hi")
        [(port, text)] = self.called()
        self.assertEqual((port, text[0], text[-1]), (6001, "\n", "\n"))

    def test_a_broadcast_goes_to_all_but_the_sender(self) -> None:
        eve = self.log_in_web("eve")
        self.called()
        self.send("ann broadcast 321 all words")
        self.assertEqual(self.called(), [(6002, "ann said: 321 all words\n")])
        [push] = eve.pushes("c_speak")
        self.assertEqual((push["usr"], push["msg"]), ("ann", "321 all words"))

    def test_a_broadcast_does_not_reach_users_who_block_the_sender(self) -> None:
        self.send("bob block ann")
        self.called()
        self.send("ann broadcast hi")
        self.assertEqual(self.called(), [])

    def test_a_broadcast_that_is_not_stored(self) -> None:
        self.server.store.failing = 1
        self.send("ann broadcast lost")
        [(port, text)] = self.called()
        self.assertEqual((port, text[0], text[-1]), (6001, "\n", "\n"))

    def test_blocks(self) -> None:
        for line, text in (
            ("ann block bob", "bob is Blocked Successfully\n"),
            ("ann unblock BOB", "BOB is Unblocked Successfully\n"),
            ("ann unblock bob", "\nunblock_usr doesn't exist in your blacklist\n"),
            ("ann block ghost", "\nblock_usr doesn't exist\n"),
        ):
            self.send(line)
            self.assertEqual(self.called(), [(6001, text)])

    def test_a_command_that_the_store_refuses(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=NotStored()):
            client = self.send("ann block bob")
        self.assertTrue(client.closed)
        self.assertEqual(self.called(), [(6001, f"\n{NotStored().text}\n")])

    def test_a_command_that_fails_closes_its_connection(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=ZeroDivisionError()):
            client = self.send("ann block bob")
        self.assertTrue(client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.send("ann online")
        self.assertEqual(len(self.called()), 1)

    def test_logging_out(self) -> None:
        client = self.send("ann logout")
        self.assertTrue(client.closed)
        self.assertEqual(self.called(), [(6002, ">>>ann<<<logs out\n")])
        self.assertEqual(self.online(), ["bob"])

    def test_lines_that_are_no_commands_are_not_answered(self) -> None:
        for line in ("ann ", "ann", "ann xxx", "ann heartbeat 2026-11-2022:56:21", " ann online",
                     "ann loginfail 2026-11-2022:56:21", "", "\n", "ann  online"):  # fmt: skip
            client = self.send(line)
            self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.called(), [])

    def test_commands_of_others_do_nothing(self) -> None:
        for line, address in (
            ("ann logout", "198.51.100.1"),
            ("eve online", ADDRESS),
            ("ghost online", ADDRESS),
            ("usrIp online", ADDRESS),
        ):
            self.assertTrue(self.send(line, address).closed)
        self.assertEqual((self.called(), self.online()), ([], ["ann", "bob"]))

    def test_names_are_compared_without_case(self) -> None:
        self.send("ANN message BOB hi")
        self.assertEqual(self.called(), [(6002, "\nann:hi\n")])

    def test_every_event_has_the_text_of_the_original(self) -> None:
        for event, text in (
            (MessageSent(room_name="lobby", usr="ann", msg="hi", id="1", at=0), "ann said: hi\n"),
            (MessageSent(room_name="den", usr="ann", msg="hi", id="1", at=0), None),
            (WhisperSent(usr="ann", msg="hi", id="1", at=0), "\nann:hi\n"),
            (BroadcastSent(usr="ann", msg="hi", at=0), "ann said: hi\n"),
            (LoggedIn(usr="ann", at=0), ">>>ann<<<logs in\n"),
            (LoggedOut(usr="ann", at=0), ">>>ann<<<logs out\n"),
            (AddressGranted(usr="ann", host="192.0.2.1", port=6, at=0), "usrIp ann 192.0.2.1 6"),
            (AddressDenied(usr="ann", at=0), "\nYour request is rejected\n"),
            (
                AddressRequested(usr="ann", at=0),
                "Privacy ann wants to get your IP for P2P chat. "
                "Type Y/y if agree, type N/n otherwise\n",
            ),
            (PresenceChanged(logins=("ann",), logouts=(), at=0), ""),
            (UserTyping(usr="ann", room_name="lobby", at=0), None),
        ):  # fmt: skip
            self.assertEqual(render(event), text)


class Addresses(PA1TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def ask(self) -> object:
        """Let ann ask bob for the address; return the connection of the question."""
        self.send("ann getaddress bob")
        question = self.accept()
        self.assertEqual(
            question.writes,
            [
                b"Privacy ann wants to get your IP for P2P chat. "
                b"Type Y/y if agree, type N/n otherwise\n"
            ],
        )
        return question

    def called_within(self, seconds: float) -> list[tuple[int, str]]:
        """Let time pass while clients send heartbeats; return what they are called with."""
        called = []
        for _ in range(int(seconds)):
            self.send("ann heartbeat x")
            self.send("bob heartbeat x")
            self.reactor.advance(1)
            self.server.run_pending()
            called += self.called()
        return called

    def answer(self, data: bytes) -> list[tuple[int, str]]:
        question = self.ask()
        question.protocol.dataReceived(data)
        self.server.run_pending()
        self.assertFalse(question.connected)
        return self.called()

    def test_a_user_who_agrees(self) -> None:
        self.assertEqual(self.answer(b"Y"), [(6001, f"usrIp bob {ADDRESS} 6002")])
        self.assertEqual(self.called_within(ANSWER_TIMEOUT), [])

    def test_a_user_who_does_not_agree(self) -> None:
        self.assertEqual(self.answer(b"N"), [(6001, REJECTED)])

    def test_a_user_who_does_not_answer(self) -> None:
        question = self.ask()
        self.assertEqual(self.called_within(ANSWER_TIMEOUT), [(6001, REJECTED)])
        self.assertFalse(question.connected)

    def test_a_user_who_closes_without_an_answer(self) -> None:
        question = self.ask()
        question.lose()
        self.server.run_pending()
        self.assertEqual(self.online(), ["ann", "bob"])
        self.assertEqual(self.called_within(ANSWER_TIMEOUT), [(6001, REJECTED)])

    def test_a_user_who_agrees_after_the_session_has_ended(self) -> None:
        question = self.ask()
        self.send("bob logout")
        question.protocol.dataReceived(b"Y")
        self.server.run_pending()
        self.assertEqual(self.called(), [(6001, ">>>bob<<<logs out\n")])

    def test_an_address_that_can_not_be_asked_for(self) -> None:
        self.send("bob block ann")
        self.called()
        for name in ("eve", "ghost", "ann"):
            self.send(f"ann getaddress {name}")
            self.assertEqual(
                self.called(), [(6001, f"{name} is not online, please send offline msg")]
            )
        self.send("ann getaddress bob")
        self.assertEqual(
            self.called(),
            [(6001, "\nsorry, you are blocked by bob. Failed to get the peer address \n")],
        )

    def test_asking_again_starts_the_time_again(self) -> None:
        self.log_in_web("eve")
        self.called()
        for _ in range(2):
            self.send("ann getaddress eve")
            self.assertEqual(self.called_within(40), [])
        self.assertEqual(self.called_within(20), [(6001, REJECTED)])

    def test_a_client_that_is_gone_has_no_requests(self) -> None:
        self.log_in_web("eve")
        self.send("ann getaddress eve")
        self.send("ann logout")
        self.assertEqual(self.pa1._requests, {})
        self.reactor.advance(ANSWER_TIMEOUT)

    def test_a_client_that_goes_while_it_asks_has_no_requests(self) -> None:
        self.log_in_web("eve")
        client = next(one for one in self.pa1.clients if one.name == "ann")

        async def request(*args: object) -> None:
            client.disconnect()

        with patch.object(self.chat.peer_address, "request", request):
            self.send("ann getaddress eve")
        self.assertEqual(self.pa1._requests, {})


class Calls(PA1TestCase):
    def test_pending_messages_that_were_not_sent_wait_for_the_next_login(self) -> None:
        self.log_in_web("bob").call("whisper", target_user="ann", msg="psst")
        self.send("logIn ann password 6001")
        call = self.accept()
        self.assertEqual(call.writes, [b"Ok"])
        call.lose()  # the client closes before the text comes
        self.server.run_pending()
        self.reactor.advance(PENDING_PAUSE)
        self.assertEqual(self.online(), ["bob"])
        self.reactor.tcpClients.clear()
        self.send("logIn ann password 6001")
        self.assertEqual(self.called()[0], (6001, "Ok \nbob said:psst\n"))

    def test_a_client_reads_all_pending_messages(self) -> None:
        bob = self.log_in_web("bob")
        for number in range(12):
            bob.call("whisper", target_user="ann", msg=f"{number:04}" + "x" * 1000)
        self.send("logIn ann password 6001")
        calls = [(text, port) for port, text in self.called()]
        texts = [text for text, _ in calls if "said:" in text]
        self.assertEqual(calls[0][0][:4], "Ok \n")
        self.assertTrue(all(len(text) - len("Ok") <= MAX_READ for text in texts))
        joined = "".join(texts)
        self.assertEqual(
            [joined.index(f"said:{number:04}") for number in range(12)],
            sorted(joined.index(f"said:{number:04}") for number in range(12)),
        )
        self.send("logIn ann password 6001")
        self.assertIn((6001, "Ok "), self.called())

    def test_many_logins_are_calls_of_their_own(self) -> None:
        self.log_in_all("ann")
        self.reactor.advance(2)
        for number in range(25):
            self.server.guest(f"g{number}")
        self.reactor.advance(1)
        self.server.run_pending()
        self.assertEqual(
            sorted(text for _, text in self.called()),
            sorted(f">>>g{number}<<<logs in\n" for number in range(25)),
        )

    def test_a_kicked_client_is_not_called(self) -> None:
        self.log_in_all("ann")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.assertEqual((self.called(), self.pa1.clients), ([], set()))

    def test_a_silent_client_is_logged_out(self) -> None:
        self.log_in_all("ann", "bob")
        for _ in range(10):
            self.reactor.advance(HEARTBEAT_CHECK)
            self.send("bob heartbeat 2026-11-2022:56:21")
        self.assertEqual(self.called(), [(6002, ">>>ann<<<logs out\n")])

    def test_the_server_stops(self) -> None:
        self.log_in_all("ann", "bob")
        self.factory.stop()
        self.server.run_pending()
        self.assertEqual((self.pa1.clients, self.pa1._check), (set(), None))


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
