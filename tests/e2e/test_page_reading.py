"""What is new in the page: unread messages, mentions, jumps to them, and logs that show little."""

from __future__ import annotations

import sqlite3

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"
#: Counts the requests for history that a page sends.
COUNT_HISTORY = """
window.historyRequests = 0;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (JSON.parse(data).cmd === 'history') historyRequests += 1;
  send.call(this, data);
};
"""
INSERT = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, id, msg)"
    " VALUES (?,?,?,?,?,?,?,?)"
)
#: Pixels between what is shown and the end of the log, and the texts that are in view.
BELOW = """
const log = document.querySelector('.log');
return log.scrollHeight - log.scrollTop - log.clientHeight;
"""
IN_VIEW = """
const box = document.querySelector('.log').getBoundingClientRect();
return [...document.querySelectorAll('.log .text')].filter((text) => {
  const { top, bottom } = text.getBoundingClientRect();
  return bottom > box.top && top < box.bottom;
}).map((text) => text.textContent);
"""


class ReadingTest(TestCase):
    """The user ann in a browser, bob as a client without one."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.bob = self.client("bob")
        self.bob.call("create_room", room_name="den")

    def client(self, name: str) -> Client:
        """Register and log in a user without a browser."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("register", usr=name, pwd=PASSWORD)
        client.call("login", type="reg", usr=name, pwd=PASSWORD)
        return client

    def browser(self) -> Browser:
        """Open the page. At the end the browser's console must have no errors."""
        page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def member(self) -> Browser:
        """Return a page in which ann, a member of den, is logged in."""
        page = self.browser()
        page.log_in("ann", PASSWORD, "register")
        self.bob.call("add_member", room_name="den", user="ann")
        page.find(".sidebar .place", "den")
        return page

    def speak(self, *texts: str, room: str = "den") -> None:
        """Let bob send messages."""
        for text in texts:
            self.assertEqual(self.bob.call("speak", room_name=room, msg=text)["status"], "ok")

    def in_view(self, page: Browser) -> list[str]:
        """Return the messages that can be seen without scrolling."""
        texts: list[str] = page.driver.execute_script(IN_VIEW)
        return texts

    def test_the_first_new_message_is_one_click_away(self) -> None:
        page = self.member()
        self.speak(*(f"new {number}" for number in range(60)))
        page.find(".place .badge", "60")
        page.open_conversation("den")
        page.wait_for_message("new 59")
        page.wait_until(lambda: "new 59" in self.in_view(page))
        self.assertNotIn("new 0", self.in_view(page))
        page.click(".jump.up", "60 new since")
        page.wait_until(lambda: "new 0" in self.in_view(page))
        page.wait_gone(".jump.up")
        page.click(".jump", "Latest messages")
        page.wait_until(lambda: "new 59" in self.in_view(page))
        page.wait_gone(".jump.up")

    def test_what_is_sent_is_shown_and_is_not_new(self) -> None:
        page = self.member()
        self.speak(*(f"text {number}" for number in range(150)))
        page.open_conversation("den")
        page.wait_for_message("text 149")
        log = page.find(".log")
        log.send_keys(Keys.HOME)
        page.wait_until(lambda: "text 0" in self.in_view(page))
        self.speak("from below")
        page.find(".jump .badge", "1")
        page.find(".place[aria-current] .badge", "1")
        page.send("mine")
        page.wait_until(lambda: self.in_view(page)[-2:] == ["from below", "mine"])
        page.wait_gone(".place .badge")
        page.wait_until(lambda: page.run(BELOW) < 2)
        page.wait_gone(".jump")

        def at_the_start() -> bool:
            # The log follows its end until what was sent is confirmed: a key before that is lost.
            log.send_keys(Keys.HOME)
            return "text 0" in self.in_view(page)

        page.wait_until(at_the_start)
        page.find(".jump:not(.up)", "Latest messages")

    def test_many_joins_in_a_row_do_not_load_without_end(self) -> None:  # E21
        page = self.member()
        self.speak(*(f"text {number}" for number in range(30)))
        page.log_out()
        self.server.stop()
        with sqlite3.connect(self.server.folder / "gtchat.sqlite") as database:
            last, room, messages = database.execute(
                "SELECT seq, room_id, messages FROM heads"
                " WHERE room_id = (SELECT id FROM rooms WHERE name = 'den')"
            ).fetchone()
            database.executemany(
                INSERT,
                (
                    (room, seq, messages, "join_room", 10**12, f"user{seq}", None, None)
                    for seq in range(last + 1, last + 421)
                ),
            )
            database.execute("UPDATE heads SET seq = seq + 420 WHERE room_id = ?", (room,))
        database.close()
        self.server.start()
        page.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": COUNT_HISTORY}
        )
        page.driver.refresh()
        page.log_in("ann", PASSWORD, "member")
        page.open_conversation("den")
        page.send("mine")
        page.wait_until(lambda: "mine" in self.in_view(page))
        page.wait_for_message("text 0")
        page.find(".event", "others joined")
        requests = page.driver.execute_script(
            "return new Promise((done) => setTimeout(() => done(historyRequests), 2000))"
        )
        self.assertLess(requests, 10)
        self.assertIn("mine", self.in_view(page))

    def test_a_mention_while_away_is_marked(self) -> None:
        page = self.member()
        page.log_out()
        self.bob.call("create_room", room_name="attic")
        self.bob.call("add_member", room_name="attic", user="ann")
        self.speak("one for @ann", "and more")
        self.speak("nothing", room="attic")
        page.log_in("ann", PASSWORD, "member")
        page.find(".place:has(.badge.wanted)", "den")
        page.find(".place:has(.badge.wanted)", "Mentions")
        page.expect(
            lambda: [text.split()[0] for text in page.texts_of(".place .badge.wanted")], ["1", "1"]
        )

    def test_direct_messages_that_were_read_are_not_new_in_another_tab(self) -> None:
        page = self.member()
        page.log_out()
        first = page.driver.current_window_handle
        self.bob.call("whisper", target_user="ann", msg="psst")
        page.driver.switch_to.new_window("tab")
        page.driver.get(f"http://127.0.0.1:{self.server.web_port}/")
        page.log_in("ann", PASSWORD, "member")
        page.find(".place .badge.wanted", "1")
        page.open_conversation("bob")
        page.wait_for_message("psst")
        page.log_out()
        page.find("#name")  # the server has taken what was read
        self.server.kill()
        page.driver.close()
        page.driver.switch_to.window(first)
        self.server.start()
        page.log_in("ann", PASSWORD, "member")
        page.find(".sidebar .place", "bob")
        page.wait_gone(".place .badge")
        page.open_conversation("bob")
        page.wait_for_message("psst")

    def test_an_invitation_stays_over_a_reload_until_it_is_answered(self) -> None:
        page = self.member()
        self.bob.call("create_room", room_name="cellar", public=False)
        self.bob.call("invite", room_name="cellar", invitee="ann")
        page.find(".invitation", "cellar")
        page.driver.refresh()
        page.find(".invitation", "cellar")
        page.click(".invitation button", "Decline")
        page.wait_gone(".invitation")
        page.driver.refresh()
        page.send("here again")
        page.wait_for_message("here again")
        page.wait_gone(".pending")  # the session is resumed
        page.wait_gone(".invitation")

    def test_a_room_that_was_not_opened_stays_unread(self) -> None:
        page = self.member()
        page.log_out()
        self.speak("one", "two", "three")
        for _ in range(2):
            page.log_in("ann", PASSWORD, "member")
            page.find(".place .badge", "3")
            self.speak("and live")
            page.find(".place .badge", "4")
            page.log_out()
            page.log_in("ann", PASSWORD, "member")
            page.find(".place .badge", "4")
            page.open_conversation("den")
            page.wait_gone(".place .badge")
            page.log_out()
            self.speak("one", "two", "three")

    def test_own_messages_are_not_unread_at_the_next_login(self) -> None:
        page = self.member()
        page.open_conversation("den")
        page.send("mine")
        page.expect(page.texts, ["mine"])
        page.log_out()
        page.log_in("ann", PASSWORD, "member")
        page.find(".sidebar .place", "den")
        page.wait_gone(".place .badge")

    def test_an_invitation_comes_again_at_each_login_until_it_is_answered(self) -> None:
        page = self.member()
        self.bob.call("create_room", room_name="cellar", public=False)
        self.bob.call("invite", room_name="cellar", invitee="ann")
        for answer in (None, "Later", "Join"):
            page.find(".invitation", "bob invites you to cellar")
            if answer:
                page.click(".invitation button", answer)
                page.wait_gone(".invitation")
            page.log_out()
            page.log_in("ann", PASSWORD, "member")
        page.find(".sidebar .place", "cellar")
        page.wait_gone(".invitation")

    def test_each_message_is_a_list_item_with_its_author_and_time(self) -> None:
        page = self.member()
        page.open_conversation("den")
        self.speak("one", "two")
        page.send("three")
        page.expect(page.texts, ["one", "two", "three"])
        page.wait_gone(".pending")
        items = page.driver.find_elements(
            By.CSS_SELECTOR, ".log [role=list] > li.entry:has(.message)"
        )
        self.assertEqual([item.aria_role for item in items], ["listitem"] * 3)
        names = [item.accessible_name for item in items]
        for name, author in zip(names, ("bob", "bob", "ann"), strict=True):
            self.assertRegex(name, rf"^{author}, \d?\d:\d\d")
