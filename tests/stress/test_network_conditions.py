"""Bad networks: what passes through the proxy of proxy.py, in whatever way, and what does not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import SECONDS, Client, Server
from tests.stress.network_conditions import CLEAR, NetworkConditions, Proxy
from tests.stress.order import OPTIONS, Order
from tests.stress.wire import BROKEN, Object, Wire

#: What a dialogue says, after a login.
SAID = [f"line {number}" for number in range(8)]


class Through(SynchronousTestCase):
    """Tests of a server behind the proxy."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = Server(*OPTIONS, *self.options).start()
        self.addCleanup(self.server.kill)

    def through(
        self, do: Callable[[Proxy], Awaitable[None]], weather: NetworkConditions = CLEAR
    ) -> None:
        """Do something with a proxy; nothing odd may be in the server's log afterwards."""

        async def main() -> None:
            self.weather = weather
            proxy = Proxy(self.server.ws_port, lambda: self.weather, seed=7)
            await proxy.start()
            try:
                await asyncio.wait_for(do(proxy), 3 * SECONDS)
            finally:
                await proxy.stop()

        asyncio.run(main())
        self.assertNotIn("Traceback", "".join(self.server.lines))
        self.assertNotIn("Unhandled", "".join(self.server.lines))

    def history(self) -> list[tuple[str, str]]:
        """Who said what in the lobby."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.say("login", type="tmp", usr="reader")
        found: list[tuple[str, str]] = []
        more, after = True, 0
        while more:
            page = client.say("history", room_name="lobby", after=after, limit=200)
            found += [(entry["usr"], entry["msg"]) for entry in page["entries"]]
            after, more = page["last"], page["more"]
            if page["entries"]:
                after = page["entries"][-1]["seq"]
        return found


async def talk(port: int, name: str) -> list[Object]:
    """A dialogue; its answers."""
    wire = await Wire.connect(port)
    try:
        login = await wire.ask(cmd="login", type="tmp", usr=name)
        said = [await wire.ask(cmd="speak", room_name="lobby", msg=text) for text in SAID]
        return [login, *said]
    finally:
        wire.close()


class Slow(Through):
    def test_a_dialogue_goes_well(self) -> None:
        for name, weather in (
            ("ann", NetworkConditions(delay=(0.03, 0.07))),  # N01
            ("bob", NetworkConditions(piece=1)),  # N04
            ("eve", NetworkConditions(rate=20_000, piece=200)),  # N05
        ):
            self.through(lambda proxy, name=name: self.dialogue(proxy, name), weather)  # type: ignore[misc]
        said = [(name, text) for name in ("ann", "bob", "eve") for text in SAID]
        self.assertEqual(self.history(), said)

    async def dialogue(self, proxy: Proxy, name: str) -> None:
        """A dialogue, in which all is granted."""
        answers = await talk(proxy.port, name)
        self.assertEqual([answer["status"] for answer in answers], ["ok"] * len(answers))


class Parted(Through):
    options = ("--ping-interval", "0.3", "--ping-timeout", "0.5")

    def test_a_short_silence_is_survived_and_a_long_one_resumed(self) -> None:  # N06
        async def do(proxy: Proxy) -> None:
            bob = await Wire.connect(self.server.ws_port)
            await bob.ask(cmd="login", type="tmp", usr="bob")
            ann = await Wire.connect(proxy.port)
            login = await ann.ask(cmd="login", type="tmp", usr="ann")
            proxy.part()
            await bob.ask(cmd="speak", room_name="lobby", msg="in the silence")
            proxy.heal()
            [heard] = [one for one in await ann.read() if one["cmd"] == "c_speak"]
            self.assertEqual(heard["msg"], "in the silence")
            proxy.part()
            await bob.ask(cmd="speak", room_name="lobby", msg="in a long one")
            gone: list[Object] = []
            while not [one for one in gone if one.get("type") == "logout"]:
                gone += await bob.read()
            proxy.heal()
            back = await Wire.connect(proxy.port)
            reply = await back.ask(
                cmd="resume",
                session_id=login["session_id"],
                epoch=login["epoch"],
                seen={"lobby": heard["seq"]},
            )
            [lobby] = reply["resumed"]
            self.assertEqual([one["msg"] for one in lobby["entries"]], ["in a long one"])
            self.assertEqual([one["usr"] for one in gone if one.get("type") == "logout"], ["ann"])
            for wire in (ann, bob, back):
                wire.close()

        self.through(do)

    def test_pings_keep_a_connection_open(self) -> None:  # N10
        async def do(proxy: Proxy) -> None:
            ann = await Wire.connect(proxy.port)
            await ann.ask(cmd="login", type="tmp", usr="ann")
            # The proxy drops what is idle for longer than the server leaves it idle.
            reading = asyncio.create_task(ann.read())
            for _ in range(4):
                before = proxy.passed
                await asyncio.wait([reading], timeout=0.6)
                self.assertGreater(proxy.passed, before)
            self.assertFalse(reading.done())
            reading.cancel()
            self.assertEqual((await ann.ask(cmd="ping"))["status"], "ok")
            ann.close()

        self.through(do)


class Broken(Through):
    def test_the_end_at_many_bytes_of_a_dialogue(self) -> None:  # N07
        names: list[str] = []

        async def do(proxy: Proxy) -> None:
            for number, byte in enumerate(itertools.chain(range(1, 400, 40), range(400, 1300, 23))):
                names.append(f"u{number}")
                self.weather = NetworkConditions(ends_after=byte, resets=number % 2 == 1)
                with contextlib.suppress(*BROKEN):
                    await talk(proxy.port, names[-1])

        self.through(do)
        said: dict[str, list[str]] = {}
        for name, text in self.history():
            said.setdefault(name, []).append(text)
        for texts in said.values():
            self.assertEqual(texts, SAID[: len(texts)])
        lengths = [len(said.get(name, ())) for name in names]
        self.assertEqual((lengths[0], max(lengths)), (0, len(SAID)))
        self.assertGreater(len(set(lengths)), len(SAID) // 2)

    def test_flipped_bits(self) -> None:  # N09
        def harmless(text: str) -> bool:
            return all(character >= " " or character in "\n\t" for character in text)

        async def do(proxy: Proxy) -> None:
            for number in range(15):
                # What comes back may be flipped too, so that nothing can be made of it.
                nonsense = (asyncio.TimeoutError, ValueError, KeyError, AttributeError)
                with contextlib.suppress(*BROKEN, *nonsense):
                    await asyncio.wait_for(talk(proxy.port, f"u{number}"), 0.5)

        self.through(do, NetworkConditions(corrupt=0.002, spared=600))
        said = self.history()
        self.assertTrue(said)
        self.assertTrue(all(harmless(name + text) for name, text in said))

    def test_a_client_that_writes_no_more_still_reads(self) -> None:  # N08
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        client.say("login", type="tmp", usr="ann")
        asked = [client.send("speak", room_name="lobby", msg=text) for text in SAID]
        client.socket.shutdown(1)
        client.wait_closed()
        self.assertEqual([text for _, text in self.history()], SAID)
        self.assertEqual(len(asked), len(SAID))


class Ordered(SynchronousTestCase):
    def test_eight_write_and_eight_read_through_bad_weather(self) -> None:
        result = asyncio.run(Order(Server(*OPTIONS), 2000, kills=2, seed=7).run())
        self.assertEqual(result.faults, [])
        self.assertEqual((result.messages, result.kills), (2000, 2))
        self.assertGreater(result.connections, 100)
        self.assertGreaterEqual(result.told, 2000 * 16)
