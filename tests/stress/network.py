"""Packet loss and partitions: iptables in a network namespace of Linux.

The server runs in a namespace of its own, behind a pair of virtual interfaces, so that the rules
affect nothing else. Needs root, `ip` and `iptables`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable

import attrs

from tests.e2e.server import Server
from tests.stress.network_conditions import PERFECT
from tests.stress.order import OPTIONS, Order, Result

CLIENT_ADDRESS, SERVER_ADDRESS = "10.213.7.1", "10.213.7.2"


class Namespace:
    """A network namespace and the link to it.

    Raises:
        SystemExit: not root, or a program is missing.
    """

    def __init__(self) -> None:
        if os.geteuid() or not shutil.which("ip") or not shutil.which("iptables"):
            raise SystemExit("root, ip and iptables are needed: apt-get install iproute2 iptables")
        self.name = f"gtchat{os.getpid()}"
        self._link = link = self.name[-13:]
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", f"{link}a", "type", "veth", "peer", "name", f"{link}b")
        _run("ip", "link", "set", f"{link}b", "netns", self.name)
        _run("ip", "addr", "add", f"{CLIENT_ADDRESS}/30", "dev", f"{link}a")
        _run("ip", "link", "set", f"{link}a", "up")
        self.run("ip", "addr", "add", f"{SERVER_ADDRESS}/30", "dev", f"{link}b")
        for interface in ("lo", f"{link}b"):
            self.run("ip", "link", "set", interface, "up")

    def run(self, *words: str) -> None:
        """Run a command in the namespace."""
        _run("ip", "netns", "exec", self.name, *words)

    def set_loss(self, probability: float) -> None:
        """Drop packets with a probability, each way, from now on; 0: none, 1: all."""
        for chain in ("INPUT", "OUTPUT"):
            self.run("iptables", "-F", chain)
            if probability:
                random = ("-m", "statistic", "--mode", "random", "--probability", str(probability))
                self.run(
                    *("iptables", "-A", chain, "-s" if chain == "INPUT" else "-d", CLIENT_ADDRESS),
                    *(random if probability < 1 else ()),
                    *("-j", "DROP"),
                )

    def remove(self) -> None:
        """Delete the link and the namespace."""
        _run("ip", "link", "del", f"{self._link}a")
        _run("ip", "netns", "del", self.name)


class NamespaceServer(Server):
    """A server in a namespace.

    Args:
        namespace: where it runs.
        options: see `Server`.
    """

    by_fork = False

    def __init__(self, namespace: Namespace, *options: str) -> None:
        super().__init__(*options, "--ws", f"tcp:0:interface={SERVER_ADDRESS}")
        self._namespace = namespace

    def command(self) -> list[str]:
        """Return the command line."""
        return ["ip", "netns", "exec", self._namespace.name, *super().command()]


@attrs.frozen
class Scenario:
    """What happens to the network during a run.

    Attributes:
        title: for the output.
        messages: to be sent during the run.
        act: changes the namespace; cancelled when all messages are acknowledged.
    """

    title: str
    messages: int
    act: Callable[[Namespace], Awaitable[None]]


async def _lose(namespace: Namespace, probability: float) -> None:
    namespace.set_loss(probability)
    await asyncio.Event().wait()


async def _lose_for_a_minute(namespace: Namespace) -> None:
    namespace.set_loss(0.3)
    await asyncio.sleep(60)
    namespace.set_loss(0)
    await asyncio.Event().wait()


async def _partition(namespace: Namespace, seconds: float) -> None:
    await asyncio.sleep(2)
    namespace.set_loss(1)
    await asyncio.sleep(seconds)
    namespace.set_loss(0)
    await asyncio.Event().wait()


SCENARIOS = (
    Scenario("5 % lost each way", 400, lambda namespace: _lose(namespace, 0.05)),
    Scenario("30 % lost each way for 60 s", 400, _lose_for_a_minute),
    Scenario("partition of 10 s", 20_000, lambda namespace: _partition(namespace, 10)),
    Scenario("partition of 60 s", 20_000, lambda namespace: _partition(namespace, 60)),
)


async def run(scenario: Scenario, seed: int, progress: Callable[[int], None]) -> Result:
    """Run a scenario with 4 writers and 4 readers.

    Args:
        scenario: what happens to the network.
        seed: of everything random.
        progress: called with the number of acknowledged messages.
    """
    namespace = Namespace()
    try:
        order = Order(
            NamespaceServer(namespace, *OPTIONS),
            scenario.messages,
            kills=0,
            seed=seed,
            writers=4,
            readers=4,
            conditions=lambda _: PERFECT,
            host=SERVER_ADDRESS,
        )
        acting: list[asyncio.Task[None]] = []

        def end() -> None:
            acting.pop().cancel()
            namespace.set_loss(0)

        order.on_begin = lambda: acting.append(asyncio.ensure_future(scenario.act(namespace)))
        order.on_end = end
        return await order.run(progress)
    finally:
        namespace.remove()


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
