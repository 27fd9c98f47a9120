"""The page on several devices: staying logged in, tabs side by side, the list of sessions."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Closed, Server

PASSWORD = "long enough"
#: The session of a tab, and the token that the browser keeps.
SESSION = "return JSON.parse(sessionStorage.getItem('gtchat'))?.session?.session_id"
TOKEN = """
const devices = JSON.parse(localStorage.getItem('gtchat devices')) ?? {};
return Object.values(devices)[0]?.token ?? null;
"""


class PageDevicesTest(TestCase):
    """A registered user in one browser, and elsewhere."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.url = f"http://127.0.0.1:{self.server.web_port}/"
        self.page = Browser(self.url)
        self.addCleanup(self.page.close)
        self.addCleanup(lambda: self.assertEqual(self.page.console_errors(), []))

    def register(self, keep: bool) -> None:
        """Create the account ann and log in. keep: whether the browser stays logged in."""
        page = self.page
        page.click("label:has(> input[value=register])")
        if keep:
            page.click("[name=keep]")
        page.log_in("ann", PASSWORD, "register")

    def new_tab(self) -> str:
        """Open the page in a new tab, which has no session. Return the handle of the tab."""
        driver = self.page.driver
        driver.switch_to.new_window("tab")
        driver.execute_cdp_cmd("Page.bringToFront", {})
        driver.get(self.url)
        handle: str = driver.current_window_handle
        return handle

    def copy_tab(self) -> None:
        """Copy the tab as browsers do: the copy begins with what the tab has stored."""
        driver = self.page.driver
        stored = driver.execute_script("return JSON.stringify({ ...sessionStorage })")
        driver.switch_to.new_window("tab")
        script = f"if (!sessionStorage.length) Object.assign(sessionStorage, {stored})"
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        driver.get(self.url)

    def elsewhere(self, pwd: str = PASSWORD, **device: Any) -> Client:
        """Log ann in with another client."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="reg", usr="ann", pwd=pwd, **device)
        return client

    def check(self, view: str) -> None:
        """Look for violations in the view that is shown, in both themes."""
        axe.load(self.page)
        for theme in ("dark", "light"):
            found = axe.violations(self.page, theme, only_contrast=theme == "light")
            self.assertEqual(found, [], f"{view}, {theme}")

    def test_a_browser_stays_logged_in_until_it_forgets_its_token(self) -> None:
        page = self.page
        page.find("[value=guest]:checked")
        page.wait_gone("[name=keep]")
        self.register(keep=True)
        first, token = page.run(SESSION), page.run(TOKEN)
        old = page.driver.current_window_handle
        # The tab is closed and the page opened again.
        new = self.new_tab()
        page.driver.switch_to.window(old)
        page.driver.close()
        page.driver.switch_to.window(new)
        page.find(".account .name", "ann")
        page.wait_until(lambda: page.run(SESSION) not in (None, first))
        # The session that the token began can change the password, which replaces the token.
        page.open_settings("Account")
        page.click(".settings .line", "Change password")
        page.fill("old_password", PASSWORD)
        page.fill("new_password", "longer still")
        page.fill("confirm_password", "longer still")
        page.click("dialog button.primary")
        page.find(".settings nav")
        page.wait_until(lambda: page.run(TOKEN) not in (None, token))
        page.close_dialog()
        # Logged out of the tab, one click is enough, also after a reload.
        page.click(".account .own")
        page.click(".menu-item", "Log out of this tab")
        page.find(".token-login", "Log in as ann")
        page.driver.refresh()
        page.find(".token-login", "Log in as ann")
        self.check("a device that stays logged in")
        page.click(".token-login")
        page.find(".account .name", "ann")
        # Forgotten, the password is needed.
        page.click(".account .own")
        page.click(".menu-item", "forget device")
        page.find("#password")
        page.expect(lambda: page.run(TOKEN), None)
        page.wait_gone(".token-login")
        self.new_tab()
        page.find("#password")
        sessions = self.elsewhere(pwd="longer still").call("get_sessions")["sessions"]
        self.assertEqual([one.get("current") for one in sessions], [True])

    def test_tabs_of_one_browser_and_other_clients_live_side_by_side(self) -> None:
        page = self.page
        self.register(keep=False)
        first, old = page.run(SESSION), page.driver.current_window_handle
        page.send("from the first tab")
        # A copy of a tab asks, and has a session of its own.
        self.copy_tab()
        page.find(".login .note", "a copy of one that is logged in")
        page.click("[name=keep]")
        page.log_in("ann", PASSWORD, "member")
        second, copied = page.run(SESSION), page.driver.current_window_handle
        page.wait_for_message("from the first tab")
        self.elsewhere().call("speak", room_name="lobby", msg="without a device", txn="t")
        page.wait_for_message("without a device")
        # A further copy has the token.
        self.copy_tab()
        page.wait_for_message("without a device")
        self.assertEqual(len({None, first, second, page.run(SESSION)}), 4)
        for tab, session in ((old, first), (copied, second)):
            page.driver.switch_to.window(tab)
            page.wait_for_message("without a device")
            page.expect(lambda: page.run(SESSION), session)
        page.send("still here")
        page.wait_sent()
        page.driver.refresh()
        page.wait_for_message("still here")
        page.expect(lambda: page.run(SESSION), second)

    def test_sessions_are_listed_and_ended(self) -> None:
        page = self.page
        self.register(keep=True)
        phone = self.elsewhere(device="phone", device_name="Firefox on Android")
        other = self.elsewhere(device="desk", device_name="gtchat client, desk")
        self.new_tab()
        page.find(".account .name", "ann")
        page.open_settings("Devices")
        own = page.text_of(".device", "This device")
        self.assertIn("Chrome on Linux", own)
        self.assertIn("2 tabs open", own)
        self.assertNotIn("Log out", own)
        self.assertIn("127.0.0.1", page.text_of(".device", "Firefox on Android"))
        self.check("settings: devices")
        page.click(".device button", "Log out Firefox on Android")
        page.find("dialog h2", "Log out Firefox on Android?")
        self.check("the question before a device is logged out")
        page.click("dialog button.danger")
        page.find(".device", "desk")
        page.wait_count(".device", 2)
        with self.assertRaises(Closed) as ended:
            phone.call("ping")
        self.assertEqual(ended.exception.code, 4001)
        page.click(".settings button", "Log out all others")
        page.click("dialog button.danger", "Log out all others")
        page.find(".settings nav")
        page.wait_count(".device", 1)
        page.wait_gone(".settings .button.danger-text")
        with self.assertRaises(Closed):
            other.call("ping")
        # The other tab of this browser says what happened; the token of this device holds.
        new = page.driver.current_window_handle
        for handle in page.driver.window_handles:
            if handle != new:
                page.driver.switch_to.window(handle)
        page.find(".login .note", "from another tab or device")
        page.click(".token-login")
        page.find(".account .name", "ann")
        # Guests have one session, and no such page.
        page.driver.switch_to.window(new)
        page.close_dialog()
        page.click(".account .own")
        page.click(".menu-item", "forget device")
        page.log_in("bob")
        page.click(".account button", "Settings")
        page.find(".settings nav .menu-item", "Log out")
        self.assertNotIn("Devices and sessions", page.texts_of(".settings nav .menu-item"))
