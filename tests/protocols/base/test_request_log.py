"""What the log says about refused requests and unknown proxies, and how often."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import LOCAL, Proxies
from gtchat.protocols.base.request_log import (
    LINES_BURST,
    MAX_SHOWN_CHARS,
    MAX_WARNINGS,
    RequestLog,
)


class RequestLogTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.log = RequestLog(self.clock, Proxies.named(["10.0.0.0/8"]))

    def test_an_unknown_proxy_is_named_once(self) -> None:
        for peer, forwarded, text in (
            ("9.9.9.9", None, None),
            ("10.1.1.1", "1.2.3.4", None),
            ("9.9.9.9", "1.2.3.4", "X-Forwarded-For from 9.9.9.9 is ignored"),
            ("9.9.9.9", "1.2.3.5", None),
            ("2001:db8::1", "1.2.3.4", "add 2001:db8::1 to trusted_proxies"),
            ("2001:db8::2", "1.2.3.4", None),
            (LOCAL, "1.2.3.4", "add unix to trusted_proxies"),
        ):
            with capturedLogs() as logs:
                address = self.log.client_address(peer, forwarded)
            self.assertEqual(address, "1.2.3.4" if peer == "10.1.1.1" else peer)
            self.assertEqual(len(logs), 1 if text else 0, peer)
            if text:
                self.assertIn(text, str(formatEvent(logs[0])))
                self.assertIs(logs[0]["log_level"], LogLevel.warn)

    def test_the_header_is_named(self) -> None:
        with capturedLogs() as logs:
            self.log.client_address("9.9.9.9", None, "for=1.2.3.4")
        self.assertRegex(str(formatEvent(logs[0])), "^Forwarded from 9.9.9.9")

    def test_warnings_are_bounded(self) -> None:
        with capturedLogs() as logs:
            for number in range(1_000):
                self.log.client_address(f"198.51.{number // 256}.{number % 256}", "1.2.3.4")
        self.assertEqual(len(logs), MAX_WARNINGS)

    def test_refusals_are_bounded_and_those_omitted_are_counted(self) -> None:  # A32
        with capturedLogs() as logs:
            for _ in range(100):
                self.log.refused("1.2.3.4", 403, "why", "host", "origin")
            self.assertEqual(len(logs), LINES_BURST)
            self.clock.advance(1)
            self.log.refused("1.2.3.4", 403, "why", "host", "origin")
        self.assertEqual(
            [str(formatEvent(event)) for event in logs[-2:]],
            [
                "refused 1.2.3.4: 403, why; host host, origin origin",
                "refused 1.2.3.4: 403, why; host host, origin origin; 80 more were not logged",
            ],
        )

    def test_texts_of_clients_are_escaped_and_cut(self) -> None:
        with capturedLogs() as logs:
            self.log.refused("1.2.3.4", 403, "why", "a\nb\x1b\u202e", "x" * 10_000)
        self.assertEqual(logs[0]["host"], r"a\nb\x1b\u202e")
        self.assertEqual(logs[0]["origin"], "x" * MAX_SHOWN_CHARS)
        with capturedLogs() as logs:
            self.log.refused("1.2.3.4", 403, "why", None, "")
        self.assertEqual((logs[0]["host"], logs[0]["origin"]), ("none", ""))
