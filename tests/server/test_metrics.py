"""Metrics of a server: what is exported, and that documentation and dashboard name nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, fail

from gtchat.chat.errors import NotStored
from gtchat.server.process import LAG_INTERVAL_S
from tests.server.test_service import ServiceCase

DOCS = Path(__file__).parents[2] / "docs"
#: Names of metrics in texts.
NAME = re.compile(r"\b(?:gtchat|process)_[a-z_]+\b")


class Scraping(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.started(message_center="tcp:6066", metrics="tcp:9100")

    def scrape(self) -> dict[str, Any]:
        """Return name -> family of what the endpoint of the metrics serves."""
        protocol, transport = self.connect(9100)
        protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.reactor.advance(0)
        header, _, body = transport.value().partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", header)
        return {one.name: one for one in text_string_to_metric_families(body.decode())}

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a sample that is scraped now."""
        samples = [
            one
            for family in self.scrape().values()
            for one in family.samples
            if one.name == name and one.labels == labels
        ]
        [found] = samples
        number: float = found.value
        return number

    def test_connections_and_sessions_are_counted_by_protocol(self) -> None:
        self.handshake(9000)
        self.connect(6066)
        self.assertEqual(self.value("gtchat_connections", protocol="websocket"), 1)
        self.assertEqual(self.value("gtchat_connections", protocol="message_center"), 1)
        self.assertEqual(self.value("gtchat_connections", protocol="http"), 0)
        for protocol in ("gtchat", "randomchat", "message_center"):
            self.assertEqual(self.value("gtchat_sessions", protocol=protocol), 0)

    def test_refused_requests_are_counted_by_status(self) -> None:
        self.status(9000, origin="https://elsewhere.example")
        self.assertEqual(self.value("gtchat_http_refusals_total", status="403"), 1)

    def test_the_event_loop_is_measured_by_a_timer(self) -> None:
        self.reactor.advance(LAG_INTERVAL_S)
        self.reactor.advance(LAG_INTERVAL_S + 0.2)
        self.assertEqual(self.value("gtchat_event_loop_lag_seconds_count"), 2)
        self.assertAlmostEqual(self.value("gtchat_event_loop_lag_seconds_sum"), 0.2)
        self.assertEqual(self.value("gtchat_event_loop_lag_seconds_bucket", le="0.25"), 2)
        self.assertEqual(self.value("gtchat_event_loop_lag_seconds_bucket", le="0.1"), 1)

    def test_sizes_are_left_out_while_the_database_does_not_answer(self) -> None:
        store = self.server._storage.store
        for answer in (fail(NotStored()), Deferred()):
            self.patch(store, "sizes", lambda answer=answer: answer)
            protocol, transport = self.connect(9100)
            protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            self.reactor.advance(5)
            self.assertIn(b" 200 ", transport.value().partition(b"\r\n")[0])

    def test_the_web_endpoint_serves_them_to_this_machine(self) -> None:
        protocol, transport = self.connect(8080)
        protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.reactor.advance(0)
        self.assertIn(b"gtchat_connections", transport.value())

    def test_labels_are_these(self) -> None:
        found = {
            label
            for family in self.scrape().values()
            for one in family.samples
            for label in one.labels
        }
        self.assertLessEqual(
            found, {"protocol", "code", "status", "queue", "part", "port", "le", "version"}
        )

    def names(self) -> set[str]:
        """Return the names of all metrics and their samples."""
        families = self.scrape()
        names = {one.name for family in families.values() for one in family.samples}
        for family in families.values():
            if family.type == "counter":
                names.add(f"{family.name}_total")
            names.add(family.name)
            names |= {f"{family.name}_{end}" for end in ("bucket", "count", "sum")}
        return names

    def test_documentation_and_dashboard_name_no_other_metrics(self) -> None:
        dashboard = (DOCS / "grafana.json").read_text()
        json.loads(dashboard)
        section = (DOCS / "operations.md").read_text().split("### Metrics")[1].split("\n#")[0]
        names = self.names()
        self.assertEqual(set(NAME.findall(dashboard)) - names, set())
        self.assertEqual(set(NAME.findall(section)) - names, set())
        families = {name for name in self.scrape() if name.startswith("gtchat_")}
        documented = {name.removesuffix("_total") for name in NAME.findall(section)}
        self.assertEqual(families - documented, set())
