"""A network that loses packets, or all of them for a while: iptables in a namespace of Linux.

The server runs in a namespace of its own, at the other end of a pair of virtual cards; rules in
there touch nobody else. Needs root, `ip` and `iptables`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable

import attrs

from tests.e2e.server import Server
from tests.stress.network_conditions import CLEAR
from tests.stress.order import OPTIONS, Order, Result

OUR_END, ITS_END = "10.213.7.1", "10.213.7.2"


class Net:
    """A namespace and the way to it."""

    def __init__(self) -> None:
        if os.geteuid() or not shutil.which("ip") or not shutil.which("iptables"):
            raise SystemExit("root, ip and iptables are needed: apt-get install iproute2 iptables")
        self.name = f"gtchat{os.getpid()}"
        self._card = card = self.name[-13:]
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", f"{card}a", "type", "veth", "peer", "name", f"{card}b")
        _run("ip", "link", "set", f"{card}b", "netns", self.name)
        _run("ip", "addr", "add", f"{OUR_END}/30", "dev", f"{card}a")
        _run("ip", "link", "set", f"{card}a", "up")
        self.within("ip", "addr", "add", f"{ITS_END}/30", "dev", f"{card}b")
        for one in ("lo", f"{card}b"):
            self.within("ip", "link", "set", one, "up")

    def within(self, *words: str) -> None:
        """Run a command in the namespace."""
        _run("ip", "netns", "exec", self.name, *words)

    def lose(self, likely: float) -> None:
        """From now on packets are lost, each way; 0: none, 1: all."""
        for chain in ("INPUT", "OUTPUT"):
            self.within("iptables", "-F", chain)
            if likely:
                chance = ("-m", "statistic", "--mode", "random", "--probability", str(likely))
                self.within(
                    *("iptables", "-A", chain, "-s" if chain == "INPUT" else "-d", OUR_END),
                    *(chance if likely < 1 else ()),
                    *("-j", "DROP"),
                )

    def remove(self) -> None:
        """Leave nothing behind."""
        _run("ip", "link", "del", f"{self._card}a")
        _run("ip", "netns", "del", self.name)


class ServerThere(Server):
    """A server in a namespace."""

    def __init__(self, net: Net, *options: str) -> None:
        super().__init__(*options, "--ws", f"tcp:0:interface={ITS_END}")
        self._net = net

    def command(self) -> list[str]:
        """What is run."""
        return ["ip", "netns", "exec", self._net.name, *super().command()]


@attrs.frozen
class Trouble:
    """What is done to the network, and for how many messages."""

    words: str
    messages: int
    do: Callable[[Net], Awaitable[None]]


async def _lossy(net: Net, likely: float) -> None:
    net.lose(likely)
    await asyncio.Event().wait()


async def _heavy(net: Net) -> None:
    net.lose(0.3)
    await asyncio.sleep(60)
    net.lose(0)
    await asyncio.Event().wait()


async def _silent(net: Net, seconds: float) -> None:
    await asyncio.sleep(2)
    net.lose(1)
    await asyncio.sleep(seconds)
    net.lose(0)
    await asyncio.Event().wait()


TROUBLES = (
    Trouble("5 % lost each way", 400, lambda net: _lossy(net, 0.05)),
    Trouble("30 % lost each way for 60 s", 400, _heavy),
    Trouble("silence for 10 s", 20_000, lambda net: _silent(net, 10)),
    Trouble("silence for 60 s", 20_000, lambda net: _silent(net, 60)),
)


async def run(trouble: Trouble, seed: int, progress: Callable[[int], None]) -> Result:
    """Let 4 write and 4 read through trouble."""
    net = Net()
    try:
        order = Order(
            ServerThere(net, *OPTIONS),
            trouble.messages,
            kills=0,
            seed=seed,
            writers=4,
            readers=4,
            weather=lambda _: CLEAR,
            host=ITS_END,
        )
        doing: list[asyncio.Task[None]] = []

        def end() -> None:
            doing.pop().cancel()
            net.lose(0)

        order.begun = lambda: doing.append(asyncio.ensure_future(trouble.do(net)))
        order.ended = end
        return await order.run(progress)
    finally:
        net.remove()


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
