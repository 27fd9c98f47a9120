"""Temporary accounts that end while requests by them or about them are being stored.

Each request is combined with each way to end, at each point at which one of the two waits for the
store: nothing is left of the account, neither now nor after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count, product
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import ChatError, NoSuchUser
from gtchat.chat.interfaces import HistoryPage
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json.pushes import encode
from gtchat.store.jobs import Job
from gtchat.store.memory.store import MemoryStore
from tests.chat.test_fold import ALL_ENTRIES, FoldedRoom
from tests.fakes import FakeClient, TestServer, bring_in_all

T = TypeVar("T")


class SteppedStore(MemoryStore):
    """A store that does one job at a time, when the test says so.

    A read sees the store as of its call; its result waits for its turn as well.

    Attributes:
        stepping: whether jobs wait for `step`.
    """

    stepping = False

    def _enqueue(self, job: Job) -> None:
        if self.stepping:
            self._queue.append(job)
        else:
            super()._enqueue(job)

    def _read(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        if not self.stepping:
            return super()._read(function, *args)
        try:
            result = function(*args)
        except ChatError as error:
            return self._write(self._fail, error)
        return self._write(lambda: result)

    @staticmethod
    def _fail(error: ChatError) -> Any:
        raise error

    def step(self) -> bool:
        """Do the first job of the queue and deliver its result; return whether there was one."""
        self._queue, rest = self._queue[:1], self._queue[1:]
        found = bool(self._queue)
        self._do_batch()
        self._queue = rest + self._queue
        return found


class QuickServer(TestServer):
    """A server that looks whether there is something to run."""

    def run_pending(self) -> None:
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)


class Scene:
    """A server with the guest gus and three other users.

    Args:
        newcomer: whether gus is in no room yet; else gus owns three rooms and is in a fourth.
    """

    def __init__(self, newcomer: bool) -> None:
        self.server = QuickServer(store=SteppedStore)
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.gus, self.hal = self.server.guest("gus"), self.server.guest("hal")
        self.members: dict[str, list[FakeClient]] = {
            "garden": [self.ann, self.bob, self.gus],
            "own": [self.gus, self.hal, self.bob],
            "guests": [self.gus, self.hal],
            "alone": [self.gus],
            "quiet": [self.ann],
            "open": [self.ann],
        }
        for name, (owner, *others) in self.members.items():
            if newcomer and owner is self.gus:
                continue
            self.ok(owner, "create_room", room_name=name, public=name != "quiet")
            for other in others:
                if newcomer and other is self.gus:
                    continue
                self.ok(other, "join_room", room_name=name)
        self.ok(self.ann, "create_room", room_name="invited", public=False)
        self.ok(self.ann, "invite", room_name="invited", invitee="gus")
        self.ok(self.gus, "block", user="hal")
        self.ok(self.bob, "block", user="gus")
        assert isinstance(self.server.store, SteppedStore)
        self.store = self.server.store

    def ok(self, client: FakeClient, cmd: str, **fields: object) -> None:
        reply = client.call(cmd, **fields)
        assert reply["status"] == "ok", reply

    def step(self, count: int) -> int:
        """Let the store do some jobs; return how many there were."""
        for done in range(count):
            self.server.run_pending()
            if not self.store.step():
                return done
        self.server.run_pending()
        return count

    # Ways to end.

    def close(self) -> None:
        self.gus.drop(clean=True)

    def log_out(self) -> None:
        self.gus.send("logout")

    def log_in_as_another(self) -> None:
        self.gus.send("login", type="tmp", usr="ida")

    def disconnect(self) -> None:
        Deferred.fromCoroutine(self.server.chat.sessions.disconnect_user("gus")).addErrback(
            lambda failure: failure.trap(NoSuchUser)
        )

    def expire(self) -> None:
        self.gus.drop()
        self.server.clock.advance(120)


#: How the guest ends, for requests by the guest, which come before that, and for those of others.
OWN_ENDINGS = (Scene.close, Scene.log_in_as_another, Scene.disconnect)
ENDINGS = (Scene.close, Scene.log_out, Scene.expire)

#: (client, command, fields): requests by the guest, then requests about the guest.
REQUESTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("gus", "create_room", {"room_name": "new"}),
    ("gus", "join_room", {"room_name": "open"}),
    ("gus", "join_room", {"room_name": "invited"}),
    ("gus", "invite_reply", {"room_name": "invited", "inviter": "ann", "reply": "Y"}),
    ("gus", "add_member", {"room_name": "own", "user": "ann"}),
    ("gus", "invite", {"room_name": "own", "invitee": "ann"}),
    ("gus", "set_room", {"room_name": "own", "topic": "x"}),
    ("gus", "set_room", {"room_name": "own", "master": "bob"}),
    ("gus", "set_room", {"room_name": "own", "master": "hal"}),
    ("gus", "kick", {"room_name": "own", "user": "hal"}),
    ("gus", "remove_member", {"room_name": "own", "user": "gus"}),
    ("gus", "leave_room", {"room_name": "alone"}),
    ("gus", "delete_room", {"room_name": "own"}),
    ("gus", "block", {"user": "ann"}),
    ("gus", "whisper", {"target_user": "ann", "msg": "x", "txn": "1"}),
    ("gus", "speak", {"room_name": "own", "msg": "x", "txn": "1"}),
    ("gus", "mark_read", {"room_name": "own", "seq": 1}),
    ("ann", "add_member", {"room_name": "quiet", "user": "gus"}),
    ("ann", "invite", {"room_name": "quiet", "invitee": "gus"}),
    ("ann", "set_room", {"room_name": "garden", "master": "gus"}),
    ("ann", "kick", {"room_name": "garden", "user": "gus"}),
    ("ann", "remove_member", {"room_name": "garden", "user": "gus"}),
    ("ann", "delete_room", {"room_name": "garden"}),
    ("ann", "block", {"user": "gus"}),
    ("ann", "whisper", {"target_user": "gus", "msg": "x"}),
    ("hal", "add_member", {"room_name": "own", "user": "ann"}),
    ("hal", "leave_room", {"room_name": "own"}),
)


#: Commands that are also tried while the guest is in no room.
NEWCOMER_COMMANDS = ("create_room", "join_room", "invite_reply", "add_member", "invite", "block")


@attrs.frozen
class Case:
    """A request and the end of the guest, who is in no room yet (`newcomer`) or in four."""

    client: str
    cmd: str
    fields: dict[str, object]
    end: Callable[[Scene], None]
    request_first: bool
    newcomer: bool

    def play(self, point: int) -> tuple[Scene, bool]:
        """Begin the second of the two after the store has done some jobs of the first.

        Args:
            point: how many jobs.

        Returns:
            The scene, when all is done, and whether the first had fewer jobs.
        """
        scene = Scene(self.newcomer)
        scene.store.stepping = True
        steps = [self.request, self.end]
        if not self.request_first:
            steps.reverse()
        steps[0](scene)
        done = scene.step(point)
        steps[1](scene)
        while scene.step(100):
            pass
        scene.store.stepping = False
        return scene, done < point

    def request(self, scene: Scene) -> None:
        getattr(scene, self.client).send(self.cmd, tracker="request", **self.fields)


def cases() -> Iterator[Case]:
    """Yield all cases: the guest makes no request after the end."""
    for client, cmd, fields in REQUESTS:
        own = client == "gus"
        for end, request_first, newcomer in product(
            OWN_ENDINGS if own else ENDINGS, (True, False), (True, False)
        ):
            if (request_first or not own) and (cmd in NEWCOMER_COMMANDS or not newcomer):
                yield Case(client, cmd, fields, end, request_first, newcomer)


class Endings(SynchronousTestCase):
    def test_nothing_is_left_of_a_guest_who_ends_during_a_request(self) -> None:  # D30
        for case in cases():
            for point in count():
                scene, over = case.play(point)
                try:
                    self.check(scene)
                    self.assertEqual(self.flushLoggedErrors(), [])
                except Exception as error:
                    raise AssertionError(f"{case} at {point}") from error
                if over:
                    break

    def check(self, scene: Scene) -> None:
        server = scene.server
        self.check_state(server)
        for client in (scene.ann, scene.bob, scene.hal):
            self.assertNotIn("internal", {push.get("code") for push in client.received()})
            client.drop()
        server.start()
        self.check_state(server)
        for name in ("gus", "new"):
            other = server.connect("198.51.100.7")
            self.assertEqual(other.login(name)["status"], "ok")

    def check_state(self, server: TestServer) -> None:
        """Check that all rooms have an owner or members, and members that exist."""
        self.assertIsNone(server.chat.users.get("gus"))
        accounts = server.store._accounts.accounts
        self.assertNotIn("gus", [account.name for account in accounts.values()])
        stored = {room.id: room for room in server.store._rooms.keys.values()}
        bring_in_all(server)
        self.assertEqual({room.id for room in server.chat.rooms}, stored.keys())
        for room in server.chat.rooms:
            if room.is_lobby:
                continue
            log = stored[room.id]
            self.assertEqual(list(room.members), list(log.read))
            self.assertLessEqual(room.members.keys(), accounts.keys())
            self.assertEqual(room.owner_id, log.owner_id)
            self.assertTrue(room.members or room.owner_id in accounts)
            registered = [one for one in room.members if accounts[one].registered]
            self.assertTrue(room.owner_id in accounts or not registered)
            self.assertEqual(set(room.members.values()), self.folded(server, room).members)
        for user in server.chat.users:
            if user.sessions:
                own = {room for room in server.chat.rooms if user.id in room.members}
                self.assertEqual(set(user.rooms), own)
            self.assertLessEqual(user.blocked.keys(), accounts.keys())
            self.assertLessEqual(user.blocked_by, accounts.keys())

    def folded(self, server: TestServer, room: Room) -> FoldedRoom:
        pages: list[HistoryPage] = []
        server.store.history(room.id, ALL_ENTRIES).addCallback(pages.append)
        server.run_pending()
        folded = FoldedRoom()
        for entry in pages[0].entries:
            folded.apply(json.loads(encode(entry)))
        return folded
