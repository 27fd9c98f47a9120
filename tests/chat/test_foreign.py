"""What other nodes have stored, as a node makes it and sends it to its sessions."""

from __future__ import annotations

from itertools import product
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import (
    Deleted,
    Edited,
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Pinned,
    Reacted,
    Removed,
    RoomChanged,
    Unpinned,
)
from gtchat.chat.foreign import ForeignDirect, NotDelivered
from gtchat.chat.interfaces import Inviter
from gtchat.chat.limits import Limits
from gtchat.chat.node_records import (
    DirectEntry,
    Foreign,
    InvitationsEnded,
    NodeGone,
    Online,
    RoomAdded,
    RoomGone,
    RoomListing,
    SystemEntry,
)
from gtchat.chat.room_records import RoomRecord
from gtchat.chat.rooms import Room
from gtchat.chat.users import User
from tests.fakes import AllRoomsStore, FakeClient, TestServer

#: Other nodes.
A, B = 7, 8


class ForeignTestCase(SynchronousTestCase):
    """Ann owns the room `r`, bob is a member, eve is not; dan and fay are offline.

    The entries of other nodes are not in the store of this one: it has its own.
    """

    def setUp(self) -> None:
        limits = Limits(commands_per_second=0, rooms_per_user=3)
        self.server = TestServer(limits, store=AllRoomsStore)
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        self.ids = {name: self.user(name).id for name in ("ann", "bob", "eve")}
        for name in ("dan", "fay"):
            client = self.server.member(name)
            self.ids[name] = self.user(name).id
            client.drop(clean=True)
        self.ann.call("create_room", room_name="r", public=False)
        self.ann.call("add_member", room_name="r", user="bob")
        self.room = self.find("r")
        self.clear()

    @property
    def store(self) -> AllRoomsStore:
        assert isinstance(self.server.store, AllRoomsStore)
        return self.server.store

    def user(self, name: str) -> User:
        user = self.server.chat.users.get(name)
        assert user is not None
        return user

    def public(self) -> list[str]:
        return self.server.chat.rooms.public.page(None, 9)

    def find(self, name: str) -> Room:
        return self.server.chat.rooms.find(name)

    def clear(self) -> None:
        for client in (self.ann, self.bob, self.eve):
            client.received()

    def pushes(self) -> dict[str, list[Any]]:
        """Take the pushes to each client: the kinds of those that get some."""
        clients = {"ann": self.ann, "bob": self.bob, "eve": self.eve}
        taken = {name: client.pushes() for name, client in clients.items()}
        return {
            name: [push.get("type", push["cmd"]) for push in pushes]
            for name, pushes in taken.items()
            if pushes
        }

    def messages(self, client: FakeClient) -> list[str]:
        """Take the texts of the messages that a client was sent."""
        return [push["msg"] for push in client.pushes("c_speak")]

    def fields(self, name: str, room: str = "r") -> dict[str, Any]:
        """Return the fields of an entry about a user."""
        return {"room_name": room, "usr": name, "subject_id": self.ids[name], "at": 1}

    def message(self, name: str, msg: str = "") -> MessageSent:
        return MessageSent(**self.fields(name), msg=msg, id=f"id {msg}")

    def settings(self, owner: str = "ann", **changed: Any) -> dict[str, Any]:
        """Return the fields of an entry that sets settings; by the owner from then on."""
        settings = {"public": False, "topic": "", "max": 0, "owner": owner, **changed}
        return {**self.fields(owner), **settings}

    def deliver(self, *entries: Entry, room: Room | None = None) -> None:
        """Deliver entries of a room of another node, with their numbers."""
        room = room or self.room
        for number, entry in enumerate(entries, room.last_seq + 1):
            entry.seq = number
        self.store.foreign(Foreign(entries={room.id: entries}))

    def system(self, *entries: SystemEntry, **parts: Any) -> None:
        """Deliver system entries of the node A."""
        self.store.foreign(Foreign(system=tuple((A, entry) for entry in entries), **parts))


