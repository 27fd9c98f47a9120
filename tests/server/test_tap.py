"""Options of `twistd gtchat`, and the service made of them."""

from __future__ import annotations

import gc
import os
import sys
from io import StringIO
from unittest.mock import patch

from twisted.internet import reactor
from twisted.python.usage import Options as TwistedOptions
from twisted.trial.unittest import SynchronousTestCase

from gtchat import __version__, tap
from gtchat.server.config import public_endpoints
from gtchat.server.process import EXIT_CONFIG, EXIT_UNAVAILABLE
from gtchat.server.service import ChatService
from gtchat.server.settings import FIELDS, Settings
from gtchat.tap import Options, makeService


def parsed(*words: str, **environment: str) -> Options:
    """Return the options of a command line in an environment."""
    options = Options()
    with patch.dict(os.environ, environment, clear=True):
        options.parseOptions(words)
    return options


class Parsing(SynchronousTestCase):
    def chosen(self, *words: str, **environment: str) -> Settings:
        return parsed(*words, **environment).chosen

    def test_every_setting_is_an_option_with_its_help(self) -> None:
        text = " ".join(str(Options()).split())
        for key, (_, field) in FIELDS.items():
            self.assertIn(f"--{key.replace('_', '-')}", text)
            self.assertIn(field.metadata["help"].split()[0], text)

    def test_options_become_settings(self) -> None:
        settings = self.chosen(
            *("--ws", "tcp:1", "--ws", "tcp:2", "--text-chars", "7", "--file-page"),
            *("--sessions", "share"),
        )
        self.assertEqual(settings.server.ws, ("tcp:1", "tcp:2"))
        self.assertEqual(settings.limits.text_chars, 7)
        self.assertEqual((settings.server.file_page, settings.server.sessions), (True, "share"))
        self.assertEqual(set(settings.sources), {"ws", "text_chars", "file_page", "sessions"})

    def test_options_override_the_environment(self) -> None:
        environment = {"GTCHAT_TEXT_CHARS": "5", "GTCHAT_PING_INTERVAL": "6"}
        limits = self.chosen("--text-chars", "7", **environment).limits
        self.assertEqual((limits.text_chars, limits.ping_interval), (7, 6.0))

    def test_public_listens_on_all_interfaces(self) -> None:
        self.assertEqual(self.chosen("--public").server.ws, public_endpoints(9000))

    def test_the_version_is_that_of_the_chat(self) -> None:
        said = StringIO()
        self.patch(sys, "stdout", said)
        with self.assertRaises(SystemExit) as caught:
            parsed("--version")
        self.assertEqual((caught.exception.code, said.getvalue()), (0, f"gtchat {__version__}\n"))

    def test_errors_are_one_line_that_names_help(self) -> None:
        for words in (["--text-chars", "many"], ["--pign-interval", "1"], ["--config", "/none"]):
            said = StringIO()
            self.patch(sys, "stderr", said)
            with self.assertRaises(SystemExit) as caught:
                parsed(*words)
            self.assertEqual(caught.exception.code, EXIT_CONFIG)
            self.assertRegex(said.getvalue(), r"^gtchat: .+ \(--help lists the options\)\n$")


class Making(SynchronousTestCase):
    def setUp(self) -> None:
        self.monotonic: list[object] = []
        self.patch(tap, "use_monotonic_clock", self.monotonic.append)
        self.addCleanup(gc.enable)  # making a service pauses the collector

    def options(self, logfile: str, *words: str, pidfile: str = "") -> Options:
        options = parsed("--store", "memory", *words)
        options.parent = TwistedOptions()
        options.parent.update(nodaemon=1, logfile=logfile, syslog=0, logger=None, pidfile=pidfile)
        return options

    def refused(self, options: Options) -> tuple[object, str]:
        """Return the exit status and what is printed when no service can be made."""
        said = StringIO()
        self.patch(sys, "__stderr__", said)
        with self.assertRaises(SystemExit) as caught:
            makeService(options)
        return caught.exception.code, said.getvalue()

    def test_pid_file_that_cannot_be_written_is_one_line(self) -> None:
        status, said = self.refused(self.options("-", pidfile="/none/twistd.pid"))
        self.assertEqual(status, EXIT_UNAVAILABLE)
        self.assertRegex(said, r"^gtchat: cannot write /none/twistd.pid: [^\n]+--pidfile=`\n$")

    def test_invalid_endpoint_is_found_before_a_fork(self) -> None:
        status, said = self.refused(self.options("-", "--ws", "tcp:abc"))
        self.assertEqual(status, EXIT_CONFIG)
        self.assertRegex(said, r"^gtchat: cannot listen on tcp:abc: 'abc' is no TCP port[^\n]+\n$")

    def test_service_has_the_settings_and_a_monotonic_reactor(self) -> None:
        made = makeService(self.options("-"))
        self.assertIsInstance(made, ChatService)
        self.assertFalse(gc.isenabled())
        self.assertEqual(made.settings.server.store, "memory")
        self.assertEqual(self.monotonic, [reactor])

    def test_log_that_cannot_be_written_is_one_line(self) -> None:
        with self.assertRaises(SystemExit) as caught:
            makeService(self.options("/none/log"))
        self.assertRegex(str(caught.exception.code), r"^gtchat: cannot write the log: .+/none/log")
