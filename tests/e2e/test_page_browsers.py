"""What works in Chromium and in Firefox: messages, dialogs, addresses, a phone, mirroring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e import browser, firefox
from tests.e2e.server import Client, Server

#: A pane is at the right of the other one.
IS_RIGHT_OF = """
const [one, other] = ['.sidebar', '.conversation'].map((css) => (
  document.querySelector(css).getBoundingClientRect()));
return one.left >= other.right - 1 && one.width > 200 && other.width > 400;
"""
#: Nothing is wider than the page.
FITS = "return document.documentElement.scrollWidth <= innerWidth;"
FOCUSED = "return document.activeElement.getAttribute('aria-label') ?? document.activeElement.id;"
FRAGMENT = "return location.hash;"
#: The main part of a phone's page; it has the only heading of the first level.
MAIN = """
const shown = (element) => element.checkVisibility();
const mains = [...document.querySelectorAll('[role=main]')].filter(shown);
const headings = [...document.querySelectorAll('h1')].filter(shown);
return mains.length === 1 && headings.length === 1 && mains[0].contains(headings[0])
  ? mains[0].classList[0] : `${mains.length} ${headings.length}`;
"""

if TYPE_CHECKING:
    Base = TestCase
else:
    Base = object


class PageTests(Base):
    """The tests. Subclasses say in which browser.

    Attributes:
        User: class of the browser.
    """

    User: type[browser.Browser] | type[firefox.FirefoxBrowser]

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)

    def user(self, fragment: str = "") -> browser.User:
        """Open the page. At the end the browser's console must have no errors."""
        user = self.User(f"http://127.0.0.1:{self.server.web_port}/{fragment}")
        self.addCleanup(user.close)
        self.addCleanup(lambda: self.assertEqual(user.console_errors(), []))
        return user

    def client(self, name: str) -> Client:
        """Log in a guest without a browser."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr=name)
        return client

    def test_two_users_exchange_messages(self) -> None:
        ann, bob = self.user(), self.user()
        ann.submit_login("ann")
        bob.log_in("bob")
        ann.find(".members .person", "bob")
        ann.send("hello\nbob")
        bob.wait_for_message("hello\nbob")
        bob.send("hi")
        ann.wait_for_message("hi")
        bob.wait_for_message("hi")
        ann.expect(ann.texts, ["hello\nbob", "hi"])
        bob.expect(bob.texts, ["hello\nbob", "hi"])
        ann.send("```py\nreturn 1  # one\n```")
        bob.find(".code-key", "return")
        bob.find(".code-rem", "# one")

    def test_dialogs_give_the_focus_back(self) -> None:
        page = self.user()
        page.log_in("ann")
        page.click(".sidebar .heading button", "Create room")
        page.fill("room_name", "Den")
        page.press(Keys.ESCAPE)
        page.wait_gone("dialog")
        page.expect(lambda: page.run(FOCUSED), "Create room")
        page.press(Keys.ENTER)
        page.fill("room_name", "Den")
        page.click("dialog .choice", "Private")
        page.click("dialog button.primary")
        page.find(".bar h1", "Den")
        page.open_settings("Appearance")
        page.click(".theme-choice", "Dark")
        page.wait_until(lambda: page.run("return document.documentElement.dataset.theme") == "dark")
        page.close_dialog()
        page.expect(lambda: page.run(FOCUSED), "Settings")
        page.find(".composer textarea").send_keys(Keys.CONTROL + "k")
        page.find("dialog [role=combobox]").send_keys("lob", Keys.ENTER)
        page.find(".bar h1", "lobby")
        page.log_out()
        page.find("#name")

    def test_back_goes_to_the_conversation_before_and_links_open_a_message(self) -> None:
        ivy = self.client("ivy")
        ivy.call("create_room", room_name="reading group")
        for number in range(1, 151):
            ivy.call("speak", room_name="reading group", msg=f"page {number}")
        page = self.user("#/room/reading%20group/12")
        page.submit_login("ann", "long enough", "register")
        # The user is no member: the room is found among those to browse, and opens at the message.
        page.click(".room-row .button", "reading group")
        page.find(".bar h1", "reading group")
        page.wait_for_message("page 11")
        page.find(".message.lit", "page 11")  # the first entry says that the room was created
        self.assertNotIn("page 150", page.texts())
        page.wait_until(lambda: page.run(FRAGMENT) == "#/room/reading%20group")
        page.open_conversation("lobby")
        page.wait_until(lambda: page.run(FRAGMENT) == "#/room/lobby")
        page.click(".sidebar .place", "Browse rooms")
        page.wait_until(lambda: page.run(FRAGMENT) == "#/browse")
        page.go_back()
        page.find(".bar h1", "lobby")
        page.go_back()
        page.find(".bar h1", "reading group")
        page.send("see /#/room/lobby")
        page.wait_sent()
        page.open_conversation("lobby")
        page.log_out()
        page.find("#name")
        page.expect(lambda: page.run(FRAGMENT), "")

    def test_a_phone_shows_one_pane_and_back_leads_outwards(self) -> None:
        page = self.user()
        page.set_viewport(390, 844)
        page.log_in("ann")

        def shows(pane: str) -> None:
            page.wait_until(lambda: page.run(MAIN) == pane)
            page.wait_until(lambda: page.run(FITS), f"{pane} is too wide")

        shows("conversation")
        page.send("from a phone")
        page.wait_for_message("from a phone")
        page.go_back()
        shows("sidebar")
        page.click(".sidebar .place", "lobby")
        shows("conversation")
        page.click(".conversation .bar button", "About")
        shows("panel")
        page.go_back()
        shows("conversation")
        page.click(".conversation .bar button", "About")
        shows("panel")
        page.click(".about .line", "Members")
        page.find(".members .person", "ann")
        page.go_back()
        page.find(".about")
        # The buttons of the page go back in the history, too.
        length = page.run("return history.length")
        page.click(".panel .bar button", "Back")
        shows("conversation")
        page.click(".conversation .bar button", "Back")
        shows("sidebar")
        self.assertEqual(page.run("return history.length"), length)
        page.click(".sidebar .place", "Browse rooms")
        shows("conversation")
        page.find(".room-row", "lobby")
        page.go_back()
        shows("sidebar")
        page.click(".tabs button", "You")
        page.click(".settings nav button", "Appearance")
        page.find(".theme-choice")
        page.click("dialog button", "Back")
        page.find(".settings nav button", "Log out")
        page.wait_until(lambda: page.run(FITS))

    def test_a_mirrored_page_has_its_sidebar_at_the_right(self) -> None:
        page = self.user()
        page.log_in("ann")
        self.client("סבא").call("speak", room_name="lobby", msg="שלום לכולם!")
        page.wait_for_message("שלום לכולם!")
        self.assertFalse(page.run(IS_RIGHT_OF))
        page.run("document.documentElement.dir = 'rtl'")
        page.wait_until(lambda: page.run(IS_RIGHT_OF))
        page.wait_until(lambda: page.run(FITS))
        page.send("to the left")
        page.wait_for_message("to the left")


class ChromiumTest(PageTests, TestCase):
    """In Chromium."""

    skip = browser.MISSING or None
    User = browser.Browser


class FirefoxTest(PageTests, TestCase):
    """In Firefox."""

    skip = firefox.MISSING or None
    User = firefox.FirefoxBrowser
