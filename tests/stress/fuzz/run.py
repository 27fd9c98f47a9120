"""One target under atheris, in a process of its own, and the evaluation of its output.

`python -m tests.stress.fuzz.run TARGET SECONDS FOLDER SEED` is the process that is fuzzed.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

from tests.e2e.server import TOP


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        target: its name.
        inputs: how many were executed.
        coverage: edges reached, as libFuzzer counts them.
        violations: one text each.
    """

    target: str
    inputs: int
    coverage: int
    violations: list[str]

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.inputs} inputs, {self.coverage} edges reached, "
            f"{len(self.violations)} violations"
        )


def run(target: str, seconds: int, seed: int) -> Result:
    """Fuzz a target in a new process.

    Args:
        target: its name.
        seconds: how long.
        seed: of libFuzzer.

    Raises:
        SystemExit: atheris is not installed.
    """
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit("atheris is not installed: pip install atheris")
    folder = Path(tempfile.mkdtemp(prefix=f"gtchat-fuzz-{target}-"))
    log = folder / "log"
    words = [sys.executable, "-m", "tests.stress.fuzz.run", target, str(seconds), str(folder)]
    with log.open("wb") as out:
        done = subprocess.run([*words, str(seed)], cwd=TOP, stdout=out, stderr=out, check=False)
    text = log.read_text(errors="replace")
    ran = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text) or re.findall(
        r"#(\d+)", text
    )
    reached = re.findall(r"\bcov: (\d+)", text)
    violations = []
    if done.returncode:
        violations.append(
            f"exit {done.returncode}; {folder} contains the input and the log:\n{text[-3000:]}"
        )
    return Result(
        target, int(ran[-1]) if ran else 0, int(reached[-1]) if reached else 0, violations
    )


def _fuzz(name: str, seconds: str, folder: Path, seed: str) -> None:
    """Fuzz a target in this process. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["gtchat", "autobahn", "twisted.web.http"]):
        from tests.stress.fuzz import seeds
        from tests.stress.fuzz.targets import TARGETS

    seeds.write(name, folder / "corpus")
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in seeds.dictionary(name))
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))
    target, split = TARGETS[name](), seeds.SPLITTERS.get(name, seeds.split_pieces)
    options = [
        f"-max_total_time={seconds}",
        f"-dict={folder / 'words'}",
        f"-artifact_prefix={folder}/",
        f"-seed={seed}",
        *("-max_len=8192", "-timeout=5", "-rss_limit_mb=4096", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], lambda data: target(split(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    _fuzz(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
