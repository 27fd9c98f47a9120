"""Exports of accounts: who gets one and when, what is in it, how long it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gtchat.chat import data_export
from gtchat.chat.admin_store import RESERVED_MS, OwnEntries
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.ban_admin import BanTerms
from gtchat.chat.data_export import (
    INTERVAL_S,
    LINK_S,
    MAX_KEPT,
    IExportFiles,
    KeptExport,
    Part,
)
from gtchat.chat.errors import BadRequest, NoSuchUser, NotStored, RateLimited
from tests.chat.test_administration import Administered
from tests.chat.test_edge_cases import refuse
from tests.fakes import FakeClient, TestServer


@implementer(IExportFiles)
class RecordedFiles:
    """Keeps exports in memory.

    Attributes:
        files: path -> name of a part -> its items.
        held: if it is set, exports wait for it.
        error: if it is set, exports fail with it.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, list[Any]]] = {}
        self.held: Deferred[None] | None = None
        self.error: Exception | None = None
        self.stopped = False

    async def write(self, parts: AsyncIterator[Part], path: str | None) -> str:
        if self.held is not None:
            await self.held
        if self.error is not None:
            raise self.error
        found: dict[str, list[Any]] = {}
        async for name, items in parts:
            found.setdefault(name, []).extend(items)
        path = path or f"export {len(self.files)}"
        self.files[path] = found
        return path

    def delete(self, path: str) -> None:
        del self.files[path]

    def stop(self) -> None:
        self.stopped = True


class Exported(Administered):
    def use(self, server: TestServer) -> None:
        super().use(server)
        self.files = server.chat.exports.files = RecordedFiles()
        self.exports = server.chat.exports
        self.ann = server.member("Ann")

    def ask(self, client: FakeClient, **fields: Any) -> dict[str, Any]:
        return client.call("export_account", **{"pwd": "password", **fields})

    def token(self, client: FakeClient) -> str:
        """Have an export made, and return the token of a link to it."""
        self.assertNotIn("path", self.ask(client))
        return self.link(client)

    def link(self, client: FakeClient) -> str:
        """Return the token of another link, for which no password is wanted."""
        path: str = self.ask(client, pwd=None)["path"]
        return path.removeprefix("export/")

    def take(self, token: str) -> KeptExport | None:
        taken: KeptExport | None = self.done(self.exports.take(token))
        return taken


