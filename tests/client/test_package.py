"""The package as bots import it: what it loads, and its names."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import gtchat.client

#: Prints the modules that an import of the library must not load, of those that it loaded.
LOADED = """
import sys, gtchat.client, gtchat.client.aio, gtchat.client.testing
print([name for name in sys.modules if name == "twisted.internet.reactor" or (
    name.startswith("gtchat.") and not name.startswith("gtchat.client"))])
"""
#: Prints the modules of the store and of SQLAlchemy that a terminal client has loaded, and one that
#: all rules of the chat load: commands that only read settings do not need them.
LOADED_BY_TERMINAL = """
import sys
from gtchat.cli import main
assert main(["client", "http://x"]) == 2
print([name for name in sys.modules if name.startswith(
    ("gtchat.store", "sqlalchemy", "gtchat.chat.users"))])
"""


class PackageTests(SynchronousTestCase):
    def test_importing_it_installs_no_reactor_and_loads_nothing_of_the_server(self) -> None:
        for program in (LOADED, LOADED_BY_TERMINAL):
            words = [sys.executable, "-c", program]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout.strip(), "[]")

    def test_everything_that_is_public_is_there(self) -> None:
        names = gtchat.client.__all__
        self.assertEqual(names, sorted(names))
        for name in names:
            self.assertTrue(hasattr(gtchat.client, name), name)

    def test_every_error_is_one_of_the_library(self) -> None:
        public = (getattr(gtchat.client, name) for name in gtchat.client.__all__)
        errors = [one for one in public if isinstance(one, type) and issubclass(one, Exception)]
        self.assertEqual(len(errors), 10)
        for error in errors:
            self.assertTrue(issubclass(error, gtchat.client.GTChatError), error)
