"""The package as bots import it: what it loads, and its old names."""

from __future__ import annotations

import subprocess
import sys
import warnings

from twisted.trial.unittest import SynchronousTestCase

import gtchat.client

#: Prints the modules that an import of the library must not load, of those that it loaded.
LOADED = """
import sys, gtchat.client
print([name for name in sys.modules if name == "twisted.internet.reactor" or (
    name.startswith("gtchat.") and not name.startswith("gtchat.client"))])
"""
#: Prints the modules of the store and of SQLAlchemy that a terminal client has loaded.
LOADED_BY_TERMINAL = """
import sys
from gtchat.cli import main
assert main(["client", "http://x"]) == 2
print([name for name in sys.modules if name.startswith(("gtchat.store", "sqlalchemy"))])
"""


class PackageTests(SynchronousTestCase):
    def test_importing_it_installs_no_reactor_and_loads_nothing_of_the_server(self) -> None:
        for program in (LOADED, LOADED_BY_TERMINAL):
            words = [sys.executable, "-c", program]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout.strip(), "[]")

    def test_old_names_of_events_still_work_with_a_warning(self) -> None:
        for old, new in (
            ("Back", gtchat.client.ConnectionRestored),
            ("Lost", gtchat.client.ConnectionLost),
            ("Reset", gtchat.client.RoomReset),
            ("Ended", gtchat.client.ConnectionClosed),
            ("Happening", gtchat.client.Event),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.assertEqual(getattr(gtchat.client, old), new)
            self.assertEqual([item.category for item in caught], [DeprecationWarning], old)

    def test_other_names_do_not_exist(self) -> None:
        self.assertFalse(hasattr(gtchat.client, "nothing"))