class Links(Exported):
    def test_it_verifies(self) -> None:
        verifyObject(IExportFiles, self.files)

    def test_an_export_is_fetched_once(self) -> None:
        token = self.token(self.ann)
        kept = self.take(token)
        assert kept is not None
        self.assertIn(kept.path, self.files.files)
        self.assertIsNone(self.take(token))
        self.assertEqual(self.ask(self.ann)["code"], "rate_limited")
        self.assertEqual(self.records(code="own_export"), [("own_export", "Ann", "")])

    def test_a_new_link_ends_the_one_before(self) -> None:
        token = self.token(self.ann)
        again = self.link(self.ann)
        self.assertIsNone(self.take(token))
        self.assertIsNone(self.take("guessed"))
        self.assertIsNotNone(self.take(again))

    def test_it_is_deleted_after_ten_minutes(self) -> None:
        token = self.token(self.ann)
        self.server.clock.advance(LINK_S)
        self.assertIsNone(self.take(token))
        self.assertEqual(self.files.files, {})

    def test_there_is_one_a_day(self) -> None:
        self.token(self.ann)
        self.server.clock.advance(LINK_S)
        refused = self.ask(self.ann)
        self.assertEqual(refused["code"], "rate_limited")
        self.assertAlmostEqual(refused["retry_after"], INTERVAL_S - LINK_S, delta=1)
        self.server.clock.advance(INTERVAL_S - LINK_S + 1)
        self.server.run_pending()
        self.assertEqual(self.ask(self.ann)["status"], "ok")

    def test_a_renamed_account_has_none_more_that_day(self) -> None:
        self.token(self.ann)
        self.server.clock.advance(LINK_S)
        self.ann.drop()
        self.server.member("Bob").drop()
        for former, name in (("Ann", "Eve"), ("Bob", "Bo"), ("Eve", "Eva")):
            self.done(self.admin.accounts.rename(former, name, AT_CONSOLE))
        again = self.server.connect()
        again.login("Eva", pwd="password")
        self.assertEqual(self.ask(again)["code"], "rate_limited")

    def test_one_is_made_at_a_time(self) -> None:
        bob = self.server.member("Bob")
        self.files.held = held = Deferred()
        self.ask(self.ann)
        self.assertNotIn("path", self.ask(self.ann))
        self.assertEqual(self.ask(bob)["code"], "rate_limited")
        account = self.done(self.admin.accounts.find("Bob"))
        self.refused(self.exports.write(account, "/x", AT_CONSOLE), RateLimited)
        self.files.held = None
        held.callback(None)
        self.server.run_pending()
        self.assertIn("path", self.ask(self.ann))
        self.assertEqual(self.ask(bob)["status"], "ok")

    def test_few_are_kept_and_the_oldest_makes_room(self) -> None:
        first = self.token(self.ann)
        tokens = [self.token(self.server.member(f"U{number}")) for number in range(MAX_KEPT)]
        self.assertEqual(len(self.files.files), MAX_KEPT)
        self.assertIsNone(self.take(first))
        self.assertIsNotNone(self.take(tokens[0]))
        account = self.done(self.admin.accounts.find("Ann"))
        self.done(self.exports.write(account, "/ann.zip", AT_CONSOLE))

    def test_one_that_has_failed_can_be_asked_for_again(self) -> None:
        self.files.error = NotStored()
        self.assertNotIn("path", self.ask(self.ann))
        self.files.error = None
        self.token(self.ann)

    def test_nothing_begins_that_is_not_in_the_audit_log(self) -> None:
        record = self.server.store.record
        refuse(self, self.server, "record")
        self.assertEqual(self.ask(self.ann)["code"], "not_stored")
        self.patch(self.server.store, "record", record)
        self.token(self.ann)

    def test_guests_and_servers_without_files_have_none(self) -> None:
        self.assertEqual(self.ask(self.server.guest("Gus"))["code"], "not_allowed")
        self.exports.files = None
        self.assertEqual(self.ask(self.ann)["code"], "not_allowed")
        self.exports.delete("x")
        self.exports.stop()

    def test_what_is_kept_is_deleted_at_the_stop(self) -> None:
        self.token(self.ann)
        self.done(self.server.chat.stop())
        self.assertEqual((self.files.files, self.files.stopped), ({}, True))


