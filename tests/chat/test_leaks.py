"""Who has gone leaves nothing behind."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from tests.fakes import TestServer

MANY = 100


class Memory(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, registrations_per_minute=0))
        self.host = self.server.member("owner")
        self.host.call("create_room", room_name="hall")
        self.server.connect().call("register", usr="again", pwd="password")

    def limiter(self) -> None:
        """A hundred people come, do what people do, and go: by intention, or not."""
        for number in range(MANY):
            guest = self.server.guest(f"guest{number}")
            guest.call("join_room", room_name="hall")
            guest.call("typing", room_name="hall")
            guest.call("mark_read", room_name="hall", seq=1)
            guest.call("whisper", target_user="owner", msg="x", txn=str(number))
            guest.call("block", user="owner")
            guest.call("set_address", port=5000)
            guest.call("get_address", user="owner")
            guest.call("create_room", room_name=f"room{number}")
            if number % 2:
                guest.call("logout")
            guest.drop(clean=not number % 3)
            member = self.server.connect()
            member.login("again", pwd="password")
            member.call("typing", room_name="lobby")
            member.drop()
            self.host.received()
        self.server.clock.advance(600)
        self.server.run_pending()
        self.server.clock.advance(600)
        self.server.run_pending()

    def left(self) -> int:
        """How many objects there are."""
        gc.collect()
        return len(gc.get_objects())

    def test_users_who_left_leave_no_objects_behind(self) -> None:  # G15
        self.limiter()
        before, timers = self.left(), len(self.server.clock.getDelayedCalls())
        self.limiter()
        self.assertEqual(len(self.server.clock.getDelayedCalls()), timers)
        self.assertEqual(self.server.chat.users.online.page(None, 9), ["owner"])
        self.assertEqual([room.name for room in self.server.chat.rooms], ["lobby", "hall"])
        # The log of the hall has two entries for each who was there.
        self.assertLess(self.left() - before, MANY * 4)
