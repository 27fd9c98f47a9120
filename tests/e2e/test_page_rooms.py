"""Rooms and people in the page: everything that can be asked of the server has its place there."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server


class RoomsTest(TestCase):
    """Ann and bob, each in a browser."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0", "--broadcast-key", "key").start()
        self.addCleanup(self.server.kill)
        self.ann, self.bob = self.person("ann"), self.person("bob")

    def person(self, name: str) -> Browser:
        """Somebody who has come in, and whose browser has nothing to complain of."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.complaints(), []))
        page.come_in(name, "long enough", "register")
        return page

    def settings(self, page: Browser, folded: str) -> None:
        """Open one's own settings, and a part of them."""
        page.click(".self button", "Settings")
        page.click("dialog summary", folded)

    def done(self, page: Browser) -> None:
        """Wait until a dialog has closed by itself."""
        page.until(lambda: not page.all("dialog"))

    def test_an_owner_and_a_room(self) -> None:
        ann, bob = self.ann, self.bob
        ann.click("button", "New room")
        ann.fill("room_name", "lobby")
        ann.click("dialog button.primary")
        ann.one(".field:has([name=room_name]) .problem", "Choose another one")
        ann.fill("room_name", "den")
        ann.fill("topic", "quiet")
        ann.fill("room_size", "2")
        ann.click("dialog .check")
        ann.click("dialog button.primary")
        ann.one(".bar .topic", "quiet")
        # Inviting: a wrong name, later, no, yes.
        ann.click(".members button", "Invite")
        ann.fill("whom", "nobody")
        ann.click("dialog button.primary")
        ann.one(".field:has([name=whom]) .problem", "spelling")
        ann.fill("whom", "bob")
        ann.click("dialog button.primary")
        self.done(ann)
        for answer, told in (("Later", "will decide"), ("No", "does not want")):
            bob.click(".invitation button", answer)
            ann.one(".notice", told)
            bob.until(lambda: not bob.all(".invitation"))
            ann.click(".members button", "Invite")
            ann.fill("whom", "bob")
            ann.click("dialog button.primary")
            self.done(ann)
        bob.click(".invitation button", "Join")
        bob.one(".bar h2", "den")
        # Adding: the room is full, and says so.
        eve = Client(self.server.ws_port)
        self.addCleanup(eve.close)
        eve.say("register", usr="eve", pwd="long enough")
        eve.say("login", type="reg", usr="eve", pwd="long enough")
        ann.click(".members button", "Invite")
        ann.click("dialog summary", "Add")
        ann.one("details [name=whom]").send_keys("eve")
        ann.click("details button[type=submit]")
        ann.one("details .problem", "full")
        ann.one("details [name=whom]").send_keys(Keys.ESCAPE)
        # Its settings.
        ann.click(".bar button", "Room settings")
        ann.fill("topic", "loud")
        ann.fill("room_size", "0")
        ann.click("dialog button.primary", "Save")
        bob.one(".bar .topic", "loud")
        bob.one(".log .event", "changed the room")
        # Putting out, and taking off the list.
        ann.click(".members .place", "bob")
        ann.click(".actions button", "Put out")
        bob.one(".bar h2", "lobby")
        bob.one(".notice", "ann put bob out")
        eve.say("ping")
        ann.click(".members button", "Invite")
        ann.click("dialog summary", "Add")
        ann.one("details [name=whom]").send_keys("bob")
        ann.click("details button[type=submit]")
        self.done(ann)
        bob.look("den")
        # Handing it over; the new owner deletes it.
        ann.click(".bar button", "Room settings")
        ann.click("dialog summary", "Hand")
        ann.click("details button.danger")
        self.done(ann)
        bob.click(".bar button", "Room settings")
        bob.click("dialog button.danger", "Delete")
        bob.click(".sure button.danger")
        ann.one(".notice", "was deleted")
        ann.one(".bar h2", "lobby")
        ann.until(lambda: len(ann.all(".sidebar .place")) == 1)

    def test_people_and_oneself(self) -> None:
        ann, bob = self.ann, self.bob
        # Blocking hides what is said, and can be undone.
        ann.click(".members .place", "bob")
        ann.click(".actions button", "Block")
        bob.say("can you hear me?")
        ann.say("quiet here")
        ann.one(".log .event", "whom you block")
        self.assertEqual(ann.texts(), ["quiet here"])
        ann.driver.refresh()
        ann.hears("quiet here")
        self.assertEqual(ann.texts(), ["quiet here"])
        self.settings(ann, "People you block")
        ann.click(".blocked-person button", "Unblock")
        ann.one("dialog header button").send_keys(Keys.ESCAPE)
        ann.hears("can you hear me?")
        # An address is asked for, refused, asked for, and given.
        for answer, told in (("Deny", "does not give"), ("Allow", "127.0.0.1:4000")):
            bob.click(".members .place", "ann")
            bob.click(".actions button", "Ask for the address")
            bob.one(".notice", "is asked")
            if answer == "Allow":
                ann.click(".invitation button", "Allow")
                ann.one(".invitation .problem", "1024")
                ann.one(".invitation input").send_keys("4000")
            ann.click(".invitation button", answer)
            bob.one(".notice", told)
            ann.until(lambda: not ann.all(".invitation"))
        # Speaking to everybody needs the key.
        self.settings(ann, "Speak to everybody")
        ann.fill("message", "dinner!")
        ann.fill("broadcast_key", "wrong")
        ann.click("details button.primary", "Send")
        ann.one(".field:has([name=broadcast_key]) .problem", "operator")
        ann.fill("broadcast_key", "key")
        ann.click("details button.primary", "Send")
        bob.one(".notice.broadcast", "dinner!")
        # Another password. The other window closes when its answer has come, which may be later.
        ann.until(lambda: not ann.all("dialog"))
        self.settings(ann, "Change the password")
        for old, new, again, field, problem in (
            ("wrong one", "longer still", "longer still", "old_password", "wrong"),
            ("long enough", "longer still", "another one", "password_again", "differ"),
            ("long enough", "short", "short", "new_password", "8 to 1,024"),
            ("long enough", "longer still", "longer still", "", ""),
        ):
            ann.fill("old_password", old)
            ann.fill("new_password", new)
            ann.fill("password_again", again)
            ann.click("details[open] button.primary", "Save")
            if field:
                ann.one(f".field:has([name={field}]) .problem", problem)
        ann.one(".notice", "The password is changed")
        ann.click(".self button", "Log out")
        ann.come_in("ann", "longer still", "member")

    def test_a_phone_is_swiped(self) -> None:
        page = self.ann
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})

        def swipe(start: int, end: int) -> None:
            for kind, points in (
                ("touchStart", [{"x": start, "y": 400}]),
                ("touchMove", [{"x": end, "y": 410}]),
                ("touchEnd", []),
            ):
                page.driver.execute_cdp_cmd(
                    "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
                )

        def shown(pane: str) -> None:
            page.until(lambda: page.one(pane).is_displayed())
            others = {".sidebar", ".conversation", ".members"} - {pane}
            for other in others:
                self.assertFalse(page.one(other).is_displayed(), other)

        shown(".conversation")
        swipe(100, 300)
        shown(".sidebar")
        swipe(300, 100)
        shown(".conversation")
        swipe(300, 100)
        shown(".members")
        swipe(100, 300)
        shown(".conversation")
        swipe(200, 215)
        shown(".conversation")
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        self.assertEqual(width, 390)
