"""What every store does with links to exports of accounts."""

from __future__ import annotations

from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.errors import BadCredentials, NoSuchUser, NotLoggedIn, RateLimited
from gtchat.chat.export_store import StoredExportLink
from gtchat.chat.interfaces import EndedSession
from tests.store.admin_contract import record
from tests.store.contract import new_session
from tests.store.deletion_contract import DeletionCase


class ExportLinkContract(DeletionCase):
    """Links to exports, which any server uses up."""

    async def link(self, name: str) -> StoredExportLink:
        """Return a link of an account with a session."""
        account_id = await self.account(name)
        token = name.encode().ljust(32)
        await self.store.login(account_id, "hash", new_session(token, 7))
        return StoredExportLink(account_id, token)

    async def test_a_link_is_good_once_and_until_it_ends(self) -> None:
        link = await self.link("Ann")
        await self.store.add_export_link(link, b"a" * 32, 50, 0)
        await self.store.add_export_link(link, b"b" * 32, 60, 0)
        self.assertIsNone(await self.store.find_export_link(b"a" * 32, 40))
        self.assertEqual(await self.store.find_export_link(b"b" * 32, 59), link)
        self.assertIsNone(await self.store.find_export_link(b"b" * 32, 60))
        used = self.store.use_export_link
        await self.assertFails(used(link, b"a" * 32, 40, 0, record()), BadCredentials)
        await self.assertFails(used(link, b"b" * 32, 60, 0, record()), BadCredentials)
        self.assertEqual(await self.store.audit_records(AuditQuery()), [])
        await used(link, b"b" * 32, 59, 0, record())
        self.assertEqual(len(await self.store.audit_records(AuditQuery())), 1)
        await self.assertFails(used(link, b"b" * 32, 59, 0, record()), BadCredentials)
        self.assertIsNone(await self.store.find_export_link(b"b" * 32, 59))

    async def test_another_export_has_to_wait_longer_after_one_that_was_sent(self) -> None:
        link = await self.link("Ann")
        add, use = self.store.add_export_link, self.store.use_export_link
        await add(link, b"a" * 32, 60, 0)
        await use(link, b"a" * 32, 59, 20, record())
        refused = await self.assertFails(add(link, b"b" * 32, 90, 19), RateLimited)
        self.assertEqual(refused.retry_after, 0.001)
        await add(link, b"b" * 32, 90, 20)
        await self.store.count_export(link.account_id, 59)
        self.assertIsNone(await self.store.find_export_link(b"b" * 32, 61))
        refused = await self.assertFails(add(link, b"c" * 32, 90, 49), RateLimited)
        self.assertEqual(refused.retry_after, 0.01)
        await self.store.count_export(link.account_id, 50)  # an earlier one
        await add(link, b"c" * 32, 99, 59)
        await self.store.count_export(link.account_id, 59)
        self.assertEqual(await self.store.find_export_link(b"c" * 32, 61), link)
        await self.store.count_export(99, 80)

    async def test_a_link_needs_a_session_that_goes_on(self) -> None:
        link = await self.link("Ann")
        add = self.store.add_export_link
        await add(link, b"a" * 32, 60, 0)
        await self.store.end_session(EndedSession(link.account_id, link.session, {}), 9)
        used = self.store.use_export_link(link, b"a" * 32, 10, 10, record())
        await self.assertFails(used, BadCredentials)
        await self.assertFails(add(link, b"b" * 32, 60, 0), NotLoggedIn)
        for account_id in (99, await self.store.login_guest("Gus", "gus", new_session(b"g" * 32))):
            other = StoredExportLink(account_id, link.session)
            await self.assertFails(add(other, b"c" * 32, 60, 0), NoSuchUser)

    async def test_what_is_old_is_deleted(self) -> None:
        ann, bob = await self.link("Ann"), await self.link("Bob")
        for link, token in ((ann, b"a" * 32), (bob, b"b" * 32)):
            await self.store.add_export_link(link, token, 60, 0)
        await self.store.use_export_link(bob, b"b" * 32, 59, 60, record())
        await self.store.prune(60, 0, 0)
        self.assertEqual(await self.store.find_export_link(b"a" * 32, 1), ann)
        await self.store.prune(61, 0, 0)
        self.assertIsNone(await self.store.find_export_link(b"a" * 32, 1))

    async def test_a_link_ends_with_its_account(self) -> None:
        link = await self.link("Ann")
        await self.store.add_export_link(link, b"a" * 32, 60, 0)
        await self.delete(link.account_id)
        self.assertIsNone(await self.store.find_export_link(b"a" * 32, 1))
