"""What is done with messages in the page: edits, reactions, replies, by pointer, key and touch."""

from __future__ import annotations

import contextlib
from typing import Any

from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: The middle of the last message with a text.
MIDDLE = """
const line = [...document.querySelectorAll('.entry')].filter(
  (entry) => entry.textContent.includes(arguments[0])).at(-1);
const { left, top, width, height } = line.getBoundingClientRect();
return [left + width / 2, top + height / 2];
"""


class MessagesTest(TestCase):
    """The user ann in a browser, owner of den; bob as a client without one."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.bob = Client(self.server.ws_port)
        self.addCleanup(self.bob.close)
        self.bob.call("register", usr="bob", pwd=PASSWORD)
        self.bob.call("login", type="reg", usr="bob", pwd=PASSWORD)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.addCleanup(lambda: self.assertEqual(self.page.console_errors(), []))
        self.page.log_in("ann", PASSWORD, "register")
        self.page.click(".sidebar .heading button", "Create room")
        self.page.fill("room_name", "den")
        self.page.click("dialog button.primary")
        self.page.find(".bar h1", "den")
        self.bob.call("join_room", room_name="den")

    def speak(self, text: str, **more: Any) -> int:
        """Let bob send a message; return its seq."""
        reply = self.bob.call("speak", room_name="den", msg=text, **more)
        self.page.wait_for_message(text)
        return int(reply["seq"])

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a type that bob was pushed."""
        self.bob.call("ping")
        return [push for push in self.bob.taken if push.get("type") == kind]

    def test_the_toolbar_edits_reacts_replies_pins_and_deletes(self) -> None:
        page = self.page
        seq = self.speak("first")
        page.hover("first")
        page.click(".toolbar button", "React with 👍")
        page.find(".reaction[aria-pressed=true]", "👍")
        page.expect(lambda: [event["of"] for event in self.events("reacted")], [seq])
        self.bob.call("react", room_name="den", seq=seq, emoji="👍")
        page.find(".reaction", "👍 2: ann and bob")
        page.click(".reaction[aria-pressed=true]", "👍")
        page.find(".reaction[aria-pressed=false]", "👍 1: bob")
        page.hover("first")
        page.click(".toolbar button", "Reply")
        page.find(".composer .about", "Reply to bob")
        page.send("an answer")
        page.find(".reply-line", "first")
        page.wait_gone(".pending")
        self.bob.call("ping")
        replies = [push["reply"] for push in self.bob.taken if push.get("msg") == "an answer"]
        self.assertEqual([reply["seq"] for reply in replies], [seq])
        page.hover("an answer")
        page.click(".toolbar button", "Edit")
        page.rewrite("an answer", "a better one")
        page.find(".entry:has(.edited)", "a better one")
        page.expect(lambda: [event["msg"] for event in self.events("edited")], ["a better one"])
        page.hover("first")
        page.click(".toolbar button", "More")
        page.click(".menu-item", "Pin to the room")
        page.open_panel("Pinned")
        page.find(".panel .hit", "first")
        page.hover("first")
        page.click(".toolbar button", "More")
        page.click(".menu-item", "Delete")
        page.fill("reason", "off topic")
        page.click("dialog button.danger", "Delete")
        page.find(".event.gone", "Message by bob deleted by ann: off topic")
        page.find(".reply-line", "Deleted message")
        page.find(".panel", "Nothing pinned")
        page.expect(lambda: [event["reason"] for event in self.events("deleted")], ["off topic"])

    def test_a_reply_leads_to_the_message(self) -> None:
        page = self.page
        seq = self.speak("far above")
        for number in range(120):
            self.bob.call("speak", room_name="den", msg=f"text {number}")
        self.speak("see there", reply=seq)
        page.driver.refresh()
        page.wait_for_message("see there")
        page.click(".reply-line", "far above")
        page.find(".message.lit", "far above")
        page.click(".jump", "Latest messages")
        page.wait_for_message("see there")

    def test_keys_step_through_messages_and_do_what_the_toolbar_does(self) -> None:
        page = self.page
        self.speak("one")
        self.speak("two")
        page.find(".log").send_keys(Keys.ARROW_UP)
        page.find(".entry:focus", "two").send_keys(Keys.ARROW_UP)
        page.find(".entry:focus", "one").send_keys("r")
        page.find(".composer .about", "one")
        box = page.find(".composer textarea")
        page.wait_until(lambda: page.driver.switch_to.active_element == box)
        box.send_keys(Keys.ESCAPE)
        page.wait_gone(".composer .about")
        page.find(".log").send_keys(Keys.ARROW_UP)
        page.find(".entry:focus", "two").send_keys(Keys.ENTER)
        page.find("[role=menu] [role=menuitem]", "Reply")
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        page.find(".entry:focus", "two")

    def test_a_long_press_opens_the_menu_of_a_message(self) -> None:
        page = self.page
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        self.speak("press here")
        page.dismiss_notices()
        x, y = page.driver.execute_script(MIDDLE, "press here")
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            page.driver.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )
            if points:
                page.find("dialog.sheet .quoted", "press here")

        button = "dialog.sheet button[aria-label='React with 🎉']"

        def chosen() -> bool:
            """Press the button; a click so soon after a touch may still belong to it."""
            with contextlib.suppress(NoSuchElementException):
                page.driver.find_element(By.CSS_SELECTOR, button).click()
            return bool(page.run("return !document.querySelector('dialog')"))

        page.wait_until(chosen)
        page.find(".reaction[aria-pressed=true]", "🎉")

    def test_an_action_and_a_message_of_a_blocked_user(self) -> None:
        page = self.page
        page.send("/me waves")
        page.wait_sent()
        shown = page.text_of(".message.action:has(> .said > time)", "waves").split()
        self.assertEqual(shown[:3], ["AN", "ann", "waves"])
        page.hover("waves")
        page.click(".entry .toolbar button", "More")
        page.click(".menu-item", "Pin")
        page.find(".message.action .pinned-mark", "Pinned")
        self.speak("hear me")
        page.open_card("bob")
        page.click(".person-card .menu-item", "Block")
        page.find(".event.gone", "a user you block")
        page.wait_until(lambda: "hear me" not in page.texts())
        page.click(".notice button", "Undo")
        page.find(".notice", "no longer blocked")
        page.wait_for_message("hear me")
        page.open_card("bob")
        page.click(".person-card .menu-item", "Block")
        page.find(".event.gone", "a user you block")
        page.dismiss_notices()
        page.click(".event.gone button", "Show")
        page.wait_for_message("hear me")