class Changes(ForeignTestCase):
    """Each kind of change x where its subject is x whether an own change is queued."""

    #: Kind of entry -> (its subject here and elsewhere, type of the push, whether the subject is a
    #: member after it). The subject is one before it unless it joins.
    CASES = {
        Joined: (("eve", "dan"), "join_room", True),
        Left: (("bob", "dan"), "leave_room", False),
        Kicked: (("bob", "dan"), "kicked", False),
        Removed: (("bob", "dan"), "removed", False),
        RoomChanged: (("bob", "dan"), "room_changed", True),
    }

    def entry(self, kind: type[Entry], name: str) -> Entry:
        if kind is RoomChanged:
            return RoomChanged(**self.settings(name))
        by = {"by": "ann"} if kind in (Kicked, Removed) else {}
        return kind(**self.fields(name), **by)

    def test_each_change_is_made_and_sent_once(self) -> None:
        for kind, (subjects, push, is_member) in self.CASES.items():
            for name, at_both, queued in product(subjects, (False, True), (False, True)):
                self.setUp()
                self.prepare(kind, name, at_both, queued)
                case = f"{kind.kind} of {name}, at both: {at_both}, queued: {queued}"
                self.check(self.entry(kind, name), name, push, is_member, case)
                self.assertEqual(self.room.topic, "queued" if queued else "", case)
                if queued:
                    self.server.run_pending()
                    self.assertEqual(self.ann.reply("own")["status"], "ok", case)
                    self.assertEqual((self.room.topic, self.room.queued), ("queued", []), case)

    def prepare(self, kind: type[Entry], name: str, at_both: bool, queued: bool) -> None:
        """Make the subject a member if it has to be one, and queue an own change."""
        if name == "dan" and kind is not Joined:
            self.deliver(Joined(**self.fields("dan")))
        if at_both:
            self.system(Online({self.ids[name]: name}))
        self.clear()
        if queued:
            self.ann.send("set_room", room_name="r", topic="queued", tracker="own")

    def check(self, entry: Entry, name: str, push: str, is_member: bool, case: str) -> None:
        """Deliver a change. Check who is sent it, who is a member, and who is subscribed."""
        foreign, is_here = self.room.foreign, name != "dan"
        receivers = {"ann", "bob"} | ({name} if is_here else set())
        self.deliver(entry)
        self.assertEqual(self.pushes(), {one: [push] for one in receivers}, case)
        self.assertEqual(self.room.foreign, foreign + 1, case)
        self.assertEqual(self.ids[name] in self.room.members, is_member, case)
        self.assertEqual(self.room.has_stored_member(self.ids[name]), is_member, case)
        if is_here:
            user = self.user(name)
            self.assertEqual(self.room in user.rooms, is_member, case)
            self.assertEqual(user.sessions[0] in self.room.subscribers, is_member, case)
            if isinstance(entry, Joined):
                self.assertEqual(user.rooms[self.room], entry.seq, case)

    def test_an_own_change_that_is_not_stored_is_taken_back_from_behind_it(self) -> None:
        self.store.failing = 1
        self.ann.send("kick", room_name="r", user="bob", tracker="own")
        self.deliver(Joined(**self.fields("eve")))
        self.assertEqual(self.room.member_names.page(None, 9), ["ann", "eve"])
        self.assertTrue(self.room.has_stored_member(self.ids["bob"]))
        self.server.run_pending()
        self.assertEqual(self.ann.reply("own")["code"], "not_stored")
        self.assertEqual(self.room.member_names.page(None, 9), ["ann", "bob", "eve"])

    def test_a_member_by_a_queued_change_only_is_none_by_what_is_stored(self) -> None:
        self.ann.send("add_member", room_name="r", user="eve")
        self.assertIn(self.ids["eve"], self.room.members)
        self.assertFalse(self.room.has_stored_member(self.ids["eve"]))
        self.server.run_pending()
        self.ann.send("set_room", room_name="r", topic="t")
        self.assertEqual([one.entry.subject_id for one in self.room.queued], [self.ids["ann"]])
        for name in ("ann", "eve"):
            self.assertTrue(self.room.has_stored_member(self.ids[name]))
        self.assertTrue(self.find("lobby").has_stored_member(self.ids["eve"]))

    def test_the_new_owner_is_owner_here(self) -> None:
        self.deliver(RoomChanged(**self.settings("bob", public=True, topic="new")))
        self.assertEqual((self.room.owner, self.room.topic), ("bob", "new"))
        self.assertIn(self.room, self.server.chat.rooms.owned_by(self.ids["bob"]))
        self.assertEqual(self.public(), ["r"])
        self.assertEqual(self.ann.call("set_room", room_name="r", topic="")["code"], "not_owner")


