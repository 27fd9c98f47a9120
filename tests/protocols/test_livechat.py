"""Live chat without sockets: login, messages, presence."""

from __future__ import annotations

import time
from contextlib import ExitStack
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail

from gtchat.chat.errors import NotStored
from gtchat.chat.events import (
    BroadcastSent,
    LoggedIn,
    LoggedOut,
    MessageSent,
    PresenceChanged,
    UserTyping,
    WhisperSent,
)
from gtchat.chat.guests import GUEST_GRACE_S
from gtchat.protocols.base.command_queue import QUEUE_LIMIT
from gtchat.protocols.base.write_queue import READ_SIZE
from gtchat.protocols.livechat import (
    LIST_BYTES,
    OK_PAUSE,
    PRESENCE_LIMIT,
    presence_changes,
    render,
)
from tests.protocols.cases import LiveChatTestCase


class Login(LiveChatTestCase):
    def test_ok_is_a_write_of_its_own_and_the_list_follows(self) -> None:
        self.log_in("alice")
        bob = self.connect()
        bob.send(b"bob\n")
        self.assertEqual(bob.received(), [b"OK"])
        self.reactor.advance(OK_PAUSE - 0.01)
        self.assertEqual(bob.received(), [])
        self.reactor.advance(0.01)
        self.assertEqual(bob.received(), [b"&Host&alice&bob"])

    def test_a_long_list_is_cut_and_users_beyond_it_are_unknown(self) -> None:  # G31
        for number in range(8000):
            self.chat.users.online.add(f"user{number:04}")
        bob = self.connect()
        bob.send(b"bob\n")
        self.reactor.advance(OK_PAUSE)
        _, listed = bob.received()
        self.assertLessEqual(len(listed), LIST_BYTES + 20)
        self.assertTrue(listed.startswith(b"&Host&user0000&") and listed.endswith(b"&bob"))
        for name in ("user0001", "user7999"):
            bob.protocol.on_event(LoggedOut(usr=name, at=0), "")
        self.reactor.advance(1)
        self.assertEqual(self.texts(bob), ["[*] user0001 exited."])

    def test_others_learn_of_a_login(self) -> None:
        alice = self.log_in("alice")
        bob = self.log_in("bob")
        self.assertEqual(self.texts(alice), ["[*] bob entered."])
        self.assertEqual(self.texts(bob), [])

    def test_a_name_that_can_not_be_used_is_not_unique(self) -> None:
        self.register("ann")
        self.log_in("alice")
        for name in (b"alice", b"ALICE", b"ann", b"Host", b"server", b"   ", b"\n", b"a b", b"a&b",
                     b"a" * 33, b"\xff\xfe", b"[*]", b"usrIp"):  # fmt: skip
            client = self.connect()
            client.send(name)
            self.assertEqual((name, client.received()), (name, [b"NOT_UNIQUE"]))
            self.assertTrue(client.closed)
        self.assertEqual(self.chat.users.online.page(None, 9), ["alice"])

    def test_a_name_is_free_again_after_its_user_has_left(self) -> None:
        self.log_in("alice").drop()
        self.log_in("alice")

    def test_a_login_that_can_not_be_stored_is_refused(self) -> None:
        with patch.object(self.chat.logins, "login_guest", side_effect=NotStored()):
            client = self.connect()
            client.send(b"alice")
        self.assertEqual(client.received(), [b"NOT_UNIQUE"])
        self.assertTrue(client.closed)
        self.assertEqual(self.chat.measures.refusals, {"not_stored": 1})

    def test_a_name_is_refused_while_there_are_no_guests(self) -> None:
        self.chat.access.choose("guests", "off")
        client = self.connect()
        client.send(b"alice")
        self.assertEqual(client.received(), [b"NOT_UNIQUE"])
        self.chat.access.choose("guests", None)
        self.log_in("alice")

    def test_texts_that_come_before_the_login_is_done_wait_for_it(self) -> None:
        alice = self.log_in("alice")
        bob = self.connect()
        for text in (b"bob", b"one", b"two"):
            bob.write(text)
        self.server.run_pending()
        self.assertEqual(self.texts(alice), ["[*] bob entered.", "bob > one", "bob > two"])

    def test_reading_stops_while_many_texts_wait_for_a_login(self) -> None:
        alice, bob = self.log_in("alice"), self.connect()
        held: Deferred[None] = Deferred()
        login = self.chat.logins.login_guest

        async def hold(*args: object) -> object:
            await held
            return await login(*args)  # type: ignore[arg-type]

        with patch.object(self.chat.logins, "login_guest", hold):
            bob.write(b"bob")
            for number in range(QUEUE_LIMIT):
                self.assertEqual(bob.transport.producerState, "producing")
                bob.write(str(number).encode())
            self.assertEqual(bob.transport.producerState, "paused")
            held.callback(None)
            self.server.run_pending()
        self.assertEqual(bob.transport.producerState, "producing")
        self.wait(5)
        self.assertEqual(len(self.texts(alice)), QUEUE_LIMIT + 1)

    def test_texts_behind_a_refused_name_are_dropped(self) -> None:
        alice, other = self.log_in("alice"), self.connect()
        for text in (b"alice", b"one", b"two"):
            other.write(text)
        self.server.run_pending()
        self.assertEqual((other.received(), other.closed), ([b"NOT_UNIQUE"], True))
        self.assertEqual(self.texts(alice), [])

    def test_a_connection_lost_during_the_login_leaves_no_user(self) -> None:
        alice, bob = self.log_in("alice"), self.connect()
        bob.write(b"bob")
        bob.transport.lose()
        self.server.run_pending()
        self.assertEqual(self.chat.users.online.page(None, 9), ["alice"])
        self.assertEqual(self.texts(alice), ["[*] bob entered.", "[*] bob exited."])
        self.assertEqual(bob.received(), [])
        self.log_in("bob")

    def test_a_user_whose_logout_can_not_be_stored_is_offline(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        self.texts(alice)
        with ExitStack() as failing:
            for name in ("end_session", "session_lost", "end_guest"):
                change = patch.object(self.server.store, name, lambda *args: fail(NotStored()))
                failing.enter_context(change)
            bob.drop()
            self.assertEqual(self.texts(alice), ["[*] bob exited."])
            self.assertEqual(self.chat.users.online.page(None, 9), ["alice"])
        self.reactor.advance(GUEST_GRACE_S)
        self.server.run_pending()
        self.log_in("bob")
        self.flushLoggedErrors(NotStored)

    def test_a_client_that_does_not_log_in_is_aborted(self) -> None:
        client = self.connect()
        self.reactor.advance(self.chat.limits.login_timeout)
        self.server.run_pending()
        self.assertTrue(client.transport.aborted)
        self.assertEqual((client.closed, self.factory.clients), (True, set()))

    def test_a_user_who_is_logged_in_may_be_silent(self) -> None:
        client = self.log_in("alice")
        self.reactor.advance(10 * self.chat.limits.login_timeout)
        self.assertFalse(client.closed)


class Messages(LiveChatTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.log_in("alice"), self.log_in("bob")
        self.texts(self.alice)

    def test_what_is_read_at_once_is_one_message(self) -> None:
        self.alice.send(b"hello \r\nBob\r\n")
        self.assertEqual(self.texts(self.bob), ["alice > hello \n    Bob"])
        self.assertEqual(self.texts(self.alice), [])

    def test_an_empty_line_is_not_sent(self) -> None:
        for blank in (b"\n", b"  ", b"\x00\x1b\x07"):
            self.alice.send(blank)
        self.assertEqual(self.texts(self.bob), [])

    def test_a_long_read_is_several_messages(self) -> None:
        self.alice.send(b"a" * 4000 + b"b" * 2000)
        self.assertEqual(
            self.texts(self.bob),
            ["alice > " + "a" * 4000, "alice > " + "b" * (READ_SIZE - 4000)]
            + ["alice > " + "b" * (6000 - READ_SIZE)],
        )

    def test_users_can_not_forge_events(self) -> None:
        self.alice.send(b"[*] bob exited.\n[00:00:00] [*] eve entered.")
        [text] = self.texts(self.bob)
        self.assertEqual(text, "alice > [ * ] bob exited.\n    [00:00:00] [ * ] eve entered.")

    def test_junk_is_replaced_and_characters_may_be_split(self) -> None:
        self.alice.send(b"caf\xc3")
        self.alice.send(b"\xa9 \xff!")
        self.assertEqual(self.texts(self.bob), ["alice > caf", "alice > \u00e9 \ufffd!"])

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
    def test_any_bytes_in_any_pieces_are_text(self, data: bytes, cuts: list[int]) -> None:
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in zip(edges, edges[1:], strict=False):
            self.alice.send(data[start:end])
        for text in self.texts(self.bob):
            self.assertTrue(text.startswith("alice > "))
            self.assertNotIn("[*]", text)
        self.assertFalse(self.alice.closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_messages_and_events_of_other_protocols(self) -> None:
        web = self.server.guest("ann")
        web.call("speak", room_name="lobby", msg="hi")
        web.call("create_room", room_name="den")
        web.call("speak", room_name="den", msg="not for all")
        web.call("whisper", target_user="bob", msg="psst")
        web.call("logout")
        self.assertEqual(
            self.texts(self.bob),
            ["[*] ann entered.", "ann > hi", "ann (to you alone) > psst", "[*] ann exited."],
        )

    def test_a_message_that_is_not_stored_is_refused(self) -> None:
        self.server.store.failing = 1
        self.alice.send(b"lost")
        [text] = self.texts(self.alice)
        self.assertRegex(text, "^server > Not sent: .")
        self.assertEqual(self.texts(self.bob), [])

    def test_a_message_that_the_chat_refuses_is_answered(self) -> None:
        self.alice.send("\u200b".encode())
        [text] = self.texts(self.alice)
        self.assertRegex(text, "^server > Not sent: .")
        self.assertEqual(self.texts(self.bob), [])

    def test_an_answer_to_a_client_that_is_gone_is_dropped(self) -> None:
        self.server.store.failing = 1
        self.alice.write(b"lost")
        self.alice.transport.lose()
        self.server.run_pending()
        self.assertEqual(self.alice.received(), [])

    def test_every_event_has_the_text_of_the_original(self) -> None:
        at = 1_800_000_000_000
        stamp = time.strftime("[%H:%M:%S]", time.localtime(at / 1000))
        message = MessageSent(room_name="lobby", usr="ann", msg="hi", id="1", at=at)
        host = MessageSent(room_name="lobby", usr="Host", msg="hi", id="1", at=at)
        elsewhere = MessageSent(room_name="den", usr="ann", msg="hi", id="1", at=at)
        for event, text in (
            (message, f"{stamp} ann > hi"),
            (host, f"{stamp} server > hi"),
            (elsewhere, None),
            (WhisperSent(usr="ann", msg="hi", id="1", at=at), f"{stamp} ann (to you alone) > hi"),
            (BroadcastSent(usr="ann", msg="hi", at=at), f"{stamp} ann (to all) > hi"),
            (LoggedIn(usr="ann", at=at), f"{stamp} [*] ann entered."),
            (LoggedOut(usr="ann", at=at), f"{stamp} [*] ann exited."),
            (PresenceChanged(logins=("ann",), logouts=(), at=at), ""),
            (UserTyping(usr="ann", room_name="lobby", at=at), None),
        ):
            self.assertEqual(render(event), text)
        both = PresenceChanged(logins=("ann",), logouts=("bob",), at=at)
        self.assertEqual(list(presence_changes(both)), [("bob", False), ("ann", True)])
        self.assertEqual(list(presence_changes(message)), [])


class Presence(LiveChatTestCase):
    def test_many_logins_at_once_are_events_of_their_own(self) -> None:
        alice = self.log_in("alice")
        self.reactor.advance(2)
        guests = [self.server.guest(f"g{number}") for number in range(30)]
        self.assertEqual(sorted(self.texts(alice)), sorted(f"[*] g{n} entered." for n in range(30)))
        for guest in guests:
            guest.call("logout")
        self.assertEqual(sorted(self.texts(alice)), sorted(f"[*] g{n} exited." for n in range(30)))

    def test_a_logout_is_sent_only_of_a_user_whose_login_was(self) -> None:
        alice = self.log_in("alice")
        protocol = alice.protocol
        protocol.on_event(LoggedOut(usr="eve", at=0), "")
        protocol.on_event(LoggedIn(usr="Host", at=0), "")
        protocol.on_event(LoggedIn(usr="ann", at=0), "")
        protocol.on_event(LoggedIn(usr="ann", at=0), "")
        self.assertEqual(self.texts(alice), ["[*] ann entered."])

    def test_a_user_is_not_told_of_their_own_login_with_that_of_others(self) -> None:
        alice = self.log_in("alice")
        guests = [self.server.guest(f"g{number}") for number in range(25)]
        carol = self.connect()
        carol.send(b"carol")
        self.wait(OK_PAUSE)
        [_, listed] = carol.received()
        self.assertTrue(listed.endswith(b"&carol"))
        self.assertEqual(self.texts(carol), [])
        self.assertIn("[*] carol entered.", self.texts(alice))
        for guest in guests:
            guest.call("logout")

    def test_presence_does_not_fill_the_queue_of_a_client(self) -> None:
        alice = self.log_in("alice")
        alice.protocol.pauseProducing()
        for number in range(4 * PRESENCE_LIMIT):
            alice.protocol.on_event(LoggedIn(usr=f"g{number}", at=0), "")
        self.assertEqual(alice.protocol._writes.events, PRESENCE_LIMIT)
        self.assertFalse(alice.transport.aborted)
        alice.protocol.on_event(LoggedOut(usr=f"g{2 * PRESENCE_LIMIT}", at=0), "")
        self.assertEqual(alice.protocol._writes.events, PRESENCE_LIMIT)
