"""Messages in the page: markup, drafts, unsent messages, read state, notifications, shortcuts."""

from __future__ import annotations

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

#: The origins of all loaded files, and their size in bytes.
LOADED = """
const all = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type));
return [[...new Set(all.map((entry) => new URL(entry.name).origin))],
  all.reduce((sum, entry) => sum + entry.encodedBodySize, 0)];
"""
#: Records desktop notifications and sounds, and takes the focus from the page.
RECORD_NOTIFICATIONS = """
window.notified = [];
window.Notification = class {
  static permission = 'granted';
  static async requestPermission() { return 'granted'; }
  constructor(title, { body }) { notified.push(`${title}: ${body}`); }
};
OscillatorNode.prototype.start = () => { notified.push('tone'); };
OscillatorNode.prototype.stop = () => {};
document.hasFocus = () => false;
dispatchEvent(new Event('blur'));
"""
#: Records the workers that the page makes, the languages of what they are given, and their end.
RECORD_WORKERS = """
window.workers = [];
window.Worker = class extends Worker {
  constructor(address) { super(address); workers.push(String(address).split('/').at(-1)); }
  postMessage(message) { super.postMessage(message); workers.push(message.language); }
  terminate() { super.terminate(); workers.push('end'); }
};
"""
#: Takes a tokenizer many seconds; the spaces keep it from being a word too long for markup.
SLOW = '`" ' * 1300
#: Presses a key with a modifier and writes a text, before the page draws a frame. Returns the name
#: of the open conversation, and what is in the field that has the focus.
PRESS_AT_ONCE = """(key, modifier, text) => {
  document.activeElement.dispatchEvent(new KeyboardEvent('keydown',
    { key, [modifier]: true, bubbles: true, cancelable: true }));
  document.execCommand('insertText', false, text);
  const { value = '' } = document.activeElement;
  return [document.querySelector('.bar h1').textContent, value];
}"""
#: By language: code, and its parts that are keywords, strings, numbers and remarks.
CODE = {
    "bash": ("if x; then echo 'a'; fi # b", "if then fi", "'a'", "", "# b"),
    "c": ("int f(char c) { return 1; } // c", "int char return", "", "1", "// c"),
    "c++": ('auto f = "a"; // c', "auto", '"a"', "", "// c"),
    "cs": ('var f = $"a{1}"; // c', "var", '$"a{ }"', "1", "// c"),
    "css": ("a { top: 0; content: 'b' } /* c */", "top content", "'b'", "", "/* c */"),
    "diff": ("@@ -1 +1 @@\n-a\n+b", "", "+b", "-a\n", "@@ -1 +1 @@"),
    "go": ('func f() { return "a", 1 } // c', "func return", '"a"', "1", "// c"),
    "java": ('final var f = "a"; // c', "final var", '"a"', "", "// c"),
    "js": ("const f = [1, `a${x}`, null]; // c", "const null", "`a${x}`", "1", "// c"),
    "json": ('{"a": "b", "c": [1, true]}', '"a" "c"', '"b"', "1 true", ""),
    "kotlin": ('val f = "a" // c', "val", '"a"', "", "// c"),
    "html": ("<b>x</b><!-- c -->", "<b> </b>", "", "", "<!-- c -->"),
    "php": ("function f() { return 'a'; } // c", "function return", "'a'", "", "// c"),
    "python": ("def f():\n    return f'a {b}', 12 # c", "def return", "f'a {b}'", "12", "# c"),
    "rb": ("def f; 'a'; end # c", "def end", "'a'", "", "# c"),
    "rust": ('fn f() { let a = "b"; 1 } // c', "fn let", '"b"', "1", "// c"),
    "sql": ("SELECT a FROM b WHERE c = 'd' -- e", "SELECT FROM WHERE", "'d'", "", "-- e"),
    "toml": ('a = "b" # c', "a", '"b"', "", "# c"),
    "ts": ("const f: number = 1; // c", "const", "", "1", "// c"),
    "yml": ('a: "b" # c', "a", '"b"', "", "# c"),
}
#: Returns the direction of the last line.
DIRECTION = "return getComputedStyle([...document.querySelectorAll('.text p')].at(-1)).direction"
#: Returns, by block of code, its text and its parts of each kind.
COLOURED = """
return [...document.querySelectorAll('.code pre')].map((block) => [block.textContent,
  ...['key', 'str', 'num', 'rem'].map((kind) => (
    [...block.querySelectorAll(`.code-${kind}`)].map((part) => part.textContent).join(' ')))]);
"""


