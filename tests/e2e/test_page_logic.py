"""Run the JavaScript tests of the page's logic (tests/page/logic.html) in a browser."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.browser import MISSING, Browser

PAGE = Path(__file__).resolve().parents[1] / "page" / "logic.html"


class PageLogicTest(SynchronousTestCase):
    """Connection, state, sync, actions and markup, without a server."""

    skip = MISSING or None

    def test_page_logic(self) -> None:  # E19
        browser = Browser(PAGE.as_uri())
        self.addCleanup(browser.close)
        results = browser.driver.execute_async_script("results.then(arguments[0])")
        self.assertEqual(results["failed"], [])
        self.assertGreater(len(results["passed"]), 120)
        self.assertEqual(browser.console_errors(), [])
