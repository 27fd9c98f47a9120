"""External programs that test the web port, each against a server of its own.

python -m tests.compliance.judges slow    slowhttptest: slow headers, bodies and readers
python -m tests.compliance.judges tls     testssl: protocols, ciphers, known weaknesses, headers
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.certificate import make_certificate
from tests.e2e.server import Server

#: Options of slowhttptest, and what they do.
MODES = {"-H": "slow headers", "-B": "slow bodies", "-X": "slow readers"}
#: Number of slow connections, and seconds that a test takes.
CONNECTIONS, SECONDS = 200, 90
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def slow() -> bool:
    """Return whether the page stays available to others while slow clients are connected."""
    server = Server("--connections-per-address", "0").start()
    good = True
    try:
        largest = max(Path("static/vendor").glob("*.js"), key=lambda file: file.stat().st_size)
        url = f"http://127.0.0.1:{server.web_port}/vendor/{largest.name}"
        for option, mode in MODES.items():
            output = _run(
                *("slowhttptest", option, "-u", url, "-c", str(CONNECTIONS), "-r", "100"),
                *("-l", str(SECONDS), "-i", "2", "-x", "20", "-p", "2"),
                *("-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "1"),
            )
            available = re.findall(r"service available:\s+(\w+)", output)
            closed = re.findall(r"closed:\s+(\d+)", output)
            ended = re.findall(r"Exit status: (.*)", output)
            print(f"{mode}: page available {set(available)}, {closed[-1:]} closed; {ended}")
            good = good and set(available) == {"YES"}
    finally:
        server.kill()
    return good and "Traceback" not in "".join(server.lines)


def tls() -> bool:
    """Return whether testssl reports nothing as not OK."""
    pem = Path(tempfile.mkdtemp(prefix="gtchat-tls-")) / "pem"
    make_certificate(pem)
    web = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    server = Server("--web", web).start()
    try:
        url = f"https://127.0.0.1:{server.web_port}/"
        output = _run(
            "testssl",
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "off",
            *["-p", "-s", "-U", "-h"],
            url,
        )
    finally:
        server.kill()
    print(output)
    return "NOT ok" not in output and "Traceback" not in "".join(server.lines)


def _run(*args: str) -> str:
    """Run a program, and return its output without colours.

    Raises:
        SystemExit: the program is not installed.
    """
    if shutil.which(args[0]) is None:
        raise SystemExit(f"{args[0]} is not installed: apt-get install slowhttptest testssl.sh")
    process = subprocess.run(args, capture_output=True, text=True, check=False)
    return COLOURS.sub("", process.stdout + process.stderr)


if __name__ == "__main__":
    sys.exit(not {"slow": slow, "tls": tls}[sys.argv[1]]())
