"""`docs/compose.yaml`, `docs/Dockerfile` and `docs/haproxy.cfg` agree with each other and the code.

No container is started. What a container would need is read from the files.
"""

from __future__ import annotations

import json
import re
import shlex
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.config import load

TOP = Path(__file__).resolve().parents[1]
DOCS = TOP / "docs"
#: Seconds that a server takes to stop, besides `drain_seconds`; see docs/gtchat.service.
STOP_SECONDS = 5
#: A variable of Compose, with what stands behind its name.
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}|\$(\w+)")


def expand(text: str, given: dict[str, str]) -> str:
    """Replace the variables of Compose in a value; one that is missing is an error."""

    def value(found: re.Match[str]) -> str:
        name, kind, words, plain = found.groups()
        assert plain is None, f"${plain} without braces may be empty"
        if given.get(name):
            return given[name]
        assert kind == ":-", f"{name} is not set: {words}"
        return str(words)

    return VARIABLE.sub(value, text)


def seconds(text: str) -> float:
    """Return a duration of Compose in seconds."""
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


class Dockerfile:
    """The instructions of a Dockerfile, in order."""

    def __init__(self, path: Path) -> None:
        text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.M)
        lines = text.replace("\\\n", " ").splitlines()
        self.steps = [tuple(line.split(None, 1)) for line in lines if line.strip()]

    def all(self, name: str) -> list[str]:
        """Return the arguments of all instructions of a name."""
        return [rest for word, rest in self.steps if word == name]

    @property
    def environment(self) -> dict[str, str]:
        words = [word for rest in self.all("ENV") for word in shlex.split(rest)]
        return dict(word.split("=", 1) for word in words)

    def copied(self) -> list[str]:
        """Return the paths of what is copied from the checkout."""
        rows = [rest for rest in self.all("COPY") if not rest.startswith("--from=")]
        return [word for rest in rows for word in rest.split()[:-1]]


class ComposeCase(SynchronousTestCase):
    def setUp(self) -> None:
        text = (DOCS / "compose.yaml").read_text(encoding="utf-8")
        self.given = {"POSTGRES_PASSWORD": "secret", "CERTIFICATE": "/x.pem"}
        self.plain: Any = yaml.safe_load(text)
        self.compose: Any = yaml.safe_load(expand(re.sub(r"(?m)^ *#.*\n", "", text), self.given))
        self.services: dict[str, Any] = self.compose["services"]
        self.nodes = {name: one for name, one in self.services.items() if "build" in one}
        self.image = Dockerfile(DOCS / "Dockerfile")
        self.haproxy = (DOCS / "haproxy.cfg").read_text(encoding="utf-8")

    def address(self, service: str) -> str:
        [network] = self.services[service]["networks"].values()
        return str(network["ipv4_address"])

    def mounts(self, service: str) -> dict[str, str]:
        """Return target -> source of the files and volumes of a service."""
        found = (one.split(":") for one in self.services[service]["volumes"])
        return {parts[1]: parts[0] for parts in found}


