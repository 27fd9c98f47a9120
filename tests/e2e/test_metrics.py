"""`/metrics` of a server that has much to do, read by Prometheus' own parser."""

from __future__ import annotations

from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.e2e.test_operation import OperationCase

#: Messages that are sent before each scrape, and how many scrapes there are.
MESSAGES, SCRAPES = 200, 5
NO_RATE = ("--commands-burst", "0", "--commands-per-second", "0")


class Metrics(OperationCase):
    def scrape(self, server: Server) -> dict[str, float]:
        """Return the values of all samples without labels."""
        url = f"http://127.0.0.1:{server.web_port}/metrics"
        with build_opener(ProxyHandler({})).open(url, timeout=SECONDS) as reply:
            self.assertIn("version=0.0.4", reply.headers["Content-Type"])
            families = text_string_to_metric_families(reply.read().decode())
        return {
            one.name: one.value for family in families for one in family.samples if not one.labels
        }

    def test_they_are_readable_and_right_under_load(self) -> None:
        server = self.server(*NO_RATE, *NO_QUOTA).start()
        clients = [self.client(server, name) for name in ("ann", "bob", "eve")]
        for _ in range(SCRAPES):
            for number in range(MESSAGES):
                clients[0].send("speak", room_name="lobby", msg=str(number))
            self.assertLessEqual(self.scrape(server)["gtchat_messages_total"], MESSAGES * SCRAPES)
        replies = 0
        while replies < MESSAGES * SCRAPES:
            replies += clients[0].message().get("last_cmd") == "speak"
        found = self.scrape(server)
        self.assertEqual(found["gtchat_messages_total"], MESSAGES * SCRAPES)
        self.assertEqual(found["gtchat_deliveries_total"], MESSAGES * SCRAPES * 2)
        self.assertGreaterEqual(found["gtchat_batch_jobs_sum"], MESSAGES * SCRAPES)
        self.assertEqual(found["gtchat_store_healthy"], 1)
        self.assertEqual(found["gtchat_panic"], 0)
        self.assertGreater(found["process_resident_memory_bytes"], 1_000_000)
