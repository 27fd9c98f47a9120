"""Which login ends which sessions of its account, in each mode: a table, and a model."""

from __future__ import annotations

from itertools import count
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.devices import Device
from gtchat.chat.errors import AlreadyLoggedIn
from gtchat.chat.limits import Limits
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.logins import BegunSession
from gtchat.chat.modes import SESSION_MODES
from tests.fakes import RecordingConnection, RecordingEncoder, TestServer

#: Most devices, and sessions on one, in the model.
DEVICES, SESSIONS = 2, 2


class Account:
    """An account that logs in at several places.

    Args:
        test: the test.
        mode: the setting `sessions`.
    """

    def __init__(self, test: SynchronousTestCase, mode: str) -> None:
        self._test = test
        limits = Limits(
            commands_per_second=0, devices_per_account=DEVICES, sessions_per_device=SESSIONS
        )
        self.server = TestServer(limits, sessions=mode)
        self.server.connect().call("register", usr="ann", pwd="password")

    def run(self, coroutine: Any) -> Deferred[Any]:
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return result

    def login(
        self, protocol: str, device: str | None, remember: bool = False
    ) -> tuple[RecordingConnection, Deferred[BegunSession]]:
        """Log in with the password."""
        connection = RecordingConnection()
        connection.protocol = protocol
        connection.resumable = protocol == "gtchat"
        on = Device(device, None, remember) if device is not None else None
        login = self.server.chat.logins.login(
            "ann", "password", None, RecordingEncoder(), connection, None, device=on
        )
        return connection, self.run(login)


class Table(SynchronousTestCase):
    """A first login and a second one; each is a protocol and the device that the client names."""

    BOTH, REPLACED, REFUSED = "both", "replaced", "refused"
    #: First, second -> what happens with `devices` and with `replace`.
    ROWS = (
        ("gtchat", "gtchat", REPLACED, REPLACED),
        ("gtchat", "pa1", BOTH, BOTH),
        ("pa1", "pa1", REPLACED, REPLACED),
        ("pa1", "gtchat", BOTH, BOTH),
        ("gtchat phone", "gtchat", BOTH, REPLACED),
        ("gtchat phone", "pa1", BOTH, BOTH),
        ("gtchat", "gtchat phone", BOTH, REPLACED),
        ("pa1", "gtchat phone", BOTH, BOTH),
        ("gtchat phone", "gtchat phone", BOTH, REPLACED),
        ("gtchat phone", "gtchat laptop", BOTH, REPLACED),
    )

    def outcome(self, mode: str, first: str, second: str) -> str:
        account = Account(self, mode)
        connections = []
        for kind in (first, second):
            protocol, _, device = kind.partition(" ")
            connection, result = account.login(protocol, device or None)
            connections.append(connection)
        if connections[0].close_reason is not None:
            self.assertEqual(connections[0].close_reason, "replaced")
            self.successResultOf(result)
            return self.REPLACED
        user = account.server.chat.users.get("ann")
        assert user is not None
        if len(user.sessions) == 2:
            self.successResultOf(result)
            return self.BOTH
        self.failureResultOf(result, AlreadyLoggedIn)
        return self.REFUSED

    def test_every_pair_of_logins_in_every_mode(self) -> None:
        for first, second, devices, replace in self.ROWS:
            expected = {
                "devices": devices,
                "replace": replace,
                "refuse": self.REFUSED,
                "share": self.BOTH,
            }
            found = {mode: self.outcome(mode, first, second) for mode in SESSION_MODES}
            self.assertEqual(found, expected, (first, second))


@attrs.define(eq=False)
class ModelSession:
    """A session of the model.

    Attributes:
        name: hash of its id.
        protocol, device: those of its login.
        connection: its connection.
        at: when it began, or, once it is not connected, was lost.
    """

    name: bytes
    protocol: str
    device: str | None
    connection: RecordingConnection
    at: int
    connected: bool = True