class TalkTest(TestCase):
    """The user ann in a browser, bob as a client without one."""

    skip = MISSING or None

    def serve(self, *options: str) -> Server:
        """Start a server for this test."""
        server = Server("--commands-per-second", "0", *options).start()
        self.addCleanup(server.kill)
        return server

    def browser(self, server: Server) -> Browser:
        """Open the page. At the end the browser's console must have no errors."""
        browser = Browser(f"http://127.0.0.1:{server.web_port}/")
        self.addCleanup(browser.close)
        self.addCleanup(lambda: self.assertEqual(browser.console_errors(), []))
        return browser

    def client(self, server: Server, name: str) -> Client:
        """Register and log in a user without a browser."""
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        client.call("register", usr=name, pwd="long enough")
        client.call("login", type="reg", usr=name, pwd="long enough")
        return client

    def test_markup_suggestions_and_drafts(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.log_in("ann", "long enough", "register")
        bob.call("typing", room_name="lobby")
        page.find(".typing", "bob is typing")
        bob.call("speak", room_name="lobby", msg="**bold** `code` @ann https://a.example/x")
        page.wait_for_message("bold code @ann https://a.example/x")
        page.wait_until(lambda: page.text_of(".typing") == "")
        origins, size = page.driver.execute_script(LOADED)
        self.assertEqual(origins, [f"http://127.0.0.1:{server.web_port}"])
        self.assertLess(size, 300_000)
        self.assertEqual(page.text_of(".text strong"), "bold")
        self.assertEqual(page.text_of(".text code"), "code")
        self.assertEqual(page.text_of(".text .user-mention.me"), "@ann")
        self.assertEqual(page.find(".text a").get_attribute("rel"), "noopener noreferrer")
        # Code in no known language; then some that is slow, which is given up meanwhile.
        page.run(RECORD_WORKERS)
        for block in ("```\nreturn 1\n```", "```klingon\nreturn 1\n```"):
            bob.call("speak", room_name="lobby", msg=block)
        for text, direction in (("שלום, ann", "rtl"), ("hello", "ltr")):
            bob.call("speak", room_name="lobby", msg=text)
            page.wait_for_message(text)
            page.expect(lambda: page.run(DIRECTION), direction)
        self.assertEqual(page.run("return workers"), [])
        bob.call("speak", room_name="lobby", msg=f"```sh\n{SLOW}\n```")
        page.wait_until(lambda: page.run("return workers[1]") == "bash")
        # Suggestions by the keyboard.
        box = page.find(".composer textarea")
        box.send_keys("party :tad")
        page.find(".suggestions li[aria-selected=true]", ":tada:")
        box.send_keys(Keys.ENTER)
        page.wait_until(lambda: box.get_attribute("value") == "party 🎉 ")
        box.send_keys("@b", Keys.TAB)
        page.wait_until(lambda: box.get_attribute("value") == "party 🎉 @bob ")
        page.click(".composer button", "Emoji")
        page.find(".picker input").send_keys("rocket", Keys.ENTER)
        page.wait_until(lambda: box.get_attribute("value") == "party 🎉 @bob 🚀")
        box.send_keys(Keys.CONTROL, "b")
        box.send_keys(Keys.NULL, "now", Keys.ENTER)
        page.wait_for_message("party 🎉 @bob 🚀now")
        page.find(".text strong", "now")
        # The page was usable meanwhile; what comes later has colours.
        code = [("sql", "1 a " * 600), *((tag, text) for tag, (text, *_) in CODE.items())]
        blocks = "\n".join(f"```{tag}\n{text}\n```" for tag, text in code)
        bob.call("speak", room_name="lobby", msg=blocks)
        many, *found = page.wait_until(lambda: self.coloured(page, len(code)))
        self.assertEqual(dict(zip(CODE, found, strict=True)), CODE)
        self.assertEqual(many[3], " ".join("1" * 500))  # every other one of 1,000 pieces
        plain = page.run(COLOURED)[: -len(code)]
        self.assertEqual([kinds for _, *kinds in plain], [[""] * 4] * 3)
        workers = ["code_worker.js", "bash", "end", "code_worker.js"]
        page.expect(lambda: page.run("return workers")[: len(workers)], workers)
        # A draft stays with its room, also after a reload.
        bob.call("create_room", room_name="den")
        bob.call("add_member", room_name="den", user="ann")
        page.find(".sidebar .place", "den")
        box.send_keys("for the lobby")
        page.open_conversation("den")
        page.find(".sidebar .place:has(.mark)", "lobby")
        page.expect(lambda: page.find("#say").get_attribute("value"), "")
        page.driver.refresh()
        page.open_conversation("lobby")
        page.expect(lambda: page.find("#say").get_attribute("value"), "for the lobby")

    def coloured(self, page: Browser, count: int) -> list[tuple[str, ...]]:
        """Return text and parts of the last blocks of code; nothing until all have colours."""
        found = [tuple(block) for block in page.run(COLOURED)[-count:]]
        return found if all(any(kinds) for _, *kinds in found) else []

    def test_a_message_that_failed_is_sent_once(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.log_in("ann", "long enough", "register")
        bob.call("block", user="ann")
        page.message_member("bob")
        page.send("hear me")
        page.find(".pending .problem", "does not accept messages from you")
        bob.call("unblock", user="ann")
        page.click(".pending button", "Try again")
        page.wait_gone(".pending")
        page.expect(page.texts, ["hear me"])
        bob.call("ping")
        whispers = [push["msg"] for push in bob.taken if push["cmd"] == "c_whisper"]
        self.assertEqual(whispers, ["hear me"])
        # Sent while the server is down, and the page reloaded as soon as it is up.
        page.open_conversation("lobby")
        server.kill()
        page.send("over a reload")
        page.find(".pending", "sending")
        server.start()
        page.driver.refresh()
        page.wait_for_message("over a reload")
        page.wait_gone(".pending")
        again = Client(server.ws_port)
        self.addCleanup(again.close)
        again.call("login", type="reg", usr="bob", pwd="long enough")
        entries = again.call("history", room_name="lobby")["entries"]
        self.assertEqual([entry["msg"] for entry in entries], ["over a reload"])
        page.expect(page.texts, ["over a reload"])

    def test_read_state_of_other_sessions_and_notifications(self) -> None:
        server = self.serve("--sessions", "share")
        bob = self.client(server, "bob")
        bob.call("create_room", room_name="den")
        first, second = self.browser(server), self.browser(server)
        first.log_in("ann", "long enough", "register")
        second.log_in("ann", "long enough", "member")
        bob.call("add_member", room_name="den", user="ann")
        for page in (first, second):
            page.find(".sidebar .place", "den")
        bob.call("speak", room_name="den", msg="one for @ann")
        for page in (first, second):
            page.find(".place .badge.wanted", "1")
            page.wait_until(lambda page=page: page.driver.title.startswith("(1) "))
            page.find("link[rel=icon][href^='data:image/png']")
        first.open_conversation("den")
        second.wait_gone(".place .badge")
        second.wait_until(lambda: second.driver.title == "lobby · GTChat")
        second.find("link[rel=icon][href*='logo.svg']")
        # Desktop notifications and sound, for mentions only, then for nothing.
        second.open_conversation("den")
        second.open_panel("About")
        second.click(".about label:has([value=mentions])")
        second.find(".about [value=mentions]:checked")
        second.open_conversation("lobby")
        second.driver.execute_script(RECORD_NOTIFICATIONS)
        second.open_settings("Notifications")
        second.click("dialog [name=notify]")
        second.click("dialog [name=sound]")
        second.wait_until(lambda: second.driver.execute_script("return notified.length") == 2)
        second.close_dialog()
        bob.call("speak", room_name="den", msg="no mention")
        bob.call("speak", room_name="den", msg="@ann again")
        notified = "return notified.slice(2)"
        second.wait_until(lambda: len(second.driver.execute_script(notified)) == 3)
        self.assertEqual(second.run(notified), ["tone", "tone", "bob · den: @ann again"])
        second.open_conversation("den")
        second.click(".about label:has([value=none])")
        second.find(".place.muted", "den")
        for page in (first, second):
            page.open_conversation("lobby")
        bob.call("speak", room_name="den", msg="@ann, muted")
        bob.call("typing", room_name="lobby")  # after the message, so that it is not later
        second.find(".typing", "bob is typing")
        second.wait_gone(".place.muted .badge")
        self.assertEqual(len(second.driver.execute_script(notified)), 3)
        second.expect(lambda: second.driver.title, "lobby · GTChat")

    def test_keyboard_shortcuts(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.log_in("ann", "long enough", "register")
        for name in ("attic", "cellar"):
            bob.call("create_room", room_name=name)
            bob.call("add_member", room_name=name, user="ann")
            page.find(".sidebar .place", name)

        def press(*keys: str) -> None:
            chain = ActionChains(page.driver)
            for key in keys[:-1]:
                chain.key_down(key)
            chain.send_keys(keys[-1])
            for key in keys[:-1]:
                chain.key_up(key)
            chain.perform()

        press(Keys.ALT, Keys.ARROW_DOWN)
        page.find(".bar h1", "attic")
        press(Keys.ALT, Keys.ARROW_UP)
        page.find(".bar h1", "lobby")
        bob.call("speak", room_name="cellar", msg="hi")
        page.find(".place .badge", "1")
        press(Keys.ALT, Keys.SHIFT, Keys.ARROW_DOWN)
        page.find(".bar h1", "cellar")
        # What follows a key before the next frame goes to what the key has opened.
        self.assertEqual(page.call(PRESS_AT_ONCE, "ArrowUp", "altKey", "")[0], "attic")
        self.assertEqual(page.call(PRESS_AT_ONCE, "f", "ctrlKey", "tea"), ["attic", "tea"])
        press(Keys.ESCAPE)
        page.wait_gone(".panel.search")
        page.find("#say:focus")
        self.assertEqual(page.call(PRESS_AT_ONCE, "k", "ctrlKey", "bo"), ["attic", "bo"])
        page.find(".targets li[aria-selected=true]", "bob")
        page.find("dialog input").send_keys(Keys.ENTER)
        page.find(".bar h1", "bob")
        press(Keys.CONTROL, "/")
        page.find("dialog .shortcuts")
        press(Keys.ESCAPE)
        page.wait_gone("dialog")
        # A letter typed outside of any field goes to the message box.
        page.driver.execute_script("document.activeElement.blur()")
        press("x")
        box = page.find(".composer textarea")
        page.wait_until(lambda: box.get_attribute("value") == "x")
