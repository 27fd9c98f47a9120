"""What every store does with the networks that accounts log in from."""

from __future__ import annotations

from gtchat.chat.interfaces import NewSession, Replaces
from gtchat.chat.records import NETWORK_REFRESH_MS, NETWORKS_PER_ACCOUNT
from tests.store.contract import StoreCase


class NetworkContract(StoreCase):
    """The networks that an account knows."""

    async def seen(self, network: str) -> int:
        """Return when the account `ann` was seen last in a network."""
        return (await self.store.find_account("ann", None, network)).seen_at

    async def log_in(self, account_id: int, at: int, network: str) -> None:
        """Begin a session of an account in a network; the others end."""
        hashed = (await self.store.find_account("ann", None)).password_hash
        await self.store.login(
            account_id, hashed, NewSession(b"token", at, network, replaces=Replaces.ALL)
        )

    async def test_an_account_knows_the_networks_of_its_registration_and_logins(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 7, "192.0.2.1")
        await self.store.register("Bob", "bob", "hash", None, 8, "192.0.2.2")
        await self.log_in(ann, 9, "2001:db8::/64")
        for network, at in (("192.0.2.1", 7), ("2001:db8::/64", 9), ("192.0.2.2", 0)):
            self.assertEqual(await self.seen(network), at)
        self.assertEqual((await self.store.find_account("ann", None)).seen_at, 0)

    async def test_a_login_is_stored_once_a_day_for_a_network(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 1, "192.0.2.1")
        for at, seen in (
            (NETWORK_REFRESH_MS, 1),
            (NETWORK_REFRESH_MS + 1, NETWORK_REFRESH_MS + 1),
        ):
            await self.log_in(ann, at, "192.0.2.1")
            self.assertEqual(await self.seen("192.0.2.1"), seen)

    async def test_an_account_knows_its_newest_networks(self) -> None:
        ann = await self.account("Ann")
        for number in range(NETWORKS_PER_ACCOUNT + 1):
            at = number + 1 if number else NETWORK_REFRESH_MS  # the first one is the newest
            await self.log_in(ann, at, f"192.0.2.{number}")
        seen = [await self.seen(f"192.0.2.{n}") for n in range(NETWORKS_PER_ACCOUNT + 1)]
        self.assertEqual([number for number, at in enumerate(seen) if not at], [1])
