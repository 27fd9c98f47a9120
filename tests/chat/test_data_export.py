"""Exports of accounts: who gets one and when, what is in it, and what its link is worth."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gtchat.chat import audit_names, data_export
from gtchat.chat.admin_store import RESERVED_MS, OwnEntries
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.ban_admin import BanTerms
from gtchat.chat.data_export import (
    INTERVAL_S,
    LINK_S,
    MAX_SENT,
    MAX_SENT_ADDRESS,
    RETRY_S,
    IExportFiles,
    Part,
    TakePiece,
)
from gtchat.chat.errors import BadRequest, NoSuchUser, NotStored, RateLimited
from tests.chat.test_administration import Administered
from tests.chat.test_edge_cases import refuse
from tests.fakes import FakeClient, TestServer


@implementer(IExportFiles)
class RecordedFiles:
    """Keeps exports in memory, and sends the names of their parts.

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

    async def send(self, parts: AsyncIterator[Part], take: TakePiece) -> None:
        if self.held is not None:
            await self.held
        if self.error is not None:
            raise self.error
        async for name, _ in parts:
            await take(name.encode())

    async def write(self, parts: AsyncIterator[Part], path: str) -> None:
        if self.held is not None:
            await self.held
        if self.error is not None:
            raise self.error
        found: dict[str, list[Any]] = {}
        async for name, items in parts:
            found.setdefault(name, []).extend(items)
        self.files[path] = found

    def stop(self) -> None:
        self.stopped = True


class ClientGone(Exception):
    """The client that fetches an export has gone."""


class Exported(Administered):
    def use(self, server: TestServer) -> None:
        super().use(server)
        self.files = server.chat.exports.files = RecordedFiles()
        self.exports = server.chat.exports
        self.ann = server.member("Ann")
        self.sent: list[bytes] = []

    def ask(self, client: FakeClient, **fields: Any) -> dict[str, Any]:
        return client.call("export_account", **{"pwd": "password", **fields})

    def token(self, client: FakeClient) -> str:
        """Return the token of a link to an export."""
        path: str = self.ask(client)["path"]
        return path.removeprefix("export/")

    async def take(self, data: bytes) -> None:
        self.sent.append(data)

    def begin(self, token: str) -> Deferred[bool]:
        """Begin to fetch an export."""
        return Deferred.fromCoroutine(self.exports.send(token, self.take))

    def fetch(self, token: str) -> bool:
        """Fetch an export; return whether its link was good."""
        fetched: bool = self.done(self.exports.send(token, self.take))
        return fetched

    def refused_to_send(self, token: str, error: type[Exception]) -> None:
        """Fetch an export, which fails with an error."""
        fetching = self.begin(token)
        self.server.run_pending()
        self.failureResultOf(fetching, error)


