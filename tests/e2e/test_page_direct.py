"""Direct conversations in the page: kept by the server, the same on all devices of a user."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: What an earlier version of the page kept of a direct conversation in its tab.
OLD_STATE = """
const saved = JSON.parse(sessionStorage.getItem('gtchat'));
saved.state.directs = [{name: 'bob', unread: 1, mentioned: true, readSeq: 0,
  entries: [{cmd: 'c_whisper', seq: 0, usr: 'bob', msg: 'kept here', id: 'x', at: new Date()}],
  outgoing: [{txn: 'old-txn', msg: 'not sent', at: new Date(), after: 0, state: 'sending'}]}];
addEventListener('pagehide', () => sessionStorage.setItem('gtchat', JSON.stringify(saved)));
"""


class DirectTest(TestCase):
    """The user ann in a browser, bob as a client without one."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.bob = self.client("bob")

    def client(self, name: str, register: bool = True, **more: Any) -> Client:
        """Log in a user without a browser, after registering them."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        if register:
            client.call("register", usr=name, pwd=PASSWORD)
        client.call("login", type="reg", usr=name, pwd=PASSWORD, **more)
        return client

    def guest(self, name: str) -> Client:
        """Log in a temporary user."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def ann(self, mode: str = "register") -> Browser:
        """Open the page and log ann in. At the end the console must have no errors."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        page.log_in("ann", PASSWORD, mode)
        return page

    def whisper(self, *texts: str) -> None:
        """Send messages of bob to ann."""
        for text in texts:
            reply = self.bob.call("whisper", target_user="ann", msg=text)
            self.assertEqual(reply["status"], "ok", reply)

    def last(self) -> str:
        """Return the newest message of bob's conversation with ann, "" if there is none yet."""
        page = self.bob.call("history", target_user="ann", limit=1)
        return "".join(entry["msg"] for entry in page["entries"])

    def test_messages_stay_over_logins_reloads_and_a_killed_server(self) -> None:
        page = self.ann()
        page.log_out()
        self.whisper("one", "two")
        page.log_in("ann", PASSWORD, "member")
        page.find(".place .badge.wanted", "2")
        page.open_conversation("bob")
        page.wait_until(lambda: page.texts() == ["one", "two"])
        page.find(".log .new")
        page.send("three")
        page.wait_until(lambda: self.last() == "three")
        self.server.kill()
        page.find(".connection.lost")
        page.send("four")
        self.server.start()
        self.bob = self.client("bob", register=False)
        page.wait_until(lambda: self.last() == "four")
        page.wait_until(lambda: page.texts() == ["one", "two", "three", "four"])
        page.driver.refresh()
        page.find(".bar h1", "bob")
        page.wait_until(lambda: page.texts() == ["one", "two", "three", "four"])
        page.log_out()
        page.log_in("ann", PASSWORD, "member")
        page.find(".sidebar .place", "bob")
        page.wait_gone(".place .badge")
        page.open_conversation("bob")
        page.wait_until(lambda: page.texts() == ["one", "two", "three", "four"])

    def test_a_long_conversation_is_loaded_page_by_page(self) -> None:
        page = self.ann()
        # Who never wrote to a user cannot send them so many messages.
        page.run("location.hash = '#/user/bob'")
        page.find(".bar h1", "bob")
        page.send("hello")
        page.wait_until(lambda: self.last() == "hello")
        page.log_out()
        self.whisper(*(f"text {number}" for number in range(1, 251)))
        page.log_in("ann", PASSWORD, "member")
        page.open_conversation("bob")
        page.wait_for_message("text 250")
        self.assertNotIn("hello", page.texts())
        page.find(".log").send_keys(Keys.HOME)
        page.wait_for_message("hello")
        page.find(".beginning", "Only you and bob")

    def test_another_device_of_the_user_sees_and_sends_the_same(self) -> None:
        page = self.ann()
        phone = self.client("ann", register=False, device="phone", marks_read=True)
        self.whisper("hi")
        page.find(".place .badge", "1")
        phone.call("speak", target_user="bob", msg="from my phone")
        page.open_conversation("bob")
        page.wait_until(lambda: page.texts() == ["hi", "from my phone"])
        phone.call("speak", target_user="bob", msg="and again")
        page.wait_for_message("and again")
        page.send("from the page")
        page.wait_until(lambda: self.last() == "from the page")
        page.expect(
            lambda: [one["unread"] for one in phone.call("get_direct_list")["directs"]], [0]
        )
        self.assertIn("from the page", [push.get("msg") for push in phone.taken])
        page.open_conversation("lobby")
        self.whisper("read elsewhere")
        page.find(".place .badge", "1")
        phone.call("mark_read", target_user="bob", seq=5)
        page.wait_gone(".place .badge")

    def test_two_browsers_of_the_user_agree_after_the_server_was_killed(self) -> None:
        desk = self.ann()
        tablet = self.ann("member")
        self.whisper("hi")
        for page in (desk, tablet):
            page.find(".place .badge", "1")
        desk.open_conversation("bob")
        desk.wait_for_message("hi")
        tablet.wait_gone(".place .badge")
        desk.send("from my desk")
        tablet.open_conversation("bob")
        tablet.wait_until(lambda: tablet.texts() == ["hi", "from my desk"])
        self.server.kill()
        for page, text in ((desk, "desk again"), (tablet, "from my tablet")):
            page.find(".connection.lost")
            page.send(text)
        self.server.start()
        self.bob = self.client("bob", register=False)
        for page in (desk, tablet):
            page.wait_until(lambda page=page: len(page.texts()) == 4)
        desk.wait_gone(".pending")
        tablet.wait_gone(".pending")
        desk.expect(desk.texts, tablet.texts())
        tablet.find(".composer textarea").send_keys(Keys.ARROW_UP)
        tablet.rewrite(tablet.texts()[-1], "from my sofa")  # either may have come back first
        for page in (desk, tablet):
            page.wait_for_message("from my sofa")
            page.find(".log .edited")
        desk.expect(desk.texts, tablet.texts())

    def test_messages_are_changed_as_in_rooms(self) -> None:
        page = self.ann()
        self.whisper("a question", "a mistake")
        page.open_conversation("bob")
        page.send("an anser")
        page.wait_sent()
        page.find(".composer textarea").send_keys(Keys.ARROW_UP)
        page.rewrite("an anser", "an answer")
        page.find(".log .edited")
        page.wait_until(lambda: self.last() == "an answer")
        self.bob.call("react", target_user="ann", seq=3, emoji="🎉", txn="r")
        page.click(".reaction", "1")
        page.find(".reaction[aria-pressed=true]", "2")
        page.hover("a question")
        page.click(".toolbar button", "Reply")
        page.send("because")
        page.find(".reply-line", "a question")
        self.bob.call("edit", target_user="ann", seq=1, msg="a good question", txn="e")
        page.find(".reply-line", "a good question")
        self.bob.call("delete", target_user="ann", seq=2, reason="", txn="d")
        page.find(".event.gone", "bob")
        page.hover("because")
        page.click(".toolbar button", "More")
        page.click(".menu-item", "Delete")
        page.click("dialog button.danger")
        page.wait_until(lambda: "because" not in page.texts())
        self.bob.call("typing", target_user="ann")
        page.find(".typing", "bob")
        page.driver.refresh()
        page.wait_until(lambda: page.texts() == ["a good question", "an answer"])

    def test_the_account_of_the_other_user_ends(self) -> None:  # F27
        page = self.ann()
        eve = self.guest("eve")
        eve.call("whisper", target_user="ann", msg="good bye")
        page.open_conversation("eve")
        page.wait_for_message("good bye")
        eve.call("logout")
        page.find(".composer .note", "has ended")
        page.wait_gone("#say")
        page.hover("good bye")
        page.wait_gone(".toolbar [data-react]")
        self.guest("eve").call("whisper", target_user="ann", msg="another eve")
        page.expect(lambda: sum("eve" in text for text in page.texts_of(".place")), 2)
        page.expect(page.texts, ["good bye"])
        page.click(".place:has(.badge)", "eve")
        page.wait_until(lambda: page.texts() == ["another eve"])
        page.find("#say")

    def test_conversations_have_addresses(self) -> None:
        page = self.ann()
        self.whisper("hi")
        page.open_conversation("bob")
        id_ = self.bob.call("get_direct_list")["directs"][0]["id"]
        page.wait_until(lambda: page.run("return location.hash") == f"#/direct/{id_}")
        page.open_conversation("lobby")
        page.go_back()
        page.find(".bar h1", "bob")
        page.run("location.hash = '#/direct/999999'")
        page.find(".notice")
        page.run("location.hash = '#/user/ann'")
        page.find(".bar h1", "ann")
        page.send("milk")
        page.wait_until(lambda: page.run("return location.hash").startswith("#/direct/"))
        page.driver.refresh()
        page.find(".bar h1", "ann")
        page.wait_until(lambda: page.texts() == ["milk"])
        page.go_back()
        page.find(".bar h1", "bob")

    def test_the_state_of_an_earlier_page_is_taken_over(self) -> None:
        page = self.ann()
        self.whisper("hi")
        page.find(".place .badge", "1")
        page.run(OLD_STATE)
        page.driver.refresh()
        page.open_conversation("bob")
        page.wait_until(lambda: page.texts() == ["hi", "not sent"])
        page.wait_until(lambda: self.last() == "not sent")
