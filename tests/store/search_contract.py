"""What every store does with searches: what is found, rights, positions, changes, time."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from gtchat.chat.events import AnnotatedMessage, MessageSent
from gtchat.chat.interfaces import MessageSearch, SearchPage
from gtchat.chat.message_rules import annotated
from gtchat.chat.search_query import SearchQuery, parse
from tests import example_count
from tests.store.changes_contract import ChangeCase, deleted, edited, reacted
from tests.store.contract import joined, left, message, new_session, room_created
from tests.store.direct_contract import DirectCase

#: Letters of eight scripts: some that fold, compose or stand without spaces.
SCRIPTS = (
    "aeé Eßſ",  # Latin
    "аяЯй ёЁ",  # Cyrillic
    "ασςΣά ϊ",  # Greek
    "中文字々 〇",  # Han
    "かがガｶ ﾞー",  # Kana
    "한글가 각ᄒ",  # Hangul
    "ไทยกำ น้",  # Thai
    "اَبآ لأى",  # Arabic
)
MARKED = "e\u0301 \u0e48 \u0308"
TEXTS = st.one_of([st.text(script + MARKED + ' ."-_\n', max_size=14) for script in SCRIPTS])


class SearchCase(ChangeCase, DirectCase):
    """As `ChangeCase` with direct messages; `index` makes a store find what was stored so far."""

    async def index(self) -> None:
        await self.store.flush()

    async def say(self, text: str, account: int | None = None, **options: Any) -> int:
        """Store a message of Ann in the garden, or of another account; return its seq."""
        account = self.ann if account is None else account
        room_id = options.pop("room_id", self.room_id)
        pending = await self.stored(room_id, message(text, **options), account)
        return pending.entry.seq

    async def page(self, query: SearchQuery | str, **options: Any) -> SearchPage:
        await self.index()
        wanted = {"account_id": self.ann, "limit": 50, "seconds": 60.0} | options
        query = parse(query) if isinstance(query, str) else query
        return await self.store.search(MessageSearch(query=query, **wanted))

    async def find(self, query: SearchQuery | str, **options: Any) -> list[str]:
        """Return the texts that a search by Ann finds."""
        return [one.message.msg for one in (await self.page(query, **options)).found]


class SearchContract(SearchCase):
    """What is found."""

    async def test_words_are_found_in_any_order_the_newest_first(self) -> None:
        await self.prepare()
        for text in ("green tea", "Tea, GREEN", "green", "teas are green", "greenhouse tea"):
            await self.say(text)
        self.assertEqual(await self.find('tea "green"'), ["Tea, GREEN", "green tea"])
        three = ["teas are green", "Tea, GREEN", "green tea"]
        self.assertEqual(await self.find('"green" tea'), three)
        self.assertEqual(await self.find('"green tea"'), ["green tea"])
        self.assertEqual(await self.find('"tea green"'), ["Tea, GREEN"])
        self.assertEqual((await self.find("gree"))[:2], ["greenhouse tea", "teas are green"])
        self.assertEqual(await self.find('"gree"'), [])
        self.assertEqual(await self.find("coffee"), [])

    async def test_case_marks_and_scripts(self) -> None:
        await self.prepare()
        texts = [
            "Crème brûlée",
            "STRASSE",
            "我喝绿茶。",
            "녹차를 마신다",
            "ชาเขียวอร่อย",
            "抹茶",
            "👍🏽 ok",
        ]
        for text in texts:
            await self.say(text)
        for query, expected in (
            *(("creme", 0), ("BRÛLÉE", 0), ("Straße", 1), ("绿茶", 2), ("喝绿", 2)),
            *(("녹차", 3), ("ชาเขียว", 4), ("เขียว", 4), ("茶 抹", 5), ("👍", 6)),
        ):
            self.assertEqual(await self.find(query), [texts[expected]], query)
        self.assertEqual(await self.find("茶绿"), [])
        self.assertEqual(await self.find("노"), [])

    async def test_what_looks_like_the_language_of_an_index_is_text(self) -> None:
        await self.prepare()
        await self.say("near or not and text tags r1 u416e6e link")
        for query in (
            "OR",
            "NOT near",
            "AND",
            "text: near",
            "tags:near",
            "n*ar",
            "near^",
            "(near)",
        ):
            await self.find(query)
        self.assertEqual(len(await self.find("near AND not")), 1)
        self.assertEqual(await self.find('"rowid"'), [])
        self.assertEqual(await self.find("near from:bob"), [])
        self.assertEqual(await self.find('near "r1" has:link'), [])

    async def test_authors_are_found_by_name(self) -> None:
        await self.prepare()
        await self.say("tea of ann")
        await self.say("tea of bob", self.bob, usr="Bob")
        await self.say("tea of before", usr="an n")
        self.assertEqual(await self.find("tea from:ANN"), ["tea of ann"])
        self.assertEqual(await self.find("from:bob"), ["tea of bob", "y"])
        self.assertEqual(await self.find('tea from:"an n"'), ["tea of before"])
        self.assertEqual(await self.find("tea from:ann from:bob"), ["tea of bob", "tea of ann"])
        self.assertEqual(await self.find("tea from:carl"), [])

    async def test_times_and_links(self) -> None:
        await self.prepare()
        day = 86_400_000
        await self.say("tea old", at=day - 1)
        await self.say("tea new https://example.org/", at=day)
        self.assertEqual(await self.find("tea before:1970-01-02"), ["tea old"])
        self.assertEqual(await self.find("tea after:1970-01-02"), ["tea new https://example.org/"])
        self.assertEqual(await self.find("has:link"), ["tea new https://example.org/"])
        self.assertEqual(await self.find("tea after:1970-01-02 before:1970-01-02"), [])

    async def test_a_found_message_is_the_present_one_without_reactions(self) -> None:
        await self.prepare()
        seq = await self.say("green tea")
        await self.changed(reacted(seq, "+"), self.ann)
        await self.changed(edited(seq, "black tea"), self.ann)
        [found] = (await self.page("tea")).found
        expected = attrs.evolve(await self.found(seq), reactions=())
        self.assertEqual((found.room_id, found.message), (self.room_id, expected))

    async def test_only_messages_are_found(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, joined("tea"), await self.account("tea"))
        self.assertEqual(await self.find("tea"), [])
        self.assertEqual(await self.find("from:tea"), [])

    async def test_any_text_is_found_as_a_plain_search_finds_it(self) -> None:
        await self.prepare()
        stored: list[str] = []

        @given(st.lists(TEXTS.filter(str.strip), max_size=6), TEXTS, st.booleans())
        @settings(max_examples=example_count(60), deadline=None, database=None)
        def collect(texts: list[str], raw: str, quoted: bool) -> None:
            raw = raw.replace('"', "")
            queries.append((len(stored) + len(texts), f'"{raw}"' if quoted else raw))
            stored.extend(texts)

        queries: list[tuple[int, str]] = []
        collect()
        messages = []
        for text in stored:
            messages.append(message(text))
            self.append(self.room_id, messages[-1], self.ann)
        await self.index()
        queries += [(0, stored[number]) for number in range(0, len(stored), 4)]
        some = 0
        for _, raw in queries:
            try:
                query = parse(raw)
            except Exception:
                continue
            expected = [one.seq for one in reversed(messages) if query.matches(one)]
            page = await self.page(query)
            self.assertEqual([one.message.seq for one in page.found], expected[:50], raw)
            self.assertEqual(page.before is not None, len(expected) > 50)
            some += bool(expected)
        self.assertGreater(some, example_count(60) // 6)


class SearchRightsContract(SearchCase):
    """Who finds what."""

    async def test_only_rooms_of_the_account_are_searched(self) -> None:
        await self.prepare()
        carl = await self.account("Carl")
        shed = (await self.stored(0, room_created("Shed", owner="Carl"), carl, key="shed")).room_id
        await self.say("tea garden")
        await self.say("tea shed", carl, room_id=shed, room="Shed", usr="Carl")
        await self.say("tea lobby", carl, room_id=self.lobby, room="lobby", usr="Carl")
        for account, expected in (
            (self.ann, ["tea lobby", "tea garden"]),
            (carl, ["tea lobby", "tea shed"]),
            (0, ["tea lobby"]),
        ):
            self.assertEqual(await self.find("tea", account_id=account), expected)
        self.assertEqual(await self.find("tea", log_ids=(self.room_id,)), ["tea garden"])
        self.assertEqual(await self.find("tea", log_ids=(shed,)), [])
        self.assertEqual(await self.find("tea", log_ids=(shed, self.lobby)), ["tea lobby"])
        self.assertEqual(await self.find("tea", log_ids=(10_000,)), [])
        for _ in range(4):
            name = f"Room{next(self.numbers)}"
            self.append(0, room_created(name), self.ann, key=name.lower())
        others = tuple(range(self.lobby + 1, 300))
        self.assertEqual(await self.find("tea", log_ids=others), ["tea garden"])

    async def test_a_direct_message_is_found_by_the_two_accounts_alone(self) -> None:
        await self.prepare()
        carl = await self.account("Carl")
        await self.whisper(self.ann, self.bob, "tea 1")
        await self.whisper(carl, self.bob, "tea 2")
        await self.whisper(carl, carl, "tea notes")
        await self.say("tea garden")
        first, second, notes = [
            (await self.store.find_direct(account, None, other)).id
            for account, other in ((self.ann, self.bob), (carl, self.bob), (carl, carl))
        ]
        garden = ("tea garden", self.room_id, None)
        for account, expected in (
            (self.ann, [garden, ("tea 1", first, "Bob")]),
            (self.bob, [garden, ("tea 2", second, "Carl"), ("tea 1", first, "Ann")]),
            (carl, [("tea notes", notes, "Carl"), ("tea 2", second, "Bob")]),
            (0, []),
        ):
            page = await self.page("tea", account_id=account)
            found = [(one.message.msg, one.room_id, one.other) for one in page.found]
            self.assertEqual(found, expected)
            for log_id in (first, second, notes, self.room_id):
                found = await self.find("tea", account_id=account, log_ids=(log_id,))
                self.assertEqual(
                    found, [text for text, room_id, _ in expected if room_id == log_id]
                )

    async def test_changes_of_a_direct_message_change_what_is_found(self) -> None:
        await self.prepare()
        await self.whisper(self.ann, self.bob, "green tea")
        direct = await self.store.find_direct(self.ann, None, self.bob)
        self.room_id = direct.id
        await self.index()
        await self.changed(edited(1, "black tea"), self.ann)
        self.assertEqual(await self.find("green"), [])
        self.assertEqual(await self.find("black", account_id=self.bob), ["black tea"])
        await self.changed(deleted(1), self.ann)
        self.assertEqual(await self.find("tea"), [])

    async def test_a_conversation_is_searched_until_both_accounts_have_ended(self) -> None:
        await self.prepare()
        guests = [
            await self.store.login_guest(name, name.lower(), new_session(name.encode(), 1))
            for name in ("Gil", "Hal")
        ]
        await self.whisper(guests[0], self.bob, "tea 1")
        await self.whisper(*guests, "tea 2")
        await self.index()
        await self.store.end_guest(guests[0])
        page = await self.page("tea", account_id=self.bob)
        self.assertEqual([(one.message.msg, one.other) for one in page.found], [("tea 1", "Gil")])
        self.assertEqual(await self.find("tea", account_id=guests[0]), [])
        self.assertEqual(await self.find("tea", account_id=guests[1]), ["tea 2"])
        await self.store.end_guest(guests[1])
        self.assertEqual(await self.find("tea", account_id=guests[1]), [])

    async def test_a_removed_member_finds_nothing_more(self) -> None:
        await self.prepare()
        await self.say("tea")
        self.assertEqual(await self.find("tea", account_id=self.bob), ["tea"])
        await self.stored(self.room_id, left("Bob"), self.bob)
        self.assertEqual(await self.find("tea", account_id=self.bob), [])
        self.assertEqual(await self.find("tea", account_id=self.bob, log_ids=(self.room_id,)), [])
        await self.stored(self.room_id, joined("Bob"), self.bob)
        self.assertEqual(await self.find("tea", account_id=self.bob), ["tea"])

    async def test_nothing_of_a_deleted_room_is_found(self) -> None:
        await self.prepare()
        await self.say("tea")
        await self.index()
        await self.store.delete_room(self.room_id, 1)
        self.assertEqual(await self.find("tea"), [])
        again = await self.room(self.ann)
        await self.say("tea again", room_id=again)
        self.assertEqual(await self.find("tea"), ["tea again"])

    async def test_many_rooms(self) -> None:
        await self.prepare()
        for number in range(210):
            name = f"Room{number}"
            self.append(0, room_created(name), self.ann, key=name.lower())
        shed = await self.room(self.bob, "Shed")
        await self.say("tea")
        await self.say("tea shed", self.bob, room_id=shed, room="Shed", usr="Bob")
        self.assertEqual(await self.find("tea"), ["tea"])
        self.assertEqual(await self.find("tea", account_id=self.bob), ["tea shed", "tea"])
        self.assertEqual(await self.find("tea", account_id=0), [])


class SearchPagesContract(SearchCase):
    """Positions, limits and time."""

    async def test_pages_have_everything_once_in_order(self) -> None:
        await self.prepare()
        for number in range(7):
            room_id = (self.room_id, self.lobby)[number % 2]
            await self.say(f"tea {number}", room_id=room_id)
            await self.say("other")
        for limit in (1, 2, 3, 7, 8):
            before, pages = None, []
            while True:
                page = await self.page("tea", limit=limit, before=before)
                pages.append([one.message.msg for one in page.found])
                before = page.before
                if before is None:
                    break
            texts = [f"tea {number}" for number in reversed(range(7))]
            expected = [texts[start : start + limit] for start in range(0, 7, limit)]
            self.assertEqual(pages, expected)

    async def test_a_page_is_not_moved_by_new_messages(self) -> None:
        await self.prepare()
        for text in ("tea 1", "tea 2"):
            await self.say(text)
        page = await self.page("tea", limit=1)
        await self.say("tea 3")
        self.assertEqual(await self.find("tea", before=page.before), ["tea 1"])
        for before in (0, 1):
            self.assertEqual(await self.find("tea", before=before), [])
        self.assertEqual(len(await self.find("tea", before=2**60)), 3)

    async def test_a_search_ends_with_its_time_and_can_go_on(self) -> None:
        await self.prepare()
        await self.say("tea")
        page = await self.page("tea", seconds=0.0)
        self.assertEqual((page.found, page.incomplete), ((), True))
        self.assertEqual(await self.find("tea", before=page.before), ["tea"])
        page = await self.page("tea")
        self.assertEqual((len(page.found), page.before, page.incomplete), (1, None, False))


class SearchChangesContract(SearchCase):
    """What is found of messages that were changed, whether or not they were indexed before."""

    async def test_an_edited_message_is_found_by_its_present_text_only(self) -> None:
        await self.prepare()
        for index_first in (False, True):
            seq = await self.say("green tea")
            if index_first:
                await self.index()
            await self.changed(edited(seq, "black coffee"), self.ann)
            self.assertEqual(await self.find("green"), [])
            self.assertEqual(await self.find("tea"), [])
            self.assertEqual((await self.find("coffee"))[0], "black coffee")
            await self.changed(edited(seq, "red tea"), self.ann)
            self.assertEqual(len(await self.find("coffee")), 0)
            await self.changed(deleted(seq), self.ann)
            self.assertEqual(await self.find("red tea"), [])

    async def test_other_changes_leave_a_message_where_it_is_found(self) -> None:
        await self.prepare()
        seq = await self.say("green tea")
        await self.index()
        await self.changed(edited(seq, "black tea"), self.ann)
        for on in (True, False):
            await self.changed(reacted(seq, "+", on), self.ann)
            self.assertEqual(await self.find("black tea"), ["black tea"])
        await self.changed(deleted(seq), self.ann)
        self.assertEqual(await self.find("from:ann"), ["x"])

    async def test_changes_and_new_messages_in_one_batch(self) -> None:
        await self.prepare()
        first = await self.say("tea 1")
        await self.index()
        self.append(self.room_id, message("tea 2"), self.ann)
        self.change(edited(first, "coffee 1"), self.ann)
        self.change(edited(first + 1, "coffee 2"), self.ann)
        self.append(self.room_id, message("tea 3"), self.ann)
        self.change(deleted(first), self.ann)
        self.assertEqual(await self.find("tea"), ["tea 3"])
        self.assertEqual(await self.find("coffee"), ["coffee 2"])

    async def test_kinds_of_messages(self) -> None:
        await self.prepare()
        said: list[MessageSent] = [message("tea 1")]
        said.append(AnnotatedMessage(**_fields(annotated(message("tea 2"))), style="action"))
        for one in said:
            await self.stored(self.room_id, one, self.ann)
        self.assertEqual(await self.find("tea"), ["tea 2", "tea 1"])


def _fields(entry: AnnotatedMessage) -> dict[str, Any]:
    names = ("room_name", "usr", "at", "msg", "id")
    return {name: getattr(entry, name) for name in names}
