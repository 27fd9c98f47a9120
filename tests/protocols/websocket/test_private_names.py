"""The names of Autobahn that are relied on, although it does not document them.

The tables have one row for each use of a name, and are tried on Autobahn alone: a row that fails
names what a new version has changed. The package's docstring says what each name is used for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols import websocket
from gtchat.protocols.websocket.connection import ChatProtocol
from gtchat.protocols.websocket.context import ConnectionState
from gtchat.protocols.websocket.footprint import FRAME_ATTRIBUTES, HANDSHAKE_PREFIXES
from gtchat.protocols.websocket.opening import OpeningProtocol
from tests.protocols.websocket.fakes import (
    CLOSE,
    PING,
    FakeTransport,
    TestFactory,
    frame,
    handshake,
)

NORMAL = b"\x03\xe8"  # close code 1000
OPEN, TEXT, BODY = handshake(), frame(b"text"), frame(b"x" * 20)
FRAGMENT = frame(b"x", final=False)
CLOSED_BY_CLIENT = OPEN + frame(NORMAL, CLOSE)
INVALID = OPEN + frame(b"x", rsv=1)

Call = tuple[tuple[Any, ...], dict[str, Any]]

#: Method that we override; bytes after which Autobahn calls it; what the last call is like.
CALLED: list[tuple[str, bytes, Callable[[Call], bool]]] = [
    ("_onOpen", OPEN, lambda call: call == ((), {})),
    ("sendData", OPEN, lambda call: call[0][0].startswith(b"HTTP/1.1 101 ")),
    ("sendData", OPEN + frame(b"x", PING), lambda call: call[0][0] == b"\x8a\x01x"),
    ("sendData", CLOSED_BY_CLIENT, lambda call: call[0][0] == b"\x88\x02" + NORMAL),
    ("failHandshake", handshake(Sec_WebSocket_Key=""), lambda call: refused(call) == (400, None)),
    (
        "failHandshake",
        handshake(Sec_WebSocket_Version="12"),
        lambda call: refused(call)[1] is not None,
    ),
    ("onCloseFrame", CLOSED_BY_CLIENT, lambda call: call == ((1000, None), {})),
    ("onCloseFrame", OPEN + frame(b"", CLOSE), lambda call: call == ((None, None), {})),
    ("sendCloseFrame", CLOSED_BY_CLIENT, lambda call: call[1]["isReply"] is True),
    (
        "sendCloseFrame",
        INVALID,
        lambda call: (call[1]["code"], call[1]["isReply"]) == (1002, False),
    ),
    ("unregisterProducer", CLOSED_BY_CLIENT, lambda call: call == ((), {})),
    ("_closeConnection", CLOSED_BY_CLIENT, lambda call: call == ((False,), {})),
    ("_closeConnection", INVALID + frame(NORMAL, CLOSE), lambda call: call == ((True,), {})),
    ("onMessageBegin", OPEN + FRAGMENT, lambda call: call == ((False,), {})),
    ("onMessageFrameBegin", OPEN + BODY[:6], lambda call: call == ((20,), {})),
]

#: Attribute that we read; bytes that are received; its value then.
READ: list[tuple[str, bytes, Callable[[Any], bool]]] = [
    ("state", OPEN[:-1], lambda value: value == ConnectionState.CONNECTING),
    ("state", OPEN, lambda value: value == ConnectionState.OPEN),
    ("state", INVALID, lambda value: value == ConnectionState.CLOSING),
    ("state", INVALID + frame(NORMAL, CLOSE), lambda value: value == ConnectionState.CLOSED),
    ("data", OPEN[:-1], lambda value: value == OPEN[:-1]),
    ("data", OPEN + TEXT[:1], lambda value: value == TEXT[:1]),
    ("data", OPEN + TEXT, lambda value: value == b""),
    ("current_frame", OPEN + TEXT, lambda value: value is None),
    ("current_frame", OPEN + BODY[:6], lambda value: value.length == 20),
    ("current_frame_masker", OPEN + BODY[:10], lambda value: value.pointer() == 4),
    ("inside_message", OPEN + FRAGMENT, lambda value: value is True),
    ("inside_message", OPEN + TEXT, lambda value: value is False),
    ("wasClean", INVALID, lambda value: value is False),
    ("wasClean", INVALID + frame(NORMAL, CLOSE), lambda value: value is True),
    ("remoteCloseCode", CLOSED_BY_CLIENT, lambda value: value == 1000),
    ("remoteCloseCode", OPEN + frame(b"", CLOSE), lambda value: value is None),
]

#: Names that have a test of their own below.
TESTED_BELOW = {
    "CONFIG_ATTRS", "__init__", "_connectionMade", "_dataReceived", "is_closed", "is_open", "log",
    "utf8validator", "websocket_protocol_in_use", "websocket_version",
}  # fmt: skip
#: What we override as Autobahn and Twisted document it.
DOCUMENTED = {
    "connected", "connectionLost", "connectionMade", "dataReceived", "onConnect", "onMessage",
    "onOpen", "onPing", "onPong",
}  # fmt: skip


def refused(call: Call) -> tuple[int, Any]:
    """Return the arguments `code` and `responseHeaders` of a call of `failHandshake`."""

    def arguments(reason: str, code: int = 400, responseHeaders: Any = None) -> tuple[int, Any]:
        return code, responseHeaders

    return arguments(*call[0], **call[1])


class Autobahn:
    """A connection of Autobahn's own classes.

    Args:
        names: methods whose calls are recorded in `calls`.
        attributes: of the class of the connection.
    """

    def __init__(self, *names: str, **attributes: Any) -> None:
        self.calls: dict[str, list[Call]] = {name: [] for name in names}
        factory = WebSocketServerFactory(reactor=Clock())
        factory.setProtocolOptions(
            versions=[13], failByDrop=False, openHandshakeTimeout=0, closeHandshakeTimeout=0
        )
        factory.protocol = type(
            "Recorded",
            (WebSocketServerProtocol,),
            {**{name: self._recorded(name) for name in names}, **attributes},
        )
        self.transport = FakeTransport("192.0.2.1")
        self.protocol: Any = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def _recorded(self, name: str) -> Callable[..., Any]:
        original = getattr(WebSocketServerProtocol, name)

        def method(protocol: Any, *args: Any, **kwargs: Any) -> Any:
            self.calls[name].append((args, kwargs))
            return original(protocol, *args, **kwargs)

        return method

    def receive(self, data: bytes) -> Autobahn:
        """Let the connection receive bytes, and return itself."""
        self.protocol.dataReceived(data)
        return self


class Recorder:
    """An object that counts the calls of its methods, and passes them on."""

    def __init__(self, target: Any = None) -> None:
        self.calls: list[str] = []
        self._target = target

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return self._target and getattr(self._target, name)(*args, **kwargs)

        return method


class Tables(SynchronousTestCase):
    def test_autobahn_calls_what_we_override(self) -> None:
        for name, data, expected in CALLED:
            calls = Autobahn(name).receive(data).calls[name]
            self.assertTrue(calls and expected(calls[-1]), f"{name} {calls}")

    def test_autobahn_has_what_we_read(self) -> None:
        for name, data, expected in READ:
            value = getattr(Autobahn().receive(data).protocol, name)
            self.assertTrue(expected(value), f"{name} = {value!r} after {data[-20:]!r}")

    def test_every_name_that_we_override_is_tested(self) -> None:
        used = Autobahn().receive(OPEN + TEXT + frame(b"", PING)).protocol
        tested = {row[0] for row in CALLED} | {row[0] for row in READ} | TESTED_BELOW
        for name in {*vars(ChatProtocol), *vars(OpeningProtocol)}:
            if hasattr(used, name) and (name == "__init__" or not name.startswith("__")):
                self.assertIn(name, tested | DOCUMENTED)
        for name in tested:
            self.assertIn(name, websocket.__doc__ or "")

    def test_the_states_are_those_of_autobahn(self) -> None:
        prefix = "STATE_"
        names = {name for name in dir(WebSocketServerProtocol) if name.startswith(prefix)}
        ours = {prefix + state.name for state in ConnectionState}
        self.assertEqual(names - ours, {"STATE_PROXY_CONNECTING"})  # of clients only
        for state in ConnectionState:
            self.assertEqual(getattr(WebSocketServerProtocol, prefix + state.name), state)


class Attributes(SynchronousTestCase):
    """What Autobahn sets in each connection, and our class once for all."""

    def test_init_and_connection_made_set_what_our_class_has(self) -> None:
        made = vars(Autobahn().protocol)
        ours = TestFactory().factory.protocol
        self.assertEqual([name for name in made if not hasattr(ours, name)], [])

    def test_config_attrs_are_options_that_are_copied(self) -> None:
        protocol = Autobahn().protocol
        for name in WebSocketServerProtocol.CONFIG_ATTRS:
            self.assertEqual(vars(protocol)[name], getattr(protocol.factory, name), name)

    def test_the_handshake_leaves_what_we_remove(self) -> None:
        autobahn = Autobahn()
        before = set(vars(autobahn.protocol))
        left = set(vars(autobahn.receive(OPEN).protocol)) - before
        for prefix in set(HANDSHAKE_PREFIXES) - {"connected"}:  # that one is Twisted's
            self.assertTrue([name for name in left if name.startswith(prefix)], prefix)
        self.assertEqual(
            {name for name in left if not name.startswith(HANDSHAKE_PREFIXES)},
            {"current_frame", "inside_message"},
        )

    def test_a_frame_leaves_what_we_remove(self) -> None:
        left = vars(Autobahn().receive(OPEN + TEXT + frame(b"", PING)).protocol)
        self.assertEqual(
            {n for n in FRAME_ATTRIBUTES if n not in left}, {"_fragments", "_message_began"}
        )

    def test_a_connection_works_when_they_are_removed(self) -> None:
        socket = TestFactory().open()
        for _ in range(2):
            self.assertNotIn("websocket_version", vars(socket.protocol))
            self.assertNotIn("websocket_protocol_in_use", vars(socket.protocol))
            self.assertNotIn("message_data", vars(socket.protocol))
            socket.receive(FRAGMENT + frame(b"", PING) + frame("ü".encode(), 0))
        socket.receive(frame(NORMAL, CLOSE))
        self.assertEqual(socket.api.received, ["xü".encode()] * 2)
        self.assertEqual((socket.close_code(), socket.api.clean), (1000, True))

    def test_websocket_version_and_protocol_are_of_the_handshake(self) -> None:
        protocol = Autobahn().receive(OPEN).protocol
        self.assertEqual(
            (protocol.websocket_version, protocol.websocket_protocol_in_use), (13, None)
        )
        self.assertEqual(ChatProtocol.websocket_version, protocol.websocket_version)
        self.assertEqual(ChatProtocol.websocket_protocol_in_use, None)

    def test_is_open_and_is_closed_are_only_called_back(self) -> None:
        autobahn = Autobahn()
        autobahn.protocol.is_open, autobahn.protocol.is_closed = opened, closed = (
            Recorder(),
            Recorder(),
        )
        autobahn.receive(OPEN)
        self.assertEqual((opened.calls, closed.calls), (["callback"], []))
        autobahn.receive(frame(NORMAL, CLOSE))
        self.assertEqual((opened.calls, closed.calls), (["callback"], ["callback"]))


class Helpers(SynchronousTestCase):
    """Objects of Autobahn's that are replaced, and methods that are called."""

    def test_data_received_keeps_what_is_not_complete(self) -> None:
        autobahn = Autobahn("onMessage")
        for part in (OPEN, TEXT[:1], TEXT[1:7], TEXT[7:]):
            autobahn.protocol._dataReceived(part)
        self.assertEqual(autobahn.calls["onMessage"], [((b"text", False), {})])

    def test_utf8validator_is_used_by_text_messages_only(self) -> None:
        autobahn = Autobahn().receive(OPEN)
        validator = autobahn.protocol.utf8validator = Recorder(autobahn.protocol.utf8validator)
        autobahn.receive(frame(b"x", opcode=2) + frame(b"", PING))
        self.assertEqual(validator.calls, [])
        autobahn.receive(frame(b"x"))
        self.assertEqual(validator.calls, ["reset", "validate"])

    def test_log_is_an_attribute_of_the_class(self) -> None:
        log = Recorder()
        Autobahn(log=log).receive(INVALID)
        self.assertIn("warn", log.calls)
        self.assertIsNone(ChatProtocol.log.warn("not written"))
