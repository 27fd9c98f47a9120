"""Programs that judge the web port, each run at a server of its own.

python -m tests.compliance.judges slow    slowhttptest: slow headers, slow bodies, slow readers
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

#: How slowhttptest is slow, and what it shows after so many seconds.
WAYS = {"-H": "slow headers", "-B": "slow bodies", "-X": "slow readers"}
CONNECTIONS, SECONDS = 200, 90
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def slow() -> bool:
    """Slow clients: the page is there for others all the time, and all are cut off in the end."""
    server = Server("--connections-per-address", "0").start()
    good = True
    try:
        largest = max(Path("static/vendor").glob("*.js"), key=lambda file: file.stat().st_size)
        url = f"http://127.0.0.1:{server.web_port}/vendor/{largest.name}"
        for way, words in WAYS.items():
            said = _run(
                *("slowhttptest", way, "-u", url, "-c", str(CONNECTIONS), "-r", "100"),
                *("-l", str(SECONDS), "-i", "2", "-x", "20", "-p", "2"),
                *("-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "1"),
            )
            available = re.findall(r"service available:\s+(\w+)", said)
            closed = re.findall(r"closed:\s+(\d+)", said)
            ended = re.findall(r"Exit status: (.*)", said)
            print(f"{words}: page there {set(available)}, {closed[-1:]} cut off; {ended}")
            good = good and set(available) == {"YES"}
    finally:
        server.kill()
    return good and "Traceback" not in "".join(server.lines)


def tls() -> bool:
    """TLS: nothing that testssl calls not OK."""
    pem = Path(tempfile.mkdtemp(prefix="gtchat-tls-")) / "pem"
    make_certificate(pem)
    web = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    server = Server("--web", web).start()
    try:
        url = f"https://127.0.0.1:{server.web_port}/"
        said = _run(
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
    print(said)
    return "NOT ok" not in said and "Traceback" not in "".join(server.lines)


def _run(*words: str) -> str:
    """What a program says. Raises SystemExit: it is not here."""
    if shutil.which(words[0]) is None:
        raise SystemExit(f"{words[0]} is not here: apt-get install slowhttptest testssl.sh")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return COLOURS.sub("", done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(not {"slow": slow, "tls": tls}[sys.argv[1]]())
