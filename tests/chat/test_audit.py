"""The audit log: its lines, and that they have no secrets."""

from __future__ import annotations

import uuid

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.audit import AT_CONSOLE, AUDIT
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.invite_links import Wanted
from tests.chat.test_data_export import RecordedFiles
from tests.fakes import TestServer

SECRETS = ["correct horse", "wrong horse", "new horse!", "the-key", "a-guessed-key"]
UUID = str(uuid.UUID(int=7, version=4))

LINES = [
    "login: bob logged in from 192.0.2.1",
    "registered: ann registered from 192.0.2.7",
    "login_failed: wrong password for (unknown name) from 192.0.2.7",
    "login_failed: wrong password for (unknown name) from 192.0.2.7",
    "login_failed: wrong password for ann from 192.0.2.9",
    "login_failed: wrong password for ann from 192.0.2.9",
    "login_failed: wrong password for ann from 192.0.2.9",
    "locked_out: ann is locked out from 192.0.2.9 for 60.0 s",
    "login: ann logged in from 192.0.2.7",
    "password_changed: ann changed the password from 192.0.2.7",
    "kicked: ann kicked bob from r",
    "removed: ann removed bob from r",
    "room_role: ann made bob moderator in r",
    "room_muted: ann muted bob in r",
    "room_unmuted: ann unmuted bob in r",
    "room_banned: ann banned spam* from r",
    "room_unbanned: ann unbanned spam* from r",
    "message_deleted: ann deleted message 12 of bob in r",
    "room_set: ann changed r: public False, max 7, owner ann",
    "room_deleted: ann deleted r",
    "blocked: ann blocked bob",
    "unblocked: ann unblocked bob",
    "broadcast_refused: ann sent a broadcast with a wrong key",
    "broadcast: ann sent a broadcast",
    "login: ann logged in from 192.0.2.7",
    "sessions_ended: ann ended other sessions from 192.0.2.7",
    "put_out: the operator disconnected bob",
    "own_login_link: ann made a login link from 192.0.2.7",
    "invite_link: (console) made an invitation for 1 use within 7 days",
    "invited: cat registered from 192.0.2.7 with an invitation of (console)",
    "operator_link: (console) made a link for the first operator",
    "first_operator: dora registered from 192.0.2.7 as the first operator",
    "login: cat logged in from 192.0.2.7",
    "own_export: cat exported the own data from 192.0.2.7",
    "own_account_deleted: cat deleted the account from 192.0.2.7",
    "filter_refused: rule 610562b2 of the word filter refused a text of ann in lobby",
    "filter_flagged: rule 2aaa6c74 of the word filter flagged a text of ann in (no room):"
    " message 0",
    "login: gus logged in from 192.0.2.1",
    "reported: gus reported message 1 of ann in lobby",
    "login: dora logged in from 192.0.2.7",
    "report_answered: dora answered report 2 about ann in lobby: dismissed",
]

#: Codes of administrative commands, which `server.admin.test_commands` tries, and of the start.
ADMINISTRATIVE = {
    *(code for code, kind in AUDIT.items() if not kind.counted and code != "put_out"),
    "invite_link",
    "invite_link_revoked",
    "admin_read",
    "admin_refused",
}


class AuditLog(SynchronousTestCase):
    def perform_audited_actions(self) -> None:
        """Do everything that the audit log records."""
        server = TestServer(broadcast_key=SECRETS[3])
        client, bob = server.connect("192.0.2.7"), server.guest("bob")
        client.call("register", usr="ann", pwd=SECRETS[0])
        client.call("login", type="reg", usr="a-password-typed-here", pwd=SECRETS[1])
        client.call("login", type="reg", uuid=UUID)
        for _ in range(3):
            server.connect("192.0.2.9").login("ANN", pwd=SECRETS[1])
        client.login("ann", pwd=SECRETS[0])
        client.call("update_pwd", pwd=SECRETS[0], new_pwd=SECRETS[2], new_pwd2=SECRETS[2])
        client.call("create_room", room_name="r")
        for cmd in ("kick", "remove_member"):
            bob.call("join_room", room_name="r")
            client.call(cmd, room_name="r", user="bob")
        bob.call("join_room", room_name="r")
        client.call("set_role", room_name="r", user="bob", role="moderator")
        client.call("mute", room_name="r", user="bob")
        client.call("unmute", room_name="r", user="bob")
        client.call("ban", room_name="r", user="spam*")
        client.call("unban", room_name="r", user="spam*")
        seq = bob.call("speak", room_name="r", msg="x")["seq"]
        client.call("delete", room_name="r", seq=seq)
        client.call("set_room", room_name="r", public=False, max=7)
        client.call("delete_room", room_name="r")
        client.call("block", user="bob")
        client.call("unblock", user="bob")
        client.call("broadcast", msg="x", broadcast_key=SECRETS[4])
        client.call("broadcast", msg="x", broadcast_key=SECRETS[3])
        again = server.connect("192.0.2.7")
        again.login("ann", pwd=SECRETS[2])
        again.call("end_other_sessions")
        Deferred.fromCoroutine(server.chat.sessions.disconnect_user("bob"))
        server.run_pending()
        self.links = [again.call("create_login_link")["link"]]
        invited = Deferred.fromCoroutine(
            server.chat.invite_links.create_as_operator(Wanted(), AT_CONSOLE)
        )
        server.run_pending()
        self.links.append(self.successResultOf(invited).secret)
        newcomer = server.connect("192.0.2.7")
        newcomer.call("register", usr="cat", pwd=SECRETS[0], invite=self.links[-1])
        first = Deferred.fromCoroutine(server.chat.admin.accounts.operator_link(AT_CONSOLE))
        server.run_pending()
        self.links.append(self.successResultOf(first).token)
        newcomer.call("register", usr="dora", pwd=SECRETS[0], link=self.links[-1])
        newcomer.login("cat", pwd=SECRETS[0])
        server.chat.exports.files = RecordedFiles()
        link = newcomer.call("export_account", pwd=SECRETS[0])["path"].removeprefix("export/")
        self.links.append(link)
        sent = Deferred.fromCoroutine(server.chat.exports.send(link, lambda data: succeed(None)))
        server.run_pending()
        self.assertTrue(self.successResultOf(sent))
        newcomer.call("delete_account", pwd=SECRETS[0])
        for word, action in (("hot", "flag"), ("hotter", "refuse")):
            rule = FilterRule(word, action)
            server.chat.word_filter.choose(f"filter {rule.id}", rule.stored())
            again.call("speak", room_name="lobby", msg=word)
        again.call("create_room", room_name="hot")
        report = server.guest("gus").call("report", room_name="lobby", seq=1)["report_id"]
        dora = server.connect("192.0.2.7")
        dora.login("dora", pwd=SECRETS[0])
        dora.call("answer_report", report_id=report, outcome="dismissed")

    def test_each_audited_action_writes_its_line(self) -> None:
        with capturedLogs() as events:
            self.perform_audited_actions()
        lines = [event for event in events if event["log_namespace"] == "gtchat.chat.audit"]
        self.assertEqual([formatEvent(event) for event in lines], LINES)
        self.assertEqual({event["code"] for event in lines} | ADMINISTRATIVE, AUDIT.keys())
        for event in lines:
            self.assertEqual(formatEvent(event).split(": ")[0], event["code"])

    def test_no_secret_is_in_any_line(self) -> None:
        with capturedLogs() as events:
            self.perform_audited_actions()
        for event in events:
            for secret in (*SECRETS, *self.links, UUID, "a-password-typed-here"):
                self.assertNotIn(secret, f"{formatEvent(event)} {event}")
