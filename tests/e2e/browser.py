"""The page in a headless browser, driven through what a user sees.

A `Browser` is one user in Chromium; firefox.py has the same for Firefox. Methods wait up to
`SECONDS`, because the page draws after the call that changes it. They wait within the page where
they can: each question from outside costs time of three processes. What is read at once (`run`,
`texts`, an attribute) is compared by `expect`, which waits. Before a test says that something is
not there, it waits for what is drawn together with it.
"""

from __future__ import annotations

import atexit
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

#: Long, so that tests pass on a busy machine.
SECONDS = 60
#: Seconds between the first two questions of `wait_until`, the factor by which they grow, and the
#: longest ones.
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.02, 1.5, 0.2
STATIC = Path(__file__).resolve().parents[2] / "static"
#: The headless shell is Chromium without the windows of a desktop: it needs half the time to start,
#: to open a tab and to load a page.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
#: Options that save what no test observes: animations, what a desktop browser does besides, and the
#: walls between pages of several sites: a page that is opened costs a fifth less without a process
#: of its own, one for the graphics, and one that waits for the next page. Scripts run so short that
#: it does not pay to optimize them.
FRUGAL = (
    "--force-prefers-reduced-motion",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-breakpad",
    "--disable-spell-checking",
    "--disable-features=PaintHolding,Translate,OptimizationHints,MediaRouter,"
    "AutofillServerCommunication,CalculateNativeWinOcclusion,BackForwardCache,"
    "SpareRendererForSitePerProcess,IsolateOrigins,site-per-process",
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
    "--in-process-gpu",
    "--js-flags=--no-opt",
)
#: Waits until a function of the arguments returns something, and returns it; null after 2 seconds.
#: The function is called when the page changes, and from time to time: styles change without it.
WAIT = """(...args) => new Promise((resolve) => {
  const end = performance.now() + 2000;
  let due = false;
  const check = () => {
    due = false;
    const found = (%s)(...args);
    if (!found && performance.now() < end) return;
    observer.disconnect();
    clearInterval(timer);
    resolve(found || null);
  };
  const observer = new MutationObserver(() => {
    if (!due) setTimeout(check);
    due = true;
  });
  observer.observe(document,
    { subtree: true, childList: true, attributes: true, characterData: true });
  const timer = setInterval(check, 100);
  check();
})"""
#: Returns the first element for a selector that has a text that is shown, or is its label.
FIRST = """(css, text) => [...document.querySelectorAll(css)].find((element) => !text
  || (element.checkVisibility() && element.innerText.replace(/\\s+/g, ' ').includes(text))
  || (element.getAttribute('aria-label') || '').includes(text))"""
#: Returns the text of that element, in a list.
FOUND_TEXT = (
    f"(...args) => {{ const found = ({FIRST})(...args); return found && [found.innerText]; }}"
)
#: Returns the texts of all elements that match a selector, if there is one.
TEXTS = """(css) => {
  const found = [...document.querySelectorAll(css)];
  return found.length && found.map((element) => element.innerText);
}"""
#: Whether a number of elements match a selector.
COUNTED = "(css, count) => document.querySelectorAll(css).length === Number(count)"
#: Waits until what was changed before is drawn; a page that is not seen draws seldom.
DRAWN = """() => new Promise((resolve) => {
  if (document.visibilityState === 'visible') requestAnimationFrame(() => setTimeout(resolve));
  else setTimeout(resolve, 1000);
})"""
#: Closes the notices. Whether there is none.
DISMISSED = """() => {
  for (const button of document.querySelectorAll('.notice .icon-button')) button.click();
  return !document.querySelector('.notice');
}"""
#: Whether a message with a text is shown.
SHOWN = "(text) => [...document.querySelectorAll('.log .text')].some(e => e.textContent === text)"
#: Fills in the form to log in and submits it; a step at each call, as the page draws between them.
#: Whether it is submitted.
LOG_IN = """(mode, name, password) => {
  const radio = document.querySelector(`form input[value=${mode}]`);
  if (!radio?.checked) {
    radio?.click();
    return false;
  }
  const values = { name, ...(mode !== 'guest' && { password }) };
  const fields = Object.keys(values).map((key) => document.querySelector(`form [name=${key}]`));
  const missing = fields.filter((field) => field?.value !== values[field?.name]);
  for (const field of missing.filter(Boolean)) {
    field.value = values[field.name];
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
  const button = document.querySelector('form button.primary:not(:disabled)');
  if (missing.length || !button) return false;
  button.click();
  return true;
}"""
#: Gives a field the focus and replaces its text, as from an input method. Whether it could.
FILL = """(name, value) => {
  const field = document.querySelector(`[name=${name}]`);
  if (!field || field.disabled) return false;
  field.focus();
  field.select();
  return document.activeElement === field && document.execCommand('insertText', false, value);
}"""
#: Chooses an option of a list. Whether it could.
CHOOSE = """(name, value) => {
  const list = document.querySelector(`select[name=${name}]:not(:disabled)`);
  if (![...list?.options ?? []].some((option) => option.value === value)) return false;
  list.value = value;
  list.dispatchEvent(new Event('change', { bubbles: true }));
  return true;
}"""
#: Inserts a text into a field; the focus may have moved since its first character.
INSERT = """const [field, text] = arguments;
  field.focus();
  document.execCommand('insertText', false, text);"""
