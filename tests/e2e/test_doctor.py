"""What `gtchat doctor` says of proxies that are set up wrong, each in its own way.

One server, one nginx and one HAProxy serve all set-ups, each on a port of its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.doctor.address import check_address
from gtchat.server.doctor.finding import Finding, Level
from gtchat.server.doctor.http import Target
from gtchat.server.self_signed import make
from tests.e2e import haproxy
from tests.e2e.server import SECONDS, Server

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
#: The address of the client, which is not the proxy's.
CLIENT = "127.0.0.2"
HOST = "proxy_set_header Host $http_host;"
UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
VERSION = "proxy_http_version 1.1;"
FORWARDED = "proxy_set_header X-Forwarded-For $remote_addr;"
GOOD = f"{VERSION} {HOST} {UPGRADE} {FORWARDED}"
PASS = "proxy_pass http://127.0.0.1:$WEB;"


def located(inside: str) -> str:
    return f"location / {{ {PASS} {inside} }}"


#: What is found -> the set-up of nginx; the first is right.
SETUPS = {
    "": located(GOOD),
    "upgrade": located(f"{VERSION} {HOST} {FORWARDED}"),
    "host": located(f"{VERSION} {UPGRADE} {FORWARDED}"),
    "host-port": located(f"{VERSION} proxy_set_header Host $host; {UPGRADE} {FORWARDED}"),
    "forged-address": located(f"{VERSION} {HOST} {UPGRADE}"),
    "proxy-address": located(f'{VERSION} {HOST} {UPGRADE} proxy_set_header X-Forwarded-For "";'),
    "path-prefix": f"location /chat/ {{ {PASS} {GOOD} }}",
    "websocket-path": f"location = /ws {{ return 404; }} {located(GOOD)}",
    "gateway": "location / { proxy_pass http://127.0.0.1:1; }",
    "redirect": "return 301 https://elsewhere.example/;",
    "allowed-hosts": located(GOOD.replace("$http_host", "other.example")),
    "origin": located(f'{GOOD} proxy_set_header Origin "";'),
    "page": located(f"{GOOD} proxy_hide_header Content-Security-Policy;"),
    "not-gtchat": 'location / { return 200 "welcome"; }',
    "read-timeout": located(f"{GOOD} proxy_read_timeout 2s;"),
}
CADDY = shutil.which("caddy", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
#: The configuration of the documentation.
CADDYFILE = Path(__file__).parents[2] / "docs" / "Caddyfile"


def passed(inside: str = "") -> str:
    return f"reverse_proxy 127.0.0.1:$WEB {{\n{inside}\n}}"


#: The same of Caddy, which passes on by itself what the others have to be told.
CADDY_SETUPS = {
    "": "",  # the documented one
    "upgrade": passed("header_up -Upgrade"),
    "host": passed("header_up Host {upstream_hostport}"),
    "host-port": passed("header_up Host {host}"),
    "forged-address": passed("header_up X-Forwarded-For {header.X-Forwarded-For}"),
    "proxy-address": passed("header_up -X-Forwarded-For"),
    "path-prefix": f"handle /chat/* {{\n{passed()}\n}}",
    "websocket-path": f"respond /ws 404\n{passed()}",
    "gateway": "reverse_proxy 127.0.0.1:1",
    "redirect": "redir https://elsewhere.example/",
    "allowed-hosts": passed("header_up Host other.example"),
    "origin": passed("header_up -Origin"),
    "page": passed("header_down -Content-Security-Policy"),
    "not-gtchat": "respond welcome",
    "read-timeout": passed("transport http {\nread_timeout 2s\n}"),
}
#: What is found -> the days from and to which a certificate is valid with which nginx serves the
#: right set-up.
CERTIFICATES = {"tls-self-signed": (-20, 9), "tls-expired": (-20, -9), "tls-not-yet": (2, 9)}


def configuration(folder: Path, ports: dict[str, int], upstream: Callable[[str], int]) -> str:
    """Return the configuration of nginx. upstream: returns the server's port for a set-up."""
    servers = []
    for name, port in ports.items():
        tls, inside = "", SETUPS.get(name, SETUPS[""])
        if name in CERTIFICATES:
            first, last = CERTIFICATES[name]
            begin = datetime.now(timezone.utc) + timedelta(days=first)
            pem = folder / f"{name}.pem"
            pem.write_bytes(make(["127.0.0.1"], last - first, begin))
            tls = f"ssl_certificate {pem}; ssl_certificate_key {pem};"
        listen = f"listen 127.0.0.1:{port}{' ssl' if tls else ''};"
        servers.append(f"server {{ {listen} {tls} {inside.replace('$WEB', str(upstream(name)))} }}")
    paths = [f"{kind}_temp_path {folder};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi")]
    return (
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{ }}\nhttp {{ access_log off; client_body_temp_path {folder}; {' '.join(paths)}\n"
        + "\n".join(servers)
        + "\n}\n"
    )


def wait_for(port: int) -> None:
    """Wait until a port is listened on, which the system says by a connection."""
    deadline = datetime.now() + timedelta(seconds=SECONDS)
    while datetime.now() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), SECONDS).close()
        except ConnectionRefusedError:
            continue
        return


