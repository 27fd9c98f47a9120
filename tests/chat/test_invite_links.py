"""Invitations by link: who makes them, and what a registration with one does."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import fail, succeed

from gtchat.chat.access import AccessSettings
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE, AUDIT, Actor
from gtchat.chat.ban_admin import BanTerms
from gtchat.chat.errors import BadRequest, NoSuchRoom, NotAllowed, NotStored
from gtchat.chat.invite_links import DAY_MS, MAX_ROOMS, SECRET_CHARS, MadeLink, Wanted
from gtchat.chat.limits import Limits
from tests.chat.test_administration import Administered
from tests.fakes import FakeClient, TestServer, nodes


class Links(Administered):
    """A server whose members can make links; accounts need one to register."""

    def setUp(self) -> None:
        self.use(self.make())

    def make(self, mode: str = "invite", members: bool = True, **limits: Any) -> TestServer:
        limits = {"commands_per_second": 0, "lockout_tries": 0, **limits}
        access = AccessSettings(mode, invites=members)
        server = TestServer(Limits(**limits), access=access)
        self.count = 0
        return server

    def member(self, name: str) -> FakeClient:
        """Return a member, made by the operator."""
        self.done(self.admin.accounts.create(name, "password", AT_CONSOLE))
        client = self.server.connect()
        client.login(name, pwd="password")
        return client

    def link(self, actor: Actor = AT_CONSOLE, **wanted: Any) -> MadeLink:
        """Make a link as an operator."""
        made = self.server.chat.invite_links.create_as_operator(Wanted(**wanted), actor)
        link: MadeLink = self.done(made)
        return link

    def register(self, name: str, invite: str | None = None) -> str:
        """Register; return the code of the error, "" for none."""
        fields = {} if invite is None else {"invite": invite}
        reply = self.server.connect().call("register", usr=name, pwd="password", **fields)
        return str(reply.get("code", ""))

    def rooms_of(self, name: str) -> list[str]:
        """Log a user in; return the rooms of the user."""
        client = self.server.connect()
        client.login(name, pwd="password")
        rooms = client.call("get_room_list", joined=True)["rooms"]
        return sorted(one["room_name"] for one in rooms if one["room_name"] != "lobby")


class Registering(Links):
    def test_an_account_needs_an_invitation_and_uses_it(self) -> None:
        link = self.link()
        self.assertEqual(len(link.secret), min(SECRET_CHARS, len(self.server.tokens())))
        self.assertEqual(self.register("Ann"), "invite_wanted")
        self.assertEqual(self.register("Ann", link.secret), "")
        self.assertEqual(self.register("Bob", link.secret), "bad_invite")
        [record] = self.done(self.admin.audit(AuditQuery(code="invited")))
        self.assertEqual((record.who, record.what["inviter"]), ("Ann", "(console)"))

    def test_a_closed_server_lets_no_one_in(self) -> None:
        link = self.link()
        self.server.chat.access.choose("registration", "closed")
        self.assertEqual(self.register("Ann", link.secret), "registration_closed")

    def test_a_member_cannot_make_the_audit_log_grow_without_bound(self) -> None:
        for code in ("invite_link", "invite_link_revoked"):
            self.assertTrue(AUDIT[code].counted, code)

    def test_the_links_of_a_banned_account_let_no_one_in(self) -> None:
        made = self.member("Ann").call("create_invite_link", uses=2)
        ban = self.done(self.admin.bans.ban_account("ann", BanTerms(), AT_CONSOLE))
        self.assertEqual(self.register("Ann2", made["invite"]), "bad_invite")
        found = self.server.connect().call("find_invite_link", invite=made["invite"])
        self.assertEqual(found["code"], "bad_invite")
        self.done(self.admin.bans.remove(ban.id, AT_CONSOLE))
        self.assertEqual(self.register("Ann2", made["invite"]), "")

    def test_a_link_ends_after_its_days(self) -> None:
        link = self.link(uses=3, days=2)
        self.server.clock.advance(2 * DAY_MS / 1000 - 1)
        self.assertEqual(self.register("Ann", link.secret), "")
        self.server.clock.advance(1)
        self.assertEqual(self.register("Bob", link.secret), "bad_invite")

    def test_wrong_secrets_count_as_failed_logins(self) -> None:
        self.use(self.make(lockout_tries=2))
        link = self.link()
        for code in ("bad_invite", "bad_invite", "locked_out"):
            self.assertEqual(self.register("Ann", "x"), code)
        self.assertEqual(self.register("Ann", link.secret), "locked_out")
        codes = [one.code for one in self.done(self.admin.audit(AuditQuery()))]
        self.assertEqual(codes.count("login_failed"), 2)

    def test_an_invitation_that_is_over_is_no_guess(self) -> None:
        self.use(self.make(lockout_tries=2))
        used, old, revoked = self.link(), self.link(days=1), self.link()
        other = self.link(days=9)
        self.assertEqual(self.register("Ann", used.secret), "")
        self.server.chat.invite_links.revoke(revoked.id, None, AT_CONSOLE)
        self.server.clock.advance(DAY_MS / 1000)
        self.server.run_pending()
        for link in (used, old, revoked) * 2:
            found = self.server.connect().call("find_invite_link", invite=link.secret)
            self.assertEqual(found["code"], "bad_invite")
            self.assertEqual(self.register("Bob", link.secret), "bad_invite")
        self.assertEqual(self.register("Bob", other.secret), "")
        self.assertEqual(self.done(self.admin.audit(AuditQuery(code="login_failed"))), [])

    def test_links_of_members_are_good_only_while_members_make_them(self) -> None:
        ann = self.member("Ann")
        made = ann.call("create_invite_link", uses=9)["invite"]
        own = self.link(uses=9).secret
        self.server.chat.access.settings = AccessSettings("invite", invites=False)
        self.assertEqual(self.register("Bob", made), "bad_invite")
        found = self.server.connect().call("find_invite_link", invite=made)
        self.assertEqual(found["code"], "bad_invite")
        self.assertEqual(self.register("Bob", own), "")
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))
        self.assertEqual(self.register("Cat", made), "")
        self.done(self.admin.accounts.set_operator("ann", False, AT_CONSOLE))
        self.server.chat.access.settings = AccessSettings("invite", invites=True)
        self.assertEqual(self.register("Dan", made), "")

    def test_an_invitation_that_is_used_up_while_a_password_is_hashed_is_refused(self) -> None:
        link = self.link()
        self.server.passwords.held = []
        client = self.server.connect()
        client.send("register", usr="Ann", pwd="password", invite=link.secret, tracker=1)
        self.server.run_pending()
        [hashing], self.server.passwords.held = self.server.passwords.held, None
        self.assertEqual(self.register("Bob", link.secret), "")
        hashing.callback(None)
        self.server.run_pending()
        self.assertEqual(client.reply("1")["code"], "bad_invite")
        self.assertIsNone(self.account("ann"))

    def test_a_link_tells_what_it_is_for(self) -> None:
        ann = self.member("Ann")
        ann.call("create_room", room_name="Den", public=False)
        made = ann.call("create_invite_link", days=1, room_names=["den"])
        found = self.server.connect().call("find_invite_link", invite=made["invite"])
        self.assertEqual((found["inviter"], found["room_names"]), ("Ann", ["Den"]))
        self.assertEqual(found["expires"], made["expires"])
        found = self.server.connect().call("find_invite_link", invite=self.link().secret)
        self.assertNotIn("inviter", found)
        wrong = self.server.connect().call("find_invite_link", invite="x")
        self.assertEqual(wrong["code"], "bad_invite")


class Rooms(Links):
    def test_rooms_of_a_link_of_the_server_are_joined(self) -> None:
        ann = self.member("Ann")
        ann.call("create_room", room_name="Garden")
        ann.call("create_room", room_name="Den", public=False)
        ann.call("create_room", room_name="Gone")
        ann.call("create_room", room_name="Full", max=1)
        names = ["garden", "Den", "lobby", "Gone", "Full"]
        link = self.link(rooms=names)
        ann.call("delete_room", room_name="Gone")
        [shown] = self.done(self.server.chat.invite_links.listed(None))
        self.assertEqual(sorted(shown.rooms), ["Den", "Full", "Garden"])
        ann.received()
        self.assertEqual(self.register("Bob", link.secret), "")
        joins = [push["room_name"] for push in ann.pushes() if push.get("type") == "join_room"]
        self.assertEqual(sorted(joins), ["Den", "Garden"])
        self.assertEqual(self.rooms_of("bob"), ["Den", "Garden"])

    def test_private_rooms_are_joined_as_long_as_the_maker_is_a_member(self) -> None:
        ann = self.member("Ann")
        ann.call("create_room", room_name="Den", public=False)
        ann.call("create_room", room_name="Garden")
        made = ann.call("create_invite_link", uses=2, room_names=["Den", "Garden"])
        self.assertEqual(self.register("Bob", made["invite"]), "")
        self.assertEqual(self.rooms_of("bob"), ["Den", "Garden"])
        ann.call("leave_room", room_name="Den")
        self.assertEqual(self.register("Cat", made["invite"]), "")
        self.assertEqual(self.rooms_of("cat"), ["Garden"])

    def test_an_operator_opens_any_room_as_long_as_the_mark_is_there(self) -> None:
        self.member("Olga")
        self.done(self.admin.accounts.set_operator("olga", True, AT_CONSOLE))
        ann = self.member("Ann")
        ann.call("create_room", room_name="Den", public=False)
        link = self.link(Actor("Olga"), uses=2, rooms=["den"])
        self.assertEqual(self.register("Bob", link.secret), "")
        self.assertEqual(self.rooms_of("bob"), ["Den"])
        self.done(self.admin.accounts.set_operator("olga", False, AT_CONSOLE))
        self.assertEqual(self.register("Cat", link.secret), "")
        self.assertEqual(self.rooms_of("cat"), [])

    def test_a_room_that_cannot_be_joined_does_no_harm(self) -> None:
        self.member("Ann").call("create_room", room_name="Garden")
        link = self.link(rooms=["Garden"])
        with patch.object(self.server.chat.membership, "enter", side_effect=NotStored()):
            self.assertEqual(self.register("Bob", link.secret), "")

    def test_rooms_that_were_not_joined_are_joined_at_the_next_login(self) -> None:
        ann = self.member("Ann")
        ann.call("create_room", room_name="Garden")
        ann.call("create_room", room_name="Shed")
        link = self.link(rooms=["Garden", "Shed"])
        chat = self.server.chat
        with patch.object(chat.membership, "enter", side_effect=NotStored()):
            self.assertEqual(self.register("Bob", link.secret), "")
            self.assertEqual(self.rooms_of("bob"), [])
        self.server.start()  # as after a kill
        self.assertEqual(self.rooms_of("bob"), ["Garden", "Shed"])
        bob = self.server.connect()
        bob.login("bob", pwd="password")
        bob.call("leave_room", room_name="Shed")
        self.assertEqual(self.rooms_of("bob"), ["Garden"])

    def test_a_login_succeeds_while_the_invitation_cannot_be_read(self) -> None:
        self.member("Ann").call("create_room", room_name="Garden")
        link = self.link(rooms=["Garden"])
        with patch.object(self.server.chat.membership, "enter", side_effect=NotStored()):
            self.assertEqual(self.register("Bob", link.secret), "")
        with patch.object(self.server.store, "invited_with", return_value=fail(NotStored())):
            self.assertEqual(self.rooms_of("bob"), [])
        with patch.object(self.server.store, "invited_with", return_value=succeed(None)):
            self.assertEqual(self.rooms_of("bob"), [])
        self.assertEqual(self.rooms_of("bob"), ["Garden"])

    def test_the_members_at_another_node_see_who_joins(self) -> None:
        first, second = nodes(2, Limits(commands_per_second=0), access=AccessSettings())
        self.use(first)
        ann = second.member("Ann")
        ann.call("create_room", room_name="Den", public=False)
        link = self.link(rooms=["Den"])
        ann.received()
        self.assertEqual(self.register("Bob", link.secret), "")
        [joined] = ann.pushes("join_room")
        self.assertEqual((joined["room_name"], joined["usr"]), ("Den", "Bob"))
        self.assertEqual(second.connect().login("bob", pwd="password")["status"], "ok")


class Making(Links):
    def create(self, client: FakeClient, **fields: Any) -> str:
        """Make a link as a member; return the code of the error, "" for none."""
        return str(client.call("create_invite_link", **fields).get("code", ""))

    def test_members_make_list_and_revoke_their_links(self) -> None:
        ann, bob = self.member("Ann"), self.member("Bob")
        made = ann.call("create_invite_link", uses=2)
        self.assertEqual(self.register("Cat", made["invite"]), "")
        [listed] = ann.call("get_invite_links")["links"]
        self.assertEqual((listed["uses"], listed["used"]), (2, 1))
        self.assertEqual(bob.call("get_invite_links")["links"], [])
        for client, code in ((bob, "not_allowed"), (ann, None), (ann, "not_allowed")):
            reply = client.call("revoke_invite_link", link_id=listed["link_id"])
            self.assertEqual(reply.get("code"), code)
        self.assertEqual(self.register("Dan", made["invite"]), "bad_invite")

    def test_members_make_none_unless_the_setting_lets_them(self) -> None:
        self.assertIn("invite_links", self.server.connect().call("hello")["features"])
        self.assertEqual(self.create(self.server.guest("Gus")), "not_allowed")
        self.use(self.make(members=False))
        self.assertNotIn("invite_links", self.server.connect().call("hello")["features"])
        self.assertEqual(self.create(self.member("Ann")), "not_allowed")

    def test_what_a_link_is_to_be_is_checked(self) -> None:
        self.use(self.make(invite_link_uses=5))
        ann, bob = self.member("Ann"), self.member("Bob")
        bob.call("create_room", room_name="Den", public=False)
        for fields, code in (
            ({"uses": 0}, "bad_request"),
            ({"uses": 6}, "bad_request"),
            ({"days": 0}, "bad_request"),
            ({"days": 366}, "bad_request"),
            ({"room_names": ["lobby"] * (MAX_ROOMS + 1)}, "bad_request"),
            ({"room_names": ["Nowhere"]}, "no_such_room"),
            ({"room_names": ["Den"]}, "not_in_room"),
            ({"uses": 5, "days": 365, "room_names": ["lobby"] * MAX_ROOMS}, ""),
        ):
            self.assertEqual((fields, self.create(ann, **fields)), (fields, code))
        create = self.server.chat.invite_links.create_as_operator
        self.refused(create(Wanted(uses=100_001), AT_CONSOLE), BadRequest)
        self.refused(create(Wanted(rooms=["Nowhere"]), AT_CONSOLE), NoSuchRoom)
        self.assertEqual(self.link(uses=100_000).id, 2)

    def test_links_are_limited(self) -> None:
        self.use(self.make(invite_links_per_account=1, invite_links=2, invite_link_uses=0))
        ann = self.member("Ann")
        self.assertEqual(self.create(ann, uses=1000), "")
        self.assertEqual(self.create(ann), "not_allowed")
        self.link()
        create = self.server.chat.invite_links.create_as_operator
        self.refused(create(Wanted(), AT_CONSOLE), NotAllowed)

    def test_nothing_is_made_on_a_full_disk(self) -> None:
        self.server.chat.quota.disk_full = True
        create = self.server.chat.invite_links.create_as_operator
        self.refused(create(Wanted(), AT_CONSOLE), NotStored)

    def test_links_are_recorded(self) -> None:
        self.link(uses=2, days=1)
        [record] = self.done(self.admin.audit(AuditQuery(code="invite_link")))
        self.assertEqual((record.what["uses"], record.what["days"]), ("2 uses", "1 day"))


class FirstOperator(Links):
    def first(self, name: str, link: str, **fields: Any) -> str:
        """Register by a link for the first operator; return the code of the error, "" for none."""
        secret = fields or {"pwd": "password"}
        reply = self.server.connect().call("register", usr=name, link=link, **secret)
        return str(reply.get("code", ""))

    def test_the_link_makes_one_operator_also_where_registration_is_closed(self) -> None:
        self.use(self.make("closed"))
        self.assertFalse(self.done(self.admin.accounts.are_there()))
        secret = self.done(self.admin.accounts.operator_link(AT_CONSOLE)).token
        uuid = "0b5e5e0e-35a2-4e0c-9b2b-2c8c6b4c5d1f"
        self.assertEqual(self.first("Ann", secret, uuid=uuid), "bad_request")
        self.assertEqual(self.first("Ann", "wrong"), "bad_invite")
        self.assertEqual(self.first("Ann", secret), "")
        self.assertEqual(self.first("Bob", secret), "bad_invite")
        self.assertTrue(self.done(self.admin.accounts.are_there()))
        self.assertEqual(self.records(code="first_operator"), [("first_operator", "Ann", "")])