#: Whether the message box has an edited text and the caret at its end, where the page puts it last.
EDITED = """(text) => {
  const box = document.querySelector('.composer .editing textarea');
  return box?.value === text && box === document.activeElement
    && box.selectionStart === text.length;
}"""
#: The constants in which the page has the times for which it shows something, by script.
SHOWN_FOR = {"views/log.js": "LIT", "views/status.js": "NOTICE_SHOWN", "actions.js": "TYPING_SHOWN"}


def milliseconds(script: str, name: str) -> int:
    """Return a time of the page by the script and the constant in which it is."""
    source = (STATIC / "js" / script).read_text(encoding="utf-8")
    found = re.search(rf"const {name} = (\d+);", source)
    assert found, f"{script} has no {name}"
    return int(found[1])


#: Has the page show for minutes what it shows for seconds: a message that was jumped to, notices,
#: who is typing. On a busy machine they may end before a test looks.
STAY = """(() => {
  const { setTimeout } = window;
  window.setTimeout = (call, time, ...args) => (
    setTimeout(call, %s.includes(time) ? 100 * time : time, ...args));
})()""" % [milliseconds(*one) for one in SHOWN_FOR.items()]
#: What Chromium deletes of what pages have stored.
EVERYTHING = {"origin": "*", "storageTypes": "all"}
#: The reason to skip tests that need a browser; "" if there is one.
MISSING = "" if CHROMIUM and DRIVER else "chromium and chromium-driver are not installed"


