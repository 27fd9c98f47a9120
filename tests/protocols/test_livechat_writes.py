"""Live chat without sockets: pauses between writes, slow clients, rate, closing."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.defer import Deferred

from gtchat.chat.errors import RateLimited
from gtchat.chat.limits import Limits
from gtchat.protocols.base.tcp import CLOSE_TIMEOUT
from gtchat.protocols.base.write_queue import READ_SIZE
from gtchat.protocols.livechat import SHORT_PAUSE, WRITE_PAUSE
from tests.protocols.cases import LiveChatTestCase


class Writes(LiveChatTestCase):
    def test_messages_have_a_pause_between_them(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        for text in (b"one", b"two", b"three"):
            alice.send(text)
        self.assertEqual(len(bob.received()), 1)
        self.reactor.advance(WRITE_PAUSE - 0.01)
        self.assertEqual(bob.received(), [])
        self.reactor.advance(0.01)
        [lines] = bob.received()
        texts = [line[11:] for line in lines.splitlines()]
        self.assertEqual(texts, [b"alice > two", b"alice > three"])

    def test_writes_are_closer_together_while_much_waits(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        for _ in range(30):
            alice.send(b"x" * 3000)
        self.reactor.advance(WRITE_PAUSE)
        bob.received()
        self.reactor.advance(SHORT_PAUSE)
        self.assertEqual(len(bob.received()), 1)

    def test_a_client_that_does_not_read_is_dropped_when_too_much_waits(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        bob.protocol.pauseProducing()
        line = b"x" * 3000
        for _ in range(self.limits.outbox_bytes // (len(line) + 19)):
            alice.send(line)
        self.wait()
        self.assertEqual(bob.received(), [])
        self.assertGreater(bob.protocol.buffered_bytes, self.limits.outbox_bytes - 2 * len(line))
        self.assertFalse(bob.closed)
        alice.send(line)
        self.assertTrue(bob.transport.aborted and bob.closed)
        self.assertEqual(self.chat.users.online.page(None, 9), ["alice"])

    def test_a_client_that_reads_again_gets_what_waited(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        bob.protocol.pauseProducing()
        for text in (b"one", b"two"):
            alice.send(text)
        self.assertEqual(self.texts(bob), [])
        bob.protocol.resumeProducing()
        self.assertEqual(self.texts(bob), ["alice > one", "alice > two"])

    def test_a_client_that_is_full_during_its_login(self) -> None:
        self.log_in("alice")
        bob = self.connect()
        bob.protocol.pauseProducing()
        bob.protocol.resumeProducing()
        bob.send(b"bob")
        bob.protocol.pauseProducing()
        self.wait()
        self.assertEqual(bob.received(), [b"OK"])
        bob.protocol.resumeProducing()
        self.assertEqual(bob.received(), [b"&Host&alice&bob"])

    def test_a_connection_that_is_lost_leaves_no_timer(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        for text in (b"one", b"two"):
            alice.send(text)
        bob.protocol.stopProducing()
        bob.drop()
        alice.drop()
        self.reactor.advance(6)  # presence that is told together, and read marks
        self.server.run_pending()
        self.chat.whispers.stop()
        self.chat._prune_timer.cancel()
        self.chat.admin.quotas.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ReaderAmongTalkers(LiveChatTestCase):
    limits = Limits(commands_per_second=0, ping_interval=0, outbox_bytes=20_000)

    def test_a_client_that_reads_stays_however_much_is_said(self) -> None:
        talkers, bob = [self.log_in(f"t{number}") for number in range(6)], self.log_in("bob")
        for second in range(10):
            for number in range(10):
                for talker in talkers:
                    talker.send(f"{second}.{number}".encode())
            self.wait(1)
        self.assertFalse(bob.closed)
        self.assertEqual(len(self.texts(bob)), 600)

    def test_a_client_that_reads_is_told_what_was_left_out(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        for _ in range(20):
            alice.send(b"x" * 3000)
        lines = self.texts(bob)
        self.assertFalse(bob.closed)
        alice.send(b"more")
        said, more = self.texts(bob)
        left_out = 20 - len(lines)
        self.assertGreater(left_out, 10)
        self.assertEqual(said, f"server > {left_out} lines were too many to show")
        self.assertEqual(more, "alice > more")


class Ends(LiveChatTestCase):
    def test_a_client_that_closes_is_logged_out(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        bob.drop()
        self.assertEqual(self.texts(alice), ["[*] bob entered.", "[*] bob exited."])
        self.assertNotIn(bob.protocol, self.factory.clients)

    def test_a_kicked_client_is_closed_and_the_others_see_it_leave(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("bob"))
        self.server.run_pending()
        self.assertTrue(bob.closed)
        self.assertEqual(self.texts(alice), ["[*] bob entered.", "[*] bob exited."])
        self.log_in("bob")

    def test_a_kicked_client_that_does_not_read_is_closed_too(self) -> None:
        bob = self.log_in("bob")
        bob.transport.reads = False
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("bob"))
        self.server.run_pending()
        self.assertFalse(bob.closed)
        bob.protocol._speak("said after the kick")
        self.reactor.advance(CLOSE_TIMEOUT)
        self.server.run_pending()
        self.assertTrue(bob.transport.aborted and bob.closed)

    def test_a_message_with_several_parts_ends_with_the_session(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")

        def kick(*args: object) -> None:
            bob.protocol.close(None, "kicked")

        with patch.object(self.chat, "speak", kick):
            bob.protocol._speak("a" * 9000)
        self.assertTrue(bob.transport.disconnecting)
        self.assertEqual(self.texts(alice), ["[*] bob entered."])

    def test_the_server_stops(self) -> None:
        clients = [self.log_in("alice"), self.connect()]
        clients[0].protocol.pauseProducing()
        self.factory.stop()
        self.server.run_pending()
        self.assertTrue(all(client.closed for client in clients))
        self.assertIsNone(clients[0].transport.producer)


class Rate(LiveChatTestCase):
    limits = Limits(ping_interval=0)

    def test_a_client_may_send_as_many_messages_as_its_burst(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        for number in range(100):
            bob.write(str(number).encode())
        self.server.run_pending()
        burst = self.limits.commands_burst
        self.wait(5)
        self.assertEqual(
            self.texts(alice), ["[*] bob entered.", *(f"bob > {n}" for n in range(burst))]
        )
        refusals = self.texts(bob)
        self.assertEqual(len(refusals), 100 - burst)
        self.assertEqual(set(refusals), {f"server > Not sent: {RateLimited().text}"})

    def test_each_part_of_a_long_text_counts(self) -> None:
        alice, bob = self.log_in("alice"), self.log_in("bob")
        bob.send(b"x" * READ_SIZE * 30)
        self.wait(5)
        self.assertLessEqual(len(self.texts(alice)), 1 + self.limits.commands_burst)

    def test_a_flood_is_disconnected(self) -> None:
        bob = self.log_in("bob")
        for number in range(300):
            bob.write(str(number).encode())
        self.server.run_pending()
        self.assertTrue(bob.transport.aborted and bob.closed)