class Image(ComposeCase):
    def test_what_is_copied_exists_and_is_what_the_package_needs(self) -> None:
        copied = self.image.copied()
        for word in copied:
            self.assertTrue((TOP / word).exists(), word)
        ignored = (DOCS / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        allowed = {line[1:] for line in ignored if line.startswith("!")}
        self.assertEqual(set(copied), allowed)
        setup = (TOP / "setup.py").read_text(encoding="utf-8")
        for name in re.findall(r'HERE / "([\w.]+)[/"]', setup):
            self.assertIn(name, copied)

    def test_python_is_one_that_is_supported(self) -> None:
        build, base = (rest.split()[0] for rest in self.image.all("FROM"))
        self.assertEqual(build, base)
        version = base.removeprefix("python:").split("-")[0]
        self.assertIn(version, ("3.10", "3.11", "3.12", "3.13"))

    def test_the_server_has_a_user_of_its_own_who_owns_its_data(self) -> None:
        [user], [folder] = self.image.all("USER"), self.image.all("WORKDIR")
        made = next(rest for rest in self.image.all("RUN") if "useradd" in rest)
        self.assertIn(f"--owner={user}", made)
        self.assertTrue(made.endswith(folder))
        self.assertEqual(self.image.environment["GTCHAT_DATA"], folder)
        for name in self.nodes:
            self.assertEqual(self.mounts(name)[folder], name)

    def test_the_server_is_that_of_the_stage_that_built_it(self) -> None:
        [row] = [rest for rest in self.image.all("COPY") if rest.startswith("--from=")]
        stage, source, target = row.split()
        self.assertEqual(source, target)
        self.assertTrue(self.image.all("FROM")[0].endswith(f" AS {stage.removeprefix('--from=')}"))
        self.assertEqual(self.image.environment["PATH"].split(":")[0], f"{target}/bin")
        self.assertIn(f"python -m venv {target} ", self.image.all("RUN")[0])

    def test_the_health_check_asks_the_port_of_the_page(self) -> None:
        port = self.image.environment["GTCHAT_WEB"].removeprefix("tcp:")
        self.assertEqual(self.image.all("EXPOSE"), [port])
        [check] = self.image.all("HEALTHCHECK")
        [python, option, program] = json.loads(check.split("CMD", 1)[1])
        self.assertEqual((python, option), ("python", "-c"))
        self.assertIn(f"http://127.0.0.1:{port}/healthz", program)
        compile(program, "HEALTHCHECK", "exec")


class Services(ComposeCase):
    def test_variables_without_default_are_required_and_no_password_is_a_default(self) -> None:
        text = (DOCS / "compose.yaml").read_text(encoding="utf-8")
        scaling = (DOCS / "scaling.md").read_text(encoding="utf-8")
        found = {name or plain: kind for name, kind, _, plain in VARIABLE.findall(text)}
        self.assertEqual(
            found, {"POSTGRES_PASSWORD": ":?", "CERTIFICATE": ":?", "GTCHAT_NOTIFY": ":-"}
        )
        for name in found:
            self.assertIn(f"{name}=", text)
            self.assertIn(name, scaling)
        for service in self.plain["services"].values():
            for key, value in service.get("environment", {}).items():
                if "PASSWORD" in key:
                    self.assertIn("${POSTGRES_PASSWORD:?", value)

    def test_the_settings_of_the_servers_are_valid_and_the_same(self) -> None:
        postgres = self.services["postgres"]["environment"]
        found = []
        for name, node in self.nodes.items():
            environment = {**self.image.environment, **node["environment"]}
            ours = {key: one for key, one in environment.items() if key.startswith("GTCHAT_")}
            server = load({}, ours, None).server
            store = urlsplit(server.store)
            self.assertEqual(store.hostname, "postgres")
            self.assertEqual((store.username, store.password), (postgres["POSTGRES_USER"], None))
            self.assertEqual(store.path[1:], postgres["POSTGRES_USER"])  # the image's default
            self.assertEqual(environment["PGPASSWORD"], postgres["POSTGRES_PASSWORD"])
            self.assertEqual(server.trusted_proxies, (self.address("haproxy"),))
            self.assertEqual((server.node, node["hostname"]), (name, name))
            self.assertGreaterEqual(
                seconds(node["stop_grace_period"]), server.drain_seconds + STOP_SECONDS
            )
            found.append({**ours, "GTCHAT_NODE": ""})
        self.assertEqual(len(found), 2)
        self.assertEqual(found[0], found[1])

    def test_haproxy_knows_the_servers_and_gets_the_files_that_it_reads(self) -> None:
        port = self.image.environment["GTCHAT_WEB"].removeprefix("tcp:")
        servers = dict(re.findall(r"^    server (\w+) (\S+)$", self.haproxy, re.M))
        self.assertEqual(servers, {name: f"{self.address(name)}:{port}" for name in self.nodes})
        [(listening, certificate)] = re.findall(r"bind :(\d+) ssl crt (\S+)", self.haproxy)
        self.assertEqual(self.services["haproxy"]["ports"], [f"{listening}:{listening}"])
        self.assertEqual(
            self.mounts("haproxy"),
            {
                "/usr/local/etc/haproxy/haproxy.cfg": "./haproxy.cfg",
                certificate: self.given["CERTIFICATE"],
            },
        )
        self.assertTrue(
            (DOCS / self.mounts("haproxy")["/usr/local/etc/haproxy/haproxy.cfg"]).exists()
        )

    def test_addresses_are_of_the_network_and_no_other_container_gets_them(self) -> None:
        [config] = self.compose["networks"]["chat"]["ipam"]["config"]
        subnet, others = ip_network(config["subnet"]), ip_network(config["ip_range"])
        own = [ip_address(self.address(name)) for name in ("haproxy", *self.nodes)]
        taken = [*own, ip_address(config["gateway"])]
        self.assertEqual(len(set(taken)), len(taken))
        for one in taken:
            self.assertIn(one, subnet)
            self.assertNotIn(one, others)
        self.assertTrue(others.subnet_of(subnet))  # type: ignore[arg-type]

    def test_every_service_has_a_health_check_and_all_that_it_names(self) -> None:
        for name, one in self.services.items():
            self.assertTrue("healthcheck" in one or name in self.nodes, name)
            self.assertEqual(list(one["networks"]), ["chat"])
            for mount in one.get("volumes", ()):
                source = mount.split(":")[0]
                known = source in self.compose["volumes"] or source[0] in "./"
                self.assertTrue(known, mount)
            for needed in one.get("depends_on", ()):
                self.assertNotIn("profiles", self.services[needed])
        for node in self.nodes.values():
            self.assertEqual(node["build"], {"context": "..", "dockerfile": "docs/Dockerfile"})
            self.assertEqual(node["depends_on"], {"postgres": {"condition": "service_healthy"}})

    def test_the_health_checks_ask_where_the_services_listen(self) -> None:
        command = self.services["nats"]["command"]
        for name, url in (
            ("haproxy", "https://127.0.0.1/healthz"),
            ("nats", f"http://127.0.0.1:{command[command.index('--http_port') + 1]}/healthz"),
        ):
            test = self.services[name]["healthcheck"]["test"]
            self.assertEqual((test[:2], test[-1]), (["CMD", "wget"], url))
        user = self.services["postgres"]["environment"]["POSTGRES_USER"]
        self.assertIn(f"--username={user}", self.services["postgres"]["healthcheck"]["test"])
