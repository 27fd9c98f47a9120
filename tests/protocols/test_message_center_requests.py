"""Message Center without sockets: each request, and their order."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.chat.events import (
    AddressGranted,
    AddressRequested,
    BroadcastSent,
    LoggedIn,
    LoggedOut,
    MessageSent,
    PresenceChanged,
    UserTyping,
    WhisperSent,
)
from gtchat.chat.limits import Limits
from gtchat.protocols.base.command_queue import QUEUE_LIMIT
from gtchat.protocols.base.dialback_server import HEARTBEAT_CHECK
from gtchat.protocols.message_center import (
    BLOCKED,
    MAX_FRAME,
    OFFLINE,
    SOME_BLOCKED,
    UNKNOWN,
    framed,
    render,
)
from tests.protocols.cases import CenterTestCase


class Requests(CenterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def test_a_direct_message(self) -> None:
        client = self.request("ann", "MSG", "bob|a|b|c")
        self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.pushed(), [(6002, "[ann]: a|b|c")])

    def test_a_direct_message_to_a_user_who_is_offline(self) -> None:
        self.request("ann", "MSG", "eve|offline one")
        self.request("ann", "MSG", "eve|offline\ntwo \x9b")
        self.assertEqual(self.pushed(), [(6001, OFFLINE)] * 2)
        self.log_in("eve", 6003)
        self.assertEqual(
            [text for port, text in self.pushed() if port == 6003],
            [
                "While you were away...\n[ann]: offline one\n[ann]: offline\n    two\n",
                "eve has logged on.",
            ],
        )

    def test_a_direct_message_that_is_refused(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        for target, text in (("ghost", UNKNOWN), ("bob", BLOCKED), ("", UNKNOWN)):
            self.request("ann", "MSG", f"{target}|hi")
            self.assertEqual(self.pushed(), [(6001, text)])
        self.request("ann", "MSG", "ann|hi")
        [(port, text)] = self.pushed()
        self.assertEqual(port, 6001)
        self.request("ann", "MSG", "bob")
        self.assertEqual(self.pushed(), [])

    def test_a_broadcast_goes_to_all_but_the_sender(self) -> None:
        eve = self.log_in_web("eve")
        self.pushed()
        self.request("ann", "BRD", "hello|all")
        self.assertEqual(self.pushed(), [(6002, "[ann]: hello|all")])
        [push] = eve.pushes("c_speak")
        self.assertEqual((push["usr"], push["msg"]), ("ann", "hello|all"))

    def test_a_broadcast_of_a_user_who_is_blocked(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        self.request("ann", "BRD", "hello")
        self.assertEqual(self.pushed(), [(6001, SOME_BLOCKED)])

    def test_a_broadcast_that_is_not_stored(self) -> None:
        self.server.store.failing = 1
        self.request("ann", "BRD", "lost")
        [(port, text)] = self.pushed()
        self.assertEqual(port, 6001)
        self.assertNotIn("lost", text)

    def test_the_list_of_users(self) -> None:
        self.request("ann", "ONL")
        self.assertEqual(self.pushed(), [(6001, "[CURRENTLY ONLINE]: ann bob ")])

    def test_a_long_list_of_users_fits_in_a_frame(self) -> None:
        for number in range(8000):
            self.chat.users.online.add(f"user{number:04}")
        self.request("ann", "ONL")
        [(_, text)] = self.pushed()
        self.assertLessEqual(len(text), MAX_FRAME)
        self.assertRegex(text, r"^\[CURRENTLY ONLINE\]: ann bob user0000 (.* )and \d+ more $")

    def test_blocks(self) -> None:
        for rest, text in (
            ("1|bob", "You have blocked bob"),
            ("0|bob", "You have unblocked bob"),
            ("0|bob", "You have unblocked bob"),
            ("1|ghost", UNKNOWN),
        ):
            self.request("ann", "BLC", rest)
            self.assertEqual(self.pushed(), [(6001, text)])
        for rest in ("x|bob", "bob", ""):
            self.request("ann", "BLC", rest)
            self.assertEqual(self.pushed(), [])

    def test_a_request_that_the_store_refuses(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=NotStored()):
            client = self.request("ann", "BLC", "1|bob")
        self.assertTrue(client.closed)
        self.assertEqual(self.pushed(), [(6001, NotStored().text)])

    def test_a_request_that_fails_closes_its_connection(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=ZeroDivisionError()):
            client = self.request("ann", "BLC", "1|bob")
        self.assertTrue(client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.request("ann", "ONL")
        self.assertEqual(len(self.pushed()), 1)

    def test_an_address_is_told_to_a_user_who_asked_for_it(self) -> None:
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("OKAY")])
        self.assertEqual(
            self.pushed(), [(6002, "Request: ann wants your address. [allow ann] to accept.")]
        )
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [(6001, "ADR|bob|192.0.2.7|6002")])
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [])

    def test_an_address_that_can_not_be_asked_for(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        for name in ("bob", "eve", "ghost", "ann", ""):
            client = self.request("ann", "GET", name)
            self.assertEqual((client.received(), client.closed), ([framed("FAIL")], True))
        self.assertEqual(self.pushed(), [])

    def test_an_address_for_a_user_who_has_left(self) -> None:
        gone = "eve has gone offline. Please allow access when they are online again."
        self.request("bob", "ALL", "eve")
        self.assertEqual(self.pushed(), [(6002, gone)])
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [])

    def test_logging_out(self) -> None:
        client = self.request("ann", "OUT")
        self.assertTrue(client.closed)
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.online(), ["bob"])
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("FAIL")])

    def test_heartbeats_and_unknown_requests_are_not_answered(self) -> None:
        for kind in ("HEY", "XXX", "LIN", ""):
            client = self.request("ann", kind)
            self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.pushed(), [])

    def test_requests_before_a_login(self) -> None:
        for body, answer in (
            ("ONL|ann|0123|", []),
            ("GET|ann|0123|bob", [framed("FAIL")]),
            ("GET", [framed("FAIL")]),
            (f"GET|bob|{self.tokens['ann']}|eve", [framed("FAIL")]),
            (f"OUT|bob|{self.tokens['ann']}|", []),
        ):
            client = self.connect()
            client.send(framed(body))
            self.assertEqual((client.received(), client.closed), (answer, True))
        self.assertEqual(self.online(), ["ann", "bob"])

    def test_names_are_compared_without_case(self) -> None:
        self.tokens["ANN"] = self.tokens["ann"]
        self.request("ANN", "MSG", "BOB|hi")
        self.assertEqual(self.pushed(), [(6002, "[ann]: hi")])

    def test_every_event_has_the_text_of_the_original(self) -> None:
        for event, text in (
            (MessageSent(room_name="lobby", usr="ann", msg="hi", id="1", at=0), "[ann]: hi"),
            (MessageSent(room_name="den", usr="ann", msg="hi", id="1", at=0), None),
            (WhisperSent(usr="ann", msg="hi", id="1", at=0), "[ann]: hi"),
            (BroadcastSent(usr="ann", msg="hi", at=0), "[ann]: hi"),
            (LoggedIn(usr="ann", at=0), "ann has logged on."),
            (LoggedOut(usr="ann", at=0), "ann is offline."),
            (
                AddressRequested(usr="ann", at=0),
                "Request: ann wants your address. [allow ann] to accept.",
            ),
            (
                AddressGranted(usr="ann", host="192.0.2.1", port=6067, at=0),
                "ADR|ann|192.0.2.1|6067",
            ),
            (PresenceChanged(logins=("ann",), logouts=(), at=0), ""),
            (UserTyping(usr="ann", room_name="lobby", at=0), None),
        ):
            self.assertEqual(render(event), text)


class Order(CenterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def hold(self) -> Deferred[None]:
        """Let blocks wait until the Deferred is fired."""
        held: Deferred[None] = Deferred()

        async def set_block(*args: object) -> None:
            await held

        patcher = patch.object(self.chat.blocks, "set_block", set_block)
        patcher.start()
        self.addCleanup(patcher.stop)
        return held

    def test_requests_run_in_order_over_many_connections(self) -> None:
        held = self.hold()
        first = self.request("ann", "BLC", "1|bob")
        others = [self.request("ann", "BRD", str(number)) for number in range(5)]
        last = self.request("ann", "GET", "bob")
        self.assertEqual(self.pushed(), [])
        self.assertFalse(any(one.closed for one in (first, last, *others)))
        held.callback(None)
        self.server.run_pending()
        self.assertEqual(last.received(), [framed("OKAY")])
        self.assertEqual(
            [text for port, text in self.pushed() if port == 6002 and "Request" not in text],
            [f"[ann]: {number}" for number in range(5)],
        )
        self.assertTrue(all(one.closed for one in (first, last, *others)))

    def test_requests_of_other_users_do_not_wait(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        self.request("bob", "BRD", "hi")
        self.assertEqual(self.pushed(), [(6001, "[bob]: hi")])

    def test_the_end_of_a_session_answers_the_requests_that_wait(self) -> None:
        ends = (
            lambda: self.center.stop(),
            lambda: Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann")),
            lambda: self.log_in("ann", 6009),
            lambda: self.reactor.pump([HEARTBEAT_CHECK] * 12),
        )
        for end in ends:
            self.setUp()
            held = self.hold()
            running = self.request("ann", "BLC", "1|bob")
            waiting, asked = self.request("ann", "ONL"), self.request("ann", "GET", "bob")
            end()
            self.server.run_pending()
            self.assertTrue(waiting.closed and asked.closed)
            held.callback(None)
            self.server.run_pending()
            self.assertTrue(running.closed)
            self.assertNotIn("CURRENTLY", str(self.pushed()))

    def test_a_get_that_is_never_run_is_answered(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        asked = self.request("ann", "GET", "bob")
        self.center.stop()
        self.server.run_pending()
        self.assertEqual(asked.received(), [framed("FAIL")])

    def test_a_log_out_is_the_last_request(self) -> None:
        held = self.hold()
        self.request("ann", "BLC", "1|bob")
        self.request("ann", "OUT")
        late = self.request("ann", "BRD", "late")
        held.callback(None)
        self.server.run_pending()
        self.assertTrue(late.closed)
        self.assertEqual(self.pushed(), [(6001, "You have blocked bob"), (6002, "ann is offline.")])

    def test_a_session_that_ends_during_a_request(self) -> None:
        self.limits = Limits(commands_per_second=0, ping_interval=0, text_chars=10)
        self.setUp()
        client = self.connect()
        client.write(framed(f"MSG|ann|{self.tokens['ann']}|eve|{'x' * 25}"))
        self.center.stop()
        self.server.run_pending()
        self.assertTrue(client.closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_requests_that_wait_are_bounded(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        waiting = [self.request("ann", "BRD", str(number)) for number in range(QUEUE_LIMIT)]
        refused = self.request("ann", "BRD", "one too many")
        self.assertTrue(refused.closed)
        self.assertFalse(any(one.closed for one in waiting))
        self.assertEqual(self.pushed(), [(6001, RateLimited().text)])