class User(ABC):
    """A user of the page: what the drivers of all browsers have in common.

    Elements have `text`, `get_attribute`, `click` and `send_keys`, as those of Selenium.
    """

    @abstractmethod
    def run(self, script: str) -> Any:
        """Run the body of a function of JavaScript and return its result."""

    @abstractmethod
    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""

    @abstractmethod
    def set_viewport(self, width: int, height: int) -> None:
        """Set the size of the page, in CSS pixels."""

    @abstractmethod
    def go_back(self) -> None:
        """Go back in the history of the tab."""

    @abstractmethod
    def console_errors(self) -> list[str]:
        """Return the errors and warnings in the browser's console, except lost connections."""

    @abstractmethod
    def close(self) -> None:
        """Close the page and what it has stored."""

    @abstractmethod
    def call(self, function: str, *arguments: str) -> Any:
        """Call a function of JavaScript; return its result, or that of its promise."""

    def wait_until(self, found: Callable[[], Any], what: str = "") -> Any:
        """Wait until `found` returns a true value, and return it.

        Raises:
            TimeoutException: it did not within `SECONDS`; its message is `what`.
        """
        end = time.monotonic() + SECONDS
        pause = FIRST_PAUSE
        while True:
            with suppress(StaleElementReferenceException):
                if value := found():
                    return value
            if time.monotonic() > end:
                raise TimeoutException(what)
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    def expect(self, read: Callable[[], Any], expected: Any) -> None:
        """Wait until a function returns what is expected.

        Raises:
            AssertionError: it did not within `SECONDS`.
        """
        found = None

        def is_expected() -> bool:
            nonlocal found
            found = read()
            return bool(found == expected)

        with suppress(TimeoutException):
            self.wait_until(is_expected)
        assert found == expected, f"{found!r} instead of {expected!r}"

    def wait_in_page(self, function: str, *arguments: str) -> Any:
        """Wait until a function of JavaScript returns a true value in the page, and return it."""

        def found() -> Any:
            # A page that is left takes the function with it.
            with suppress(JavascriptException):
                return self.call(WAIT % function, *arguments)

        return self.wait_until(found, f"{function}({', '.join(arguments)})")

    def find(self, css: str, text: str = "") -> WebElement:
        """Wait for an element and return it.

        Args:
            css: A CSS selector; the first match that contains `text` is returned.
            text: A part of its text or of its `aria-label`.
        """
        element: WebElement = self.wait_in_page(FIRST, css, text)
        return element

    def text_of(self, css: str, text: str = "") -> str:
        """Return the text of the element that `find` finds, which may be drawn anew meanwhile."""
        found: list[str] = self.wait_in_page(FOUND_TEXT, css, text)
        return found[0]

    def texts_of(self, css: str) -> list[str]:
        """Wait until an element matches a CSS selector; return the texts of all that do."""
        found: list[str] = self.wait_in_page(TEXTS, css)
        return found

    def wait_count(self, css: str, count: int) -> None:
        """Wait until so many elements match a CSS selector."""
        self.wait_in_page(COUNTED, css, str(count))

    def wait_gone(self, css: str) -> None:
        """Wait until no element matches a CSS selector."""
        self.wait_count(css, 0)

    def click(self, css: str, text: str = "") -> None:
        """Click the element that `find` returns, once nothing covers it."""
        self.wait_until(lambda: self._clicked(css, text), f"a click on {css} {text}")

    def _clicked(self, css: str, text: str) -> bool:
        with suppress(ElementClickInterceptedException, ElementNotInteractableException):
            self.find(css, text).click()
            return True
        return False

    def type(self, field: Any, text: str) -> None:
        """Type a text of one line at the end of a field."""
        field.send_keys(text)

    def fill(self, name: str, value: str) -> None:
        """Replace the value of a form field, at once."""
        self.wait_in_page(FILL, name, value)

    def choose(self, name: str, value: str) -> None:
        """Choose an option of a list by its value, once it is offered."""
        self.wait_in_page(CHOOSE, name, value)

    def submit_login(self, name: str, password: str = "", mode: str = "guest") -> None:
        """Fill in and submit the login form. `mode`: guest, member or register."""
        self.click(f"label:has(> input[value={mode}])")
        self.fill("name", name)
        if mode != "guest":
            self.fill("password", password)
        self.click("form button.primary:not(:disabled)")

    def log_in(self, name: str, password: str = "", mode: str = "guest") -> None:
        """Log in and wait for the message box. `mode`: guest, member or register.

        The form is filled in at once: without keys and clicks, which `submit_login` uses, that
        takes a third of the time.
        """
        self.wait_in_page(LOG_IN, mode, name, password)
        self.find(".composer textarea")

    def log_out(self, unsent: bool = False) -> None:
        """Log out by the menu of the own account.

        Args:
            unsent: whether messages are left unsent, of which the page asks.
        """
        if not unsent:
            self.wait_sent()
        self.click(".account .own")
        self.click(".menu-item", "Log out")

    def open_settings(self, page: str) -> None:
        """Open a page of the settings: Profile, Devices, Notifications, Appearance or Account."""
        self.click(".account button", "Settings")
        self.click(".settings nav button", page)

    def dismiss_notices(self) -> None:
        """Close the notices: messages move when they appear and end."""
        self.wait_in_page(DISMISSED)

    def hover(self, text: str) -> None:
        """Move the pointer to a message, so that its toolbar is shown."""
        self.dismiss_notices()
        self.wait_until(lambda: self._hovered(text), f"the toolbar of {text}")

    def _hovered(self, text: str) -> Any:
        ActionChains(self.driver).move_to_element(self.find(".log .entry", text)).perform()
        # What was drawn meanwhile may have moved another message below the pointer.
        return self.call(WAIT % FIRST, ".log .entry:has(.toolbar)", text)

    def open_card(self, name: str) -> None:
        """Open the card of a member of the open room."""
        self.click(".members .person", name)
        self.find(".person-card h2", name)

    def message_member(self, name: str) -> None:
        """Open the direct conversation with a member of the open room."""
        self.open_card(name)
        self.click(".person-card button", "Message")
        self.find(".bar h1", name)

    def open_panel(self, button: str) -> None:
        """Open a panel by its button in the header: About, Pinned or members."""
        self.click(".conversation .bar button", button)
        self.find(".panel")

    def close_dialog(self) -> None:
        """Close the open dialog by the keyboard."""
        self.press(Keys.ESCAPE)
        self.wait_gone("dialog")

    def send(self, text: str) -> None:
        """Type a message into the message box and send it."""
        box = self.find(".composer textarea")
        first, *others = text.split("\n")
        self.type(box, first)
        for line in others:
            box.send_keys(Keys.SHIFT, Keys.ENTER)
            self.type(box, line)
        box.send_keys(Keys.ENTER)

    def rewrite(self, old: str, new: str) -> None:
        """Send another text for a message whose edit has begun."""
        self.wait_in_page(EDITED, old)
        self.find(".composer textarea").send_keys(Keys.CONTROL, "a")
        self.send(new)

    def wait_sent(self) -> None:
        """Wait until the server has confirmed what was sent and edited in the open conversation."""
        self.call(DRAWN)
        self.wait_gone(".pending, .message.sending")

    def texts(self) -> list[str]:
        """Return the texts of the messages shown now, including unconfirmed ones."""
        texts: list[str] = self.run(
            "return [...document.querySelectorAll('.log .text')].map(e => e.textContent)"
        )
        return texts

    def wait_for_message(self, text: str) -> None:
        """Wait until a message with this text is shown."""
        self.wait_in_page(SHOWN, text)

    def open_conversation(self, name: str) -> None:
        """Open a room or a direct conversation from the sidebar."""
        self.click(".sidebar .place", name)
        self.find(".conversation .bar h1", name)


