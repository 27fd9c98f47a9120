"""Reading: a room of 50,000 messages, scrolled far up and back, and what is new in it."""

from __future__ import annotations

import sqlite3

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

MANY = 50_000
#: The seq of the last message that counts as read.
READ = 30_000
#: What the page may hold at most, far below what 50,000 messages would take.
ELEMENTS = 6_000
SAY = "INSERT INTO entries (room_id, seq, spoken, kind, at, usr, id, msg) VALUES (?,?,?,?,?,?,?,?)"

FIRST_SEEN = """
const edge = log.getBoundingClientRect().top;
const seen = [...log.querySelectorAll('[data-seq]')]
  .find((entry) => entry.getBoundingClientRect().bottom > edge);
return [Number(seen.dataset.seq), seen.getBoundingClientRect().top - edge, log.scrollTop,
  document.querySelectorAll('*').length, Number(log.querySelector('[data-seq]').dataset.seq)];
"""


def filled() -> Server:
    """A server on a folder with a room "big", of ann's, in which mei said 50,000 things."""
    server = Server("--commands-per-second", "0").start()
    ann = Client(server.ws_port)
    ann.say("register", usr="ann", pwd="long enough")
    ann.say("login", type="reg", usr="ann", pwd="long enough")
    created = ann.say("create_room", room_name="big")
    assert created["status"] == "ok", created
    ann.say("logout")
    ann.close()
    server.stop()
    with sqlite3.connect(server.folder / "gtchat.sqlite") as database:
        (room,) = database.execute("SELECT id FROM rooms WHERE name = 'big'").fetchone()
        said = (
            (room, seq, seq - 1, "speak", 10**12 + seq * 60_000, "mei", f"id {seq}", f"text {seq}")
            for seq in range(2, MANY + 2)
        )
        database.executemany(SAY, said)
        database.execute("UPDATE members SET read_seq = ? WHERE room_id = ?", (READ, room))
    database.close()
    return server.start()


class HistoryTest(TestCase):
    """One room, one reader."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = filled()
        self.addCleanup(self.server.kill)
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.page.come_in("ann", "long enough", "member")

    def seen(self, to: str = "log.scrollTop") -> tuple[int, float, float, int, int]:
        """Scroll to so many pixels; the first entry that is seen then, its height, where the log
        stands, how many elements there are, and the first seq.
        """
        seq, top, scrolled, elements, first = self.page.driver.execute_script(
            f"const log = document.querySelector('.log'); log.scrollTop = {to};{FIRST_SEEN}"
        )
        self.assertLess(elements, ELEMENTS)
        return seq, top, scrolled, elements, first

    def test_fifty_thousand_messages(self) -> None:
        page = self.page
        page.one(".sidebar .place .count", "999+")
        page.look("big")
        page.hears(f"text {MANY + 1}")
        # To the first that is new, which is far above.
        page.click(".jump.up", str(MANY + 1 - READ))
        page.hears(f"text {READ + 1}")
        page.one(".new", "New")
        self.assertLess(abs(self.seen()[0] - READ - 1), 5)
        # To the latest, and up from there, page by page: what is seen stays where it is.
        page.click(".jump:not(.up)")
        page.hears(f"text {MANY + 1}")
        for _ in range(12):
            page.until(lambda: self.seen()[2] > 300)
            seq, top, _, _, first = self.seen("250")
            page.until(lambda first=first: self.seen()[4] < first)
            after = self.seen()
            self.assertEqual(after[0], seq)
            self.assertLess(abs(after[1] - top), 2)
        self.assertLess(self.seen()[0], MANY - 800)
        self.assertNotIn(f"text {MANY + 1}", page.texts())
        # And down again.
        seq = self.seen()[0]
        page.until(lambda: self.seen("log.scrollHeight")[0] > seq + 500)
        self.assertGreater(len(page.texts()), 100)
        # By the keyboard: to the very first, and to the last.
        log = page.one(".log")
        log.send_keys(Keys.HOME)
        page.hears("text 2")
        page.one(".beginning", "begins")
        self.seen()
        log.send_keys(Keys.END)
        page.hears(f"text {MANY + 1}")
        self.assertLessEqual(len(page.texts()), 400)
        # All of it counts as read, for another device too.
        page.click(".self button", "Log out")
        page.come_in("ann", "long enough", "member")
        page.one(".sidebar .place", "big")
        self.assertEqual(page.all(".sidebar .place .count"), [])
        self.assertEqual(page.complaints(), [])
