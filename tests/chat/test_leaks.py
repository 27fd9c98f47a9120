"""Users who have left leave nothing in memory."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from tests.fakes import TestServer

USERS = 100


class Memory(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, registrations_per_minute=0))
        self.owner = self.server.member("owner")
        self.owner.call("create_room", room_name="hall")
        self.server.connect().call("register", usr="member", pwd="password")

    def users_come_and_go(self) -> None:
        """Let many users log in, use most commands, and log out or lose their connection."""
        for number in range(USERS):
            guest = self.server.guest(f"guest{number}")
            guest.call("join_room", room_name="hall")
            guest.call("typing", room_name="hall")
            guest.call("mark_read", room_name="hall", seq=1)
            friend = self.server.guest(f"friend{number}")
            guest.call("whisper", target_user=f"friend{number}", msg="x", txn=str(number))
            friend.call("logout")
            friend.drop(clean=True)
            guest.call("block", user="owner")
            guest.call("set_address", port=5000)
            guest.call("get_address", user="owner")
            guest.call("create_room", room_name=f"room{number}")
            if number % 2:
                guest.call("logout")
            guest.drop(clean=not number % 3)
            member = self.server.connect()
            member.login("member", pwd="password")
            member.call("typing", room_name="lobby")
            member.drop()
            self.owner.ping()
            self.owner.received()
        self.server.clock.advance(600)
        self.server.run_pending()
        self.server.clock.advance(600)
        self.server.run_pending()

    def count_objects(self) -> int:
        """Return how many objects there are."""
        gc.collect()
        return len(gc.get_objects())

    def test_users_who_left_leave_no_objects_behind(self) -> None:  # G15
        self.users_come_and_go()
        before, timers = self.count_objects(), len(self.server.clock.getDelayedCalls())
        self.users_come_and_go()
        self.assertEqual(len(self.server.clock.getDelayedCalls()), timers)
        self.assertEqual(self.server.chat.users.online.page(None, 9), ["owner"])
        self.assertEqual([room.name for room in self.server.chat.rooms], ["lobby", "hall"])
        # The log of the room has two entries for each user, and the audit log two records.
        self.assertLess(self.count_objects() - before, USERS * 6)
