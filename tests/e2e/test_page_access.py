"""How the page is reached, and by which users.

Axe finds no violation in any view, in the dark and the light theme. Behind a proxy the page works
under a path, and a second visit loads nothing but what may have changed. A page of another host can
connect where the operator allows its Origin.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import socketserver
import threading
from functools import partial
from pathlib import Path
from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import SECONDS, Client, Server

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Whether something lies over the message box, or over the last message.
COVERED = """
const covered = (css) => {
  const { left, top, width, height } = [...document.querySelectorAll(css)].at(-1)
    .getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  return !there?.closest('.composer, .log');
};
return ['#say', '.log .text'].filter(covered);
"""
#: Notices that are not above the message box, or not below the log.
DISTANT = """
const [box, log] = ['.composer', '.log'].map((css) => (
  document.querySelector(css).getBoundingClientRect()));
return [...document.querySelectorAll('.notice')].map((notice) => notice.getBoundingClientRect())
  .filter(({ top, bottom }) => top < log.bottom || bottom > box.top);
"""


class PathProxy(socketserver.ThreadingTCPServer):
    """A reverse proxy that serves a server under `/chat/`.

    Args:
        port: web port of the server.

    Attributes:
        paths: those that were asked for.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), PathProxyHandler)
        self.server_port = port
        self.paths: list[str] = []


class PathProxyHandler(socketserver.BaseRequestHandler):
    """One connection of a `PathProxy`."""

    def handle(self) -> None:
        """Copy both ways, with `/chat/` removed from the paths of requests."""
        proxy: Any = self.server
        with socket.create_connection(("127.0.0.1", proxy.server_port), SECONDS) as server:
            server.settimeout(None)
            threading.Thread(target=copy, args=(server, self.request), daemon=True).start()
            with contextlib.suppress(OSError):
                while data := self.request.recv(65536):
                    proxy.paths += re.findall(r"GET (\S+) HTTP", data.decode("latin-1"))
                    server.sendall(data.replace(b"GET /chat/", b"GET /"))
                server.shutdown(socket.SHUT_RDWR)


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side closes."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


class Proxied(TestCase):
    """The page behind a reverse proxy, under a path."""

    skip = MISSING or None

    def setUp(self) -> None:
        server = Server("--store", "memory").start()
        self.addCleanup(server.kill)
        self.proxy = PathProxy(server.web_port)
        thread = threading.Thread(target=self.proxy.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        self.url = f"http://127.0.0.1:{self.proxy.server_address[1]}/chat/"
        self.page = Browser(self.url)
        self.addCleanup(self.page.close)

    def test_a_user_can_log_in_and_speak(self) -> None:  # N14
        self.page.log_in("ann")
        self.page.send("under a path")
        self.page.wait_for_message("under a path")
        self.assertIn("/chat/ws", self.proxy.paths)
        self.assertEqual([path for path in self.proxy.paths if not path.startswith("/chat/")], [])
        self.assertEqual(self.page.console_errors(), [])

    def test_a_second_visit_loads_nothing_but_what_may_have_changed(self) -> None:
        page = self.page
        page.find("form")
        page.driver.execute_async_script("navigator.serviceWorker.ready.then(arguments[0])")

        def names() -> list[str]:
            return [path.rpartition("/")[2] for path in self.proxy.paths]

        # The service worker takes the files from the cache of the browser, but makes sure that the
        # page is of the same version. Not all browsers load the manifest at once.
        expected = {"", "logo.svg", "scripts.js", "service-worker.js", "site.json", "styles.css"}
        page.wait_until(lambda: expected <= {*names()})
        self.assertEqual({*names()} - {"manifest.webmanifest"}, expected)
        self.assertEqual(names().count("scripts.js") + names().count("styles.css"), 2)
        self.proxy.paths.clear()
        page.driver.get("about:blank")
        page.driver.get(self.url)
        page.find("form")
        page.wait_until(lambda: {"service-worker.js", "site.json"} <= {*names()})
        others = [name for name in names() if name != "manifest.webmanifest"]
        self.assertEqual(sorted(others), ["service-worker.js", "site.json"])
        self.assertEqual(page.console_errors(), [])


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing."""


class OtherHost(TestCase):
    """The page in `examples/web`, served from another port than the server's."""

    skip = MISSING or None

    def setUp(self) -> None:
        site = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(QuietFiles, directory=str(EXAMPLES))
        )
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        self.port = site.server_address[1]
        allowed = ("--allowed-origins", f"http://127.0.0.1:{self.port}")
        self.server = Server("--store", "memory", *allowed).start()
        self.addCleanup(self.server.kill)

    def connect(self, page: Browser, host: str) -> None:
        """Open the page by a name of its host, and connect to the server."""
        page.driver.get(f"http://{host}:{self.port}/web/")
        page.find("#name").send_keys("ann")
        address = page.find("#url")
        address.clear()
        address.send_keys(f"ws://127.0.0.1:{self.server.ws_port}/")
        page.click("#connect")

    def test_the_origin_that_is_allowed_can_connect_and_no_other(self) -> None:
        page = Browser("about:blank")
        self.addCleanup(page.close)
        self.connect(page, "127.0.0.1")
        page.find("#state", "up")
        bob = Client(self.server.ws_port)
        self.addCleanup(bob.close)
        bob.call("login", type="tmp", usr="bob")
        bob.call("speak", room_name="lobby", msg="hello, ann")
        page.find("#log p", "hello, ann")
        page.find("#text").send_keys("hello, bob", Keys.ENTER)
        spoken = next(one for one in iter(bob.message, None) if one["cmd"] == "c_speak")
        self.assertEqual(spoken["msg"], "hello, bob")

        page.driver.get_log("browser")
        self.connect(page, "localhost")  # the same page, another origin
        page.wait_until(lambda: "403" in str(page.driver.get_log("browser")))
        page.find("#state", "closed")
        refused = rf"refused 127\.0\.0\.1: 403, .* origin '?http://localhost:{self.port}"
        page.wait_until(lambda: re.search(refused, "".join(self.server.lines)))


