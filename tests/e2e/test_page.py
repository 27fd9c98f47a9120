"""The page in a real browser against a real server: login, rooms, messages, reconnecting."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, STATIC, Browser
from tests.e2e.server import Client, Server

#: Opens the account page of the settings as if its scripts, which another page of them has begun to
#: load, came after it is drawn and before the next frame. Returns what it shows until then.
LOADED_MEANWHILE = """async () => {
  const { AccountPage } = GTChat;
  GTChat.AccountPage = undefined;
  [...document.querySelectorAll('.settings nav button')]
    .find((button) => button.textContent.includes('Account')).click();
  for (let turn = 0; turn < 20; turn += 1) await null;
  GTChat.AccountPage = AccountPage;
  return document.querySelector('.settings .page').innerText;
}"""


class PageTest(TestCase):
    """The main things that users do with the page."""

    skip = MISSING or None

    def serve(self, *options: str) -> Server:
        """Start a server for this test."""
        server = Server(*options)
        server.start()
        self.addCleanup(server.kill)
        return server

    def browser(self, server: Server, **more: Any) -> Browser:
        """Open the page of a server."""
        return self.open(f"http://127.0.0.1:{server.web_port}/", **more)

    def open(self, url: str, **more: Any) -> Browser:
        """Open a URL. At the end the browser's console must have no errors."""
        browser = Browser(url, **more)
        self.addCleanup(browser.close)
        self.addCleanup(lambda: self.assertEqual(browser.console_errors(), []))
        return browser

    def test_registration_and_wrong_passwords(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.submit_login("carol", "short", "register")
        page.find("#password-problem", "8 to 1,024")
        page.submit_login("carol", "long enough", "register")
        page.find(".account .name", "carol")
        page.log_out()
        for _ in range(3):
            page.submit_login("carol", "wrong password", "member")
            page.find("#password-problem", "Wrong")
        page.submit_login("carol", "long enough", "member")
        page.find("#password-problem", "Too many wrong passwords")

    def test_registration_with_a_key_instead_of_a_password(self) -> None:
        page = self.browser(self.serve())
        page.click("label:has(> input[value=register])")
        page.click("[name=use_key]")
        page.wait_gone("[type=password]")
        page.fill("name", "dora")
        page.click("form button.primary")
        page.find(".account .name", "dora")
        page.open_settings("Account")
        page.find(".settings .line", "Blocked users")
        lines = page.texts_of(".settings .line")
        self.assertEqual([line for line in lines if "pass" in line], [])
        page.click(".settings nav button", "Appearance")
        page.find(".theme-choice")
        self.assertEqual(page.call(LOADED_MEANWHILE), "Loading…")
        page.find(".settings .line", "Blocked users")
        page.close_dialog()
        page.log_out()
        page.click("label:has(> input[value=member])")
        page.click(".key-login", "dora")
        page.find(".account .name", "dora")
        # The key proves that it is the user, where others give the password.
        page.open_settings("Account")
        page.click(".settings button.line", "Export your data")
        page.click("dialog button.primary", "Export")
        page.find("dialog a.primary", "Download")
        page.click("dialog button", "Close")
        page.click(".settings button.line", "Delete account")
        page.click("dialog button.danger", "Delete account")
        page.find(".login .note", "Your account was deleted")
        page.click("label:has(> input[value=member])")
        page.find("[name=password]")
        page.wait_gone(".key-login")

    def test_rooms_invitations_and_unread_counts(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.log_in("ann", "long enough", "register")
        bob.log_in("bob")
        ann.click("button", "Create room")
        ann.fill("room_name", "Secret")
        ann.click("dialog .choice", "Private")
        ann.click("dialog button.primary")
        ann.find(".bar h1", "Secret")
        bob.click(".place", "Browse rooms")
        bob.find(".room-row", "lobby")
        bob.wait_count(".room-row", 1)
        ann.click(".members button", "Invite")
        ann.fill("user", "bob")
        ann.click("dialog button.primary:not(:disabled)")
        bob.click(".invitation button.primary")
        bob.find(".bar h1", "Secret")
        bob.open_conversation("lobby")
        ann.send("first")
        ann.send("@bob, second")
        bob.find(".place:has(.badge.wanted)", "Secret")
        bob.open_conversation("Secret")
        bob.find(".new")
        bob.expect(bob.texts, ["first", "@bob, second"])
        bob.wait_gone(".place .badge")
        bob.open_panel("About")
        bob.click(".about .line", "Leave this room")
        bob.click("dialog button.danger", "Leave")
        bob.find(".bar h1", "lobby")
        ann.find(".log .event", "bob left")

    def test_direct_messages_reach_users_at_once_or_after_their_next_login(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.log_in("ann", "long enough", "register")
        bob.log_in("bob", "long enough", "register")
        ann.message_member("bob")
        ann.send("psst")
        bob.find(".place .badge", "1")
        bob.open_conversation("ann")
        bob.wait_for_message("psst")
        bob.send("what?")
        ann.wait_for_message("what?")
        bob.log_out()
        ann.find(".topic", "Offline")
        ann.send("for later")
        ann.wait_for_message("for later")
        bob.log_in("bob", "long enough", "member")
        bob.find(".place .badge.wanted", "1")
        bob.open_conversation("ann")
        bob.wait_for_message("for later")
        bob.expect(bob.texts, ["psst", "what?", "for later"])

    def test_a_reload_keeps_the_open_room_and_the_draft(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.log_in("ann")
        page.click("button", "Create room")
        page.fill("room_name", "Den")
        page.click("dialog button.primary")
        page.find(".bar h1", "Den")
        page.send("I was here")
        page.wait_for_message("I was here")
        page.find(".composer textarea").send_keys("half a sent")
        page.driver.refresh()
        page.find(".bar h1", "Den")
        page.wait_for_message("I was here")
        page.expect(lambda: page.find("#say").get_attribute("value"), "half a sent")

    def test_a_killed_server_loses_and_repeats_no_message(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.log_in("ann", "long enough", "register")
        bob.log_in("bob")
        sent = []
        for number in range(12):
            if number in (3, 7):
                server.kill()
            if number in (5, 9):
                server.start()
            for name, page in (("ann", ann), ("bob", bob)):
                page.send(f"{name} {number}")
                sent.append(f"{name} {number}")
        for page in (ann, bob):
            page.expect(lambda page=page: len(page.texts()), len(sent))
            page.wait_gone(".pending")
        self.assertEqual(sorted(ann.texts()), sorted(sent))
        self.assertEqual(ann.texts(), bob.texts())
        for name in ("ann", "bob"):
            self.assertEqual(
                [text for text in ann.texts() if text.startswith(name)],
                [text for text in sent if text.startswith(name)],
            )

    def test_a_page_opened_from_disk(self) -> None:
        server = self.serve("--file-page")
        page = self.open((STATIC / "client.html").as_uri())
        page.fill("url", f"ws://127.0.0.1:{server.ws_port}/")
        page.log_in("ann")
        page.send("from disk")
        page.wait_for_message("from disk")
        page.driver.refresh()
        page.wait_for_message("from disk")

    def test_login_and_messages_need_no_mouse(self) -> None:
        server = self.serve()
        page = self.browser(server)
        name = page.find("#name")
        name.send_keys("ann", Keys.ENTER)
        box = page.find(".composer textarea")
        box.send_keys("typed", Keys.ENTER)
        page.wait_for_message("typed")
        page.wait_gone(".pending")
        # Arrow up edits the last own message.
        box.send_keys(Keys.ARROW_UP)
        page.wait_until(lambda: box.get_attribute("value") == "typed")
        box.send_keys(" twice", Keys.ENTER)
        page.wait_for_message("typed twice")
        page.find(".edited", "(edited)")
        page.expect(page.texts, ["typed twice"])

    def test_names_are_completed_and_notifications_ask_for_permission(self) -> None:
        server = self.serve()
        other = Client(server.ws_port)
        other.call("login", type="tmp", usr="roberta")
        page = self.browser(server)
        page.log_in("ann")
        page.find(".members .name", "roberta")
        box = page.find(".composer textarea")
        box.send_keys("ask @Rob", Keys.TAB)
        page.wait_until(lambda: box.get_attribute("value") == "ask @roberta ")
        box.send_keys("please", Keys.ENTER)
        page.wait_for_message("ask @roberta please")
        page.open_settings("Notifications")
        page.driver.execute_script("Notification.requestPermission = async () => 'denied'")
        page.click("dialog [name=notify]")
        page.find(".notice", "blocks notifications")
