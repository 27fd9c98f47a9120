"""The panic switch: who may come in and speak while it is on, on one node and on two."""

from __future__ import annotations

from gtchat.chat.access import AccessSettings
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import BadRequest
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.interfaces import PendingEntry
from gtchat.chat.limits import Limits
from gtchat.chat.panic import MAX_MS, NEW_MS, USUAL_MS
from gtchat.chat.report_store import ReportQuery
from tests.chat.test_access import code_of
from tests.chat.test_administration import Administered
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer, nodes

HOUR_S = USUAL_MS / 1000


class Panic(Administered):
    def setUp(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0, panic_slow_seconds=30)))

    def switch(self, ms: int | None = USUAL_MS, new_ms: int = 1) -> None:
        """Turn it on or off; users of a test are no new accounts if it does not say so."""
        self.server.clock.advance(1)
        self.done(self.admin.access.panic(ms, AT_CONSOLE, new_ms))

    def speak(self, client: FakeClient, room: str = "lobby") -> str:
        return code_of(client, "speak", room_name=room, msg="hi")

    def test_no_user_comes_in_while_it_is_on(self) -> None:
        self.server.member("Ann")
        self.switch()
        new = self.server.connect()
        self.assertEqual(code_of(new, "register", usr="Bob", pwd="password"), "registration_closed")
        self.assertEqual(new.login("Gus")["code"], "not_allowed")
        self.assertEqual(new.login("Ann", pwd="password", device="d")["status"], "ok")
        hello = self.server.connect().call("hello")
        self.assertEqual((hello["registration"], hello["guests"]), ("closed", False))

    def test_new_accounts_stay_new_while_its_time_is_changed(self) -> None:
        bob = self.server.member("Bob")
        self.switch(new_ms=USUAL_MS)
        self.server.clock.advance(HOUR_S - 2)
        self.assertEqual(self.speak(bob), "slow_mode")
        self.switch(new_ms=1)
        self.assertEqual(self.speak(bob), "slow_mode")
        self.switch(None)
        self.switch(new_ms=1)
        self.assertEqual(self.speak(bob), "")

    def test_it_goes_before_what_was_chosen(self) -> None:
        self.use(TestServer(access=AccessSettings("closed", guests=False)))
        for name, value in (("registration", "open"), ("guests", "on")):
            self.done(self.admin.access.choose(name, value, AT_CONSOLE))
        self.switch()
        access = self.server.chat.access
        self.assertEqual((access.registration, access.guests), ("closed", False))
        self.switch(None)
        self.assertEqual((access.registration, access.guests), ("open", True))

    def test_a_user_says_one_thing_at_a_time(self) -> None:
        ann = self.server.member("Ann")
        ann.call("create_room", room_name="Garden")
        bob = self.server.member("Bob")
        self.server.member("Olga")
        bob.call("join_room", room_name="Garden")
        sent = bob.call("speak", room_name="lobby", msg="before")["seq"]
        self.switch()
        self.assertEqual(self.speak(bob), "")
        self.server.clock.advance(10)
        reply = bob.call("speak", room_name="Garden", msg="x")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("slow_mode", 20))
        for cmd, fields in (
            ("speak", {"room_name": "lobby", "msg": "x"}),
            ("whisper", {"target_user": "Ann", "msg": "x"}),
            ("edit", {"room_name": "lobby", "seq": sent, "msg": "x"}),
            ("react", {"room_name": "lobby", "seq": sent, "emoji": "\U0001f600"}),
            ("create_room", {"room_name": "Other"}),
            ("invite", {"room_name": "Garden", "invitee": "Olga"}),
        ):
            self.assertEqual(code_of(bob, cmd, **fields), "slow_mode", cmd)
        self.server.clock.advance(20)
        self.assertEqual(code_of(bob, "edit", room_name="lobby", seq=sent, msg="x"), "")
        self.assertEqual(code_of(bob, "whisper", target_user="Ann", msg="x"), "slow_mode")

    def test_what_is_sent_again_gets_its_ack(self) -> None:
        self.server.member("Ann")
        bob = self.server.member("Bob")
        self.switch()
        said = bob.call("speak", room_name="lobby", msg="hi", txn="1")
        message = {"room_name": "lobby", "seq": said["seq"]}
        requests: list[tuple[str, dict[str, object]]] = [
            ("speak", {"room_name": "lobby", "msg": "reply", "reply": said["seq"]}),
            ("edit", {"msg": "x", **message}),
            ("react", {"emoji": "\U0001f600", **message}),
            ("whisper", {"target_user": "Ann", "msg": "x"}),
            ("delete", {"reason": "typo", **message}),
        ]
        self.assertEqual(bob.call("speak", room_name="lobby", msg="hi", txn="1")["dup"], True)
        for cmd, fields in requests:
            self.server.clock.advance(30)
            first = bob.call(cmd, txn=cmd, **fields)
            self.assertEqual(first["status"], "ok", cmd)
            again = bob.call(cmd, txn=cmd, **fields)
            self.assertEqual((again.get("seq"), again.get("dup")), (first.get("seq"), True), cmd)
            other = {**fields, "txn": f"{cmd} 2"}
            self.assertEqual(code_of(bob, cmd, **other), "slow_mode", cmd)
        self.assertEqual(len(bob.call("history", room_name="lobby")["entries"]), 2)

    def test_what_was_sent_before_it_was_on_gets_its_ack(self) -> None:
        gus = self.server.guest("Gus")
        sent = {"room_name": "lobby", "msg": "hi", "txn": "1"}
        seq = gus.call("speak", **sent)["seq"]
        self.switch()
        self.assertEqual(gus.call("speak", **sent)["seq"], seq)
        self.assertEqual(code_of(gus, "speak", **{**sent, "msg": "ho"}), "txn_conflict")

    def test_a_user_who_is_refused_has_few_requests_looked_up(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0, commands_burst=3)))
        bob = self.server.member("Bob")
        sent = {"room_name": "lobby", "msg": "hi", "txn": "1"}
        seq = bob.call("speak", **sent)["seq"]
        message = {"room_name": "lobby", "seq": seq, "emoji": "\U0001f600"}
        self.switch()
        self.speak(bob)
        looked_up: list[PendingEntry] = []
        append = self.server.store.append

        def count(pending: PendingEntry) -> None:
            looked_up.append(pending)
            append(pending)

        self.patch(self.server.store, "append", count)
        for number in range(9):
            for cmd, fields in (("speak", {**sent, "txn": f"t{number}"}), ("react", message)):
                fields = {"txn": f"{cmd}{number}", **fields}
                self.assertEqual(code_of(bob, cmd, **fields), "slow_mode", cmd)
        self.assertEqual(len(looked_up), 3)
        reply = bob.call("speak", **sent)
        self.assertEqual(reply["code"], "slow_mode")
        self.server.clock.advance(reply["retry_after"])
        self.assertEqual(bob.call("speak", **sent)["seq"], seq)
        self.assertEqual(len(looked_up), 4)

    def test_the_word_filter_does_not_see_what_is_refused(self) -> None:
        bob = self.server.member("Bob")
        self.done(self.admin.word_filter.add(FilterRule("spam", "flag"), None, AT_CONSOLE))
        self.switch()
        self.speak(bob)
        for _ in range(9):
            code_of(bob, "speak", room_name="lobby", msg="spam", txn="1")
        self.server.clock.advance(30)
        bob.call("speak", room_name="lobby", msg="spam", txn="1")
        listing = self.server.chat.reports.listed_for_operator(AT_CONSOLE, None, ReportQuery())
        self.assertEqual([one.msg for one in self.done(listing).reports], ["spam"])

    def test_a_message_that_is_refused_for_something_else_does_not_count(self) -> None:
        bob = self.server.member("Bob")
        self.switch()
        self.assertEqual(code_of(bob, "speak", room_name="lobby", msg="x" * 5000), "too_long")
        self.assertEqual(self.speak(bob), "")

    def test_moderators_speak_in_their_rooms_and_operators_everywhere(self) -> None:
        ann = self.server.member("Ann")
        ann.call("create_room", room_name="Garden")
        self.server.member("Olga")
        self.done(self.admin.accounts.set_operator("olga", True, AT_CONSOLE))
        olga = self.server.connect()
        olga.login("Olga", pwd="password", device="d")
        host = self.done(
            self.server.chat.logins.login_host(RecordingEncoder(), RecordingConnection())
        )
        self.switch()
        self.assertEqual([self.speak(ann, "Garden") for _ in range(2)], ["", ""])
        self.assertEqual([self.speak(ann) for _ in range(2)], ["", "slow_mode"])
        self.assertEqual([self.speak(olga) for _ in range(2)], ["", ""])
        done: list[object] = []
        for _ in range(2):
            self.server.chat.speak(host, "lobby", "hi", None, done.append)
        self.server.run_pending()
        self.assertEqual(len(done), 2)

    def test_guests_can_only_read(self) -> None:
        gus = self.server.guest("Gus")
        self.switch()
        reply = gus.call("speak", room_name="lobby", msg="x")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("slow_mode", HOUR_S))
        self.assertEqual(code_of(gus, "history", room_name="lobby"), "")
        self.switch(None)
        self.assertEqual(self.speak(gus), "")

    def test_guests_delete_without_a_reason(self) -> None:
        gus = self.server.guest("Gus")
        seq = gus.call("speak", room_name="lobby", msg="hi")["seq"]
        self.switch()
        delete = {"room_name": "lobby", "seq": seq}
        self.assertEqual(code_of(gus, "delete", reason="read me", **delete), "slow_mode")
        self.assertEqual(code_of(gus, "delete", **delete), "")

    def test_new_accounts_can_only_read(self) -> None:
        old = self.server.member("Old")
        self.server.clock.advance(3600)
        new = self.server.member("New")
        self.switch(new_ms=NEW_MS)
        self.assertEqual([self.speak(old), self.speak(new)], ["", "slow_mode"])
        self.server.clock.advance(60)
        self.assertEqual([self.speak(old), self.speak(new)], ["", "slow_mode"])
        self.assertEqual(code_of(new, "whisper", target_user="Old", msg="x"), "slow_mode")
        self.assertEqual(code_of(new, "set_profile", about="x"), "slow_mode")
        new.call("create_room", room_name="Own")
        self.switch(None)
        self.assertEqual(self.speak(new), "")

    def test_it_ends_at_its_time(self) -> None:
        gus = self.server.guest("Gus")
        self.switch()
        self.server.clock.advance(HOUR_S - 1)
        self.assertEqual(self.speak(gus), "slow_mode")
        self.server.clock.advance(1)
        self.assertEqual([self.speak(gus) for _ in range(3)], ["", "", ""])
        self.assertEqual(self.server.connect().login("Hal")["status"], "ok")

    def test_it_survives_a_restart(self) -> None:
        self.switch()
        self.server.start()
        self.assertTrue(self.server.chat.access.panic.is_on)
        self.assertEqual(self.server.connect().login("Gus")["code"], "not_allowed")

    def test_without_seconds_there_is_no_slow_mode(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0, panic_slow_seconds=0)))
        bob = self.server.member("Bob")
        self.switch()
        self.assertEqual([self.speak(bob) for _ in range(3)], ["", "", ""])

    def test_it_has_an_end_within_a_week(self) -> None:
        for ms in (0, MAX_MS + 1):
            self.refused(self.admin.access.panic(ms, AT_CONSOLE), BadRequest)
        self.assertFalse(self.server.chat.access.panic.is_on)

    def test_a_stored_value_that_is_no_time_is_off(self) -> None:
        for value in ("on", "", "9" * 17 + " 0", "-1 0", "9000000000000"):
            self.server.chat.access.choose("panic", value)
            self.assertFalse(self.server.chat.access.panic.is_on, value)

    def test_it_is_recorded(self) -> None:
        self.switch()
        self.switch(None)
        found = self.done(self.admin.audit(AuditQuery(code="chosen")))
        shown = [(one.who, one.what["setting"], one.what["value"]) for one in found]
        self.assertEqual(
            shown,
            [
                ("(console)", "panic", "off"),
                ("(console)", "panic", "on for 3600 s, accounts of the last 0 s are new"),
            ],
        )

    def test_it_holds_at_each_node_at_once(self) -> None:
        first, second = nodes(2)
        self.use(first)
        gus = second.guest("Gus")
        self.switch()
        self.server.run_pending()
        self.assertEqual(self.speak(gus), "slow_mode")
        self.assertEqual(second.connect().login("Hal")["code"], "not_allowed")
        self.switch(None)
        self.server.run_pending()
        self.assertEqual(self.speak(gus), "")
