"""What `pip install .` installs: the package, the twistd plugin, the page, the migrations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree, ignore_patterns

from twisted.trial.unittest import SynchronousTestCase

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


class Build(SynchronousTestCase):
    def test_build_contains_package_plugin_page_and_migrations(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "source")
            hidden = ignore_patterns(".*", "build", "_trial_temp*", "*.egg-info", "data")
            copytree(TOP, source, ignore=hidden)
            build = ("setup.py", "-q", "build", "--build-lib", "built")
            done = run("-W", "ignore", *build, cwd=str(source))
            self.assertEqual(done.returncode, 0, done.stderr)
            built = source / "built"
            names = {str(file.relative_to(built)) for file in built.rglob("*") if file.is_file()}
        wanted = {"twisted/plugins/gtchat_plugin.py", "gtchat/py.typed"}
        for file in (TOP / "gtchat").rglob("*.py"):
            wanted.add(str(file.relative_to(TOP)))
        for file in (TOP / "static").rglob("*"):
            if file.is_file():
                wanted.add(f"gtchat/{file.relative_to(TOP)}")
        self.assertEqual(wanted - names, set())
        self.assertEqual([name for name in names if re.match("tests|bench|twisted/__", name)], [])


class Checkout(SynchronousTestCase):
    def test_twistd_finds_the_plugin_from_any_directory(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            twistd = "from twisted.scripts.twistd import run; run()"
            done = run("-c", twistd, "--help", cwd=folder)
            self.assertRegex(done.stdout, r"\n +gtchat  ")
            done = run("-c", twistd, "gtchat", "--help", cwd=folder)
            for option in ("--ws", "--data", "--text-chars", "--public", "--log-json"):
                self.assertIn(option, done.stdout)
