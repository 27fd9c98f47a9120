"""A server on PostgreSQL: start, talk, be killed, start again; what the commands say of it."""

from __future__ import annotations

import io
import os
import sys
from unittest import mock
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from gtchat.cli import main
from tests import postgres
from tests.e2e.server import Client, Server
from tests.stress import truth
from tests.stress.judge import find_contradictions

PASSWORD = "correct horse battery"
#: Stands in the address; the server of the tests asks for none.
SECRET = "not-to-be-shown"


class Postgres(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.url = postgres.create_empty().replace("gtchat@", f"gtchat:{SECRET}@")
        self.server = Server("--store", self.url)
        self.addCleanup(self.server.kill)

    def gtchat(self, *words: str, options: str = "") -> tuple[int, str]:
        """Run a command for the database of the server; return its status and what it wrote.

        Args:
            words: of the command.
            options: what is added to the address of the database.
        """
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        with mock.patch.dict(os.environ, {"GTCHAT_STORE": self.url + options}):
            status = main(words)
        self.assertNotIn(SECRET, output.getvalue())
        return status, output.getvalue()

    def test_what_was_acknowledged_is_there_after_a_kill(self) -> None:
        self.server.start()
        ann = Client(self.server.ws_port)
        ann.call("register", usr="ann", pwd=PASSWORD)
        login = ann.call("login", type="reg", usr="ann", pwd=PASSWORD)
        ann.call("create_room", room_name="garden", txn="room")
        first = ann.call("speak", room_name="garden", msg="green tea", txn="one")
        self.assertEqual(first["status"], "ok", first)
        ann.call("speak", room_name="garden", msg="red tea", txn="two")

        data = str(self.server.folder)
        status, text = self.gtchat("reindex", "--data", data)
        self.assertEqual((status, "another server uses" in text), (78, True), text)
        impatient = f"&options={quote('-c lock_timeout=300ms')}"
        status, text = self.gtchat("reindex", "--data", self.mktemp(), options=impatient)
        self.assertEqual((status, "another server uses it: stop" in text), (2, True), text)

        self.server.kill()
        status, text = self.gtchat("reindex", "--data", data)
        self.assertEqual((status, "indexed the messages of" in text), (0, True), text)
        status, text = self.gtchat("restore-mark", "--data", data)
        self.assertEqual((status, "load their rooms again" in text), (0, True), text)

        self.server.start()
        ann = Client(self.server.ws_port)
        resumed = ann.call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={"garden": 3}
        )
        self.assertNotEqual(resumed["epoch"], login["epoch"])
        self.assertEqual({one["reason"] for one in resumed["resumed"]}, {"epoch"})
        again = ann.call("speak", room_name="garden", msg="green tea", txn="one")
        self.assertEqual((again["seq"], again["dup"]), (first["seq"], True))
        page = ann.call("history", room_name="garden")
        texts = [entry["msg"] for entry in page["entries"] if "msg" in entry]
        self.assertEqual(texts, ["green tea", "red tea"])
        found = ann.call("search", q="green")
        self.assertEqual([one["msg"] for one in found["entries"]], ["green tea"])
        tables = truth.read(self.url)
        contents = [one.content for one in tables.logs["garden"]]
        self.assertEqual(contents, ["room_created ann", "green tea", "red tea"])
        self.assertEqual(tables.members["garden"], {"ann"})
        self.assertEqual(find_contradictions(tables), [])
        exported = str(self.server.folder / "export")
        status, text = self.gtchat("export", exported)
        self.assertEqual((status, text.count("\n")), (0, 1), text)
        status, text = self.gtchat("import", exported, "--data", self.mktemp())
        self.assertEqual((status, "has a chat already" in text), (2, True), text)
        status, text = self.gtchat("verify", exported)
        self.assertEqual((status, "1 accounts, 2 rooms" in text), (0, True), text)
        status, text = self.gtchat("verify")
        self.assertRegex(
            text, r"^the PostgreSQL database .+: revision \d+, 1 accounts, 2 rooms,.+\n$"
        )
        self.assertEqual(status, 0)
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn(SECRET, "".join(self.server.lines))
        self.assertIn("store: the PostgreSQL database", "".join(self.server.lines))

    def test_a_chat_of_sqlite_goes_on(self) -> None:
        old = Server("--store", "sqlite")
        self.addCleanup(old.kill)
        words = ("migrate-store", f"sqlite:{old.folder}", self.url)
        ann = Client(old.start().ws_port)
        ann.call("register", usr="ann", pwd=PASSWORD)
        login = ann.call("login", type="reg", usr="ann", pwd=PASSWORD)
        ann.call("create_room", room_name="garden")
        seen = ann.call("speak", room_name="garden", msg="green tea", txn="one")["seq"]
        ann.call("speak", room_name="garden", msg="red tea")
        status, text = self.gtchat(*words)
        self.assertEqual((status, "another server uses" in text), (78, True), text)
        self.assertEqual(old.stop(), 0)
        status, text = self.gtchat(*words)
        self.assertRegex(
            text, rf"^copied \d+ rows from {old.folder}/gtchat.sqlite to the Post.*\n$"
        )
        self.assertEqual(status, 0)

        self.server = Server("--store", self.url, data=str(old.folder))
        ann = Client(self.server.start().ws_port)
        resumed = ann.call(
            "resume",
            session_id=login["session_id"],
            epoch=login["epoch"],
            seen={"lobby": 0, "garden": seen},
        )
        self.assertEqual((resumed["status"], resumed["epoch"]), ("ok", login["epoch"]))
        garden = next(one for one in resumed["resumed"] if one["room_name"] == "garden")
        self.assertEqual([one["msg"] for one in garden["entries"]], ["red tea"])
        again = ann.call("speak", room_name="garden", msg="green tea", txn="one")
        self.assertEqual((again["seq"], again["dup"]), (seen, True))
        new = ann.call("speak", room_name="garden", msg="white tea")
        self.assertEqual(new["seq"], seen + 2)
        found = ann.call("search", q="tea")
        self.assertEqual(len(found["entries"]), 3)
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(find_contradictions(truth.read(self.url)), [])
        status, text = self.gtchat(*words)
        self.assertEqual((status, "has a chat already" in text), (2, True), text)

    def test_what_the_commands_say(self) -> None:
        status, text = self.gtchat("config")
        self.assertEqual(status, 0)
        self.assertIn('store = "postgresql://gtchat:…@/', text)
        status, text = self.gtchat("backup", "copy")
        self.assertEqual((status, text.count("\n"), "pg_dump" in text), (2, 1, True))
        status, text = self.gtchat("restore", "copy")
        self.assertEqual((status, text.count("\n"), "pg_restore" in text), (2, 1, True))
        self.assertIn("gtchat restore-mark", text)
        accounts = self.server.folder / "accounts"
        accounts.write_text("ann secret\nbob secret\n")
        status, text = self.gtchat("import-credentials", str(accounts))
        self.assertEqual((status, text.startswith("2 accounts created")), (0, True), text)
        self.url = f"postgresql://gtchat:{SECRET}@127.0.0.1:1/chat"
        status, text = self.gtchat("reindex", "--data", self.mktemp())
        self.assertEqual((status, text.count("\n")), (2, 1))
        server = Server("--store", self.url, data=str(self.server.folder))
        process = server.spawn()
        assert process.stdout is not None
        self.assertIn("can't be used", process.stdout.read())
        self.assertEqual(process.wait(), 1)
        process.stdout.close()