class Links(Exported):
    def test_it_verifies(self) -> None:
        verifyObject(IExportFiles, self.files)

    def test_an_export_is_fetched_once(self) -> None:
        token = self.token(self.ann)
        self.assertEqual(self.records(code="own_export"), [])
        self.assertTrue(self.fetch(token))
        self.assertEqual(self.sent[:2], [b"account", b"profile"])
        self.assertFalse(self.fetch(token))
        self.assertEqual(self.ask(self.ann)["code"], "rate_limited")
        self.assertEqual(self.records(code="own_export"), [("own_export", "Ann", "")])

    def test_a_new_link_ends_the_one_before(self) -> None:
        first, again = self.token(self.ann), self.token(self.ann)
        self.assertFalse(self.fetch(first))
        self.assertFalse(self.fetch("guessed"))
        self.assertTrue(self.fetch(again))

    def test_a_link_that_was_not_used_ends_and_does_not_count(self) -> None:
        token = self.token(self.ann)
        self.server.clock.advance(LINK_S)
        self.assertFalse(self.fetch(token))
        self.assertTrue(self.fetch(self.token(self.ann)))

    def test_there_is_one_a_day(self) -> None:
        self.fetch(self.token(self.ann))
        self.server.clock.advance(LINK_S)
        refused = self.ask(self.ann)
        self.assertEqual(refused["code"], "rate_limited")
        self.assertAlmostEqual(refused["retry_after"], INTERVAL_S - LINK_S, delta=1)
        self.server.clock.advance(INTERVAL_S - LINK_S + 1)
        self.server.run_pending()
        self.assertEqual(self.ask(self.ann)["status"], "ok")

    def test_a_renamed_account_has_none_more_that_day(self) -> None:
        self.fetch(self.token(self.ann))
        self.ann.drop()
        self.done(self.admin.accounts.rename("Ann", "Eve", AT_CONSOLE))
        again = self.server.connect()
        again.login("Eve", pwd="password")
        self.assertEqual(self.ask(again)["code"], "rate_limited")

    def test_few_are_sent_at_a_time(self) -> None:
        self.check_bound([f"192.0.2.{10 + number}" for number in range(MAX_SENT)], "192.0.2.1")

    def test_fewer_are_sent_to_the_users_of_an_address(self) -> None:
        places = [f"2001:db8::{number}" for number in range(MAX_SENT_ADDRESS)]
        other = self.token_at("Eve", "192.0.2.9")
        self.check_bound(places, "2001:db8::ffff", other)

    def token_at(self, name: str, address: str) -> str:
        """Return the token of a link to an export of a new account."""
        client = self.server.connect(address)
        client.call("register", usr=name, pwd="password")
        client.login(name, pwd="password")
        return self.token(client)

    def check_bound(self, places: Sequence[str], full: str, other: str | None = None) -> None:
        """Check that each of some addresses gets an export, one more none meanwhile.

        Args:
            places: the addresses.
            full: the address that gets none.
            other: a token that is good meanwhile, None for none.
        """
        tokens = [self.token_at(f"U{number}", place) for number, place in enumerate(places)]
        late = self.token_at("Zoe", full)
        self.files.held = held = Deferred()
        for token in tokens:
            fetching = self.begin(token)
            self.server.run_pending()
            self.assertNoResult(fetching)
        self.refused_to_send(late, RateLimited)
        self.files.held = None
        if other is not None:
            self.assertTrue(self.fetch(other))
        held.callback(None)
        self.server.run_pending()
        self.assertTrue(self.fetch(late))

    def test_operators_write_one_at_a_time(self) -> None:
        account = self.done(self.admin.accounts.find("Ann"))
        self.files.held = held = Deferred()
        writing = self.exports.write(account, "/a", AT_CONSOLE)
        first = Deferred.fromCoroutine(writing)
        self.refused(self.exports.write(account, "/b", AT_CONSOLE), RateLimited)
        self.files.held = None
        held.callback(None)
        self.server.run_pending()
        self.successResultOf(first)
        self.done(self.exports.write(account, "/b", AT_CONSOLE))
        self.assertEqual({*self.files.files}, {"/a", "/b"})

    def test_one_that_was_not_sent_whole_can_be_had_again(self) -> None:
        token = self.token(self.ann)
        for error in (ClientGone, NotStored):
            self.patch(self, "take", lambda data, error=error: fail(error()))
            self.refused_to_send(token, error)
            refused = self.ask(self.ann)
            self.assertEqual(refused["code"], "rate_limited")
            self.assertAlmostEqual(refused["retry_after"], RETRY_S, delta=1)
            self.server.clock.advance(RETRY_S)
            token = self.token(self.ann)
        self.patch(self, "take", lambda data: succeed(None))
        self.assertTrue(self.fetch(token))
        self.server.clock.advance(RETRY_S)
        self.assertEqual(self.ask(self.ann)["code"], "rate_limited")

    def test_one_that_the_server_did_not_finish_can_be_had_again(self) -> None:
        token = self.token(self.ann)
        self.files.held = Deferred()
        sending = self.begin(token)
        self.server.run_pending()
        self.assertNoResult(sending)
        self.server.start()  # it was killed
        self.use(self.server)
        self.server.clock.advance(RETRY_S)
        self.assertTrue(self.fetch(self.token(self.server.member("Ann"))))

    def test_a_link_ends_when_an_earlier_export_was_sent_whole(self) -> None:
        token = self.token(self.ann)
        self.files.held = held = Deferred()
        sending = self.begin(token)
        self.server.run_pending()
        self.server.clock.advance(RETRY_S)
        other = self.token(self.ann)
        self.refused_to_send(other, RateLimited)  # one to a user at a time
        held.callback(None)
        self.server.run_pending()
        self.assertTrue(self.successResultOf(sending))
        self.assertFalse(self.fetch(other))

    def test_one_that_can_not_be_counted_was_sent(self) -> None:
        token = self.token(self.ann)
        refuse(self, self.server, "count_export")
        self.assertTrue(self.fetch(token))

    def test_a_link_that_is_not_stored_is_not_given(self) -> None:
        refuse(self, self.server, "add_export_link")
        self.assertEqual(self.ask(self.ann)["code"], "not_stored")

    def test_guests_and_servers_without_files_have_none(self) -> None:
        self.assertEqual(self.ask(self.server.guest("Gus"))["code"], "not_allowed")
        self.exports.files = None
        self.assertEqual(self.ask(self.ann)["code"], "not_allowed")
        self.exports.stop()

    def test_no_more_are_made_after_the_stop(self) -> None:
        self.done(self.server.chat.stop())
        self.assertTrue(self.files.stopped)


