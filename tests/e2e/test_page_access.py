"""Whether everybody can use the page: axe finds nothing in any view, dark or light."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
FIND = """
const done = arguments[0];
axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations.flatMap(
  ({ id, nodes }) => nodes.map(({ html, any }) => (
    `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`)))));
"""
THEME = "document.documentElement.dataset.theme = arguments[0]"
#: Nothing may move while colours are measured.
STILL = """
const sheet = new CSSStyleSheet();
sheet.replaceSync('*, *::backdrop { animation: none !important; transition: none !important }');
document.adoptedStyleSheets = [sheet];
"""


class AccessTest(TestCase):
    """One browser goes through everything."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.found: list[str] = []
        self.server = Server("--commands-per-second", "0", "--broadcast-key", "key").start()
        self.addCleanup(self.server.kill)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.page.driver.execute_script(AXE.read_text(encoding="utf-8"))
        self.page.driver.execute_script(STILL)

    def looks_right(self, view: str) -> None:
        """Look at what is shown, in both themes."""
        for theme in ("dark", "light"):
            self.page.driver.execute_script(THEME, theme)
            for found in self.page.driver.execute_async_script(FIND):
                self.found.append(f"{view}, {theme}: {found}")

    def dialog(self, button: str, view: str) -> None:
        """Open a dialog and all that is folded in it, look, and close it."""
        page = self.page
        page.click("button", button)
        page.one("dialog h2")
        page.driver.execute_script(
            "for (const more of document.querySelectorAll('dialog details')) more.open = true"
        )
        self.looks_right(view)
        page.one("dialog header button").send_keys(Keys.ESCAPE)
        page.until(lambda: not page.all("dialog"))

    def test_every_view(self) -> None:
        page = self.page
        page.one("#name")
        self.looks_right("coming in as a guest")
        for way in ("member", "register"):
            page.click(f"label:has(> input[value={way}])")
            self.looks_right(f"coming in: {way}")
        page.click("[name=keyed]")
        self.looks_right("coming in: with a key")
        page.click("[name=keyed]")
        page.enter("ann", "short", "register")
        page.one("#password-problem", "8 to 1,024")
        self.looks_right("a refused password")
        page.come_in("ann", "long enough", "register")

        bob = Client(self.server.ws_port)
        self.addCleanup(bob.close)
        bob.say("register", usr="bob", pwd="long enough")
        bob.say("login", type="reg", usr="bob", pwd="long enough")
        for name in ("den", "attic"):
            bob.say("create_room", room_name=name, topic="What is kept")
        bob.say("invite", room_name="attic", invitee="ann")
        bob.say("get_address", user="ann")
        page.click("button", "New room")
        page.fill("room_name", "garden")
        page.click("dialog button.primary")
        page.one(".bar h2", "garden")
        bob.say("join_room", room_name="garden")
        bob.say("speak", room_name="garden", msg="@ann **look**: https://a.example `x` :tada:")
        bob.say("speak", room_name="garden", msg="> said\n\n- one\n- two\n\n```\ncode\n```")
        bob.say("speak", room_name="garden", msg=":tada:")
        bob.say("speak", room_name="lobby", msg="ann, are you there?")
        bob.say("whisper", target_user="ann", msg="psst")
        bob.say("broadcast", msg="The server rests at noon.", broadcast_key="key")
        page.say("mine")
        page.hears("mine")
        bob.say("typing", room_name="garden")
        page.one(".typing", "bob is typing")
        self.looks_right("a conversation")
        page.click(".members .place", "bob")
        page.one(".actions")
        box = page.one(".composer textarea")
        box.send_keys("@b")
        page.one(".offers")
        self.looks_right("suggestions, and what to do with a person")
        box.send_keys(Keys.ESCAPE, Keys.BACK_SPACE, Keys.BACK_SPACE)
        page.click(".composer button", "Emoji")
        page.one(".picker")
        self.looks_right("emoji")
        page.one(".picker input").send_keys(Keys.ESCAPE)

        self.dialog("New room", "a new room")
        self.dialog("Room settings", "an owner's room")
        self.dialog("Invite", "inviting")
        self.dialog("Settings", "settings")
        self.dialog("Go to a room", "going somewhere")
        page.click(".self button", "Settings")
        page.click("dialog button", "Keys")
        page.one("dialog .keys")
        self.looks_right("keys")
        page.one("dialog header button").send_keys(Keys.ESCAPE)
        page.look("bob")
        self.looks_right("a talk in private")
        page.look("garden")

        page.driver.set_window_size(500, 844)
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        self.looks_right("a phone: the conversation")
        page.click(".bar button", "Rooms")
        self.looks_right("a phone: rooms")
        page.click(".sidebar .place", "garden")
        page.click(".people-button")
        self.looks_right("a phone: people")
        page.click(".members .bar button", "Back")

        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.server.kill()
        page.say("on its way")
        page.one(".connection button", "Try now")
        self.looks_right("a lost connection")
        self.assertEqual([], self.found, "\n".join(self.found))
