"""Metrics for Prometheus: what they are called, and where their values are when they are asked for.

No label holds a name, a room or an address. Histograms are of the store and of the event loop.
Who may ask is decided in `gtchat.web.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from twisted.internet.defer import TimeoutError

from gtchat import __version__
from gtchat.chat.chat import Chat
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import IStore
from gtchat.chat.measures import Histogram
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.websocket import ChatFactory
from gtchat.server.endpoints import Listeners
from gtchat.server.passwords import Passwords
from gtchat.server.process import LoopLag

#: Seconds that a scrape waits for the sizes of the database; without an answer they are left out.
SIZES_TIMEOUT_S = 2.0


@attrs.define(eq=False)
class Metrics:
    """Reads the values of all metrics.

    Args:
        chat: the chat.
        store: its store.
        websocket: the factory of the WebSocket connections.
        limiters: protocol -> counts the connections of its endpoints, WebSocket excepted.
        listeners: the ports, which have certificates.
        passwords: hashes passwords.
        clock: an IReactorTime.

    Attributes:
        lag: the lag of the event loop; to be started and stopped.
    """

    chat: Chat
    store: IStore
    websocket: ChatFactory
    limiters: Mapping[str, ConnectionLimiter]
    listeners: Listeners
    passwords: Passwords
    clock: Any
    lag: LoopLag = attrs.field(init=False)
    _sizes: Mapping[str, int] = attrs.field(init=False, factory=dict)
    _registry: CollectorRegistry = attrs.field(init=False, factory=CollectorRegistry)

    def __attrs_post_init__(self) -> None:
        self.lag = LoopLag(self.clock)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def render(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4."""
        try:
            self._sizes = await self.store.sizes().addTimeout(SIZES_TIMEOUT_S, self.clock)
        except (NotStored, TimeoutError):
            self._sizes = {}
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names need not be known before they are collected (Collector)."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their present values (Collector)."""
        chat, store, measures = self.chat, self.store, self.chat.measures
        yield _gauge("gtchat_info", "The version that runs.", {__version__: 1}, "version")
        connections = {"websocket": len(self.websocket.context.connections)}
        connections |= {name: one.open for name, one in self.limiters.items()}
        yield _gauge("gtchat_connections", "Open connections.", connections, "protocol")
        yield _gauge("gtchat_sessions", "Sessions of users.", self._sessions(), "protocol")
        yield _gauge("gtchat_users_online", "Users online, here or elsewhere.", self._online())
        text = "Messages to rooms that this server has stored."
        yield CounterMetricFamily("gtchat_messages", text, measures.messages)
        text = "Messages that were appended to the outboxes of their receivers."
        yield CounterMetricFamily("gtchat_deliveries", text, measures.deliveries)
        text = "Requests of clients that were answered with an error."
        yield _counter("gtchat_refusals", text, measures.refusals, "code")
        text = "HTTP requests that were refused, WebSocket handshakes among them."
        refusals = self.websocket.context.request_log.refusals
        yield _counter("gtchat_http_refusals", text, refusals, "status")
        queues = {"writes": store.waiting(), "passwords": self.passwords.waiting}
        yield _gauge("gtchat_queue_length", "What waits for a thread.", queues, "queue")
        unsent = self.websocket.context.batcher.limits.total
        yield _gauge("gtchat_outbox_bytes", "Bytes that slow connections have not taken.", unsent)
        yield _gauge("gtchat_store_healthy", "1 if the last write succeeded.", store.healthy())
        yield _gauge("gtchat_disk_full", "1 if nothing is stored.", chat.quota.disk_full)
        panic = chat.access.panic.is_on
        yield _gauge("gtchat_panic", "1 while the panic switch is on.", panic)
        yield _gauge("gtchat_database_bytes", "Sizes of the database.", self._sizes, "part")
        counted = store.measures
        for name, text, histogram in (
            ("gtchat_commit_seconds", "Time to write and commit a batch.", counted.commits),
            ("gtchat_delivery_seconds", "Time from commit to delivery.", counted.deliveries),
            ("gtchat_batch_jobs", "Writes that were committed together.", counted.batches),
            ("gtchat_node_lag_seconds", "Age of entries of other servers.", counted.lags),
            ("gtchat_event_loop_lag_seconds", "How late a timer is.", self.lag.seconds),
        ):
            yield _histogram(name, text, histogram)
        text = "When the first certificate of a port expires, in seconds since 1970."
        name = "gtchat_certificate_expiry_timestamp_seconds"
        yield _gauge(name, text, self.listeners.expiries(), "port")

    def _sessions(self) -> dict[str, int]:
        """Return protocol -> number of its sessions, also of protocols that have none now."""
        names = ("gtchat", "randomchat", *(one for one in self.limiters if one != "http"))
        return dict.fromkeys(names, 0) | {
            next(iter(connections)).protocol: len(connections)
            for _, connections in self.chat.users.subscribers
            if connections
        }

    def _online(self) -> int:
        return len(self.chat.users.online)


def _gauge(
    name: str, text: str, value: float | Mapping[Any, float], label: str = ""
) -> GaugeMetricFamily:
    """Return a gauge: one value, or one for each value of a label."""
    if not isinstance(value, Mapping):
        return GaugeMetricFamily(name, text, float(value))
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, each in value.items():
        family.add_metric([str(key)], each)
    return family


def _counter(name: str, text: str, values: Mapping[Any, int], label: str) -> CounterMetricFamily:
    """Return a counter with a value for each value of a label; its samples end in `_total`."""
    family = CounterMetricFamily(name, text, labels=[label])
    for key, each in values.items():
        family.add_metric([str(key)], each)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text)
    bounds = [*map(str, map(float, histogram.bounds)), "+Inf"]
    counts = accumulate(histogram.counts)
    family.add_metric([], list(zip(bounds, counts, strict=True)), histogram.sum)
    return family
