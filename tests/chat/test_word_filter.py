"""The word filter: what is refused, flagged and muted, and where, on one node and on two."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat import filter_admin, filter_rules
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import BadRequest, Filtered, NoSuchRoom, RateLimited, TooLong, TooMany
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.limits import Limits
from gtchat.chat.word_filter import NO_ROOM, RECORDS_AT_ONCE, RECORDS_PER_MINUTE
from tests.chat.test_access import code_of
from tests.chat.test_administration import Administered
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer, nodes


class FilterCase(Administered):
    """Ann, who owns the room Garden, and Bob, who is in it."""

    def setUp(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0)))
        self.people()

    def people(self) -> None:
        self.ann = self.server.member("Ann")
        self.ann.call("create_room", room_name="Garden")
        self.bob = self.server.member("Bob")
        self.bob.call("join_room", room_name="Garden")

    def add(
        self, pattern: str, action: str = "refuse", room: str | None = None, **more: Any
    ) -> str:
        rule = FilterRule(pattern, action, **more)
        added: FilterRule = self.done(self.admin.word_filter.add(rule, room, AT_CONSOLE))
        return added.id

    def say(self, msg: str, client: FakeClient | None = None, room: str = "lobby") -> str:
        return code_of(client or self.bob, "speak", room_name=room, msg=msg)

    def records(self, code: str) -> list[dict[str, Any]]:
        found = self.done(self.admin.audit(AuditQuery(code=code)))
        return [dict(record.what) for record in found]


class Refused(FilterCase):
    def test_a_message_with_the_word_is_refused_and_not_stored(self) -> None:
        rule = self.add("spam")
        reply = self.bob.call("speak", room_name="lobby", msg="buy SPAM now")
        self.assertEqual(reply["code"], "filtered")
        self.assertNotIn("spam", reply["msg"].lower())
        self.assertEqual(self.ann.pushes("c_speak"), [])
        self.assertEqual(self.say("spammers"), "")
        [record] = self.records("filter_refused")
        self.assertEqual((record["name"], record["room"], record["rule"]), ("Bob", "lobby", rule))
        self.assertNotIn("SPAM", str(record))

    def test_an_edit_and_a_reply_are_seen(self) -> None:
        self.add("spam")
        seq = self.bob.call("speak", room_name="lobby", msg="hello")["seq"]
        self.assertEqual(
            code_of(self.bob, "edit", room_name="lobby", seq=seq, msg="spam"), "filtered"
        )
        fields = {"room_name": "lobby", "msg": "spam", "reply": seq}
        self.assertEqual(code_of(self.bob, "speak", **fields), "filtered")

    def test_names_and_topics_of_rooms_are_seen(self) -> None:
        self.add("*spam*")
        for cmd, fields in (
            ("create_room", {"room_name": "Spam shop"}),
            ("create_room", {"room_name": "Shop", "topic": "all the spam"}),
            ("set_room", {"room_name": "Garden", "topic": "spam"}),
        ):
            self.assertEqual(code_of(self.ann, cmd, **fields), "filtered", fields)
        self.assertEqual(code_of(self.ann, "set_room", room_name="Garden", topic="plants"), "")

    def test_reasons_are_seen(self) -> None:
        seq = self.bob.call("speak", room_name="Garden", msg="hello")["seq"]
        self.add("spam")
        delete = {"room_name": "Garden", "seq": seq, "reason": "spam"}
        for client in (self.bob, self.ann):
            self.assertEqual(code_of(client, "delete", **delete), "filtered")
        for cmd in ("mute", "kick", "ban"):
            fields = {"room_name": "Garden", "user": "Bob", "reason": "spam"}
            self.assertEqual(code_of(self.ann, cmd, **fields), "filtered", cmd)
        banned = {"room_name": "Garden", "user": "B*", "reason": "spam"}
        self.assertEqual(code_of(self.ann, "ban", **banned), "filtered")
        self.assertEqual(self.say("I am still here", room="Garden"), "")
        self.assertEqual(code_of(self.bob, "delete", **{**delete, "reason": "typo"}), "")

    def test_a_room_with_a_topic_that_is_refused_now_can_be_changed(self) -> None:
        self.ann.call("set_room", room_name="Garden", topic="spam")
        self.add("spam")
        self.assertEqual(code_of(self.ann, "set_room", room_name="Garden", max=9), "")

    def test_names_of_users_who_come_in_are_seen(self) -> None:
        self.add("*spam*")
        new = self.server.connect()
        uuid = "0b5e5e0e-35a2-4e0c-9b2b-2c8c6b4c5d1f"
        for fields in ({"pwd": "password"}, {"uuid": uuid}):
            self.assertEqual(code_of(new, "register", usr="xSPAMx", **fields), "filtered")
        self.assertEqual(new.login("spammer")["code"], "filtered")
        phone = self.server.chat.phones.register("spam", "+4930123456", "192.0.2.1")
        self.refused(phone, Filtered)
        self.done(self.admin.accounts.create("Spamhaus", "password", AT_CONSOLE))
        self.assertEqual(self.server.connect().login("spamhaus", pwd="password")["status"], "ok")

    def test_a_name_that_is_flagged_comes_in_with_a_record(self) -> None:
        self.add("*spam*", "flag")
        self.server.guest("Spammer")
        [record] = self.records("filter_flagged")
        self.assertEqual((record["name"], record["room"]), ("Spammer", NO_ROOM))

    def test_direct_messages_are_seen_only_if_that_is_set(self) -> None:
        self.add("spam")
        self.assertEqual(code_of(self.bob, "whisper", target_user="Ann", msg="spam"), "")
        self.server.chat.word_filter.directs = True
        self.assertEqual(code_of(self.bob, "whisper", target_user="Ann", msg="spam"), "filtered")

    def test_edits_of_direct_messages_are_seen_likewise(self) -> None:
        self.add("spam")
        sent = self.bob.call("whisper", target_user="Ann", msg="hello")
        edit = {"target_user": "Ann", "seq": sent["seq"]}
        self.assertEqual(code_of(self.bob, "edit", msg="spam", **edit), "")
        self.server.chat.word_filter.directs = True
        self.assertEqual(code_of(self.bob, "edit", msg="spam again", **edit), "filtered")
        self.assertEqual(code_of(self.bob, "delete", reason="spam", **edit), "filtered")
        self.server.chat.word_filter.directs = False
        self.assertEqual(code_of(self.bob, "delete", reason="spam", **edit), "")

    def test_operators_and_the_server_may_write_anything(self) -> None:
        self.add("spam")
        olga = self.server.member("Olga")
        self.assertEqual(self.say("spam", olga), "filtered")
        self.done(self.admin.accounts.set_operator("olga", True, AT_CONSOLE))
        olga = self.server.connect()
        olga.login("Olga", pwd="password", device="d")
        self.assertEqual(self.say("spam", olga), "")
        login = self.server.chat.logins.login_host(RecordingEncoder(), RecordingConnection())
        host, said = self.done(login), []
        self.server.chat.speak(host, "lobby", "spam", None, said.append)
        self.server.run_pending()
        self.assertEqual(said[0].seq, self.server.chat.rooms.lobby.last_seq)

    def test_one_who_tries_again_leaves_few_records(self) -> None:
        self.add("spam")
        for _ in range(3 * RECORDS_AT_ONCE):
            self.say("spam")
        self.assertEqual(len(self.records("filter_refused")), RECORDS_AT_ONCE)
        self.assertEqual(self.server.chat.measures.refusals["filtered"], 3 * RECORDS_AT_ONCE)

    def test_a_rule_of_a_room_holds_there(self) -> None:
        self.add("spam", room="garden")
        self.assertEqual(self.say("spam", room="Garden"), "filtered")
        self.assertEqual(self.say("spam"), "")
        self.assertEqual(code_of(self.bob, "create_room", room_name="spam"), "")


class Flagged(FilterCase):
    def test_topics_names_of_rooms_and_reasons_are_recorded(self) -> None:
        rule = self.add("spam", "flag")
        seq = self.bob.call("speak", room_name="lobby", msg="hello")["seq"]
        self.assertEqual(code_of(self.ann, "set_room", room_name="Garden", topic="spam"), "")
        self.assertEqual(code_of(self.ann, "create_room", room_name="Spam"), "")
        delete = {"room_name": "lobby", "seq": seq, "reason": "spam"}
        self.assertEqual(code_of(self.bob, "delete", **delete), "")
        records = self.records("filter_flagged")
        self.assertEqual([one["room"] for one in records], ["lobby", NO_ROOM, "Garden"])
        self.assertEqual((records[0]["name"], records[0]["rule"]), ("Bob", rule))
        self.assertEqual({one["seq"] for one in records}, {0})

    def test_one_who_goes_on_leaves_few_records(self) -> None:
        self.add("spam*", "flag")
        self.add("ham")
        topics = [f"spam{number}" for number in range(3 * RECORDS_AT_ONCE)]
        for topic in topics:
            self.assertEqual(code_of(self.ann, "set_room", room_name="Garden", topic=topic), "")
        self.assertEqual(len(self.records("filter_flagged")), RECORDS_AT_ONCE)
        self.say("ham", self.ann)
        self.assertEqual(len(self.records("filter_refused")), 1)
        self.server.clock.advance(60 / RECORDS_PER_MINUTE)
        self.assertEqual(code_of(self.ann, "set_room", room_name="Garden", topic="spam"), "")
        self.assertEqual(len(self.records("filter_flagged")), RECORDS_AT_ONCE + 1)

    def test_the_strongest_rule_counts(self) -> None:
        self.add("spam", "flag")
        self.add("spam*", "refuse")
        self.assertEqual(self.say("spam"), "filtered")
        self.assertEqual(self.records("filter_flagged"), [])


class Muted(FilterCase):
    def test_the_user_is_muted_in_the_room_for_a_time(self) -> None:
        self.add("spam", "mute", seconds=600)
        self.assertEqual(self.say("spam", room="Garden"), "filtered")
        self.assertEqual(self.say("sorry", room="Garden"), "muted")
        self.assertEqual(self.say("hello"), "")
        [push] = self.ann.pushes("muted")
        self.assertEqual((push["usr"], push["by"], push["reason"]), ("Bob", "Host", "word filter"))
        self.assertEqual([one["name"] for one in self.records("room_muted")], ["Bob"])
        self.server.clock.advance(600)
        self.assertEqual(self.say("hello", room="Garden"), "")

    def test_messages_that_are_sent_at_once_mute_once(self) -> None:
        self.add("spam", "mute", seconds=600)
        for _ in range(3):
            self.bob.send("speak", room_name="lobby", msg="spam")
        self.server.run_pending()
        self.assertEqual(len(self.records("room_muted")), 1)

    def test_a_user_who_is_muted_by_another_node_is_not_muted_again(self) -> None:
        chat = self.server.chat
        user = chat.users.get("bob")
        assert user is not None
        session = next(iter(user.sessions))
        rule = FilterRule("spam", "mute", seconds=600)
        for _ in range(2):
            chat.moderators.mute_by_filter(session, chat.rooms.lobby, rule)
        self.server.run_pending()
        self.assertEqual(len(self.records("room_muted")), 1)

    def test_moderators_are_refused_and_not_muted(self) -> None:
        self.add("spam", "mute", seconds=600)
        self.assertEqual(self.say("spam", self.ann, "Garden"), "filtered")
        self.assertEqual(self.say("sorry", self.ann, "Garden"), "")

    def test_where_no_more_users_can_be_muted_the_message_is_refused(self) -> None:
        self.server.chat.limits.mutes_per_room = 1
        self.add("spam", "mute", seconds=600)
        self.say("spam")
        self.assertEqual(self.say("spam", self.ann), "filtered")
        self.assertEqual(self.say("sorry", self.ann), "")

    def test_a_name_or_a_topic_mutes_nobody(self) -> None:
        self.add("spam", "mute", seconds=600)
        self.assertEqual(code_of(self.bob, "create_room", room_name="spam"), "filtered")
        self.assertEqual(self.say("hello"), "")
        self.assertEqual(self.server.connect().login("spam")["code"], "filtered")


class Rules(FilterCase):
    def test_a_rule_is_added_changed_listed_and_removed(self) -> None:
        first = self.add("spam", "mute", seconds=60)
        self.server.clock.advance(1)
        self.add("ham")
        self.assertEqual(self.add("spam", "flag", seconds=60), first)
        listed = self.admin.word_filter.listed()
        self.assertEqual(
            [(one.pattern, one.action, one.seconds, one.by) for one in listed],
            [("ham", "refuse", 0, "(console)"), ("spam", "flag", 0, "(console)")],
        )
        self.done(self.admin.word_filter.remove(first, AT_CONSOLE))
        self.assertEqual([one.pattern for one in self.admin.word_filter.listed()], ["ham"])
        self.refused(self.admin.word_filter.remove(first, AT_CONSOLE), BadRequest)
        self.assertEqual(len(self.records("filter_added")), 3)
        [removed] = self.records("filter_removed")
        self.assertEqual((removed["pattern"], removed["rule"]), ("spam", first))

    def test_what_is_no_rule_is_refused(self) -> None:
        for rule, room, error in (
            (FilterRule("*", "refuse"), None, BadRequest),
            (FilterRule("a\tb", "refuse"), None, BadRequest),
            (FilterRule(" ", "refuse"), None, BadRequest),
            (FilterRule("x" * 65, "refuse"), None, TooLong),
            (FilterRule("spam", "mute", seconds=0), None, BadRequest),
            (FilterRule("spam", "mute", seconds=10**9), None, BadRequest),
            (FilterRule("spam", "refuse"), "nowhere", NoSuchRoom),
        ):
            self.refused(self.admin.word_filter.add(rule, room, AT_CONSOLE), error)
        self.assertEqual(self.admin.word_filter.listed(), [])

    def test_there_are_so_many_rules(self) -> None:
        self.server.chat.limits.filter_rules = 2
        for word in ("spam", "ham", "spam"):
            self.add(word)
        adding = self.admin.word_filter.add(FilterRule("eggs", "flag"), None, AT_CONSOLE)
        self.refused(adding, TooMany)

    def test_there_are_so_many_regular_expressions(self) -> None:
        self.patch(filter_admin, "MAX_REGEXES", 1)
        self.add("sp+am", is_regex=True)
        self.add("sp+am", "flag", is_regex=True)
        adding = self.admin.word_filter.add(FilterRule("h", "flag", True), None, AT_CONSOLE)
        self.refused(adding, TooMany)
        self.assertEqual(self.say("sppam"), "")

    def test_rules_survive_a_restart(self) -> None:
        self.add("spam")
        self.server.start()
        self.admin = self.server.chat.admin
        self.bob = self.server.connect()
        self.bob.login("Bob", pwd="password", device="d")
        self.assertEqual(self.say("spam"), "filtered")

    def test_a_stored_rule_of_a_newer_program_is_left_out(self) -> None:
        self.server.chat.word_filter.choose("filter x", "warn\twords\t\t0\t\t0\tspam")
        self.server.chat.word_filter.choose("filter y", FilterRule("spam", "refuse").stored())
        self.assertEqual(self.say("spam"), "")

    def test_a_change_holds_at_each_node(self) -> None:
        first, second = nodes(2)
        self.use(first)
        bob = second.member("Bob")
        rule = self.add("spam")
        first.run_pending()
        self.assertEqual(code_of(bob, "speak", room_name="lobby", msg="spam"), "filtered")
        self.done(self.admin.word_filter.remove(rule, AT_CONSOLE))
        first.run_pending()
        self.assertEqual(code_of(bob, "speak", room_name="lobby", msg="spam"), "")


class Trials(FilterCase):
    """What a rule would have done, before it is added."""

    def try_rule(self, pattern: str, room: str | None = None, days: int = 7) -> tuple[int, ...]:
        rule = FilterRule(pattern, "flag")
        self.shown: list[tuple[int, int]] = []
        show = lambda *so_far: self.shown.append(so_far)  # noqa: E731
        trial = self.done(self.admin.word_filter.test(rule, room, days, show))
        self.assertEqual(self.shown, sorted(self.shown))
        self.assertTrue(self.shown)
        return trial.messages, trial.users, trial.read, trial.complete

    def test_it_counts_messages_and_users(self) -> None:
        for client, room, msg in (
            (self.ann, "Garden", "spam"),
            (self.bob, "Garden", "Spam!"),
            (self.bob, "lobby", "more spam"),
            (self.bob, "lobby", "eggs"),
        ):
            self.say(msg, client, room)
        self.bob.call("whisper", target_user="Ann", msg="secret spam")
        self.assertEqual(self.try_rule("spam"), (3, 2, 4, True))
        self.assertEqual(self.try_rule("spam", "lobby"), (1, 1, 2, True))
        self.assertEqual(self.try_rule("milk"), (0, 0, 4, True))
        self.server.chat.word_filter.directs = True
        self.assertEqual(self.try_rule("spam"), (4, 2, 5, True))
        self.assertEqual(self.say("spam"), "")

    def test_one_rule_is_tried_at_a_time(self) -> None:
        self.say("spam")
        scan, held, rule = self.server.store.scan, Deferred[None](), FilterRule("spam", "flag")
        patch = self.patch(
            self.server.store, "scan", lambda *args: held.addCallback(lambda _: scan(*args))
        )
        first = Deferred.fromCoroutine(self.admin.word_filter.test(rule, None, 7))
        self.server.run_pending()
        self.refused(self.admin.word_filter.test(rule, None, 7), RateLimited)
        held.callback(None)
        self.server.run_pending()
        self.assertEqual(self.successResultOf(first).messages, 1)
        patch.restore()
        self.assertEqual(self.try_rule("spam"), (1, 1, 1, True))

    def test_it_looks_back_so_many_days(self) -> None:
        self.say("old spam")
        self.server.clock.advance(3 * 24 * 3600)
        self.say("new spam")
        self.assertEqual(self.try_rule("spam", days=2), (1, 1, 1, True))
        self.assertEqual(self.try_rule("spam", days=4), (2, 1, 2, True))

    def test_it_reads_slice_by_slice_until_there_is_enough(self) -> None:
        self.patch(filter_admin, "SLICE", 2)
        for number in range(5):
            self.say(f"spam {number}")
        self.assertEqual(self.try_rule("spam"), (5, 1, 5, True))
        self.patch(filter_admin, "COUNTED_ENTRIES", 4)
        self.assertEqual(self.try_rule("spam"), (4, 1, 4, False))

    def test_what_is_no_rule_is_refused(self) -> None:
        test = self.admin.word_filter.test
        self.refused(test(FilterRule("*", "flag"), None, 7), BadRequest)
        self.refused(test(FilterRule("spam", "flag"), "nowhere", 7), NoSuchRoom)
        self.patch(filter_rules, "load_re2", lambda: None)
        self.refused(test(FilterRule("spam", "flag", True), None, 7), BadRequest)
