"""The number of public rooms: a store may count them behind the start."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from tests.fakes import AllRoomsStore, FakeClient, TestServer


class CountingStore(AllRoomsStore):
    """A store that counts until a test ends `counting`."""

    counting: Deferred[int] | None = None

    def count_public(self) -> Deferred[int]:
        self.counting, counting = Deferred(), self.counting
        return self.counting if counting is not None else super().count_public()


class CountTests(SynchronousTestCase):
    """Ann is registered; the chat is loaded again, and counts."""

    def setUp(self) -> None:
        self.server = TestServer(store=CountingStore)
        self.server.member("ann")
        self.load()

    @property
    def store(self) -> CountingStore:
        assert isinstance(self.server.store, CountingStore)
        return self.server.store

    def load(self) -> Deferred[int]:
        """Load the chat anew; return what counts."""
        self.store.lost()
        self.server.run_pending()
        self.store.restored(self.store.load())
        self.server.run_pending()
        assert self.store.counting is not None
        return self.store.counting

    def begin(self, **login: str) -> FakeClient:
        client = self.server.connect()
        login = login or {"type": "reg", "usr": "ann", "pwd": "password"}
        client.send("login", **login, tracker="t")
        self.server.run_pending()
        return client

    def test_a_login_waits_for_the_count(self) -> None:
        clients = [self.begin(), self.begin(), self.begin(type="tmp", usr="guest")]
        self.assertEqual([client.received() for client in clients], [[], [], []])
        public = self.server.chat.rooms.public
        public.total += 2  # another node has told of two new rooms
        assert self.store.counting is not None
        self.store.counting.callback(40)
        self.server.run_pending()
        for client in clients:
            self.assertEqual(client.reply("t")["rooms_total"], 1 + 42)

    def test_a_count_of_a_node_that_is_lost_is_of_no_use(self) -> None:
        client, earlier = self.begin(), self.store.counting
        counting = self.load()
        self.assertEqual(client.reply("t")["code"], NotStored.code)
        assert earlier is not None
        earlier.callback(40)
        client = self.begin()
        self.assertEqual(client.received(), [])
        counting.callback(7)
        self.server.run_pending()
        self.assertEqual(client.reply("t")["rooms_total"], 1 + 7)

    def test_without_a_count_logins_wait_until_the_node_is_lost(self) -> None:
        client = self.begin()
        assert self.store.counting is not None
        self.store.counting.errback(NotStored())
        self.server.run_pending()
        self.assertEqual(client.received(), [])
        self.load()
        self.assertEqual(client.reply("t")["code"], NotStored.code)
