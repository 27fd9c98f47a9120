"""Messages that the word filter flags: reports of its own, their bounds, on one node and on two."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.names import user_key
from gtchat.chat.report_store import WORD_FILTER, Report, ReportQuery
from gtchat.chat.word_filter import RECORDS_AT_ONCE, RECORDS_PER_MINUTE
from tests.chat.test_reports import KINDS, ReportsCase
from tests.chat.test_two_nodes import TwoNodesCase
from tests.fakes import TestServer


def add_rule(server: TestServer, pattern: str, action: str = "flag") -> None:
    adding = server.chat.admin.word_filter.add(FilterRule(pattern, action), None, AT_CONSOLE)
    Deferred.fromCoroutine(adding)
    server.run_pending()


class FlagsCase(ReportsCase):
    """The users of `ReportsCase`; messages with spam are flagged."""

    def setUp(self) -> None:
        super().setUp()
        add_rule(self.server, "*spam*")

    def stored(self, **query: Any) -> list[Report]:
        """Return the reports that are stored, oldest first."""
        listing = self.server.chat.reports.listed_for_operator(
            AT_CONSOLE, None, ReportQuery(answered=True, **query)
        )
        return list(reversed(self.done(listing).reports))


class Flagged(FlagsCase):
    def test_a_message_is_sent_and_reported_to_moderators(self) -> None:
        seq = self.say("bob", "buy spam")
        self.assertEqual([push["msg"] for push in self.vox.pushes("c_speak")], ["buy spam"])
        pushes = {name: client.pushes(*KINDS) for name, client in self.clients.items()}
        self.assertEqual({name for name, found in pushes.items() if found}, {"ann", "mod", "max"})
        [push] = pushes["mod"]
        [report] = self.stored()
        wanted = {"type": "reported", "report_id": report.id, "room_name": "r", "usr": "bob"}
        wanted |= {"of": seq, "by": "word filter"}
        self.assertEqual({**push, **wanted}, push)
        self.assertEqual(push.keys() - wanted.keys(), {"cmd", "tracker", "at"})
        self.assertEqual((report.msg, report.seq, report.reporter_id), ("buy spam", seq, None))
        self.assertEqual((report.author, report.rule, report.reason), ("bob", "*spam*", ""))
        self.assertEqual(self.records("filter_flagged"), [])
        self.assertEqual(self.records("reported"), [])

    def test_operators_see_the_rule_and_moderators_do_not(self) -> None:
        self.say("bob", "buy spam")
        [seen] = self.ok("mod", "get_reports")["reports"]
        self.assertEqual(
            (seen["by"], seen["msg"], seen.get("rule")), (WORD_FILTER, "buy spam", None)
        )
        [seen] = self.ok("op", "get_reports", room_name=None)["reports"]
        self.assertEqual((seen["by"], seen["rule"]), (WORD_FILTER, "*spam*"))
        self.assertEqual(self.listed("bob", own=True), [])

    def test_no_user_has_the_name_of_the_filter(self) -> None:
        new = self.server.connect()
        for name in (WORD_FILTER, "Word\u00a0Filter"):
            reply = new.call("register", usr=name, pwd="password")
            self.assertEqual(reply["code"], "bad_name", name)
        self.assertNotIn(" ", user_key("Bob"))

    def test_a_message_that_is_sent_again_is_reported_once(self) -> None:
        for _ in range(2):
            self.ok("bob", "speak", msg="spam", txn="t")
        self.assertEqual(len(self.stored()), 1)

    def test_a_message_that_is_refused_is_not_reported(self) -> None:
        self.assertEqual(self.code("bob", "speak", msg="spam", reply=999), "no_such_message")
        add_rule(self.server, "ham", "refuse")
        self.assertEqual(self.code("bob", "speak", msg="ham and spam"), "filtered")
        self.assertEqual((self.stored(), self.told()), ([], {}))

    def test_each_edit_is_reported_with_its_text(self) -> None:
        for msg in ("spam", "spam", "spam spam", "fine"):
            self.ok("bob", "edit", seq=self.seq, msg=msg)
        reports = self.stored()
        self.assertEqual([one.msg for one in reports], ["spam", "spam spam"])
        self.assertEqual({one.seq for one in reports}, {self.seq})
        self.assertEqual([push["of"] for push in self.mod.pushes("reported")], [self.seq] * 2)

    def test_a_message_may_be_reported_by_users_too(self) -> None:
        seq = self.say("bob", "spam")
        number = self.report(seq=seq)
        self.assertEqual(self.listed("mod"), [number, number - 1])

    def test_moderators_are_told_of_users_of_a_lower_rank_and_operators_of_others(self) -> None:
        self.say("mod", "spam")
        self.assertEqual(self.told(), {"ann": ["reported"]})
        self.assertEqual((self.listed("mod"), self.listed("max")), ([], []))
        self.say("ann", "spam")
        self.assertEqual(self.told(), {"op": ["reported"]})

    def test_in_the_lobby_operators_are_told(self) -> None:
        self.ok("bob", "speak", room_name="lobby", msg="spam")
        self.assertEqual(self.told(), {"op": ["reported"]})
        self.assertEqual([one.room for one in self.stored()], ["lobby"])

    def test_an_answer_is_told_to_no_one(self) -> None:
        self.say("bob", "spam")
        [report] = self.stored()
        self.told()
        request = {"report_id": report.id, "outcome": "accepted", "answer": "gone"}
        self.assertEqual(self.code("bob", "answer_report", **request), "not_allowed")
        self.ok("mod", "answer_report", **request)
        self.assertEqual(self.told(), {})
        [answered] = self.stored()
        self.assertEqual((answered.outcome, answered.answered_by), ("accepted", "mod"))
        [record] = self.records("report_answered")
        self.assertEqual((record.who, record.subject), ("mod", "bob"))


class DirectFlags(FlagsCase):
    def whisper(self, msg: str = "spam", **fields: object) -> dict[str, Any]:
        return self.ok("bob", "whisper", room_name=None, target_user="vox", msg=msg, **fields)

    def test_direct_messages_are_reported_to_operators_if_the_filter_sees_them(self) -> None:
        self.whisper()
        self.assertEqual(self.stored(), [])
        self.server.chat.word_filter.directs = True
        for _ in range(2):
            seq = self.whisper(txn="t")["seq"]
        self.assertEqual(self.told(), {"op": ["reported"]})
        [report] = self.stored()
        self.assertEqual((report.room, report.seq, report.msg), ("", seq, "spam"))
        self.assertEqual(self.listed("ann"), [])

    def test_edits_too(self) -> None:
        self.server.chat.word_filter.directs = True
        seq = self.whisper("hello")["seq"]
        self.ok("bob", "edit", room_name=None, target_user="vox", seq=seq, msg="spam")
        [report] = self.stored()
        self.assertEqual((report.room, report.seq, report.msg), ("", seq, "spam"))
        [push] = self.op.pushes("reported")
        self.assertEqual((push["of"], push.get("room_name")), (seq, None))

    def test_one_that_is_refused_is_not(self) -> None:
        self.server.chat.word_filter.directs = True
        fields = {"room_name": None, "target_user": "vox", "msg": "spam", "reply": 9}
        self.assertEqual(self.code("bob", "speak", **fields), "no_such_message")
        self.assertEqual(self.stored(), [])


class Bounds(FlagsCase):
    def test_one_who_goes_on_is_reported_a_few_times(self) -> None:
        for _ in range(3 * RECORDS_AT_ONCE):
            self.say("bob", "spam")
        self.assertEqual(len(self.stored()), RECORDS_AT_ONCE)
        self.say("vox", "spam")
        self.server.clock.advance(60 / RECORDS_PER_MINUTE)
        self.say("bob", "spam")
        self.assertEqual(len(self.stored()), RECORDS_AT_ONCE + 2)

    def test_guests_of_a_network_share_that(self) -> None:
        for name in ("gus", "hal", "ida"):
            guest = self.server.guest(name)
            for _ in range(2):
                guest.call("speak", room_name="lobby", msg="spam")
        self.assertEqual(len(self.stored()), RECORDS_AT_ONCE)

    def test_of_an_account_few_wait_for_an_answer(self) -> None:
        self.server.chat.limits.reports_per_account = 2
        seqs = [self.say("bob", "spam") for _ in range(3)]
        self.assertEqual([one.seq for one in self.stored()], seqs[:2])
        [record] = self.records("filter_flagged")
        self.assertEqual((record.what["seq"], record.what["room"]), (seqs[2], "r"))
        self.say("vox", "spam")
        self.ok("mod", "answer_report", report_id=self.stored()[0].id, outcome="accepted")
        self.say("bob", "spam")
        self.assertEqual(len(self.stored()), 4)

    def test_half_of_the_reports_of_a_room_are_for_users(self) -> None:
        self.server.chat.limits.reports_per_room = 4
        for who in ("bob", "vox", "bob"):
            self.say(who, "spam")
        self.assertEqual(len(self.stored()), 2)
        self.assertEqual(len(self.records("filter_flagged")), 1)
        for who in ("vox", "max"):
            self.report(who)
        self.assertEqual(self.code("mod", "report", seq=self.seq), "too_many")


class TwoServers(TwoNodesCase):
    """Ann, who owns the room, is at the first; bob is at the second."""

    def test_moderators_of_the_other_server_are_told(self) -> None:
        add_rule(self.first, "spam")
        self.call(self.ann, "create_room", room_name="r")
        self.call(self.bob, "join_room", room_name="r")
        seq = self.call(self.bob, "speak", room_name="r", msg="spam")["seq"]
        self.call(self.bob, "edit", room_name="r", seq=seq, msg="more spam")
        told = self.ann.pushes("reported")
        self.assertEqual(
            [(one["usr"], one["of"], one["by"]) for one in told], [("bob", seq, WORD_FILTER)] * 2
        )
        found = self.call(self.ann, "get_reports", room_name="r")["reports"]
        self.assertEqual([one["msg"] for one in found], ["more spam", "spam"])
        number = found[0]["report_id"]
        self.assertEqual(number, told[1]["report_id"])
        self.call(self.ann, "answer_report", report_id=number, outcome="accepted")
        self.assertEqual(self.bob.pushes(*KINDS), [])

    def test_an_edit_whose_rules_saw_too_little_is_reported_once(self) -> None:
        add_rule(self.first, "spam")
        self.call(self.ann, "create_room", room_name="r")
        self.call(self.bob, "join_room", room_name="r")
        seq = self.call(self.bob, "speak", room_name="r", msg="hello")["seq"]
        self.ann.send("set_room", room_name="r", topic="new")
        self.bob.send("edit", room_name="r", seq=seq, msg="spam")
        self.first.run_pending()
        self.assertEqual(len(self.ann.pushes("reported")), 1)
