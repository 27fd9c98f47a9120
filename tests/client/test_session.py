"""Coming back after a lost connection: nothing is lost, nothing is told twice."""

from __future__ import annotations

from gtchat.client import Ended, Reset, Unanswered
from tests.client.fakes import ConnectedTestCase, resumed, spoken, welcome, whisper


class ResumeTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)

    def test_a_resume_says_what_was_seen(self) -> None:
        self.server.say(4)
        self.server.pump()
        self.server.drop()
        self.come_back()
        (request,) = self.server.asked("resume")
        self.assertEqual(request["session_id"], "secret")
        self.assertEqual(request["epoch"], "e1")
        self.assertEqual(request["seen"], {"lobby": 4})

    def test_missed_entries_are_told_in_order_and_once(self) -> None:
        self.server.say(4)
        self.server.pump()
        self.server.answers["resume"] = resumed(*(spoken(seq) for seq in (3, 4, 5, 6)))
        self.server.drop()
        self.come_back()
        self.server.say(6)
        self.server.say(7)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6", "text 7"])

    def test_it_is_told_that_the_connection_is_back_before_what_was_missed(self) -> None:
        self.server.answers["resume"] = resumed(spoken(4))
        self.server.drop()
        self.come_back()
        self.assertEqual(self.kinds(), ["Lost", "Back", "Push"])

    def test_missed_whispers_are_told_once(self) -> None:
        self.server.push(**whisper(1))
        self.server.pump()
        self.server.answers["resume"] = {**resumed(), "whispers": [whisper(1), whisper(2)]}
        self.server.drop()
        self.come_back()
        self.server.push(**whisper(2))
        self.server.pump()
        self.assertEqual(self.texts(), ["psst 1", "psst 2"])

    def test_invitations_are_told_once(self) -> None:
        invitation = {"cmd": "c_invited", "room_name": "x", "usr": "bob", "msg": "come", "at": "t"}
        self.server.push(**invitation)
        self.server.pump()
        self.server.answers["resume"] = {**resumed(), "invitations": [invitation]}
        self.server.drop()
        self.come_back()
        self.assertEqual(self.texts(), ["come"])

    def test_more_than_a_resume_gives_is_read_from_the_history(self) -> None:
        log = [spoken(seq) for seq in range(1, 701)]

        def history(request: dict) -> dict:
            entries = log[request["after"] :][: request["limit"]]
            return {"entries": entries, "more": entries[-1]["seq"] < 700}

        self.server.answers["history"] = history
        self.server.answers["resume"] = resumed(state="behind", last_seq=699)
        self.server.drop()
        self.come_back()
        self.assertEqual(self.texts(), [f"text {seq}" for seq in range(4, 701)])
        self.assertEqual([ask["after"] for ask in self.server.asked("history")], [3, 203, 403, 603])

    def test_what_comes_while_history_is_read_is_told_after_it(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=5)
        self.server.answers["history"] = None
        self.server.drop()
        self.come_back()
        self.server.say(6)
        self.server.pump()
        self.assertEqual(self.texts(), [])
        (request,) = self.server.asked("history")
        self.server.reply(request, entries=[spoken(4), spoken(5)], more=False)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6"])

    def test_a_loss_while_history_is_read_loses_nothing(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=5)
        self.server.answers["history"] = None
        self.server.drop()
        self.come_back()
        self.server.say(6)
        self.server.pump()
        self.server.answers["resume"] = resumed(spoken(4), spoken(5), spoken(6), spoken(7))
        self.server.drop()
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.server.requests[-1]["seen"], {"lobby": 3})
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 6", "text 7"])

    def test_history_that_is_asked_for_too_fast_is_asked_for_again(self) -> None:
        self.server.answers["resume"] = resumed(state="behind", last_seq=4)
        self.server.answers["history"] = {"code": "rate_limited", "retry_after": 2}
        self.server.drop()
        self.come_back()
        self.server.answers["history"] = {"entries": [spoken(4)], "more": False}
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4"])

    def test_a_room_that_is_not_what_it_was_is_told(self) -> None:
        self.server.answers["resume"] = resumed(state="reset", last_seq=2)
        self.server.drop()
        self.come_back()
        self.server.say(3)
        self.server.pump()
        self.assertEqual(self.heard[2], Reset("lobby", 2, gone=False))
        self.assertEqual(self.texts(), ["text 3"])

    def test_a_room_that_is_gone_is_told_and_not_asked_for_any_more(self) -> None:
        self.server.answers["resume"] = {
            **welcome(),
            "resumed": [{"room_name": "lobby", "state": "resumed", "last_seq": 3, "entries": []}]
            + [{"room_name": "garden", "state": "reset", "last_seq": 0, "entries": []}],
        }
        self.server.drop()
        self.come_back()
        self.assertEqual(self.heard[2], Reset("garden", 0, gone=True))
        self.server.drop()
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.server.asked("resume")[1]["seen"], {"lobby": 3})


