"""Take the screenshots of the page for the README: python -m tests.e2e.pictures [folder]"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.browser import Browser
from tests.e2e.server import TOP, Client, Server

USERS = ("mei", "tom", "ines", "kofi")
MESSAGES = (
    ("mei", "The first tomatoes are out :tomato: Anyone want a few seedlings?"),
    ("tom", "Yes please! I have **two** beds free since the beans are done."),
    ("tom", "When can I come by?"),
    ("mei", "Saturday morning? @anna, do you still want the basil?"),
    ("ines", "Fine with me. We need `labels`, the wooden ones."),
    ("kofi", "```\nplant   row  days\nbasil     1     7\nbeans     3    12\n```"),
)
#: What some messages get, by their beginnings: who reacts, and with what.
REACTIONS = {
    "The first": (("tom", "🍅"), ("ines", "🍅"), ("kofi", "🍅"), ("ines", "🎉")),
    "Fine with": (("mei", "👍"), ("tom", "👍")),
}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1.5, "mobile": True}
CLEAR = """
for (const notice of document.querySelectorAll('.notice button')) notice.click();
document.documentElement.dataset.theme = arguments[0];
document.body.getBoundingClientRect(); // starts the transitions of the colours
for (const animation of document.getAnimations()) {
  if (animation.effect.getComputedTiming().endTime < Infinity) animation.finish();
}
"""


def create_content(server: Server) -> dict[str, Client]:
    """Register users and create rooms. Returns a client for each user, without anna."""
    clients = {}
    for name in USERS:
        client = clients[name] = Client(server.ws_port)
        client.call("register", usr=name, pwd="long enough")
        client.call("login", type="reg", usr=name, pwd="long enough")
    clients["mei"].call(
        "create_room", room_name="garden", topic="What grows, and when: https://garden.example/plan"
    )
    clients["kofi"].call("create_room", room_name="reading group", topic="One book a month")
    clients["tom"].call("create_room", room_name="tools", topic="Who lends what")
    clients["ines"].call("create_room", room_name="harvest party", public=False)
    for name in ("tom", "ines", "kofi"):
        clients[name].call("join_room", room_name="garden")
    return clients


def converse(page: Browser, clients: dict[str, Client]) -> None:
    """Fill the page with a conversation, an invitation and unread messages."""
    clients["mei"].call("add_member", room_name="garden", user="anna")
    page.open_conversation("garden")
    seqs: list[int] = []
    for name, text in MESSAGES:
        more = {"reply": seqs[-1]} if text.startswith("Fine") else {}
        seqs.append(clients[name].call("speak", room_name="garden", msg=text, **more)["seq"])
        for start, reactions in REACTIONS.items():
            for user, emoji in reactions if text.startswith(start) else ():
                clients[user].call("react", room_name="garden", seq=seqs[-1], emoji=emoji)
        if "basil?" in text:
            page.send("Yes! I can bring the *big* pots, see https://garden.example/pots")
            page.wait_gone(".pending")
    clients["mei"].call("pin", room_name="garden", seq=seqs[0])
    clients["kofi"].call("invite", room_name="reading group", invitee="anna")
    clients["ines"].call("whisper", target_user="anna", msg="psst")
    clients["tom"].call("speak", room_name="lobby", msg="hello all")
    clients["tom"].call("add_member", room_name="tools", user="anna")
    clients["ines"].call("add_member", room_name="harvest party", user="anna")
    for text in ("Who brings chairs?", "@anna, can you bring the long table?"):
        clients["ines"].call("speak", room_name="harvest party", msg=text)
    clients["ines"].call("typing", room_name="garden")
    page.find(".typing", "ines")
    page.find(".place .badge.wanted", "1")
    page.find(".reaction", "3")
    page.find(".by > .icon")


def save_screenshot(page: Browser, theme: str, path: Path) -> None:
    """Save a screenshot, without notices and with the pointer away from everything.

    Args:
        page: The browser.
        theme: "light" or "dark".
        path: The PNG file to write.
    """
    page.driver.execute_cdp_cmd(
        "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 200, "y": 5}
    )
    page.driver.execute_script(CLEAR, theme)
    page.wait_gone(".notice")
    page.driver.save_screenshot(str(path))


def main(folder: Path) -> None:
    """Start a server, fill it, and save the screenshots in `folder`."""
    server = Server("--commands-per-second", "0").start()
    try:
        clients = create_content(server)
        page = Browser(f"http://127.0.0.1:{server.web_port}/", size="1200,900")
        try:
            page.log_in("anna", "long enough", "register")
            converse(page, clients)
            save_screenshot(page, "light", folder / "page.png")
            save_screenshot(page, "dark", folder / "page-dark.png")
            page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
            save_screenshot(page, "light", folder / "page-phone.png")
        finally:
            page.close()
    finally:
        server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else TOP / "docs" / "images")
