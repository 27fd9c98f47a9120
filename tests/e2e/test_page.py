"""The page in a real browser, against a real server on disk."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, STATIC, Browser
from tests.e2e.server import Client, Server


class PageTest(TestCase):
    """What people do with the page."""

    skip = MISSING or None

    def serve(self, *options: str) -> Server:
        """A server of this test's own."""
        server = Server(*options)
        server.start()
        self.addCleanup(server.kill)
        return server

    def browser(self, server: Server, **more: Any) -> Browser:
        """A browser that looks at the page."""
        return self.open(f"http://127.0.0.1:{server.web_port}/", **more)

    def open(self, url: str, **more: Any) -> Browser:
        """A browser that looks at an address; it has nothing to complain of at the end."""
        browser = Browser(url, **more)
        self.addCleanup(browser.close)
        self.addCleanup(lambda: self.assertEqual(browser.complaints(), []))
        return browser

    def test_two_people_talk(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.come_in("ann")
        bob.come_in("bob")
        ann.one(".members .name", "bob")
        ann.say("hello\nbob")
        bob.hears("hello\nbob")
        bob.say("hi")
        ann.hears("hi")
        self.assertEqual(ann.texts(), ["hello\nbob", "hi"])
        self.assertEqual(bob.texts(), ["hello\nbob", "hi"])

    def test_registering_and_wrong_passwords(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.enter("carol", "short", "register")
        page.one("#password-problem", "8 to 1,024")
        page.enter("carol", "long enough", "register")
        page.one(".self .name", "carol")
        page.click(".self button", "Log out")
        for _ in range(3):
            page.enter("carol", "wrong password", "member")
            page.one("#password-problem", "wrong")
        page.enter("carol", "long enough", "member")
        page.one("#password-problem", "Too many wrong passwords")

    def test_a_key_of_the_browsers_in_place_of_a_password(self) -> None:
        page = self.browser(self.serve())
        page.click("label:has(> input[value=register])")
        page.click("[name=keyed]")
        page.until(lambda: not page.all("[type=password]"))
        page.fill("name", "dora")
        page.click("form button.primary")
        page.one(".self .name", "dora")
        page.click(".self button", "Settings")
        self.assertEqual([s.text for s in page.all("dialog summary") if "pass" in s.text], [])
        page.one("dialog header button").send_keys(Keys.ESCAPE)
        page.click(".self button", "Log out")
        page.click("label:has(> input[value=member])")
        page.click(".with-key", "dora")
        page.one(".self .name", "dora")

    def test_rooms_invitations_and_unread_counts(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.come_in("ann", "long enough", "register")
        bob.come_in("bob")
        ann.click("button", "New room")
        ann.fill("room_name", "Secret")
        ann.click("dialog .check")
        ann.click("dialog button.primary")
        ann.one(".bar h2", "Secret")
        self.assertEqual(bob.all(".open-room"), [])
        ann.click(".members button", "Invite")
        ann.fill("whom", "bob")
        ann.click("dialog button.primary")
        bob.click(".invitation button.primary")
        bob.one(".bar h2", "Secret")
        bob.look("lobby")
        ann.say("first")
        ann.say("bob, second")
        bob.one(".place .count.mentioned", "2")
        bob.look("Secret")
        bob.one(".new")
        self.assertEqual(bob.texts(), ["first", "bob, second"])
        bob.until(lambda: not bob.all(".place .count"))
        bob.click("button", "Room settings")
        bob.click("dialog button.danger", "Leave")
        bob.click(".sure button.danger")
        bob.one(".bar h2", "lobby")
        ann.one(".log .event", "bob left")

    def test_whispering(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.come_in("ann", "long enough", "register")
        bob.come_in("bob", "long enough", "register")
        ann.click(".members .place", "bob")
        ann.click(".actions button", "Write in private")
        ann.say("psst")
        bob.one(".place .count", "1")
        bob.look("ann")
        bob.hears("psst")
        bob.say("what?")
        ann.hears("what?")
        bob.click(".self button", "Log out")
        ann.one(".topic", "Away")
        ann.say("for later")
        ann.one(".state", "waits until bob comes")
        bob.come_in("bob", "long enough", "member")
        bob.look("ann")
        bob.hears("for later")

    def test_loading_the_page_again_keeps_the_place(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.come_in("ann")
        page.click("button", "New room")
        page.fill("room_name", "Den")
        page.click("dialog button.primary")
        page.one(".bar h2", "Den")
        page.say("I was here")
        page.hears("I was here")
        page.one(".composer textarea").send_keys("half a sent")
        page.driver.refresh()
        page.one(".bar h2", "Den")
        page.hears("I was here")
        self.assertEqual(page.one(".composer textarea").get_attribute("value"), "half a sent")

    def test_a_killed_server_loses_and_repeats_nothing(self) -> None:
        server = self.serve()
        ann, bob = self.browser(server), self.browser(server)
        ann.come_in("ann", "long enough", "register")
        bob.come_in("bob")
        said = []
        for number in range(12):
            if number in (3, 7):
                server.kill()
            if number in (5, 9):
                server.start()
            for name, page in (("ann", ann), ("bob", bob)):
                page.say(f"{name} {number}")
                said.append(f"{name} {number}")
        for page in (ann, bob):
            page.until(
                lambda page=page: not page.all(".waiting") and len(page.texts()) == len(said)
            )
        self.assertEqual(sorted(ann.texts()), sorted(said))
        self.assertEqual(ann.texts(), bob.texts())
        for name in ("ann", "bob"):
            self.assertEqual(
                [text for text in ann.texts() if text.startswith(name)],
                [text for text in said if text.startswith(name)],
            )

    def test_opened_from_disk(self) -> None:
        server = self.serve("--file-page")
        page = self.open((STATIC / "client.html").as_uri())
        page.fill("url", f"ws://127.0.0.1:{server.ws_port}/")
        page.come_in("ann")
        page.say("from disk")
        page.hears("from disk")
        page.driver.refresh()
        page.hears("from disk")

    def test_a_phone_shows_one_pane(self) -> None:
        server = self.serve()
        page = self.browser(server, size="390,800")
        page.driver.set_window_size(390, 800)
        page.come_in("ann")
        self.assertFalse(page.driver.find_element(By.CSS_SELECTOR, ".sidebar").is_displayed())
        page.click(".bar button", "Rooms")
        page.until(lambda: page.driver.find_element(By.CSS_SELECTOR, ".sidebar").is_displayed())
        page.click(".sidebar .place", "lobby")
        page.click(".people-button")
        page.until(lambda: page.driver.find_element(By.CSS_SELECTOR, ".members").is_displayed())

    def test_the_keyboard_is_enough(self) -> None:
        server = self.serve()
        page = self.browser(server)
        name = page.one("#name")
        name.send_keys("ann", Keys.ENTER)
        box = page.one(".composer textarea")
        box.send_keys("typed", Keys.ENTER)
        page.hears("typed")
        box.send_keys(Keys.ARROW_UP)
        page.until(lambda: box.get_attribute("value") == "typed")

    def test_names_are_completed_and_alerts_ask_the_browser(self) -> None:
        server = self.serve()
        other = Client(server.ws_port)
        other.say("login", type="tmp", usr="roberta")
        page = self.browser(server)
        page.come_in("ann")
        page.one(".members .name", "roberta")
        box = page.one(".composer textarea")
        box.send_keys("ask @Rob", Keys.TAB)
        page.until(lambda: box.get_attribute("value") == "ask @roberta ")
        box.send_keys("please", Keys.ENTER)
        page.hears("ask @roberta please")
        page.click(".self button", "Settings")
        page.driver.execute_script("Notification.requestPermission = async () => 'denied'")
        page.click("dialog .alerts")
        page.one(".notice", "does not allow")