class OwnSessions(Exported):
    """Links belong to the session that has asked for them with the password."""

    def setUp(self) -> None:
        self.use(TestServer())
        self.other = self.server.connect()
        self.other.login("Ann", pwd="password", device="phone")

    def test_the_password_is_wanted_each_time(self) -> None:
        self.token(self.ann)
        for wrong, code in (
            ({"pwd": None}, "bad_request"),
            ({"pwd": "wrong"}, "bad_credentials"),
            ({"pwd": None, "uuid": str(UUID(int=0, version=4))}, "bad_credentials"),
        ):
            self.assertEqual(self.ask(self.ann, **wrong)["code"], code)

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
            self.assertFalse(self.fetch(token), cmd)

    def test_a_link_ends_with_a_ban(self) -> None:
        token = self.token(self.other)
        self.other.drop()  # no connection that the ban closes
        self.done(self.admin.bans.ban_names("An*", BanTerms(), AT_CONSOLE))
        self.assertFalse(self.fetch(token))

    def test_a_link_ends_with_its_account(self) -> None:
        token = self.token(self.ann)
        self.patch(self.server.store, "listed_account", lambda account_id: succeed(None))
        self.assertFalse(self.fetch(token))

    def test_a_link_is_good_while_the_connection_is_lost(self) -> None:
        token = self.token(self.other)
        self.other.drop()
        self.ann.call("logout")
        self.assertTrue(self.fetch(token))

    def test_a_link_that_two_use_at_once_is_good_for_one(self) -> None:
        token, held = self.token(self.ann), Deferred[None]()
        listed = self.server.store.listed_account

        async def wait(account_id: int) -> Any:
            await held
            return await listed(account_id)

        self.patch(
            self.server.store, "listed_account", lambda one: Deferred.fromCoroutine(wait(one))
        )
        elsewhere = data_export.DataExports(self.server.chat._state, self.server.chat.accounts)
        elsewhere.files = self.files
        both = [self.begin(token), Deferred.fromCoroutine(elsewhere.send(token, self.take))]
        held.callback(None)
        self.server.run_pending()
        self.assertEqual([self.successResultOf(one) for one in both], [True, False])

    def test_a_store_that_fails_gives_no_export(self) -> None:
        token = self.token(self.ann)
        refuse(self, self.server, "listed_account")
        self.refused_to_send(token, NotStored)


class Contents(Exported):
    def export(self, name: str = "Ann", **options: Any) -> dict[str, list[Any]]:
        account = self.done(self.admin.accounts.find(name))
        self.done(self.exports.write(account, "/ann.zip", AT_CONSOLE, **options))
        return self.files.files["/ann.zip"]

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
        for module in (data_export, audit_names):
            self.patch(module, "PAGE", 2)
        pages = iter([OwnEntries((), 7, 9), OwnEntries((), None, 9)])
        self.patch(self.server.store, "own_entries", lambda *args: succeed(next(pages)))
        shown: list[tuple[int, int]] = []
        found = self.export(progress=lambda *so_far: shown.append(so_far))
        self.assertEqual(shown, [(7, 9), (9, 9)])
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

    def test_records_from_before_a_change_of_capitals_are_there(self) -> None:
        self.ann.drop()
        self.done(self.admin.accounts.rename("Ann", "ANN", AT_CONSOLE))
        self.assertEqual(self.audited("ANN"), ["login", "registered"])

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

    def test_no_file_has_more_than_is_recorded(self) -> None:
        account = self.done(self.admin.accounts.find("Ann"))
        refuse(self, self.server, "record")
        self.refused(self.exports.write(account, "/x", AT_CONSOLE), NotStored)
        self.assertEqual(self.files.files, {})
