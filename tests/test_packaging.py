"""What `pip install .` installs, and that the examples run with it as they are printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from tests.examples.environments import borrowing, build_wheel, run_examples
from tests.test_compose import DOCS, Dockerfile

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
        self.image = Dockerfile(DOCS / "Dockerfile")
        self.wheel = build_wheel(self.folder, self.image.copied())

    def test_what_an_image_copies_is_a_whole_wheel_which_runs_examples_and_server(self) -> None:
        with ZipFile(self.wheel) as archive:
            names = set(archive.namelist())
            [metadata] = [name for name in names if name.endswith("dist-info/METADATA")]
            described = archive.read(metadata).decode()
        self.assertIn("\nLicense-Expression: MIT\n", described)
        self.assertIn("\nAuthor: The GTChat authors\n", described)
        data = {name.partition(".data/data/")[2] for name in names if ".data/" in name}
        share = {f"share/gtchat/{one}" for one in ("gtchat.service", "gtchat.toml")}
        share |= {
            f"share/gtchat/{one}"
            for one in ("nginx.conf", "haproxy.cfg", "Caddyfile", "grafana.json")
        }
        share |= {f"share/man/man1/{one}" for one in ("gtchat.1", "twistd-gtchat.1")}
        self.assertEqual(data, share)
        wanted = {"twisted/plugins/gtchat_plugin.py", "gtchat/py.typed"}
        for file in (TOP / "gtchat").rglob("*.py"):
            wanted.add(str(file.relative_to(TOP)))
        for file in (TOP / "static").rglob("*"):
            if file.is_file():
                wanted.add(f"gtchat/{file.relative_to(TOP)}")
        self.assertEqual(wanted - names, set())
        self.assertEqual([name for name in names if re.match("tests|bench|twisted/__", name)], [])
        python = borrowing(self.wheel, self.folder)
        self.serve(python)
        lines = run_examples(python, self.folder)
        self.assertEqual({line.partition(": ")[2] for line in lines}, {"ok"}, lines)
        examples = {path.name for path in (TOP / "examples").glob("*.py")}
        self.assertEqual(examples - {line.split(":")[0] for line in lines}, set())

    def serve(self, python: Path) -> None:
        """Start the server as the image does, and check its health as the image does."""
        data = self.folder / "data"
        data.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **{name: one for name, one in self.image.environment.items() if name != "PATH"},
            "GTCHAT_DATA": str(data),
            "GTCHAT_WEB": "tcp:0:interface=127.0.0.1",
            "GTCHAT_WS": "tcp:0:interface=127.0.0.1",
        }
        [start] = map(json.loads, self.image.all("ENTRYPOINT"))
        program = f"from twisted.scripts.{start[0]} import run; run()"
        with subprocess.Popen(
            [python, "-c", program, *start[1:]],
            cwd=data,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as server:
            self.addCleanup(server.kill)
            assert server.stdout is not None
            port = None
            while port is None:
                line = server.stdout.readline()
                self.assertTrue(line, "the server has ended")
                port = re.search(r"http://127.0.0.1:(\d+)/", line)
            [check] = self.image.all("HEALTHCHECK")
            words = json.loads(check.split("CMD", 1)[1])
            asked = words[2].replace(self.image.all("EXPOSE")[0], port[1])
            done = subprocess.run([python, words[1], asked], timeout=60, check=False)
            self.assertEqual(done.returncode, 0)
            server.terminate()
            server.stdout.read()
        self.assertEqual(server.returncode, 0)
        self.assertTrue((data / "gtchat.sqlite").exists())


class ManualPages(SynchronousTestCase):
    def test_pages_are_those_of_the_tables(self) -> None:
        specification = spec_from_file_location("man_pages", DOCS / "man_pages.py")
        assert specification is not None and specification.loader is not None
        module = module_from_spec(specification)
        specification.loader.exec_module(module)
        for name, page in module.pages().items():
            written = (DOCS / name).read_text(encoding="utf-8")
            self.assertEqual(written, page, "run PYTHONPATH=. python docs/man_pages.py")


class Checkout(SynchronousTestCase):
    def test_twistd_finds_the_plugin_from_any_directory(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            twistd = "from twisted.scripts.twistd import run; run()"
            done = run("-c", twistd, "--help", cwd=folder)
            self.assertRegex(done.stdout, r"\n +gtchat  ")
            done = run("-c", twistd, "gtchat", "--help", cwd=folder)
            for option in ("--ws", "--data", "--text-chars", "--public", "--log-json"):
                self.assertIn(option, done.stdout)
