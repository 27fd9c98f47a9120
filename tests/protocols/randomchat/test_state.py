"""RandomChat without sockets: state, order, rate, and choosing the protocol."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.chat.limits import Limits
from gtchat.chat.sender_marks import STORE_INTERVAL_S
from gtchat.protocols.base.command_queue import FLOOD_FACTOR, QUEUE_LIMIT
from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatAPI, missed, state
from gtchat.protocols.randomchat.missed import PAUSE_S
from tests.chat.test_edge_cases import DelayedMethod
from tests.protocols.randomchat.fakes import RandomClient, RandomTestCase, RandomTransport


class Arrival(RandomTestCase):
    """Direct messages that were proved to have arrived are not sent again."""

    limits = Limits(commands_per_second=0, ping_interval=20, registrations_per_minute=0)

    def test_a_pong_or_a_closing_handshake_proves_it(self) -> None:
        web = self.server.guest("web")
        for proof, expected in (("none", 1), ("pong", 0), ("closing", 0)):
            bob = self.client()
            bob.request("register", user={"name": "Bob", "phone": "222"})
            web.call("whisper", target_user="Bob", msg=proof)
            self.assertEqual([one["message"] for one in bob.received()], [proof])
            if proof == "pong":
                bob.api.ping_sent()
                bob.api.pong_received()
            bob.api.connection_lost(clean=False, arrived=proof == "closing")
            self.server.run_pending()
            bob = self.client()
            came = bob.request("register", user={"name": "Bob", "phone": "222"})
            self.assertEqual(len(came) - 1, expected, proof)
            bob.api.connection_lost(clean=True, arrived=True)
            bob.api.ping_sent()
            bob.api.pong_received()
            self.server.run_pending()


class State(RandomTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ana, self.bob = self.client("Ana", "111"), self.client("Bob", "222")
        self.room(self.ana, "den", (self.bob, "222"))

    def send(self, *texts: str, chat: str = "den") -> None:
        for text in texts:
            self.ana.write("send_message", chat=chat, message=text)
            self.server.run_pending()
        self.ana.received()

    def missed(self) -> list[list[str]]:
        """Let Bob register, and leave; return the messages of the chats."""
        bob = self.client()
        chats = bob.register("Bob", "222")
        bob.drop()
        return [[one["message"] for one in chat["messages"]] for chat in chats]

    def test_what_was_missed_is_sent_once(self) -> None:
        self.bob.drop()
        self.send("one", "two")
        self.assertEqual(self.missed(), [["one", "two"]])
        self.assertEqual(self.missed(), [[]])

    def test_what_comes_during_the_login_is_not_missed(self) -> None:
        self.bob.drop()
        self.server.run_pending()
        counting = DelayedMethod(self, self.server, "rooms_of")
        bob = RandomClient(self)
        bob.write("register", user={"name": "Bob", "phone": "222"})
        self.server.run_pending()
        self.send("late")
        counting.release()
        [state] = bob.received()
        texts = [one["message"] for chat in state["chats"] for one in chat["messages"]]
        self.assertEqual(texts, ["late"])

    def test_own_messages_are_not_missed(self) -> None:
        self.send("one")
        self.bob.write("send_message", chat="den", message="mine")
        self.server.run_pending()
        self.send("two")
        self.server.clock.advance(STORE_INTERVAL_S)
        self.bob.transport.outbox.buffered_bytes = 1  # nothing that was sent counts as read
        self.bob.drop()
        self.assertEqual(self.missed(), [["two"]])  # what came before the own message is read

    def test_what_has_not_left_before_an_own_message_is_missed(self) -> None:
        self.bob.transport.outbox.buffered_bytes = 1  # from now on the client does not read
        self.send("one")
        self.bob.write("send_message", chat="den", message="mine")
        self.server.run_pending()
        self.server.clock.advance(STORE_INTERVAL_S)
        self.send("two")
        self.bob.drop()
        self.assertEqual(self.missed(), [["one", "two"]])

    def test_an_own_message_counts_once_what_is_before_it_has_left(self) -> None:
        self.bob.transport.outbox.buffered_bytes = 1
        self.send("one")
        self.bob.write("send_message", chat="den", message="mine")
        self.server.run_pending()
        self.server.clock.advance(STORE_INTERVAL_S)
        self.bob.transport.outbox.buffered_bytes = 0
        self.server.clock.advance(STORE_INTERVAL_S)
        self.send("two")
        self.bob.transport.outbox.buffered_bytes = 1
        self.bob.drop()
        self.assertEqual(self.missed(), [["two"]])
        self.server.clock.advance(STORE_INTERVAL_S)
        self.assertEqual(self.chat._state.sender_marks.pending, {})

    def test_what_comes_before_an_own_message_when_the_session_has_ended_is_missed(self) -> None:
        self.ana.write("send_message", chat="den", message="theirs")
        self.bob.write("send_message", chat="den", message="mine")
        self.bob.drop()
        self.assertEqual(self.missed(), [["theirs"]])

    def test_what_was_read_is_not_missed(self) -> None:
        self.send("one")
        self.bob.drop()
        self.assertEqual(self.missed(), [[]])

    def test_own_messages_and_those_of_blocked_users_are_not_missed(self) -> None:
        carl = self.client("Carl", "333")
        self.ana.request("add_member", chat="den", phone="333")
        self.bob.request("send_message", chat="den", message="mine")
        assert self.bob.api.session is not None
        user = self.bob.api.session.user
        self.bob.transport.outbox.buffered_bytes = 1  # what was sent has not arrived
        self.bob.drop()
        self.send("one")
        carl.request("send_message", chat="den", message="blocked")
        self.send("two")
        assert carl.api.session is not None
        self.server.store.block(user.id, carl.api.session.user.id, True)
        self.assertEqual(self.missed(), [["one", "two"]])

    def test_messages_that_were_read_do_not_take_the_place_of_blocked_ones(self) -> None:
        carl = self.client("Carl", "333")
        self.ana.request("add_member", chat="den", phone="333")
        self.send("read")
        assert self.bob.api.session is not None and carl.api.session is not None
        self.server.store.block(self.bob.api.session.user.id, carl.api.session.user.id, True)
        self.bob.drop()
        for _ in range(100):
            carl.request("send_message", chat="den", message="blocked")
        self.send("new")
        self.assertEqual(self.missed(), [["new"]])

    def test_what_was_read_is_not_missed_by_a_connection_that_replaces_the_first(self) -> None:
        self.send("one")
        self.assertEqual(self.missed(), [[]])
        self.assertIsNotNone(self.bob.transport.closed)

    def test_more_than_a_page_of_messages(self) -> None:
        self.bob.drop()
        texts = [str(number) for number in range(450)]
        self.send(*texts)
        self.assertEqual(self.missed(), [texts])

    def test_other_entries_do_not_count(self) -> None:
        self.bob.drop()
        carl = self.client("Carl", "333")
        for number in range(3):
            self.send(str(number))
            self.ana.request("add_member", chat="den", phone="333")
            self.ana.request("remove_member", chat="den", phone="333")
            carl.received()
        self.assertEqual(self.missed(), [["0", "1", "2"]])

    def told(self, bob: RandomClient) -> list[tuple[str, str, str]]:
        """Return type, chat and text of what Bob was told after `state`, and of its messages."""
        told = []
        for thing in bob.received():
            for chat in thing.get("chats", ()):
                name = chat["chat"]["name"]
                told += [("state", name, one["message"]) for one in chat["messages"]] or [
                    ("state", name, "")
                ]
            if thing["type"] != "state":
                told.append((thing["type"], thing["chat"]["name"], thing.get("message", "")))
        return told

    def test_what_a_state_has_no_room_for_follows_it(self) -> None:  # G30
        for chat in ("attic", "cellar"):
            self.room(self.ana, chat, (self.bob, "222"))
        self.bob.drop()
        for chat in ("attic", "cellar"):
            self.send(*(f"{chat[0]}{number}" for number in range(3)), chat=chat)
        self.send("d")
        self.patch(missed, "REPLY_BYTES", 1_000)
        bob = self.client()
        bob.write("register", user={"name": "Bob", "phone": "222"})
        for _ in range(100):
            self.server.clock.advance(PAUSE_S)
            self.server.run_pending()
        told = self.told(bob)
        kinds = [kind for kind, _, _ in told]
        self.assertEqual(sorted(set(kinds)), ["message", "new_member", "state"])
        self.assertEqual(kinds, sorted(kinds, key=lambda kind: kind != "state"))
        for chat, texts in (("attic", "a0 a1 a2"), ("cellar", "c0 c1 c2"), ("den", "d")):
            heard = [text for kind, name, text in told if name == chat and text]
            self.assertEqual(heard, texts.split(), chat)
        self.assertEqual(bob.api.buffered_bytes, 0)
        bob.drop()
        self.assertEqual(self.missed(), [[], [], []])

    def test_what_follows_a_state_waits_for_the_reader(self) -> None:
        self.bob.drop()
        self.send(*(str(number) for number in range(30)))
        self.patch(missed, "REPLY_BYTES", 1_000)
        bob = self.client()
        bob.transport.outbox.buffered_bytes = 1
        bob.write("register", user={"name": "Bob", "phone": "222"})
        for _ in range(100):
            self.server.clock.advance(PAUSE_S)
            self.server.run_pending()
        self.send("live")
        early = self.told(bob)
        self.assertLess(len(early), 12)
        bob.transport.outbox.buffered_bytes = 0
        for _ in range(100):
            self.server.clock.advance(PAUSE_S)
            self.server.run_pending()
        texts = [text for _, _, text in early + self.told(bob)]
        self.assertEqual(texts, [*map(str, range(30)), "live"])

    def test_a_client_that_does_not_read_its_state_is_disconnected(self) -> None:  # G30
        self.server.limits = self.limits
        self.bob.drop()
        self.send(*(str(number) for number in range(30)))
        self.patch(missed, "REPLY_BYTES", 1_000)
        bob = self.client()
        bob.transport.outbox.buffered_bytes = 1
        bob.write("register", user={"name": "Bob", "phone": "222"})
        self.server.run_pending()
        bob.api.deferred.max_bytes = 2_000
        self.send(*(f"live {number}" for number in range(20)))
        self.assertLess(len(bob.api.deferred.frames), 20)
        self.server.clock.advance(PAUSE_S)
        self.server.run_pending()
        self.assertEqual(
            bob.transport.closed, (4008, "slow_reader: the first messages were not read")
        )
        bob.received()
        [texts] = self.missed_from(self.client())
        self.assertEqual(len(texts), 50)

    def missed_from(self, bob: RandomClient) -> list[list[str]]:
        """Let Bob register where everything fits in the state."""
        self.patch(missed, "REPLY_BYTES", 100_000)
        return [[one["message"] for one in chat["messages"]] for chat in bob.register("Bob", "222")]

    def test_a_chat_that_is_deleted_while_its_messages_are_sent(self) -> None:
        self.bob.drop()
        self.send(*(str(number) for number in range(30)))
        self.patch(missed, "REPLY_BYTES", 1_000)
        self.patch(missed, "PAGE", 5)
        bob = self.client()
        bob.write("register", user={"name": "Bob", "phone": "222"})
        self.server.run_pending()
        self.ana.request("delete_chat", chat="den")
        for _ in range(100):
            self.server.clock.advance(PAUSE_S)
            self.server.run_pending()
        kinds = [kind for kind, _, _ in self.told(bob)]
        self.assertLess(kinds.count("message"), 25)
        self.assertEqual(kinds[-1], "chat_deleted")
        self.assertIsNone(bob.api.deferred)

    def test_an_object_lists_so_many_members(self) -> None:
        self.patch(state, "MEMBERS", 1)
        [chat] = self.client().register("Bob", "222")
        self.assertEqual([one["name"] for one in chat["chat"]["members"]], ["Ana"])

    def test_messages_that_come_while_the_state_is_made_follow_it(self) -> None:
        self.bob.drop()
        self.send("missed")
        history, held = self.chat.history, Deferred[None]()

        def hold(*args: Any) -> Deferred[Any]:
            return held.addCallback(lambda _: Deferred.fromCoroutine(history(*args)))

        bob = self.client()
        with patch.object(self.chat, "history", hold):
            bob.write("register", user={"name": "Bob", "phone": "222"})
            self.server.run_pending()
            self.send("live")
            self.assertEqual((bob.received(), bob.api.buffered_bytes), ([], 1))
            held.callback(None)
            self.server.run_pending()
        state, message = bob.received()
        self.assertEqual([one["message"] for one in state["chats"][0]["messages"]], ["missed"])
        self.assertEqual((message["type"], message["message"]), ("message", "live"))
        self.assertEqual(bob.api.buffered_bytes, 0)

    def test_a_session_that_ends_while_its_state_is_made(self) -> None:
        self.bob.drop()
        self.send(*(str(number) for number in range(250)))
        bob = self.client()
        bob.write("register", user={"name": "Bob", "phone": "222"})
        history = self.chat.history

        def end(*args: Any) -> Any:
            if bob.api.session is not None:
                self.send("live")  # the client still reads: its closing handshake goes on
            bob.api.connection_lost(clean=False)
            return history(*args)

        with patch.object(self.chat, "history", end):
            self.server.run_pending()
        self.assertEqual(bob.received(), [])
        self.assertEqual([len(texts) for texts in self.missed()], [251])

    def test_messages_of_a_room_that_is_deleted_meanwhile(self) -> None:
        self.bob.drop()
        self.send("missed")
        with patch.object(self.chat, "history", side_effect=NotStored()):
            [error] = self.client().request("register", user={"name": "Bob", "phone": "222"})
        self.assertEqual(error["code"], "not_stored")

    def test_a_history_that_has_fewer_messages(self) -> None:
        self.bob.drop()
        self.send("missed")
        user = self.chat.sessions._live.begin

        def begin(*args: Any) -> Any:
            session = user(*args)
            session.user.unread = {room.id: 99 for room in session.user.rooms}
            return session

        with patch.object(self.chat.sessions._live, "begin", begin):
            self.assertEqual(self.missed(), [["missed"]])

    def test_pending_direct_messages_follow_the_state(self) -> None:
        self.bob.drop()
        self.server.guest("web").call("whisper", target_user="Bob", msg="psst")
        state, message = self.client().request("register", user={"name": "Bob", "phone": "222"})
        self.assertEqual((state["type"], message["message"]), ("state", "psst"))


class Order(RandomTestCase):
    def test_requests_are_answered_in_order(self) -> None:
        ana = self.client("Ana", "111")
        ana.write("create_chat", name="den")
        ana.api.message(b"junk")
        ana.write("send_message", chat="den", message="hi")
        self.assertEqual(ana.received(), [])
        self.server.run_pending()
        self.assertEqual(
            [one["type"] for one in ana.received()], ["new_member", "error", "message"]
        )

    def test_a_connection_that_is_lost_runs_no_more(self) -> None:
        ana = self.client("Ana", "111")
        ana.write("create_chat", name="den")
        ana.write("create_chat", name="attic")
        ana.drop()
        self.assertEqual([room.name for room in self.chat.rooms if not room.is_lobby], ["den"])
        self.assertEqual(ana.received(), [])

    def test_reading_stops_while_many_requests_wait(self) -> None:
        ana = self.client("Ana", "111")
        for number in range(QUEUE_LIMIT + 1):
            ana.write("create_chat", name=f"r{number}")
        self.assertTrue(ana.transport.paused)
        for _ in range(5):
            self.server.run_pending()
        self.assertFalse(ana.transport.paused)
        self.assertEqual(len(ana.received()), QUEUE_LIMIT + 1)


class Rate(RandomTestCase):
    limits = Limits(ping_interval=0)

    def test_requests_have_the_rate_of_the_account(self) -> None:
        ana, bob = self.client("Ana", "111"), self.client("Bob", "222")
        self.server.clock.advance(60)
        for number in range(100):
            ana.write("send_message", chat="lobby", message=str(number))
        self.server.run_pending()
        self.assertEqual(len(bob.received()), self.limits.commands_burst)
        refused = [one for one in ana.received() if one["type"] == "error"]
        self.assertEqual(len(refused), 100 - self.limits.commands_burst)
        self.assertEqual(
            refused[0],
            {"type": "error", "detail": RateLimited().text, "code": RateLimited.code},
        )

    def test_registering_again_does_not_refill_the_rate(self) -> None:
        ana, bob = self.client("Ana", "111"), self.client("Bob", "222")
        self.server.clock.advance(60)
        for _ in range(30):
            ana.write("send_message", chat="lobby", message="x")
        self.server.run_pending()
        bob.received()
        again = self.client()
        again.register("Ana", "111")
        for _ in range(30):
            again.write("send_message", chat="lobby", message="x")
        self.server.run_pending()
        self.assertEqual(bob.received(), [])

    def test_a_flood_is_disconnected(self) -> None:
        ana = self.client("Ana", "111")
        for _ in range(self.limits.commands_burst * (FLOOD_FACTOR + 1) + 1):
            ana.api.message(b"{}")
        self.assertEqual(ana.transport.closed, (4009, "flood: wait 2 s"))


class Negotiation(RandomTestCase):
    def negotiate(self, payload: bytes) -> type:
        """Return the API that a first message selects."""
        transport = RandomTransport(self, "192.0.2.1")
        transport.api = ProtocolNegotiator(
            transport, lambda one: API_Chatroom(self.chat, self.server.encoder, one), self.state
        )
        self.assertFalse(transport.api.logged_in)
        transport.api.message(payload)
        self.server.run_pending()
        self.assertEqual(len(transport.outbox.lines), 1)
        return type(transport.api)

    def test_the_first_object_selects_the_protocol(self) -> None:
        for payload, api in (
            (b'{"cmd":"ping"}', API_Chatroom),
            (b'{"cmd":"ping","type":"register"}', API_Chatroom),
            (b'{"type":"register"}', RandomChatAPI),
            (b'{"type":1}', RandomChatAPI),
            (b"{}", API_Chatroom),
            (b"[]", API_Chatroom),
            (b"junk", API_Chatroom),
            (b"\xff", API_Chatroom),
            (b"[" * 5000, API_Chatroom),
        ):
            self.assertIs(self.negotiate(payload), api, payload)

    def test_a_connection_that_is_lost_before_it_has_sent_anything(self) -> None:
        transport = RandomTransport(self, "192.0.2.1")
        transport.api = ProtocolNegotiator(transport, lambda one: self.fail(), self.state)
        transport.api.ping_sent()
        transport.api.pong_received()
        transport.api.connection_lost(False)
        self.assertEqual(transport.outbox.lines, [])
