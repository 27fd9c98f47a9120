"""Searches: what a query means, where a text is marked, rights, rates, cursors."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import normalization
from gtchat.chat import search as chat_search
from gtchat.chat.errors import BadRequest, NotStored, TooLong
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import MessageSearch, SearchPage
from gtchat.chat.limits import Limits
from gtchat.chat.normalization import search_form
from gtchat.chat.search_query import SearchQuery, SearchTerm, author_key, marks, parse
from gtchat.protocols.gtchat_json import cursors
from tests.chat.test_messages import RoomTestCase
from tests.store.search_contract import TEXTS

DAY = 86_400_000


class SearchForms(SynchronousTestCase):
    def test_words_are_folded_and_separated(self) -> None:
        for text, expected in (
            ("", ""),
            ("Crème BRÛLÉE", "creme brulee"),
            ("e\u0301\u0323a", "ea"),
            ("Straße ΣΊΣΥΦΟΣ", "strasse σισυφοσ"),
            ("don't foo_bar c++", "don t foo bar c"),
            ("日本語", "日 本 語"),
            ("ガｶﾞか", "カ カ か"),
            ("한글", "한 글"),
            ("ไทย", "ไ ท ย"),
            ("नमस्ते", "नमसते"),
            ("ﬁ ½ ²", "fi 1 2 2"),
            ("a\u200db\u00adc", "abc"),
            ("👍🏽👍 a👍b", "👍 👍 a 👍 b"),
            ("、。・！", ""),
            ("a\ufffeb", "a b"),
        ):
            self.assertEqual(" ".join(search_form(text).split()), expected, text)

    def test_remembered_forms_are_bounded(self) -> None:
        self.patch(normalization, "_REMEMBERED", 100)
        for code in range(0x4E00, 0x4E00 + 300):
            search_form(chr(code))
        self.assertLessEqual(len(normalization._search_forms), 101)

    def test_a_text_of_ascii_has_the_words_that_it_has_among_others(self) -> None:
        text = "".join(map(chr, range(128)))
        self.assertEqual(list(search_form(text)), list(search_form(f"{text}é")[:-1]))


class Queries(SynchronousTestCase):
    def test_words_and_filters(self) -> None:
        def word(*words: str, prefix: bool = False) -> SearchTerm:
            return SearchTerm(words, prefix)

        for raw, expected in (
            ("Tea", SearchQuery(terms=(word("tea", prefix=True),))),
            ("green tea", SearchQuery(terms=(word("green"), word("tea", prefix=True)))),
            ('"green tea"', SearchQuery(terms=(word("green", "tea"),))),
            ('"green', SearchQuery(terms=(word("green", prefix=True),))),
            ('tea "a b" ', SearchQuery(terms=(word("tea"), word("a", "b")))),
            ("don't", SearchQuery(terms=(word("don", "t"),))),
            ("don'tell", SearchQuery(terms=(word("don", "tell", prefix=True),))),
            ("a", SearchQuery(terms=(word("a"),))),
            ("绿茶", SearchQuery(terms=(word("绿", "茶"),))),
            ("tea ?!", SearchQuery(terms=(word("tea", prefix=True),))),
            ("http://x", SearchQuery(terms=(word("http", "x"),))),
            ("from: ann", SearchQuery(terms=(word("from"), word("ann", prefix=True)))),
            (
                'tea FROM:Ann in:"Tea room"',
                SearchQuery(
                    terms=(word("tea", prefix=True),), authors=frozenset({"ann"}), room="Tea room"
                ),
            ),
            ("from:a from:B", SearchQuery(authors=frozenset({"a", "b"}))),
            ("has:LINK", SearchQuery(has_link=True)),
            (
                "has:link after:1970-01-02 before:1970-01-04",
                SearchQuery(has_link=True, after=DAY, before=3 * DAY),
            ),
        ):
            self.assertEqual(parse(raw), expected, raw)
        self.assertEqual(parse("tea", "Ann").authors, {"ann"})
        self.assertEqual(parse("", "Ann").authors, {"ann"})

    def test_malformed_queries(self) -> None:
        for raw in (
            *("", " ", "?!", "in:r", "after:2026-01-01", "has:image", "tea in:a in:b"),
            *("tea before:yesterday", "tea before:2026-02-30", "tea after:2026-1-1"),
            *("tea after:0000-01-01", "tea before:1970-01-01 before:1970-01-01"),
            *(" ".join(["tea"] * 21), "a" + "\u0301" * 31),
        ):
            self.assertRaises(BadRequest, parse, raw)
        self.assertRaises(TooLong, parse, "a" * 501)
        self.assertEqual(len(parse(" ".join(["tea"] * 20)).terms), 20)

    def test_names_of_authors(self) -> None:
        self.assertEqual(author_key("ANN"), "ann")
        self.assertEqual(author_key("No Name"), "no name")


class Matches(SynchronousTestCase):
    def test_a_message_fulfils_all_of_a_query(self) -> None:
        fields = {"room_name": "r", "usr": "Ann", "msg": "Green tea https://x.org", "id": "i"}
        said = MessageSent(**fields, at=DAY)
        for raw, expected in (
            *(("tea", True), ("te", True), ('"te"', False), ("tea coffee", False)),
            *(("from:ann", True), ("tea from:bob", False), ("has:link", True)),
            *(("tea after:1970-01-02", True), ("tea after:1970-01-03", False)),
            *(("tea before:1970-01-03", True), ("tea before:1970-01-02", False)),
        ):
            self.assertIs(parse(raw).matches(said), expected, raw)
        said.msg = "tea"
        self.assertIs(parse("has:link").matches(said), False)
        said.msg = ""
        self.assertIs(parse("from:ann").matches(said), False)


class Marks(SynchronousTestCase):
    def test_what_was_looked_for_is_marked(self) -> None:
        for text, raw, expected in (
            ("green tea", "tea", ["tea"]),
            ("Teapot, tea", "tea", ["Teapot", "tea"]),
            ("Teapot, tea", '"tea"', ["tea"]),
            ("green, TEA tea", '"green tea"', ["green, TEA"]),
            ("green tea", "tea green", ["green", "tea"]),
            ("我喝绿茶", "绿茶", ["绿茶"]),
            ("茶茶茶", "茶茶", ["茶茶茶"]),
            ("한글을", "글", ["글"]),
            ("e\u0301x crème", "ex", ["e\u0301x"]),
            ("q\u0308 x", '"q"', ["q\u0308"]),
            ("\u0301tea", "tea", ["tea"]),
            ("ﬁne", "fine", ["ﬁne"]),
            ("½ cup", '"1 2 cup"', ["½ cup"]),
            ("tea", "from:ann", []),
        ):
            found = marks(text, parse(raw).terms)
            self.assertEqual([text[start:end] for start, end in found], expected, (text, raw))

    def test_marks_are_limited(self) -> None:
        self.assertEqual(len(marks("tea, " * 200, parse("tea").terms)), 50)

    @given(TEXTS, TEXTS)
    @settings(max_examples=200, deadline=None, database=None)
    def test_a_text_is_marked_exactly_where_it_is_found(self, text: str, raw: str) -> None:
        words = tuple(search_form(raw).split())
        if words:
            term = SearchTerm(words)
            found = marks(text, (term,))
            wanted = f" {' '.join(words)} " in f" {' '.join(search_form(text).split())} "
            self.assertEqual(bool(found), wanted)
            ends = [end for pair in found for end in pair]
            self.assertEqual(ends, sorted(set(ends)))


class HeldStore:
    """Keeps the searches of a store until they are answered."""

    def __init__(self, store: Any) -> None:
        self.waiting: list[tuple[MessageSearch, Deferred[SearchPage]]] = []
        self._search = store.search
        store.search = self.search

    def search(self, wanted: MessageSearch) -> Deferred[SearchPage]:
        waiting: Deferred[SearchPage] = Deferred()
        self.waiting.append((wanted, waiting))
        return waiting

    def answer(self) -> None:
        for wanted, waiting in self.waiting:
            self._search(wanted).chainDeferred(waiting)
        self.waiting = []


class Searches(RoomTestCase):
    options = {"limits": Limits(commands_per_second=0, searches_per_minute=0)}

    def find(self, client: Any, q: str, **fields: Any) -> list[str]:
        reply = client.call("search", q=q, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return [entry["msg"] for entry in reply["entries"]]

    def test_hello_names_the_feature(self) -> None:
        self.assertIn("search", self.ann.call("hello")["features"])

    def test_entries_are_messages_with_marks(self) -> None:
        said = self.bob.call("speak", room_name="r", msg="Green tea", style="action")
        reply = self.ann.call("search", q="tea gre")
        [entry] = reply["entries"]
        self.assertEqual(
            {name: entry[name] for name in ("cmd", "room_name", "usr", "msg", "seq", "style")},
            {
                "cmd": "c_speak",
                "room_name": "r",
                "usr": "bob",
                "msg": "Green tea",
                "seq": said["seq"],
                "style": "action",
            },
        )
        self.assertEqual(entry["marks"], [[0, 5], [6, 9]])
        self.assertEqual((reply["more"], "next" in reply, "incomplete" in reply), (False,) * 3)
        [entry] = self.ann.call("search", q="from:bob")["entries"]
        self.assertNotIn("marks", entry)

    def test_rooms_and_authors_are_chosen(self) -> None:
        self.ann.call("create_room", room_name="Tea room")
        for client, room in ((self.ann, "Tea room"), (self.ann, "r"), (self.bob, "r")):
            client.call("speak", room_name=room, msg=f"tea {room}")
        for fields, expected in (
            ({"q": "tea"}, ["tea r", "tea r", "tea Tea room"]),
            ({"q": "tea", "room_name": "R"}, ["tea r", "tea r"]),
            ({"q": 'tea in:"tea room"'}, ["tea Tea room"]),
            ({"q": 'tea in:"tea room"', "room_name": "TEA room"}, ["tea Tea room"]),
            ({"q": "tea", "usr": "Bob"}, ["tea r"]),
            ({"q": "", "usr": "bob"}, ["tea r"]),
            ({"q": "tea", "usr": "eve"}, []),
        ):
            self.assertEqual(self.find(self.ann, **fields), expected, fields)

    def test_what_is_refused(self) -> None:
        self.bob.call("create_room", room_name="other")
        for fields, code in (
            ({"q": "?"}, "bad_request"),
            ({"q": "a" * 501}, "too_long"),
            ({"q": "tea", "room_name": "nowhere"}, "no_such_room"),
            ({"q": "tea in:nowhere"}, "no_such_room"),
            ({"q": "tea", "room_name": "other"}, "not_in_room"),
            ({"q": "tea in:lobby", "room_name": "r"}, "bad_request"),
            ({"q": "tea in:r", "target_user": "bob"}, "bad_request"),
            ({"q": "tea", "room_name": "r", "target_user": "bob"}, "bad_request"),
            ({"q": "tea", "target_user": "zed"}, "no_such_user"),
            ({"q": "tea", "direct": 1}, "no_such_room"),
            ({"q": "tea", "limit": 0}, "bad_request"),
            ({"q": "tea", "limit": -1}, "bad_request"),
            ({"q": "tea", "before": ""}, "bad_request"),
            ({"q": "tea", "before": "12"}, "bad_request"),
            ({"q": "tea", "before": cursors.encode(5) + "="}, "bad_request"),
        ):
            self.assertEqual(self.ann.call("search", **fields).get("code"), code, fields)
        self.assertEqual(self.find(self.ann, "tea", before=cursors.encode(2**63 - 1)), [])

    def test_pages(self) -> None:
        for number in range(60):
            self.ann.call("speak", room_name="r", msg=f"tea {number}")
        found, before = [], {}
        for size in (50, 10):
            reply = self.bob.call("search", q="tea", limit=1000, **before)
            self.assertEqual((len(reply["entries"]), reply["more"]), (size, size == 50))
            found += [entry["msg"] for entry in reply["entries"]]
            before = {"before": reply.get("next")}
        self.assertEqual(found, [f"tea {number}" for number in reversed(range(60))])

    def test_a_page_is_as_large_as_a_reply_may_be(self) -> None:
        for number in range(40):
            self.ann.call("speak", room_name="r", msg=f"tea{number} " + "茶" * 3900)
        found, reply = [], {"next": None}
        while "next" in reply:
            before = {"before": reply["next"]} if reply["next"] else {}
            reply = self.bob.call("search", q="tea", **before)
            self.assertLess(len(str(reply["entries"]).encode()), 262_144)
            self.assertEqual(reply["more"], "next" in reply)
            found += [entry["msg"].split()[0] for entry in reply["entries"]]
        self.assertEqual(found, [f"tea{number}" for number in reversed(range(40))])

    def whisper(self, client: Any, target: str, msg: str) -> None:
        self.assertEqual(client.call("whisper", target_user=target, msg=msg)["status"], "ok")

    def test_direct_messages_are_found_among_those_of_rooms_by_both_users_alone(self) -> None:
        self.whisper(self.ann, "bob", "Tea 1")
        self.bob.call("speak", room_name="r", msg="tea 2")
        self.whisper(self.bob, "ann", "tea 3")
        self.whisper(self.ann, "eve", "tea 4")
        for client, expected in (
            (self.ann, ["tea 4", "tea 3", "tea 2", "Tea 1"]),
            (self.bob, ["tea 3", "tea 2", "Tea 1"]),
            (self.eve, ["tea 4", "tea 2"]),
        ):
            self.assertEqual(self.find(client, "tea"), expected)
        self.assertEqual(self.find(self.eve, "tea in:r"), ["tea 2"])

    def test_a_direct_message_says_who_wrote_to_whom_and_where(self) -> None:
        self.whisper(self.ann, "bob", "Tea 1")
        self.whisper(self.bob, "ann", "tea 3")
        [listed] = self.ann.call("get_direct_list")["directs"]
        for client in (self.ann, self.bob):
            newer, older = client.call("search", q="tea")["entries"]
            for found, usr, to, seq in ((older, "ann", "bob", 1), (newer, "bob", "ann", 2)):
                fields = {"cmd": "c_whisper", "usr": usr, "to": to, "seq": seq, "marks": [[0, 3]]}
                self.assertEqual({name: found[name] for name in fields}, fields)
                self.assertEqual(found["direct"], listed["id"])
                self.assertNotIn("room_name", found)
            history = client.call("history", direct=listed["id"])["entries"]
            plain = [
                {k: v for k, v in one.items() if k not in ("marks", "direct")}
                for one in (older, newer)
            ]
            self.assertEqual(plain, history)

    def test_one_direct_conversation_is_chosen(self) -> None:
        self.whisper(self.ann, "bob", "tea bob")
        self.whisper(self.ann, "eve", "tea eve")
        self.ann.call("speak", room_name="r", msg="tea room")
        ids = {one["usr"]: one["id"] for one in self.ann.call("get_direct_list")["directs"]}
        for fields, expected in (
            ({"target_user": "Bob"}, ["tea bob"]),
            ({"direct": ids["eve"]}, ["tea eve"]),
            ({"target_user": "bob", "usr": "eve"}, []),
        ):
            self.assertEqual(self.find(self.ann, "tea", **fields), expected, fields)
        self.assertEqual(self.find(self.bob, "tea", target_user="eve"), [])
        reply = self.bob.call("search", q="tea", direct=ids["eve"])
        self.assertEqual(reply["code"], "no_such_room")

    def test_direct_messages_of_blocked_users_are_marked(self) -> None:
        self.whisper(self.bob, "ann", "tea 1")
        self.whisper(self.ann, "bob", "tea 2")
        self.ann.call("block", user="bob")
        entries = self.ann.call("search", q="tea")["entries"]
        self.assertEqual([one.get("blocked") for one in entries], [None, True])

    def test_messages_of_blocked_users_are_marked(self) -> None:
        self.bob.call("speak", room_name="r", msg="tea")
        self.ann.call("block", user="bob")
        [entry] = self.ann.call("search", q="tea")["entries"]
        self.assertIs(entry["blocked"], True)
        [entry] = self.eve.call("search", q="tea")["entries"]
        self.assertNotIn("blocked", entry)

    def test_a_removed_member_finds_nothing_more(self) -> None:  # F28
        self.bob.call("speak", room_name="r", msg="tea")
        self.assertEqual(self.find(self.bob, "tea"), ["tea"])
        self.ann.call("remove_member", room_name="r", user="bob")
        self.assertEqual(self.find(self.bob, "tea"), [])

    def test_a_member_who_is_removed_during_the_search_finds_nothing(self) -> None:
        self.bob.call("speak", room_name="r", msg="tea")
        self.bob.call("speak", room_name="lobby", msg="tea lobby")
        held = HeldStore(self.server.store)
        self.bob.send("search", q="tea")
        self.server.run_pending()
        [(wanted, waiting)] = held.waiting
        page = self.successResultOf_later(held, wanted)
        self.ann.call("remove_member", room_name="r", user="bob")
        waiting.callback(page)
        self.server.run_pending()
        [reply] = [one for one in self.bob.received() if one.get("last_cmd") == "search"]
        self.assertEqual([entry["msg"] for entry in reply["entries"]], ["tea lobby"])

    def successResultOf_later(self, held: HeldStore, wanted: MessageSearch) -> SearchPage:
        """Return what the store finds now."""
        found = held._search(wanted)
        self.server.run_pending()
        page: SearchPage = self.successResultOf(found)
        return page

    def test_an_incomplete_search_says_so(self) -> None:
        self.ann.call("speak", room_name="r", msg="tea")
        held = HeldStore(self.server.store)
        self.ann.send("search", q="tea")
        self.server.run_pending()
        [(wanted, waiting)] = held.waiting
        self.assertEqual(wanted.seconds, 2.0)
        waiting.callback(SearchPage((), 5, incomplete=True))
        self.server.run_pending()
        [reply] = self.ann.received()
        self.assertEqual(
            [reply[name] for name in ("entries", "more", "next", "incomplete")],
            [[], True, cursors.encode(5), True],
        )


class SearchRates(RoomTestCase):
    def test_an_account_has_one_search_at_a_time_and_the_server_some(self) -> None:  # G32
        self.patch(chat_search, "MAX_SEARCHES", 2)
        held = HeldStore(self.server.store)
        search = self.server.chat.searches.search
        sessions = [
            next(iter(self.server.chat.users.get(name).sessions)) for name in ("ann", "bob", "eve")
        ]
        running = []
        for session, code in zip(
            [sessions[0], *sessions], [None, "rate_limited", None, "rate_limited"], strict=True
        ):
            found = Deferred.fromCoroutine(search(session, "tea"))
            if code is None:
                running.append(found)
                self.assertNoResult(found)
            else:
                error = self.failureResultOf(found).value
                self.assertEqual((error.code, error.retry_after), (code, 1.0))
        held.answer()
        self.server.run_pending()
        for found in running:
            self.successResultOf(found)
        Deferred.fromCoroutine(search(sessions[2], "tea"))
        self.assertEqual(len(held.waiting), 1)

    def test_a_search_that_failed_is_finished(self) -> None:
        search = self.server.store.search
        self.server.store.search = lambda wanted: fail(NotStored())
        self.assertEqual(self.ann.call("search", q="tea")["code"], "not_stored")
        self.server.store.search = search
        self.assertEqual(self.ann.call("search", q="tea")["status"], "ok")

    def test_an_account_has_30_searches_a_minute(self) -> None:
        for _ in range(30):
            self.assertEqual(self.ann.call("search", q="tea")["status"], "ok")
        reply = self.ann.call("search", q="tea")
        self.assertEqual(reply["code"], "rate_limited")
        self.assertAlmostEqual(reply["retry_after"], 2.0, 2)
        self.assertEqual(self.ann.call("search", q="?")["code"], "bad_request")
        self.assertEqual(self.bob.call("search", q="tea")["status"], "ok")
        self.server.clock.advance(2)
        self.assertEqual(self.ann.call("search", q="tea")["status"], "ok")


class SearchesAtOnce(RoomTestCase):
    options = {"limits": Limits(commands_per_second=0, searches_at_once=2)}

    def test_the_operator_sets_how_many_searches_an_account_has_at_once(self) -> None:
        held = HeldStore(self.server.store)
        search = self.server.chat.searches.search
        session = next(iter(self.server.chat.users.get("ann").sessions))
        running = [Deferred.fromCoroutine(search(session, "tea")) for _ in range(2)]
        refused = Deferred.fromCoroutine(search(session, "tea"))
        self.assertEqual(self.failureResultOf(refused).value.code, "rate_limited")
        held.answer()
        self.server.run_pending()
        for found in running:
            self.successResultOf(found)
        self.assertEqual(self.server.chat.searches._running, {})
