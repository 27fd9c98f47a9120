"""What `pip install .` installs, and that the examples run with it as they are printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from tests.examples.environments import borrowing, build_wheel, run_examples

TOP = Path(__file__).resolve().parents[1]


def run(*words: str, cwd: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, with this checkout on its path.

    Args:
        words: arguments of Python.
        cwd: the directory.
    """
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Wheel(SynchronousTestCase):
    """The wheel, and an environment in which it is installed."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gtchat-wheel-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.wheel = build_wheel(self.folder)

    def test_wheel_has_package_plugin_page_and_migrations_and_runs_the_examples(self) -> None:
        with ZipFile(self.wheel) as archive:
            names = set(archive.namelist())
        wanted = {"twisted/plugins/gtchat_plugin.py", "gtchat/py.typed"}
        for file in (TOP / "gtchat").rglob("*.py"):
            wanted.add(str(file.relative_to(TOP)))
        for file in (TOP / "static").rglob("*"):
            if file.is_file():
                wanted.add(f"gtchat/{file.relative_to(TOP)}")
        self.assertEqual(wanted - names, set())
        self.assertEqual([name for name in names if re.match("tests|bench|twisted/__", name)], [])
        lines = run_examples(borrowing(self.wheel, self.folder), self.folder)
        self.assertEqual({line.partition(": ")[2] for line in lines}, {"ok"}, lines)
        examples = {path.name for path in (TOP / "examples").glob("*.py")}
        self.assertEqual(examples - {line.split(":")[0] for line in lines}, set())


class Checkout(SynchronousTestCase):
    def test_twistd_finds_the_plugin_from_any_directory(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            twistd = "from twisted.scripts.twistd import run; run()"
            done = run("-c", twistd, "--help", cwd=folder)
            self.assertRegex(done.stdout, r"\n +gtchat  ")
            done = run("-c", twistd, "gtchat", "--help", cwd=folder)
            for option in ("--ws", "--data", "--text-chars", "--public", "--log-json"):
                self.assertIn(option, done.stdout)
