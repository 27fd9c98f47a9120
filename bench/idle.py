"""What idle connections cost those who talk: our server at its work, with none and with 5,000."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import report
from bench.compare import in_rounds, measure, went_wrong
from bench.servers import Target, servers
from bench.tools import BenchError, generating
from bench.workloads import WORKLOADS

IDLE = 5_000
OURS = ("GTChat", "GTChat, in memory")
#: Seconds until all have come, at most, and until all have been told of that.
COMING, NEWS = 60, 3


@contextmanager
def resting(target: Target, count: int) -> Iterator[None]:
    """Keep so many people logged in who say nothing, but for one who pings once a second.

    Raises:
        BenchError: they do not come.
    """
    if not count:
        yield
        return
    login = ("--step", '{"cmd":"login","type":"tmp","usr":"idle%u"}', '"ok"')
    words = ["--port", str(target.port), "--quiet", "--noecho", *login]
    words += ["--msg", '{"cmd":"ping"}', "-n", str(count), "-r", str(count), "-s", "1"]
    descriptors = Path(f"/proc/{target.pid}/fd")
    with generating([*words, "--rate", "1", "--dur", "3600"], core=1):
        late = time.monotonic() + COMING
        while len(list(descriptors.iterdir())) < count:
            if time.monotonic() > late:
                raise BenchError(f"{count} idle connections did not come within {COMING} s")
            time.sleep(0.2)
        time.sleep(NEWS)
        yield


def idle(folder: Path, quick: bool, say: Callable[[str], None]) -> int:
    """Measure, and write a table and JSON into a folder; 1 if something was lost."""
    count, rounds, seconds = (1_000, 1, 1.5) if quick else (IDLE, 3, 3.0)
    found, _ = servers()
    measures = {
        f"{name}, {many} idle" if many else name: partial(
            measure, found[name], seconds=seconds, beside=partial(resting, count=many)
        )
        for name in OURS
        for many in (0, count)
    }
    workloads = [workload for workload in WORKLOADS if not workload.rate]
    results = in_rounds(measures, workloads, rounds, say)
    text = report.table(results)
    document = {"machine": report.machine(), "rounds": rounds, "idle": count, "results": results}
    report.write(folder, "idle", document, text)
    sys.stdout.write(text)
    return int(went_wrong(results))
