"""What every store does for several nodes; here with one, which is alone."""

from __future__ import annotations

from gtchat.chat.errors import BadSession
from gtchat.chat.interfaces import EndedSession, Foreign, StoredState
from tests.store.contract import NETWORK, StoreCase, joined, message, new_session

TOKEN = b"t" * 32
OTHER = b"o" * 32


class NodesContract(StoreCase):
    """A node that is the only one."""

    async def test_one_node_hears_nothing_foreign(self) -> None:
        heard: list[Foreign | StoredState | None] = []
        self.store.foreign = self.store.restored = heard.append
        self.store.lost = lambda: heard.append(None)
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        garden = await self.room(ann)
        self.append(garden, joined("Bob"), bob)
        self.append(garden, message(), ann)
        self.store.announce({ann: "Ann"}, [bob])
        await self.store.delete_room(garden, 5)
        await self.store.end_session(EndedSession(bob, TOKEN, {}), 6)
        await self.store.catch_up()
        self.assertEqual(heard, [])

    def test_catch_up_of_one_node_fires_at_once(self) -> None:
        self.append(self.lobby, message())
        self.assertIsNone(self.successResultOf(self.store.catch_up()))
        self.assertEqual(self.calls, [])

    async def test_begin_ending_ends_the_sessions_of_a_guest(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        cat = await self.store.login_guest("Cat", "cat", new_session(OTHER))
        rooms = [await self.room(ann, name) for name in ("Garden", "Attic")]
        for room in reversed(rooms):
            await self.stored(room, joined("Bob"), bob)
        self.assertEqual(await self.store.begin_ending(bob), tuple(sorted(rooms)))
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)
        resumed = await self.store.resume(OTHER, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(resumed.account_state.account.id, cat)
        self.assertEqual(await self.store.begin_ending(bob), tuple(sorted(rooms)))

    async def test_begin_ending_leaves_other_accounts_alone(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        self.assertIsNone(await self.store.begin_ending(ann))
        self.assertIsNone(await self.store.begin_ending(99))
        resumed = await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(resumed.account_state.account.id, ann)

    async def test_find_guest(self) -> None:
        await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, "198.51.100.1")
        guest = await self.store.find_guest("bob")
        account = await self.store.find_account("bob", None)
        self.assertEqual(guest.account, account)
        self.assertEqual((guest.network, guest.resumable), ("198.51.100.1", True))
        await self.store.begin_ending(bob)
        self.assertFalse((await self.store.find_guest("bob")).resumable)
        self.assertIsNone(await self.store.find_guest("ann"))
        self.assertIsNone(await self.store.find_guest("cat"))
