"""Read marks, mentions, levels and invitations: the same on all devices of a user."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: The messages in the list of mentions: whether each is unread, and its words.
HITS = """
return [...document.querySelectorAll('.panel.mentions .hit')].map((hit) => [
  hit.classList.contains('opened'), hit.querySelector('.words').innerText]);
"""


class MarksTest(TestCase):
    """The user ann in two browsers, bob as a client without one."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.bob = Client(self.server.ws_port)
        self.addCleanup(self.bob.close)
        self.bob.call("register", usr="bob", pwd=PASSWORD)
        self.bob.call("login", type="reg", usr="bob", pwd=PASSWORD)
        self.call("create_room", room_name="den")

    def call(self, cmd: str, **fields: Any) -> dict[str, Any]:
        """Send a request of bob, which must be accepted."""
        reply: dict[str, Any] = self.bob.call(cmd, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def speak(self, *texts: str, room: str = "den") -> int:
        """Let bob send messages. Returns the seq of the last one."""
        return int([self.call("speak", room_name=room, msg=text)["seq"] for text in texts][-1])

    def browser(self, mode: str) -> Browser:
        """Return a page in which ann is logged in. At the end its console must have no errors."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        page.log_in("ann", PASSWORD, mode)
        return page

    def mark_unread(self, page: Browser, text: str) -> None:
        """Mark messages as unread from one on, by its menu."""
        page.hover(text)
        page.click(".toolbar button", "More")
        page.click(".menu-item", "Mark unread from here")
        page.find(".log .new")

    def test_what_is_marked_on_one_device_is_seen_on_the_other(self) -> None:
        first, second = pages = self.browser("register"), self.browser("member")
        self.call("add_member", room_name="den", user="ann")
        for page in pages:
            page.find(".sidebar .place", "den")
        self.speak("one", "two for @ann", "three, ann")
        for page in pages:
            page.find(".place:has(.badge.wanted)", "den")
            page.find(".place .badge.wanted", "1")
            page.find(".place:has(.badge.wanted)", "Mentions")
        first.open_conversation("den")
        for page in pages:
            page.wait_gone(".place .badge")

        # It goes back, the line with it, and messages that come do not read it.
        self.mark_unread(first, "two for @ann")
        line = "return document.querySelector('.log .new + .entry')?.innerText ?? ''"
        first.wait_until(lambda: "two for @ann" in first.run(line))
        self.speak("four")
        first.wait_for_message("four")
        for page in pages:
            page.find(".place:has(.badge.wanted)", "den")
            page.find(".place:has(.badge.wanted)", "Mentions")
        first.expect(lambda: first.driver.title, "(3) den · GTChat")
        second.wait_until(lambda: second.driver.title.startswith("(3) "))
        second.open_conversation("den")
        second.wait_until(lambda: "two for @ann" in second.run(line))
        for page in pages:
            page.wait_gone(".place .badge")
        # By a key, and back by leaving and returning.
        first.run("document.querySelector('.log').focus()")
        first.press(Keys.ARROW_UP, "u")
        for page in pages:
            page.find(".place[aria-current] .badge", "1")
        first.open_conversation("lobby")
        first.open_conversation("den")
        for page in pages:
            page.wait_gone(".place .badge")

        # A direct conversation.
        self.call("whisper", target_user="ann", msg="psst")
        for page in pages:
            page.find(".place:has(.badge.wanted)", "bob")
        first.open_conversation("bob")
        for page in pages:
            page.wait_gone(".place .badge")
        self.mark_unread(first, "psst")
        second.find(".place:has(.badge.wanted)", "bob")
        first.click(".conversation .bar button", "Notifications: All")
        first.click(".menu-item", "Mentions")
        first.find(".conversation .bar button", "Notifications: Mentions")
        second.open_conversation("bob")
        second.find(".conversation .bar button", "Notifications: Mentions")

        # The level of a room.
        first.open_conversation("den")
        first.open_panel("About")
        first.click(".about label:has([value=none])")
        second.find(".place.muted", "den")
        self.speak("for @ann, muted")
        first.wait_for_message("for @ann, muted")
        self.call("typing", target_user="ann")
        second.find(".typing", "bob")  # it comes behind that message
        second.wait_gone(".place .badge")
        second.expect(lambda: second.driver.title, "bob · GTChat")

        # Invitations.
        for room in ("cellar", "shed"):
            self.call("create_room", room_name=room, public=False)
            self.call("invite", room_name=room, invitee="ann")
        for page in pages:
            page.find(".invitation", "shed")
        first.click(".invitation:first-child button", "Decline")
        second.wait_count(".invitation", 1)
        second.click(".invitation button", "Join")
        second.find(".conversation .bar h1", "shed")
        first.wait_gone(".invitation")
        first.find(".sidebar .place", "shed")

    def test_the_list_of_mentions_leads_to_each(self) -> None:
        page = self.browser("register")
        self.call("create_room", room_name="attic", public=False)
        for room in ("den", "attic"):
            self.call("add_member", room_name=room, user="ann")
            page.find(".sidebar .place", room)
        page.open_conversation("attic")
        self.speak("long ago, @Ann", *(f"text {number}" for number in range(150)), room="attic")
        page.wait_for_message("text 149")
        page.open_conversation("lobby")
        seen = self.speak("in `@ann` code", "look at this, @ann", "@room: lunch")
        self.call("whisper", target_user="ann", msg="@ann, a word?")
        page.click(".sidebar .place", "Mentions")
        page.find(".sidebar .place:has(.badge.wanted)[aria-pressed=true]", "Mentions")
        listed = [
            [True, "@ann, a word?"],
            [True, "@room: lunch"],
            [True, "look at this, @ann"],
            [False, "long ago, @Ann"],
        ]
        page.wait_until(lambda: page.run(HITS) == listed)
        self.assertEqual(page.text_of(".hit .user-mention.me"), "@ann")
        self.assertIn("in den", page.text_of(".hit", "lunch"))

        # Into a part of the log that is not loaded, and to one that is new.
        page.click(".hit", "long ago")
        page.find(".bar h1", "attic")
        page.find(".message.lit", "long ago, @Ann")
        page.click(".hit", "look at this")
        page.find(".bar h1", "den")
        page.find(".message.lit.mention", "look at this, @ann")
        page.wait_until(lambda: [unread for unread, _ in page.run(HITS)] == [True, *[False] * 3])
        page.find(".place:has(.badge.wanted)", "Mentions")
        page.click(".hit", "a word?")
        page.find(".bar h1", "bob")
        page.wait_gone(".place .badge")

        # Edits and deletions.
        self.call("edit", room_name="den", seq=seen, msg="no lunch")
        self.call("edit", room_name="den", seq=seen - 1, msg="look here, @ann")
        page.wait_until(
            lambda: (
                [words for _, words in page.run(HITS)][1:] == ["look here, @ann", "long ago, @Ann"]
            )
        )
        self.call("delete", room_name="den", seq=seen - 1, reason="")
        page.wait_until(lambda: len(page.run(HITS)) == 2)
        self.speak("@ann", "@ann")
        page.find(".place .badge.wanted", "2")
        page.click(".panel.mentions button", "Mark all read")
        page.wait_gone(".place .badge")
        page.driver.refresh()
        page.wait_until(lambda: [unread for unread, _ in page.run(HITS)] == [False] * 4)
