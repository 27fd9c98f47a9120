"""Which rooms are in memory on a server that is alone, and how others are reached."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import public_rooms, room_loader
from gtchat.chat.audit import Actor
from gtchat.chat.errors import ChatError, NoSuchRoom, NotInRoom, NotStored, Stale
from gtchat.chat.interfaces import Ack
from gtchat.chat.limits import Limits
from gtchat.chat.room_loader import LOOK_S, RELEASE_S
from gtchat.chat.rooms import Room
from tests.fakes import FakeClient, TestServer


class LoaderTestCase(SynchronousTestCase):
    """Ann owns the public room `Garden` and the private one `shed`; bob is a member of both.

    Eve is online alone: neither room is in memory.
    """

    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, rooms_per_user=1_000))
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        for name, public in (("Garden", True), ("shed", False)):
            self.ann.call("create_room", room_name=name, public=public, preview=public)
            self.ann.call("add_member", room_name=name, user="bob")
        self.ann.call("speak", room_name="Garden", msg="hello")
        self.restart()
        self.eve = self.log_in("eve")

    def restart(self) -> None:
        for client in (self.ann, self.bob, self.eve):
            client.drop()
        self.server.start()

    def log_in(self, name: str) -> FakeClient:
        client = self.server.connect()
        assert client.login(name, pwd="password")["status"] == "ok"
        client.received()
        return client

    def names(self) -> list[str]:
        return sorted(room.name for room in self.server.chat.rooms)

    def wait(self, seconds: float = RELEASE_S + LOOK_S) -> None:
        """Let time pass in small steps, as it does."""
        for _ in range(int(seconds / LOOK_S)):
            self.server.clock.advance(LOOK_S)
            self.server.run_pending()

    def code(self, client: FakeClient, cmd: str, **fields: object) -> str | None:
        return client.call(cmd, **fields).get("code")

    def room(self, name: str) -> Room:
        return self.server.chat.rooms.find(name)


class InMemory(LoaderTestCase):
    def test_a_start_has_the_lobby_only(self) -> None:
        self.assertEqual(self.names(), ["lobby"])

    def test_a_login_brings_the_rooms_of_its_user(self) -> None:
        bob = self.log_in("bob")
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        self.assertEqual(bob.call("speak", room_name="garden", msg="x")["seq"], 4)
        self.assertEqual(self.room("shed").members, {1: "ann", 2: "bob"})

    def test_a_resume_brings_the_rooms_of_its_user(self) -> None:
        login = self.server.connect().login("bob", pwd="password")
        self.restart()
        bob = self.server.connect()
        reply = bob.call(
            "resume",
            session_id=login["session_id"],
            epoch=login["epoch"],
            seen={"Garden": 2, "SHED": 2, "x": 1},
        )
        states = {one["room_name"]: one["state"] for one in reply["resumed"]}
        self.assertEqual(
            states, {"Garden": "resumed", "shed": "resumed", "x": "reset", "lobby": "reset"}
        )
        self.assertEqual(bob.call("speak", room_name="garden", msg="x")["seq"], 4)

    def test_a_room_leaves_some_time_after_its_last_user(self) -> None:
        ann, bob = self.log_in("ann"), self.log_in("bob")
        ann.drop()
        self.wait()
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        bob.call("speak", room_name="Garden", msg="x")
        bob.drop()
        self.wait(RELEASE_S - LOOK_S)
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        room = self.room("garden")
        self.wait(LOOK_S)
        self.assertEqual((self.names(), room.released), (["lobby"], True))
        self.wait(LOOK_S)
        self.assertIsNone(self.server.chat.loader._timer)
        bob = self.log_in("bob")
        self.assertEqual((self.room("garden").last_seq, self.room("garden").message_count), (4, 2))

    def test_a_user_who_comes_back_finds_the_room_there(self) -> None:
        self.log_in("bob").drop()
        room = self.room("garden")
        self.wait(RELEASE_S / 2)
        self.log_in("bob").drop()
        self.wait(RELEASE_S / 2 + LOOK_S)
        self.assertIs(self.room("garden"), room)

    def test_a_room_stays_while_its_owner_is_here(self) -> None:
        ann = self.log_in("ann")
        ann.call("leave_room", room_name="shed")
        self.wait(3 * RELEASE_S)
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        self.assertIn("shed", [room["room_name"] for room in ann.call("get_room_list")["rooms"]])
        ann.drop()
        self.wait(2 * RELEASE_S)
        self.assertEqual(self.names(), ["lobby"])
        reply = self.server.connect().login("ann", pwd="password")
        self.assertIn("shed", [room["room_name"] for room in reply["rooms"]])

    def test_a_room_stays_while_a_guest_is_waited_for(self) -> None:
        guest = self.server.guest("gus")
        guest.call("join_room", room_name="garden")
        guest.drop()
        self.wait(100)
        self.assertEqual(self.names(), ["Garden", "lobby"])
        self.wait(200)
        self.assertEqual(self.names(), ["lobby"])
        [garden] = self.server.store._room_lists.some([], "garden")
        self.assertEqual([name for _, name, _ in garden.members], ["ann", "bob"])

    def test_a_guest_of_the_last_run_leaves_its_rooms(self) -> None:
        guest = self.server.guest("gus")
        guest.call("join_room", room_name="garden")
        guest.call("create_room", room_name="own")
        guest.call("create_room", room_name="left")
        self.eve.call("join_room", room_name="left")
        guest.call("leave_room", room_name="left")
        self.restart()
        self.wait(3 * RELEASE_S)
        self.assertEqual(self.names(), ["lobby"])
        rooms = {one.name: one for one in self.server.store._room_lists.all()}
        self.assertEqual(rooms.keys(), {"lobby", "Garden", "shed", "left"})
        self.assertEqual(rooms["left"].owner, "eve")
        self.assertEqual(self.server.connect().login("gus")["status"], "ok")

    def test_the_longest_unused_rooms_leave_when_there_are_too_many(self) -> None:
        self.patch(room_loader, "MAX_IDLE", 2)
        for number in range(4):
            self.log_in("ann").call("create_room", room_name=f"r{number}")
        self.restart()
        self.eve = self.log_in("eve")
        for number in range(4):
            self.code(self.eve, "kick", room_name=f"r{number}", user="ann")  # brings none in
            self.code(self.eve, "pin", room_name=f"r{number}", seq=1)
        self.assertEqual(self.names(), ["lobby", "r0", "r1", "r2", "r3"])
        self.wait(LOOK_S)
        self.assertEqual(self.names(), ["lobby", "r2", "r3"])

    def test_a_message_under_way_is_stored_before_its_room_leaves(self) -> None:
        bob = self.log_in("bob")
        queue, self.server.store._queue = self.server.store._queue, []
        held: list[Any] = []
        enqueue = self.server.store._enqueue
        self.patch(self.server.store, "_enqueue", held.append)
        bob.send("speak", room_name="garden", msg="late")
        bob.drop()
        self.wait(3 * RELEASE_S)
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        self.patch(self.server.store, "_enqueue", enqueue)
        for job in held:
            enqueue(job)
        self.server.run_pending()
        self.assertEqual((queue, self.names()), ([], ["lobby"]))
        self.log_in("bob")
        self.assertEqual(self.room("garden").last_seq, 4)

    def test_a_room_that_a_login_relies_on_stays(self) -> None:
        self.log_in("bob").drop()
        loader, garden = self.server.chat.loader, self.room("garden")
        with loader.holding([garden.id, 99]) as known, loader.holding([garden.id]):
            self.wait(3 * RELEASE_S)
            self.assertEqual((known, self.names()), ({garden.id}, ["Garden", "lobby"]))
        self.wait(3 * RELEASE_S)
        self.assertEqual((self.names(), loader._held), (["lobby"], {}))

    def test_a_login_that_is_under_way_keeps_the_rooms_of_its_user(self) -> None:
        self.log_in("bob").drop()
        login = self.server.store.login
        waiting: list[Any] = []
        result = Deferred[Any]()  # kept here, or the login might be collected as garbage
        self.patch(self.server.store, "login", lambda *args: waiting.append(args) or result)
        self.server.connect().send("login", type="reg", usr="bob", pwd="password")
        self.server.run_pending()
        self.wait(3 * RELEASE_S)
        self.assertEqual(self.names(), ["Garden", "lobby", "shed"])
        self.assertEqual(len(waiting[0][2].known), 2)
        self.patch(self.server.store, "login", login)

    def test_no_timer_is_left_when_the_chat_stops(self) -> None:
        bob = self.log_in("bob")
        self.log_in("ann").drop()
        Deferred.fromCoroutine(self.server.chat.stop())
        bob.drop()
        self.server.run_pending()
        self.assertIsNone(self.server.chat.loader._timer)

    def test_a_room_without_an_owner_may_be_gone_at_a_start(self) -> None:
        load = self.server.store.load
        self.patch(self.server.store, "load", lambda: attrs.evolve(load(), ownerless=(99,)))
        self.restart()
        self.assertEqual(self.names(), ["lobby"])

    def test_a_room_that_has_left_takes_nothing(self) -> None:
        self.log_in("bob").drop()
        room = self.room("garden")
        self.wait(2 * RELEASE_S)
        self.assertRaises(Stale, self.server.chat.rooms.require_stored, room)
        room.released = False
        self.assertRaises(NotStored, self.server.chat.rooms.require_stored, room)

    def test_a_change_of_a_room_that_has_left_finds_it_again(self) -> None:
        ann = self.log_in("ann")
        ann.call("invite", room_name="shed", invitee="eve")
        ann.drop()
        self.code(self.eve, "join_room", room_name="x")
        is_invited = self.server.store.is_invited
        waiting: list[Deferred[Any]] = []

        def wait(*args: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.patch(self.server.store, "is_invited", wait)
        self.eve.send("join_room", room_name="shed", tracker="1")
        self.wait(2 * RELEASE_S)
        self.assertEqual(self.names(), ["lobby"])
        self.patch(self.server.store, "is_invited", is_invited)
        waiting[0].callback(True)
        self.server.run_pending()
        self.assertEqual(self.eve.reply("1")["status"], "ok")
        self.assertEqual(list(self.room("shed").members.values()), ["ann", "bob", "eve"])


class OtherRooms(LoaderTestCase):
    def test_a_room_is_joined_by_its_name(self) -> None:
        reply = self.eve.call("join_room", room_name="GARDEN")
        self.assertEqual((reply["room"]["users"], reply["seq"]), (["ann", "bob", "eve"], 4))
        self.assertEqual(self.names(), ["Garden", "lobby"])
        for name in ("nowhere", "", "a\tb", "x" * 1000):
            self.assertEqual(self.code(self.eve, "join_room", room_name=name), "no_such_room")

    def test_what_a_stranger_may_not_do_is_said_as_of_any_room(self) -> None:
        for cmd, fields, codes in (
            ("speak", {"msg": "x"}, ("not_in_room", "no_such_room")),
            ("leave_room", {}, ("not_in_room", "no_such_room")),
            ("typing", {}, ("not_in_room", "no_such_room")),
            ("history", {}, ("not_in_room", "no_such_room")),
            ("mark_read", {"seq": 1}, ("not_in_room", "no_such_room")),
            ("invite", {"invitee": "bob"}, ("not_in_room", "no_such_room")),
            ("add_member", {"user": "bob"}, ("not_in_room", "no_such_room")),
            ("kick", {"user": "bob"}, ("not_owner", "no_such_room")),
            ("set_room", {"topic": "x"}, ("not_owner", "no_such_room")),
            ("delete_room", {}, ("not_owner", "no_such_room")),
            ("pin", {"seq": 1}, ("not_owner", "no_such_room")),
            ("delete", {"seq": 1}, ("not_in_room", "no_such_room")),
            ("edit", {"seq": 1, "msg": "x"}, ("not_in_room", "no_such_room")),
        ):
            for name, code in zip(("shed", "nowhere"), codes, strict=True):
                self.assertEqual(self.code(self.eve, cmd, room_name=name, **fields), code, cmd)
        self.assertEqual(self.code(self.eve, "speak", room_name="\t", msg="x"), "no_such_room")
        self.assertEqual(self.code(self.eve, "join_room", room_name="shed"), "private_room")

    def test_a_message_to_a_room_that_the_user_joins_meanwhile_is_refused(self) -> None:
        [session] = self.server.chat.users.get("eve").sessions  # type: ignore[union-attr]
        outcomes: list[Ack | ChatError] = []
        self.eve.send("join_room", room_name="garden")
        self.server.chat.speak(session, "garden", "x", None, outcomes.append)
        self.server.run_pending()
        self.assertIsInstance(outcomes[0], NotInRoom)

    def test_the_store_may_not_answer(self) -> None:
        store: Any = self.server.store
        self.patch(store, "find_rooms", lambda keys: Deferred.fromCoroutine(_fail()))
        self.assertEqual(self.code(self.eve, "speak", room_name="garden", msg="x"), "not_stored")

    def test_a_preview_brings_no_room_in(self) -> None:
        reply = self.eve.call("history", room_name="garden", preview=True)
        self.assertEqual([one["msg"] for one in reply["entries"]], ["hello"])
        self.assertEqual(self.names(), ["lobby"])
        self.assertEqual(
            self.code(self.eve, "history", room_name="shed", preview=True), "private_room"
        )

    def test_a_preview_of_a_room_that_becomes_private_meanwhile_is_refused(self) -> None:
        ann = self.log_in("ann")
        self.eve.send("history", room_name="garden", preview=True, tracker="1")
        ann.send("set_room", room_name="garden", public=False)
        self.server.run_pending()
        self.assertEqual(self.eve.reply("1")["code"], "private_room")

    def test_members_of_a_public_room_are_listed(self) -> None:
        for after, users in ((None, ["ann", "bob"]), ("ann", ["bob"])):
            reply = self.eve.call("get_room_user_list", room_name="garden", after=after)
            self.assertEqual((reply["users"], reply["users_total"]), (users, 2))
        self.assertEqual(self.code(self.eve, "get_room_user_list", room_name="shed"), "not_in_room")
        self.log_in("bob")
        self.assertEqual(self.code(self.eve, "get_room_user_list", room_name="shed"), "not_in_room")
        self.assertEqual(
            self.eve.call("get_room_user_list", room_name="garden")["users"], ["ann", "bob"]
        )

    def test_a_room_that_comes_in_while_it_is_looked_for_is_that(self) -> None:
        looking = Deferred.fromCoroutine(self.server.chat.loader.look("garden"))
        finding = Deferred.fromCoroutine(self.server.chat.loader.find("garden"))
        self.server.run_pending()
        room = self.room("garden")
        self.assertIs(self.successResultOf(finding), room)
        looked = self.successResultOf(looking)
        self.assertEqual((looked.id, looked.public), (room.id, True))

    def test_a_room_that_is_about_to_be_deleted_is_not_found(self) -> None:
        ann = self.log_in("ann")
        looking = Deferred.fromCoroutine(self.server.chat.loader.look("garden"))
        self.assertIsInstance(self.successResultOf(looking), Room)
        store: Any = self.server.store
        find = store.find_rooms
        self.server.chat.rooms.release(self.room("garden"))
        late: list[Deferred[Any]] = []

        def find_late(keys: Any) -> Deferred[Any]:
            late.append(Deferred())
            return late[-1]

        self.patch(store, "find_rooms", find_late)
        looking = Deferred.fromCoroutine(self.server.chat.loader.look("garden"))
        Deferred.fromCoroutine(self.server.chat.loader.find("garden"))
        self.server.run_pending()
        self.room("garden").deleted = True
        find(["garden"]).addCallback(late[0].callback)
        self.server.run_pending()
        self.failureResultOf(looking, NoSuchRoom)
        self.assertEqual(self.code(ann, "join_room", room_name="garden"), "no_such_room")

    def test_an_invitation_to_a_room_that_has_left_is_answered(self) -> None:
        ann = self.log_in("ann")
        ann.call("invite", room_name="shed", invitee="eve")
        ann.drop()
        self.wait(2 * RELEASE_S)
        self.assertEqual(self.names(), ["lobby"])
        reply = self.eve.call("invite_reply", room_name="shed", inviter="ann", reply="Y")
        self.assertEqual(reply["room"]["users"], ["ann", "bob", "eve"])

    def test_a_repeated_request_finds_its_room(self) -> None:
        for cmd in ("join_room", "leave_room"):
            self.eve.call(cmd, room_name="garden", txn=cmd)
        self.wait(2 * RELEASE_S)
        self.assertEqual(self.names(), ["lobby"])
        reply = self.eve.call("join_room", room_name="garden", txn="join_room")
        self.assertEqual((reply["dup"], reply["room"]["users"]), (True, ["ann", "bob"]))
        again = self.eve.call("join_room", room_name="garden", txn="join_room")
        self.assertEqual(again["room"], reply["room"])

    def test_a_room_with_the_name_of_one_that_is_not_in_memory_is_not_created(self) -> None:
        self.eve.send("create_room", room_name="garden", tracker="1")
        bob = self.log_in("bob")
        bob.send("leave_room", room_name="garden", tracker="2")
        self.server.run_pending()
        self.assertEqual(self.eve.reply("1")["code"], "room_exists")
        self.assertEqual(bob.reply("2")["status"], "ok")
        self.assertEqual(self.code(self.eve, "create_room", room_name="shed"), "room_exists")

    def test_names_that_a_client_has_seen_are_found_without_their_rooms(self) -> None:
        login = self.eve.call("join_room", room_name="garden")
        self.eve.call("leave_room", room_name="garden")
        self.wait(2 * RELEASE_S)
        login = self.server.connect().login("eve", pwd="password")
        reply = self.server.connect().call(
            "resume",
            session_id=login["session_id"],
            epoch=login["epoch"],
            seen={"Garden": 4, "shed": 1, "x": 1, "lobby": 0},
        )
        reasons = {one["room_name"]: one.get("reason") for one in reply["resumed"]}
        self.assertEqual(reasons, {"Garden": "left", "shed": "left", "x": "unknown", "lobby": None})
        self.assertEqual(self.names(), ["lobby"])


class PublicList(LoaderTestCase):
    """Lists of more rooms than are kept in memory."""

    def setUp(self) -> None:
        self.patch(public_rooms, "FIRST_LISTED", 4)
        self.patch(room_loader, "FIRST_LISTED", 4)
        super().setUp()
        ann = self.log_in("ann")
        for letter in "abcdefhijk":
            ann.call("create_room", room_name=letter, topic=letter)
        ann.drop()
        self.wait(2 * RELEASE_S)

    def listed(self, client: FakeClient, limit: int, **fields: object) -> list[str]:
        """Return all names of rooms, read by pages."""
        names: list[str] = []
        after: object = None
        for _ in range(50):
            page = client.call("get_room_list", limit=limit, after=after, **fields)
            names += [room["room_name"] for room in page["rooms"]]
            after = page.get("rooms_next")
            if after is None:
                self.assertEqual(page["rooms_total"], len(names))
                return names
        raise AssertionError(names)

    def test_all_are_listed_by_pages_of_any_size(self) -> None:
        expected = ["lobby", *"abcdef", "Garden", *"hijk"]
        self.assertEqual(self.names(), ["lobby"])
        for limit in (1, 2, 3, 5, 20):
            self.assertEqual(self.listed(self.eve, limit), expected, limit)
        self.eve.call("join_room", room_name="j")
        for limit in (1, 2, 3, 5, 20):
            self.assertEqual(
                self.listed(self.eve, limit), ["j", "lobby", *"abcdef", "Garden", *"hik"], limit
            )
        self.assertEqual(self.listed(self.eve, 1, joined=True), ["j", "lobby"])

    def test_an_entry_is_what_the_room_is(self) -> None:
        before = self.eve.call("get_room_list", limit=100)["rooms"]
        bob = self.log_in("bob")
        for name in "ak":
            bob.call("join_room", room_name=name)
            bob.call("speak", room_name=name, msg="x")
        for _ in range(2):
            rooms = {one["room_name"]: one for one in self.eve.call("get_room_list")["rooms"]}
            for name in "ak":
                self.assertEqual((rooms[name]["members"], rooms[name]["last_seq"]), (2, 3), name)
            bob.drop()
            self.wait(2 * RELEASE_S)
        self.assertEqual(len(before), len(rooms))

    def test_the_new_name_of_an_owner_is_listed(self) -> None:
        bob = self.log_in("bob")
        bob.call("create_room", room_name="a0")
        bob.drop()
        self.wait(2 * RELEASE_S)
        self.assertIn("a0", self.server.chat.rooms.public._listed)
        rename = self.server.chat.admin.accounts.rename
        Deferred.fromCoroutine(rename("ann", "zoe", Actor("ops")))
        self.server.run_pending()
        rooms = {one["room_name"]: one["owner"] for one in self.eve.call("get_room_list")["rooms"]}
        self.assertEqual((rooms["a"], rooms["a0"], rooms["k"]), ("zoe", "bob", "zoe"))

    def test_the_first_page_is_read_again_when_its_rooms_go(self) -> None:
        ann = self.log_in("ann")
        for name in "ab":
            ann.call("delete_room", room_name=name)
        ann.call("set_room", room_name="c", public=False)
        public = self.server.chat.rooms.public
        self.assertEqual(public.page(None, 9), ["d", "e", "f"])
        for name in "de":
            ann.call("set_room", room_name=name, public=False)
        for name in "hijk":
            ann.call("delete_room", room_name=name)
        self.assertEqual((public.page(None, 9), public.total), (["f", "garden"], 2))
        self.assertTrue(public.has_page(None, 9))

    def test_the_first_page_is_read_again_later_if_that_fails(self) -> None:
        ann, store = self.log_in("ann"), self.server.store
        public_rooms = store.public_rooms
        self.patch(store, "public_rooms", lambda *args: Deferred.fromCoroutine(_fail()))
        ann.call("delete_room", room_name="a")
        ann.call("delete_room", room_name="b")
        self.assertEqual(self.server.chat.rooms.public.page(None, 9), ["c", "d"])
        self.patch(store, "public_rooms", public_rooms)
        ann.call("delete_room", room_name="c")
        page = self.server.chat.rooms.public.page(None, 9)
        self.assertEqual(page, ["d", "e", "f", "garden"])

    def test_more_of_the_list_is_read_once_at_a_time(self) -> None:
        public, store = self.server.chat.rooms.public, self.server.store
        asked: list[Any] = []
        public_rooms = store.public_rooms
        self.patch(store, "public_rooms", lambda *a: asked.append(a) or public_rooms(*a))
        for _ in range(2):
            public.on_short()
        self.server.run_pending()
        self.assertEqual(asked, [(None, 4)])
        self.assertEqual(public.page(None, 9), [*"abcd"])

    def test_rooms_that_come_while_others_are_read_are_there_once(self) -> None:
        ann = self.log_in("ann")
        for name in "abc":
            ann.send("delete_room", room_name=name)
        ann.send("set_room", room_name="k", public=False)
        for name in ("d1", "g1"):
            ann.send("create_room", room_name=name)
        self.server.run_pending()
        self.assertEqual(
            self.listed(self.eve, 3), ["lobby", "d", "d1", "e", "f", "g1", "Garden", *"hij"]
        )

    def test_a_login_lists_the_rooms_that_are_here(self) -> None:
        reply = self.server.connect().login("bob", pwd="password")
        names = [room["room_name"] for room in reply["rooms"]]
        self.assertEqual((names, reply["rooms_total"]), (["Garden", "lobby", "shed", *"abcd"], 13))
        page = self.eve.call("get_room_list", after=reply["rooms_next"])
        self.assertEqual([room["room_name"] for room in page["rooms"]][:2], ["e", "f"])

    def test_the_beginning_that_is_kept_has_a_bound(self) -> None:
        ann = self.log_in("ann")
        for number in range(9):
            ann.call("create_room", room_name=f"0{number}")
        public = self.server.chat.rooms.public
        self.assertLessEqual(len(public.page(None, 100)), 8)
        self.assertEqual(len(public._listed.keys() - set(public.page(None, 100))), 0)
        self.assertEqual(
            self.listed(self.eve, 4)[:10], ["lobby", *(f"0{number}" for number in range(9))]
        )

    def test_a_room_that_is_made_private_while_a_page_is_read_is_not_in_it(self) -> None:
        ann = self.log_in("ann")
        self.eve.send("get_room_list", after=" other h", tracker="1")
        ann.send("set_room", room_name="i", public=False)
        self.server.run_pending()
        names = [room["room_name"] for room in self.eve.reply("1")["rooms"]]
        self.assertEqual(names, ["j", "k"])

    def test_a_page_of_a_client_that_has_gone_is_not_sent(self) -> None:
        reading: Deferred[Any] = Deferred()
        self.patch(self.server.store, "public_rooms", lambda *args: reading)
        self.eve.send("get_room_list", after=" other h", tracker="1")
        self.eve.drop()
        reading.callback(())
        self.server.run_pending()
        self.assertEqual([one for one in self.eve.received() if one.get("tracker") == "1"], [])


async def _fail() -> None:
    raise NotStored()
