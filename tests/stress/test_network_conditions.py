"""Bad networks, simulated by the proxy of network_conditions.py, in front of the real server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Awaitable, Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import SECONDS, Client, Server
from tests.stress.network_conditions import PERFECT, NetworkConditions, Proxy
from tests.stress.order import OPTIONS, Order
from tests.stress.websocket import DISCONNECTED, Object, WebSocket

#: The messages of a dialogue, after the login.
TEXTS = [f"line {number}" for number in range(8)]


class UnixSockets(SynchronousTestCase):
    def test_connections_are_stalled_and_cut_on_a_unix_socket(self) -> None:
        folder = tempfile.mkdtemp(prefix="gtchat-")  # the path of a socket has 107 bytes
        self.addCleanup(shutil.rmtree, folder)

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

        async def main() -> None:
            server = await asyncio.start_unix_server(echo, f"{folder}/server")
            proxy = await Proxy(f"{folder}/server", lambda: PERFECT).start(f"{folder}/proxy")
            reader, writer = await asyncio.open_unix_connection(f"{folder}/proxy")
            for _ in range(2):
                writer.write(b"a")
                self.assertEqual(await reader.readexactly(1), b"a")
                proxy.delay = 0.001
            proxy.delay = 0.0
            passed = proxy.passed
            proxy.partition()
            writer.write(b"b")
            other, _ = await asyncio.open_unix_connection(f"{folder}/proxy")
            for _ in range(20):  # turns of the loop: without a stall it takes three
                await asyncio.sleep(0)
            self.assertEqual(proxy.passed, passed)
            proxy.heal()
            self.assertEqual(await reader.readexactly(1), b"b")
            proxy.cut()
            for one in (reader, other):
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(await one.read(), b"")
            reader, writer = await asyncio.open_unix_connection(f"{folder}/proxy")
            writer.write(b"c")
            self.assertEqual(await reader.readexactly(1), b"c")
            await proxy.stop()
            server.close()

        asyncio.run(asyncio.wait_for(main(), SECONDS))


class ProxyCase(SynchronousTestCase):
    """Tests of a server behind the proxy."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = Server(*OPTIONS, *self.options).start()
        self.addCleanup(self.server.kill)

    def with_proxy(
        self, test: Callable[[Proxy], Awaitable[None]], conditions: NetworkConditions = PERFECT
    ) -> None:
        """Run a test with a proxy; the server's log may have no traceback afterwards.

        Args:
            test: called with the proxy.
            conditions: of all connections, unless the test changes `self.conditions`.
        """

        async def main() -> None:
            self.conditions = conditions
            proxy = Proxy(self.server.ws_port, lambda: self.conditions, seed=7)
            await proxy.start()
            try:
                await asyncio.wait_for(test(proxy), 3 * SECONDS)
            finally:
                await proxy.stop()

        asyncio.run(main())
        self.assertNotIn("Traceback", "".join(self.server.lines))
        self.assertNotIn("Unhandled", "".join(self.server.lines))

    def history(self) -> list[tuple[str, str]]:
        """Return the sender and text of each message in the lobby."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr="reader")
        found: list[tuple[str, str]] = []
        more, after = True, 0
        while more:
            page = client.call("history", room_name="lobby", after=after, limit=200)
            found += [(entry["usr"], entry["msg"]) for entry in page["entries"]]
            after, more = page["log_last"], page["more"]
            if page["entries"]:
                after = page["entries"][-1]["seq"]
        return found


async def talk(port: int, name: str) -> list[Object]:
    """Log in as `name` and send `TEXTS`; return the replies."""
    ws = await WebSocket.connect(port)
    try:
        login = await ws.call(cmd="login", type="tmp", usr=name)
        spoken = [await ws.call(cmd="speak", room_name="lobby", msg=text) for text in TEXTS]
        return [login, *spoken]
    finally:
        ws.close()


class SlowNetworks(ProxyCase):
    def test_slow_networks_only_delay(self) -> None:
        for name, conditions in (
            ("ann", NetworkConditions(delay=(0.03, 0.07))),  # N01
            ("bob", NetworkConditions(piece=1)),  # N04
            ("eve", NetworkConditions(rate=20_000, piece=200)),  # N05
        ):
            self.with_proxy(lambda proxy, name=name: self.assertDialogue(proxy, name), conditions)  # type: ignore[misc]
        expected = [(name, text) for name in ("ann", "bob", "eve") for text in TEXTS]
        self.assertEqual(self.history(), expected)

    async def assertDialogue(self, proxy: Proxy, name: str) -> None:
        """All requests of a dialogue succeed."""
        replies = await talk(proxy.port, name)
        self.assertEqual([reply["status"] for reply in replies], ["ok"] * len(replies))


class Partitions(ProxyCase):
    options = ("--ping-interval", "0.3", "--ping-timeout", "2")

    def test_short_partition_is_survived_and_a_long_one_resumed(self) -> None:  # N06
        async def test(proxy: Proxy) -> None:
            bob = await WebSocket.connect(self.server.ws_port)
            await bob.call(cmd="login", type="tmp", usr="bob")
            ann = await WebSocket.connect(proxy.port)
            login = await ann.call(cmd="login", type="tmp", usr="ann")
            proxy.partition()
            await bob.call(cmd="speak", room_name="lobby", msg="in a short one")
            proxy.heal()
            [received] = [one for one in await ann.read() if one["cmd"] == "c_speak"]
            self.assertEqual(received["msg"], "in a short one")
            proxy.partition()
            await bob.call(cmd="speak", room_name="lobby", msg="in a long one")
            events: list[Object] = []
            while not [one for one in events if one.get("type") == "logout"]:
                events += await bob.read()
            proxy.heal()
            back = await WebSocket.connect(proxy.port)
            reply = await back.call(
                cmd="resume",
                session_id=login["session_id"],
                epoch=login["epoch"],
                seen={"lobby": received["seq"]},
            )
            [lobby] = reply["resumed"]
            self.assertEqual([one["msg"] for one in lobby["entries"]], ["in a long one"])
            self.assertEqual([one["usr"] for one in events if one.get("type") == "logout"], ["ann"])
            for ws in (ann, bob, back):
                ws.close()

        self.with_proxy(test)

    def test_pings_keep_an_idle_connection_open(self) -> None:  # N10
        async def test(proxy: Proxy) -> None:
            ann = await WebSocket.connect(proxy.port)
            await ann.call(cmd="login", type="tmp", usr="ann")
            # A proxy that drops idle connections sees pings again and again.
            reading = asyncio.create_task(ann.read())
            for _ in range(4):
                before = proxy.passed
                while proxy.passed == before and not reading.done():
                    await asyncio.wait([reading], timeout=0.1)
            self.assertFalse(reading.done())
            reading.cancel()
            self.assertEqual((await ann.call(cmd="ping"))["status"], "ok")
            ann.close()

        self.with_proxy(test)


class BrokenConnections(ProxyCase):
    def test_connection_that_ends_at_many_positions(self) -> None:  # N07
        names: list[str] = []

        async def test(proxy: Proxy) -> None:
            for number, byte in enumerate(itertools.chain(range(1, 400, 40), range(400, 1300, 23))):
                names.append(f"u{number}")
                self.conditions = NetworkConditions(ends_after=byte, resets=number % 2 == 1)
                with contextlib.suppress(*DISCONNECTED):
                    await talk(proxy.port, names[-1])

        self.with_proxy(test)
        stored: dict[str, list[str]] = {}
        for name, text in self.history():
            stored.setdefault(name, []).append(text)
        for texts in stored.values():
            self.assertEqual(texts, TEXTS[: len(texts)])
        lengths = [len(stored.get(name, ())) for name in names]
        self.assertEqual((lengths[0], max(lengths)), (0, len(TEXTS)))
        self.assertGreater(len(set(lengths)), len(TEXTS) // 2)

    def test_flipped_bits_do_no_harm(self) -> None:  # N09
        def harmless(text: str) -> bool:
            return all(character >= " " or character in "\n\t" for character in text)

        async def test(proxy: Proxy) -> None:
            for number in range(15):
                # The replies may be corrupted too, so that the client cannot parse them.
                invalid = (asyncio.TimeoutError, ValueError, KeyError, AttributeError)
                with contextlib.suppress(*DISCONNECTED, *invalid):
                    await asyncio.wait_for(talk(proxy.port, f"u{number}"), 0.5)

        self.with_proxy(test, NetworkConditions(corrupt=0.002, spared=600))
        stored = self.history()
        self.assertTrue(stored)
        self.assertTrue(all(harmless(name + text) for name, text in stored))

    def test_client_that_shut_down_writing_still_reads(self) -> None:  # N08
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.call("login", type="tmp", usr="ann")
        sent = [client.send("speak", room_name="lobby", msg=text) for text in TEXTS]
        client.socket.shutdown(1)
        client.wait_closed()
        self.assertEqual([text for _, text in self.history()], TEXTS)
        self.assertEqual(len(sent), len(TEXTS))


class OrderUnderFaults(SynchronousTestCase):
    def test_eight_writers_and_eight_readers_agree_on_the_order(self) -> None:
        result = asyncio.run(Order(Server(*OPTIONS), 2000, kills=4, seed=7).run())
        self.assertEqual(result.violations, [])
        self.assertEqual((result.messages, result.kills), (2000, 4))
        # Each of the 16 connects anew again and again; how often depends on the machine's speed.
        self.assertGreater(result.connections, 4 * 16)
        self.assertGreaterEqual(result.delivered, 2000 * 16)
