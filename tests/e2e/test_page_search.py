"""The search for messages in the page: the panel, its filters, jumps to what was found."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser, milliseconds
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: Returns the messages that were found, as [author, origin, text, marked words].
HITS = """
const text = (hit, css) => hit.querySelector(css)?.textContent ?? '';
return [...document.querySelectorAll('.panel .hit')].map((hit) => [text(hit, 'b'),
  text(hit, '.origin'), text(hit, '.words'),
  [...hit.querySelectorAll('mark')].map((mark) => mark.textContent)]);
"""
#: A server that cannot search.
WITHOUT_SEARCH = """
const parse = JSON.parse;
JSON.parse = (text) => {
  const value = parse(text);
  if (value?.features) value.features = value.features.filter((name) => name !== 'search');
  return value;
};
"""
STATUS = ".panel.search [role=status]"
#: Keeps the timers of lit messages, which end nothing from now on.
KEEP_TIMERS = """
window.timers = new Map();
const { setTimeout, clearTimeout } = window;
window.setTimeout = (call, time, ...args) => {
  if (time !== LIT) return setTimeout(call, time, ...args);
  const timer = `timer ${timers.size}`;
  timers.set(timer, "set");
  return timer;
};
window.clearTimeout = (timer) => (
  timers.has(timer) ? timers.set(timer, "cleared") : clearTimeout(timer));
