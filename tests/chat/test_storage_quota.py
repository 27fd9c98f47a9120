"""Quotas of what accounts and rooms store in all: who is refused, and when that ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import NoSuchRoom, NoSuchUser, NotStored
from gtchat.chat.limits import Limits
from gtchat.chat.quota_admin import LOOK_INTERVAL_S
from gtchat.chat.storage_store import DIRECT_MESSAGES, StoredTexts
from tests.fakes import FakeClient, TestServer, nodes


class QuotaCase(SynchronousTestCase):
    limits: dict[str, int] = {}

    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, **self.limits))
        self.ann, self.bob = self.server.member("Ann"), self.server.member("Bob")
        self.ann.call("create_room", room_name="Garden")
        self.bob.call("join_room", room_name="Garden")

    def look(self) -> None:
        self.server.clock.advance(LOOK_INTERVAL_S)
        self.server.run_pending()

    def speak(self, client: FakeClient, msg: str = "12345", room: str = "Garden") -> dict[str, Any]:
        reply = client.call("speak", room_name=room, msg=msg)
        client.received()
        return reply

    def assertFull(self, reply: dict[str, Any], used: int, allowed: int) -> None:
        self.assertEqual(reply.get("code"), "storage_full", reply)
        self.assertEqual((reply["used"], reply["allowed"]), (used, allowed))
        self.assertNotIn("retry_after", reply)

    def done(self, coroutine: Any) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return result


class RoomQuotas(QuotaCase):
    limits = {"quota_room_bytes": 10}

    def test_a_full_room_takes_no_more_until_something_is_deleted(self) -> None:
        seq = self.speak(self.ann)["seq"]
        self.speak(self.bob)
        self.look()
        for client in (self.ann, self.bob):
            self.assertFull(self.speak(client), 10, 10)
        self.assertIn("10 bytes of text, and 10 are allowed", self.speak(self.ann)["msg"])
        self.assertEqual(self.ann.call("leave_room", room_name="Garden")["status"], "ok")
        self.assertEqual(self.ann.call("join_room", room_name="Garden")["status"], "ok")
        deleted = self.ann.call("delete", room_name="Garden", seq=seq)
        self.assertEqual(deleted["status"], "ok")
        self.look()
        self.assertEqual(self.speak(self.ann)["status"], "ok")

    def test_a_text_in_a_full_room_becomes_no_longer(self) -> None:
        seq = self.speak(self.ann, "x" * 10)["seq"]
        here = {"room_name": "Garden", "seq": seq}
        self.look()
        self.assertFull(self.ann.call("edit", **here, msg="x" * 11), 10, 10)
        self.assertEqual(self.ann.call("edit", **here, msg="y" * 10)["status"], "ok")
        self.assertEqual(self.ann.call("edit", **here, msg="y")["status"], "ok")
        self.look()
        self.assertEqual(self.ann.call("edit", **here, msg="x" * 11)["status"], "ok")

    def test_other_rooms_and_the_lobby_are_not_concerned(self) -> None:
        self.ann.call("create_room", room_name="Shed")
        for room in ("Garden", "lobby"):
            self.speak(self.ann, "x" * 10, room)
        self.look()
        self.assertEqual(self.speak(self.ann, room="Shed")["status"], "ok")
        self.assertEqual(self.speak(self.ann, room="lobby")["status"], "ok")
        self.assertEqual(self.ann.call("whisper", target_user="Bob", msg="x")["status"], "ok")

    def test_a_quota_of_its_own_counts_at_once(self) -> None:
        self.speak(self.ann, room="lobby")
        quotas = self.server.chat.admin.quotas
        texts = self.successResultOf(self.done(quotas.set_of_room("LOBBY", 5, AT_CONSOLE)))
        self.assertEqual((texts.bytes, texts.quota), (5, 5))
        self.assertFull(self.speak(self.bob, room="lobby"), 5, 5)
        self.done(quotas.set_of_room("lobby", 0, AT_CONSOLE))
        self.assertEqual(self.speak(self.bob, room="lobby")["status"], "ok")
        self.failureResultOf(self.done(quotas.set_of_room("none", 5, AT_CONSOLE)), NoSuchRoom)

    def test_the_quota_of_each_room_is_told(self) -> None:
        admin = self.server.chat.admin
        self.successResultOf(self.done(admin.quotas.set_of_room("Garden", 7, AT_CONSOLE)))
        self.ann.call("create_room", room_name="Shed")
        for name, quota in (("Garden", 7), ("Shed", 10), ("lobby", 0)):
            room = self.successResultOf(self.done(admin.rooms.show(name)))
            texts = self.successResultOf(self.done(admin.stored_texts("rooms", room.id)))
            self.assertEqual(admin.quotas.quota_of("rooms", texts), quota)
        self.assertEqual(admin.quotas.quota_of("rooms", StoredTexts(DIRECT_MESSAGES, 1, 1)), 0)
        self.server.chat.limits.quota_account_bytes = 9
        self.assertEqual(admin.quotas.quota_of("accounts", StoredTexts("Ann", 1, 1)), 9)
        self.done(admin.quotas.set_of_room("Garden", None, AT_CONSOLE))
        records = self.successResultOf(self.done(admin.audit(AuditQuery(code="admin_room_quota"))))
        self.assertEqual([one.what["quota"] for one in records], ["the setting", "7 bytes"])

    def test_a_setting_that_is_read_again_counts(self) -> None:
        self.speak(self.ann, "x" * 10)
        self.look()
        self.server.chat.limits.quota_room_bytes = 0
        self.look()
        self.assertEqual(self.speak(self.ann)["status"], "ok")

    def test_what_is_known_stays_while_the_store_cannot_be_read(self) -> None:
        self.speak(self.ann, "x" * 10)
        self.look()
        self.patch(self.server.store, "over_quota", lambda limits: fail(NotStored()))
        self.look()
        self.assertFull(self.speak(self.ann), 10, 10)

    def test_a_disk_that_has_space_again_lets_no_full_room_go_on(self) -> None:
        self.speak(self.ann, "x" * 10)
        self.look()
        self.server.chat.quota.disk_full = True
        self.assertEqual(self.speak(self.ann)["code"], "not_stored")
        self.assertTrue(self.server.chat.quota.disk_full)
        self.server.chat.quota.disk_full = False
        self.assertFull(self.speak(self.ann), 10, 10)

    def test_it_looks_no_more_after_the_end(self) -> None:
        self.successResultOf(self.done(self.server.chat.stop()))
        self.server.chat.admin.quotas.stop()
        looked: list[Any] = []
        self.patch(self.server.store, "over_quota", looked.append)
        self.server.clock.advance(LOOK_INTERVAL_S * 3)
        self.assertEqual(looked, [])


class AccountQuotas(QuotaCase):
    limits = {"quota_account_bytes": 10}

    def test_an_account_that_has_stored_enough_stores_no_more(self) -> None:
        seq = self.speak(self.ann, "x" * 10)["seq"]
        self.look()
        for cmd, fields in (
            ("speak", {"room_name": "Garden", "msg": "x"}),
            ("whisper", {"target_user": "Bob", "msg": "x"}),
            ("create_room", {"room_name": "Shed", "topic": "plants"}),
            ("edit", {"room_name": "Garden", "seq": seq, "msg": "y" * 10}),
        ):
            self.assertFull(self.ann.call(cmd, **fields), 10, 10)
        self.assertEqual(self.speak(self.bob)["status"], "ok")
        guest = self.server.guest("Gus")
        self.assertEqual(self.speak(guest, "x" * 99, "lobby")["status"], "ok")
        self.look()
        self.assertEqual(self.speak(guest, room="lobby")["status"], "ok")
        self.ann.call("delete", room_name="Garden", seq=seq)
        self.look()
        self.assertEqual(self.speak(self.ann)["status"], "ok")

    def test_a_quota_of_its_own(self) -> None:
        quotas = self.server.chat.admin.quotas
        self.speak(self.ann, "x" * 10)
        self.done(quotas.set_of_account("ann", 0, AT_CONSOLE))
        self.assertEqual(self.speak(self.ann)["status"], "ok")
        self.done(quotas.set_of_account("ann", 12, AT_CONSOLE))
        self.assertFull(self.speak(self.ann), 15, 12)
        self.failureResultOf(self.done(quotas.set_of_account("gus", 5, AT_CONSOLE)), NoSuchUser)

    def test_an_account_that_is_offline_is_told_when_it_comes(self) -> None:
        self.speak(self.ann, "x" * 10)
        self.ann.drop()
        self.look()
        ann = self.server.connect()
        ann.login("Ann", pwd="password")
        self.assertFull(self.speak(ann), 10, 10)


class TwoNodes(SynchronousTestCase):
    def test_a_quota_that_was_set_elsewhere_counts(self) -> None:
        first, second = nodes(2)
        ann = second.member("ann")
        ann.call("speak", room_name="lobby", msg="12345")
        change = first.chat.admin.quotas.set_of_account("ann", 5, AT_CONSOLE)
        result = Deferred.fromCoroutine(change)
        first.run_pending()
        self.assertEqual(self.successResultOf(result).bytes, 5)
        second.clock.advance(LOOK_INTERVAL_S)
        second.run_pending()
        reply = ann.call("speak", room_name="lobby", msg="x")
        self.assertEqual(reply["code"], "storage_full")
