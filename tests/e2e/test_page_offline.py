"""The page without a connection, and how a new version of it takes the place of the old one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, STATIC, Browser
from tests.e2e.server import TOP, Server

#: Waits until the service worker is in charge of the folder of the page.
READY = "navigator.serviceWorker.ready.then(() => arguments[0](true))"
#: Returns the addresses that are kept, relative to the page, by the name of their cache.
KEPT = """
    const done = arguments[0];
    (async () => {
      const found = {};
      for (const name of await caches.keys()) {
        const requests = await (await caches.open(name)).keys();
        found[name] = requests.map(({ url }) => url.slice(new URL("./", location).href.length));
      }
      done(found);
    })();
"""
#: Returns what answers requests that are none of the page's own files, nor its address.
ASKED = """
    const done = arguments[0];
    const ask = (address) => fetch(address).then(({ status }) => status, () => "no connection");
    Promise.all(["healthz", "ws", "metrics", "js/app.js", "service-worker.js"].map(ask)).then(done);
"""
#: Returns the version that the style sheet names; a page that is loading may have no body.
VERSION = """
const { body } = document;
return body && getComputedStyle(body).getPropertyValue('--version');
"""


class OwnFiles(Server):
    """A server with files of the page of its own, in `static`."""

    by_fork = False

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self.top = Path(tempfile.mkdtemp(prefix="gtchat-files-"))
        for name in ("gtchat", "twisted"):
            (self.top / name).symlink_to(TOP / name)
        self.static = shutil.copytree(STATIC, self.top / "static")

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.top)}


class OfflineTest(TestCase):
    """The user ann in a browser."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = OwnFiles().start()
        self.addCleanup(shutil.rmtree, self.server.top)
        self.addCleanup(self.server.kill)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)

    def ask(self, script: str) -> object:
        """Run a script that calls its argument back with a result."""
        return self.page.driver.execute_async_script(script)

    def test_the_page_opens_without_a_connection_and_a_new_version_replaces_it(self) -> None:  # N15
        page, server = self.page, self.server
        page.driver.set_network_conditions(offline=True, latency=0, throughput=0)
        page.find(".connection.lost", "This device is offline")
        page.driver.delete_network_conditions()
        page.wait_gone(".connection.lost")
        page.log_in("ann")
        page.send("before")
        page.wait_sent()
        self.assertTrue(self.ask(READY))
        found = page.driver.execute_cdp_cmd("Page.getInstallabilityErrors", {})
        self.assertEqual(found["installabilityErrors"], [])
        manifest = page.driver.execute_cdp_cmd("Page.getAppManifest", {})
        self.assertEqual((manifest["errors"], manifest["url"][-21:]), ([], "/manifest.webmanifest"))
        ((cache, addresses),) = dict(self.ask(KEPT)).items()  # type: ignore[call-overload]
        version = cache.split()[-1]
        kept = {"", *(f"{version}/{name}" for name in ("scripts.js", "css/styles.css", "logo.svg"))}
        self.assertEqual(set(addresses), {*kept, f"{version}/manifest.webmanifest"})

        # Without the server a reload opens the page, which says so, and connects when it can.
        server.kill()
        page.driver.refresh()
        page.find(".connection.lost", "No connection")
        page.find(".sidebar .place", "lobby")
        self.assertEqual(set(self.ask(ASKED)), {"no connection"})  # type: ignore[call-overload]
        server.start()
        page.wait_for_message("before")
        page.wait_gone(".connection.lost")
        # What colours code is kept when it is loaded.
        page.send("```py\nreturn\n```")
        page.find(".code-key", "return")
        later = {f"{version}/{name}" for name in ("js/code_worker.js", "vendor/prism-1.30.0.js")}
        page.wait_until(lambda: later < {*dict(self.ask(KEPT))[cache]})  # type: ignore[call-overload]
        self.assertEqual(page.run("return fetch('healthz').then(({ status }) => status)"), 200)

        # A new version is offered, and replaces the old one in all tabs.
        with (server.static / "css" / "base.css").open("a") as style:
            style.write('body { --version: "2"; }\n')
        server.stop()
        server.start()
        first = page.driver.current_window_handle
        page.driver.switch_to.new_window("tab")
        second = page.driver.current_window_handle
        page.driver.get(f"http://127.0.0.1:{server.web_port}/")
        page.find("form")
        page.find(".notice", "new version")
        self.assertEqual(page.run(VERSION), "")
        page.driver.switch_to.window(first)
        self.assertEqual(page.run(VERSION), "")
        page.driver.switch_to.window(second)
        page.click(".notice button", "Reload")
        for handle in (second, first):
            page.driver.switch_to.window(handle)
            page.wait_until(lambda: page.run(VERSION) == '"2"')
        page.wait_for_message("before")
        page.wait_gone(".notice")
        ((cache, addresses),) = dict(self.ask(KEPT)).items()  # type: ignore[call-overload]
        self.assertNotEqual(cache.split()[-1], version)
        self.assertEqual({name.split("/")[0] for name in addresses}, {"", cache.split()[-1]})

        # A version that waits while one page is open replaces it when that is opened again.
        page.driver.switch_to.window(second)
        page.driver.close()
        page.driver.switch_to.window(first)
        with (server.static / "css" / "base.css").open("a") as style:
            style.write('body { --version: "3"; }\n')
        server.stop()
        server.start()
        page.driver.refresh()
        page.find(".notice", "new version")
        page.driver.refresh()
        page.wait_until(lambda: page.run(VERSION) == '"3"')
        page.wait_for_message("before")
        self.assertEqual(page.console_errors(), [])
