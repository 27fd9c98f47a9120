"""The page in headless Firefox, driven over WebDriver BiDi.

https://www.w3.org/TR/webdriver-bidi/. One Firefox serves all tests of a Python process. Each user
has a user context, with its own cookies and storage: `FirefoxBrowser`, which has the methods of
`Browser`. `Element` has those of Selenium's elements that they use.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar

import websocket
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import SECONDS, STAY, User

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
#: The reason to skip tests that need Firefox; "" if there is one.
MISSING = "" if FIREFOX else "firefox-esr is not installed"
#: What a profile needs: no pages, requests or updates of the browser's own.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.cache.disk.enable": False,
    "browser.newtabpage.enabled": False,
    "browser.places.importBookmarksHTML": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.search.update": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "browser.tabs.remote.separatePrivilegedContentProcess": False,
    "browser.topsites.contile.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "fission.autostart": False,
    "focusmanager.testmode": True,  # each tab takes itself for focused
    "intl.accept_languages": "en",
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "signon.rememberSignons": False,
    "toolkit.cosmeticAnimations.enabled": False,
    "toolkit.telemetry.server": "",
}
MODIFIERS = (Keys.SHIFT, Keys.CONTROL, Keys.ALT, Keys.META)
#: Returns whether a click on the middle of an element reaches it.
REACHABLE = """(element) => {
  element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  const { left, top, width, height } = element.getBoundingClientRect();
  const hit = document.elementFromPoint(left + width / 2, top + height / 2);
  return Boolean(hit) && (element.contains(hit) || hit.contains(element));
}"""


class BidiError(Exception):
    """A command failed. The first argument is its `error`, the second its `message`."""


class Firefox:
    """A Firefox process and the connection to it."""

    def __init__(self) -> None:
        assert FIREFOX
        self._profile = tempfile.mkdtemp(prefix="firefox-")
        lines = (f"user_pref({json.dumps(n)}, {json.dumps(v)});" for n, v in PREFERENCES.items())
        Path(self._profile, "user.js").write_text("\n".join(lines), encoding="utf-8")
        words = (FIREFOX, "--headless", "--no-remote", "--profile", self._profile)
        self._process = subprocess.Popen(
            (*words, "--remote-debugging-port=0"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        url = ""
        for line in self._process.stderr:
            if found := re.search(r"ws://\S+", line):
                url = f"{found[0]}/session"
                break
        assert url, "Firefox has ended"
        # A full pipe would stop it.
        self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._reader.start()
        self._socket = websocket.create_connection(url, timeout=2 * SECONDS, suppress_origin=True)
        self._last_id = 0
        self.logged: dict[str, list[str]] = {}
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])

    def call(self, method: str, **params: Any) -> Any:
        """Send a command and return its result.

        Raises:
            BidiError: it failed.
            StaleElementReferenceException: an element of it is no longer in the page.
        """
        self._last_id += 1
        self._socket.send(json.dumps({"id": self._last_id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "log.entryAdded":
                self._note(message["params"])
            if message.get("id") != self._last_id:
                continue
            if message["type"] == "success":
                return message["result"]
            if message["error"] in ("no such node", "stale element reference"):
                raise StaleElementReferenceException(message["message"])
            raise BidiError(message["error"], message["message"])

    def _note(self, entry: Any) -> None:
        """Keep a line of a page's console."""
        if entry["level"] in ("error", "warn"):
            context = entry["source"].get("context", "")
            self.logged.setdefault(context, []).append(entry.get("text") or "")

    def close(self) -> None:
        """End the process and delete its profile."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._reader.join(SECONDS)
        shutil.rmtree(self._profile, ignore_errors=True)


class Element:
    """An element of a page."""

    def __init__(self, browser: FirefoxBrowser, reference: Any) -> None:
        self._browser = browser
        self.reference = reference

    @property
    def text(self) -> str:
        """The text as shown."""
        return str(self._call("(element) => element.innerText"))

    def get_attribute(self, name: str) -> str | None:
        """Return an attribute, or the `value` of a field."""
        script = "(element, name) => name === 'value' ? element.value : element.getAttribute(name)"
        value: str | None = self._call(script, name)
        return value

    def click(self) -> None:
        """Click the middle of the element.

        Raises:
            StaleElementReferenceException: it is covered by another one, now.
        """
        if not self._call(REACHABLE):
            raise StaleElementReferenceException("it is covered")
        origin = {"type": "element", "element": {"sharedId": self.reference["sharedId"]}}
        moves = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._browser.perform({"type": "pointer", "id": "mouse", "actions": moves})

    def send_keys(self, *texts: str) -> None:
        """Focus the element and press keys. A modifier is held down until it is given again."""
        self._call("(element) => { if (document.activeElement !== element) element.focus(); }")
        self._browser.press(*texts)

    def _call(self, function: str, *arguments: Any) -> Any:
        return self._browser.call_function(function, self, *arguments)


class FirefoxBrowser(User):
    """A user of the page, with a tab and a storage of their own."""

    #: The process of all users; it ends with the Python process.
    _process: ClassVar[list[Firefox]] = []

    def __init__(self, url: str, size: str = "1200,800") -> None:
        if not self._process:
            self._process.append(Firefox())
            atexit.register(self._process[0].close)
        self.firefox = firefox = self._process[0]
        self._user = firefox.call("browser.createUserContext")["userContext"]
        created = firefox.call("browsingContext.create", type="window", userContext=self._user)
        self.context = created["context"]
        width, height = (int(number) for number in size.split(","))
        self.set_viewport(width, height)
        firefox.call(
            "script.addPreloadScript",
            functionDeclaration=f"() => {STAY}",
            contexts=[self.context],
        )
        firefox.call("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def set_viewport(self, width: int, height: int) -> None:
        """Set the size of the page, in CSS pixels."""
        self.firefox.call(
            "browsingContext.setViewport",
            context=self.context,
            viewport={"width": width, "height": height},
        )

    def call_function(self, function: str, *arguments: Any) -> Any:
        """Call a function of JavaScript and return its result.

        Args:
            function: its text.
            arguments: elements and strings.
        """
        values = [
            {"sharedId": one.reference["sharedId"]}
            if isinstance(one, Element)
            else {"type": "string", "value": one}
            for one in arguments
        ]
        reply = self.firefox.call(
            "script.callFunction",
            functionDeclaration=function,
            arguments=values,
            target={"context": self.context},
            awaitPromise=True,
        )
        if reply["type"] == "exception":
            raise BidiError("exception", reply["exceptionDetails"]["text"])
        return self._value(reply["result"])

    def _value(self, remote: Any) -> Any:
        """Return a remote value as a value of Python."""
        if remote["type"] == "node":
            return Element(self, remote)
        if remote["type"] == "array":
            return [self._value(one) for one in remote["value"]]
        return remote.get("value")

    def call(self, function: str, *arguments: str) -> Any:
        """Call a function of JavaScript; return its result, or that of its promise."""
        return self.call_function(function, *arguments)

    def run(self, script: str) -> Any:
        """Run the body of a function of JavaScript and return its result."""
        return self.call_function(f"() => {{ {script} }}")

    def press(self, *texts: str) -> None:
        """Press keys where the focus is; see `Element.send_keys`."""
        held: list[str] = []
        actions = []
        for key in "".join(texts):
            if key in MODIFIERS and key not in held:
                held.append(key)
                actions.append({"type": "keyDown", "value": key})
            elif key in MODIFIERS:
                held.remove(key)
                actions.append({"type": "keyUp", "value": key})
            else:
                actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        actions += [{"type": "keyUp", "value": key} for key in held]
        self.perform({"type": "key", "id": "keyboard", "actions": actions})

    def perform(self, source: dict[str, Any]) -> None:
        """Perform the actions of an input source."""
        self.firefox.call("input.performActions", context=self.context, actions=[source])

    def go_back(self) -> None:
        """Go back in the history of the tab."""
        self.firefox.call("browsingContext.traverseHistory", context=self.context, delta=-1)

    def console_errors(self) -> list[str]:
        """Return the errors and warnings in the console, except lost connections."""
        lines = self.firefox.logged.get(self.context, [])
        return [line for line in lines if "WebSocket" not in line and "connection" not in line]

    def close(self) -> None:
        """Close the tab and delete what it has stored."""
        self.firefox.call("browser.removeUserContext", userContext=self._user)
