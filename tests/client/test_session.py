"""Resuming after a lost connection: no message is lost, none is delivered twice."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gtchat.client import (
    ConnectionClosed,
    ConnectionRestored,
    Invitation,
    RoomReset,
    Unanswered,
)
from gtchat.client.catch_up import PAGE_SIZE
from gtchat.client.event_stream import FULL
from tests.client.fakes import (
    AT,
    ConnectedTestCase,
    history_of,
    resumed,
    spoken,
    welcome,
    whisper,
)


class ResumeTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)

    def test_a_resume_sends_the_last_seqs(self) -> None:
        self.server.say(4)
        self.server.pump()
        self.server.drop()
        self.reconnect()
        (request,) = self.server.asked("resume")
        self.assertEqual(request["session_id"], "secret")
        self.assertEqual(request["epoch"], "e1")
        self.assertEqual(request["seen"], {"lobby": 4})

    def test_missed_entries_are_delivered_in_order_and_once(self) -> None:
        self.server.say(4)
        self.server.pump()
        self.server.answers["resume"] = resumed(*(spoken(seq) for seq in (3, 4, 5, 6)))
        self.server.drop()
        self.reconnect()
        self.server.say(6)
        self.server.say(7)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6", "text 7"])

    def test_the_restored_event_precedes_missed_messages(self) -> None:
        self.server.answers["resume"] = resumed(spoken(4))
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.kinds(), ["ConnectionLost", "ConnectionRestored", "Message"])

    def test_missed_direct_messages_are_delivered_once(self) -> None:
        self.server.push(**whisper(1))
        self.server.pump()
        self.server.answers["resume"] = {**resumed(), "whispers": [whisper(1), whisper(2)]}
        self.server.drop()
        self.reconnect()
        self.server.push(**whisper(2))
        self.server.pump()
        self.assertEqual(self.texts(), ["psst 1", "psst 2"])

    def log_in_marking(self, *directs: dict[str, Any]) -> None:
        """Log in as a client that marks what was read, with some direct conversations."""
        self.server.answers["login"] = {**welcome(), "directs": list(directs)}
        self.result("login", type="tmp", usr="ann", marks_read=True)

    def test_unread_direct_messages_are_read_at_the_login(self) -> None:
        entries = [{**whisper(n), "seq": n, "to": "ann"} for n in (3, 4)]
        self.server.answers["history"] = lambda request: {
            "entries": [one for one in entries if one["seq"] > request["after"]]
        }
        self.log_in_marking(
            {"id": 5, "usr": "bob", "last_seq": 4, "read_seq": 2, "unread": 2},
            {"id": 6, "usr": "cid", "last_seq": 9, "read_seq": 9, "unread": 0},
        )
        self.assertEqual(self.texts(), ["psst 3", "psst 4"])
        self.assertEqual([one["direct"] for one in self.server.asked("history")], [5])
        self.server.push(**entries[1])
        self.server.pump()
        self.assertEqual(self.texts(), ["psst 3", "psst 4"])

    def test_a_resume_names_direct_conversations_and_delivers_what_was_missed(self) -> None:
        self.log_in_marking({"id": 5, "usr": "bob", "last_seq": 4, "read_seq": 4, "unread": 0})
        self.server.push(**{**whisper(5), "seq": 5})
        self.server.pump()
        edit = {"cmd": "c_event", "type": "edited", "at": AT, "usr": "bob", "of": 5, "seq": 6}
        missed = {
            "direct": 5,
            "target_user": "bob",
            "state": "resumed",
            "last_seq": 6,
            "entries": [{**whisper(5), "seq": 5}, {**edit, "target_user": "bob", "msg": "new"}],
        }
        listed = {"id": 5, "usr": "bob", "last_seq": 6, "read_seq": 4, "unread": 1}
        self.server.answers["resume"] = {**resumed(), "resumed": [missed], "directs": [listed]}
        for expected in ({"5": 5}, {"5": 6}):
            self.server.drop()
            self.reconnect()
            self.assertEqual(self.server.asked("resume")[-1]["seen_directs"], expected)
            self.assertEqual(self.texts(), ["psst 5", "new"])

    def test_a_conversation_that_began_meanwhile_is_read_from_the_history(self) -> None:
        self.log_in_marking()
        self.server.answers["history"] = {"entries": [{**whisper(1), "seq": 1, "to": "ann"}]}
        listed = {"id": 7, "usr": "bob", "last_seq": 1, "read_seq": 0, "unread": 1}
        self.server.answers["resume"] = {**resumed(), "directs": [listed]}
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.texts(), ["psst 1"])

    def test_own_direct_messages_are_not_delivered(self) -> None:
        self.log_in_marking()
        self.server.answers["whisper"] = {"id": "mine", "seq": 1, "at": AT}
        self.result("whisper", target_user="bob", msg="hi")
        own = {**whisper(1, "ann"), "id": "mine", "seq": 1, "to": "bob"}
        self.server.push(**own)
        self.server.push(**{**own, "id": "from another session", "seq": 2})
        self.server.pump()
        self.assertEqual(self.texts(), ["psst 1"])

    def test_invitations_are_delivered_once(self) -> None:
        invitation = {"room_name": "x", "usr": "bob", "at": AT}
        self.server.push(cmd="c_invited", msg="come", **invitation)
        self.server.pump()
        other = {**invitation, "room_name": "y"}
        self.server.answers["resume"] = {**resumed(), "invitations": [invitation, other]}
        self.server.drop()
        self.reconnect()
        found = [(e.room, e.user) for e in self.received if isinstance(e, Invitation)]
        self.assertEqual(found, [("x", "bob"), ("y", "bob")])

    def test_a_large_gap_is_read_from_the_history(self) -> None:
        log = [spoken(seq) for seq in range(1, 701)]

        def history(request: dict) -> dict:
            entries = log[request["after"] :][: request["limit"]]
            return {"entries": entries, "more": entries[-1]["seq"] < 700}

        self.server.answers["history"] = history
        self.server.answers["resume"] = resumed(state="behind", last_seq=699)
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.texts(), [f"text {seq}" for seq in range(4, 701)])
        self.assertEqual([ask["after"] for ask in self.server.asked("history")], [3, 203, 403, 603])

    def test_messages_during_the_catch_up_are_delivered_after_it(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=5)
        self.server.answers["history"] = None
        self.server.drop()
        self.reconnect()
        self.server.say(6)
        self.server.pump()
        self.assertEqual(self.texts(), [])
        (request,) = self.server.asked("history")
        log = [spoken(seq) for seq in (4, 5, 6)]
        self.server.answers["history"] = history_of(log)
        self.server.reply(request, entries=log[:2], more=False, log_last=5)
        self.server.pump()
        self.server.say(7)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6", "text 7"])

    def test_a_loss_during_the_catch_up_loses_no_message(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=5)
        self.server.answers["history"] = None
        self.server.drop()
        self.reconnect()
        self.server.say(6)
        self.server.pump()
        self.server.answers["resume"] = resumed(spoken(4), spoken(5), spoken(6), spoken(7))
        self.server.drop()
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.server.requests[-1]["seen"], {"lobby": 3})
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6", "text 7"])

    def test_a_rate_limited_history_request_is_repeated(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=4)
        self.server.answers["history"] = {"code": "rate_limited", "retry_after": 2}
        self.server.drop()
        self.reconnect()
        self.server.answers["history"] = {"entries": [spoken(4)], "more": False}
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4"])

    def test_a_catch_up_ends_with_its_connection(self) -> None:
        log = [spoken(seq) for seq in range(1, 901)]
        refused = {"code": "rate_limited", "retry_after": 2}
        self.server.answers["resume"] = resumed(state="behind", last_seq=900)
        self.server.answers["history"] = refused
        self.server.drop()
        self.reconnect()
        self.server.drop()
        self.server.answers["history"] = None
        self.clock.advance(1)
        self.server.pump()
        self.clock.advance(2)  # the pause of the first connection would be over
        self.server.pump()
        (_, request) = self.server.asked("history")
        page = log[3:203]
        self.server.reply(request, entries=page, more=True)
        log.append(spoken(901))
        self.server.answers["history"] = history_of(log)
        self.server.say(901)
        self.server.pump()
        self.assertEqual(self.texts(), [f"text {seq}" for seq in range(4, 902)])

    def test_rooms_that_the_reply_has_no_space_for_are_read_from_the_history(self) -> None:
        self.result("join_room", room_name="garden")
        self.server.answers["join_room"] = {"room": {"room_name": "garden", "last_seq": 1}}
        self.result("join_room", room_name="garden")
        answer = resumed(spoken(4))
        answer["rooms"] = welcome(lobby=4, garden=3, other=7)["rooms"]
        self.server.answers["resume"] = answer
        self.server.answers["history"] = {
            "entries": [spoken(2, room="garden"), spoken(3, room="garden")]
        }
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.texts(), ["text 4", "text 2", "text 3"])
        self.assertEqual(self.server.asked("history")[0]["room_name"], "garden")

    def test_what_is_pushed_before_all_rooms_are_known_waits_its_turn(
        self,
    ) -> None:
        log = [spoken(seq) for seq in range(1, 7)]
        missed = {**resumed(*log[3:5]), "rooms_next": "x"}
        self.server.answers.update(resume=missed, get_room_list=None, history=history_of(log))
        self.server.drop()
        self.reconnect()
        self.server.push(**log[5])
        self.server.pump()
        self.assertEqual(self.texts(), [])
        self.server.reply(self.server.asked("get_room_list")[0], rooms=[])
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6"])

    def test_a_reset_room_is_reported(self) -> None:
        self.server.answers["resume"] = resumed(state="reset", last_seq=2)
        self.server.drop()
        self.reconnect()
        self.server.say(3)
        self.server.pump()
        reset = RoomReset(room="lobby", reason="unknown", epoch="e1", last_seq=2)
        self.assertEqual(self.received[2], reset)
        self.assertEqual(self.texts(), ["text 3"])

    def test_a_deleted_room_is_reported_and_not_resumed_again(self) -> None:
        self.server.answers["resume"] = {
            **welcome(),
            "resumed": [{"room_name": "lobby", "state": "resumed", "last_seq": 3, "entries": []}]
            + [{"room_name": "garden", "state": "reset", "last_seq": 0, "entries": []}],
        }
        self.server.drop()
        self.reconnect()
        reset = RoomReset(room="garden", reason="left", epoch="e1")
        self.assertEqual(self.received[2], reset)
        self.server.drop()
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.server.asked("resume")[1]["seen"], {"lobby": 3})


class BoundedTests(ConnectedTestCase):
    """Catching up with more than there is space for; no reader takes events at first."""

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.log_in(lobby=0, den=0)
        self.stream = self.connection.events()
        self.log = [spoken(seq) for seq in range(1, 4_001)]
        self.server.answers["history"] = history_of(self.log)
        behind = {"room_name": "lobby", "state": "behind", "last_seq": 4_000}
        answer = {**welcome(lobby=4_000, den=0), "resumed": [behind]}
        self.server.answers["resume"] = answer
        self.server.drop()

    def test_a_page_is_asked_for_when_there_is_space_for_it(self) -> None:
        self.server.answers["ping"] = None
        self.call("ping")  # which changes nothing
        self.reconnect()
        self.assertLessEqual(self.stream.waiting, FULL)
        self.assertGreater(self.stream.waiting, FULL - 2 * PAGE_SIZE)
        pages = len(self.server.asked("history"))
        self.clock.advance(5)
        self.server.pump()
        self.assertEqual(len(self.server.asked("history")), pages)

    def test_what_is_pushed_meanwhile_takes_no_space_and_is_not_lost(self) -> None:
        self.reconnect()
        waiting = self.stream.waiting
        for _ in range(50):
            self.log.append(spoken(len(self.log) + 1))
            self.server.push(**self.log[-1])
        self.server.pump()
        self.assertEqual(self.stream.waiting, waiting)
        self.reading = Deferred.fromCoroutine(self._read_events())
        self.server.pump()
        self.assertEqual(self.texts(), [f"text {seq}" for seq in range(1, 4_051)])
        self.server.say(4_051)
        self.server.pump()
        self.assertEqual(self.texts()[-1], "text 4051")

    def test_another_room_goes_on_meanwhile(self) -> None:
        self.reconnect()
        waiting = self.stream.waiting
        self.server.say(1, room="den")
        self.server.pump()
        self.assertEqual(self.stream.waiting, waiting + 1)

    def test_a_loss_meanwhile_begins_where_it_was(self) -> None:
        self.reconnect()
        self.server.drop()
        self.clock.advance(2)
        self.server.pump()
        seen = self.server.asked("resume")[-1]["seen"]["lobby"]
        self.assertEqual(seen, len(self.server.asked("history")) * PAGE_SIZE)
        self.reading = Deferred.fromCoroutine(self._read_events())
        self.server.pump()
        self.assertEqual(self.texts(), [f"text {seq}" for seq in range(1, 4_001)])


class PendingTests(ConnectedTestCase):
    """Messages whose reply was lost with the connection."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)
        self.server.answers["speak"] = None
        self.calling = self.call("speak", room_name="lobby", msg="mine")
        self.server.drop()

    def test_it_is_sent_again_with_the_same_txn_and_answered_once(self) -> None:  # H18
        self.server.answers["resume"] = resumed(spoken(4), spoken(5, "ann", msg="mine"))
        self.server.answers["speak"] = {"id": "lobby-5", "seq": 5, "dup": True}
        self.reconnect()
        first, second = self.server.asked("speak")
        self.assertEqual(first["txn"], second["txn"])
        self.assertEqual(self.successResultOf(self.calling).seq, 5)
        self.assertEqual(self.texts(), ["text 4"], "an own message is not delivered to its sender")

    def test_it_is_sent_again_until_the_server_accepts_it(self) -> None:
        self.server.answers["resume"] = resumed()
        self.server.answers["speak"] = {"code": "rate_limited", "retry_after": 1}
        self.reconnect()
        self.assertNoResult(self.calling)
        self.server.answers["speak"] = {"id": "lobby-4", "seq": 4}
        self.reconnect()
        self.assertEqual(self.successResultOf(self.calling).seq, 4)

    def test_a_second_loss_sends_it_a_third_time(self) -> None:
        self.server.answers["resume"] = resumed()
        self.reconnect()
        self.server.drop()
        self.server.answers["speak"] = {"id": "lobby-4", "seq": 4}
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.successResultOf(self.calling).seq, 4)
        self.assertEqual(len({request["txn"] for request in self.server.asked("speak")}), 1)

    def test_pushes_do_not_overtake_missed_messages(self) -> None:
        self.server.answers["resume"] = resumed(spoken(4))
        self.reconnect()
        self.server.say(5)
        self.server.pump()
        self.assertEqual(self.texts(), [])
        log = [spoken(4), spoken(5), spoken(6, "ann", msg="mine"), spoken(7)]
        self.server.answers["history"] = history_of(log)
        self.server.reply(self.server.asked("speak")[1], id="lobby-6", seq=6)
        self.server.say(7)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 7"])


