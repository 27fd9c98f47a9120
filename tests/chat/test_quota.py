"""The quota: bytes of text that users can store in a day, and a disk that is full."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.chat.quota import DAY_S, PREPAID
from gtchat.chat.storage_store import utf8_size
from tests.fakes import FailingStore, FakeClient, TestServer

#: Bytes a day; the tests send texts of a thousand bytes.
ACCOUNT, GUEST, NETWORK = 20_000, 10_000, 30_000
THOUSAND = "x" * 1000


class QuotaCase(SynchronousTestCase):
    def setUp(self) -> None:
        limits = Limits(
            commands_per_second=0,
            daily_bytes_account=ACCOUNT,
            daily_bytes_guest=GUEST,
            daily_bytes_guests_address=NETWORK,
        )
        self.server = TestServer(limits, store=FailingStore)

    def guest(self, name: str, address: str = "2001:db8::1") -> FakeClient:
        client = self.server.connect(address)
        self.assertEqual(client.login(name)["status"], "ok")
        return client

    def speak(self, client: FakeClient, msg: str = THOUSAND, **fields: Any) -> dict[str, Any]:
        reply = client.call("speak", room_name="lobby", msg=msg, **fields)
        client.received()
        return reply

    def stored(self, client: FakeClient) -> int:
        """Send texts of a thousand bytes until one is refused; return how many were stored."""
        for count in range(100):
            reply = self.speak(client)
            if reply["status"] == "error":
                self.assertEqual(reply["code"], "over_quota")
                self.assertIsNone(client.closed)
                return count
        raise AssertionError("no quota")


class Amounts(QuotaCase):
    def test_each_kind_of_user_has_an_amount(self) -> None:
        self.assertEqual(self.stored(self.server.member("ann")), ACCOUNT // 1000)
        self.assertEqual(self.stored(self.guest("bob")), GUEST // 1000)

    def test_guests_of_a_network_share_an_amount(self) -> None:  # G22
        counts = [self.stored(self.guest(f"g{n}", f"2001:db8::{n}")) for n in range(4)]
        self.assertEqual(counts, [10, 10, 10, 0])
        self.assertEqual(self.stored(self.guest("other", "2001:db8:0:1::1")), 10)

    def test_a_registered_account_is_not_refused_because_of_its_address(self) -> None:
        member = self.server.member("ann")
        for number in range(4):
            self.stored(self.guest(f"g{number}", "192.0.2.1"))
        self.assertEqual(self.stored(member), ACCOUNT // 1000)

    def test_the_amount_of_an_account_holds_over_sessions(self) -> None:
        ann = self.server.member("ann")
        for _ in range(5):
            self.speak(ann)
            ann.drop()
            ann = self.server.connect("203.0.113.5")
            ann.login("ann", pwd="password")
        self.assertEqual(self.stored(ann), ACCOUNT // 1000 - 5)

    def test_a_guest_who_logs_in_again_does_not_refill_the_network(self) -> None:
        counts = []
        for number in range(5):
            client = self.guest(f"g{number}")
            counts.append(self.stored(client))
            client.call("logout")
        self.assertEqual(counts, [10, 10, 10, 0, 0])

    def test_retry_after_is_when_the_text_can_be_stored(self) -> None:
        ann = self.server.member("ann")
        self.stored(ann)
        wait = self.speak(ann)["retry_after"]
        self.assertAlmostEqual(wait, 1000 / ACCOUNT * DAY_S, places=1)
        self.server.clock.advance(wait)
        self.assertEqual(self.speak(ann)["status"], "ok")
        self.assertEqual(self.speak(ann)["code"], "over_quota")

    def test_bytes_are_counted_as_utf_8(self) -> None:
        for text, size in (("abc", 3), ("é", 2), ("€", 3), ("\U0001f600", 4), ("", 0)):
            self.assertEqual(utf8_size(text), size)
        ann = self.server.member("ann")
        for _ in range(ACCOUNT // 4000):
            self.assertEqual(self.speak(ann, "\U0001f600" * 1000)["status"], "ok")
        self.assertEqual(self.stored(ann), 0)

    def test_a_text_above_the_amount_needs_a_whole_day(self) -> None:
        server = TestServer(Limits(commands_per_second=0, daily_bytes_account=500))
        ann = server.member("ann")
        self.assertEqual(ann.call("speak", room_name="lobby", msg=THOUSAND)["status"], "ok")
        wait = ann.call("speak", room_name="lobby", msg=THOUSAND)["retry_after"]
        self.assertAlmostEqual(wait, 2 * DAY_S, places=1)

    def test_zero_is_no_limit(self) -> None:
        limits = Limits(commands_per_second=0, daily_bytes_account=0, daily_bytes_guest=0)
        server = TestServer(limits)
        ann = server.member("ann")
        for _ in range(200):
            self.assertEqual(ann.call("speak", room_name="lobby", msg=THOUSAND)["status"], "ok")

    def test_a_session_that_ends_gives_back_what_it_did_not_use(self) -> None:
        for number in range(NETWORK // PREPAID + 5):
            client = self.guest(f"g{number}")
            self.assertEqual(self.speak(client, "x")["status"], "ok")
            client.call("logout")


class Texts(QuotaCase):
    """Every text that is stored counts, and what is not stored does not."""

    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")

    def left(self) -> int:
        """Return how many texts of a thousand bytes ann can still store."""
        return self.stored(self.ann)

    def test_direct_messages_count(self) -> None:
        self.ann.call("whisper", target_user="bob", msg=THOUSAND)
        self.assertEqual(self.left(), 19)
        reply = self.ann.call("whisper", target_user="bob", msg=THOUSAND)
        self.assertEqual(reply["code"], "over_quota")
        self.assertEqual(self.bob.pushes("c_whisper")[1:], [])

    def test_topics_count(self) -> None:
        topic = "\U0001f600" * 250
        for cmd in ("create_room", "set_room", "set_room"):
            self.assertEqual(self.ann.call(cmd, room_name="r", topic=topic)["status"], "ok")
        self.assertEqual(self.left(), 17)
        for cmd, room in (("set_room", "r"), ("create_room", "s")):
            reply = self.ann.call(cmd, room_name=room, topic=topic)
            self.assertEqual(reply["code"], "over_quota", cmd)
        self.assertEqual(self.server.chat.rooms.find("r").topic, topic)
        self.assertEqual(self.ann.call("create_room", room_name="s")["status"], "ok")

    def test_what_is_not_stored_does_not_count(self) -> None:  # G22
        self.speak(self.ann, txn="1")
        self.assertTrue(self.speak(self.ann, txn="1")["dup"])
        self.assertEqual(self.speak(self.ann, "x" * 999, txn="1")["code"], "txn_conflict")
        self.server.store.failing = 1
        self.assertEqual(self.speak(self.ann)["code"], "not_stored")
        self.assertEqual(self.left(), 19)

    def test_a_direct_message_that_is_not_stored_does_not_count(self) -> None:
        whisper = {"target_user": "bob", "msg": THOUSAND, "txn": "1"}
        self.assertEqual(self.ann.call("whisper", **whisper)["status"], "ok")
        self.assertTrue(self.ann.call("whisper", **whisper)["dup"])
        whisper["msg"] = "x" * 999
        self.assertEqual(self.ann.call("whisper", **whisper)["code"], "txn_conflict")
        self.assertEqual(self.left(), 19)

    def test_a_topic_that_is_not_stored_does_not_count(self) -> None:
        self.ann.call("create_room", room_name="r")
        self.server.store.failing = 1
        reply = self.ann.call("set_room", room_name="r", topic="\U0001f600" * 250)
        self.assertEqual(reply["code"], "not_stored")
        self.assertEqual(self.left(), 20)

    def test_a_change_without_an_actor_is_not_charged(self) -> None:
        owner = self.guest("owner")
        owner.call("create_room", room_name="r", topic="x" * 500)
        self.bob.call("join_room", room_name="r")
        self.server.store.failing = 1
        owner.call("leave_room", room_name="r")
        self.server.run_pending()
        self.assertEqual(self.left(), 20)


class FullDisk(QuotaCase):
    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.ann.call("create_room", room_name="r")
        self.ann.call("create_room", room_name="s")
        self.speak(self.ann, "before")
        self.bob.call("join_room", room_name="s")
        self.server.chat.quota.disk_full = True

    def code(self, client: FakeClient, cmd: str, **fields: Any) -> str | None:
        code: str | None = client.call(cmd, **fields).get("code")
        return code

    def test_nothing_that_takes_up_space_is_stored(self) -> None:
        for cmd, fields in (
            ("speak", {"room_name": "lobby", "msg": "x"}),
            ("whisper", {"target_user": "bob", "msg": "x"}),
            ("create_room", {"room_name": "t"}),
            ("set_room", {"room_name": "r", "public": False}),
            ("add_member", {"room_name": "r", "user": "bob"}),
            ("invite", {"room_name": "r", "invitee": "bob"}),
        ):
            self.assertEqual(self.code(self.ann, cmd, **fields), "not_stored", cmd)
        self.assertEqual(self.code(self.bob, "join_room", room_name="r"), "not_stored")
        new = self.server.connect()
        self.assertEqual(self.code(new, "register", usr="x", pwd="password"), "not_stored")
        self.assertEqual(new.login("x")["code"], "not_stored")

    def test_users_can_log_in_read_leave_and_delete(self) -> None:  # H35
        self.assertIsNone(self.code(self.ann, "history", room_name="lobby"))
        self.assertIsNone(self.code(self.ann, "mark_read", room_name="lobby", seq=1))
        self.assertIsNone(self.code(self.ann, "kick", room_name="s", user="bob"))
        self.assertIsNone(self.code(self.ann, "leave_room", room_name="s"))
        self.assertIsNone(self.code(self.ann, "delete_room", room_name="r"))
        self.assertIsNone(self.code(self.ann, "logout"))
        self.assertEqual(self.ann.login("ann", pwd="password")["status"], "ok")

    def test_it_goes_on_when_there_is_space_again(self) -> None:
        self.assertEqual(self.speak(self.ann)["code"], "not_stored")
        self.server.chat.quota.disk_full = False
        self.assertEqual(self.speak(self.ann)["status"], "ok")
        self.assertEqual(self.stored(self.ann), 18)
