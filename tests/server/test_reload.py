"""Settings that are read again while the server runs."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import FileLogObserver

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import BadRequest
from gtchat.server.config import load
from gtchat.server.logs import LogTarget, text_line
from gtchat.server.options import Options
from gtchat.server.reload import Reloaded, is_live
from gtchat.server.service import ChatService
from gtchat.server.settings import FIELDS, Settings, SettingsError
from tests.e2e.certificate import make_certificate
from tests.server.test_service import ServiceCase

NOTHING = Reloaded((), ())


class ReloadCase(ServiceCase):
    """A server whose settings the test changes.

    Attributes:
        options: the settings that are read.
    """

    def setUp(self) -> None:
        super().setUp()
        self.options: dict[str, str] = {"store": "memory"}

    def read(self) -> Settings:
        return load(self.options, {})

    def begin(self, **options: str) -> ChatService:
        self.options.update(options)
        self.server = ChatService(self.read(), self.reactor, reread=self.read)
        self.server.start()
        return self.server

    def change(self, **options: str) -> Reloaded:
        self.options.update(options)
        return self.server.reload(AT_CONSOLE)


class Reloading(ReloadCase):
    def test_without_a_change_nothing_is_reported(self) -> None:
        self.begin()
        self.assertEqual(self.change(), NOTHING)
        self.assertEqual(NOTHING.text, "no setting has changed")

    def test_limits_are_those_of_the_chat_and_of_connections(self) -> None:
        server = self.begin()
        protocol, transport = self.handshake(9000)
        self.assertEqual(
            self.change(message_bytes="100", text_chars="7").changed,
            ("message_bytes", "text_chars"),
        )
        self.assertEqual(server.chat.limits.text_chars, 7)
        self.assertEqual(protocol.maxMessagePayloadSize, 100)
        self.assertEqual(self.handshake(9000)[0].maxFramePayloadSize, 100)
        self.change(connections_per_address="2")
        self.assertEqual(self.status(9000), 503)

    def test_origins_and_hosts(self) -> None:
        self.begin()
        page = "https://elsewhere.example"
        self.assertEqual(self.status(9000, origin=page), 403)
        done = self.change(allowed_origins=page, allowed_hosts="chat.example", file_page="true")
        self.assertEqual(done.changed, ("allowed_origins", "allowed_hosts", "file_page"))
        self.assertEqual(self.status(9000, origin=page), 101)
        self.assertEqual(self.status(9000, origin="null"), 101)
        for port in (9000, 8080):
            path = "/ws" if port == 8080 else "/"
            self.assertEqual(self.code(port, path, "else.example"), 421)
            self.assertEqual(self.code(port, path, "chat.example"), 101)

    def code(self, port: int, path: str, host: str) -> int:
        return int(self.handshake(port, path, host=host)[1].value().split()[1])

    def test_what_the_log_has(self) -> None:
        server = self.begin()
        server._log = LogTarget(FileLogObserver(StringIO(), text_line))
        done = self.change(log_level="debug", log_requests="true")
        self.assertEqual(done.changed, ("log_level", "log_requests"))
        self.assertEqual(server._log.lines.level, "debug")
        self.assertTrue(server._websocket.context.request_lines.enabled)
        self.assertTrue(all(one.requests.enabled for one in server._factories.values()))

    def test_registration_and_guests(self) -> None:
        access = self.begin().chat.access
        done = self.change(registration="invite", guests="false")
        self.assertEqual(done.changed, ("registration", "guests"))
        self.assertEqual((access.registration, access.guests), ("invite", False))

    def test_whether_the_word_filter_sees_direct_messages(self) -> None:
        server = self.begin()
        self.assertFalse(server.chat.word_filter.directs)
        self.change(filter_directs="true")
        self.assertTrue(server.chat.word_filter.directs)

    def test_proxies(self) -> None:
        self.begin()
        forwarded = {"x-forwarded-for": "198.51.100.7"}
        self.assertEqual(self.handshake(9000, **forwarded)[0].address, "127.0.0.1")
        self.change(trusted_proxies="127.0.0.1")
        self.assertEqual(self.handshake(9000, **forwarded)[0].address, "198.51.100.7")

    def test_programs_that_may_read_the_metrics(self) -> None:
        server = self.begin()
        self.assertNotIn("192.0.2.9", server._metrics_allowed)
        self.change(metrics_allow="192.0.2.0/24")
        self.assertIn("192.0.2.9", server._metrics_allowed)
        self.assertIn("127.0.0.1", server._metrics_allowed)

    def test_what_operators_have_chosen_goes_before_the_settings(self) -> None:
        chat = self.begin().chat
        for choosing in (
            chat.admin.limits.choose("text_chars", 3, AT_CONSOLE),
            chat.admin.access.choose("registration", "closed", AT_CONSOLE),
        ):
            Deferred.fromCoroutine(choosing)
            self.reactor.advance(0)
        done = self.change(text_chars="5", registration="invite", pins_per_room="6")
        self.assertEqual(done, Reloaded(("pins_per_room",), (), ("registration", "text_chars")))
        self.assertEqual(
            done.text,
            "changed: pins_per_room\noperators have chosen other values: registration, text_chars",
        )
        self.assertEqual((chat.limits.text_chars, chat.access.registration), (3, "closed"))
        self.assertEqual(self.change(), NOTHING)
        Deferred.fromCoroutine(chat.admin.limits.choose("text_chars", None, AT_CONSOLE))
        self.reactor.advance(0)
        self.assertEqual(chat.limits.text_chars, 5)

    def test_a_limit_that_is_chosen_holds_for_connections_that_are_open(self) -> None:
        chat = self.begin().chat
        protocol, _ = self.handshake(9000)
        for value, size in ((100, 100), (None, 65_536)):
            Deferred.fromCoroutine(chat.admin.limits.choose("message_bytes", value, AT_CONSOLE))
            self.reactor.advance(0)
            self.assertEqual(protocol.maxMessagePayloadSize, size)

    def test_the_name_of_the_chat_stays(self) -> None:
        chat = self.begin(chat_name="Garden").chat
        self.change(text_chars="5")
        self.assertEqual(chat.access.name, "Garden")
        self.assertEqual(self.change(), NOTHING)

    def test_what_needs_a_restart_is_named_each_time_and_stays_what_it_is(self) -> None:
        server = self.begin()
        for _ in range(2):
            done = self.change(sessions="share", web="tcp:8081")
            self.assertEqual(done, Reloaded((), ("web", "sessions")))
            self.assertEqual(done.text, "after a restart: web, sessions")
        self.assertEqual(server.settings.server.sessions, "devices")
        self.assertEqual(self.change(text_chars="5").changed, ("text_chars",))
        del self.options["text_chars"]
        self.assertEqual(self.change().changed, ("text_chars",))
        self.assertEqual(server.chat.limits.text_chars, 4_000)

    def test_each_setting_is_one_or_the_other(self) -> None:
        live = {key for key in FIELDS if is_live(key) and FIELDS[key][0] == "server"}
        self.assertEqual(
            live,
            {
                "registration",
                "log_level",
                "log_requests",
                "guests",
                "filter_directs",
                "deleted_messages",
                "allowed_origins",
                "allowed_hosts",
                "file_page",
                "metrics_allow",
                "trusted_proxies",
            },
        )

    def test_there_is_a_record_of_who_asked(self) -> None:
        self.begin()
        self.change(text_chars="5")
        self.assertIn("reloaded: settings and certificates read again, now", self.log.lines[-1])
        self.assertIn("text_chars 5", self.log.lines[-1])


class Failing(ReloadCase):
    """Whatever is wrong, nothing changes, and the log and the reply say why."""

    def assertRefused(self, words: str, change: Callable[[], Any]) -> None:
        before = self.server.settings, self.server.chat.limits.text_chars
        error = self.assertRaises(BadRequest, change)
        self.assertIn(words, error.text)
        self.assertIn("Nothing was changed", error.text)
        self.assertIn(words, self.log.warnings[-1])
        after = self.server.settings, self.server.chat.limits.text_chars
        self.assertEqual(after, before)

    def test_a_setting(self) -> None:
        self.begin()

        def broken() -> Settings:
            raise SettingsError("there is no text_char")

        self.server._reread = broken
        self.assertRefused("there is no text_char", lambda: self.change(text_chars="5"))

    def test_an_endpoint_that_would_need_a_restart(self) -> None:
        self.begin()
        self.assertRefused("no TCP port", lambda: self.change(ws="tcp:x", text_chars="5"))

    def test_a_certificate(self) -> None:
        pem = Path(self.mktemp())
        make_certificate(pem)
        self.patch(self.reactor, "listenTCP", self.reactor.listenTCP)
        self.begin()
        self.server._listeners.check(f"ssl:0:privateKey={pem}:certKey={pem}")
        credentials = self.server._listeners._credentials[0][1]
        before = credentials.context
        self.change()
        self.assertIsNot(credentials.context, before)
        before = credentials.context
        pem.write_text("")
        self.assertRefused("no certificate in PEM", lambda: self.change(text_chars="5"))
        self.assertIs(credentials.context, before)

    def test_a_signal_leaves_the_reason_in_the_log(self) -> None:
        self.begin()
        self.options["ws"] = "tcp:x"
        self.server._reload()
        self.assertIn("stay as they are", self.log.warnings[-1])


class Files(ReloadCase):
    def test_the_file_is_found_after_a_change_of_the_directory(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        (folder / "gtchat.toml").write_text("[limits]\ntext_chars = 5\n")
        here = Path.cwd()
        import os

        os.chdir(folder)
        try:
            options = Options()
            options.parseOptions(["--config", "gtchat.toml"])
        finally:
            os.chdir(here)
        (folder / "gtchat.toml").write_text("[limits]\ntext_chars = 6\n")
        self.assertEqual(options.chosen.limits.text_chars, 5)
        self.assertEqual(options.reread().limits.text_chars, 6)
