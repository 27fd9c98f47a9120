"""A room of 50,000 messages: scrolling far up and back, jumping, and unread messages."""

from __future__ import annotations

import sqlite3

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

MANY = 50_000
#: The seq of the last message that counts as read.
READ = 30_000
#: Upper bound of DOM elements, far below what 50,000 messages would need.
ELEMENTS = 6_000
INSERT = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, id, msg)"
    " VALUES (?,?,?,?,?,?,?,?)"
)

FIRST_VISIBLE = """
const edge = log.getBoundingClientRect().top;
const visible = [...log.querySelectorAll('[data-seq]')]
  .find((entry) => entry.getBoundingClientRect().bottom > edge);
return [Number(visible.dataset.seq), visible.getBoundingClientRect().top - edge, log.scrollTop,
  document.querySelectorAll('*').length, Number(log.querySelector('[data-seq]').dataset.seq)];
"""


def start_filled_server() -> Server:
    """Start a server with a room "big", owned by ann, with 50,000 messages of mei."""
    server = Server("--commands-per-second", "0").start()
    ann = Client(server.ws_port)
    ann.call("register", usr="ann", pwd="long enough")
    ann.call("login", type="reg", usr="ann", pwd="long enough")
    created = ann.call("create_room", room_name="big")
    assert created["status"] == "ok", created
    ann.call("logout")
    ann.close()
    server.stop()
    with sqlite3.connect(server.folder / "gtchat.sqlite") as database:
        (room,) = database.execute("SELECT id FROM rooms WHERE name = 'big'").fetchone()
        rows = (
            (room, seq, seq - 1, "speak", 10**12 + seq * 60_000, "mei", f"id {seq}", f"text {seq}")
            for seq in range(2, MANY + 2)
        )
        database.executemany(INSERT, rows)
        head = (MANY + 1, MANY, room)
        database.execute("UPDATE heads SET seq = ?, messages = ? WHERE room_id = ?", head)
        database.execute("UPDATE members SET read_seq = ? WHERE room_id = ?", (READ, room))
    database.close()
    return server.start()


class HistoryTest(TestCase):
    """One user in one long room."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = start_filled_server()
        self.addCleanup(self.server.kill)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.page.log_in("ann", "long enough", "member")

    def scroll(self, to: str = "log.scrollTop") -> tuple[int, float, float, int, int]:
        """Scroll the log to `to`, a JavaScript expression in pixels.

        Returns the seq of the first visible entry, its distance from the upper edge, the scroll
        position, the number of DOM elements, and the first seq in the window.
        """
        seq, top, scrolled, elements, first = self.page.driver.execute_script(
            f"const log = document.querySelector('.log'); log.scrollTop = {to};{FIRST_VISIBLE}"
        )
        self.assertLess(elements, ELEMENTS)
        return seq, top, scrolled, elements, first

    def test_fifty_thousand_messages(self) -> None:
        page = self.page
        page.find(".sidebar .place .badge", "999+")
        page.open_conversation("big")
        page.wait_for_message(f"text {MANY + 1}")
        # Jump to the first unread message, far above.
        page.click(".jump.up", str(MANY + 1 - READ))
        page.wait_for_message(f"text {READ + 1}")
        page.find(".new", "New")
        page.wait_until(lambda: abs(self.scroll()[0] - READ - 1) < 5)
        # Jump to the latest, scroll up page by page: visible entries keep their position.
        page.click(".jump:not(.up)")
        page.wait_for_message(f"text {MANY + 1}")
        for _ in range(12):
            page.wait_until(lambda: self.scroll()[2] > 300)
            seq, top, _, _, first = self.scroll("250")
            page.wait_until(lambda first=first: self.scroll()[4] < first)
            after = self.scroll()
            self.assertEqual(after[0], seq)
            self.assertLess(abs(after[1] - top), 2)
        self.assertLess(self.scroll()[0], MANY - 800)
        self.assertNotIn(f"text {MANY + 1}", page.texts())
        # Scroll down again.
        seq = self.scroll()[0]
        page.wait_until(lambda: self.scroll("log.scrollHeight")[0] > seq + 500)
        self.assertGreater(len(page.texts()), 100)
        # Go to the first and the last message by the keyboard.
        log = page.find(".log")
        log.send_keys(Keys.HOME)
        page.wait_for_message("text 2")
        page.find(".beginning", "beginning")
        self.scroll()
        log.send_keys(Keys.END)
        page.wait_for_message(f"text {MANY + 1}")
        self.assertLessEqual(len(page.texts()), 400)
        # All messages are read, in a new session too.
        page.log_out()
        page.log_in("ann", "long enough", "member")
        page.find(".sidebar .place", "big")
        page.wait_gone(".sidebar .place .badge")
        self.assertEqual(page.console_errors(), [])