class Messages(ForeignTestCase):
    def block(self, client: FakeClient, name: str) -> None:
        self.assertEqual(client.call("block", user=name)["status"], "ok")
        self.clear()

    def test_messages_are_sent_in_order_and_counted(self) -> None:
        seq, count = self.room.last_seq, self.room.message_count
        self.deliver(*(self.message("dan", str(number)) for number in range(3)))
        for client in (self.ann, self.bob):
            self.assertEqual(self.messages(client), ["0", "1", "2"])
        self.assertEqual(self.messages(self.eve), [])
        self.assertEqual((self.room.last_seq, self.room.message_count), (seq + 3, count + 3))
        self.assertEqual(self.room.foreign, 0)

    def test_the_authors_own_sessions_get_them(self) -> None:
        self.deliver(self.message("bob", "from elsewhere"))
        self.assertEqual(self.messages(self.bob), ["from elsewhere"])

    def test_who_blocks_an_author_does_not_get_what_that_user_says(self) -> None:
        """The author is not known at this node; the blocker of one room is not in the other."""
        self.block(self.ann, "dan")
        self.block(self.eve, "dan")
        self.block(self.bob, "fay")
        self.deliver(*(self.message(name, name) for name in ("dan", "fay", "dan", "fay", "fay")))
        self.assertEqual(self.messages(self.ann), ["fay", "fay", "fay"])
        self.assertEqual(self.messages(self.bob), ["dan", "dan"])
        self.assertEqual(self.messages(self.eve), [])

    def test_who_unblocks_gets_them_again(self) -> None:
        self.block(self.ann, "dan")
        self.ann.call("unblock", user="dan")
        self.deliver(self.message("dan", "hi"))
        self.assertEqual(self.messages(self.ann), ["hi"])

    def test_changes_of_messages(self) -> None:
        """What is said is hidden from who blocks the user; what is done is not."""
        self.block(self.ann, "dan")
        cases: dict[type[Entry], tuple[dict[str, Any], bool]] = {
            Edited: ({"msg": "new"}, True),
            Reacted: ({"emoji": "\N{THUMBS UP SIGN}", "on": True}, True),
            Deleted: ({"by": "dan", "reason": ""}, False),
            Pinned: ({}, False),
            Unpinned: ({}, False),
        }
        for kind, (details, is_hidden) in cases.items():
            seq, count = self.room.last_seq, self.room.message_count
            self.deliver(kind(**self.fields("dan"), of=1, **details))
            receivers = ["bob"] if is_hidden else ["ann", "bob"]
            self.assertEqual(self.pushes(), {name: [kind.kind] for name in receivers}, kind)
            self.assertEqual((self.room.last_seq, self.room.message_count), (seq + 1, count))
        self.assertEqual(self.room.foreign, 0)

    def test_changes_among_messages_keep_their_place(self) -> None:
        self.deliver(
            self.message("dan", "1"),
            Joined(**self.fields("dan")),
            self.message("dan", "2"),
            self.message("dan", "3"),
            Left(**self.fields("dan")),
        )
        kinds = ["c_speak", "join_room", "c_speak", "c_speak", "leave_room"]
        self.assertEqual(self.pushes(), {"ann": kinds, "bob": kinds})

    def test_an_entry_out_of_place_is_a_fault_of_one_room(self) -> None:
        other, seq = self.find("lobby"), self.room.last_seq
        gap, message = self.message("dan", "late"), self.message("dan", "fine")
        gap.seq, message.seq = seq + 2, other.last_seq + 1
        foreign = Foreign(entries={self.room.id: (gap,), other.id: (message,)})
        self.assertRaises(NotDelivered, self.store.foreign, foreign)
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)
        self.assertEqual(self.messages(self.ann), ["fine"])
        self.assertEqual(self.room.last_seq, seq)

    def test_an_entry_that_cannot_be_sent_does_not_stop_its_room(self) -> None:
        bad = self.patch(type(self.room.subscribers), "publish", lambda *_: 1 / 0)
        with self.assertRaises(NotDelivered):
            self.deliver(self.message("dan", "1"), Kicked(**self.fields("bob"), by="ann"))
        bad.restore()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.deliver(self.message("dan", "2"))
        self.assertEqual(self.messages(self.ann), ["2"])
        self.assertEqual(self.messages(self.bob), [])

    def test_a_change_that_cannot_be_made_stops_its_room_until_all_is_loaded(self) -> None:
        bad = self.patch(self.server.chat.rooms, "fold_stored", lambda *_: 1 / 0)
        with self.assertRaises(NotDelivered):
            self.deliver(Joined(**self.fields("dan")), self.message("dan", "1"))
        bad.restore()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)
        self.assertEqual(self.messages(self.ann), [])

    def test_entries_of_a_room_that_is_gone_are_ignored(self) -> None:
        gone = attrs.evolve(self.message("dan", "x"), seq=1)
        self.store.foreign(Foreign(entries={999: (gone,)}))
        self.assertEqual(self.pushes(), {})