class Model:
    """What the documentation says of logins, in a few lines.

    Attributes:
        sessions: the sessions that can go on, in the order in which they began.
        devices: device -> when it was connected last, and whether it is remembered.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.sessions: list[ModelSession] = []
        self.devices: dict[str, tuple[int, bool]] = {}

    def on(self, device: str | None) -> list[ModelSession]:
        """Return the sessions on a device; those that end first come first."""
        found = [one for one in self.sessions if one.device == device]
        return sorted(found, key=lambda one: (one.connected, one.at))

    def end(self, session: ModelSession, at: int) -> None:
        self.sessions.remove(session)
        self.seen(session, at)

    def seen(self, session: ModelSession, at: int) -> None:
        if session.device is not None:
            _, remembered = self.devices[session.device]
            self.devices[session.device] = (at, remembered)

    def login(self, new: ModelSession, remember: bool) -> None:
        """Begin a session after what its login ends."""
        for old in list(self.sessions):
            same = old.protocol == new.protocol
            without = old.device is None and new.device is None
            if (
                (self.mode == "devices" and same and without)
                or (self.mode == "replace" and same)
                or self.mode == "refuse"
            ):
                self.end(old, new.at)
        limit = SESSIONS * DEVICES if self.mode == "share" else SESSIONS
        for old in self.on(new.device)[: max(len(self.on(new.device)) - limit + 1, 0)]:
            self.end(old, new.at)
        if new.device is not None:
            self.begin_on_device(new, new.device, remember)
        self.sessions.append(new)

    def begin_on_device(self, new: ModelSession, device: str, remember: bool) -> None:
        for other, (_, remembered) in list(self.devices.items()):
            if not remembered and not self.on(other):
                del self.devices[other]
        remembered = self.devices.get(device, (0, False))[1] or remember
        self.devices[device] = (new.at, remembered)
        others = [one for one in self.devices if one != device]
        others.sort(key=lambda one: (any(s.connected for s in self.on(one)), self.devices[one][0]))
        for other in others[: max(len(others) - DEVICES + 1, 0)]:
            for old in self.on(other):
                self.sessions.remove(old)
            del self.devices[other]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("login"),
            st.sampled_from(["gtchat", "pa1"]),
            st.sampled_from([None, "a", "b", "c"]),
            st.booleans(),
        ),
        st.tuples(st.sampled_from(["lose", "logout", "forget"]), st.integers(0, 5)),
    ),
    max_size=25,
)


class ModelTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(SESSION_MODES), STEPS)
    def test_logins_end_what_the_model_says(self, mode: str, steps: list[tuple[Any, ...]]) -> None:
        account, model = Account(self, mode), Model(mode)
        numbers = count(1)
        for step in steps:
            account.server.clock.advance(1)
            if step[0] == "login":
                self.log_in(account, model, *step[1:])
            elif model.sessions:
                self.end(account, model, step[0], model.sessions[step[1] % len(model.sessions)])
            self.check(account, model, next(numbers))

    def log_in(
        self, account: Account, model: Model, protocol: str, device: str | None, remember: bool
    ) -> None:
        connection, result = account.login(protocol, device, remember)
        if model.mode == "refuse" and any(one.connected for one in model.sessions):
            self.failureResultOf(result, AlreadyLoggedIn)
            return
        begun = self.successResultOf(result)
        device = device if model.mode == "devices" else None
        remember = remember and device is not None
        self.assertEqual(begun.device_token is not None, remember)
        now, name = account.server.chat.users.now(), token_hash(begun.session_id)
        model.login(ModelSession(name, protocol, device, connection, now), remember)

    def end(self, account: Account, model: Model, how: str, session: ModelSession) -> None:
        sessions, now = account.server.chat.sessions, account.server.chat.users.now()
        user = account.server.chat.users.get("ann")
        live = [one for one in user.sessions if one.token_hash == session.name] if user else []
        if not live:
            return
        if how == "lose":
            sessions.connection_lost(live[0], clean=False)
            account.server.run_pending()
            if session.protocol != "gtchat":
                model.end(session, now)
            else:
                session.connected, session.at = False, now
                model.seen(session, now)
            return
        self.successResultOf(account.run(sessions.logout(live[0], how == "forget")))
        model.end(session, now)
        if how == "forget" and session.device is not None:
            model.devices[session.device] = (now, False)

    def check(self, account: Account, model: Model, number: int) -> None:
        """Compare the sessions in memory and in the store, and the devices, with the model."""
        store, user = account.server.store, account.server.chat.users.get("ann")
        connected = [one.name for one in model.sessions if one.connected]
        found = [one.token_hash for one in user.sessions] if user is not None else []
        self.assertEqual(found, connected, number)
        account_id = self.successResultOf(self.account_of(account)).id
        listing = store.sessions(account_id, 0, 0)
        account.server.run_pending()
        records = self.successResultOf(listing)
        self.assertEqual(
            {(one.token_hash, one.device) for one in records if one.token_hash},
            {(one.name, one.device) for one in model.sessions},
        )
        remembered = {name for name, (_, kept) in model.devices.items() if kept}
        self.assertEqual({one.device for one in records if one.remembered}, remembered)

    def account_of(self, account: Account) -> Deferred[Any]:
        found = account.server.store.find_account("ann", None)
        account.server.run_pending()
        return found
