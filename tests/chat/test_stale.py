"""Requests whose rules saw a room that another node changed before they were stored.

Nodes hear nothing of each other here but what a batch has to know. Whatever the other node does,
the outcome is as if it had come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.directory import ResolvedUser
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import EndedInvitations, Foreign, HistoryQuery
from gtchat.chat.limits import Limits
from gtchat.chat.repetition import TRIES
from gtchat.chat.rooms import Room
from gtchat.store.jobs import Job, StoreCall
from tests.chat.room_world import folded, snapshot
from tests.fakes import FakeClient, nodes

#: A user, and what the user asks for in the room `r`.
Ask = tuple[str, dict[str, Any]]

JOIN: Ask = ("eve", {"cmd": "join_room"})
LEAVE: Ask = ("bob", {"cmd": "leave_room"})
EVE_LEAVES: Ask = ("eve", {"cmd": "leave_room"})
KICK: Ask = ("ann", {"cmd": "kick", "user": "bob"})
REMOVE: Ask = ("ann", {"cmd": "remove_member", "user": "bob"})
DELETE: Ask = ("ann", {"cmd": "delete_room"})
TO_BOB: Ask = ("ann", {"cmd": "set_room", "master": "bob"})
TO_CAT: Ask = ("ann", {"cmd": "set_room", "master": "cat"})
PRIVATE: Ask = ("ann", {"cmd": "set_room", "public": False})
PUBLIC: Ask = ("ann", {"cmd": "set_room", "public": True})
MODERATE: Ask = ("ann", {"cmd": "set_room", "moderated": True})
MUTE: Ask = ("ann", {"cmd": "mute", "user": "bob"})
BAN: Ask = ("ann", {"cmd": "ban", "user": "bob"})
BAN_DAN: Ask = ("ann", {"cmd": "ban", "user": "dan"})
BAN_NAMES: Ask = ("ann", {"cmd": "ban", "user": "*an"})
CAT_MODERATES: Ask = ("ann", {"cmd": "set_role", "user": "cat", "role": "moderator"})
BOB_MODERATES: Ask = ("ann", {"cmd": "set_role", "user": "bob", "role": "moderator"})
DAN_JOINS: Ask = ("dan", {"cmd": "join_room"})

#: Who asks, for what, what another node does meanwhile, the outcome.
CASES: list[tuple[str, dict[str, Any], Ask, str]] = [
    ("ann", {"cmd": "set_room", "topic": "tea"}, PRIVATE, "ok"),
    ("ann", {"cmd": "set_room", "topic": "tea"}, TO_BOB, "not_owner"),
    ("ann", {"cmd": "set_room", "master": "bob"}, LEAVE, "not_in_room"),
    ("ann", {"cmd": "set_room", "master": "bob"}, JOIN, "ok"),
    ("ann", {"cmd": "delete_room"}, TO_BOB, "not_owner"),
    ("ann", {"cmd": "delete_room"}, JOIN, "ok"),
    ("ann", {"cmd": "delete_room"}, DELETE, "no_such_room"),
    ("dan", {"cmd": "join_room"}, ("dan", {"cmd": "join_room"}), "already_in_room"),
    ("dan", {"cmd": "join_room"}, JOIN, "room_full"),
    ("dan", {"cmd": "join_room"}, ("ann", {"cmd": "set_room", "max": 3}), "room_full"),
    ("dan", {"cmd": "join_room"}, PRIVATE, "private_room"),
    ("dan", {"cmd": "join_room"}, LEAVE, "ok"),
    ("bob", {"cmd": "leave_room"}, KICK, "not_in_room"),
    ("bob", {"cmd": "leave_room"}, JOIN, "ok"),
    ("ann", {"cmd": "kick", "user": "bob"}, LEAVE, "not_in_room"),
    ("ann", {"cmd": "kick", "user": "bob"}, TO_CAT, "not_owner"),
    ("ann", {"cmd": "kick", "user": "bob"}, JOIN, "ok"),
    ("bob", {"cmd": "remove_member", "user": "bob"}, REMOVE, "not_in_room"),
    ("ann", {"cmd": "remove_member", "user": "bob"}, TO_CAT, "not_owner"),
    ("bob", {"cmd": "add_member", "user": "dan"}, ("dan", {"cmd": "join_room"}), "already_in_room"),
    ("bob", {"cmd": "add_member", "user": "dan"}, KICK, "not_in_room"),
    ("bob", {"cmd": "add_member", "user": "dan"}, JOIN, "room_full"),
    ("bob", {"cmd": "speak", "msg": "hi"}, KICK, "not_in_room"),
    ("bob", {"cmd": "speak", "msg": "hi"}, JOIN, "ok"),
    ("bob", {"cmd": "edit", "seq": "spoken", "msg": "hi"}, KICK, "not_in_room"),
    ("bob", {"cmd": "edit", "seq": "spoken", "msg": "hi"}, JOIN, "ok"),
    ("ann", {"cmd": "delete", "seq": "spoken"}, TO_CAT, "not_author"),
    ("ann", {"cmd": "delete", "seq": "spoken"}, JOIN, "ok"),
    ("bob", {"cmd": "react", "seq": "spoken", "emoji": "👍"}, LEAVE, "not_in_room"),
    ("bob", {"cmd": "react", "seq": "spoken", "emoji": "👍"}, JOIN, "ok"),
    ("ann", {"cmd": "pin", "seq": "spoken"}, TO_CAT, "not_owner"),
    ("ann", {"cmd": "unpin", "seq": "spoken"}, JOIN, "ok"),
    ("bob", {"cmd": "speak", "msg": "hi"}, MUTE, "muted"),
    ("bob", {"cmd": "speak", "msg": "hi"}, MODERATE, "moderated"),
    ("bob", {"cmd": "speak", "msg": "hi"}, BAN, "not_in_room"),
    ("cat", {"cmd": "speak", "msg": "hi"}, MUTE, "ok"),
    ("bob", {"cmd": "edit", "seq": "spoken", "msg": "hi"}, MUTE, "muted"),
    ("bob", {"cmd": "edit", "seq": "spoken", "msg": "hi"}, MODERATE, "moderated"),
    ("bob", {"cmd": "react", "seq": "spoken", "emoji": "👍"}, MUTE, "muted"),
    ("bob", {"cmd": "react", "seq": "spoken", "emoji": "👍"}, MODERATE, "ok"),
    ("dan", {"cmd": "join_room"}, BAN_DAN, "room_banned"),
    ("dan", {"cmd": "join_room"}, BAN_NAMES, "room_banned"),
    ("dan", {"cmd": "join_room"}, BAN, "ok"),
    ("bob", {"cmd": "add_member", "user": "dan"}, BAN_NAMES, "room_banned"),
    ("ann", {"cmd": "mute", "user": "bob"}, LEAVE, "not_in_room"),
    ("ann", {"cmd": "mute", "user": "bob"}, TO_CAT, "not_owner"),
    ("ann", {"cmd": "mute", "user": "bob"}, JOIN, "ok"),
    ("ann", {"cmd": "ban", "user": "bob"}, LEAVE, "ok"),
    ("ann", {"cmd": "ban", "user": "bob"}, JOIN, "ok"),
    ("ann", {"cmd": "ban", "user": "dan"}, DAN_JOINS, "ok"),
    ("ann", {"cmd": "ban", "user": "d*"}, DAN_JOINS, "ok"),
    ("ann", {"cmd": "ban", "user": "dan"}, TO_CAT, "not_owner"),
    ("ann", {"cmd": "set_role", "user": "bob", "role": "voice"}, TO_CAT, "not_owner"),
    ("ann", {"cmd": "set_role", "user": "bob", "role": "voice"}, LEAVE, "not_in_room"),
    ("ann", {"cmd": "set_role", "user": "bob", "role": "voice"}, JOIN, "ok"),
    ("ann", {"cmd": "set_room", "slow": 5}, CAT_MODERATES, "ok"),
]


class StaleCase(SynchronousTestCase):
    """Ann owns `r` for four members; bob and cat are in it, dan and eve are not. Bob has spoken.

    All have a session at both nodes, which hear of each other no more.

    Attributes:
        theirs: what users of the other node ask for just before the next batches with a job that
            can be stale, one for each of them.
        refused: names of the errors that jobs got before they were done.
    """

    def begin(self, **limits: Any) -> None:
        limits = {"commands_per_second": 0, "registrations_per_minute": 0, **limits}
        self.server, self.other = nodes(2, Limits(**limits))
        self.store: Any = self.server.store
        names = ("ann", "bob", "cat", "dan", "eve")
        self.clients = {name: self.server.member(name) for name in names}
        self.others = {name: self.other.connect() for name in names}
        for name, client in self.others.items():
            self.assertEqual(client.login(name, pwd="password", device="second")["status"], "ok")
        self.ask("ann", cmd="create_room", max=4)
        for name in ("bob", "cat"):
            self.ask(name, cmd="join_room")
        self.spoken = self.ask("bob", cmd="speak", msg="hello")["seq"]
        self.store._tables.wakes = False
        self.theirs: list[Ask | Callable[[], None]] = []
        self.refused: list[str] = []
        self.patch(self.store._follower, "prepare", self.prepare_after(self.theirs_first))

    def prepare_after(self, first: Callable[[Sequence[Job]], None]) -> Callable[..., Any]:
        """Return a `MemoryFollower.prepare` that calls something first."""
        prepare = self.store._follower.prepare

        def prepare_later(batch: Sequence[Job]) -> tuple[Foreign, list[Job]]:
            first(batch)
            prepared: tuple[Foreign, list[Job]] = prepare(batch)
            self.refused += [type(job.error).__name__ for job in batch if job.error is not None]
            return prepared

        return prepare_later

    def theirs_first(self, batch: Sequence[Job]) -> None:
        """Let the other node do what it does before a batch."""
        if self.theirs and any(
            job.plan.checked if isinstance(job, StoreCall) else job.checked is not None
            for job in batch
        ):
            theirs = self.theirs.pop(0)
            if callable(theirs):
                theirs()
            else:
                self.ask_there(*theirs)

    def ask_there(self, name: str, fields: dict[str, Any]) -> None:
        """Have a request about a room stored by the other node, at once."""
        client, store = self.others[name], self.other.store
        client.send(tracker="there", **{"room_name": "r", **fields})
        while store._queue:
            store._do_batch()
        self.assertEqual(client.reply("there")["status"], "ok", fields)

    def client(self, name: str) -> FakeClient:
        return self.clients[name]

    def ask(self, name: str, cmd: str, **fields: Any) -> dict[str, Any]:
        """Send a request about `r` and return its reply."""
        if fields.get("seq") == "spoken":
            fields["seq"] = self.spoken
        return self.clients[name].call(cmd, room_name="r", **fields)

    def room(self) -> Room:
        """Return `r`."""
        return self.server.chat.rooms.find("r")

    def log(self) -> list[Entry]:
        """Return the log of `r`."""
        read = self.store.history(self.room().id, HistoryQuery(after=0, limit=200))
        self.server.run_pending()
        return list(self.successResultOf(read).entries)

    def check(self) -> None:
        """Check that memory is what the log says, if there is still such a room."""
        if "r" in self.server.chat.rooms:
            room = self.room()
            self.assertEqual(room.queued, [])
            self.assertEqual(snapshot(room), snapshot(folded(self.log())))


class StaleTests(StaleCase):
    def test_the_outcome_is_as_if_the_other_node_had_come_first(self) -> None:
        for name, fields, theirs, outcome in CASES:
            for comes_first in (True, False):
                case = (name, fields, outcome, comes_first)
                self.begin()
                self.theirs = [theirs]
                if comes_first:
                    self.ask_there(*self.theirs.pop())
                    self.store.look()
                reply = self.ask(name, **fields)
                self.assertEqual(reply.get("code", reply["status"]), outcome, case)
                self.assertEqual(self.theirs, [], case)
                self.check()

    def test_nothing_is_stored_in_a_room_that_another_node_has_deleted(self) -> None:
        for name, fields, outcome in (
            ("ann", {"cmd": "set_room", "topic": "tea"}, "no_such_room"),
            ("dan", {"cmd": "join_room"}, "no_such_room"),
            ("bob", {"cmd": "leave_room"}, "ok"),  # the membership has ended with the room
            ("bob", {"cmd": "speak", "msg": "hi"}, "not_stored"),
        ):
            self.begin()
            self.theirs = [DELETE]
            reply = self.ask(name, **fields)
            self.assertEqual(reply.get("code", reply["status"]), outcome, fields)
            self.store.look()
            self.assertEqual(self.ask(name, **fields)["code"], "no_such_room", fields)

    def test_both_changes_of_settings_are_kept(self) -> None:
        self.begin()
        self.theirs = [PRIVATE]
        self.ask("ann", cmd="set_room", topic="tea")
        room = self.room()
        self.assertEqual((room.public, room.topic), (False, "tea"))

    def test_an_own_change_is_taken_back_and_made_again(self) -> None:
        self.begin()
        seen: list[list[str]] = []
        fold_stored = self.server.chat.rooms.fold_stored

        def fold(room: Room, entry: Entry) -> None:
            fold_stored(room, entry)
            seen.append(list(room.members.values()))

        self.patch(self.server.chat.rooms, "fold_stored", fold)
        self.theirs = [JOIN]
        self.assertEqual(self.ask("dan", cmd="join_room")["code"], "room_full")
        # Dan's join is queued again behind eve's; then it is found to be one too many.
        self.assertEqual(seen, [["ann", "bob", "cat", "eve", "dan"]])
        self.assertEqual(list(self.room().members.values()), ["ann", "bob", "cat", "eve"])

    def test_what_is_stale_each_time_is_not_stored(self) -> None:
        self.begin()
        turns: list[Any] = [PRIVATE, PUBLIC] * TRIES
        self.theirs = turns[:TRIES]
        self.assertEqual(self.ask("ann", cmd="set_room", topic="tea")["code"], "not_stored")
        self.assertEqual(self.theirs, [])
        self.theirs = turns[: TRIES - 1]
        self.assertEqual(self.ask("ann", cmd="set_room", topic="tea")["status"], "ok")
        self.check()

    def test_names_that_are_banned_are_put_out_wherever_they_join(self) -> None:
        self.begin()
        self.theirs = [DAN_JOINS]
        self.assertEqual(self.ask("ann", cmd="ban", user="d*")["status"], "ok")
        self.server.run_pending()
        self.assertEqual(list(self.room().members.values()), ["ann", "bob", "cat"])
        self.check()

    def test_a_moderator_who_is_none_any_more_moderates_nothing(self) -> None:
        taken: Ask = ("ann", {"cmd": "set_role", "user": "cat", "role": ""})
        for fields in (
            {"cmd": "kick", "user": "bob"},
            {"cmd": "mute", "user": "bob"},
            {"cmd": "ban", "user": "dan"},
            {"cmd": "set_role", "user": "bob", "role": "voice"},
            {"cmd": "set_room", "slow": 5},
            {"cmd": "delete", "seq": "spoken"},
        ):
            for outcome in ("ok", "refused"):
                self.begin()
                self.ask_there(*CAT_MODERATES)
                self.store.look()
                self.theirs = [taken if outcome == "refused" else JOIN]
                reply = self.ask("cat", **fields)
                self.assertEqual(reply["status"] == "ok", outcome == "ok", (fields, reply))
                self.check()

    def test_a_moderator_does_nothing_to_one_who_has_become_one(self) -> None:
        for cmd in ("kick", "ban", "mute"):
            self.begin()
            self.ask_there(*CAT_MODERATES)
            self.store.look()
            self.theirs = [BOB_MODERATES]
            self.assertEqual(self.ask("cat", cmd=cmd, user="bob")["code"], "not_allowed", cmd)

    def test_slow_mode_counts_the_messages_of_all_nodes(self) -> None:
        self.begin()
        slow: Ask = ("ann", {"cmd": "set_room", "slow": 30})
        self.theirs = [slow]
        self.assertEqual(self.ask("bob", cmd="speak", msg="1")["status"], "ok")
        self.server.clock.advance(10)
        reply = self.others["bob"].call("speak", room_name="r", msg="2")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("slow_mode", 20))

    def test_react_takes_one_token(self) -> None:
        self.begin(reactions_per_minute=2)
        self.theirs = [TO_BOB]
        fields = {"cmd": "react", "seq": "spoken"}
        self.assertEqual(self.ask("ann", emoji="👍", **fields)["status"], "ok")
        self.assertEqual(self.refused, ["Stale"])
        self.assertEqual(self.ask("ann", emoji="🎉", **fields)["status"], "ok")
        self.assertEqual(self.ask("ann", emoji="💡", **fields)["code"], "rate_limited")

    def test_a_topic_is_charged_once(self) -> None:
        self.begin(daily_bytes_account=1_000)
        self.theirs = [PRIVATE, PUBLIC, PRIVATE]
        self.ask("ann", cmd="set_room", topic="t" * 400)
        self.assertEqual(self.refused, ["Stale"] * 3)
        self.assertEqual(self.ask("ann", cmd="set_room", topic="u" * 400)["status"], "ok")

    def test_a_temporary_user_leaves_rooms_that_change_meanwhile(self) -> None:
        self.begin()
        guest = self.server.guest("gus")
        self.assertEqual(guest.call("join_room", room_name="r")["status"], "ok")
        self.theirs = [PRIVATE]
        guest.call("logout")
        self.server.run_pending()
        self.assertEqual(self.theirs, [])
        self.assertNotIn("gus", self.room().members.values())
        self.check()

    def test_a_room_of_a_temporary_user_gets_an_owner_who_is_still_there(self) -> None:
        self.begin()
        guest = self.server.guest("gus")
        guest.call("create_room", room_name="den")
        for name in ("bob", "cat"):
            self.clients[name].call("join_room", room_name="den")
        self.other.store.look()
        self.theirs = [lambda: None, ("bob", {"cmd": "leave_room", "room_name": "den"})]
        guest.call("leave_room", room_name="den")
        self.assertEqual(self.theirs, [])
        self.assertEqual(self.server.chat.rooms.find("den").owner, "cat")

    def test_limits_count_what_happened_at_other_nodes(self) -> None:
        self.begin(rooms_per_user=2, memberships_per_user=3)
        self.ask_there("ann", {"cmd": "create_room", "room_name": "there"})
        created = self.client("ann").call("create_room", room_name="here")
        self.assertEqual(created["code"], "not_allowed")


#: What is stored although another node has changed the room: who asks, for what, what that was.
NOT_REPEATED: list[tuple[str, dict[str, Any], Ask]] = [
    ("dan", {"cmd": "join_room"}, LEAVE),
    ("dan", {"cmd": "join_room"}, TO_BOB),
    ("ann", {"cmd": "add_member", "user": "dan"}, LEAVE),
    ("bob", {"cmd": "leave_room"}, PRIVATE),
    ("ann", {"cmd": "kick", "user": "bob"}, JOIN),
    ("ann", {"cmd": "remove_member", "user": "bob"}, PRIVATE),
    ("bob", {"cmd": "remove_member", "user": "bob"}, TO_CAT),
    ("ann", {"cmd": "set_room", "topic": "tea"}, JOIN),
    ("ann", {"cmd": "set_room", "master": "cat"}, LEAVE),
    ("bob", {"cmd": "edit", "seq": "spoken", "msg": "hi"}, PRIVATE),
    ("bob", {"cmd": "react", "seq": "spoken", "emoji": "👍"}, JOIN),
    ("ann", {"cmd": "delete", "seq": "spoken"}, JOIN),
    ("ann", {"cmd": "pin", "seq": "spoken"}, PRIVATE),
]


class NotRepeatedTests(StaleCase):
    def test_rules_do_not_run_again_where_the_store_can_tell(self) -> None:
        for name, fields, theirs in NOT_REPEATED:
            self.begin()
            self.theirs = [theirs]
            self.assertEqual(self.ask(name, **fields)["status"], "ok", fields)
            self.assertEqual((self.theirs, self.refused), ([], []), fields)
            self.check()

    def test_an_invited_user_joins_a_private_room_that_others_leave(self) -> None:
        self.begin()
        self.ask("ann", cmd="set_room", public=False)
        self.ask("ann", cmd="invite", invitee="dan")
        self.theirs = [LEAVE]
        self.assertEqual(self.ask("dan", cmd="join_room")["status"], "ok")
        self.assertEqual((self.theirs, self.refused), ([], []))


class RepeatedTests(StaleCase):
    def test_a_repetition_waits_for_what_the_first_request_did_at_another_node(self) -> None:
        self.begin()
        self.others["ann"].call("create_room", room_name="new", txn="1")
        self.assertNotIn("new", self.server.chat.rooms)
        reply = self.client("ann").call("create_room", room_name="new", txn="1")
        self.assertEqual((reply["status"], reply["room"]["room_name"]), ("ok", "new"))

    def test_a_deletion_that_another_node_has_done_is_not_announced_again(self) -> None:
        self.begin()

        def delete_room(*args: Any) -> Deferred[EndedInvitations]:
            self.ask_there(*DELETE)  # the same request at another node, which has its txn
            self.store.look()
            return succeed({})

        self.store.delete_room = delete_room
        self.client("bob").received()
        self.assertEqual(self.ask("ann", cmd="delete_room")["status"], "ok")
        self.assertEqual(len(self.client("bob").pushes("room_gone")), 1)
        self.assertNotIn("r", self.server.chat.rooms)


class UnknownGuestTests(StaleCase):
    def test_a_guest_who_is_not_known_here_is_not_ending(self) -> None:
        self.begin()
        session = self.server.guest("gus").api.session
        assert session is not None
        user = ResolvedUser(session.user.id, "gus", False, None, False, 0)
        del self.server.chat.users._by_id[user.id]  # as at a node where gus has no session
        actor = self.client("ann").api.session
        assert actor is not None
        entering = self.server.chat.membership.enter(self.room(), user, actor)
        entered = Deferred.fromCoroutine(entering)
        self.server.run_pending()
        self.successResultOf(entered)
        self.assertIn(user.id, self.room().members)