class Rooms(ForeignTestCase):
    def added(self, owner: str, public: bool = True, key: str = "n", id: int = 99) -> RoomAdded:
        return RoomAdded(id, key, key.upper(), public, "tea", True, self.ids[owner], owner, 1)

    def listing(self, seq: int, was: bool, now: bool, **changed: Any) -> RoomListing:
        """Return what is told of changed settings of the room 99, or of another one."""
        listing = RoomListing(99, "n", "N", seq, was, now, "tea", "dan", False, 3)
        return attrs.evolve(listing, **changed)

    def record(self, id: int = 99, key: str = "n", **changed: Any) -> RoomRecord:
        record = RoomRecord(
            id=id,
            name=key.upper(),
            key=key,
            public=True,
            topic="tea",
            max=0,
            owner_id=self.ids["dan"],
            owner="dan",
            creator_id=self.ids["dan"],
            last_seq=7,
            message_count=2,
            members=((self.ids["dan"], "dan", True),),
            foreign=3,
            loads=5,
        )
        return attrs.evolve(record, **changed)

    def listed(self) -> tuple[list[str], int]:
        """Return the public rooms that are listed, and how many there are in all."""
        public = self.server.chat.rooms.public
        self.server.chat.rooms.listed(self.public())
        return self.public(), public.total

    def test_a_new_room_is_listed_and_announced_if_it_is_public(self) -> None:
        for owner, public, told in (
            ("ann", True, {"bob", "eve"}),  # her sessions are sent its entries
            ("ann", False, set()),
            ("dan", True, {"ann", "bob", "eve"}),
            ("dan", False, set()),
        ):
            self.setUp()
            self.system(self.added(owner, public))
            self.assertEqual(self.pushes(), {name: ["room_created"] for name in told})
            self.assertEqual(self.listed(), (["n"] * public, int(public)))
            self.assertIsNone(self.server.chat.rooms.get(99))
        self.system(self.added("dan"))
        [listed] = self.server.chat.rooms.listed(["n"])
        self.assertEqual((listed.name, listed.topic, listed.owner), ("N", "tea", "dan"))

    def test_a_new_room_of_an_older_program_is_listed_nowhere(self) -> None:
        self.system(RoomAdded(99, "n", "N"))
        self.assertEqual((self.pushes(), self.listed()), ({}, ([], 0)))

    def test_a_room_is_listed_as_it_is_told(self) -> None:
        self.system(self.listing(5, False, True))
        self.assertEqual(self.listed(), (["n"], 1))
        self.system(self.listing(6, True, True, topic="ale"))
        [listed] = self.server.chat.rooms.listed(["n"])
        self.assertEqual(
            (listed.topic, listed.owner, listed.last_seq, listed.member_count),  # type: ignore[union-attr]
            ("ale", "dan", 6, 3),
        )
        self.system(self.listing(7, True, False))
        self.assertEqual(self.listed(), ([], 0))

    def test_a_room_in_memory_is_listed_as_its_log_says(self) -> None:
        """What is told of it is counted, and shown if the log has not come to that."""
        r = {"room_id": self.room.id, "key": "r", "name": "r"}
        seq = self.room.last_seq + 1
        self.deliver(RoomChanged(**self.settings(public=True)))
        self.assertEqual(self.listed(), (["r"], 0))
        self.system(self.listing(seq, False, True, **r))
        self.assertEqual(self.listed(), (["r"], 1))
        self.system(self.listing(seq + 1, True, False, **r))
        self.assertEqual((self.listed(), self.room.public), (([], 0), True))
        self.system(self.listing(seq + 2, False, True, **r))
        self.assertEqual(self.listed(), (["r"], 1))
        self.deliver(RoomChanged(**self.settings()), RoomChanged(**self.settings(public=True)))
        self.assertEqual(self.listed(), (["r"], 1))

    def test_a_room_comes_into_memory_with_its_record(self) -> None:
        self.store.foreign(Foreign(loaded=(self.record(),)))
        room = self.find("n")
        self.assertEqual((room.last_seq, room.foreign, room.loads), (7, 3, 5))
        self.assertEqual(self.listed(), (["n"], 0))  # not told yet
        self.system(self.added("dan"))
        self.assertEqual(self.listed(), (["n"], 1))
        again = self.record(last_seq=8, loads=6)
        self.deliver(self.message("dan", "x"), room=room)
        self.store.foreign(Foreign(loaded=(again,)))
        self.assertIs(self.find("n"), room)
        self.assertEqual((room.last_seq, room.loads), (8, 6))

    def test_a_private_room_that_was_listed_is_hidden_when_it_comes(self) -> None:
        self.system(self.added("dan"))
        self.store.foreign(Foreign(loaded=(self.record(public=False),)))
        self.assertEqual(self.listed(), ([], 1))

    def test_a_room_that_is_not_here_is_deleted(self) -> None:
        self.system(self.added("dan"))
        self.clear()
        ended = {self.ids["eve"]: (Inviter(self.ids["dan"], "dan"),)}
        self.system(RoomGone(99, "dan", ended, "n", "N", True))
        self.assertEqual(
            self.pushes(),
            {"ann": ["room_gone"], "bob": ["room_gone"], "eve": ["room_gone", "invitation_ended"]},
        )
        self.assertEqual(self.listed(), ([], 0))
        for gone in (RoomGone(99, "dan", {}, "n", "N"), RoomGone(99, "dan", {})):
            self.system(gone)
            self.assertEqual((self.pushes(), self.listed()), ({}, ([], 0)))

    def test_a_deleted_room_is_gone_for_its_members(self) -> None:
        self.deliver(Joined(**self.fields("dan")))
        self.clear()
        self.system(RoomGone(self.room.id, "ann", {}), RoomGone(self.room.id, "ann", {}))
        self.assertEqual(self.pushes(), {"ann": ["room_gone"], "bob": ["room_gone"]})
        self.assertEqual([*self.user("bob").rooms], [])
        self.assertIsNone(self.server.chat.rooms.find_displayed("r"))
        self.assertTrue(self.room.deleted)

    def test_all_users_hear_of_a_public_room_that_is_deleted(self) -> None:
        self.deliver(RoomChanged(**self.settings(public=True)))
        self.clear()
        self.system(RoomGone(self.room.id, "ann", {}, "r", "r", True))
        self.assertEqual(self.pushes(), {name: ["room_gone"] for name in ("ann", "bob", "eve")})

    def test_an_owner_who_has_left_hears_of_it(self) -> None:
        self.ann.call("leave_room", room_name="r")
        self.clear()
        self.system(RoomGone(self.room.id, "ann", {}))
        self.assertEqual(self.pushes(), {"ann": ["room_gone"], "bob": ["room_gone"]})

    def test_what_is_queued_for_a_deleted_room_fails(self) -> None:
        self.store.failing = 2
        self.ann.send("set_room", room_name="r", topic="t", tracker="1")
        self.ann.send("kick", room_name="r", user="bob", tracker="2")
        self.system(RoomGone(self.room.id, "ann", {}))
        self.server.run_pending()
        for tracker in ("1", "2"):
            self.assertIn(self.ann.reply(tracker)["code"], ("not_stored", "not_owner"))
        self.assertEqual([*self.user("bob").rooms], [])
        self.assertEqual(self.room.topic, "")

    def test_a_room_is_deleted_before_another_gets_its_name(self) -> None:
        """Users know rooms by their names: a deletion that came last would take the new one."""
        last = self.message("ann", "x")
        last.seq = self.room.last_seq + 1
        gone = RoomGone(self.room.id, "ann", {}, "r", "r")
        new = (self.record(98, "r"),)
        self.system(gone, loaded=new, entries={self.room.id: (last,)})
        pushes = ["c_speak", "room_gone"]
        self.assertEqual(self.pushes(), {"ann": pushes, "bob": pushes})
        self.assertEqual(self.find("r").id, 98)
        self.assertEqual(self.listed(), (["r"], 0))
        self.system(RoomGone(98, "dan", {}, "r", "r"))
        self.assertIsNone(self.server.chat.rooms.find_displayed("r"))

    def test_invitations_end(self) -> None:
        ended = {self.ids["eve"]: (Inviter(self.ids["bob"], "bob"),)}
        self.system(InvitationsEnded(999, ended, "n"), InvitationsEnded(self.room.id, ended))
        self.assertEqual(self.pushes(), {"eve": ["invitation_ended"]})
        self.system(RoomGone(self.room.id, "ann", ended))
        self.assertEqual(self.pushes()["eve"], ["invitation_ended"])


