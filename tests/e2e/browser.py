"""A page of GTChat in headless Chromium, driven as a person would: by what is seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

SECONDS = 20
STATIC = Path(__file__).resolve().parents[2] / "static"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
#: Why tests with a browser can't run here; "" if they can.
MISSING = "" if CHROMIUM and DRIVER else "chromium and chromium-driver are not installed"


class Browser:
    """One browser with a profile of its own."""

    def __init__(self, url: str, size: str = "1200,800") -> None:
        options = Options()
        options.binary_location = CHROMIUM or ""
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--window-size={size}",
            "--lang=en",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.get(url)

    def until(self, found: Callable[[], Any]) -> Any:
        """Wait until something is so, and give it."""
        wait: WebDriverWait[Any] = WebDriverWait(
            self.driver, SECONDS, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: found())

    def all(self, css: str) -> list[WebElement]:
        """What a selector finds, now."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str, text: str = "") -> WebElement:
        """The first element of a selector whose text or label has `text`; waits for it."""

        def found() -> WebElement | None:
            for element in self.all(css):
                label = element.get_attribute("aria-label") or ""
                if text in element.text or text in label:
                    return element
            return None

        element: WebElement = self.until(found)
        return element

    def click(self, css: str, text: str = "") -> None:
        """Click on it."""
        self.until(lambda: self._clicked(css, text))

    def _clicked(self, css: str, text: str) -> bool:
        self.one(css, text).click()
        return True

    def fill(self, name: str, value: str) -> None:
        """Write into the field of a form."""
        field = self.one(f"[name={name}]")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value)

    def enter(self, name: str, password: str = "", way: str = "guest") -> None:
        """Come in by the form."""
        self.click(f"label:has(> input[value={way}])")
        self.fill("name", name)
        if way != "guest":
            self.fill("password", password)
        if way == "register":
            self.fill("again", password)
        self.click("form button.primary:not(:disabled)")

    def come_in(self, name: str, password: str = "", way: str = "guest") -> None:
        """Come in, and wait until the house is there."""
        self.enter(name, password, way)
        self.one(".composer textarea")

    def say(self, text: str) -> None:
        """Write a message."""
        box = self.one(".composer textarea")
        box.send_keys(text.replace("\n", Keys.SHIFT + Keys.ENTER + Keys.SHIFT), Keys.ENTER)

    def texts(self) -> list[str]:
        """The messages that are shown, those on their way too."""
        texts: list[str] = self.driver.execute_script(
            "return [...document.querySelectorAll('.log .text')].map(e => e.textContent)"
        )
        return texts

    def hears(self, text: str) -> None:
        """Wait for a message."""
        self.until(lambda: text in self.texts())

    def look(self, room: str) -> None:
        """Go to a room or a talk at the left."""
        self.click(".sidebar .place", room)
        self.one(".conversation .bar h2", room)

    def complaints(self) -> list[str]:
        """What the browser's console complains of, but for lost connections."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
            and "WebSocket" not in entry["message"]
            and "ERR_CONNECTION" not in entry["message"]
        ]

    def close(self) -> None:
        """Leave."""
        self.driver.quit()
