"""What is written in the page: keys of input methods, long texts, files, unsent messages."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: Pastes or drops a picture; returns whether the browser was kept from opening it.
WITH_FILE = """
const data = new DataTransfer();
data.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
const options = { bubbles: true, cancelable: true };
const event = arguments[0] === 'paste'
  ? new ClipboardEvent('paste', { clipboardData: data, ...options })
  : new DragEvent(arguments[0], { dataTransfer: data, ...options });
return !document.querySelector(arguments[1]).dispatchEvent(event);
"""
#: Pixels between what is shown and the end of the log.
BELOW = """
const log = document.querySelector('.log');
return log.scrollHeight - log.scrollTop - log.clientHeight;
"""
#: Types when a reply begins, before the next frame, and again some frames later.
TYPE_AT_ONCE = """
const type = (text) => document.execCommand('insertText', false, text);
const after = (frames, call) => requestAnimationFrame(() => setTimeout(
  () => (frames > 1 ? after(frames - 1, call) : call())));
window.typed = new Promise((resolve) => {
  new MutationObserver((changes, observer) => {
    if (!document.querySelector('.composer .about')) return;
    observer.disconnect();
    const box = document.querySelector('.composer textarea');
    box.focus();
    type('one ');
    after(4, () => {
      type('two');
      resolve(box.value);
    });
  }).observe(document.body, { subtree: true, childList: true });
});
"""
CODE = "def f(x):\n    if x:\n        return 2*3*4\n\nC:\\new\\__init__.py"


class WritingTest(TestCase):
    """The user ann in a browser."""

    skip = MISSING or None

    def serve(self, *options: str) -> Server:
        """Start a server for this test."""
        server = Server(*options).start()
        self.addCleanup(server.kill)
        return server

    def browser(self, server: Server) -> Browser:
        """Open the page. At the end the browser's console must have no errors."""
        page = Browser(f"http://127.0.0.1:{server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def texts_in_lobby(self, server: Server) -> list[str]:
        """Return the messages that are stored."""
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr="reader")
        entries = client.call("history", room_name="lobby", limit=200, kinds=["c_speak"])["entries"]
        return [entry["msg"] for entry in entries]

    def value(self, page: Browser) -> Any:
        """Return what is in the message box."""
        return page.find(".composer textarea").get_attribute("value")

    def test_what_was_written_while_the_server_was_away_comes_in_order(self) -> None:  # E20
        server = self.serve()
        page = self.browser(server)
        page.log_in("ann")
        server.kill()
        page.find(".connection button", "Try now")
        written = [f"text {number}" for number in range(45)]
        for text in written:
            page.send(text)
        server.start()
        page.expect(page.texts, written)
        page.wait_gone(".pending")
        self.assertEqual(self.texts_in_lobby(server), written)

    def test_the_key_that_ends_a_composition_does_nothing_else(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.log_in("ann")
        box = page.find(".composer textarea")

        def press_enter(code: int) -> None:
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": code}
            for kind in ("rawKeyDown", "keyUp"):
                page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **key})

        box.send_keys("nihao")
        press_enter(229)
        box.send_keys(" :tad")
        page.find(".suggestions li", ":tada:")
        press_enter(229)
        page.expect(lambda: self.value(page), "nihao :tad")
        press_enter(13)
        page.wait_until(lambda: self.value(page) == "nihao 🎉 ")
        press_enter(13)
        page.wait_for_message("nihao 🎉")
        # The quick switcher.
        box.send_keys(Keys.CONTROL, "k")
        page.find("dialog input").send_keys("lob")
        page.find(".targets li[aria-selected=true]", "lobby")
        press_enter(229)
        page.wait_count("dialog", 1)
        press_enter(13)
        page.wait_gone("dialog")
        page.wait_gone(".pending")
        self.assertEqual(self.texts_in_lobby(server), ["nihao 🎉"])

    def test_code_is_shown_as_it_was_written(self) -> None:
        page = self.browser(self.serve())
        page.log_in("ann")
        page.send("   " + CODE)
        shown = "return document.querySelector('.log .text')?.innerText"
        page.wait_until(lambda: page.driver.execute_script(shown) == "   " + CODE)

    def test_a_text_that_is_too_long_says_what_is_possible(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.log_in("ann")
        box = page.find(".composer textarea")
        box.click()
        page.driver.execute_cdp_cmd("Input.insertText", {"text": "\n".join(["line"] * 60)})
        box.send_keys(Keys.ENTER)
        page.find(".log .text")
        page.wait_gone(".pending")
        page.driver.execute_cdp_cmd("Input.insertText", {"text": "x" * 4100})
        page.find(".too-long[role=status]", "Too long")
        page.find(".composer .count.over", "100 over 4,000")
        # The message box has grown; the log still shows its end.
        page.wait_until(lambda: page.run(BELOW) < 2)
        page.wait_gone(".jump")
        box.send_keys(Keys.ENTER)
        page.find(".too-long[role=alert]", "several parts")
        page.expect(lambda: len(self.value(page)), 4100)
        box.send_keys(Keys.BACK_SPACE * 100)
        page.wait_gone(".too-long")
        box.send_keys(Keys.ENTER)
        page.wait_for_message("x" * 4000)

    def test_what_is_typed_while_a_reply_begins_stays_in_order(self) -> None:
        page = self.browser(self.serve())
        page.log_in("ann")
        page.send("a question")
        page.wait_sent()
        page.hover("a question")
        page.run(TYPE_AT_ONCE)
        page.click(".toolbar button", "Reply")
        self.assertEqual(page.call("() => typed"), "one two")

    def test_files_are_refused_with_an_explanation(self) -> None:
        page = self.browser(self.serve())
        page.find("#name")
        run = page.driver.execute_script
        self.assertTrue(run(WITH_FILE, "drop", "main"))
        page.find(".notice", "Files and pictures cannot be sent")
        page.dismiss_notices()
        page.log_in("ann")
        for kind, target in (("paste", "textarea"), ("drop", "textarea"), ("drop", ".log")):
            self.assertTrue(run(WITH_FILE, "dragover", target))
            self.assertTrue(run(WITH_FILE, kind, target), (kind, target))
            page.find(".notice", "Send a link")
            page.dismiss_notices()

    def test_enter_breaks_the_line_on_a_touch_screen(self) -> None:
        page = self.browser(self.serve())
        metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        page.log_in("ann")
        box = page.find(".composer textarea")
        self.assertEqual(box.get_attribute("enterkeyhint"), "enter")
        box.send_keys("one", Keys.ENTER, "two")
        page.wait_until(lambda: self.value(page) == "one\ntwo")
        page.click(".composer .send")
        page.wait_for_message("one\ntwo")

    def test_logging_out_with_unsent_messages_asks_first(self) -> None:
        server = self.serve()
        page = self.browser(server)
        page.log_in("ann", PASSWORD, "register")
        server.kill()
        page.find(".connection button", "Try now")
        page.send("not yet sent")
        page.find(".pending", "sending")
        page.log_out(unsent=True)
        page.click("dialog button", "Cancel")
        page.wait_gone("dialog")
        page.expect(page.texts, ["not yet sent"])
        page.log_out(unsent=True)
        page.find("dialog p", "discarded")
        page.click("dialog button.danger", "Log out")
        page.find("#name")

    def test_a_tab_that_was_ended_offers_the_same_way_to_log_in(self) -> None:
        server = self.serve("--sessions", "replace")
        page = self.browser(server)
        page.log_in("ann", PASSWORD, "register")
        page.find(".composer textarea").send_keys("half a sent")
        other = Client(server.ws_port)
        self.addCleanup(other.close)
        other.call("login", type="reg", usr="ann", pwd=PASSWORD)
        page.find(".login .note", "logged in elsewhere")
        page.find("[value=member]:checked")
        page.expect(lambda: page.find("#name").get_attribute("value"), "ann")
        # A message that was on its way is a draft now.
        page.fill("password", PASSWORD)
        page.click("form button.primary")
        page.wait_until(lambda: self.value(page) == "half a sent")
        page.driver.refresh()
        page.find(".composer textarea")
        page.log_out()
        page.find("[value=member]:checked")
