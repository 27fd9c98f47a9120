"""Reports of messages, as those see them who make, see and answer them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE, Actor
from gtchat.chat.errors import BadRequest, NotAllowed
from gtchat.chat.report_store import ReportQuery
from gtchat.chat.reports import REPORTS_LIMIT
from tests.chat.test_moderation import ModeratedCase
from tests.chat.test_two_nodes import TwoNodesCase
from tests.fakes import FakeClient

KINDS = ("reported", "report_answered")


class ReportsCase(ModeratedCase):
    """Ann owns the room, mod and max moderate it; op is an operator, who is not in it."""

    def setUp(self) -> None:
        super().setUp()
        self.op = self.clients["op"] = self.operator("op")
        self.seq = int(self.ok("bob", "speak", msg="buy this")["seq"])
        self.clear()

    def operator(self, name: str) -> FakeClient:
        """Return a client of an operator."""
        self.server.member(name)
        operator = self.server.chat.admin.accounts.set_operator(name, True, AT_CONSOLE)
        self.done(operator)
        client = self.server.connect()
        client.login(name, pwd="password")
        return client

    def done(self, coroutine: Any) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return self.successResultOf(result)

    def report(self, who: str = "vox", seq: int | None = None, **fields: object) -> int:
        """Report a message; return the number of the report."""
        reply = self.ok(who, "report", seq=seq or self.seq, **fields)
        return int(reply["report_id"])

    def told(self) -> dict[str, list[str]]:
        """Take the pushes about reports: who has got which kinds."""
        kinds = {
            name: [push["type"] for push in client.pushes(*KINDS)]
            for name, client in self.clients.items()
        }
        return {name: found for name, found in kinds.items() if found}

    def listed(self, who: str, room: str | None = "r", **fields: object) -> list[int]:
        """Return the numbers of the reports that a user sees."""
        reply = self.ok(who, "get_reports", room_name=room, **fields)
        return [one["report_id"] for one in reply["reports"]]

    def say(self, who: str, msg: str = "x") -> int:
        return int(self.ok(who, "speak", msg=msg)["seq"])

    def records(self, code: str) -> list[Any]:
        return list(self.done(self.server.chat.admin.audit(AuditQuery(code=code))))


class Reporting(ReportsCase):
    def test_moderators_are_told_and_see_a_copy_of_the_message(self) -> None:
        number = self.report(reason="spam")
        pushes = {name: client.pushes(*KINDS) for name, client in self.clients.items()}
        self.assertEqual({name for name, found in pushes.items() if found}, {"ann", "mod", "max"})
        [push] = pushes["mod"]
        wanted = {
            "type": "reported",
            "report_id": number,
            "room_name": "r",
            "usr": "bob",
            "of": self.seq,
            "by": "vox",
            "reason": "spam",
        }
        self.assertEqual({**push, **wanted}, push)
        self.assertEqual(push.keys() - wanted.keys(), {"cmd", "tracker", "at"})
        self.ok("bob", "edit", seq=self.seq, msg="nothing")
        self.ok("bob", "delete", seq=self.seq)
        [found] = self.ok("mod", "get_reports")["reports"]
        wanted = {"report_id": number, "room_name": "r", "seq": self.seq, "usr": "bob"}
        wanted |= {"msg": "buy this", "by": "vox", "reason": "spam"}
        self.assertEqual({**found, **wanted}, found)
        self.assertEqual(found.keys() - wanted.keys(), {"sent", "at"})
        [record] = self.records("reported")
        self.assertEqual((record.who, record.subject, record.what["room"]), ("vox", "bob", "r"))

    def test_the_text_is_the_one_that_was_reported(self) -> None:
        self.ok("bob", "edit", seq=self.seq, msg="new text")
        self.report()
        [found] = self.ok("ann", "get_reports")["reports"]
        self.assertEqual((found["msg"], found["reason"]), ("new text", ""))

    def test_a_repetition_is_the_same_report(self) -> None:
        number = self.report(reason="spam")
        self.told()
        reply = self.ok("vox", "report", seq=self.seq, reason="other")
        self.assertEqual((reply["report_id"], reply["dup"]), (number, True))
        self.assertEqual(self.told(), {})
        other = self.report("ann")
        self.assertNotEqual(other, number)
        self.assertEqual(self.listed("ann"), [other, number])
        self.assertEqual(len(self.records("reported")), 2)

    def test_only_messages_that_the_user_can_read_are_reported(self) -> None:
        gone = self.say("bob")
        self.ok("ann", "delete", seq=gone)
        own, entry = self.say("vox"), self.seq - 1
        for who, fields, code in (
            ("op", {}, "not_in_room"),
            ("vox", {"room_name": "nowhere"}, "no_such_room"),
            ("vox", {"seq": own}, "self_target"),
            ("vox", {"seq": gone}, "deleted"),
            ("vox", {"seq": entry}, "no_such_message"),
            ("vox", {"seq": 10_000}, "no_such_message"),
            ("vox", {"seq": 0}, "no_such_message"),
            ("vox", {"reason": "x" * 501}, "too_long"),
            ("vox", {"reason": "\0"}, "bad_request"),
            ("vox", {"room_name": None, "target_user": "bob"}, "no_such_message"),
        ):
            fields = {"seq": self.seq, **fields}
            self.assertEqual(self.code(who, "report", **fields), code, fields)
        self.assertEqual(self.told(), {})
        self.ok("ann", "kick", user="vox")
        self.assertEqual(self.code("vox", "report", seq=self.seq), "not_in_room")

    def test_blocks_and_mutes_keep_no_report_back(self) -> None:
        self.ok("bob", "block", user="vox")
        self.ok("vox", "block", user="bob")
        self.ok("mod", "block", user="vox")
        self.ok("ann", "mute", user="vox")
        self.clear()
        number = self.report()
        self.assertEqual(self.told().keys(), {"ann", "mod", "max"})
        self.assertEqual(self.listed("mod"), [number])

    def test_a_report_is_kept_when_the_room_or_the_author_is_gone(self) -> None:
        gus = self.server.guest("gus")
        self.ok(gus, "join_room")
        of_guest = self.report(seq=self.say(gus))
        of_bob = self.report()
        self.ok(gus, "logout")
        self.assertEqual(self.listed("mod"), [of_bob, of_guest])
        self.ok("ann", "delete_room")
        self.assertEqual(self.code("mod", "get_reports"), "no_such_room")
        self.assertEqual(self.code("mod", "answer_report", **self.answer(of_bob)), "not_allowed")
        self.ok("mod", "create_room")
        self.assertEqual(self.listed("mod"), [])
        self.assertEqual(self.listed("op", None), [of_bob, of_guest])
        self.ok("op", "answer_report", **self.answer(of_bob))

    def answer(self, number: int) -> dict[str, object]:
        return {"report_id": number, "outcome": "accepted"}

    def test_the_report_of_a_guest_stays_when_the_guest_has_gone(self) -> None:
        gus = self.server.guest("gus")
        self.ok(gus, "join_room")
        number = int(self.ok(gus, "report", seq=self.seq)["report_id"])
        self.ok(gus, "logout")
        self.assertEqual(self.listed("ann"), [number])
        self.ok("ann", "answer_report", **self.answer(number))


class Bounds(ReportsCase):
    limits = {"reports_per_account": 2, "reports_per_room": 3, "reports_per_hour": 4}

    def code_of(self, who: str | FakeClient) -> str:
        """Report a new message of bob; return the code of the refusal."""
        return self.code(who, "report", seq=self.say("bob"))

    def test_reports_that_wait_are_bounded(self) -> None:
        codes = [self.code_of("vox") for _ in range(3)]
        self.assertEqual(codes, ["ok", "ok", "too_many"])
        self.assertEqual([self.code_of("ann") for _ in range(2)], ["ok", "too_many"])
        self.ok("ann", "answer_report", report_id=1, outcome="dismissed")
        self.assertEqual(self.code_of("vox"), "ok")

    def test_an_account_reports_so_often_in_an_hour(self) -> None:
        for number in range(1, 5):
            self.assertEqual(self.code_of("vox"), "ok")
            self.ok("ann", "answer_report", report_id=number, outcome="dismissed")
        reply = self.call("vox", "report", seq=self.say("bob"))
        self.assertEqual(reply["code"], "rate_limited")
        self.assertAlmostEqual(reply["retry_after"], 900, delta=1)
        self.assertEqual(self.code_of("max"), "ok")

    def test_guests_of_an_address_share_a_rate(self) -> None:
        guests = [self.server.guest(f"g{number}") for number in range(3)]
        codes = []
        for guest in guests:
            self.ok(guest, "join_room")
            for _ in range(2):
                codes.append(self.code_of(guest))
                found = self.listed("ann")
                for number in found:
                    self.ok("ann", "answer_report", report_id=number, outcome="dismissed")
        self.assertEqual(codes, ["ok"] * 4 + ["rate_limited"] * 2)

    def test_a_full_disk_takes_no_report(self) -> None:
        seq = self.seq
        self.server.chat.quota.disk_full = True
        self.assertEqual(self.code("vox", "report", seq=seq), "not_stored")

    def test_old_reports_are_deleted(self) -> None:
        number = self.report()
        self.server.clock.advance(90 * 24 * 3600 - 3600)
        self.server.run_pending()
        again = self.server.connect()
        again.login("ann", pwd="password", device="d")
        self.assertEqual(self.listed_by(again), [number])
        self.server.clock.advance(7200)
        self.server.run_pending()
        again = self.server.connect()
        again.login("ann", pwd="password", device="d")
        self.assertEqual(self.listed_by(again), [])

    def listed_by(self, client: FakeClient) -> list[int]:
        return [one["report_id"] for one in self.ok(client, "get_reports")["reports"]]


class Seeing(ReportsCase):
    def test_moderators_see_reports_about_lower_ranks_only(self) -> None:
        reports = {
            name: self.report("vox" if name != "vox" else "bob", seq=self.say(name))
            for name in ("ann", "mod", "max", "vox", "bob")
        }
        for who, about in (
            ("ann", ["mod", "max", "vox", "bob"]),
            ("mod", ["vox", "bob"]),
            ("op", ["ann", "mod", "max", "vox", "bob"]),
        ):
            wanted = [reports[name] for name in reversed(about)]
            self.assertEqual(self.listed(who), wanted, who)
            for name, number in reports.items():
                if name not in about:
                    request = {"report_id": number, "outcome": "dismissed"}
                    self.assertEqual(self.code(who, "answer_report", **request), "not_allowed")

    def test_those_are_told_who_may_answer(self) -> None:
        for author, wanted in (
            ("bob", {"ann", "mod", "max"}),
            ("vox", {"ann", "mod", "max"}),
            ("mod", {"ann"}),
            ("ann", {"op"}),
        ):
            self.report("bob" if author != "bob" else "vox", seq=self.say(author))
            self.assertEqual(self.told().keys(), wanted, author)

    def test_an_owner_who_was_a_moderator_is_told_once(self) -> None:
        self.ok("ann", "set_room", master="mod")
        self.clear()
        self.report(seq=self.seq)
        self.assertEqual(self.told(), {"mod": ["reported"], "max": ["reported"]})

    def test_in_the_lobby_operators_are_told_until_it_has_moderators(self) -> None:
        lobby = {"room_name": "lobby"}
        seq = self.ok("bob", "speak", msg="x", **lobby)["seq"]
        self.clear()
        self.report("ann", seq=seq, **lobby)
        self.assertEqual(self.told(), {"op": ["reported"]})
        appointed = self.server.chat.moderators.appoint("lobby", "max", "moderator", AT_CONSOLE)
        self.done(appointed)
        number = self.report("vox", seq=seq, **lobby)
        self.assertEqual(self.told(), {"max": ["reported"]})
        self.ok("max", "answer_report", report_id=number, outcome="accepted")

    def test_who_is_no_member_brings_no_room_into_memory(self) -> None:
        number = self.report()
        self.server.start()
        eve = self.server.member("eve")
        answer = {"report_id": number, "outcome": "accepted"}
        self.assertEqual(self.code(eve, "answer_report", **answer), "not_allowed")
        for fields, code in (({}, "not_owner"), ({"own": True}, "ok")):
            self.assertEqual(self.code(eve, "get_reports", **fields), code)
        self.assertIsNone(self.server.chat.rooms.find_displayed("r"))

    def test_members_see_none_but_their_own(self) -> None:
        first, second = self.report("vox"), self.report("max")
        for who in ("vox", "bob"):
            self.assertEqual(self.code(who, "get_reports"), "not_owner")
        self.assertEqual(self.code("ann", "get_reports", room_name=None), "not_owner")
        self.assertEqual(self.listed("vox", own=True), [first])
        self.assertEqual(self.listed("max", None, own=True), [second])
        self.assertEqual(self.listed("bob", None, own=True), [])
        self.assertEqual(self.code("vox", "get_reports", room_name="x", own=True), "no_such_room")

    def test_operators_see_all_with_a_record(self) -> None:
        number = self.report()
        self.assertEqual(self.listed("op", None), [number])
        self.assertEqual(self.listed("op", "r"), [number])
        self.assertEqual(self.listed("op", "lobby"), [])
        [record, *_] = self.records("admin_read")
        self.assertEqual((record.who, record.what["command"]), ("op", "get_reports"))

    def test_one_who_is_no_operator_any_more_is_told_of_no_report(self) -> None:
        taken = self.server.chat.admin.accounts.set_operator("op", False, AT_CONSOLE)
        self.done(taken)
        sent = self.ok("bob", "whisper", target_user="vox", msg="buy this")["seq"]
        self.ok("vox", "report", target_user="bob", room_name=None, seq=sent)
        self.assertEqual(self.told(), {})

    def test_an_operator_does_not_judge_the_own_messages(self) -> None:
        self.ok("op", "join_room")
        number = self.report(seq=self.say("op"))
        self.assertNotIn("op", self.told())
        self.assertEqual(self.listed("op", None), [])
        request = {"report_id": number, "outcome": "dismissed"}
        self.assertEqual(self.code("op", "answer_report", **request), "not_allowed")
        reports = self.server.chat.reports
        result = Deferred.fromCoroutine(
            reports.answer_as_operator(Actor("op"), number, "dismissed", "")
        )
        self.server.run_pending()
        self.failureResultOf(result, NotAllowed)
        wrong = Deferred.fromCoroutine(reports.answer_as_operator(AT_CONSOLE, number, "king", ""))
        self.server.run_pending()
        self.failureResultOf(wrong, BadRequest)
        self.done(reports.answer_as_operator(AT_CONSOLE, number, "dismissed", ""))
        [push] = self.vox.pushes("report_answered")
        self.assertEqual(push["outcome"], "dismissed")

    def test_commands_list_reports_of_a_room_or_all(self) -> None:
        number = self.report()
        author = Actor("bob", address="192.0.2.1")
        for actor, room, wanted in (
            (AT_CONSOLE, None, [number]),
            (AT_CONSOLE, "r", [number]),
            (AT_CONSOLE, "lobby", []),
            (author, None, []),  # an operator sees none of the own messages
        ):
            listed = self.server.chat.reports.listed_for_operator(actor, room, ReportQuery())
            self.assertEqual([one.id for one in self.done(listed).reports], wanted)

    def test_pages(self) -> None:
        numbers = [self.report(seq=self.say("bob")) for _ in range(3)]
        first = self.ok("ann", "get_reports", limit=2)
        self.assertEqual([one["report_id"] for one in first["reports"]], numbers[:0:-1])
        second = self.ok("ann", "get_reports", limit=2, before=first["next"])
        self.assertEqual([one["report_id"] for one in second["reports"]], numbers[:1])
        self.assertNotIn("next", second)
        for fields in ({"limit": 0}, {"before": "x"}):
            self.assertEqual(self.code("ann", "get_reports", **fields), "bad_request")
        self.ok("ann", "get_reports", limit=REPORTS_LIMIT + 1)

    def test_a_page_has_a_size(self) -> None:
        """100 reports of long texts are more than a reply holds."""
        self.server.limits.reports_per_hour = self.server.limits.reports_per_account = 0
        limits = self.server.limits
        self.server.chat.change_limits(limits)
        numbers = [self.report(seq=self.say("bob", "\u4e00" * 4000)) for _ in range(30)]
        found: list[int] = []
        position: dict[str, object] = {}
        while not position or position["before"]:
            reply = self.ok("ann", "get_reports", **position)
            found += [one["report_id"] for one in reply["reports"]]
            position = {"before": reply.get("next")}
        self.assertEqual(found, numbers[::-1])
        self.assertLess(len(self.ok("ann", "get_reports")["reports"]), 30)


class Answering(ReportsCase):
    def test_the_reporter_is_told_the_outcome(self) -> None:
        number = self.report()
        self.told()
        request = {"report_id": number, "outcome": "accepted", "answer": "Thank you."}
        self.ok("mod", "answer_report", **request)
        [push] = self.vox.pushes(*KINDS)
        wanted = {
            "type": "report_answered",
            "report_id": number,
            "room_name": "r",
            "usr": "bob",
            "of": self.seq,
            "outcome": "accepted",
            "answer": "Thank you.",
        }
        self.assertEqual({**push, **wanted}, push)
        self.assertEqual(self.told(), {})
        self.assertEqual(self.listed("mod"), [])
        [found] = self.ok("mod", "get_reports", answered=True)["reports"]
        self.assertEqual((found["outcome"], found["answer"]), ("accepted", "Thank you."))
        self.assertEqual(found["answered_by"], "mod")
        [record] = self.records("report_answered")
        self.assertEqual((record.who, record.what["outcome"]), ("mod", "accepted"))
        [own] = self.ok("vox", "get_reports", room_name=None, own=True, answered=True)["reports"]
        self.assertEqual(own["outcome"], "accepted")

    def test_a_report_is_answered_once(self) -> None:
        number = self.report()
        request = {"report_id": number, "outcome": "dismissed"}
        self.ok("mod", "answer_report", **request)
        self.told()
        self.ok("mod", "answer_report", **request)
        self.assertEqual(self.told(), {})
        self.assertEqual(self.code("ann", "answer_report", **request), "not_allowed")
        request["outcome"] = "accepted"
        self.assertEqual(self.code("mod", "answer_report", **request), "not_allowed")
        self.assertEqual(len(self.records("report_answered")), 1)

    def test_bad_answers(self) -> None:
        number = self.report()
        for fields, code in (
            ({"report_id": number + 1, "outcome": "accepted"}, "not_allowed"),
            ({"report_id": number, "outcome": "king"}, "bad_request"),
            ({"report_id": number, "outcome": "accepted", "answer": "x" * 501}, "too_long"),
            ({"report_id": number, "outcome": "accepted", "answer": "\0"}, "bad_request"),
        ):
            self.assertEqual(self.code("mod", "answer_report", **fields), code, fields)
        self.assertEqual(self.listed("mod"), [number])

    def test_the_one_who_reports_may_answer_as_a_moderator(self) -> None:
        number = self.report("mod")
        self.ok("mod", "answer_report", report_id=number, outcome="accepted")


class DirectReports(ReportsCase):
    def whisper(self, who: str, to: str, msg: str) -> int:
        return int(self.ok(who, "whisper", target_user=to, msg=msg)["seq"])

    def test_a_direct_message_is_reported_to_operators(self) -> None:
        self.whisper("bob", "vox", "before")
        seq = self.whisper("bob", "vox", "come here")
        self.clear()
        reply = self.ok("vox", "report", room_name=None, target_user="bob", seq=seq, reason="no")
        [push] = self.op.pushes(*KINDS)
        self.assertNotIn("room_name", push)
        self.assertEqual((push["usr"], push["by"], push["of"]), ("bob", "vox", seq))
        self.assertEqual(self.told(), {})
        self.assertEqual(self.listed("ann"), [])
        [found] = self.ok("op", "get_reports", room_name=None)["reports"]
        self.assertEqual((found["msg"], found["usr"]), ("come here", "bob"))
        self.assertNotIn("room_name", found)
        number = reply["report_id"]
        request = {"report_id": number, "outcome": "accepted"}
        self.assertEqual(self.code("ann", "answer_report", **request), "not_allowed")
        self.ok("op", "answer_report", **request)
        [told] = self.vox.pushes(*KINDS)
        self.assertNotIn("room_name", told)
        self.assertNotIn("answer", told)
        [record] = self.records("reported")
        self.assertEqual(record.what["room"], "(direct messages)")

    def test_own_direct_messages_and_those_of_others_are_not_reported(self) -> None:
        seq = self.whisper("bob", "vox", "come here")
        direct = self.ok("vox", "get_direct_list")["directs"][0]["id"]
        own = {"room_name": None, "target_user": "vox", "seq": seq}
        self.assertEqual(self.code("bob", "report", **own), "self_target")
        other = {"room_name": None, "direct": direct, "seq": seq}
        self.assertEqual(self.code("mod", "report", **other), "no_such_room")
        self.ok("vox", "block", user="bob")
        self.ok("vox", "report", **other)


class TwoServers(TwoNodesCase):
    """Ann, who owns the room, is at the first; bob and eve are at the second."""

    def test_reports_and_answers_reach_the_other_server(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        for client in (self.bob, self.eve):
            self.call(client, "join_room", room_name="r")
        seq = self.call(self.bob, "speak", room_name="r", msg="buy this")["seq"]
        number = self.call(self.eve, "report", room_name="r", seq=seq)["report_id"]
        [push] = self.ann.pushes("reported")
        self.assertEqual((push["report_id"], push["by"], push["usr"]), (number, "eve", "bob"))
        [found] = self.call(self.ann, "get_reports", room_name="r")["reports"]
        self.assertEqual(found["msg"], "buy this")
        self.call(self.ann, "answer_report", report_id=number, outcome="accepted")
        [push] = self.eve.pushes("report_answered")
        self.assertEqual((push["report_id"], push["outcome"]), (number, "accepted"))
        self.assertEqual(self.bob.pushes("reported", "report_answered"), [])

    def test_a_server_without_the_room_tells_no_one(self) -> None:
        """The first has a room of its own users in memory, and hears of the other."""
        self.call(self.bob, "create_room", room_name="r", public=False)
        self.call(self.bob, "add_member", room_name="r", user="eve")
        seq = self.call(self.eve, "speak", room_name="r", msg="x")["seq"]
        cid = self.second.member("cid")
        self.call(self.bob, "add_member", room_name="r", user="cid")
        self.clear()
        self.call(cid, "report", room_name="r", seq=seq)
        self.assertEqual(self.ann.pushes("reported"), [])
        self.assertEqual(len(self.bob.pushes("reported")), 1)

    def test_operators_of_the_other_server_are_told(self) -> None:
        self.first.member("op")
        admin = self.first.chat.admin.accounts
        Deferred.fromCoroutine(admin.set_operator("op", True, AT_CONSOLE))
        self.first.run_pending()
        op = self.first.connect()
        op.login("op", pwd="password")
        self.call(self.bob, "whisper", target_user="eve", msg="come here")
        number = self.call(self.eve, "report", target_user="bob", seq=1)["report_id"]
        [push] = op.pushes("reported")
        self.assertEqual(push["report_id"], number)
        self.assertEqual(self.ann.pushes("reported"), [])
