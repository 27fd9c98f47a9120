"""A day with the page: two devices of one user and another user, a killed server, a phone."""

from __future__ import annotations

import signal
from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server
from tests.e2e.test_page_browsers import FITS, FRAGMENT, MAIN

PASSWORD = "long enough"
#: The texts of the messages that the server has confirmed.
CONFIRMED = """
return [...document.querySelectorAll('.log .entry:not(.pending) .text')].map((e) => e.textContent);
"""
#: Hides from a page what it receives, and ends that.
DEAFEN = """
window.received = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data');
Object.defineProperty(MessageEvent.prototype, 'data', { ...received, get: () => '{"cmd": ""}' });
"""
UNDEAFEN = "Object.defineProperty(MessageEvent.prototype, 'data', received)"
#: Connects at once, if the page is waiting to do so.
TRY_NOW = "document.querySelector('.connection button')?.click()"


class StepsTest(TestCase):
    """The user ann, bob, and carol, who is never online.

    Attributes:
        desk, tablet: browsers of ann.
        bob: the browser of bob, who owns the room den.
    """

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0", "--searches-per-minute", "0").start()
        self.addCleanup(self.server.kill)
        self.url = f"http://127.0.0.1:{self.server.web_port}/"

    def client(self) -> Client:
        """Connect without a browser."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        return client

    def open(self, fragment: str = "") -> Browser:
        """Open the page. At the end the browser's console must have no errors."""
        page = Browser(self.url + fragment)
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def search(self, page: Browser, query: str) -> None:
        """Search in the open panel until one message is found; the index is a moment behind."""
        field = page.find(".panel.search input")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(query)

        def found() -> bool:
            field.send_keys(Keys.ENTER)
            return page.text_of(".panel.search [role=status]").startswith("1 message")

        page.wait_until(found, query)

    def test_two_devices_of_a_user_and_another_user(self) -> None:
        self.client().call("register", usr="carol", pwd=PASSWORD)
        self.desk, self.tablet, self.bob = self.open(), self.open(), self.open()
        self.pages = {"desk": self.desk, "tablet": self.tablet, "bob": self.bob}
        self.bob.log_in("bob", PASSWORD, "register")
        self.desk.log_in("ann", PASSWORD, "register")
        self.tablet.log_in("ann", PASSWORD, "member")
        for step in (
            self.open_a_room_by_a_link,
            self.react_by_the_toolbar,
            self.react_by_a_chip,
            self.reply_by_a_click,
            self.jump_to_the_message_replied_to,
            self.edit_the_last_message_by_arrow_up,
            self.edit_a_quoted_message,
            self.delete_messages,
            self.copy_the_link_of_a_message,
            self.mark_as_unread,
            self.find_a_mention,
            self.send_direct_messages,
            self.open_a_card,
            self.write_to_a_user_who_is_offline,
            self.kill_the_server_while_all_write,
            self.start_the_server_again,
            self.search_and_jump,
            self.answer_an_invitation,
            self.mute_a_room,
            self.log_out_the_other_device,
        ):
            step()

    def open_a_room_by_a_link(self) -> None:
        self.create_room("den")
        self.bob.open_conversation("lobby")
        self.bob.send(f"{self.url}#/room/den")
        self.desk.click(".log .text a", "#/room/den")
        self.desk.click(".room-row .button", "den")
        self.desk.find(".bar h1", "den")
        self.tablet.open_conversation("den")
        self.bob.open_conversation("den")
        for page in self.pages.values():
            page.wait_until(lambda page=page: page.run(FRAGMENT) == "#/room/den")

    def create_room(self, name: str, access: str = "Public") -> None:
        """Let bob create a room. access: a choice of the dialog."""
        self.bob.click(".sidebar .heading button", "Create room")
        self.bob.fill("room_name", name)
        self.bob.click("dialog .choice", access)
        self.bob.click("dialog button.primary")
        self.bob.find(".bar h1", name)

    def react_by_the_toolbar(self) -> None:
        self.bob.send("shall we meet at noon?")
        self.tablet.wait_for_message("shall we meet at noon?")
        self.desk.hover("at noon")
        self.desk.click(".toolbar button", "React with 👍")
        self.bob.find(".reaction[aria-pressed=false]", "👍 1: ann")
        self.tablet.find(".reaction[aria-pressed=true]", "👍 1: ann")

    def react_by_a_chip(self) -> None:
        self.bob.click(".reaction", "👍")
        for page in self.pages.values():
            page.find(".reaction[aria-pressed=true]", "👍 2: ann and bob")
        self.tablet.click(".reaction", "👍")
        self.bob.find(".reaction[aria-pressed=true]", "👍 1: bob")
        self.desk.find(".reaction[aria-pressed=false]", "👍 1: bob")

    def reply_by_a_click(self) -> None:
        self.desk.hover("at noon")
        self.desk.click(".toolbar button", "Reply")
        self.desk.find(".composer .about", "Reply to bob")
        self.desk.send("better at won")
        for page in self.pages.values():
            page.find(".entry:has(.reply-line)", "better at won")
            page.find(".reply-line", "bob shall we meet at noon?")

    def jump_to_the_message_replied_to(self) -> None:
        self.tablet.click(".reply-line", "at noon")
        self.tablet.find(".message.lit", "shall we meet at noon?")

    def edit_the_last_message_by_arrow_up(self) -> None:
        self.desk.find(".composer textarea").send_keys(Keys.ARROW_UP)
        self.desk.rewrite("better at won", "better at one")
        for page in self.pages.values():
            page.find(".entry:has(.edited)", "better at one")
            page.find(".edited", "(edited)")

    def edit_a_quoted_message(self) -> None:
        self.bob.hover("shall we")
        self.bob.click(".toolbar button", "Edit")
        self.bob.rewrite("shall we meet at noon?", "shall we meet at the lake?")
        for page in self.pages.values():
            page.find(".reply-line", "bob shall we meet at the lake?")
            page.expect(page.texts, ["shall we meet at the lake?", "better at one"])

    def delete_messages(self) -> None:
        for text in ("said too early", "said too loud"):
            self.desk.send(text)
            self.bob.wait_for_message(text)
        self.desk.wait_gone(".pending")
        for page, text, reason in (
            (self.desk, "said too early", ""),
            (self.bob, "said too loud", "noise"),
        ):
            page.hover(text)
            page.click(".toolbar button", "More")
            page.click(".menu-item", "Delete")
            if reason:
                page.fill("reason", reason)
            page.click("dialog button.danger", "Delete")
            page.wait_gone("dialog")
        for page in self.pages.values():
            page.find(".event.gone", "ann deleted their message")
            page.find(".event.gone", "Message by ann deleted by bob: noise")
            page.expect(page.texts, ["shall we meet at the lake?", "better at one"])

    def copy_the_link_of_a_message(self) -> None:
        self.desk.hover("at the lake")
        self.desk.click(".toolbar button", "Copy link")
        self.desk.find(".notice", "Copied")
        box = self.desk.find(".composer textarea")
        box.send_keys("see ", Keys.CONTROL, "v")
        self.desk.wait_until(lambda: "#/room/den/" in str(box.get_attribute("value")))
        box.send_keys(Keys.ENTER)
        self.bob.click(".log .text a", f"{self.url}#/room/den/")
        self.bob.find(".message.lit", "at the lake")

    def mark_as_unread(self) -> None:
        self.tablet.open_conversation("lobby")
        self.desk.hover("at the lake")
        self.desk.click(".toolbar button", "More")
        self.desk.click(".menu-item", "Mark unread from here")
        for page in (self.desk, self.tablet):
            page.find(".place:has(.badge)", "den")
        self.tablet.open_conversation("den")
        self.tablet.find(".log .new")
        self.desk.wait_gone(".place .badge")
        self.tablet.wait_gone(".place .badge")

    def find_a_mention(self) -> None:
        for page in (self.desk, self.tablet):
            page.open_conversation("lobby")
        self.bob.send("bring a towel, @ann")
        for page in (self.desk, self.tablet):
            page.find(".place:has(.badge.wanted)", "den")
        self.tablet.click(".sidebar .place", "Mentions")
        self.tablet.click(".panel.mentions .hit", "bring a towel, @ann")
        self.tablet.find(".message.lit.mention", "bring a towel, @ann")
        self.tablet.find(".bar h1", "den")
        self.desk.wait_gone(".place .badge")

    def send_direct_messages(self) -> None:
        self.bob.message_member("ann")
        self.bob.send("psst")
        for page in (self.desk, self.tablet):
            page.find(".place:has(.badge.wanted)", "bob")
        self.desk.open_conversation("bob")
        self.desk.wait_for_message("psst")
        self.tablet.wait_gone(".place .badge")
        self.desk.send("yes?")
        self.tablet.open_conversation("bob")
        for page in self.pages.values():
            page.wait_until(lambda page=page: page.texts() == ["psst", "yes?"])
            page.wait_until(lambda page=page: page.run(FRAGMENT).startswith("#/direct/"))

    def open_a_card(self) -> None:
        self.tablet.open_conversation("den")
        self.tablet.click(".log .name", "bob")
        self.tablet.find(".person-card h2", "bob")
        self.tablet.expect(
            lambda: self.tablet.text_of(".person-card .facts").split("\n"),
            ["Online", "Member of den"],
        )
        self.tablet.click(".person-card button", "Mention")
        box = self.tablet.find(".composer textarea")
        self.tablet.wait_until(lambda: box.get_attribute("value") == "@bob ")
        self.tablet.send("I will")
        self.bob.open_conversation("den")
        self.bob.find(".message.mention", "@bob I will")

    def write_to_a_user_who_is_offline(self) -> None:
        self.desk.find(".composer textarea").send_keys(Keys.CONTROL, "k")
        self.desk.find("dialog [role=combobox]").send_keys("carol")
        self.desk.click("dialog .menu-item:has(mark)", "carol")
        self.desk.find(".bar h1", "carol")
        self.desk.find(".bar .topic", "Offline")
        self.desk.send("for later")
        self.tablet.find(".sidebar .place", "carol")
        carol = self.client()
        carol.call("login", type="reg", usr="carol", pwd=PASSWORD)
        self.desk.wait_gone(".pending")
        entries = carol.call("history", target_user="ann")["entries"]
        self.assertEqual([entry["msg"] for entry in entries], ["for later"])

    def write(self, what: str, *names: str) -> None:
        """Send a message from pages, by default from all, without waiting for anything."""
        for name in names or self.pages:
            self.written.append(f"{name}: {what}")
            self.pages[name].send(self.written[-1])

    def kill_the_server_while_all_write(self) -> None:
        process: Any = self.server.process
        for page in self.pages.values():
            page.open_conversation("den")
        self.before = self.bob.texts()
        self.written: list[str] = []
        self.write("confirmed")
        for page in self.pages.values():
            page.wait_sent()
        for page in (self.desk, self.bob):
            page.run(DEAFEN)
        self.write("stored, not confirmed", "desk", "bob")
        for text in self.written[-2:]:
            self.tablet.wait_for_message(text)
        self.write("stored or not")
        process.send_signal(signal.SIGSTOP)
        self.write("sent, not read")
        self.server.kill()
        for page in self.pages.values():
            page.find(".connection.lost")
        self.write("not sent")
        self.confirmed = {name: page.run(CONFIRMED) for name, page in self.pages.items()}
        for name in ("desk", "bob"):
            self.pages[name].run(UNDEAFEN)
            self.assertIn(f"{name}: confirmed", self.confirmed[name])
            self.assertNotIn(f"{name}: stored, not confirmed", self.confirmed[name])
        self.assertNotIn("tablet: sent, not read", self.confirmed["tablet"])

    def start_the_server_again(self) -> None:
        self.server.start()
        count = len(self.before) + len(self.written)
        for page in self.pages.values():
            page.run(TRY_NOW)
        for page in self.pages.values():
            page.wait_gone(".pending")
            page.wait_until(lambda page=page: len(page.texts()) >= count)
        # A page that is loaded again shows what is stored.
        self.tablet.driver.refresh()
        self.tablet.wait_until(lambda: len(self.tablet.texts()) >= count)
        stored = self.tablet.texts()
        self.assertEqual(stored[: len(self.before)], self.before)
        self.assertEqual(sorted(stored[len(self.before) :]), sorted(self.written))
        for name, page in self.pages.items():
            page.expect(page.texts, stored)
            self.assertEqual(stored[: len(self.confirmed[name])], self.confirmed[name])

    def search_and_jump(self) -> None:
        self.tablet.find(".composer textarea").send_keys(Keys.CONTROL, "f")
        self.tablet.find(".panel.search .chip[aria-pressed=true]", "Only in den")
        self.search(self.tablet, "lak")
        self.tablet.expect(lambda: self.tablet.text_of(".panel .hit mark"), "lake")
        self.tablet.click(".panel .hit", "at the lake")
        self.tablet.find(".log .lit", "at the lake")

    def answer_an_invitation(self) -> None:
        self.create_room("attic", "Private")
        self.bob.click(".members button", "Invite")
        self.bob.fill("user", "ann")
        self.bob.click("dialog button.primary")
        for page in (self.desk, self.tablet):
            page.find(".invitation", "bob invites you to attic")
        self.tablet.click(".invitation button", "Join")
        self.bob.find(".notice", "ann joined attic")
        self.tablet.find(".bar h1", "attic")
        self.desk.wait_gone(".invitation")
        self.desk.find(".sidebar .place", "attic")

    def mute_a_room(self) -> None:
        self.desk.click(".conversation .bar button", "Notifications: All")
        self.desk.click(".menu-item", "Nothing")
        self.tablet.find(".place.muted", "den")
        for room, text in (("den", "quiet, @ann"), ("lobby", "loud")):
            self.bob.open_conversation(room)
            self.bob.send(text)
        self.desk.wait_for_message("quiet, @ann")
        self.tablet.find(".place:has(.badge)", "lobby")
        self.tablet.wait_gone(".place.muted .badge")

    def log_out_the_other_device(self) -> None:
        self.tablet.open_settings("Devices")
        self.tablet.find(".device", "This device")
        self.tablet.click(".device button", "Log out Chrome on Linux")
        self.tablet.click("dialog button.danger")
        self.desk.find(".login .note", "from another tab or device")
        self.tablet.find(".device", "This device")
        self.tablet.wait_count(".device", 1)

    def test_back_on_a_phone(self) -> None:
        ann, bob = self.client(), self.client()
        ann.call("register", usr="ann", pwd=PASSWORD)
        bob.call("register", usr="bob", pwd=PASSWORD)
        bob.call("login", type="reg", usr="bob", pwd=PASSWORD)
        bob.call("create_room", room_name="den")
        bob.call("add_member", room_name="den", user="ann")
        seq = [
            bob.call("speak", room_name="den", msg=text)["seq"]
            for text in ("a pot of tea", *(f"cup {number}" for number in range(60)))
        ][0]
        bob.call("whisper", target_user="ann", msg="sugar?")
        direct = bob.call("get_direct_list")["directs"][0]["id"]
        # The address of a message.
        page = self.open(f"#/room/den/{seq}")
        page.set_viewport(390, 844)
        page.submit_login("ann", PASSWORD, "member")

        def shows(pane: str, css: str, text: str = "") -> None:
            page.find(css, text)
            page.wait_until(lambda: page.run(MAIN) == pane, f"{pane} {css} {text}")
            page.wait_until(lambda: page.run(FITS), f"{pane} is too wide")

        shows("conversation", ".message.lit", "a pot of tea")
        page.go_back()
        shows("sidebar", ".place", "den")
        # From the list inwards, and back.
        page.click(".sidebar .place", "den")
        shows("conversation", ".bar h1", "den")
        page.click(".conversation .bar button", "About")
        shows("panel", ".about")
        page.go_back()
        shows("conversation", ".bar h1", "den")
        page.go_back()
        shows("sidebar", ".place", "den")
        # To what was found, and back to the results.
        page.click(".tabs button", "Search")
        self.search(page, "pot")
        page.click(".panel .hit", "a pot of tea")
        shows("conversation", ".log .lit", "a pot of tea")
        page.go_back()
        shows("panel", ".panel .hit.opened", "a pot of tea")
        page.go_back()
        shows("sidebar", ".place", "den")
        # The address of a direct conversation, typed.
        page.run(f"location.hash = '#/direct/{direct}'")
        shows("conversation", ".log .text", "sugar?")
        page.find(".bar h1", "bob")
        page.go_back()
        shows("sidebar", ".place", "bob")