class System(ForeignTestCase):
    def presence(self) -> list[tuple[str, str]]:
        """Take the logins and logouts that ann is told of."""
        return [(push["type"], push["usr"]) for push in self.ann.pushes("login", "logout")]

    def test_users_of_other_nodes_are_online(self) -> None:
        dan = self.ids["dan"]
        self.system(Online({dan: "dan", self.ids["bob"]: "bob"}))
        self.assertEqual(self.presence(), [("login", "dan")])
        self.assertEqual(self.ann.call("get_user_list")["users_total"], 4)
        self.assertTrue(self.server.chat.users.is_online(dan))
        self.bob.call("logout")
        self.assertEqual(self.presence(), [])
        self.system(Online({}, (dan,)), NodeGone(A))
        self.assertEqual(self.presence(), [("logout", "dan"), ("logout", "bob")])
        self.assertFalse(self.server.chat.users.is_online(dan))

    def test_the_end_of_a_node_is_told_by_another(self) -> None:
        self.system(Online({self.ids["dan"]: "dan"}))
        self.presence()
        self.store.foreign(Foreign(system=((B, NodeGone(A)),)))
        self.assertEqual(self.presence(), [("logout", "dan")])

    def test_a_broadcast_counts_the_users_of_all_nodes(self) -> None:
        broadcast = self.server.chat.users.broadcast
        session = self.user("ann").sessions[0]
        event: Any = Left(**self.fields("ann"))
        self.assertEqual((broadcast(event), broadcast(event, session)), (3, 2))
        self.system(Online({self.ids["dan"]: "dan"}))
        self.assertEqual(broadcast(event, session), 3)
        self.system(Online({self.ids["ann"]: "ann"}))
        self.assertEqual(broadcast(event, session), 4)

    def test_each_part_gets_the_entries_that_it_wants(self) -> None:
        got: list[tuple[int, Any]] = []
        self.server.chat._foreign.handlers += [
            {NodeGone: lambda node, entry: got.append((node, entry))},
            {ForeignDirect: lambda node, entry: got.append((node, entry))},
        ]
        users = ((1, "ann"), (2, "bob"))
        message = self.message("dan", "x")
        self.system(
            NodeGone(B),
            DirectEntry(5, 1, users),
            DirectEntry(5, 2, users),
            directs={(5, 2): message},
        )
        self.assertEqual(got, [(A, NodeGone(B)), (A, ForeignDirect(5, message, users))])

    def test_an_entry_that_fails_leaves_the_others(self) -> None:
        def fail(node_id: int, entry: Any) -> None:
            raise ValueError

        self.server.chat._foreign.handlers.append({NodeGone: fail})
        with self.assertRaises(NotDelivered):
            self.system(NodeGone(B), Online({self.ids["dan"]: "dan"}))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.presence(), [("login", "dan")])