class PendingTests(ConnectedTestCase):
    """Messages whose answer was lost with the connection."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)
        self.server.answers["speak"] = None
        self.calling = self.call("speak", room_name="lobby", msg="mine")
        self.server.drop()

    def test_it_is_sent_again_with_the_same_mark_and_answered_once(self) -> None:  # H18
        self.server.answers["resume"] = resumed(spoken(4), spoken(5, "ann", msg="mine"))
        self.server.answers["speak"] = {"id": "lobby-5", "seq": 5, "dup": True}
        self.come_back()
        first, second = self.server.asked("speak")
        self.assertEqual(first["txn"], second["txn"])
        self.assertEqual(self.successResultOf(self.calling).seq, 5)
        self.assertEqual(self.texts(), ["text 4"], "one's own message is not told to oneself")

    def test_it_is_sent_again_until_the_server_takes_it(self) -> None:
        self.server.answers["resume"] = resumed()
        self.server.answers["speak"] = {"code": "rate_limited", "retry_after": 1}
        self.come_back()
        self.assertNoResult(self.calling)
        self.server.answers["speak"] = {"id": "lobby-4", "seq": 4}
        self.come_back()
        self.assertEqual(self.successResultOf(self.calling).seq, 4)

    def test_a_second_loss_sends_it_a_third_time(self) -> None:
        self.server.answers["resume"] = resumed()
        self.come_back()
        self.server.drop()
        self.server.answers["speak"] = {"id": "lobby-4", "seq": 4}
        self.clock.advance(2)
        self.server.pump()
        self.assertEqual(self.successResultOf(self.calling).seq, 4)
        self.assertEqual(len({request["txn"] for request in self.server.asked("speak")}), 1)

    def test_pushes_do_not_overtake_what_was_missed(self) -> None:
        self.server.answers["resume"] = resumed(spoken(4))
        self.come_back()
        self.server.say(5)
        self.server.pump()
        self.assertEqual(self.texts(), [])
        self.server.reply(self.server.asked("speak")[1], id="lobby-6", seq=6)
        self.server.say(7)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4", "text 5", "text 7"])


class SeenTests(ConnectedTestCase):
    """What a resume is asked for follows what one does."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3, garden=1)
        self.server.answers["resume"] = welcome(lobby=3, garden=1)

    def seen(self) -> dict[str, int]:
        self.server.drop()
        self.come_back()
        seen: dict[str, int] = self.server.asked("resume")[-1]["seen"]
        return seen

    def test_ones_own_message_is_seen(self) -> None:
        self.server.answers["speak"] = {"id": "x", "seq": 4}
        self.result("speak", room_name="Lobby", msg="hi")
        self.assertEqual(self.seen()["lobby"], 4)

    def test_a_room_that_one_enters(self) -> None:
        self.server.answers["join_room"] = {"room": {"room_name": "tower", "last_seq": 9}}
        self.result("join_room", room_name="tower")
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1, "tower": 9})

    def test_what_another_session_has_read_is_told_and_is_no_entry(self) -> None:
        for seq in (2, 9):
            self.server.push(cmd="c_event", type="marked_read", room_name="lobby", seq=seq)
        self.server.pump()
        self.assertEqual(self.kinds(), ["Push", "Push"])
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1})

    def test_a_room_that_one_leaves(self) -> None:
        self.result("leave_room", room_name="garden")
        self.assertEqual(self.seen(), {"lobby": 3})

    def test_a_room_that_one_is_put_out_of(self) -> None:
        event = {"cmd": "c_event", "type": "kicked", "room_name": "garden", "seq": 2}
        self.server.push(**event, usr="bob", by="eve")
        self.server.pump()
        self.assertEqual(self.seen()["garden"], 2)
        self.server.push(**{**event, "seq": 3}, usr="ann", by="eve")
        self.server.pump()
        self.assertNotIn("garden", self.seen())

    def test_a_room_that_is_no_more(self) -> None:
        self.server.push(cmd="c_event", type="room_gone", room_name="garden", usr="eve")
        self.server.pump()
        self.assertEqual(self.seen(), {"lobby": 3})

    def test_somebody_elses_new_room_is_not_ones_own(self) -> None:
        self.server.push(cmd="c_event", type="room_created", room_name="x", usr="eve", seq=1)
        self.server.pump()
        self.assertEqual(len(self.heard), 1)
        self.assertEqual(self.seen(), {"lobby": 3, "garden": 1})

    def test_a_logout_forgets_all(self) -> None:
        self.result("logout")
        self.server.drop()
        self.come_back()
        self.assertEqual(self.server.asked("resume"), [])
        self.assertEqual(self.connection.user, "")


