"""Resuming a session after a lost connection, and what the client missed."""

from __future__ import annotations

from unittest.mock import patch

from gtchat.chat import rooms
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.resume import find_rooms
from tests.chat.test_edge_cases import DelayedMethod
from tests.chat.test_messages import RoomTestCase


class Resume(RoomTestCase):
    def test_missed_entries_come_and_pushes_continue(self) -> None:
        self.bob.drop()
        for n in range(3):
            self.ann.call("speak", room_name="r", msg=f"{n}")
        bob, reply = self.resume("bob", r=3, lobby=0)
        rooms = {r["room_name"]: r for r in reply["resumed"]}
        self.assertEqual([e["seq"] for e in rooms["r"]["entries"]], [4, 5, 6])
        self.assertEqual([r["state"] for r in rooms.values()], ["resumed", "resumed"])
        self.ann.call("speak", room_name="r", msg="x")
        self.assertEqual([p["seq"] for p in bob.pushes()], [7])

    def test_session_is_resumed_after_a_restart(self) -> None:
        self.ann.call("speak", room_name="r", msg="x")
        self.server.start()
        bob, reply = self.resume("bob", r=3)
        rooms = {r["room_name"]: r for r in reply["resumed"]}
        self.assertEqual([e["msg"] for e in rooms["r"]["entries"]], ["x"])
        self.assertEqual(rooms["lobby"]["state"], "reset")
        self.assertEqual(bob.call("speak", room_name="r", msg="y")["seq"], 5)

    def test_more_than_the_limit_is_behind(self) -> None:  # H20
        self.bob.drop()
        for n in range(501):
            self.ann.call("speak", room_name="r", msg=f"{n}")
        _, reply = self.resume("bob", r=3)
        room = next(r for r in reply["resumed"] if r["room_name"] == "r")
        self.assertEqual((room["state"], room["last_seq"], room["entries"]), ("behind", 504, []))

    def test_positions_of_another_log_are_reset(self) -> None:  # H19
        self.bob.drop()
        _, reply = self.resume("bob", r=99, nowhere=3)
        states = {r["room_name"]: r["state"] for r in reply["resumed"]}
        self.assertEqual(states, {"r": "reset", "nowhere": "reset", "lobby": "reset"})

    def test_positions_that_no_log_has_are_reset_or_refused(self) -> None:  # H19
        self.bob.drop()
        for seen, state, count in ((0, "resumed", 3), (3, "resumed", 0), (4, "reset", 0)):
            _, reply = self.resume("bob", r=seen)
            [room] = (room for room in reply["resumed"] if room["room_name"] == "r")
            self.assertEqual((room["state"], len(room["entries"])), (state, count))
        for wrong in (2**53, -1):
            _, reply = self.resume("bob", r=wrong)
            self.assertEqual(reply["resumed"][0]["state"], "reset")
        for wrong in (10**18, "3", 3.5, None, [3]):
            _, reply = self.resume("bob", r=wrong)  # type: ignore[arg-type]
            self.assertEqual(reply["code"], "bad_request")

    def test_many_unknown_rooms_cost_no_precis(self) -> None:  # G27
        def fail(raw: str) -> str:
            raise AssertionError(raw)

        seen = {f"\u00e9{number}": 1 for number in range(900)}
        with patch.object(rooms, "room_key", fail):
            _, reply = self.resume("bob", **seen, R=3)
        states = {room["room_name"]: room["state"] for room in reply["resumed"]}
        self.assertEqual((states["\u00e97"], states["r"]), ("reset", "resumed"))

    def test_room_whose_deletion_has_begun_is_not_resumed(self) -> None:
        registry = self.server.chat.rooms
        room = registry.find_displayed("r")
        assert room is not None
        self.assertEqual(find_rooms(registry, {"r": 3}, {}, {}), {"r": room.id})
        room.deleted = True
        self.assertEqual(find_rooms(registry, {"r": 3}, {}, {}), {"r": None})

    def test_room_is_named_as_it_is_displayed(self) -> None:
        picture = "\U0001f3f3\ufe0f\u200d\U0001f308 Caf\u00c9"
        self.bob.call("create_room", room_name=picture)
        self.bob.drop()
        for name in (picture, picture.replace("\ufe0f\u200d", "").upper()):
            client, reply = self.resume("bob", **{name: 1})
            states = {room["room_name"]: room["state"] for room in reply["resumed"]}
            self.assertEqual(states[picture], "resumed")
            client.drop()

    def test_another_epoch_resets_all_rooms(self) -> None:  # H19
        login = self.logins["bob"]
        self.bob.drop()
        client = self.server.connect()
        seen = {"r": 3, "nowhere": 1}
        direct = {1_000: 4}
        reply = client.call(
            "resume",
            session_id=login["session_id"],
            epoch="old",
            seen=seen,
            seen_directs=direct,
        )
        self.assertEqual({r["state"] for r in reply["resumed"]}, {"reset"})
        reasons = {r.get("room_name", r.get("direct")): r["reason"] for r in reply["resumed"]}
        self.assertEqual(
            reasons, {"r": "epoch", "lobby": "epoch", "nowhere": "unknown", 1_000: "epoch"}
        )

    def test_a_reset_says_why(self) -> None:
        for name in ("left", "again"):
            self.ann.call("create_room", room_name=name)
            self.bob.call("join_room", room_name=name)
        self.bob.drop()
        self.ann.call("kick", room_name="left", user="bob")
        self.ann.call("delete_room", room_name="again")
        self.ann.call("create_room", room_name="again")
        self.ann.call("add_member", room_name="again", user="bob")
        self.ann.call("create_room", room_name="new")
        self.ann.call("add_member", room_name="new", user="bob")
        _, reply = self.resume("bob", r=3, left=2, again=2, nowhere=1, lobby=9)
        found = {r["room_name"]: (r["state"], r.get("reason")) for r in reply["resumed"]}
        expected = {"r": ("resumed", None), "left": ("reset", "left")}
        expected |= {"again": ("reset", "recreated"), "nowhere": ("reset", "unknown")}
        expected |= {"lobby": ("reset", "unknown"), "new": ("reset", "unknown")}
        self.assertEqual(found, expected)

    def test_a_client_that_knows_more_than_was_kept_is_told_that_the_epoch_changed(self) -> None:
        self.server.start()
        _, reply = self.resume("bob", r=99)
        found = {r["room_name"]: r["reason"] for r in reply["resumed"]}
        self.assertEqual(found["r"], "epoch")
        self.assertNotEqual(reply["epoch"], self.logins["bob"]["epoch"])

    def test_room_that_was_created_again_is_reset(self) -> None:
        self.bob.drop()
        self.ann.call("delete_room", room_name="r")
        self.ann.call("create_room", room_name="r")
        self.ann.call("add_member", room_name="r", user="bob")
        _, reply = self.resume("bob", r=1)
        room = next(r for r in reply["resumed"] if r["room_name"] == "r")
        self.assertEqual(room["state"], "reset")

    def test_ended_and_unknown_sessions_are_bad_sessions(self) -> None:  # D12, H19
        client = self.server.connect()
        self.assertEqual(client.call("resume", session_id="x", epoch="y")["code"], "bad_session")
        self.bob.call("logout")
        self.assertEqual(self.resume("bob")[1]["code"], "bad_session")
        self.eve.drop()
        self.server.clock.advance(24 * 3600 + 1)
        self.server.run_pending()
        self.assertEqual(self.resume("eve")[1]["code"], "bad_session")

    def test_an_old_connection_that_is_lost_during_the_resume_ends_nothing(self) -> None:
        delayed = DelayedMethod(self, self.server, "resume")
        client, login = self.server.connect(), self.logins["bob"]
        fields = {name: login[name] for name in ("session_id", "epoch")}
        for _ in range(2):
            client.send("resume", tracker="1", **fields)
            self.server.run_pending()
            client, before = self.server.connect(), client
        self.bob.drop()
        delayed.release()
        self.assertEqual(before.reply("1")["status"], "ok")
        row = self.server.store._accounts.sessions[token_hash(login["session_id"])]
        self.assertIsNone(row.expires_from)
        before.drop()
        self.assertIsNotNone(row.expires_from)

    def test_resume_whose_connection_is_lost_does_not_end_the_one_after_it(self) -> None:
        login = self.logins["bob"]
        self.bob.drop()
        reading = DelayedMethod(self, self.server, "rooms_of")
        lost = self.server.connect()
        lost.send("resume", session_id=login["session_id"], epoch=login["epoch"])
        self.server.run_pending()
        lost.drop()
        again, self.server.store.rooms_of = self.server.connect(), reading._method
        fields = {name: login[name] for name in ("session_id", "epoch")}
        self.assertEqual(again.call("resume", **fields)["status"], "ok")
        reading.release()
        self.assertIsNone(again.closed)

    def test_old_connection_is_closed(self) -> None:
        bob, reply = self.resume("bob", r=3)
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(self.bob.closed, (4001, "replaced: logged in elsewhere"))
        self.ann.call("speak", room_name="r", msg="x")
        self.assertEqual(len(bob.pushes()), 1)

    def test_resume_on_a_connection_with_a_session_is_refused_and_changes_nothing(self) -> None:
        # D29
        self.bob.drop()
        for session_id in (self.logins["bob"]["session_id"], "wrong"):
            reply = self.eve.call("resume", session_id=session_id, epoch=self.server.chat.epoch)
            self.assertEqual(reply["code"], "already_logged_in")
        self.assertEqual(self.eve.call("speak", room_name="r", msg="x")["status"], "ok")
        self.assertEqual(self.ann.call("get_user_list")["users"], ["ann", "eve"])
        self.assertEqual(self.resume("bob")[1]["usr"], "bob")

    def test_guest_who_comes_back_in_time_is_still_a_member(self) -> None:
        guest = self.server.connect()
        self.logins["guest"] = guest.login("guest")
        guest.call("join_room", room_name="r")
        guest.drop()
        self.server.clock.advance(100)
        guest, reply = self.resume("guest", r=4)
        self.assertEqual(reply["status"], "ok")
        self.server.clock.advance(100)
        self.server.run_pending()
        self.assertEqual(guest.call("speak", room_name="r", msg="x")["seq"], 5)

    def test_member_kicked_during_the_resume_is_not_a_member(self) -> None:
        self.bob.drop()
        client, login = self.server.connect(), self.logins["bob"]
        client.send("resume", session_id=login["session_id"], epoch=login["epoch"], seen={"r": 3})
        self.ann.send("kick", room_name="r", user="bob")
        self.server.run_pending()
        # The kick was queued after the resume, so the session was in the room until it was stored.
        self.assertEqual([push["type"] for push in client.pushes()], ["kicked"])
        assert client.api.session is not None
        self.assertEqual(client.api.session.user.rooms, {})
        self.assertEqual(client.call("speak", room_name="r", msg="x")["code"], "not_in_room")

    def test_unread_messages_are_counted(self) -> None:
        self.bob.drop()
        for _ in range(3):
            self.ann.call("speak", room_name="r", msg="x")
        self.eve.call("leave_room", room_name="r")
        reply = self.server.connect().login("bob", pwd="password")
        unread = {r["room_name"]: r["unread"] for r in reply["rooms"]}
        self.assertEqual(unread["r"], 3)

    def test_message_on_its_way_when_the_connection_was_lost_is_unread(self) -> None:
        self.ann.send("speak", room_name="r", msg="x")
        self.bob.drop()
        reply = self.server.connect().login("bob", pwd="password")
        unread = {r["room_name"]: r["unread"] for r in reply["rooms"]}
        self.assertEqual(unread["r"], 1)

    def test_messages_stay_unread_when_the_client_leaves_before_its_login_reply(self) -> None:
        self.bob.drop()
        self.ann.call("speak", room_name="r", msg="x")
        early = self.server.connect()
        early.send("login", type="reg", usr="bob", pwd="password")
        early.drop()
        reply = self.server.connect().login("bob", pwd="password")
        unread = {r["room_name"]: r["unread"] for r in reply["rooms"]}
        self.assertEqual(unread["r"], 1)

    def test_login_of_a_lost_connection_does_not_replace_a_newer_session(self) -> None:
        self.bob.drop()
        lost, client = self.server.connect(), self.server.connect()
        for connection in (client, lost):
            connection.send("login", type="reg", usr="bob", pwd="password")
        lost.drop()
        self.assertIsNone(client.closed)
        self.assertEqual(client.call("speak", room_name="r", msg="x")["status"], "ok")
        self.assertIsNone(lost.api.session)

    def test_message_that_did_not_leave_is_unread(self) -> None:
        for buffered_bytes, expected in ((0, 0), (20, 1)):
            self.ann.call("speak", room_name="r", msg="x")
            self.bob.outbox.buffered_bytes = buffered_bytes
            self.bob.drop()
            self.bob = self.server.connect()
            reply = self.bob.login("bob", pwd="password")
            unread = {r["room_name"]: r["unread"] for r in reply["rooms"]}
            self.assertEqual(unread["r"], expected)
