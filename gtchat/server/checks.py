"""Checks of single values of settings: what can be seen to be wrong before anything is started.

Each check takes one value and returns what is wrong with it, or None. Endpoints are checked in
`endpoints`, which knows Twisted. Also: which variables of the environment are not ours.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from gtchat.chat.modes import CHAT_NAME_CHARS

#: A label of a host name in lower case (RFC 1123, section 2.1), or its ASCII form.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

_ADDRESS, _PORT, _TRANSPORT = r"[0-9A-Fa-f:.]+", r"\d{1,5}", "(?:tcp|udp|sctp)"
_URL = rf"{_TRANSPORT}://(?:[0-9.]+|\[{_ADDRESS}\]):{_PORT}"
#: What Kubernetes, and Docker for a linked container, set in each container for a service whose
#: name begins with gtchat: the end of the variable's name, and the form of its value.
_OF_SERVICES = tuple(
    (re.compile(rf"GTCHAT(?:_[A-Z0-9_]+)?_{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", _ADDRESS),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", _PORT),
        ("PORT", _URL),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)", _URL),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", _TRANSPORT),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PORT", _PORT),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", _ADDRESS),
    )
)

#: A comma before the next address of NATS: in a password it need not be encoded.
_BETWEEN_ADDRESSES = re.compile(",(?=(?:nats|tls)://)")
#: Parameters of an address of PostgreSQL that are secret (PostgreSQL's documentation, section
#: "Parameter Key Words").
_SECRET_PARAMETER = re.compile(
    r"([?&](?:password|sslpassword|scram_client_key|scram_server_key|oauth_client_secret)=)[^&]*"
)


def is_of_service(name: str, value: str) -> bool:
    """Return whether a variable of the environment says where a service of a cluster is.

    Args:
        name: of the variable.
        value: its value: a setting that is misspelt has another form.
    """
    return any(one.fullmatch(name) and form.fullmatch(value) for one, form in _OF_SERVICES)


def check_network(value: str) -> str | None:
    """Check an IP address or a network in CIDR notation."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{value!r} is no IP address and no network, such as 192.0.2.0/24"
    return None


def check_proxy(value: str) -> str | None:
    """Check what stands for a reverse proxy: an address, a network, or `unix` for Unix sockets."""
    return None if value == "unix" else check_network(value)


def check_origin(value: str) -> str | None:
    """Check a web origin (RFC 6454, section 6.1), as a browser sends it; `*` is any."""
    if value == "*":
        return None
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return f"{value!r} is no web origin, such as https://chat.example"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{value!r} is no web origin, such as https://chat.example"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    sent = f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")
    return None if value == sent else f"{value!r} never matches: browsers send {sent}"


def check_host(value: str) -> str | None:
    """Check a host name without scheme and port."""
    if all(_LABEL.fullmatch(label) for label in value.lower().split(".")):
        return None
    return f"{value!r} is no host name without scheme and port, such as chat.example"


def check_notify(value: str) -> str | None:
    """Check how servers wake each other. What is wrong is not said: a password may be in it."""
    if value in ("postgres", "off") or all(map(_is_nats, split_addresses(value))):
        return None
    return (
        "use postgres, off, or the address of a NATS server: nats://HOST:PORT or tls://HOST:PORT,"
        " with USER:PASSWORD@ or TOKEN@ before the host if it needs that, and % and two digits for"
        " other characters in those; several servers of a cluster with commas between them"
    )


def split_addresses(value: str) -> list[str]:
    """Return the addresses of NATS servers in a setting, one or several with commas between."""
    return _BETWEEN_ADDRESSES.split(value)


def _is_nats(address: str) -> bool:
    try:
        parts = urlsplit(address)
        has_port = parts.port != 0
    except ValueError:
        return False
    is_place = has_port and bool(parts.hostname) and "," not in str(parts.hostname)
    more = parts.path or parts.query or parts.fragment
    return parts.scheme in ("nats", "tls") and is_place and not more


def hide_login(address: str) -> str:
    """Return addresses of NATS servers without the users, the passwords and the tokens."""
    return ",".join(map(_hide_one, split_addresses(address)))


def _hide_one(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    _, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{'…' if at else ''}{at}{place}"


def hide_password(address: str) -> str:
    """Return an address of a database without its passwords, also if it is not a valid one."""
    if address.startswith("sqlite:"):
        return address
    # Parameters first: the place of an `@` in one must not be taken for that of the host.
    start, mark, rest = _SECRET_PARAMETER.sub(r"\1…", address).partition("://")
    user, at, place = rest.rpartition("@")  # a password may have any character in it
    name, colon, _ = user.partition(":")
    return f"{start}{mark}{name}{':…' if colon else ''}{at}{place}"


def check_chat_name(name: str) -> str | None:
    """Return what is wrong with the name of a chat."""
    if 1 <= len(name) <= CHAT_NAME_CHARS and name.isprintable() and name == name.strip():
        return None
    return f"must be one line of 1 to {CHAT_NAME_CHARS} printable characters"