class SeenTests(ConnectedTestCase):
    """The last seqs that a resume sends follow what the user does."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3, garden=1)
        self.server.answers["resume"] = welcome(lobby=3, garden=1)

    def seen(self) -> dict[str, int]:
        self.server.drop()
        self.reconnect()
        seen: dict[str, int] = self.server.asked("resume")[-1]["seen"]
        return seen

    def test_an_own_message_counts_as_seen(self) -> None:
        self.server.answers["speak"] = {"id": "x", "seq": 4}
        self.result("speak", room_name="Lobby", msg="hi")
        self.assertEqual(self.seen()["lobby"], 4)

    def test_joining_a_room_adds_it(self) -> None:
        self.server.answers["join_room"] = {"room": {"room_name": "tower", "last_seq": 9}}
        self.result("join_room", room_name="tower")
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1, "tower": 9})

    def test_read_marks_of_another_session_are_not_entries(self) -> None:
        for seq in (2, 9):
            read = {"read_seq": seq, "seq": seq}
            self.server.push(cmd="c_event", type="marked_read", room_name="lobby", **read)
        self.server.pump()
        self.assertEqual(self.kinds(), ["ReadUpTo", "ReadUpTo"])
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1})

    def test_leaving_a_room_removes_it(self) -> None:
        self.result("leave_room", room_name="garden")
        self.assertEqual(self.seen(), {"lobby": 3})

    def test_being_kicked_removes_the_room(self) -> None:
        event = {"cmd": "c_event", "type": "kicked", "room_name": "garden", "seq": 2}
        self.server.push(**event, usr="bob", by="eve")
        self.server.pump()
        self.assertEqual(self.seen()["garden"], 2)
        self.server.push(**{**event, "seq": 3}, usr="ann", by="eve")
        self.server.pump()
        self.assertNotIn("garden", self.seen())

    def test_a_deleted_room_is_removed(self) -> None:
        self.server.push(cmd="c_event", type="room_gone", room_name="garden", usr="eve")
        self.server.pump()
        self.assertEqual(self.seen(), {"lobby": 3})

    def test_another_users_new_room_is_not_added(self) -> None:
        self.server.push(cmd="c_event", type="room_created", room_name="x", usr="eve", seq=1)
        self.server.pump()
        self.assertEqual(len(self.received), 1)
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1})

    def test_a_logout_removes_all_rooms(self) -> None:
        self.result("logout")
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.server.asked("resume"), [])
        self.assertIsNone(self.connection.user)


class LoginAgainTests(ConnectedTestCase):
    """A session that can't be resumed."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.server.answers["resume"] = {"code": "bad_session"}

    def test_after_a_new_login_rooms_go_on_where_they_were(self) -> None:
        self.log_in(lobby=3, garden=9, den=1)
        log = [spoken(seq) for seq in range(1, 6)]
        self.server.answers.update(history=history_of(log), login=welcome(lobby=5, garden=2))
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.server.asked("login")[-1]["usr"], "ann")
        [_, restored, *rest] = self.received
        self.assertEqual(restored, ConnectionRestored(resumed=False))
        resets = [one for one in rest if isinstance(one, RoomReset)]
        self.assertEqual(
            resets,
            [
                RoomReset(room="garden", reason="recreated", epoch="e1", last_seq=2),
                RoomReset(room="den", reason="left", epoch="e1"),
            ],
        )
        self.assertEqual(self.texts(), ["text 4", "text 5"])

    def test_another_epoch_resets_all_rooms_and_forgets_ids(self) -> None:
        self.log_in(lobby=3)
        self.server.answers["speak"] = {"seq": 4, "id": "lobby-2"}
        self.result("speak", room_name="lobby", msg="hi")
        self.server.answers["login"] = {**welcome(lobby=1), "epoch": "e2"}
        self.server.drop()
        self.reconnect()
        reset = RoomReset(room="lobby", reason="epoch", epoch="e2", last_seq=1)
        self.assertEqual(self.received[-1], reset)
        self.server.say(2)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 2"])

    def test_it_logs_in_with_the_changed_password(self) -> None:
        self.server.answers["login"] = welcome()
        self.result("login", type="reg", usr="ann", pwd="password1")
        self.result("update_pwd", pwd="password1", new_pwd="password2", new_pwd2="password2")
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.server.requests[-1]["pwd"], "password2")

    def test_it_logs_in_with_the_token_of_its_device(self) -> None:
        login = {"type": "reg", "usr": "ann", "pwd": "password1", "device": "d", "marks_read": True}
        device = {"cmd": "login", "type": "device", "device": "d", "marks_read": True}
        self.server.answers["login"] = {**welcome(), "device_token": "first"}
        self.result("login", **login, device_name="Phone", remember=True)
        self.server.answers["login"] = welcome()
        for token, change in (("first", {}), ("second", {"device_token": "second"})):
            if change:
                self.server.answers["update_pwd"] = change
                self.result("update_pwd", pwd="password1", new_pwd="p2", new_pwd2="p2")
            self.server.drop()
            self.reconnect()
            request = {k: v for k, v in self.server.requests[-1].items() if k != "tracker"}
            self.assertEqual(request, {**device, "device_token": token})
            self.clock.advance(60)

    def test_a_refused_login_closes_the_connection(self) -> None:
        self.log_in()
        self.server.answers["login"] = {"code": "name_taken", "msg": "Taken."}
        self.server.drop()
        self.reconnect()
        error = self.failureResultOf(self.reading, ConnectionClosed).value
        self.assertIn("Taken.", error.text)
        self.clock.advance(100)
        self.assertEqual(self.server.attempts, 2)

    def test_temporary_errors_are_retried(self) -> None:
        for cmd, code in (
            ("resume", "not_stored"),
            ("login", "locked_out"),
            ("login", "already_logged_in"),
        ):
            self.setUp()
            self.log_in()
            self.server.answers[cmd] = {"code": code, "msg": "Not now."}
            self.server.drop()
            self.reconnect()
            self.assertEqual(self.connection.state, "lost", code)
            self.server.answers[cmd] = resumed()
            self.clock.advance(2)
            self.server.pump()
            self.assertEqual(self.connection.state, "up", code)

    def test_a_guest_who_logged_in_again_does_not_repeat_messages(self) -> None:
        self.log_in()
        self.server.answers["speak"] = None
        calling = self.call("speak", room_name="lobby", msg="hi")
        self.server.drop()
        self.reconnect()
        self.failureResultOf(calling, Unanswered)
        self.assertEqual(len(self.server.asked("speak")), 1)


