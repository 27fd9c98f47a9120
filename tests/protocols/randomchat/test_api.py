"""RandomChat without sockets: registering, and each request."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail

from gtchat.chat.errors import NoSuchRoom, NoSuchUser, NotStored
from gtchat.chat.events import Joined, LoggedIn
from gtchat.protocols.randomchat import RandomChatState
from tests.fakes import RecordingBatcher
from tests.protocols.randomchat.fakes import RandomTestCase


class Registering(RandomTestCase):
    def test_a_new_number_creates_an_account(self) -> None:
        self.assertEqual(self.client().register("Ana", "111"), [])
        self.assertEqual(self.online(), ["Ana"])

    def test_a_known_number_is_the_same_account(self) -> None:
        self.client("Ana", "+111").drop()
        self.client().register("Anabel", "+111")
        self.assertEqual(self.online(), ["Ana"])

    def test_an_unknown_number_is_refused_where_not_all_can_register(self) -> None:
        self.client("Ana", "111").drop()
        access = self.server.chat.access
        for mode, code in (("closed", "registration_closed"), ("invite", "invite_wanted")):
            access.choose("registration", mode)
            bo = {"name": "Bo", "phone": "222"}
            self.assertEqual(self.client().error("register", user=bo)[0], code)
            self.assertEqual(self.client().register("Ana", "111"), [])

    def test_a_taken_name_gets_a_number(self) -> None:
        self.client("Ana", "111")
        self.client("Ana", "222")
        self.assertEqual(self.online(), ["Ana", "Ana-2"])

    def test_a_name_that_looks_like_a_taken_one_gets_a_number(self) -> None:
        self.client("cop", "111")
        self.client("\u0441\u043e\u0440", "222")
        self.assertEqual(self.online(), ["cop", "\u0441\u043e\u0440-2"])

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
        self.assertEqual(client.transport.closed, (4002, "kicked: disconnected by the operator"))
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
        login_phone, held = self.chat.logins.login_phone, Deferred[None]()

        async def hold(*args: Any) -> object:
            session = await login_phone(*args)
            await held
            return session

        with patch.object(self.chat.logins, "login_phone", hold):
            client = self.client()
            client.write("register", user={"name": "Bob", "phone": "222"})
            self.server.run_pending()
            client.drop()
            held.callback(None)
            self.server.run_pending()
        self.assertEqual((self.online(), client.received()), (["Ana"], []))

    def test_the_table_of_numbers_that_can_not_be_read(self) -> None:
        clients = [self.client() for _ in range(2)]
        with patch.object(self.chat.phones, "listed", lambda: self.later(NotStored())):
            for client in clients:
                client.write("register", user={"name": "Ana", "phone": "111"})
            self.server.run_pending()
        for client in clients:
            self.assertEqual([one["code"] for one in client.received()], ["not_stored"])
        with patch.object(self.chat.phones, "listed", side_effect=NotStored()):
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
        with patch.object(self.chat.phones, "listed", wraps=self.chat.phones.listed) as phones:
            clients = [self.client() for _ in range(3)]
            for number, client in enumerate(clients):
                client.write("register", user={"name": f"u{number}", "phone": f"11{number}"})
            self.server.run_pending()
            self.client("Ana", "222")
        self.assertEqual(phones.call_count, 1)
        self.assertEqual(self.online(), ["Ana", "u0", "u1", "u2"])


class StateThatFails(RandomTestCase):
    def test_a_chat_that_is_deleted_meanwhile_is_left_out(self) -> None:
        ann, ben = self.client("Ann", "111"), self.client("Ben", "222")
        for name in ("a", "b"):
            self.room(ann, name, (ben, "222"))
        ben.drop()
        for name in ("a", "b"):
            ann.request("send_message", chat=name, message="hello")
        read = self.chat.history

        def history(session: Any, room_name: str, query: Any) -> Any:
            if room_name == "b":
                raise NoSuchRoom()
            return read(session, room_name, query)

        self.chat.history = history  # type: ignore[method-assign]
        chats = self.client().register("Ben", "222")
        self.assertEqual([chat["chat"]["name"] for chat in chats], ["a"])

    def test_a_state_that_can_not_be_read_ends_the_session(self) -> None:
        ann, ben = self.client("Ann", "111"), self.client("Ben", "222")
        self.room(ann, "a", (ben, "222"))
        ben.drop()
        ann.request("send_message", chat="a", message="hello")
        self.chat.history = lambda *args: fail(NotStored())  # type: ignore[method-assign]
        again = self.client()
        self.assertEqual(
            again.error("register", user={"name": "Ben", "phone": "222"})[0], "not_stored"
        )
        self.assertEqual(self.online(), ["Ann"])
        self.assertEqual(again.error("create_chat", name="c")[0], "not_logged_in")

    def test_a_bug_is_answered(self) -> None:
        ann = self.client("Ann", "111")
        self.chat.membership.create = lambda *args: 1 / 0  # type: ignore[method-assign,assignment]
        self.assertEqual(ann.error("create_chat", name="c")[0], "internal")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


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

    def test_the_sender_gets_the_text_that_was_stored(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        [event] = self.ana.request("send_message", chat="den", message="one\r\ne\u0301")
        self.assertEqual(event["message"], "one\n\u00e9")
        self.assertEqual(self.bob.received(), [event])

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
        self.assertEqual(self.members(event), ["Ana", "Bob"], "the one removed is among them")
        self.assertEqual(
            self.ana.error("remove_member", chat="den", phone="999"),
            ("no_such_user", NoSuchUser().text),
        )

    def members(self, event: dict[str, Any]) -> list[str]:
        return sorted(member["name"] for member in event["chat"]["members"])

    def test_a_member_may_leave(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        [event] = self.bob.request("remove_member", chat="den", phone="222")
        self.assertEqual((event["type"], event["user"]["name"]), ("member_removed", "Bob"))
        self.assertEqual(self.members(event), ["Ana", "Bob"])
        self.assertEqual(self.ana.received(), [event])

    def test_an_owner_may_leave(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        [event] = self.ana.request("remove_member", chat="den", phone="111")
        self.assertEqual((event["type"], event["user"]["name"]), ("member_removed", "Ana"))
        self.assertEqual(self.bob.received(), [event])

    def test_deleting_a_chat(self) -> None:
        self.room(self.ana, "den", (self.bob, "222"))
        self.assertEqual(
            self.bob.error("delete_chat", chat="den")[1],
            "Only the chat owner is able to delete it",
        )
        [event] = self.ana.request("delete_chat", chat="den")
        self.assertEqual((event["type"], event["chat"]["name"]), ("chat_deleted", "den"))
        self.assertEqual(self.members(event), ["Ana", "Bob"])
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
