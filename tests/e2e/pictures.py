"""Makes the README's pictures of the page anew: python -m tests.e2e.pictures [folder]"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.browser import Browser
from tests.e2e.server import TOP, Client, Server

PEOPLE = ("mei", "tom", "ines", "kofi")
SAID = (
    ("mei", "The first tomatoes are out :tomato: Anybody with room for a few seedlings?"),
    ("tom", "Yes please! I have **two** beds free since the beans are done."),
    ("tom", "When can I come by?"),
    ("mei", "Saturday morning? @anna, do you still want the basil?"),
    ("ines", "> Saturday morning?\n\nFine with me. We need `labels`, the wooden ones."),
    ("kofi", "```\nplant   row  days\nbasil     1     7\nbeans     3    12\n```"),
    ("mei", ":tada:"),
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1.5, "mobile": True}
QUIET = """
for (const notice of document.querySelectorAll('.notice button')) notice.click();
document.documentElement.dataset.theme = arguments[0];
"""


def furnish(server: Server) -> dict[str, Client]:
    """People and rooms, without anna."""
    people = {}
    for name in PEOPLE:
        client = people[name] = Client(server.ws_port)
        client.say("register", usr=name, pwd="long enough")
        client.say("login", type="reg", usr=name, pwd="long enough")
    people["mei"].say("create_room", room_name="garden", topic="What grows, and when")
    people["kofi"].say("create_room", room_name="reading group", topic="One book a month")
    people["tom"].say("create_room", room_name="tools", topic="Who lends what")
    for name in ("tom", "ines", "kofi"):
        people[name].say("join_room", room_name="garden")
    return people


def talk(page: Browser, people: dict[str, Client]) -> None:
    """What is to be seen."""
    people["mei"].say("add_member", room_name="garden", user="anna")
    page.look("garden")
    for name, text in SAID:
        people[name].say("speak", room_name="garden", msg=text)
        if "basil?" in text:
            page.say("Yes! I can bring the *big* pots, see https://garden.example/pots")
            page.until(lambda: not page.all(".waiting"))
    people["kofi"].say("invite", room_name="reading group", invitee="anna")
    people["ines"].say("whisper", target_user="anna", msg="psst")
    people["tom"].say("speak", room_name="lobby", msg="hello all")
    people["ines"].say("typing", room_name="garden")
    page.one(".typing", "ines")
    page.one(".place .count.mentioned", "1")


def take(page: Browser, theme: str, path: Path) -> None:
    """One picture, of a page on which nothing moves any more."""
    page.driver.execute_cdp_cmd(
        "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 200, "y": 5}
    )
    page.driver.execute_script(QUIET, theme)
    page.until(lambda: not page.all(".notice"))
    page.driver.save_screenshot(str(path))


def main(folder: Path) -> None:
    """Furnish a server, and take the pictures."""
    server = Server("--commands-per-second", "0").start()
    try:
        people = furnish(server)
        page = Browser(f"http://127.0.0.1:{server.web_port}/", size="1200,900")
        try:
            page.come_in("anna", "long enough", "register")
            talk(page, people)
            take(page, "light", folder / "page.png")
            take(page, "dark", folder / "page-dark.png")
            page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
            take(page, "light", folder / "page-phone.png")
        finally:
            page.close()
    finally:
        server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else TOP / "docs" / "images")
