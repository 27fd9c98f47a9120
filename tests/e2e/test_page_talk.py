"""Talking in the page: what is written, what is unsent, who types, what is read elsewhere."""

from __future__ import annotations

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

#: Where everything came from, and how many bytes it was.
LOADED = """
const all = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type));
return [[...new Set(all.map((entry) => new URL(entry.name).origin))],
  all.reduce((sum, entry) => sum + entry.encodedBodySize, 0)];
"""
#: Notes what would be shown on the desktop or heard, and takes the reader's eyes away.
WATCH = """
window.told = [];
window.Notification = class {
  static permission = 'granted';
  static async requestPermission() { return 'granted'; }
  constructor(title, { body }) { told.push(`${title}: ${body}`); }
};
OscillatorNode.prototype.start = () => { told.push('tone'); };
OscillatorNode.prototype.stop = () => {};
document.hasFocus = () => false;
dispatchEvent(new Event('blur'));
"""


class TalkTest(TestCase):
    """Ann in a browser, bob in another or as a bare client."""

    skip = MISSING or None

    def serve(self, *options: str) -> Server:
        """A server of this test's own."""
        server = Server("--commands-per-second", "0", *options).start()
        self.addCleanup(server.kill)
        return server

    def browser(self, server: Server) -> Browser:
        """A browser, which has nothing to complain of at the end."""
        browser = Browser(f"http://127.0.0.1:{server.web_port}/")
        self.addCleanup(browser.close)
        self.addCleanup(lambda: self.assertEqual(browser.complaints(), []))
        return browser

    def client(self, server: Server, name: str) -> Client:
        """Somebody without a browser."""
        client = Client(server.ws_port)
        self.addCleanup(client.close)
        client.say("register", usr=name, pwd="long enough")
        client.say("login", type="reg", usr=name, pwd="long enough")
        return client

    def test_what_is_written(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.come_in("ann", "long enough", "register")
        bob.say("typing", room_name="lobby")
        page.one(".typing", "bob is typing")
        bob.say("speak", room_name="lobby", msg="**bold** `code` @ann https://a.example/x")
        page.hears("bold code @ann https://a.example/x")
        page.until(lambda: page.one(".typing").text == "")
        origins, size = page.driver.execute_script(LOADED)
        self.assertEqual(origins, [f"http://127.0.0.1:{server.web_port}"])
        self.assertLess(size, 300_000)
        self.assertEqual(page.one(".text strong").text, "bold")
        self.assertEqual(page.one(".text code").text, "code")
        self.assertEqual(page.one(".text .at.me").text, "@ann")
        self.assertEqual(page.one(".text a").get_attribute("rel"), "noopener noreferrer")
        for text, direction in (("שלום, ann", "rtl"), ("hello", "ltr")):
            bob.say("speak", room_name="lobby", msg=text)
            page.hears(text)
            line = page.all(".text p")[-1]
            self.assertEqual(line.value_of_css_property("direction"), direction)
        # Suggestions, by the keyboard alone.
        box = page.one(".composer textarea")
        box.send_keys("party :tad")
        page.one(".offers li[aria-selected=true]", ":tada:")
        box.send_keys(Keys.ENTER)
        page.until(lambda: box.get_attribute("value") == "party 🎉 ")
        box.send_keys("@b", Keys.TAB)
        page.until(lambda: box.get_attribute("value") == "party 🎉 @bob ")
        page.click(".composer button", "Emoji")
        page.one(".picker input").send_keys("rocket", Keys.ENTER)
        page.until(lambda: box.get_attribute("value") == "party 🎉 @bob 🚀")
        box.send_keys(Keys.CONTROL, "b")
        box.send_keys(Keys.NULL, "now", Keys.ENTER)
        page.hears("party 🎉 @bob 🚀now")
        page.until(lambda: page.all(".text strong")[-1].text == "now")
        # A draft stays with its room.
        bob.say("create_room", room_name="den")
        bob.say("add_member", room_name="den", user="ann")
        page.one(".sidebar .place", "den")
        box.send_keys("for the lobby")
        page.look("den")
        page.one(".sidebar .place .tag", "draft")
        self.assertEqual(page.one(".composer textarea").get_attribute("value"), "")
        page.driver.refresh()
        page.look("lobby")
        self.assertEqual(page.one(".composer textarea").get_attribute("value"), "for the lobby")

    def test_what_was_not_sent_is_sent_once(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.come_in("ann", "long enough", "register")
        bob.say("block", user="ann")
        page.click(".members .place", "bob")
        page.click(".actions button", "Write in private")
        page.one(".bar h2", "bob")
        page.say("hear me")
        page.one(".waiting .problem", "does not take messages from you")
        bob.say("unblock", user="ann")
        page.click(".waiting button", "Send again")
        page.until(lambda: not page.all(".waiting"))
        self.assertEqual(page.texts(), ["hear me"])
        bob.say("ping")
        whispers = [push["msg"] for push in bob.taken if push["cmd"] == "c_whisper"]
        self.assertEqual(whispers, ["hear me"])
        # Said while nobody answers, and the page loaded anew as soon as somebody does.
        page.look("lobby")
        server.kill()
        page.say("over a reload")
        page.one(".waiting", "sending")
        server.start()
        page.driver.refresh()
        page.hears("over a reload")
        page.until(lambda: not page.all(".waiting"))
        again = Client(server.ws_port)
        self.addCleanup(again.close)
        again.say("login", type="reg", usr="bob", pwd="long enough")
        entries = again.say("history", room_name="lobby")["entries"]
        self.assertEqual([entry["msg"] for entry in entries], ["over a reload"])
        self.assertEqual(page.texts(), ["over a reload"])

    def test_what_is_read_elsewhere_and_what_is_told(self) -> None:
        server = self.serve("--sessions", "share")
        bob = self.client(server, "bob")
        bob.say("create_room", room_name="den")
        first, second = self.browser(server), self.browser(server)
        first.come_in("ann", "long enough", "register")
        second.come_in("ann", "long enough", "member")
        bob.say("add_member", room_name="den", user="ann")
        for page in (first, second):
            page.one(".sidebar .place", "den")
        bob.say("speak", room_name="den", msg="one for ann")
        for page in (first, second):
            page.one(".place .count.mentioned", "1")
            page.until(lambda page=page: page.driver.title.startswith("(1) "))
            icon = page.all("link[rel=icon]")[0].get_attribute("href") or ""
            self.assertTrue(icon.startswith("data:image/png"), icon)
        first.look("den")
        second.until(lambda: not second.all(".place .count"))
        second.until(lambda: second.driver.title == "lobby · GTChat")
        second.until(
            lambda: "logo.svg" in str(second.all("link[rel=icon]")[0].get_attribute("href"))
        )
        # On the desktop and by a tone, if that is wanted, and not of every room.
        second.driver.execute_script(WATCH)
        second.click(".self button", "Settings")
        second.click("dialog [name=notify]")
        second.click("dialog [name=sound]")
        second.until(lambda: second.driver.execute_script("return told.length") == 2)
        second.one("dialog header button").send_keys(Keys.ESCAPE)
        bob.say("speak", room_name="den", msg="nobody in particular")
        bob.say("speak", room_name="den", msg="ann again")
        told = "return told.slice(2)"
        second.until(lambda: len(second.driver.execute_script(told)) == 3)
        self.assertEqual(
            second.driver.execute_script(told), ["tone", "tone", "bob · den: ann again"]
        )
        second.look("den")
        second.click(".bar button", "Room settings")
        Select(second.one("dialog [name=level]")).select_by_value("nothing")
        second.one("dialog header button").send_keys(Keys.ESCAPE)
        for page in (first, second):
            page.look("lobby")
        bob.say("speak", room_name="den", msg="ann, not heard")
        second.one(".place.muted .count", "1")
        self.assertEqual(len(second.driver.execute_script(told)), 3)
        self.assertEqual(second.driver.title, "lobby · GTChat")

    def test_keys_go_anywhere(self) -> None:
        server = self.serve()
        page, bob = self.browser(server), self.client(server, "bob")
        page.come_in("ann", "long enough", "register")
        for name in ("attic", "cellar"):
            bob.say("create_room", room_name=name)
            bob.say("add_member", room_name=name, user="ann")
            page.one(".sidebar .place", name)

        def press(*keys: str) -> None:
            chain = ActionChains(page.driver)
            for key in keys[:-1]:
                chain.key_down(key)
            chain.send_keys(keys[-1])
            for key in keys[:-1]:
                chain.key_up(key)
            chain.perform()

        press(Keys.ALT, Keys.ARROW_DOWN)
        page.one(".bar h2", "attic")
        press(Keys.ALT, Keys.ARROW_UP)
        page.one(".bar h2", "lobby")
        bob.say("speak", room_name="cellar", msg="hi")
        page.one(".place .count", "1")
        press(Keys.ALT, Keys.SHIFT, Keys.ARROW_DOWN)
        page.one(".bar h2", "cellar")
        press(Keys.CONTROL, "k")
        page.one("dialog input").send_keys("bo")
        page.one(".goals li[aria-selected=true]", "bob")
        page.one("dialog input").send_keys(Keys.ENTER)
        page.one(".bar h2", "bob")
        press(Keys.CONTROL, "/")
        page.one("dialog .keys")
        press(Keys.ESCAPE)
        page.until(lambda: not page.all("dialog"))
        # What is typed at the log goes to the message box.
        page.driver.execute_script("document.activeElement.blur()")
        press("x")
        box = page.one(".composer textarea")
        page.until(lambda: box.get_attribute("value") == "x")
