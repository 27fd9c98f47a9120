"""Rooms, members, settings and swipes in the page: every command of the server is reachable."""

from __future__ import annotations

import zipfile
from io import BytesIO
from urllib.error import HTTPError
from urllib.request import urlopen

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server


class RoomsTest(TestCase):
    """The users ann and bob, each in a browser."""

    skip = MISSING or None

    def setUp(self) -> None:
        options = ("--commands-per-second", "0", "--broadcast-key", "key", "--keep-days", "90")
        self.server = Server(*options).start()
        self.addCleanup(self.server.kill)
        self.ann, self.bob = self.log_in("ann"), self.log_in("bob")

    def log_in(self, name: str) -> Browser:
        """Register a user in a new browser. At the end its console must have no errors."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        page.log_in(name, "long enough", "register")
        return page

    def open_settings(self, page: Browser, section: str) -> None:
        """Open a line of the account page of the settings."""
        page.open_settings("Account")
        page.click(".settings .line", section)

    def wait_until_closed(self, page: Browser) -> None:
        """Wait until the dialog has closed itself."""
        page.wait_gone("dialog")

    def test_the_log_tells_what_moderators_do(self) -> None:
        owner = Client(self.server.ws_port)
        self.addCleanup(owner.close)
        owner.call("register", usr="eve", pwd="long enough")
        owner.call("login", type="reg", usr="eve", pwd="long enough")
        owner.call("create_room", room_name="den")
        for name in ("ann", "bob"):
            owner.call("add_member", room_name="den", user=name)
        self.ann.open_conversation("den")
        for cmd, fields, text in (
            ("set_role", {"role": "moderator"}, "eve made bob a moderator"),
            ("set_role", {"role": ""}, "eve took the role of bob"),
            ("mute", {}, "eve muted bob"),
            ("unmute", {}, "eve unmuted bob"),
            ("ban", {}, "eve banned bob"),
            ("unban", {}, "eve unbanned bob"),
        ):
            owner.call(cmd, room_name="den", user="bob", **fields)
            self.ann.find(".event", text)
        owner.call("mute", room_name="den", user="ann", reason="noise")
        self.ann.find(".event", "eve muted ann")

    def test_an_owner_manages_a_room(self) -> None:
        ann, bob = self.ann, self.bob
        ann.click("button", "Create room")
        ann.fill("room_name", "lobby")
        ann.click("dialog button.primary")
        ann.find(".field:has([name=room_name]) .problem", "Choose another one")
        ann.fill("room_name", "den")
        ann.fill("topic", "quiet, https://a.example/rules")
        ann.fill("member_limit", "2")
        ann.click("dialog .choice", "Private")
        ann.click("dialog button.primary")
        link = ann.find(".bar .topic a", "https://a.example/rules")
        self.assertEqual(link.get_attribute("rel"), "noopener noreferrer")
        # Invitations: unknown user, answered with later, decline, join.
        ann.click(".members button", "Invite")
        ann.fill("user", "unknown")
        ann.click("dialog button.primary")
        ann.find(".field:has([name=user]) .problem", "spelling")
        ann.fill("user", "bob")
        ann.click("dialog button.primary")
        self.wait_until_closed(ann)
        for answer, notice in (("Later", "will decide"), ("Decline", "declined")):
            bob.click(".invitation button", answer)
            ann.find(".notice", notice)
            bob.wait_gone(".invitation")
            ann.click(".members button", "Invite")
            ann.fill("user", "bob")
            ann.click("dialog button.primary")
            self.wait_until_closed(ann)
            if answer == "Later":  # it is pending: the same invitation shows it no earlier
                bob.send("who asks?")
                bob.wait_for_message("who asks?")
                bob.wait_gone(".pending")  # an invitation would have come before
                bob.wait_gone(".invitation")
                bob.log_out()
                bob.log_in("bob", "long enough", "member")
        bob.click(".invitation button", "Join")
        bob.find(".bar h1", "den")
        # A full room takes no member.
        eve = Client(self.server.ws_port)
        self.addCleanup(eve.close)
        eve.call("register", usr="eve", pwd="long enough")
        eve.call("login", type="reg", usr="eve", pwd="long enough")
        ann.click(".members button", "Invite")
        ann.fill("user", "eve")
        ann.click("dialog .setting", "Add without asking")
        ann.click("dialog button.primary", "Add")
        ann.find(".field:has([name=user]) .problem", "full")
        ann.click("dialog button", "Cancel")
        self.wait_until_closed(ann)
        # Room settings: the list of rooms tells the present ones; those alone are sent that were
        # changed here.
        ann.driver.refresh()
        ann.open_conversation("den")
        ann.open_panel("About")
        ann.click(".about .line", "Room settings")
        self.assertEqual(ann.find("[name=member_limit]").get_attribute("value"), "2")
        other = Client(self.server.ws_port)
        self.addCleanup(other.close)
        other.call("login", type="reg", usr="ann", pwd="long enough")
        other.call("set_room", room_name="den", topic="a bit quiet", max=3, keep_days=7)
        bob.find(".bar .topic", "a bit quiet")
        ann.fill("topic", "rather quiet")
        ann.click("dialog button.primary", "Save")
        self.wait_until_closed(ann)
        bob.find(".bar .topic", "rather quiet")
        ann.click(".about .line", "Room settings")
        for name, value in (("member_limit", "3"), ("keep_messages", "0"), ("keep_days", "7")):
            self.assertEqual(ann.find(f"[name={name}]").get_attribute("value"), value)
        # What the server keeps at most is said, and holds here too.
        for name, said in (("keep_messages", "this server sets none"), ("keep_days", "90 days")):
            field = ann.find(f"[name={name}]")
            hint = field.get_attribute("aria-describedby").split()[-1]
            self.assertIn(said, ann.find(f"[id='{hint}']").text)
        ann.fill("keep_days", "91")
        ann.click("dialog button.primary", "Save")
        ann.find("[name=keep_days]:invalid:focus")
        ann.fill("topic", "loud")
        ann.fill("member_limit", "0")
        ann.fill("keep_messages", "500")
        ann.fill("keep_days", "30")
        ann.click("dialog button.primary", "Save")
        bob.find(".bar .topic", "loud")
        bob.find(".log .event", "changed the room")
        self.wait_until_closed(ann)
        ann.click(".about .line", "Room settings")
        for name, value in (("keep_messages", "500"), ("keep_days", "30")):
            self.assertEqual(ann.find(f"[name={name}]").get_attribute("value"), value)
        ann.click("dialog button", "Cancel")
        self.wait_until_closed(ann)
        # Remove and add again.
        ann.open_panel("members")
        ann.open_card("bob")
        ann.click(".person-card .menu-item", "Remove from room")
        ann.find("dialog h2", "Remove bob from den?")
        ann.find("dialog button:focus", "Cancel").click()
        self.wait_until_closed(ann)
        ann.find(".members .person:focus", "bob")
        ann.open_card("bob")
        ann.click(".person-card .menu-item", "Remove from room")
        ann.click("dialog button.danger", "Remove")
        bob.find(".bar h1", "lobby")
        bob.find(".notice", "ann removed bob")
        eve.call("ping")
        ann.click(".members button", "Invite")
        ann.fill("user", "bob")
        ann.click("dialog .setting", "Add without asking")
        ann.click("dialog button.primary", "Add")
        self.wait_until_closed(ann)
        bob.open_conversation("den")
        # Transfer of ownership; the new owner deletes the room.
        ann.open_panel("About")
        ann.click(".about .line", "Transfer")
        ann.click("dialog button.danger", "Transfer")
        self.wait_until_closed(ann)
        ann.wait_gone("#about-owner")
        bob.open_panel("About")
        bob.click(".about .line", "Delete this room")
        bob.click("dialog button.danger", "Delete")
        ann.find(".notice", "was deleted")
        ann.find(".bar h1", "lobby")
        ann.wait_count(".sidebar .place:has(.name)", 1)

    def test_blocking_addresses_broadcasts_and_the_password(self) -> None:
        ann, bob = self.ann, self.bob
        # Blocking hides messages, and can be undone.
        ann.open_card("bob")
        ann.click(".person-card .menu-item", "Block")
        ann.find(".notice", "bob is blocked")
        bob.send("can you hear me?")
        bob.wait_sent()
        ann.send("quiet here")
        ann.expect(ann.texts, ["quiet here"])
        ann.driver.refresh()
        ann.wait_for_message("quiet here")
        ann.find(".log .event", "a user you block")
        ann.expect(ann.texts, ["quiet here"])
        self.open_settings(ann, "Blocked users")
        ann.click(".blocked-user button", "Unblock")
        ann.find("dialog p", "block no one")
        ann.click("dialog button", "Close")  # the settings
        ann.find(".settings")
        ann.close_dialog()
        ann.wait_for_message("can you hear me?")
        # An address is requested and denied, then requested and allowed.
        for answer, notice in (("Deny", "declined to share"), ("Allow", "127.0.0.1:4000")):
            bob.open_card("ann")
            bob.click(".person-card .menu-item", "Request address")
            bob.find(".notice", "Address requested")
            if answer == "Allow":
                ann.click(".invitation button", "Allow")
                ann.find(".invitation .problem", "1024")
                ann.find(".invitation input").send_keys("4000")
            ann.click(".invitation button", answer)
            bob.find(".notice", notice)
            ann.wait_gone(".invitation")
        # A broadcast needs the key.
        ann.click(".account button", "Settings")
        ann.find(".settings nav button")
        self.assertNotIn("Broadcast", ann.text_of("dialog"))
        ann.close_dialog()
        self.open_settings(ann, "Broadcast")
        ann.fill("message", "dinner!")
        ann.fill("broadcast_key", "wrong")
        ann.click("dialog button.primary", "Send")
        ann.find(".field:has([name=broadcast_key]) .problem", "administrator")
        ann.fill("broadcast_key", "key")
        ann.click("dialog button.primary", "Send")
        bob.find(".notice.broadcast", "dinner!")
        # Change of password, after the dialog of the broadcast has closed with its reply.
        ann.find(".settings")
        ann.close_dialog()
        self.open_settings(ann, "Change password")
        for old, new, again, field, problem in (
            ("wrong one", "longer still", "longer still", "old_password", "Wrong"),
            ("long enough", "longer still", "another one", "confirm_password", "do not match"),
            ("long enough", "short", "short", "new_password", "8 to 1,024"),
            ("long enough", "longer still", "longer still", "", ""),
        ):
            ann.fill("old_password", old)
            ann.fill("new_password", new)
            ann.fill("confirm_password", again)
            ann.click("dialog button.primary", "Change password")
            if field:
                ann.find(f".field:has([name={field}]) .problem", problem)
        ann.find(".notice", "Password changed")
        ann.find(".settings")
        ann.close_dialog()
        ann.log_out()
        ann.log_in("ann", "longer still", "member")
        self.change_profile(ann, bob)
        self.export_account(ann)
        self.delete_account(ann, bob)

    def change_profile(self, ann: Browser, bob: Browser) -> None:
        """Let ann say something, which bob reads on the card."""
        ann.open_settings("Profile")
        ann.fill("about", "I grow roses")
        ann.choose("colour", "340")
        ann.click(".settings .page button.primary", "Save")
        ann.find(".notice", "Profile saved")
        ann.close_dialog()
        bob.open_card("ann")
        bob.find(".person-card .about-user", "I grow roses")
        bob.press(Keys.ESCAPE)

    def export_account(self, ann: Browser) -> None:
        """Export what is stored of ann."""
        self.open_settings(ann, "Export your data")
        ann.fill("old_password", "wrong one")
        ann.click("dialog button.primary", "Export")
        ann.find(".field:has([name=old_password]) .problem", "Wrong")
        ann.fill("old_password", "longer still")
        ann.click("dialog button.primary", "Export")
        link = ann.find("dialog a.primary", "Download").get_attribute("href")
        with urlopen(link) as answer, zipfile.ZipFile(BytesIO(answer.read())) as made:
            self.assertIn(b"quiet here", made.read("room_entries.jsonl"))
        with self.assertRaises(HTTPError):
            urlopen(link)
        ann.click("dialog button", "Close")
        ann.find(".settings")
        ann.close_dialog()

    def delete_account(self, ann: Browser, bob: Browser) -> None:
        """Delete ann, whose messages are erased."""
        self.open_settings(ann, "Delete account")
        for password, problem in (("wrong one", "Wrong"), ("longer still", "")):
            ann.fill("old_password", password)
            ann.choose("messages", "erase")
            ann.click("dialog button.danger", "Delete account")
            if problem:
                ann.find(".field:has([name=old_password]) .problem", problem)
        ann.find(".login .note", "Your account was deleted")
        bob.driver.refresh()
        bob.wait_for_message("can you hear me?")
        bob.wait_until(lambda: "quiet here" not in bob.texts())

    def test_a_public_room_shows_its_last_messages_before_joining(self) -> None:
        ann, eve = self.ann, Client(self.server.ws_port)
        self.addCleanup(eve.close)
        eve.call("login", type="tmp", usr="eve")
        eve.call("create_room", room_name="den", topic="quiet")
        for text in ("first", "second"):
            seq = eve.call("speak", room_name="den", msg=text)["seq"]
        eve.call("speak", room_name="den", msg="third", reply=seq)
        eve.call("create_room", room_name="closed", preview=False)
        ann.click(".place", "Browse rooms")
        ann.click(".room-row .about", "den")
        ann.find(".preview h2", "den")
        ann.wait_until(lambda: ann.texts() == ["first", "second", "third"])
        ann.find(".room-row.chosen", "den")
        ann.find(".preview .reply-line", "second")
        ann.wait_gone(".preview .toolbar, .preview .composer")
        ann.click(".preview .name", "eve")
        ann.find(".person-card h2", "eve")
        ann.press(Keys.ESCAPE)
        ann.click(".room-row .about", "closed")
        ann.find(".preview .empty", "Only members can read")
        ann.click(".room-row .about", "den")
        ann.click(".preview .cta button", "Join den")
        ann.find(".bar h1", "den")
        ann.wait_until(lambda: ann.texts() == ["first", "second", "third"])
        # The owner turns it off; users are found by their whole names, online or not.
        eve.call("set_room", room_name="den", master="ann")
        ann.open_panel("About")
        ann.click(".about .line", "Room settings")
        ann.click("dialog .setting", "Preview before joining")
        ann.click("dialog button.primary", "Save")
        self.wait_until_closed(ann)
        listed = {room["room_name"]: room for room in eve.call("get_room_list")["rooms"]}
        self.assertNotIn("preview", listed["den"])
        eve.call("register", usr="zoe", pwd="long enough")
        ann.find(".composer textarea").send_keys(Keys.CONTROL + "k")
        ann.find("dialog [role=combobox]").send_keys("zo")
        ann.find("dialog .menu-item", "Search messages for “zo”")
        ann.wait_gone("dialog .menu-item .avatar")
        ann.find("dialog [role=combobox]").send_keys("e")
        ann.click("dialog .menu-item:has(.avatar)", "zoe")
        ann.find(".bar h1", "zoe")

    def test_swipes_change_the_pane_on_a_phone(self) -> None:
        page = self.ann
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})

        def swipe(start: int, end: int) -> None:
            for kind, points in (
                ("touchStart", [{"x": start, "y": 400}]),
                ("touchMove", [{"x": end, "y": 410}]),
                ("touchEnd", []),
            ):
                page.driver.execute_cdp_cmd(
                    "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
                )

        def shown(pane: str) -> None:
            page.wait_until(lambda: page.find(pane).is_displayed())
            others = {".sidebar", ".conversation", ".members"} - {pane}
            for other in others:
                page.expect(lambda other=other: page.find(other).is_displayed(), False)

        shown(".conversation")
        swipe(100, 300)
        shown(".sidebar")
        swipe(300, 100)
        shown(".conversation")
        swipe(300, 100)
        shown(".members")
        swipe(100, 300)
        shown(".conversation")
        swipe(200, 215)
        shown(".conversation")
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        self.assertEqual(width, 390)