class Proxies(SynchronousTestCase):
    def server(self, ping_interval: str = "1") -> Server:
        options = ("--trusted-proxies", "127.0.0.1", "--allowed-hosts", "chat.example")
        server = Server(*options, "--ping-interval", ping_interval)
        self.addCleanup(server.kill)
        return server.start()

    def upstreams(self) -> Callable[[str], int]:
        """Start two servers; return which port a set-up leads to.

        A proxy that ends silent connections gets one with pings that are late even on a machine
        with much to do, as its time holds for the handshake, too.
        """
        usual, late = self.server().web_port, self.server("60").web_port
        return lambda name: late if name == "read-timeout" else usual

    def findings(self, port: int, path: str = "", scheme: str = "http") -> list[Finding]:
        """Return what is wrong at a port."""
        target = Target.parse(f"{scheme}://127.0.0.1:{port}{path}", CLIENT)
        found = [*check_address(target)]
        for finding in found:
            self.assertEqual(len(finding.line.splitlines()), 1)
        return [finding for finding in found if finding.level is not Level.OK]

    def test_nginx(self) -> None:
        upstream = self.upstreams()
        folder = Path(tempfile.mkdtemp(prefix="gtchat-nginx-"))
        self.addCleanup(shutil.rmtree, folder)
        ports = {name: haproxy.free_port() for name in (*SETUPS, *CERTIFICATES)}
        path = folder / "nginx.conf"
        path.write_text(configuration(folder, ports, upstream))
        proxy = subprocess.Popen([str(NGINX), "-c", str(path), "-p", str(folder), "-e", "stderr"])
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.terminate)
        wait_for(ports[""])
        self.assertEqual(self.findings(ports.pop("")), [])
        for name, port in ports.items():
            path_of_page = "/chat/" if name == "path-prefix" else ""
            found = self.findings(port, path_of_page, "https" if name in CERTIFICATES else "http")
            self.assertIn(name, [one.name for one in found], found)
            self.assertTrue(all(one.fix for one in found), found)

    def test_haproxy(self) -> None:
        upstream = self.upstreams()
        names = {"": "", "proxy-protocol": "send-proxy", "upgrade": "", "read-timeout": ""}
        ports = {name: haproxy.free_port() for name in names}
        text = (
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        )
        for number, (name, options) in enumerate(names.items()):
            text += (
                f"frontend f{number}\n bind 127.0.0.1:{ports[name]}\n"
                " http-request set-header X-Forwarded-For %[src]\n"
                + (" http-request del-header Upgrade\n" if name == "upgrade" else "")
                + f" default_backend b{number}\nbackend b{number}\n"
                + (" timeout tunnel 2s\n" if name == "read-timeout" else "")
                + f" server one 127.0.0.1:{upstream(name)} {options}\n"
            )
        haproxy.start(self.addCleanup, text)
        wait_for(ports[""])
        self.assertEqual(self.findings(ports.pop("")), [])
        for name, port in ports.items():
            self.assertIn(name, [one.name for one in self.findings(port)])

    def test_caddy(self) -> None:
        upstream = self.upstreams()
        folder = Path(tempfile.mkdtemp(prefix="gtchat-caddy-"))
        self.addCleanup(shutil.rmtree, folder)
        ports = {name: haproxy.free_port() for name in CADDY_SETUPS}
        documented = CADDYFILE.read_text(encoding="utf-8")
        for old, new in (
            ("chat.example {", f"http://:{ports['']} {{"),
            ("127.0.0.1:8080", f"127.0.0.1:{upstream('')}"),
        ):
            self.assertIn(old, documented)
            documented = documented.replace(old, new)
        path = folder / "Caddyfile"
        sites = [
            f"http://:{port} {{\n{CADDY_SETUPS[name].replace('$WEB', str(upstream(name)))}\n}}"
            for name, port in ports.items()
            if name
        ]
        path.write_text("{\nadmin off\n}\n" + "\n".join([documented, *sites]))
        environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        proxy = subprocess.Popen(
            [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(path)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.terminate)
        wait_for(ports[""])
        self.assertEqual(self.findings(ports.pop("")), [])
        for name, port in ports.items():
            found = self.findings(port, "/chat/" if name == "path-prefix" else "")
            self.assertIn(name, [one.name for one in found], found)
            self.assertTrue(all(one.fix for one in found), found)

    def test_the_port_of_websocket_alone(self) -> None:
        [found] = self.findings(self.server().ws_port)
        self.assertEqual(found.name, "websocket-port")

    def test_a_server_that_is_not_there(self) -> None:
        [found] = self.findings(1)
        self.assertEqual(found.name, "connect")

    if NGINX is None:
        test_nginx.skip = "nginx is not installed"  # type: ignore[attr-defined]
    if CADDY is None:
        test_caddy.skip = "caddy is not installed"  # type: ignore[attr-defined]
    if haproxy.MISSING:
        test_haproxy.skip = haproxy.MISSING  # type: ignore[attr-defined]
