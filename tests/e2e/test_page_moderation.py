"""Moderation in the page: what an owner does there, and what a user who is muted sees."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"


class PageModerationTest(TestCase):
    """Ann has the page and owns a room; Bob and Eve are members with other clients."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.bob, self.eve = self.log_in("bob"), self.log_in("eve")
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.addCleanup(lambda: self.assertEqual(self.page.console_errors(), []))
        self.page.log_in("ann", PASSWORD, "register")

    def log_in(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("register", usr=name, pwd=PASSWORD)
        client.call("login", type="reg", usr=name, pwd=PASSWORD)
        return client

    def check(self, view: str) -> None:
        """Look for violations in the view that is shown, in both themes."""
        axe.load(self.page)
        for theme in ("dark", "light"):
            found = axe.violations(self.page, theme, only_contrast=theme == "light")
            self.assertEqual(found, [], f"{view}, {theme}")

    def act(self, user: str, item: str) -> None:
        """Open the card of a member, and what it leads to."""
        self.page.open_card(user)
        self.page.click(".person-card .menu-item", item)

    def slow_room(self) -> dict[str, Any] | None:
        """Return what is moderated in the room, once it is slow."""
        found = self.bob.call("get_moderation", room_name="den")
        return found if found["slow"] == 30 else None

    def test_an_owner_moderates(self) -> None:
        page = self.page
        page.click("button", "Create room")
        page.fill("room_name", "den")
        page.click("dialog button.primary")
        page.find(".bar h1", "den")
        for client in (self.bob, self.eve):
            client.call("join_room", room_name="den")
        self.assertEqual(page.run("return typeof GTChat.SetRole"), "undefined")
        self.act("bob", "Role")
        page.choose("role", "moderator")
        page.click("dialog button.primary")
        page.find(".event", "ann made bob a moderator")
        page.find(".members .role.mod", "Moderator")
        self.check("members")
        self.act("eve", "Mute")
        page.fill("reason", "noise")
        self.check("mute")
        page.click("dialog button.danger")
        page.find(".event", "ann muted eve")
        self.assertEqual(self.eve.call("speak", room_name="den", msg="x")["code"], "muted")
        page.open_panel("About this room")
        page.click(".panel.about .line", "Moderation")
        page.click(".dialog .setting", "Moderated")
        page.choose("slow", "30")
        page.find(".dialog .line", "noise")
        found = page.wait_until(self.slow_room, "slow mode")
        self.assertTrue(found["moderated"])
        self.assertEqual([one["usr"] for one in found["mutes"]], ["eve"])
        self.check("moderation")
        page.click(".dialog button[aria-label='Unmute eve']")
        page.wait_gone(".dialog button[aria-label='Unmute eve']")
        page.close_dialog()
        page.click(".conversation .bar button", "3")
        self.act("eve", "Ban")
        page.click("dialog button.danger")
        page.find(".event", "ann banned eve")
        self.assertEqual(self.eve.call("join_room", room_name="den")["code"], "room_banned")
        page.open_panel("About this room")
        page.click(".panel.about .line", "Moderation")
        page.click(".dialog button[aria-label='Unban eve']")
        page.wait_gone(".dialog button[aria-label='Unban eve']")
        self.assertNotIn("code", self.eve.call("join_room", room_name="den"))
        page.set_viewport(390, 800)
        self.check("moderation on a phone")

    def test_the_page_says_why_a_user_cannot_speak(self) -> None:
        page = self.page
        self.bob.call("create_room", room_name="attic")
        self.bob.call("add_member", room_name="attic", user="ann")
        self.bob.call("speak", room_name="attic", msg="first words")
        page.open_conversation("attic")
        page.wait_for_message("first words")
        self.bob.call("mute", room_name="attic", user="ann", seconds=3600)
        page.find(".composer.ended", "You are muted in this room until")
        self.check("a muted user")
        self.bob.call("unmute", room_name="attic", user="ann")
        page.find("textarea#say")
        self.bob.call("set_room", room_name="attic", moderated=True)
        page.find(".composer.ended", "Only members with a role")
        self.bob.call("set_role", room_name="attic", user="ann", role="moderator")
        page.find("textarea#say")
        page.hover("first words")
        page.click(".entry:has(.toolbar) [data-act=menu]")
        page.click(".message-menu [role=menuitem]", "Delete")
        page.click("dialog button.danger")
        page.find(".log .entry", "deleted")

    def test_reports_are_made_and_answered(self) -> None:
        page = self.page
        self.bob.call("create_room", room_name="attic")
        for user in ("ann", "eve"):
            self.bob.call("add_member", room_name="attic", user=user)
        self.eve.call("speak", room_name="attic", msg="buy this")
        page.open_conversation("attic")
        page.wait_for_message("buy this")
        page.hover("buy this")
        page.click(".entry:has(.toolbar) [data-act=menu]")
        page.click(".message-menu [role=menuitem]", "Report")
        page.find("dialog .report-text", "buy this")
        page.fill("reason", "spam")
        self.check("report")
        page.click("dialog button.danger")
        page.find(".notice", "The message was reported")
        [report] = self.bob.call("get_reports", room_name="attic")["reports"]
        self.assertEqual((report["by"], report["reason"]), ("ann", "spam"))
        self.bob.call("answer_report", report_id=report["report_id"], outcome="accepted")
        page.find(".notice", "Your report about eve was accepted.")
        self.bob.call("set_role", room_name="attic", user="ann", role="moderator")
        page.find(".event", "bob made ann a moderator")
        seq = self.eve.call("speak", room_name="attic", msg="and this")["seq"]
        self.bob.call("report", room_name="attic", seq=seq, reason="again")
        page.find(".notice", "bob reports a message of eve.")
        page.click(".notice button", "Show")
        page.find(".dialog .report", "and this")
        self.check("reports")
        page.set_viewport(390, 800)
        self.check("reports on a phone")
        page.set_viewport(1280, 800)
        page.click(".report button", "Dismiss")
        page.fill("answer", "this is fine")
        self.check("answer")
        page.click("dialog button.primary")
        page.find(".dialog .second", "No report waits")
        page.close_dialog()
        self.act("eve", "Report")
        page.find("dialog .report-text", "and this")
        page.close_dialog()
        [found] = self.bob.call("get_reports", own=True, answered=True)["reports"]
        self.assertEqual((found["outcome"], found["answer"]), ("dismissed", "this is fine"))
        page.dismiss_notices()
        rule = {"pattern": "pill*", "action": "flag"}
        request(self.server.folder / SOCKET, "filter add", rule)
        self.eve.call("speak", room_name="attic", msg="pills here")
        page.find(".notice", "The word filter flags a message of eve.")
        page.click(".notice button", "Show")
        shown = page.text_of(".dialog .report", "flagged by the word filter")
        self.assertIn("pills here", shown)
        self.assertNotIn("pill*", shown)
        self.check("flags")

    def test_names_are_counted_before_a_ban_and_recent_messages_deleted(self) -> None:
        page = self.page
        page.click("button", "Create room")
        page.fill("room_name", "den")
        page.click("dialog button.primary")
        page.find(".bar h1", "den")
        for client in (self.bob, self.eve):
            client.call("join_room", room_name="den")
        for text in ("one", "two"):
            self.eve.call("speak", room_name="den", msg=text)
        self.act("eve", "Delete messages")
        page.fill("reason", "noise")
        self.check("delete messages")
        page.click("dialog button.danger")
        page.find(".notice", "Messages deleted: 2.")
        page.open_panel("About this room")
        page.click(".panel.about .line", "Moderation")
        page.click(".dialog button", "Ban names")
        page.fill("user", "e*")
        self.check("ban names")
        page.click(".dialog button.danger", "Ban")
        page.find(".dialog .body", "match e* and are removed: 1")
        self.assertEqual(len(self.bob.call("get_room_user_list", room_name="den")["users"]), 3)
        page.click(".dialog button.danger", "Ban")
        page.find(".event", "ann banned e*")
        self.assertEqual(self.eve.call("join_room", room_name="den")["code"], "room_banned")

    def test_slow_mode_is_told_beside_the_message_box(self) -> None:
        page = self.page
        self.bob.call("create_room", room_name="attic")
        self.bob.call("add_member", room_name="attic", user="ann")
        page.open_conversation("attic")
        self.bob.call("set_room", room_name="attic", slow=30)
        page.find(".composer .under", "Slow mode: one message every 30 s")
        self.check("slow mode")
        self.bob.call("set_role", room_name="attic", user="ann", role="moderator")
        page.find(".event", "bob made ann a moderator")
        self.assertNotIn("Slow mode", page.text_of(".composer .under"))
