"""Roles, mutes, bans, moderated rooms and slow mode, as the users of a room see them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import room_bans
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.authority import Sanction
from gtchat.chat.limits import Limits
from gtchat.chat.moderation import Moderation, Mute, Role, RoomBan
from gtchat.chat.moderation_events import Muted, RoleChanged, Unmuted, UserUnbanned
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.users import Session
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer

#: Actor -> users that the actor may kick, ban and mute. Ann owns the room, mod and max moderate it.
MAY_ACT = {"ann": {"mod", "max", "vox", "bob"}, "mod": {"vox", "bob"}, "vox": set(), "bob": set()}
NAMES = ("ann", "mod", "max", "vox", "bob")


class ModeratedCase(SynchronousTestCase):
    """Ann has a room with two moderators, a user with voice, and a member."""

    limits: dict[str, Any] = {}

    def setUp(self) -> None:
        limits = Limits(**{"commands_per_second": 0, **self.limits})
        self.server = TestServer(limits=limits)
        self.clients = {name: self.server.member(name) for name in NAMES}
        self.ann, self.mod, self.max, self.vox, self.bob = self.clients.values()
        self.ok("ann", "create_room")
        for name in NAMES[1:]:
            self.ok(name, "join_room")
        for name, role in (("mod", "moderator"), ("max", "moderator"), ("vox", "voice")):
            self.ok("ann", "set_role", user=name, role=role)
        self.clear()

    def clear(self) -> None:
        for client in self.clients.values():
            client.received()

    def call(self, who: str | FakeClient, cmd: str, **fields: object) -> dict[str, Any]:
        client = self.clients[who] if isinstance(who, str) else who
        return client.call(cmd, **{"room_name": "r", **fields})

    def ok(self, who: str | FakeClient, cmd: str, **fields: object) -> dict[str, Any]:
        reply = self.call(who, cmd, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def code(self, who: str | FakeClient, cmd: str, **fields: object) -> str:
        """Return the code with which a request is refused, "ok" if it is not."""
        return str(self.call(who, cmd, **fields).get("code", "ok"))

    def speak(self, who: str | FakeClient) -> str:
        return self.code(who, "speak", msg="x")

    @property
    def moderation(self) -> Moderation:
        return self.server.chat.rooms.find("r").moderation

    def events(self, who: str) -> list[tuple[object, ...]]:
        """Take the events of a client: type, subject, who did it."""
        pushes = self.clients[who].pushes()
        return [(one.get("type"), one.get("usr"), one.get("by")) for one in pushes]


class Roles(ModeratedCase):
    def test_all_members_see_roles(self) -> None:
        reply = self.ok("bob", "get_room_user_list")
        found = {"max": "moderator", "mod": "moderator", "vox": "voice"}
        self.assertEqual(reply["roles"], found)
        self.ok("ann", "set_role", user="bob", role="voice")
        self.assertEqual(self.events("bob"), [("role", "bob", "ann")])
        self.assertEqual(
            self.ok("ann", "set_room", topic="x")["room"]["roles"], found | {"bob": "voice"}
        )

    def test_a_user_is_told_the_own_role(self) -> None:
        for name, role in (("ann", None), ("mod", "moderator"), ("vox", "voice"), ("bob", None)):
            [room] = [
                one
                for one in self.clients[name].call("get_room_list")["rooms"]
                if one["room_name"] == "r"
            ]
            self.assertEqual(room.get("role"), role)

    def test_the_owner_gives_and_takes_roles(self) -> None:
        self.ok("ann", "set_role", user="mod", role="voice")
        self.ok("ann", "set_role", user="vox", role="")
        roles = {one.name: one.role for one in self.moderation.roles.values()}
        self.assertEqual(roles, {"mod": "voice", "max": "moderator"})

    def test_a_moderator_gives_and_takes_voice(self) -> None:
        self.ok("mod", "set_role", user="bob", role="voice")
        self.ok("mod", "set_role", user="vox", role="")
        self.assertEqual(self.code("mod", "set_role", user="bob", role="moderator"), "not_owner")
        self.assertEqual(self.code("mod", "set_role", user="max", role=""), "not_allowed")
        self.assertEqual(self.code("vox", "set_role", user="bob", role="voice"), "not_owner")

    def test_invalid_roles_are_refused(self) -> None:
        self.assertEqual(self.code("ann", "set_role", user="bob", role="king"), "bad_request")
        self.assertEqual(self.code("ann", "set_role", user="ann", role="voice"), "self_target")
        self.server.member("eve")
        self.assertEqual(self.code("ann", "set_role", user="eve", role="voice"), "not_in_room")
        self.assertEqual(self.code("ann", "set_role", user="nix", role="voice"), "no_such_user")

    def test_a_role_ends_with_the_membership(self) -> None:
        self.ok("mod", "leave_room")
        self.ok("mod", "join_room")
        self.assertEqual(self.code("mod", "kick", user="bob"), "not_owner")

    def test_a_new_owner_has_all_rights_and_the_old_one_none(self) -> None:
        self.ok("ann", "set_room", master="bob")
        self.ok("bob", "kick", user="mod")
        self.assertEqual(self.code("ann", "kick", user="vox"), "not_owner")

    def test_nothing_but_the_name_follows_a_renamed_account(self) -> None:
        before = Moderation(
            roles={1: Role("ann", "voice")},
            mutes={1: Mute("ann", "b", "", 1, 0)},
            bans={"#1": RoomBan("ann", "b", "", 1, 0, 1)},
        )
        after = before.renamed(1, "eve")
        tables: tuple[Any, ...] = (after.roles, after.mutes, after.bans)
        self.assertEqual([one.name for table in tables for one in table.values()], ["eve"] * 3)
        self.assertIs(before.renamed(2, "eve"), before)

    def test_an_entry_without_an_account_changes_nothing(self) -> None:
        fields: dict[str, Any] = {"room_name": "r", "usr": "ann", "by": "b", "at": 1}
        before = Moderation(roles={1: Role("ann", "voice")})
        for entry in (
            RoleChanged(**fields, role="voice"),
            Muted(**fields),
            Unmuted(**fields),
            UserUnbanned(**fields),
        ):
            self.assertIs(before.fold(entry), before)


class Ranks(ModeratedCase):
    def test_moderators_act_on_lower_ranks_only(self) -> None:
        for cmd in ("kick", "ban", "mute"):
            for actor, allowed in MAY_ACT.items():
                for target in NAMES:
                    self.setUp()
                    code = self.code(actor, cmd, user=target)
                    if not MAY_ACT[actor]:
                        expected = "not_owner"
                    elif actor == target:
                        expected = "self_target"
                    else:
                        expected = "ok" if target in allowed else "not_allowed"
                    self.assertEqual(code, expected, (cmd, actor, target))

    def test_who_is_no_member_moderates_nothing(self) -> None:
        eve = self.server.member("eve")
        for cmd in ("unban", "unmute"):
            self.assertEqual(self.code(eve, cmd, user="bob"), "not_owner")
        self.assertEqual(self.code(eve, "get_moderation"), "not_owner")
        self.assertEqual(self.code("bob", "delete_messages", user="vox"), "not_owner")


class Kicks(ModeratedCase):
    def test_a_kick_tells_the_reason(self) -> None:
        self.ok("mod", "kick", user="bob", reason="noise")
        [push] = self.bob.pushes()
        self.assertEqual((push["type"], push["by"], push["reason"]), ("kicked", "mod", "noise"))
        self.assertNotIn("banned", push)
        self.assertEqual(self.code("bob", "join_room"), "ok")

    def test_a_kick_of_a_user_who_is_no_member_is_refused(self) -> None:
        self.server.member("eve")
        self.assertEqual(self.code("mod", "kick", user="eve"), "not_in_room")
        self.assertEqual(self.code("mod", "kick", user="bob", reason="x" * 501), "too_long")


class Bans(ModeratedCase):
    def test_a_banned_member_is_put_out_and_can_not_come_back(self) -> None:
        self.ok("mod", "ban", user="bob", reason="spam", seconds=60)
        [push] = self.bob.pushes()
        self.assertEqual((push["type"], push["banned"], push["reason"]), ("kicked", True, "spam"))
        reply = self.call("bob", "join_room")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("room_banned", 60))
        self.assertEqual(self.code("vox", "add_member", user="bob"), "room_banned")
        self.assertEqual(self.code("ann", "invite", invitee="bob"), "room_banned")

    def test_an_invitation_from_before_a_ban_lets_no_one_in(self) -> None:
        self.ok("bob", "leave_room")
        self.ok("ann", "invite", invitee="bob")
        self.ok("mod", "ban", user="bob")
        self.assertEqual(self.code("bob", "invite_reply", inviter="ann", reply="Y"), "room_banned")
        self.assertEqual(self.code("ann", "invite", invitee="bob"), "room_banned")

    def test_names_are_compared_with_a_pattern_in_slices(self) -> None:
        self.patch(room_bans, "NAMES_AT_ONCE", 1)
        turns: list[object] = []
        call_soon = self.server.chat.users.call_soon

        def counted(*args: Any) -> None:
            turns.append(args)
            call_soon(*args)

        self.patch(self.server.chat.users, "call_soon", counted)
        self.assertEqual(self.ok("ann", "get_moderation", pattern="*o*")["matches"], 3)
        self.assertGreaterEqual(len(turns), len(NAMES) - 1)

    def test_a_pattern_is_counted_before_it_is_banned(self) -> None:
        for who, pattern, wanted in (
            ("ann", "m*", 2),
            ("ann", "*o*", 3),
            ("mod", "*o*", 2),
            ("mod", "m*", 0),
            ("mod", "bob", 1),
        ):
            reply = self.ok(who, "get_moderation", pattern=pattern)
            self.assertEqual(reply["matches"], wanted, (who, pattern))
        self.assertNotIn("matches", self.ok("mod", "get_moderation"))
        self.assertEqual(self.code("mod", "get_moderation", pattern=""), "bad_request")
        self.assertEqual(self.code("bob", "get_moderation", pattern="m*"), "not_owner")
        self.assertEqual(
            self.code("mod", "get_moderation", room_name="lobby", pattern="m*"), "not_owner"
        )
        self.ok("mod", "ban", user="*o*")
        self.assertEqual(
            set(self.server.chat.rooms.find("r").members.values()), {"ann", "mod", "max"}
        )

    def test_a_ban_ends_by_the_clock(self) -> None:
        self.ok("mod", "ban", user="bob", seconds=60)
        self.server.clock.advance(61)
        self.assertEqual(self.code("bob", "join_room"), "ok")

    def test_a_ban_without_an_end_is_ended_by_a_moderator(self) -> None:
        self.ok("mod", "ban", user="bob")
        self.assertNotIn("retry_after", self.call("bob", "join_room"))
        self.assertEqual(self.code("max", "unban", user="vox"), "no_such_user")
        self.ok("max", "unban", user="BOB")
        self.assertEqual(self.events("ann")[-1], ("unbanned", "bob", "max"))
        self.assertEqual(self.code("bob", "join_room"), "ok")

    def test_a_user_who_is_no_member_can_be_banned(self) -> None:
        eve = self.server.member("eve")
        self.ok("mod", "ban", user="eve")
        self.assertEqual(self.events("ann"), [("banned", "eve", "mod")])
        self.assertEqual(self.code(eve, "join_room"), "room_banned")

    def test_a_pattern_puts_out_lower_ranks_and_keeps_out_others(self) -> None:
        bots = [self.server.member(f"bot{number}") for number in range(3)]
        for bot in bots[:2]:
            self.ok(bot, "join_room")
        self.ok("ann", "set_role", user="bot1", role="moderator")
        self.clear()
        self.ok("mod", "ban", user="B*O*t*", reason="bots")
        # Bob does not fit; a moderator stays.
        expected = [("kicked", "bot0", "mod"), ("banned", "b*o*t*", "mod")]
        self.assertEqual(self.events("bob"), expected)
        self.assertEqual(self.events("mod"), expected[:1])
        self.assertEqual(self.code(bots[2], "join_room"), "room_banned")
        self.assertEqual(self.speak(bots[1]), "ok")
        self.ok("mod", "unban", user="b*o*T*")
        self.assertEqual(self.code(bots[0], "join_room"), "ok")

    def test_the_owner_and_the_one_who_bans_are_in_no_pattern(self) -> None:
        self.ok("mod", "ban", user="m*")
        self.ok("mod", "ban", user="a*")
        room = self.server.chat.rooms.find("r")
        self.assertEqual(list(room.members.values()), list(NAMES))
        self.ok("ann", "leave_room")
        self.assertEqual(self.code("ann", "join_room"), "ok")

    def test_a_temporary_user_is_banned_by_name(self) -> None:
        for joined in (True, False):
            guest = self.server.guest("Gus")
            if joined:
                self.ok(guest, "join_room")
            self.ok("mod", "ban", user="gus")
            guest.call("logout")
            self.server.run_pending()
            guest = self.server.guest("GUS")
            self.assertEqual(self.code(guest, "join_room"), "room_banned")
            self.ok("mod", "unban", user="gus")
            guest.call("logout")
            self.server.run_pending()

    def test_who_joins_while_names_are_banned_is_put_out(self) -> None:
        eve = self.server.member("eve")
        eve.send("join_room", room_name="r")
        self.mod.send("ban", room_name="r", user="ev*")
        self.server.run_pending()
        room = self.server.chat.rooms.find("r")
        self.assertNotIn("eve", room.members.values())

    def test_a_moderator_who_was_demoted_puts_out_no_more(self) -> None:
        eve = self.server.member("eve")
        self.ok(eve, "join_room")
        self.ann.send("set_role", room_name="r", user="mod", role="")
        self.mod.send("ban", room_name="r", user="ev*")
        self.server.run_pending()
        self.assertIn("eve", self.server.chat.rooms.find("r").members.values())

    def test_invalid_bans_are_refused(self) -> None:
        for fields in ({"user": "*"}, {"user": "a b*"}, {"user": "x" * 64 + "*"}):
            self.assertEqual(self.code("mod", "ban", **fields), "bad_request", fields)
        self.assertEqual(self.code("mod", "ban", user="unknown"), "no_such_user")
        for seconds in (-1, 10**10):
            for user in ("bob", "b*"):
                code = self.code("mod", "ban", user=user, seconds=seconds)
                self.assertEqual(code, "bad_request")

    def test_the_same_request_bans_once(self) -> None:
        for dup in (None, True):
            reply = self.ok("mod", "ban", user="bob", txn="t")
            self.assertEqual(reply.get("dup"), dup)


class Mutes(ModeratedCase):
    def test_a_muted_member_says_nothing(self) -> None:
        seq = self.ok("bob", "speak", msg="x")["seq"]
        self.ok("mod", "mute", user="bob", reason="noise", seconds=60)
        reply = self.call("bob", "speak", msg="x")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("muted", 60))
        self.assertEqual(self.code("bob", "edit", seq=seq, msg="y"), "muted")
        self.assertEqual(self.code("bob", "react", seq=seq, emoji="\N{THUMBS UP SIGN}"), "muted")
        self.assertEqual(self.code("bob", "typing"), "muted")
        self.assertEqual(self.code("bob", "delete", seq=seq, reason="z"), "muted")
        self.assertEqual(self.code("bob", "delete", seq=seq), "ok")

    def test_a_mute_of_a_temporary_user_ends(self) -> None:
        """Else those of users who are gone would stay in the room, and count."""
        guest = self.server.guest("gus")
        self.ok(guest, "join_room")
        day = 24 * 3600
        for seconds, lasts in ((0, day), (2 * day, day), (60, 60)):
            self.ok("mod", "mute", user="gus", seconds=seconds)
            reply = self.call(guest, "speak", msg="x")
            self.assertEqual((reply["code"], round(reply["retry_after"])), ("muted", lasts))
        self.ok("mod", "mute", user="bob")
        self.assertNotIn("retry_after", self.call("bob", "speak", msg="x"))

    def test_a_mute_ends_by_the_clock(self) -> None:
        self.ok("mod", "mute", user="bob", seconds=60)
        self.server.clock.advance(61)
        self.assertEqual(self.speak("bob"), "ok")

    def test_a_mute_does_not_end_with_the_membership(self) -> None:
        self.ok("mod", "mute", user="bob")
        self.ok("bob", "leave_room")
        self.ok("bob", "join_room")
        self.assertEqual(self.speak("bob"), "muted")

    def test_a_moderator_ends_a_mute(self) -> None:
        self.assertEqual(self.code("mod", "unmute", user="bob"), "no_such_user")
        self.ok("mod", "mute", user="bob")
        self.ok("max", "unmute", user="Bob")
        self.assertEqual(self.events("bob"), [("muted", "bob", "mod"), ("unmuted", "bob", "max")])
        self.assertEqual(self.speak("bob"), "ok")

    def test_a_member_who_was_muted_before_the_promotion_speaks(self) -> None:
        self.ok("mod", "mute", user="bob")
        self.ok("ann", "set_role", user="bob", role="moderator")
        self.assertEqual(self.speak("bob"), "ok")
        self.assertEqual(self.code("bob", "unmute", user="bob"), "self_target")

    def test_a_user_is_told_to_be_muted(self) -> None:
        def muted_until() -> object:
            rooms = self.bob.call("get_room_list")["rooms"]
            [room] = [one for one in rooms if one["room_name"] == "r"]
            return room.get("muted_until")

        self.assertIsNone(muted_until())
        self.ok("mod", "mute", user="bob")
        self.assertEqual(muted_until(), "")
        self.ok("mod", "mute", user="bob", seconds=60)
        self.assertIn("T", str(muted_until()))
        self.server.clock.advance(61)
        self.assertIsNone(muted_until())

    def test_only_members_are_muted(self) -> None:
        self.server.member("eve")
        self.assertEqual(self.code("mod", "mute", user="eve"), "not_in_room")


class WhoMaySpeak(ModeratedCase):
    def test_in_a_moderated_room_members_need_a_role(self) -> None:
        seq = self.ok("bob", "speak", msg="x")["seq"]
        self.ok("mod", "set_room", moderated=True)
        codes = {name: self.speak(name) for name in NAMES}
        self.assertEqual(codes, {**dict.fromkeys(NAMES, "ok"), "bob": "moderated"})
        self.assertEqual(self.code("bob", "edit", seq=seq, msg="y"), "moderated")
        self.assertEqual(self.code("bob", "typing"), "moderated")
        self.assertEqual(self.code("bob", "react", seq=seq, emoji="\N{THUMBS UP SIGN}"), "ok")
        self.ok("mod", "set_room", moderated=False)
        self.assertEqual(self.speak("bob"), "ok")

    def test_members_are_told_of_the_settings(self) -> None:
        self.ok("mod", "set_room", moderated=True, slow=5)
        [push] = self.bob.pushes()
        self.assertEqual((push["type"], push["moderated"], push["slow"]), ("room_changed", True, 5))
        self.ok("ann", "set_room", topic="t")
        [push] = self.bob.pushes()
        self.assertEqual((push["moderated"], push["slow"]), (True, 5))

    def test_moderators_set_nothing_else(self) -> None:
        for fields in ({"topic": "t"}, {"slow": 5, "max": 9}, {"slow": 1, "master": "mod"}, {}):
            self.assertEqual(self.code("mod", "set_room", **fields), "not_owner", fields)
        self.assertEqual(self.code("vox", "set_room", slow=5), "not_owner")
        for slow in (-1, 10**6):
            self.assertEqual(self.code("mod", "set_room", slow=slow), "bad_request")

    def test_a_refusal_says_who_may_do_it(self) -> None:
        seq = self.ok("ann", "speak", msg="x")["seq"]
        for cmd, fields, moderators in (
            ("set_room", {"slow": 5}, True),
            ("set_room", {"topic": "t"}, False),
            ("pin", {"seq": seq}, True),
            ("delete_messages", {"user": "ann"}, True),
            ("delete_room", {}, False),
        ):
            reply = self.call("bob", cmd, **fields)
            self.assertEqual(reply["code"], "not_owner", cmd)
            self.assertEqual("moderators" in reply["msg"], moderators, cmd)

    def test_a_room_begins_moderated_and_in_slow_mode(self) -> None:
        for slow in (-1, 10**6):
            code = self.code("ann", "create_room", room_name="new", slow=slow)
            self.assertEqual(code, "bad_request")
        room = self.ok("ann", "create_room", room_name="new", moderated=True, slow=30)["room"]
        self.assertEqual((room["moderated"], room["slow"]), (True, 30))
        self.ok("bob", "join_room", room_name="new")
        self.assertEqual(self.code("bob", "speak", room_name="new", msg="x"), "moderated")
        self.ok("ann", "set_role", room_name="new", user="bob", role="voice")
        self.ok("bob", "speak", room_name="new", msg="x")
        self.assertEqual(self.code("bob", "speak", room_name="new", msg="x"), "slow_mode")

    def test_in_slow_mode_a_member_waits(self) -> None:
        self.ok("mod", "set_room", slow=30)
        self.assertEqual(self.speak("bob"), "ok")
        self.server.clock.advance(10)
        reply = self.call("bob", "speak", msg="x")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("slow_mode", 20))
        self.assertEqual([self.speak(name) for name in ("vox", "mod", "mod", "ann")], ["ok"] * 4)
        self.assertEqual(self.speak("vox"), "slow_mode")
        self.server.clock.advance(20)
        self.assertEqual(self.speak("bob"), "ok")
        self.ok("mod", "set_room", slow=0)
        self.assertEqual([self.speak("bob"), self.speak("bob")], ["ok"] * 2)


class Lists(ModeratedCase):
    limits = {"roles_per_room": 3, "mutes_per_room": 1, "bans_per_room": 1}

    def test_moderators_see_what_has_not_ended(self) -> None:
        self.ok("mod", "mute", user="bob", reason="noise", seconds=60)
        self.ok("mod", "ban", user="x*")
        reply = self.ok("max", "get_moderation")
        self.assertEqual(reply["roles"], {"mod": "moderator", "max": "moderator", "vox": "voice"})
        [mute], [ban] = reply["mutes"], reply["bans"]
        self.assertEqual((mute["usr"], mute["by"], mute["reason"]), ("bob", "mod", "noise"))
        self.assertIn("until", mute)
        self.assertEqual((ban["usr"], ban["by"], ban.get("until")), ("x*", "mod", None))
        self.server.clock.advance(61)
        self.assertEqual(self.ok("max", "get_moderation")["mutes"], [])

    def test_there_are_bounds(self) -> None:
        self.assertEqual(self.code("ann", "set_role", user="bob", role="voice"), "too_many")
        self.ok("ann", "set_role", user="vox", role="moderator")
        self.ok("ann", "set_role", user="vox", role="")
        self.ok("mod", "mute", user="bob", seconds=60)
        self.assertEqual(self.code("mod", "mute", user="vox"), "too_many")
        self.ok("mod", "mute", user="bob", seconds=30)
        self.server.clock.advance(31)
        self.ok("mod", "mute", user="vox")
        self.assertEqual([one.name for one in self.moderation.mutes.values()], ["vox"])
        self.ok("mod", "ban", user="x*", seconds=60)
        for user in ("y*", "bob"):
            self.assertEqual(self.code("mod", "ban", user=user), "too_many")
        self.server.clock.advance(61)
        self.ok("mod", "ban", user="bob")
        self.assertEqual([one.name for one in self.moderation.bans.values()], ["bob"])


class Messages(ModeratedCase):
    def test_moderators_delete_and_pin_messages_of_others(self) -> None:
        seq = self.ok("ann", "speak", msg="x")["seq"]
        self.ok("mod", "pin", seq=seq)
        self.ok("mod", "delete", seq=seq, reason="spam")
        self.assertEqual(self.code("vox", "pin", seq=seq), "not_owner")

    def test_the_messages_of_the_last_hour_are_deleted(self) -> None:
        guest = self.server.guest("gus")
        self.ok(guest, "join_room")
        old = self.ok(guest, "speak", msg="old")["seq"]
        self.server.clock.advance(3601)
        self.ok(guest, "speak", msg="a")
        self.ok("bob", "speak", msg="b")
        gone = self.ok(guest, "speak", msg="c")["seq"]
        self.ok(guest, "delete", seq=gone)
        guest.call("logout")
        self.server.run_pending()
        self.ok("bob", "speak", msg="d")
        self.assertEqual(self.ok("mod", "delete_messages", user="gus", reason="x")["deleted"], 1)
        self.assertEqual(self.ok("mod", "delete_messages", user="BOB")["deleted"], 2)
        left = [one for one in self.ok("ann", "history")["entries"] if one.get("msg")]
        self.assertEqual([one["seq"] for one in left], [old])
        self.assertEqual(
            self.code("mod", "delete_messages", user="bob", reason="x" * 501), "too_long"
        )


class Lobby(SynchronousTestCase):
    """The lobby has no owner, and no user can be kicked out of it."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.bob = self.server.member("bob")
        found: list[Session] = []
        login = self.server.chat.logins.login_host(RecordingEncoder(), RecordingConnection())
        Deferred.fromCoroutine(login).addCallback(found.append)
        self.server.run_pending()
        [self.host] = found

    def code(self, request: Coroutine[Any, Any, object]) -> str:
        """Return the code with which a request of the operator is refused, "ok" if it is not."""
        codes: list[str] = []
        done = Deferred.fromCoroutine(request)
        done.addCallbacks(
            lambda _: codes.append("ok"), lambda failure: codes.append(failure.value.code)
        )
        self.server.run_pending()
        [code] = codes
        return code

    def test_the_operator_moderates_the_lobby(self) -> None:
        chat, host = self.server.chat, self.host
        self.server.guest("gus")
        mute = chat.moderators.mute(host, "lobby", "bob", Sanction())
        self.assertEqual(self.code(mute), "ok")
        self.assertEqual(self.bob.call("speak", room_name="lobby", msg="x")["code"], "muted")
        kick = chat.room_bans.kick(host, "lobby", "bob")
        self.assertEqual(self.code(kick), "not_allowed")
        for user in ("bob", "b*"):
            ban = chat.room_bans.ban(host, "lobby", user, Sanction())
            self.assertEqual(self.code(ban), "not_allowed")
        for user, code in (("bob", "ok"), ("gus", "not_allowed")):
            give = chat.moderators.set_role(host, "lobby", user, "voice")
            self.assertEqual(self.code(give), code)
        change = chat.membership.change(host, "lobby", RoomSettings(slow=9), None)
        self.assertEqual(self.code(change), "ok")

    def test_operators_give_roles(self) -> None:
        moderators = self.server.chat.moderators
        for role, code in (("moderator", "ok"), ("king", "bad_request"), ("", "ok")):
            appoint = moderators.appoint("lobby", "bob", role, AT_CONSOLE)
            self.assertEqual(self.code(appoint), code, role)
            roles = self.server.chat.rooms.lobby.moderation.roles
            self.assertEqual([one.role for one in roles.values()], ["moderator"] * bool(role))
        [given, _] = self.bob.pushes("role")
        self.assertEqual((given["usr"], given["by"]), ("bob", "Host"))
