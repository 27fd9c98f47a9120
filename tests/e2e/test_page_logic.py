"""The page's own tests of what draws nothing: tests/page/logic.html, run in a browser."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.browser import MISSING, Browser

PAGE = Path(__file__).resolve().parents[1] / "page" / "logic.html"


class PageLogicTest(SynchronousTestCase):
    """The connection and what follows from what it tells."""

    skip = MISSING or None

    def test_the_logic_of_the_page(self) -> None:
        browser = Browser(PAGE.as_uri())
        self.addCleanup(browser.close)
        results = browser.driver.execute_async_script("results.then(arguments[0])")
        self.assertEqual(results["failed"], [])
        self.assertGreater(len(results["passed"]), 25)
        self.assertEqual(browser.complaints(), [])