class OwnSessions(Exported):
    """Exports belong to the session that has asked for them with the password."""

    def setUp(self) -> None:
        self.use(TestServer())
        self.other = self.server.connect()
        self.other.login("Ann", pwd="password", device="phone")

    def test_the_password_is_wanted_of_each_session(self) -> None:
        for wrong, code in (
            ({"pwd": None}, "bad_request"),
            ({"pwd": "wrong"}, "bad_credentials"),
            ({"pwd": None, "uuid": str(UUID(int=0, version=4))}, "bad_credentials"),
        ):
            self.assertEqual(self.ask(self.ann, **wrong)["code"], code)
        self.assertEqual(self.files.files, {})
        token = self.token(self.ann)
        self.assertEqual(self.ask(self.other, pwd=None)["code"], "bad_request")
        self.assertIsNotNone(self.take(token))

    def test_another_session_with_the_password_takes_it_over(self) -> None:
        self.files.held = held = Deferred()
        self.ask(self.ann)
        self.assertNotIn("path", self.ask(self.other))
        self.files.held = None
        held.callback(None)
        self.server.run_pending()
        self.assertEqual(self.ask(self.ann, pwd=None)["code"], "bad_request")
        self.link(self.other)
        self.assertIn("path", self.ask(self.ann))

    def test_one_that_has_failed_is_made_again_without_the_password(self) -> None:
        self.files.error = NotStored()
        self.ask(self.ann)
        self.files.error = None
        self.assertEqual(self.ask(self.other, pwd=None)["code"], "bad_request")
        self.assertEqual(self.ask(self.ann, pwd=None)["status"], "ok")
        self.link(self.ann)

    def test_a_link_ends_with_its_session(self) -> None:
        new = {"pwd": "password", "new_pwd": "password2", "new_pwd2": "password2"}
        for client, cmd, fields in (
            ("ann", "end_other_sessions", {}),
            ("ann", "update_pwd", new),
            ("other", "logout", {}),
            ("ann", "delete_account", {"pwd": "password"}),
        ):
            self.setUp()
            token = self.token(self.other)
            getattr(self, client).call(cmd, **fields)
            self.assertIsNone(self.take(token), cmd)

    def test_a_link_ends_with_a_ban(self) -> None:
        token = self.token(self.other)
        self.other.drop()  # no connection that the ban closes
        self.done(self.admin.bans.ban_names("An*", BanTerms(), AT_CONSOLE))
        self.assertIsNone(self.take(token))

    def test_a_link_ends_with_its_account(self) -> None:
        token = self.token(self.ann)
        self.patch(self.server.store, "listed_account", lambda account_id: succeed(None))
        self.assertIsNone(self.take(token))

    def test_a_link_is_good_while_the_connection_is_lost(self) -> None:
        token = self.token(self.other)
        self.other.drop()
        self.ann.call("logout")
        self.assertIsNotNone(self.take(token))

    def test_a_link_is_used_up_while_the_store_is_asked(self) -> None:
        token, held = self.token(self.ann), Deferred[None]()
        listed = self.server.store.listed_account

        async def wait(account_id: int) -> Any:
            await held
            return await listed(account_id)

        self.patch(
            self.server.store, "listed_account", lambda one: Deferred.fromCoroutine(wait(one))
        )
        first = Deferred.fromCoroutine(self.exports.take(token))
        self.assertIsNone(self.take(token))
        self.server.clock.advance(LINK_S)
        held.callback(None)
        self.server.run_pending()
        self.assertIsNone(self.successResultOf(first))

    def test_a_store_that_fails_gives_no_export(self) -> None:
        token = self.token(self.ann)
        refuse(self, self.server, "listed_account")
        self.assertIsNone(self.take(token))