class Browser(User):
    """Chromium with its own profile, showing one page. Processes are used again; see `close`."""

    #: Processes that no test uses at the moment.
    _idle: ClassVar[list[webdriver.Chrome]] = []

    def __init__(self, url: str, size: str = "1200,800") -> None:
        self.driver = self._idle.pop() if self._idle else self._start()
        width, height = size.split(",")
        self.driver.set_window_size(int(width), int(height))
        self.driver.execute_cdp_cmd("Page.bringToFront", {})  # a new tab has no focus
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": STAY})
        self.driver.get(url)

    @classmethod
    def _start(cls) -> webdriver.Chrome:
        """Start a process, which ends with the Python process."""
        options = Options()
        options.binary_location = CHROMIUM or ""
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1200,800",
            "--lang=en",
            *FRUGAL,
        ):
            options.add_argument(argument)
        options.timeouts = {"script": 1000 * SECONDS}  # axe takes long on a busy machine
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        atexit.register(cls._end, driver)
        return driver

    @staticmethod
    def _end(driver: webdriver.Chrome) -> None:
        """End a process. Debian starts Chromium by a shell, and the driver kills only that."""
        with suppress(WebDriverException):  # there is no reply
            driver.execute_cdp_cmd("Browser.close", {})
        driver.quit()

    def call(self, function: str, *arguments: str) -> Any:
        """Call a function of JavaScript; return its result, or that of its promise."""
        return self.driver.execute_script(f"return ({function})(...arguments)", *arguments)

    def run(self, script: str) -> Any:
        """Run the body of a function of JavaScript and return its result."""
        return self.driver.execute_script(script)

    def type(self, field: WebElement, text: str) -> None:
        """Type a text of one line at the end of a field.

        Only the first character is a key; the others come at once, as from an input method: each
        key costs three hundredths of a second of a core.
        """
        field.send_keys(text[:1])
        if text[1:]:
            self.driver.execute_script(INSERT, field, text[1:])

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def set_viewport(self, width: int, height: int) -> None:
        """Set the size of the page, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def go_back(self) -> None:
        """Go back in the history of the tab."""
        self.driver.back()

    def console_errors(self) -> list[str]:
        """Return the errors and warnings in the browser's console, except lost connections."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
            and "WebSocket" not in entry["message"]
            and "ERR_CONNECTION" not in entry["message"]
        ]

    def close(self) -> None:
        """Close the page, delete what it has stored, and keep the process for the next `Browser`.

        Emulations, injected scripts and the storage of a tab end with the tab.
        """
        driver = self.driver
        driver.execute_cdp_cmd("Storage.clearDataForOrigin", EVERYTHING)
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        old = driver.window_handles
        driver.switch_to.new_window("tab")
        new = driver.current_window_handle
        for handle in old:
            driver.switch_to.window(handle)
            driver.close()
        driver.switch_to.window(new)
        driver.get_log("browser")
        self._idle.append(driver)