""".replace("LIT", str(milliseconds("views/log.js", "LIT")))


class SearchTest(TestCase):
    """The user ann in a browser, bob as a client without one."""

    skip = MISSING or None

    def start(self, *options: str) -> None:
        """Start a server and log bob in."""
        self.server = Server("--commands-per-second", "0", *options).start()
        self.addCleanup(self.server.kill)
        self.bob = Client(self.server.ws_port)
        self.addCleanup(self.bob.close)
        self.bob.call("register", usr="bob", pwd=PASSWORD)
        self.bob.call("login", type="reg", usr="bob", pwd=PASSWORD)

    def call(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a command of bob's, which must succeed."""
        reply = self.bob.call(cmd, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def open(self) -> Browser:
        """Open the page. At the end the console must have no errors."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def converse(self) -> None:
        """Have bob write of tea in the lobby, in a room with a long log, and to ann."""
        self.call("create_room", room_name="garden")
        self.call("add_member", room_name="garden", user="ann")
        self.call(
            "speak", room_name="garden", msg="Green **tea** grows 🌱 here: https://tea.example/"
        )
        for number in range(150):
            self.call("speak", room_name="garden", msg=f"leaf {number}")
        self.call("speak", room_name="lobby", msg="hot water")
        self.call("speak", room_name="lobby", msg="茶 or TEA?")
        self.call("whisper", target_user="ann", msg="the teapot is broken")
        found = {"msg": ""}
        while found["msg"] != "茶 or TEA?":  # messages are found a moment after they were sent
            found = (self.call("search", q="or tea")["entries"] or [found])[0]

    def search(self, page: Browser, query: str) -> None:
        """Search for something with the keyboard, in the open panel."""
        field = page.find(".panel.search input")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(query, Keys.ENTER)

    def check(self, page: Browser, *themes: str) -> None:
        """Run axe on the page, by default in both themes."""
        for theme in themes or ("dark", "light"):
            found = axe.violations(page, theme)
            self.assertEqual(found, [], "\n".join(found))

    def test_a_word_is_found_in_rooms_and_direct_messages(self) -> None:
        self.start("--searches-per-minute", "0")
        page = self.open()
        page.log_in("ann", PASSWORD, "register")
        self.converse()
        axe.load(page)
        page.open_conversation("lobby")
        page.find("#say").send_keys(Keys.CONTROL, "f")
        page.find(".panel.search .chip[aria-pressed=true]", "Only in lobby")
        page.find(".search-help")
        self.check(page)
        page.find(".panel.search input:focus").send_keys("te", Keys.ENTER)
        page.find(STATUS, "1 message")
        page.expect(lambda: page.run(HITS), [["bob", "", "茶 or TEA?", ["TEA"]]])

        page.click(".panel .chip", "lobby")
        page.find(STATUS, "3 messages, newest first")
        garden = "Green tea grows 🌱 here: https://tea.example/"
        expected = [
            ["bob", "to you", "the teapot is broken", ["teapot"]],
            ["bob", "in lobby", "茶 or TEA?", ["TEA"]],
            ["bob", "in garden", garden, ["tea", "tea"]],
        ]
        page.expect(lambda: page.run(HITS), expected)
        self.check(page)
        page.find(".panel.search input").click()
        page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
        page.find(".bar h1", "garden")
        page.find(".log .lit", "Green tea")
        page.expect(lambda: page.run(HITS), expected)
        page.click(".panel .hit", "teapot")
        page.find(".bar h1", "bob")
        page.find(".log .lit", "teapot")
        page.find(".panel .hit.opened", "teapot")
        # After a second jump to it, its own time begins.
        page.run(KEEP_TIMERS)
        for jumps in (1, 2):
            page.click(".panel .hit", "teapot")
            page.wait_until(lambda jumps=jumps: page.run("return window.timers.size") == jumps)
        page.expect(lambda: page.run("return [...timers.values()]"), ["cleared", "set"])

        self.call("delete", room_name="garden", seq=3, reason="", txn="d")
        page.find(STATUS, "2 messages")
        self.call("edit", target_user="ann", seq=1, msg="the pot is broken", txn="e")
        page.find(".panel .hit .words", "the pot is broken")
        page.expect(lambda: page.run(HITS)[0][3], [])

        page.click(".panel .chip", "Link")
        page.find(".panel .empty", "Nothing found")
        page.wait_until(
            lambda: "Nothing found" in str(page.find(STATUS).get_attribute("textContent"))
        )
        page.click(".panel .chip[aria-pressed=true]", "Link")
        page.find(STATUS, "1 message")
        page.click(".panel .chip", "From")
        page.click(".menu-item", "bob")
        page.find(".panel .chip[aria-pressed=true]", "From bob")
        page.click(".panel .chip", "bob")
        self.search(page, "nothing like this")
        page.find(".panel .empty", "Nothing found")
        self.check(page)
        self.search(page, "after:yesterday")
        page.find(".panel .note", "2026-01-31")
        page.press(Keys.ESCAPE)
        page.wait_gone(".panel.search")

        page.find("#say").send_keys(Keys.CONTROL, "k")
        page.find("dialog input").send_keys("leaf 14", Keys.CONTROL, Keys.ENTER)
        page.find(STATUS, "11 messages")
        self.search(page, "leaf")
        page.find(STATUS, "The newest 30 messages")
        page.click(".panel button", "Show more")
        page.find(STATUS, "The newest 60 messages")
        page.wait_until(lambda: "leaf 119" in page.driver.switch_to.active_element.text)
        page.set_viewport(900, 800)  # the panel lies over the conversation
        page.click(".panel .hit", "leaf 130")
        page.find(".log .lit", "leaf 130")
        page.wait_gone(".panel")

    def test_on_a_phone_back_leads_to_what_was_found(self) -> None:
        self.start("--searches-per-minute", "0")
        page = self.open()
        page.set_viewport(390, 844)
        page.find(".login footer select").send_keys("中")
        page.log_in("ann", PASSWORD, "register")
        self.converse()
        axe.load(page)
        page.click(".conversation .bar button", "返回")
        page.click(".tabs button", "搜索")
        self.search(page, "tea")
        page.find(STATUS, "3 条消息")
        origins = ["发给你", "在 lobby", "在 garden"]
        page.expect(lambda: [hit[1] for hit in page.run(HITS)], origins)
        expected = page.run(HITS)
        self.check(page)
        for text, name in (("Green tea", "garden"), ("TEA?", "lobby")):
            page.click(".panel .hit", text)
            page.find(".conversation .bar h1", name)
            page.find(".log .lit", text)
            page.go_back()
            page.find(".panel .hit.opened", text)
            page.expect(lambda: page.run(HITS), expected)
        page.click(".panel .bar button", "返回")
        page.click(".sidebar .place", "garden")
        page.click(".conversation .bar button", "搜索")
        page.click(".panel .hit", "Green tea")
        page.find(".log .lit", "Green tea")
        page.go_back()
        page.find(".panel .hit.opened", "Green tea")

    def test_what_cannot_be_searched_is_said(self) -> None:
        hurried = ("--commands-per-second", "0", "--search-timeout", "0.000001")
        self.start(*hurried[2:], "--searches-per-minute", "0")
        self.call("speak", room_name="lobby", msg="hot water")
        while not self.call("search", q="water").get("incomplete"):
            pass  # nothing is indexed yet
        self.server.kill()
        self.server.options = (*hurried, "--searches-per-minute", "2")
        self.server.start()
        page = self.open()
        page.log_in("ann", PASSWORD, "register")
        page.find("#say").send_keys(Keys.CONTROL, "f")
        self.search(page, "water")
        page.find(".panel .note", "took too long")
        page.find(".panel button", "Search older messages")
        for _ in range(2):
            self.search(page, "water")
        page.find(".panel .note", "Too many searches")
        page.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": WITHOUT_SEARCH}
        )
        page.driver.refresh()
        page.find(".panel.search .empty", "cannot search")
        page.click(".panel button", "Close")
        page.find("#say")
        page.wait_gone(".conversation .bar button[aria-label^='Search']")