class Contents(Exported):
    def export(self, name: str = "Ann") -> dict[str, list[Any]]:
        account = self.done(self.admin.accounts.find(name))
        path = self.done(self.exports.write(account, "/ann.zip", AT_CONSOLE))
        return self.files.files[path]

    def test_it_has_what_is_stored_of_the_account(self) -> None:
        bob = self.server.member("Bob")
        self.ann.call("create_room", room_name="Garden")
        bob.call("join_room", room_name="Garden")
        self.ann.call("speak", room_name="Garden", msg="mine")
        seq = bob.call("speak", room_name="Garden", msg="not mine, @Ann")["seq"]
        self.ann.call("react", room_name="Garden", seq=seq, emoji="\N{EYES}")
        self.ann.call("whisper", target_user="Bob", msg="to Bob")
        bob.call("whisper", target_user="Ann", msg="to Ann")
        first = bob.call("whisper", target_user="Ann", msg="later erased")["seq"]
        bob.call("delete", target_user="Ann", seq=first)
        bob.call("whisper", target_user="Bob", msg="a note of Bob")
        self.ann.call("block", user="Bob")
        self.done(self.admin.accounts.set_operator("Ann", True, AT_CONSOLE))
        found = self.export()
        self.assertEqual([one["name"] for one in found["rooms"]], ["Garden"])
        self.assertEqual([one["name"] for one in found["blocked"]], ["Bob"])
        self.assertEqual([one["name"] for one in found["account"]], ["Ann"])
        self.assertEqual([one["network"] for one in found["networks"]], ["192.0.2.1"])
        self.assertNotIn("token_hash", found["sessions"][0])
        codes = [one["code"] for one in found["audit"]]
        self.assertIn("login", codes)
        self.assertNotIn("operator_on", codes)
        kinds = [(one.kind, getattr(one, "msg", "")) for one in found["room_entries"]]
        self.assertEqual(kinds, [("room_created", ""), ("speak", "mine"), ("reacted", "")])
        self.assertEqual([one["other"] for one in found["directs"]], ["Bob"])
        said = [(one.usr, one.to, one.msg) for one in found["direct_messages"]]
        self.assertEqual(said, [("Ann", "Bob", "to Bob"), ("Bob", "", "to Ann"), ("Bob", "", "")])
        self.assertEqual(found["mentions"], [])  # of a user who is blocked
        self.assertEqual(
            self.records(code="account_exported"), [("account_exported", "(console)", "Ann")]
        )

    def test_long_lists_are_read_in_pages(self) -> None:
        for number in range(5):
            other = self.server.member(f"U{number}")
            for text in ("a", "b", "c"):
                self.ann.call("whisper", target_user=f"U{number}", msg=text)
            other.call("speak", room_name="lobby", msg="@Ann")
        self.patch(data_export, "PAGE", 2)
        pages = iter([OwnEntries((), 7), OwnEntries((), None)])
        self.patch(self.server.store, "own_entries", lambda *args: succeed(next(pages)))
        found = self.export()
        self.assertEqual(len(found["directs"]), 5)
        self.assertEqual(len(found["direct_messages"]), 15)
        self.assertEqual(len(found["mentions"]), 5)
        self.assertEqual(len({one["at"] for one in found["audit"]}), 1)

    def audited(self, name: str) -> list[str]:
        return [one["code"] for one in self.export(name).get("audit", [])]

    def test_records_of_who_had_the_name_before_are_left_out(self) -> None:
        guest = self.server.guest("Gus")
        guest.call("block", user="Ann")
        guest.call("logout")
        self.server.clock.advance(1)
        self.server.member("Gus").call("unblock", user="Ann")
        self.assertEqual(self.audited("Gus")[0], "unblocked")
        self.assertNotIn("blocked", self.audited("Gus"))

    def test_records_of_an_account_that_had_the_name_before_are_left_out(self) -> None:
        self.server.member("Bob").drop()
        again = self.server.connect()
        again.login("Ann", pwd="password")
        for client in (again, self.ann):
            client.drop()
        self.done(self.admin.accounts.rename("Ann", "Eve", AT_CONSOLE))
        self.server.clock.advance(RESERVED_MS / 1000 + 1)
        self.server.store.prune(int(self.server.clock.seconds() * 1000), 0, 0)
        self.done(self.admin.accounts.rename("Bob", "Ann", AT_CONSOLE))
        self.done(self.admin.accounts.rename("Eve", "Eva", AT_CONSOLE))
        self.assertEqual(self.audited("Ann"), [])

    def test_an_account_that_ends_meanwhile_has_none(self) -> None:
        account = self.done(self.admin.accounts.find("Ann"))
        self.done(self.admin.accounts.delete("Ann", None, None, AT_CONSOLE))
        self.refused(self.exports.write(account, "/x", AT_CONSOLE), NoSuchUser)
        bob = self.server.member("Bob")
        self.patch(self.server.store, "listed_account", lambda account_id: succeed(None))
        account = self.done(self.admin.accounts.find("Bob"))
        self.refused(self.exports.write(account, "/x", AT_CONSOLE), NoSuchUser)
        self.assertIsNone(bob.closed)

    def test_a_file_that_cannot_be_made_is_told(self) -> None:
        self.files.error = BadRequest("file: there is one.")
        account = self.done(self.admin.accounts.find("Ann"))
        self.refused(self.exports.write(account, "/x", AT_CONSOLE), BadRequest)
        self.assertEqual(self.records(code="account_exported"), [])