class AccessTest(TestCase):
    """One browser opens every view."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.found: list[str] = []
        self.server = Server(*("--commands-per-second", "0", "--broadcast-key", "key")).start()
        self.addCleanup(self.server.kill)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        axe.load(self.page)

    def check(self, view: str, *themes: str) -> None:
        """Run axe on the page, by default in both themes; violations are kept in `found`.

        In the second theme only the contrast is checked: nothing else differs.
        """
        for number, theme in enumerate(themes or ("dark", "light")):
            for found in axe.violations(self.page, theme, only_contrast=number > 0):
                self.found.append(f"{view}, {theme}: {found}")

    def test_no_view_in_chinese_has_a_violation(self) -> None:
        page = self.page
        page.find(".login footer select").send_keys("中")
        page.find("button.primary", "登录")
        self.check("login", "dark")
        page.submit_login("安娜", "long enough", "register")
        page.find(".composer textarea")
        page.send("你好")
        page.wait_for_message("你好")
        self.check("a conversation", "light")
        page.click(".log button.name", "安娜")
        page.find(".person-card")
        self.check("the own card", "dark")
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        page.click(".conversation .bar button", "关于此房间")
        page.find(".panel.about")
        self.check("about a room", "light")
        box = page.find(".composer textarea")
        page.type(box, "x" * 3600)
        box.send_keys(Keys.ARROW_UP)
        page.find(".composer .count")
        self.check("a long text", "dark")
        page.click(".account .icon-button")
        page.find(".settings nav button")
        for number, name in enumerate(page.texts_of(".settings nav .menu-item")[:5]):
            page.click(".settings nav .menu-item", name)
            page.find(".settings nav button[aria-current]", name)
            self.check(f"settings: page {number}", "light" if number % 2 else "dark")
        page.close_dialog()
        for css, view in (
            (".heading .icon-button", "new room"),
            (".switcher-button", "quick switcher"),
        ):
            page.click(css)
            page.find("dialog")
            self.check(view, "dark")
            page.close_dialog()
        page.click(".sidebar .place", "提及")
        page.find(".panel.mentions .empty")
        self.check("no mentions", "dark")
        page.click(".sidebar .place", "浏览房间")
        page.find(".room-row", "lobby")
        self.check("rooms to browse", "light")
        self.assertEqual([], self.found, "\n".join(self.found))

    def check_dialog(self, button: str, view: str) -> None:
        """Open a dialog by a button, check it, and close it."""
        page = self.page
        page.click("button", button)
        page.find("dialog")
        self.check(view)
        page.close_dialog()
        page.wait_gone("dialog")

    def check_settings(self) -> None:
        """Check each page of the settings, and the dialogs that they lead to."""
        page = self.page
        for name in ("Profile", "Devices", "Notifications", "Appearance", "Account"):
            page.open_settings(name)
            self.check(f"settings: {name}")
            page.close_dialog()
        for line in ("Change password", "Blocked users", "Delete account", "Broadcast"):
            page.open_settings("Account")
            page.click(".settings .line", line)
            page.find("dialog:not(.settings)")
            self.check(f"settings: {line}")
            page.click("dialog button", "Close")
            page.find(".settings")
            page.close_dialog()

    def check_what_is_new(self, bob: Client) -> None:
        """Check a muted room with new messages, jumps to them, and a text that is too long."""
        page = self.page
        page.open_panel("About")
        page.click(".about label:has([value=none])")
        page.open_conversation("lobby")
        for number in range(40):
            bob.call("speak", room_name="garden", msg=f"new {number}")
        bob.call("typing", room_name="lobby")
        page.find(".typing", "bob is typing")  # it comes behind the messages
        page.find(".place.muted", "garden")
        self.check("a muted room")
        page.open_conversation("garden")
        page.find(".jump.up", "40 new since")
        page.type(page.find(".composer textarea"), "x" * 4100)
        page.find(".too-long")
        page.find(".log").send_keys(Keys.PAGE_UP)
        page.find(".jump:not(.up)")
        self.check("new messages and a long text")
        page.find(".composer textarea").send_keys(Keys.CONTROL, "a", Keys.BACK_SPACE)
        page.click(".jump:not(.up)")  # what follows looks at the last message

    def check_notice(self, bob: Client, pane: str) -> None:
        """Have a notice shown in a pane, which covers neither the message box nor a message."""
        page = self.page
        page.dismiss_notices()
        bob.call("broadcast", msg="The server rests at noon.", broadcast_key="key")
        page.find(f"{pane} .notice", "at noon")
        page.wait_count(".notice", 1)
        if pane == ".conversation":
            page.expect(lambda: page.run(COVERED), [])
            page.expect(lambda: page.run(DISTANT), [])

    def check_people(self) -> None:
        """Check the card of a user, from a member and from a name in the log."""
        page = self.page
        page.open_card("bob")
        self.check("the card of a user")
        page.click(".person-card .menu-item", "Remove from room")
        page.find("dialog")
        self.check("the question before a user is removed")
        page.close_dialog()
        page.click(".log button.name", "bob")
        page.find(".person-card")
        self.check("the card of an author")
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)

    def check_messages(self) -> None:
        """Check what is done with messages: reactions, replies, edits, deletions, the menu."""
        page = self.page
        page.hover("mine")
        page.click(".toolbar button", "React with 👍")
        page.find(".reaction[aria-pressed=true]", "👍")
        page.click(".toolbar button", "Reply")
        page.find(".composer .about", "Reply to ann")
        self.check("a reply that is written, and the toolbar")
        page.send("an answer")
        page.find(".reply-line", "mine")
        page.wait_gone(".pending")
        page.hover("mine")
        page.click(".toolbar button", "More")
        page.find("[role=menu]")
        self.check("the menu of a message")
        page.click(".menu-item", "Pin")
        page.find(".by .icon, .pinned-mark")
        page.hover("an answer")
        page.click(".toolbar button", "Edit")
        page.find(".composer .about", "Edit message")
        self.check("an edit")
        page.rewrite("an answer", "an answer!")
        page.find(".edited")
        page.hover("an answer!")
        page.click(".toolbar button", "More")
        page.click(".menu-item", "Delete")
        page.find("dialog blockquote", "an answer!")
        self.check("the question before a message is deleted")
        page.click("dialog button.danger", "Delete")
        page.find(".event.gone", "deleted their message")
        self.check("changed messages")

    def test_no_view_has_a_violation(self) -> None:
        page = self.page
        page.find("#name")
        self.check("login as a guest")
        for mode in ("member", "register"):
            page.click(f"label:has(> input[value={mode}])")
            self.check(f"login: {mode}")
        page.click("[name=use_key]")
        self.check("login: with a key")
        page.click("[name=use_key]")
        page.submit_login("ann", "short", "register")
        page.find("#password-problem", "8 to 1,024")
        self.check("a refused password")
        page.log_in("ann", "long enough", "register")

        bob = Client(self.server.ws_port)
        self.addCleanup(bob.close)
        bob.call("register", usr="bob", pwd="long enough")
        bob.call("login", type="reg", usr="bob", pwd="long enough")
        for name in ("den", "attic"):
            bob.call("create_room", room_name=name, topic="Storage")
        bob.call("invite", room_name="attic", invitee="ann")
        bob.call("get_address", user="ann")
        page.click("button", "Create room")
        page.fill("room_name", "garden")
        page.click("dialog button.primary")
        page.find(".bar h1", "garden")
        bob.call("join_room", room_name="garden")
        bob.call("speak", room_name="garden", msg="@ann **look**: https://a.example `x` :tada:")
        bob.call(
            "speak",
            room_name="garden",
            msg="> quote\n\n- one\n- two\n\n```py\nif x: 'a' + 1  # b\n```",
        )
        bob.call("speak", room_name="garden", msg=":tada:")
        bob.call("speak", room_name="lobby", msg="@ann, are you there?")
        bob.call("whisper", target_user="ann", msg="psst")
        page.send("mine")
        page.wait_for_message("mine")
        self.check_notice(bob, ".conversation")
        for kind in ("key", "str", "num", "rem"):
            page.find(f".code-{kind}")
        bob.call("typing", room_name="garden")
        page.find(".typing", "bob is typing")
        self.check("a conversation")
        box = page.find(".composer textarea")
        box.send_keys("@b")
        page.find(".suggestions")
        self.check("suggestions")
        box.send_keys(Keys.ESCAPE, Keys.BACK_SPACE, Keys.BACK_SPACE)
        page.click(".composer button", "Emoji")
        page.find(".picker")
        self.check("emoji")
        page.find(".picker input").send_keys(Keys.ESCAPE)
        page.click(".composer button", "Formatting")
        page.find(".format")
        self.check("formatting")
        page.click(".composer button", "Formatting")
        self.check_people()
        self.check_messages()

        self.check_dialog("Create room", "new room")
        page.open_panel("About")
        self.check("about a room of the user's own")
        for line in ("Room settings", "Transfer", "Delete this room", "Leave this room"):
            self.check_dialog(line, line)
        page.open_panel("Pinned")
        page.find(".hit")
        self.check("pinned messages")
        page.open_panel("members")
        self.check_dialog("Invite", "invitation")
        self.check_settings()
        self.check_dialog("Search or jump", "quick switcher")
        page.click(".account .own")
        page.find("[role=menu]")
        self.check("the menu of the account")
        page.click(".menu-item", "Keyboard shortcuts")
        page.find("dialog .shortcuts")
        self.check("keyboard shortcuts")
        page.close_dialog()
        page.click(".place", "Mentions")
        page.find(".hit.opened", "are you there?")
        self.check("mentions")
        bob.call("speak", room_name="den", msg="> quote\n\n`code`, and @ann")
        page.click(".place", "Browse rooms")
        for room, shown in (("attic", ".preview .empty"), ("den", ".preview .text")):
            page.click(".room-row .about", room)
            page.find(shown)
            self.check(f"rooms to browse: {room}")
        page.open_conversation("bob")
        page.click(".conversation .bar button", "Notifications")
        page.find("[role=menuitemradio]", "Nothing")
        self.check("a direct conversation, and a menu")
        page.press(Keys.ESCAPE)
        page.open_conversation("garden")
        self.check_what_is_new(bob)

        page.driver.set_window_size(500, 844)
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        self.check_notice(bob, ".conversation")
        self.check("a phone: the conversation")
        page.click(".conversation .bar button", "Back")
        self.check_notice(bob, ".sidebar")
        self.check("a phone: rooms")
        page.click(".sidebar .place", "garden")
        page.open_panel("About")
        self.check("a phone: about the room")
        page.click(".about .line", "Members")
        page.find(".members .person")
        self.check("a phone: members")
        page.open_card("bob")
        self.check("a phone: the card of a user")
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        page.click(".members .bar button", "Back")

        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.set_window_size(1200, 800)
        self.server.kill()
        page.send("on its way")
        page.find(".connection button", "Try now")
        self.check("a lost connection")
        page.log_out(unsent=True)
        page.find("dialog p", "discarded")
        self.check("the question before logging out")
        self.assertEqual([], self.found, "\n".join(self.found))
