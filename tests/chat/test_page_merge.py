"""A page of history and the pushes after it give the same state as a later page, in any order.

`Merged` is how a client merges what it gets: a change applies to a message only if its seq is
greater than the message's `changed`. docs/protocol.md describes the same rule.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from tests.fakes import FakeClient, TestServer

EXAMPLES = 300
EMOJI = ("\u2764\ufe0f", "\U0001f44d", "\U0001f600")
LIMITS = Limits(commands_per_second=0, reactions_per_minute=0)

Entry = dict[str, Any]

names = st.sampled_from(("ann", "bob", "eve", "gus"))
#: How far before the newest entry of the log the message is that an action is about.
targets = st.integers(0, 5)
actions = st.one_of(
    st.tuples(st.just("speak"), names, st.none() | targets, st.sampled_from(("", "action"))),
    st.tuples(st.just("edit"), names, targets, st.sampled_from("xyz")),
    st.tuples(st.just("delete"), names, targets, st.sampled_from(("", "why"))),
    st.tuples(st.just("react"), names, targets, st.sampled_from(EMOJI), st.booleans()),
    st.tuples(st.sampled_from(("pin", "unpin")), st.just("ann"), targets),
    st.tuples(st.sampled_from(("leave_room", "join_room")), st.just("eve")),
)


class Merged:
    """The entries of a room as a client has them.

    Args:
        user: the name of its user.
        page: a page of history with all entries.
    """

    def __init__(self, user: str, page: list[Entry]) -> None:
        self._user = user
        self._entries = {entry["seq"]: deepcopy(entry) for entry in page}

    def load(self, page: list[Entry]) -> None:
        """Merge a page that was loaded before or after what is here."""
        for entry in page:
            known = self._entries.get(entry["seq"])
            if known is None or entry.get("changed", 0) > known.get("changed", 0):
                self._entries[entry["seq"]] = deepcopy(entry)

    def apply(self, entry: Entry) -> None:
        """Merge an entry that was pushed, or that came with `resume`."""
        if "of" not in entry:
            self.load([entry])
            return
        message = self._entries.get(entry["of"])
        if message is not None and entry["seq"] > message.get("changed", 0):
            message["changed"] = entry["seq"]
            getattr(self, f"_{entry['type']}")(message, entry)

    def _edited(self, message: Entry, entry: Entry) -> None:
        message["msg"] = entry["msg"]
        message["edited"] = True

    def _deleted(self, message: Entry, entry: Entry) -> None:
        for field in ("edited", "reactions", "reply", "style", "pinned"):
            message.pop(field, None)
        message["msg"] = ""
        message["deleted"] = {"by": entry["by"], "reason": entry["reason"]}

    def _reacted(self, message: Entry, entry: Entry) -> None:
        reactions = message.pop("reactions", [])
        found = [one for one in reactions if one["emoji"] == entry["emoji"]]
        if not found:
            new = {"emoji": entry["emoji"], "count": 0, "users": [], "me": False}
            reactions.append(new)
            found = [new]
        [reaction] = found
        reaction["count"] += 1 if entry["on"] else -1
        if entry["on"]:
            reaction["users"].append(entry["usr"])
        else:
            reaction["users"].remove(entry["usr"])
        if entry["usr"] == self._user:
            reaction["me"] = entry["on"]
        reactions = [one for one in reactions if one["count"]]
        if reactions:
            message["reactions"] = reactions

    def _pinned(self, message: Entry, entry: Entry) -> None:
        message["pinned"] = True

    def _unpinned(self, message: Entry, entry: Entry) -> None:
        message.pop("pinned", None)

    @property
    def page(self) -> list[Entry]:
        """All entries but the changes, oldest first."""
        return [self._entries[seq] for seq in sorted(self._entries)]


class Talk:
    """Users act in a room, and a page is taken after each action.

    Attributes:
        pages: seq of the newest entry -> a page of all entries as of then.
        pushes: what the observer was sent, in order.
        outcomes: command and code of each request.
    """

    def __init__(self, taken: list[tuple[Any, ...]]) -> None:
        self.server = TestServer(LIMITS)
        self.clients: dict[str, FakeClient] = {
            name: self.server.member(name) for name in ("ann", "bob", "eve")
        }
        self.clients["ann"].drop()
        self.clients["gus"] = self.server.guest("gus")
        # The observer is the owner, who changes messages but sends none after the first: a session
        # is not pushed its own messages.
        self.observer = self.clients["ann"] = self.server.connect()
        login = self.observer.login("ann", pwd="password")
        self.session_id = login["session_id"]
        self.observer.call("create_room", room_name="r")
        for name in ("bob", "eve", "gus"):
            self.clients[name].call("join_room", room_name="r")
        self.observer.call("speak", room_name="r", msg="first")
        self.observer.received()
        self.pages: dict[int, list[Entry]] = {}
        self.pushes: list[Entry] = []
        self.outcomes: set[tuple[str, str]] = set()
        self.take_page()
        for action in taken:
            self.act(*action)
            self.take_page()

    @property
    def last(self) -> int:
        """The seq of the newest entry."""
        return self.server.chat.rooms.find("r").last_seq

    def act(self, cmd: str, name: str, *rest: Any) -> None:
        """Make a request of a user; the observer speaks through bob."""
        fields: dict[str, Any] = {}
        if cmd == "speak":
            name = "bob" if name == "ann" else name
            reply, fields["style"] = rest
            fields |= {"msg": "m"} | ({} if reply is None else {"reply": self.last - reply})
        elif rest:
            fields["seq"] = self.last - rest[0]
        if cmd == "edit":
            fields["msg"] = rest[1]
        elif cmd == "delete":
            fields["reason"] = rest[1]
        elif cmd == "react":
            fields["emoji"], fields["on"] = rest[1:]
        reply = self.clients[name].call(cmd, room_name="r", **fields)
        self.outcomes.add((cmd, reply.get("code", "ok")))

    def take_page(self) -> None:
        self.pushes += [one for one in self.observer.pushes() if "seq" in one]
        page = self.observer.call("history", room_name="r", limit=200)
        assert page["status"] == "ok" and not page["more"], page
        self.pages[self.last] = page["entries"]

    def after(self, seq: int) -> list[Entry]:
        """Return the pushes after an entry."""
        return [push for push in self.pushes if push["seq"] > seq]


class PageMerge(SynchronousTestCase):
    def test_a_page_and_the_pushes_after_it_are_a_later_page(self) -> None:
        outcomes: set[tuple[str, str]] = set()

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
        @given(st.lists(actions, max_size=25), st.randoms(use_true_random=False))
        def check(taken: list[tuple[Any, ...]], random: Any) -> None:
            talk = Talk(taken)
            outcomes.update(talk.outcomes)
            final = talk.pages[talk.last]
            self.assertEqual([push["seq"] for push in talk.pushes], [*range(6, talk.last + 1)])
            for seq, page in talk.pages.items():
                merged = Merged("ann", page)
                for push in talk.after(seq):
                    merged.apply(push)
                self.assertEqual(merged.page, final, seq)
            # Pushes, an older or newer page that arrives meanwhile, then all pushes again.
            first, between = (random.choice(sorted(talk.pages)) for _ in range(2))
            merged = Merged("ann", talk.pages[first])
            pushes = talk.after(first)
            for push in pushes[: random.randint(0, len(pushes))]:
                merged.apply(push)
            merged.load(talk.pages[between])
            for push in pushes:
                merged.apply(push)
            self.assertEqual(merged.page, final, (first, between))

        check()
        done = {cmd for cmd, code in outcomes if code == "ok"}
        commands = {"speak", "edit", "delete", "react", "pin", "unpin", "leave_room", "join_room"}
        self.assertEqual(done, commands)
        self.assertLessEqual({"deleted", "not_author", "no_such_message"}, {c for _, c in outcomes})

    def test_a_page_and_the_entries_of_a_resume_are_a_later_page(self) -> None:
        @settings(max_examples=EXAMPLES // 3, deadline=None, derandomize=True)
        @given(st.lists(actions, max_size=20))
        def check(taken: list[tuple[Any, ...]]) -> None:
            talk = Talk(taken)
            final = talk.pages[talk.last]
            for seq, page in talk.pages.items():
                talk.observer.drop()
                talk.observer = talk.server.connect()
                reply = talk.observer.call(
                    "resume",
                    session_id=talk.session_id,
                    epoch=talk.server.chat.epoch,
                    seen={"r": seq},
                )
                [room] = [one for one in reply["resumed"] if one["room_name"] == "r"]
                self.assertEqual(room["state"], "resumed")
                found = [entry["seq"] for entry in room["entries"]]
                self.assertEqual(found, list(range(seq + 1, talk.last + 1)))
                merged = Merged("ann", page)
                for entry in room["entries"]:
                    merged.apply(entry)
                self.assertEqual(merged.page, final, seq)

        check()
