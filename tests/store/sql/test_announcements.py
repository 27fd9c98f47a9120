"""Telling other nodes who is online here, also while the database fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from gtchat.store.sql.announcements import Announcements

ACCOUNTS = st.integers(1, 4)
#: Accounts come online or go; the write that is under way is stored or fails; a second is over.
STEPS = st.lists(
    st.one_of(st.tuples(ACCOUNTS, st.booleans()), st.sampled_from(["stored", "failed", "again"])),
    max_size=30,
)


class AnnouncementsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.online: dict[int, str] = {}
        self.writes: list[tuple[Deferred[None], dict[int, str], tuple[int, ...]]] = []
        self.announcements = Announcements(self.store)

    def store(self, came: Mapping[int, str], went: Collection[int]) -> Deferred[None]:
        self.assertFalse(self.writes, "two writes at once")
        self.writes.append((Deferred(), dict(came), tuple(went)))
        return self.writes[0][0]

    def finish(self, stored: bool) -> None:
        """End the write that is under way."""
        if not self.writes:
            return
        [(done, came, went)] = self.writes
        self.writes.clear()
        if stored:
            self.online.update(came)
            for account_id in went:
                self.online.pop(account_id, None)
            done.callback(None)
        else:
            done.errback(NotStored())

    @given(STEPS)
    def test_what_was_said_last_is_told_in_the_end(
        self, steps: list[tuple[int, bool] | str]
    ) -> None:
        self.begin()
        expected: dict[int, str] = {}
        for step in steps:
            if step == "again":
                self.announcements.tell()
            elif isinstance(step, str):
                self.finish(step == "stored")
            elif step[1]:
                expected[step[0]] = f"user {step[0]}"
                self.announcements.add({step[0]: expected[step[0]]}, ())
            else:
                expected.pop(step[0], None)
                self.announcements.add({}, (step[0],))
        for _ in range(3):
            self.announcements.tell()
            self.finish(True)
        self.assertEqual((self.online, self.writes), (expected, []))

    def test_a_node_that_is_given_up_tells_nothing_more(self) -> None:
        self.announcements.add({1: "Ann"}, ())
        self.announcements.add({2: "Bob"}, ())
        self.announcements.forget()
        self.finish(False)
        self.announcements.tell()
        self.assertEqual(self.writes, [])
        self.announcements.add({3: "Eve"}, ())
        self.assertEqual(self.writes[0][1:], ({3: "Eve"}, ()))
