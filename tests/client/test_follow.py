"""Reading logs: `history`, and `follow`, which has each entry once and in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    CommandFailed,
    ConnectionClosed,
    Entry,
    HistoryChanged,
    Message,
    RoomEvent,
    RoomReset,
)
from gtchat.client import follow as module
from gtchat.client.follow import FollowBudget, Follower, fold, parse_cursor
from gtchat.client.readers import PARALLEL_PAGES
from tests import example_count
from tests.client.fakes import AT, ConnectedTestCase, event, history_of, resumed, spoken, welcome


class Cursors(SynchronousTestCase):
    def test_a_cursor_is_epoch_and_seq(self) -> None:
        for cursor, expected in ((None, (None, 0)), ("e:7", ("e", 7)), ("a:b:07", ("a:b", 7))):
            self.assertEqual(parse_cursor(cursor), expected)

    def test_what_is_no_cursor_is_refused(self) -> None:
        for cursor in ("", "7", "e:", ":7", "e:x", "e:-1", "e:٧"):
            with self.assertRaises(ValueError):
                parse_cursor(cursor)

    def test_names_are_compared_without_case_and_form(self) -> None:
        self.assertEqual(fold("CAFE\u0301"), fold("caf\u00e9"))


#: What can happen between two readings: an entry that is pushed, one that is not (an own message,
#: one of a blocked user), entries that only the history has after a loss, a reading.
steps = st.lists(
    st.one_of(
        st.just("push"),
        st.just("own"),
        st.just("silent"),
        st.just("again"),
        st.just("lost"),
        st.just("take"),
        st.just("read"),
        st.just("ask"),
        st.just("answer"),
    ),
    max_size=60,
)


class Merging(SynchronousTestCase):
    """A follower alone: history and what is live are merged."""

    def test_each_entry_is_read_once_and_in_order(self) -> None:
        @settings(max_examples=example_count(300), deadline=None, derandomize=True)
        @given(steps, st.integers(0, 5), st.integers(0, 5))
        def check(happened: list[str], known: int, position: int) -> None:
            world = World(known, min(known, position))
            for step in happened:
                getattr(world, step)()
            world.finish()
            self.assertEqual(world.seqs, list(range(min(known, position) + 1, world.last + 1)))
            self.assertEqual(world.budget.held, 0)

        check()

    def test_an_entry_is_not_lost_that_is_pushed_before_the_reply_to_an_older_page(self) -> None:
        world = World(3, 3)
        world.ask()
        world.push()
        world.answer()
        world.read()
        world.take()
        self.assertEqual(world.seqs, [4])

    def test_what_waits_is_read_before_the_end_of_the_membership_alone(self) -> None:
        for reason, before in (("left", [3]), ("epoch", []), ("recreated", [])):
            follower = Follower(2, FollowBudget())
            follower.add(event(**spoken(3)))
            reset = RoomReset(room="lobby", reason=reason)
            follower.reset(reset)
            read = [follower.take() for _ in range(len(before) + 1)]
            self.assertEqual([item.seq for item in read if isinstance(item, Entry)], before)
            self.assertIs(read[-1], reset)


class World:
    """A log and one follower of it.

    Args:
        last: number of entries that the log has.
        position: what the follower has read of them before.
    """

    def __init__(self, last: int, position: int) -> None:
        self.last = last
        self.budget = FollowBudget()
        self.follower = Follower(position, self.budget)
        self.seqs: list[int] = []
        self.page: tuple[list[Entry], bool, int] | None = None

    def push(self) -> None:
        self.last += 1
        self.follower.add(event(**spoken(self.last)))

    def again(self) -> None:
        """Push an entry a second time, as after a loss."""
        if self.last:
            self.follower.add(event(**spoken(self.last)))

    def own(self) -> None:
        self.last += 1
        self.follower.jump(self.last)

    def silent(self) -> None:
        """Add an entry of which nothing is pushed, such as one of a blocked user."""
        self.last += 1

    def lost(self) -> None:
        """Lose the connection: what happens meanwhile is told of by its number only."""
        self.last += 3
        self.follower.jump(self.last)

    def take(self) -> None:
        if self.page is not None:  # the reader waits for it
            return
        item = self.follower.take()
        if isinstance(item, Entry):
            self.seqs.append(item.seq or 0)

    def read(self) -> None:
        """Read a page of two entries, if one is needed."""
        self.ask()
        self.answer()

    def ask(self) -> None:
        """Ask for a page: it is as the log is now."""
        if self.follower.needs_page and self.page is None:
            after = self.follower.ask()
            page = [event(**spoken(seq)) for seq in range(after + 1, self.last + 1)]
            self.page = page[:2], len(page) > 2, self.last

    def answer(self) -> None:
        """Get the page, before or after what is pushed meanwhile."""
        page, self.page = self.page, None
        if page is not None:
            self.follower.add_page(*page)

    def finish(self) -> None:
        """Read to the end, of which the follower is told."""
        self.follower.jump(self.last)
        self.answer()
        for _ in range(2 * self.last + 9):
            self.take()
            self.read()


class FollowTests(ConnectedTestCase):
    """`follow` on a connection to a server whose log of the lobby is `self.log`."""

    def setUp(self) -> None:
        super().setUp()
        self.log = [spoken(seq) for seq in range(1, 4)]
        self.server.answers["history"] = history_of(self.log)
        self.open()
        self.log_in(lobby=3)
        self.seen: list[Any] = []
        self.following: Deferred[None] | None = None

    def follow(self, after: str | None = None, room: str = "lobby") -> None:
        async def read() -> None:
            async for item in self.connection.follow(room, after=after):
                self.seen.append(item)

        self.following = Deferred.fromCoroutine(read())
        self.server.pump()

    def say(self, count: int = 1, pushed: bool = True) -> None:
        """Add messages to the log. pushed: whether they are pushed, too."""
        for _ in range(count):
            self.log.append(spoken(len(self.log) + 1))
            if pushed:
                self.server.push(**self.log[-1])
        self.server.pump()

    def seqs(self) -> list[int]:
        return [item.seq for item in self.seen if isinstance(item, Entry)]

    def test_history_comes_first_then_what_is_live(self) -> None:
        self.follow()
        self.assertEqual(self.seqs(), [1, 2, 3])
        self.say(2)
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5])
        self.assertEqual(len(self.server.asked("history")), 1)
        self.assertEqual(self.seen[-1].cursor, "e1:5")

    def test_it_goes_on_behind_a_cursor(self) -> None:
        self.follow("e1:2", room="LOBBY")
        self.say()
        self.assertEqual(self.seqs(), [3, 4])

    def test_changes_are_asked_for_too(self) -> None:
        self.follow()
        kinds = self.server.asked("history")[0]["kinds"]
        for kind in ("c_speak", "edited", "join_room", "kicked"):
            self.assertIn(kind, kinds)

    def test_own_messages_are_included(self) -> None:
        self.follow()
        self.server.answers["speak"] = {"seq": 4, "id": "lobby-4"}
        self.log.append(spoken(4, "ann"))
        self.result("speak", room_name="Lobby", msg="hi")
        self.assertEqual(self.seqs(), [1, 2, 3, 4])
        self.say()
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5])

    def test_what_was_missed_is_in_its_place(self) -> None:
        self.follow()
        self.say(2, pushed=False)
        self.server.answers["resume"] = resumed(*self.log[3:5])
        self.server.drop()
        self.reconnect()
        self.say()
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5, 6])
        self.assertEqual(len(self.server.asked("history")), 1)

    def test_a_large_gap_is_read_once_and_not_for_events(self) -> None:
        self.follow()
        self.say(450, pushed=False)
        self.server.answers["resume"] = resumed(state="behind", last_seq=453)
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.seqs(), list(range(1, 454)))
        self.assertEqual(len(self.server.asked("history")), 1 + 3)

    def test_a_history_request_that_is_lost_is_repeated(self) -> None:
        answer = self.server.answers.pop("history")
        self.server.answers["history"] = None
        self.follow()
        self.server.answers.update(history=answer, resume=welcome(lobby=3))
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_another_epoch_begins_anew(self) -> None:
        self.follow("e0:17")
        [reset, *entries] = self.seen
        self.assertEqual(reset, RoomReset(room="lobby", reason="epoch", epoch="e1"))
        self.assertEqual([entry.seq for entry in entries], [1, 2, 3])

    def test_a_backup_that_is_put_back_begins_anew_and_loses_nothing(self) -> None:
        """The page that is asked for across the change is of the other log: it is not used."""
        self.follow()
        self.server.answers["history"] = None
        self.say(1, pushed=False)
        self.server.push(**spoken(6))
        self.server.pump()
        self.log[2:] = [{**spoken(seq), "id": f"new-{seq}"} for seq in (3, 4, 5, 6, 7)]
        self.server.answers["history"] = history_of(self.log)
        state = {"room_name": "lobby", "state": "reset", "reason": "epoch", "last_seq": 7}
        self.server.answers["resume"] = {**welcome(lobby=7), "epoch": "e2", "resumed": [state]}
        self.server.drop()
        self.reconnect()
        [*before, reset, first, _, _, _, _, _, _] = self.seen
        self.assertEqual([entry.seq for entry in before], [1, 2, 3])
        self.assertEqual(reset, RoomReset(room="lobby", reason="epoch", epoch="e2", last_seq=7))
        self.assertEqual(first.cursor, "e2:1")
        self.assertEqual(self.seqs()[3:], [1, 2, 3, 4, 5, 6, 7])

    def test_a_position_behind_the_end_is_of_another_log(self) -> None:
        self.follow("e1:9")
        self.assertEqual((self.seen[0].reason, self.seqs()), ("recreated", [1, 2, 3]))

    def test_it_ends_when_the_user_leaves(self) -> None:
        for leave in ("kicked", "leave_room", "gone", "missed"):
            self.setUp()
            self.follow()
            if leave == "kicked":
                kick = {"cmd": "c_event", "type": "kicked", "by": "bob", "at": AT}
                self.server.push(**kick, room_name="lobby", usr="ann", seq=4)
                self.server.pump()
                self.assertIsInstance(self.seen[3], RoomEvent)
            elif leave == "leave_room":
                self.result("leave_room", room_name="Lobby")
            elif leave == "gone":
                self.server.push(cmd="c_event", type="room_gone", room_name="lobby", at=AT)
                self.server.pump()
            else:
                self.server.answers["resume"] = welcome(garden=1)
                self.server.drop()
                self.reconnect()
            self.assertEqual(self.seen[-1].reason, "left", leave)
            self.successResultOf(self.following)

    def test_a_room_that_can_not_be_read_raises(self) -> None:
        self.server.answers["history"] = {"code": "not_in_room"}
        self.follow()
        self.failureResultOf(self.following, CommandFailed)

    def test_temporary_errors_are_waited_out(self) -> None:
        answer = self.server.answers["history"]
        self.server.answers["history"] = {"code": "not_stored"}
        self.follow()
        self.server.answers["history"] = answer
        self.clock.advance(1)
        self.server.pump()
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_a_page_that_waits_when_the_connection_is_lost_begins_none_beside_the_next(
        self,
    ) -> None:
        answer = self.server.answers["history"]
        self.server.answers["history"] = {"code": "not_stored"}
        self.follow()
        self.server.answers.update(history=answer, resume=welcome(lobby=3))
        self.server.drop()
        self.reconnect()
        self.assertEqual(self.server.attempts, 2)
        self.assertEqual(len(self.server.asked("resume")), 1)
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_close_ends_it_and_another_end_raises(self) -> None:
        self.follow()
        Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(self.following)
        self.setUp()
        self.follow()
        self.server.close(4001, "replaced")
        self.failureResultOf(self.following, ConnectionClosed)
        self.failureResultOf(self.reading, ConnectionClosed)

    def test_a_page_that_is_needed_while_close_waits_for_answers_ends_it(self) -> None:
        self.follow()
        self.server.answers["speak"] = None
        self.call("speak", room_name="lobby", msg="hi").addErrback(lambda _: None)
        Deferred.fromCoroutine(self.connection.close())
        self.say(1, pushed=False)
        self.say()
        self.server.pump()
        self.successResultOf(self.following)
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_many_followers_hold_a_bounded_number_of_entries(self) -> None:
        self.log += [spoken(seq) for seq in range(4, 601)]
        readers = [self.connection.follow("lobby", after=None) for _ in range(30)]
        for reader in readers:
            first = Deferred.fromCoroutine(reader.__anext__())
            self.server.pump()
            self.assertEqual(self.successResultOf(first).seq, 1)
        held = self.connection._stream._budget.held
        limit = module.MAX_HELD + len(readers) * module.MIN_PAGE
        self.assertTrue(module.MAX_HELD / 2 < held <= limit, held)

    def answer_pages(self) -> None:
        """Reply to all requests of pages."""
        for request in self.server.asked("history"):
            self.server.reply(request, **history_of(self.log)(request))
        self.server.pump()

    def interrupt(self, reader: AsyncIterator[Any], before: Callable[[], None]) -> None:
        """Cancel the wait for an element as a task of asyncio does, which can be late.

        Args:
            reader: the iterator.
            before: what happens before it is cancelled, and before it goes on.
        """
        steps = reader.__anext__().__await__()
        waited_for: Deferred[None] = next(steps)
        self.server.pump()
        before()
        waited_for.addErrback(lambda _: None)
        waited_for.cancel()
        with self.assertRaises(CancelledError):
            steps.throw(CancelledError())

    def test_an_interrupted_wait_ends_no_iteration(self) -> None:
        for name, options in (("follow", {"after": None}), ("history", {})):
            for in_time in (True, False):
                self.server.answers["history"] = None
                self.server.requests.clear()
                reader = getattr(self.connection, name)("lobby", **options)
                self.interrupt(reader, (lambda: None) if in_time else self.answer_pages)
                if in_time:
                    self.answer_pages()
                first = Deferred.fromCoroutine(reader.__anext__())
                self.assertEqual(self.successResultOf(first).seq, 1)
                self.assertEqual(len(self.server.asked("history")), 1)

    def test_an_interrupted_follower_keeps_no_turn_for_its_page(self) -> None:
        self.server.answers["history"] = None
        readers = [self.connection.follow("lobby", after=None) for _ in range(PARALLEL_PAGES + 1)]
        first = [Deferred.fromCoroutine(reader.__anext__()) for reader in readers[:-1]]
        self.interrupt(readers[-1], self.answer_pages)
        self.server.answers["history"] = history_of(self.log)
        self.answer_pages()
        self.assertEqual([self.successResultOf(one).seq for one in first], [1] * PARALLEL_PAGES)
        self.assertEqual(self.connection._page_slots.tokens, PARALLEL_PAGES)

    def test_events_are_not_kept_for_a_program_that_only_follows(self) -> None:
        connection = self.connection = self.make()
        opened = Deferred.fromCoroutine(connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.log_in(lobby=3)
        self.follow()
        self.say(9)
        self.assertEqual((connection._stream.waiting, len(self.seqs())), (0, 12))


class HistoryTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = [spoken(seq) for seq in range(1, 451)]
        self.server.answers["history"] = history_of(self.log)
        self.open()
        self.log_in(lobby=450)

    def read(self, entries: AsyncIterator[Entry]) -> Deferred[list[int | None]]:
        async def seqs() -> list[int | None]:
            return [entry.seq async for entry in entries if isinstance(entry, Message)]

        reading = Deferred.fromCoroutine(seqs())
        self.server.pump()
        return reading

    def test_it_is_read_page_by_page(self) -> None:
        for bounds, expected in (
            ({}, range(1, 451)),
            ({"after": 10}, range(11, 451)),
            ({"after": 10, "before": 13}, range(11, 13)),
            ({"after": 450}, range(0)),
        ):
            reading = self.read(self.connection.history("lobby", **bounds))
            self.assertEqual(self.successResultOf(reading), list(expected))

    def test_kinds_are_passed_on(self) -> None:
        self.successResultOf(self.read(self.connection.history("lobby", kinds=("c_speak",))))
        self.assertEqual(self.server.asked("history")[-1]["kinds"], ["c_speak"])

    def test_a_reset_meanwhile_raises(self) -> None:
        self.server.answers["history"] = None
        reading = self.read(self.connection.history("lobby"))
        self.server.answers["history"] = history_of(self.log)
        state = {"room_name": "lobby", "state": "reset", "reason": "recreated", "last_seq": 450}
        self.server.answers["resume"] = {**welcome(lobby=450), "resumed": [state]}
        self.server.drop()
        self.reconnect()
        self.failureResultOf(reading, HistoryChanged)
        self.assertEqual(self.received[-1].reason, "recreated")
