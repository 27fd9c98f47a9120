"""How users come in by the page: what the login page offers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Server

PASSWORD = "long enough"


class PageEntryTest(TestCase):
    """One browser, and an operator at the server."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.url = f"http://127.0.0.1:{self.server.web_port}/"

    def open(self, fragment: str = "") -> Browser:
        """Open the page."""
        page = Browser(self.url + fragment)
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def admin(self, name: str, **arguments: object) -> Any:
        """Run an administrative command at the server; return its result."""
        return request(self.server.folder / SOCKET, name, arguments).data

    def test_the_login_page_offers_what_is_possible(self) -> None:
        self.admin("registration", mode="closed")
        page = self.open()
        page.wait_gone("input[value=register]")
        ways = [one.text for one in page.find_all(".segments label")]
        self.assertEqual(ways, ["Log in", "Guest"])
        self.admin("guests", on="off")
        page.submit_login("gus", mode="guest")
        page.find("#form-problem", "not allowed here")
        page.wait_gone(".segments")  # there is one way left
        axe.load(page)
        self.assertEqual(axe.violations(page, "light"), [])
        self.admin("registration", mode="open")
        page.driver.refresh()
        page.find("input[value=register]")
        page.log_in("ann", PASSWORD, "register")