class OwnEntriesTests(ConnectedTestCase):
    """Replies have the `seq` of an own entry, which is not pushed to this connection."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=0, den=3)

    def seen(self) -> dict[str, int]:
        return dict(self.connection._stream.seen)

    def test_an_own_change_of_a_room_counts_as_seen(self) -> None:
        for seq, cmd in enumerate(("set_room", "kick", "add_member", "remove_member", "speak"), 4):
            self.server.answers[cmd] = {"seq": seq, "at": AT}
            self.result(cmd, room_name="Den", user="bob")
            self.assertEqual(self.seen()["den"], seq, cmd)

    def test_a_change_of_a_message_is_pushed_and_does_not(self) -> None:
        for cmd in ("edit", "delete", "react", "pin", "unpin"):
            self.server.answers[cmd] = {"seq": 9, "at": AT}
            self.result(cmd, room_name="den", seq=1)
            self.assertEqual(self.seen()["den"], 3, cmd)

    def test_what_follows_an_own_join_is_delivered(self) -> None:
        room = {"room_name": "tower", "last_seq": 9}
        self.server.answers["join_room"] = {"room": room, "seq": 7, "at": AT}
        self.result("join_room", room_name="tower")
        for seq in (7, 8, 9):
            self.server.say(seq, room="tower")
        self.server.pump()
        self.assertEqual(self.texts(), ["text 8", "text 9"])

    def test_a_join_that_is_answered_again_goes_back_to_nothing(self) -> None:
        self.server.answers["join_room"] = None
        calling = self.call("join_room", room_name="tower")
        self.server.answers["join_room"] = {
            "room": {"room_name": "tower", "last_seq": 9},
            "seq": 7,
            "dup": True,
        }
        self.server.answers["resume"] = welcome(lobby=0, den=3, tower=9)
        self.server.drop()
        self.reconnect()
        self.assertTrue(self.successResultOf(calling).dup)
        self.assertEqual(self.seen(), {"lobby": 0, "den": 3, "tower": 9})

    def test_a_broadcast_has_no_txn(self) -> None:
        for cmd, has_txn in (("broadcast", False), ("speak", False), ("kick", True)):
            key = {} if has_txn else {"broadcast_key": "k"}
            self.result(cmd, msg="hi", **key)
            self.assertEqual("txn" in self.server.requests[-1], has_txn, cmd)
