"""PA1 without sockets: each command, address requests, what clients are called with."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
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
from gtchat.protocols.base.dialback import READ_AT_ONCE
from gtchat.protocols.base.dialback_questions import ANSWER_TIMEOUT, QUESTION_LIMIT
from gtchat.protocols.base.dialback_server import HEARTBEAT_CHECK
from gtchat.protocols.pa1 import (
    MAX_READ,
    PENDING_PAUSE,
    REJECTED,
    render,
)
from tests.protocols.cases import PA1TestCase
from tests.protocols.fakes import ADDRESS


class Commands(PA1TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def test_the_list_of_users(self) -> None:
        client = self.send("ann online")
        self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.called(), [(6001, "\nann\nbob\n")])

    def test_a_long_list_of_users_has_what_a_client_reads_at_once(self) -> None:  # G31
        for number in range(1000):
            self.chat.users.online.add(f"user{number:04}")
        self.send("ann online")
        [(_, text)] = self.called()
        self.assertLessEqual(len(text), MAX_READ)
        self.assertGreater(len(text), MAX_READ - 50)
        self.assertRegex(text, r"^\nann\nbob\nuser0000\n(.*\n)*and \d+ more\n$")

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
        self.assertEqual(self.called(), [(6001, REJECTED)])
        self.assertEqual(self.called_within(ANSWER_TIMEOUT), [])

    def test_a_question_holds_up_nothing_else(self) -> None:
        question = self.ask()
        eve = self.log_in_web("eve")
        self.called()
        eve.call("whisper", target_user="bob", msg="are you there?")
        self.assertEqual(self.called(), [(6002, "\neve:are you there?\n")])
        question.protocol.dataReceived(b"Y")
        self.server.run_pending()
        self.assertEqual(self.called(), [(6001, f"usrIp bob {ADDRESS} 6002")])

    def test_a_user_asks_one_question_at_a_time(self) -> None:  # F09
        eve = self.log_in_web("eve")
        self.called()
        for _ in range(5):
            self.assertEqual(eve.call("get_address", user="bob")["status"], "ok")
        question = self.accept()
        self.assertEqual(self.reactor.tcpClients, [])
        question.protocol.dataReceived(b"N")
        self.server.run_pending()
        self.assertEqual([push["type"] for push in eve.pushes()], ["address_denied"])
        self.assertEqual(self.reactor.tcpClients, [])
        eve.call("get_address", user="bob")
        [(port, text)] = self.called()
        self.assertEqual((port, text[:12]), (6002, "Privacy eve "))

    def test_questions_for_a_user_are_bounded(self) -> None:  # F09
        self.limits = Limits(commands_per_second=0, ping_interval=0, heartbeat_timeout=0)
        self.setUp()
        guests = [self.server.guest(f"g{number}") for number in range(QUESTION_LIMIT + 2)]
        self.called()
        for guest in guests:
            guest.call("get_address", user="bob")
        denied = [bool(guest.pushes("address_denied")) for guest in guests]
        self.assertEqual(denied, [False] * QUESTION_LIMIT + [True] * 2)
        asked = []
        while self.reactor.tcpClients:
            question = self.accept()
            asked.append(question.value().decode().split()[1])
            question.protocol.dataReceived(b"N")
            self.server.run_pending()
        self.assertEqual(asked, [f"g{number}" for number in range(QUESTION_LIMIT)])
        self.assertTrue(all(guest.pushes("address_denied") for guest in guests[:QUESTION_LIMIT]))
        guests[-1].call("get_address", user="bob")
        self.assertEqual(len(self.called()), 1)

    def test_a_client_that_can_not_be_asked_is_logged_out(self) -> None:
        self.send("ann getaddress bob")
        self.refuse()
        self.assertEqual(self.online(), ["ann"])

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
        self.assertTrue(all(len(text) - len("Ok") <= READ_AT_ONCE for text in texts))
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
