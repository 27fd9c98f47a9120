"""Messages and their changes as methods of a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.client import (
    Ack,
    CommandFailed,
    Deletion,
    Direct,
    Found,
    Message,
    Reacted,
    Reaction,
    ReplyTo,
    Report,
    Room,
    SessionInfo,
    Version,
)
from gtchat.client.commands import Repeat, repeat_of
from tests.client.fakes import AT, WHEN, ConnectedTestCase, event, spoken


class Actions(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def done(self, action: Coroutine[Deferred[Any], Any, Any]) -> Any:
        result = Deferred.fromCoroutine(action)
        self.server.pump()
        return self.successResultOf(result)

    def test_each_method_sends_its_command(self) -> None:
        c = self.connection
        for action, expected in (
            (c.speak("r", "hi"), {"cmd": "speak", "msg": "hi"}),
            (
                c.speak("r", "hi", reply=3, style="action"),
                {"cmd": "speak", "msg": "hi", "reply": 3, "style": "action"},
            ),
            (c.edit("r", 7, "new"), {"cmd": "edit", "seq": 7, "msg": "new"}),
            (c.delete("r", 7), {"cmd": "delete", "seq": 7}),
            (c.delete("r", 7, reason="why"), {"cmd": "delete", "seq": 7, "reason": "why"}),
            (c.react("r", 7, "+"), {"cmd": "react", "seq": 7, "emoji": "+", "on": True}),
            (
                c.react("r", 7, "+", on=False),
                {"cmd": "react", "seq": 7, "emoji": "+", "on": False},
            ),
            (c.pin("r", 7), {"cmd": "pin", "seq": 7}),
            (c.unpin("r", 7), {"cmd": "unpin", "seq": 7}),
        ):
            self.server.answers[str(expected["cmd"])] = {"seq": 9, "at": AT}
            self.assertEqual(self.done(action), Ack(None, 9, WHEN, False))
            request = self.server.requests.pop()
            del request["tracker"]
            self.assertTrue(request.pop("txn"))
            self.assertEqual(request, {"room_name": "r", **expected})

    def test_direct_conversations_are_named_by_user_or_by_id(self) -> None:
        c = self.connection
        by_name, by_id = {"target_user": "bob"}, {"direct": 5}
        for action, cmd, expected in (
            (c.whisper("bob", "hi", reply=2), "speak", {**by_name, "msg": "hi", "reply": 2}),
            (c.speak(Direct(id=5, user="bob"), "hi"), "speak", {**by_id, "msg": "hi"}),
            (c.edit(Direct(user="bob"), 7, "new"), "edit", {**by_name, "seq": 7, "msg": "new"}),
            (c.delete(Direct(id=5), 7), "delete", {**by_id, "seq": 7}),
            (c.mark_read(Direct(user="bob"), 7), "mark_read", {**by_name, "seq": 7}),
            (c.mark_unread(Direct(id=5), 7), "mark_unread", {**by_id, "seq": 7}),
            (c.set_notify(Direct(id=5), "none"), "set_notify", {**by_id, "level": "none"}),
        ):
            self.done(action)
            request = self.server.requests.pop()
            del request["tracker"]
            request.pop("txn", None)
            self.assertEqual(request, {"cmd": cmd, **expected})

    def test_direct_conversations_are_listed_page_by_page(self) -> None:
        pages = {
            None: {"directs": [{"id": 5, "usr": "bob", "unread": 2}], "next": "a"},
            "a": {"directs": [{"id": 6, "usr": "cid", "ended": True}]},
        }
        self.server.answers["get_direct_list"] = lambda request: pages[request.get("before")]

        async def listed() -> list[Direct]:
            return [one async for one in self.connection.directs()]

        self.assertEqual(
            self.done(listed()),
            [Direct(id=5, user="bob", unread=2), Direct(id=6, user="cid", ended=True)],
        )

    def test_read_state_has_methods(self) -> None:
        c = self.connection
        for action, expected, answer, result in (
            (c.mark_read("r", 7), {"cmd": "mark_read", "seq": 7}, {}, None),
            (c.mark_unread("r", 7), {"cmd": "mark_unread", "seq": 7}, {"read_seq": 6}, 6),
            (c.set_notify("r", "none"), {"cmd": "set_notify", "level": "none"}, {}, None),
        ):
            self.server.answers[str(expected["cmd"])] = answer
            self.assertEqual(self.done(action), result)
            request = self.server.requests.pop()
            del request["tracker"]
            self.assertEqual(request, {"room_name": "r", **expected})

    def test_rooms_sessions_and_invitations_have_methods(self) -> None:
        c = self.connection
        told: dict[str, Any] = {"role": "voice", "moderated": True, "slow": 5}
        told |= {"keep_messages": 9, "keep_days": 2}
        answer = {"room": {"room_name": "den", **told}}
        den = Room(name="den", **told)
        settings: dict[str, Any] = {"public": False, "topic": "t", "max": 3, "preview": False}
        settings |= {"moderated": True, "slow": 5, "keep_messages": 9, "keep_days": 2}
        asked = {"room_name": "den", "inviter": "bob"}
        for action, expected, result in (
            (c.join("den"), {"cmd": "join_room", "room_name": "den"}, den),
            (c.leave("den"), {"cmd": "leave_room", "room_name": "den"}, None),
            (c.create_room("den"), {"cmd": "create_room", "room_name": "den"}, den),
            (
                c.create_room("den", **settings),
                {"cmd": "create_room", "room_name": "den", **settings},
                den,
            ),
            (c.kick("den", "bob"), {"cmd": "kick", "room_name": "den", "user": "bob"}, None),
            (c.end_session("7"), {"cmd": "end_session", "id": "7"}, None),
            (c.end_other_sessions(), {"cmd": "end_other_sessions"}, None),
            (c.invite("den", "bob"), {"cmd": "invite", "room_name": "den", "invitee": "bob"}, None),
            (
                c.answer_invitation("den", "bob", "Y"),
                {"cmd": "invite_reply", "reply": "Y", **asked},
                den,
            ),
        ):
            self.server.answers[str(expected["cmd"])] = answer
            self.assertEqual(self.done(action), result)
            request = self.server.requests.pop()
            del request["tracker"]
            self.assertEqual("txn" in request, repeat_of(request["cmd"]) is Repeat.WITH_TXN)
            request.pop("txn", None)
            self.assertEqual(request, expected)
        self.server.answers["get_sessions"] = {"sessions": [{"id": "7"}]}
        self.assertEqual(self.done(c.sessions()), (SessionInfo(id="7"),))

    def test_lists_are_read_page_by_page(self) -> None:
        rooms: dict[Any, Any] = {
            None: {"rooms": [{"room_name": "a"}], "rooms_next": "x"},
            "x": {"rooms": [{"room_name": "b"}]},
        }
        # a and b go when they are listed, and the total is smaller then.
        users: dict[Any, Any] = {None: ["a", "b"], "b": ["c"], "c": ["d"], "d": []}
        self.server.answers["get_room_list"] = lambda ask: rooms[ask.get("after")]
        for cmd in ("get_user_list", "get_room_user_list"):
            self.server.answers[cmd] = lambda ask: {
                "users": users[ask.get("after")],
                "users_total": 2 if ask.get("after") else 4,
            }
        c = self.connection

        async def listed(items: AsyncIterator[Any]) -> list[Any]:
            return [one async for one in items]

        self.assertEqual(self.done(listed(c.rooms())), [Room(name="a"), Room(name="b")])
        self.assertNotIn("joined", self.server.requests[-1])
        self.done(listed(c.rooms(joined=True)))
        self.assertEqual([one["joined"] for one in self.server.requests[-2:]], [True, True])
        self.assertEqual(self.done(listed(c.users())), ["a", "b", "c", "d"])
        self.assertEqual(self.done(listed(c.members("den"))), ["a", "b", "c", "d"])
        self.assertEqual(self.server.requests[-1]["room_name"], "den")
        users[None] = ["a", "b", "c", "d"]
        asked = len(self.server.requests)
        self.assertEqual(self.done(listed(c.users())), ["a", "b", "c", "d"])
        self.assertEqual(len(self.server.requests), asked + 1)

    def test_mentions_are_read_page_by_page(self) -> None:
        def page(request: dict[str, Any]) -> dict[str, Any]:
            if "before" in request:
                return {"entries": [spoken(1)], "more": False}
            return {"entries": [spoken(3), spoken(2)], "more": True, "next": "AAA"}

        async def seqs() -> list[int]:
            return [one.seq async for one in self.connection.mentions()]

        self.server.answers["get_mentions"] = page
        result = Deferred.fromCoroutine(seqs())
        for _ in range(3):
            self.server.pump()
        self.assertEqual(self.successResultOf(result), [3, 2, 1])
        self.assertEqual(self.server.requests[-1]["before"], "AAA")

    def test_reports_have_methods(self) -> None:
        c = self.connection
        self.server.answers["report"] = {"report_id": 4}
        self.assertEqual(self.done(c.report("den", 7, reason="spam")), 4)
        self.assertEqual(self.server.requests[-1]["reason"], "spam")
        self.done(c.report(Direct(user="bob"), 7))
        self.assertEqual(self.server.requests[-1]["target_user"], "bob")
        self.done(c.answer_report(4, "accepted", answer="thanks"))
        request = self.server.requests[-1]
        asked = (request["report_id"], request["outcome"], request["answer"])
        self.assertEqual(asked, (4, "accepted", "thanks"))

        def page(request: dict[str, Any]) -> dict[str, Any]:
            report = {"report_id": 4, "seq": 7, "usr": "bob", "msg": "x", "room_name": "den"}
            if "before" in request:
                return {"reports": [{**report, "outcome": "accepted"}]}
            return {"reports": [{**report, "report_id": 5}], "next": "A"}

        async def listed() -> list[Report]:
            return [one async for one in c.reports("den", answered=True)]

        self.server.answers["get_reports"] = page
        newer, older = self.done(listed())
        self.assertEqual(newer, Report(id=5, seq=7, user="bob", text="x", room="den"))
        self.assertEqual((older.id, older.outcome), (4, "accepted"))
        request = self.server.requests[-1]
        asked = (request["room_name"], request["answered"], request["own"], request["before"])
        self.assertEqual(asked, ("den", True, False, "A"))

    def test_a_txn_of_the_caller_is_kept(self) -> None:
        self.server.answers["edit"] = {"seq": 9, "at": AT, "dup": True}
        ack = self.done(self.connection.edit("r", 7, "new", txn="mine"))
        self.assertEqual((ack, self.server.requests[-1]["txn"]), (Ack(None, 9, WHEN, True), "mine"))

    def test_a_change_that_changes_nothing_has_no_seq(self) -> None:
        self.assertEqual(self.done(self.connection.pin("r", 7)), Ack(None, None, None, False))

    def test_a_refusal_is_raised(self) -> None:
        self.server.answers["edit"] = {"code": "too_late", "msg": "Late.", "window": 60}
        editing = Deferred.fromCoroutine(self.connection.edit("r", 7, "new"))
        self.server.pump()
        self.assertEqual(self.failureResultOf(editing, CommandFailed).value.code, "too_late")

    def test_versions_are_listed(self) -> None:
        self.server.answers["versions"] = {"versions": [{"seq": 7, "at": AT, "msg": "old"}]}
        found = self.done(self.connection.versions("r", 7))
        self.assertEqual(found, (Version(seq=7, at=WHEN, text="old"),))

    def test_a_search_has_pages(self) -> None:
        entry = {"cmd": "c_speak", "room_name": "r", "usr": "ann", "seq": 3, "msg": "green tea"}
        self.server.answers["search"] = {
            "entries": [entry | {"marks": [[6, 9]]}],
            "more": True,
            "next": "m5",
            "incomplete": True,
        }
        found = self.done(self.connection.search("tea"))
        message = event(**entry, at=None, marks=[[6, 9]])
        self.assertEqual(found, Found((message,), "m5", True))
        self.server.answers["search"] = {"entries": [], "more": False}
        fields = {"room": "r", "user": "bob", "before": "m5", "limit": 7}
        self.assertEqual(self.done(self.connection.search("tea", **fields)), Found((), None, False))
        sent = [
            {name: value for name, value in request.items() if name != "tracker"}
            for request in self.server.asked("search")
        ]
        self.done(self.connection.search("tea", room=Direct(user="bob")))
        self.assertEqual(self.server.asked("search")[-1]["target_user"], "bob")
        full = {"room_name": "r", "usr": "bob", "before": "m5", "limit": 7}
        self.assertEqual(sent, [{"cmd": "search", "q": "tea"} | more for more in ({}, full)])

    def test_what_there_is_to_say_of_a_message_is_read(self) -> None:
        author = {"cmd": "c_speak", "room_name": "r", "usr": "ann", "msg": ""}
        plain: dict[str, Any] = {**author, "seq": 3}
        said = {"changed": 9, "edited": True, "style": "action", "pinned": True, "guest": True}
        parts = {
            "reply": {"seq": 2, "usr": "bob"},
            "reactions": [{"emoji": "+", "count": 1, "users": ["bob"], "me": False}],
        }
        deleted = {**author, "seq": 4, "deleted": {"by": "ann", "reason": "why"}}
        self.server.answers["history"] = {"entries": [{**plain, **said, **parts}, deleted]}
        first, second = self.result("history", room_name="r").entries
        reactions = (Reaction(emoji="+", count=1, users=("bob",)),)
        reply = ReplyTo(seq=2, user="bob")
        given = {**said, "reply": reply, "reactions": reactions, "text": ""}
        expected = Message(room="r", user="ann", seq=3, **given)
        self.assertEqual(first, expected)
        assert isinstance(second, Message)
        self.assertEqual(second.deleted, Deletion(by="ann", reason="why"))

    def test_own_changes_are_events(self) -> None:
        self.log_in(lobby=0)
        change = {"cmd": "c_event", "type": "reacted", "room_name": "lobby", "usr": "ann"}
        self.server.push(**change, seq=1, of=1, emoji="+", on=False, at=AT)
        self.server.pump()
        self.assertIsInstance(self.received[-1], Reacted)