class LoginAnewTests(ConnectedTestCase):
    """A session that can't be resumed."""

    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.server.answers["resume"] = {"code": "bad_session"}

    def test_it_logs_in_anew_and_all_rooms_are_to_be_loaded(self) -> None:
        self.log_in(lobby=3, garden=1)
        self.server.answers["login"] = welcome(lobby=2)
        self.server.drop()
        self.come_back()
        self.assertEqual(self.server.requests[-1]["usr"], "ann")
        self.assertEqual(self.heard[2:], [Reset("lobby", 2, False), Reset("garden", 0, True)])

    def test_it_logs_in_with_the_password_that_was_changed(self) -> None:
        self.server.answers["login"] = welcome()
        self.result("login", type="reg", usr="ann", pwd="password1")
        self.result("update_pwd", pwd="password1", new_pwd="password2", new_pwd2="password2")
        self.server.drop()
        self.come_back()
        self.assertEqual(self.server.requests[-1]["pwd"], "password2")

    def test_what_can_not_be_mended_ends_it(self) -> None:
        self.log_in()
        self.server.answers["login"] = {"code": "name_taken", "msg": "Taken."}
        self.server.drop()
        self.come_back()
        error = self.failureResultOf(self.ended, Ended).value
        self.assertIn("Taken.", error.text)
        self.clock.advance(100)
        self.assertEqual(self.server.attempts, 2)

    def test_what_passes_by_itself_is_waited_for(self) -> None:
        self.log_in()
        self.server.answers["resume"] = {"code": "not_stored", "msg": "Disk full."}
        self.server.drop()
        self.come_back()
        self.assertFalse(self.connection.is_up)
        self.server.answers["resume"] = resumed()
        self.clock.advance(2)
        self.server.pump()
        self.assertTrue(self.connection.is_up)

    def test_a_guest_who_is_another_person_now_does_not_speak_twice(self) -> None:
        self.log_in()
        self.server.answers["speak"] = None
        calling = self.call("speak", room_name="lobby", msg="hi")
        self.server.drop()
        self.come_back()
        self.failureResultOf(calling, Unanswered)
        self.assertEqual(len(self.server.asked("speak")), 1)
