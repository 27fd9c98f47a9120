"""RandomChat without sockets: registering, each request, state, rate, and choosing the protocol."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NoSuchUser, NotStored, RateLimited
from gtchat.chat.events import Joined, LoggedIn
from gtchat.chat.limits import Limits
from gtchat.protocols.base.command_queue import FLOOD_FACTOR, QUEUE_LIMIT
from gtchat.protocols.gtchat_json import API_Chatroom
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatAPI, RandomChatState
from gtchat.protocols.randomchat import api as randomchat_api
from tests.fakes import FailingStore, RecordingBatcher, RecordingOutbox, TestServer


class RandomTransport:
    """A WebSocket connection without a socket."""

    def __init__(self, test: RandomTestCase, address: str) -> None:
        self.test = test
        self.address = address
        self.outbox: Any = RecordingOutbox()
        self.closed: tuple[int, str] | None = None
        self.paused = False
        self.api: Any = None

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.test.server.clock.callLater(0, self.api.connection_lost, False)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class RandomClient:
    """A client of RandomChat."""

    def __init__(self, test: RandomTestCase, address: str = "192.0.2.1") -> None:
        self.server = test.server
        self.transport = RandomTransport(test, address)
        self.api = self.transport.api = RandomChatAPI(test.state, self.transport)

    def write(self, kind: str, **fields: object) -> None:
        """Send a request without waiting."""
        self.api.message(json.dumps({"type": kind, **fields}).encode())

    def request(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """Send a request; return all objects that have come."""
        self.write(kind, **fields)
        self.server.run_pending()
        return self.received()

    def raw(self, payload: bytes) -> list[dict[str, Any]]:
        """Send a message as it is; return all objects that have come."""
        self.api.message(payload)
        self.server.run_pending()
        return self.received()

    def received(self) -> list[dict[str, Any]]:
        lines, self.transport.outbox.lines = self.transport.outbox.lines, []
        return [json.loads(line) for line in lines]

    def register(self, name: str, phone: str) -> list[dict[str, Any]]:
        """Register; return the chats of the state."""
        [state] = self.request("register", user={"name": name, "phone": phone})
        assert state["type"] == "state", state
        return list(state["chats"])

    def error(self, kind: str, **fields: object) -> tuple[str, str]:
        """Send a request that is refused; return the code and the text."""
        [error] = self.request(kind, **fields)
        assert error["type"] == "error", error
        assert set(error) == {"type", "detail", "code"}
        return error["code"], error["detail"]

    def drop(self) -> None:
        self.api.connection_lost(clean=False)
        self.server.run_pending()


class RandomTestCase(SynchronousTestCase):
    limits = Limits(commands_per_second=0, ping_interval=0, registrations_per_minute=0)

    def setUp(self) -> None:
        self.server = TestServer(self.limits, store=FailingStore)
        self.chat = self.server.chat
        batcher: Any = RecordingBatcher()
        self.state = RandomChatState(self.chat, batcher, lambda payload: payload + b"\n")

    def client(self, name: str = "", phone: str = "") -> RandomClient:
        """Connect, and register if there is a name."""
        client = RandomClient(self)
        if name:
            client.register(name, phone)
        return client

    def room(self, owner: RandomClient, name: str, *members: tuple[RandomClient, str]) -> None:
        """Create a chat with members; what they are told is taken."""
        owner.request("create_chat", name=name)
        for member, phone in members:
            owner.request("add_member", chat=name, phone=phone)
            member.received()

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))


class Registering(RandomTestCase):
    def test_a_new_number_creates_an_account(self) -> None:
        self.assertEqual(self.client().register("Ana", "111"), [])
        self.assertEqual(self.online(), ["Ana"])

    def test_a_known_number_is_the_same_account(self) -> None:
        self.client("Ana", "+111").drop()
        self.client().register("Anabel", "+111")
        self.assertEqual(self.online(), ["Ana"])

    def test_a_taken_name_gets_a_number(self) -> None:
        self.client("Ana", "111")
        self.client("Ana", "222")
        self.assertEqual(self.online(), ["Ana", "Ana-2"])

    def test_what_is_missing_or_wrong_is_an_error(self) -> None:
        client = self.client()
        for fields, code in (
            ({}, "bad_request"),
            ({"user": "Ana"}, "bad_request"),
            ({"user": {"name": "Ana"}}, "bad_request"),
            ({"user": {"phone": "111"}}, "bad_request"),
            ({"user": {"name": "Ana", "phone": 111}}, "bad_request"),
            ({"user": {"name": "Ana", "phone": "12"}}, "bad_request"),
            ({"user": {"name": "Ana", "phone": "1" * 16}}, "bad_request"),
            ({"user": {"name": "<>", "phone": "123456"}}, "bad_name"),
        ):
            self.assertEqual((fields, client.error("register", **fields)[0]), (fields, code))
        self.assertEqual(self.online(), [])

    def test_before_register_no_other_request_is_run(self) -> None:
        client = self.client()
        for kind, fields in (
            ("create_chat", {"name": "den"}),
            ("send_message", {"chat": "lobby", "message": "x"}),
            ("add_member", {"chat": "den", "phone": "111"}),
            ("remove_member", {"chat": "den", "phone": "111"}),
            ("delete_chat", {"chat": "den"}),
        ):
            self.assertEqual(client.error(kind, **fields)[0], "not_logged_in")

    def test_a_second_connection_closes_the_first(self) -> None:
        first = self.client("Ana", "111")
        second = self.client("Ana", "111")
        self.assertEqual(first.transport.closed, (4409, "You opened another session."))
        self.assertEqual(self.online(), ["Ana"])
        [event] = second.request("create_chat", name="den")
        self.assertEqual(event["type"], "new_member")
        self.assertEqual(first.received(), [])

    def test_registering_again_on_one_connection_changes_the_user(self) -> None:
        client = self.client("Ana", "111")
        client.register("Bob", "222")
        self.assertEqual(self.online(), ["Bob"])
        client.register("Bob", "222")
        self.assertIsNone(client.transport.closed)

    def test_registering_again_with_an_error_changes_nothing(self) -> None:
        client = self.client("Ana", "111")
        for user in ({"name": "<>", "phone": "222"}, {"name": "Ana", "phone": "x"}):
            client.error("register", user=user)
        self.assertEqual(self.online(), ["Ana"])
        [event] = client.request("create_chat", name="den")
        self.assertEqual(event["type"], "new_member")

    def test_numbers_are_kept_over_a_restart(self) -> None:
        self.client("Ana", "111").drop()
        self.server.start()
        self.chat = self.server.chat
        batcher: Any = RecordingBatcher()
        self.state = RandomChatState(self.chat, batcher, lambda payload: payload + b"\n")
        bob = self.client("Bob", "222")
        self.client("Ana", "111")
        self.assertEqual(self.online(), ["Ana", "Bob"])
        bob.request("create_chat", name="den")
        [event] = bob.request("add_member", chat="den", phone="111")
        self.assertEqual(event["user"]["name"], "Ana")

    def test_a_kicked_client(self) -> None:
        client = self.client("Ana", "111")
        self.assertTrue(client.api.logged_in)
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("Ana"))
        self.server.run_pending()
        self.assertEqual(client.transport.closed, (4002, "disconnected by the operator"))
        self.assertFalse(client.api.logged_in)

    def test_a_connection_lost_while_it_registers_leaves_no_session(self) -> None:
        self.client("Ana", "111").drop()
        client = self.client()
        client.write("register", user={"name": "Ana", "phone": "111"})
        client.api.connection_lost(clean=False)
        self.server.run_pending()
        self.assertEqual((self.online(), client.received()), ([], []))

    def test_a_connection_lost_after_the_login_is_given_up(self) -> None:
        client = self.client("Ana", "111")
        login_phone, held = self.chat.sessions.login_phone, Deferred[None]()

        async def hold(*args: Any) -> object:
            session = await login_phone(*args)
            await held
            return session

        with patch.object(self.chat.sessions, "login_phone", hold):
            client = self.client()
            client.write("register", user={"name": "Bob", "phone": "222"})
            self.server.run_pending()
            client.drop()
            held.callback(None)
            self.server.run_pending()
        self.assertEqual((self.online(), client.received()), (["Ana"], []))

    def test_the_table_of_numbers_that_can_not_be_read(self) -> None:
        clients = [self.client() for _ in range(2)]
        with patch.object(self.chat.accounts, "phones", lambda: self.later(NotStored())):
            for client in clients:
                client.write("register", user={"name": "Ana", "phone": "111"})
            self.server.run_pending()
        for client in clients:
            self.assertEqual([one["code"] for one in client.received()], ["not_stored"])
        with patch.object(self.chat.accounts, "phones", side_effect=NotStored()):
            self.assertEqual(
                clients[0].error("register", user={"name": "Ana", "phone": "111"})[0], "not_stored"
            )
        self.assertEqual(clients[0].register("Ana", "111"), [])

    def later(self, error: Exception) -> Deferred[Any]:
        """Return a Deferred that fails in the next turn of the reactor."""
        failing: Deferred[Any] = Deferred()
        self.server.clock.callLater(0, failing.errback, error)
        return failing

    def test_numbers_are_read_once(self) -> None:
        with patch.object(self.chat.accounts, "phones", wraps=self.chat.accounts.phones) as phones:
            clients = [self.client() for _ in range(3)]
            for number, client in enumerate(clients):
                client.write("register", user={"name": f"u{number}", "phone": f"11{number}"})
            self.server.run_pending()
            self.client("Ana", "222")
        self.assertEqual(phones.call_count, 1)
        self.assertEqual(self.online(), ["Ana", "u0", "u1", "u2"])


class Requests(RandomTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ana, self.bob = self.client("Ana", "111"), self.client("Bob", "222")

    def user(self, name: str, phone: str) -> dict[str, Any]:
        return {"name": name, "phone": phone, "disconnection_date": None}

    def test_creating_a_chat(self) -> None:
        ana = self.user("Ana", "111")
        self.assertEqual(
            self.ana.request("create_chat", name="den"),
            [
                {
                    "type": "new_member",
                    "chat": {"name": "den", "members": [ana], "owner": ana},
                    "user": ana,
                }
            ],
        )
        self.assertEqual(self.bob.received(), [])
        for client in (self.ana, self.bob):
            self.assertEqual(client.error("create_chat", name="DEN")[0], "room_exists")

    def test_adding_a_member(self) -> None:
        self.room(self.ana, "den")
        [event] = self.ana.request("add_member", chat="den", phone="222")
        self.assertEqual(self.bob.received(), [event])
        self.assertEqual((event["type"], event["user"]), ("new_member", self.user("Bob", "222")))
        self.assertEqual([one["name"] for one in event["chat"]["members"]], ["Ana", "Bob"])
        code, detail = self.ana.error("add_member", chat="den", phone="999")
        self.assertEqual((code, detail), ("no_such_user", "User not found"))
        self.assertEqual(self.ana.error("add_member", chat="den", phone="x")[0], "bad_request")
        self.assertEqual(self.ana.error("add_member", chat="nil", phone="222")[0], "no_such_room")

    def test_only_members_may_add_and_send(self) -> None:
        self.room(self.ana, "den")
        self.assertIn(
            self.bob.error("add_member", chat="den", phone="222")[0],
            ("not_in_room", "no_such_room"),
        )
        self.assertIn(
            self.bob.error("send_message", chat="den", message="x")[0],
            ("not_in_room", "no_such_room"),
        )
        self.assertEqual(self.ana.received(), [])

    def test_sending_a_message(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        [event] = self.ana.request("send_message", chat="den", message="hola Bob \u00f1")
        self.assertEqual(self.bob.received(), [event])
        self.assertEqual(set(event), {"type", "chat", "from", "date", "message"})
        self.assertEqual((event["type"], event["message"]), ("message", "hola Bob \u00f1"))
        self.assertEqual(event["from"], self.user("Ana", "111"))
        self.assertRegex(event["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(self.ana.error("send_message", chat="den", message="")[0], "bad_request")
        self.assertEqual(self.ana.error("send_message", chat="nil", message="x")[0], "no_such_room")

    def test_a_message_that_is_not_stored(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        self.server.store.failing = 1
        [error] = self.ana.request("send_message", chat="den", message="lost")
        self.assertEqual(error["type"], "error")
        self.assertEqual(self.bob.received(), [])

    def test_a_message_to_the_lobby_has_no_members(self) -> None:
        [event] = self.ana.request("send_message", chat="lobby", message="hi")
        self.assertEqual(event["chat"]["members"], [])
        self.assertEqual(self.bob.received(), [event])

    def test_removing_a_member(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        self.assertEqual(
            self.bob.error("remove_member", chat="den", phone="111")[1],
            "Only the chat owner is able to remove a member, or the member to himself",
        )
        [event] = self.ana.request("remove_member", chat="den", phone="222")
        self.assertEqual(self.bob.received(), [event])
        self.assertEqual((event["type"], event["user"]["name"]), ("member_removed", "Bob"))
        self.assertEqual(
            self.ana.error("remove_member", chat="den", phone="999"),
            ("no_such_user", NoSuchUser().text),
        )

    def test_a_member_may_leave(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        [event] = self.bob.request("remove_member", chat="den", phone="222")
        self.assertEqual((event["type"], event["user"]["name"]), ("member_removed", "Bob"))
        self.assertEqual(self.ana.received(), [event])

    def test_deleting_a_chat(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        self.assertEqual(
            self.bob.error("delete_chat", chat="den")[1],
            "Only the chat owner is able to delete it",
        )
        [event] = self.ana.request("delete_chat", chat="den")
        self.assertEqual((event["type"], event["chat"]["name"]), ("chat_deleted", "den"))
        self.assertEqual(self.bob.received(), [event])
        self.assertEqual(self.ana.error("send_message", chat="den", message="x")[0], "no_such_room")

    def test_requests_that_are_none(self) -> None:
        for payload in (
            b"",
            b"hello",
            b"[]",
            b"1",
            b'"x"',
            b"null",
            b"\xff",
            b"[" * 5000,
            b'{"a":',
        ):
            [error] = self.ana.raw(payload)
            self.assertEqual((payload, error["code"]), (payload, "bad_request"))
        for payload in (b"{}", b'{"type":"_run"}', b'{"type":"close"}', b'{"type":["register"]}'):
            [error] = self.ana.raw(payload)
            self.assertEqual((payload, error["code"]), (payload, "unknown_cmd"))
        for fields in ({}, {"chat": 1, "message": "x"}, {"chat": "lobby", "message": None}):
            self.assertEqual(self.ana.error("send_message", **fields)[0], "bad_request")
        self.assertEqual(self.bob.received(), [])

    @given(st.binary(max_size=100))
    def test_any_bytes_are_answered_with_an_error(self, payload: bytes) -> None:
        [error] = self.ana.raw(payload)
        self.assertEqual(error["type"], "error")

    def test_events_of_other_protocols(self) -> None:
        web = self.server.guest("web")
        web.call("speak", room_name="lobby", msg="to all")
        web.call("whisper", target_user="Ana", msg="psst")
        lobby, whisper = self.ana.received()
        self.assertEqual((lobby["message"], lobby["from"]["phone"]), ("to all", ""))
        self.assertEqual((whisper["type"], whisper["message"]), ("message", "psst"))
        self.assertEqual((whisper["chat"]["name"], whisper["chat"]["members"]), ("web", []))
        self.assertEqual([one["message"] for one in self.bob.received()], ["to all"])

    def test_entries_of_a_room_that_is_gone_are_not_rendered(self) -> None:
        self.assertIsNone(self.state.render(Joined(room_name="nil", usr="Ana", at=0)))
        self.assertIsNone(self.state.render(LoggedIn(usr="Ana", at=0)))

    def test_the_date_of_a_user_who_has_left(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        self.bob.drop()
        [event] = self.ana.request("send_message", chat="den", message="x")
        bob = event["chat"]["members"][1]
        self.assertRegex(bob["disconnection_date"], r"Z$")


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

    def test_what_was_read_is_not_missed(self) -> None:
        self.send("one")
        self.bob.drop()
        self.assertEqual(self.missed(), [[]])

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

    def test_a_state_is_bounded(self) -> None:
        self.room(self.ana, "attic", (self.bob, "222"))
        self.bob.drop()
        self.send("a1", "a2", "a3", chat="attic")
        self.send("d1", "d2", "d3")
        with patch.object(randomchat_api, "STATE_MESSAGES", 5):
            self.assertEqual(self.missed(), [["a1", "a2", "a3"], ["d2", "d3"]])
        self.send("a4", chat="attic")
        self.send("d4")
        with patch.object(randomchat_api, "STATE_CHARS", 2):
            self.assertEqual(self.missed(), [["a4"], []])

    def test_messages_that_come_while_the_state_is_made_follow_it(self) -> None:
        self.bob.drop()
        self.send("missed")
        history, held = self.chat.history, Deferred[None]()

        def hold(*args: Any) -> Deferred[Any]:
            return held.addCallback(lambda _: history(*args))

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
            bob.api.connection_lost(clean=False)
            return history(*args)

        with patch.object(self.chat, "history", end):
            self.server.run_pending()
        self.assertEqual(bob.received(), [])
        self.assertEqual([len(texts) for texts in self.missed()], [250])

    def test_messages_of_a_room_that_is_deleted_meanwhile(self) -> None:
        self.bob.drop()
        self.send("missed")
        with patch.object(self.chat, "history", side_effect=NotStored()):
            [error] = self.client().request("register", user={"name": "Bob", "phone": "222"})
        self.assertEqual(error["code"], "not_stored")

    def test_a_history_that_has_fewer_messages(self) -> None:
        self.bob.drop()
        self.send("missed")
        user = self.chat.sessions._begin

        def begin(*args: Any) -> Any:
            session = user(*args)
            session.user.unread = {room.id: 99 for room in session.user.rooms}
            return session

        with patch.object(self.chat.sessions, "_begin", begin):
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
        self.assertEqual(ana.transport.closed, (1008, "too fast for too long"))


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
        transport.api.connection_lost(False)
        self.assertEqual(transport.outbox.lines, [])
