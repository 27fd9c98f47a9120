"""Fresh environments with the wheel of this checkout installed, in which the examples run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from zipfile import ZipFile

TOP = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).with_name("scenarios.py")


def run(*words: str | Path, cwd: Path) -> str:
    """Run a program without this checkout on its path; return what it printed.

    Args:
        words: the program and its arguments.
        cwd: the directory.

    Raises:
        RuntimeError: it failed; the text is what it printed.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def build_wheel(folder: Path, names: Iterable[str] | None = None) -> Path:
    """Build the wheel of a copy of this checkout; return its path.

    Args:
        folder: an empty one, for the copy and the wheel.
        names: paths of what is copied; None for everything that the wheel may need.
    """
    source = folder / "source"
    hidden = ignore_patterns(".*", "build", "_trial_temp*", "*.egg-info", "data", "tests")
    if names is None:
        copytree(TOP, source, ignore=hidden)
    for name in names or ():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (TOP / name).is_dir():
            copytree(TOP / name, source / name, ignore=hidden)
        else:
            copy(TOP / name, source / name)
    build = ("-W", "ignore", "setup.py", "-q", "bdist_wheel", "--dist-dir", folder)
    run(sys.executable, *build, cwd=source)
    (wheel,) = folder.glob("gtchat-*.whl")
    return wheel


def borrowing(wheel: Path, folder: Path) -> Path:
    """Make an environment that has the dependencies of this one; return its interpreter.

    Args:
        wheel: installed in it.
        folder: where it is made.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", show, cwd=folder).strip())
    with ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def downloading(interpreter: str, wheel: Path, folder: Path) -> Path:
    """Make an environment into which pip downloads the dependencies; return its interpreter.

    Args:
        interpreter: the name of a Python.
        wheel: installed in it.
        folder: where it is made.
    """
    run(interpreter, "-m", "venv", folder / interpreter, cwd=folder)
    python = folder / interpreter / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=folder)
    return python


def run_examples(python: Path, folder: Path) -> list[str]:
    """Run the scenarios of the examples; return a line for each one that went well.

    Raises:
        RuntimeError: one did not.
    """
    return run(python, SCENARIOS, TOP / "examples", cwd=folder).splitlines()
