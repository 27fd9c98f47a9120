"""What the public address of a server shows: certificate, page, WebSocket, and what a proxy does.

The checks ask as a browser asks, and where that is refused in other ways, too: the one that is not
refused tells what is wrong.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import load_der_x509_certificate

from gtchat.server.doctor.finding import Finding, error, ok, warning
from gtchat.server.doctor.http import (
    NoResponse,
    Response,
    Target,
    WebSocket,
    connect,
    get,
    is_loopback,
)

#: Days before the end of a certificate from which there is a warning.
SOON_DAYS = 14
#: An address that no client has (RFC 5737), as a client that forges one names it.
FORGED = "192.0.2.99"
#: An origin that no site has (RFC 2606).
FOREIGN = "https://doctor.invalid"
#: Longest time between two pings that is waited for, and how much later one may come, in seconds.
LONGEST_PING_S, PING_LATE_S = 60.0, 5.0
#: Seconds by which two clocks may differ, a slow response included.
CLOCKS_APART_S = 30.0
#: Statuses of a proxy that does not reach the server.
_GATEWAY = (502, 503, 504)
_HOST = "pass the Host header on with its port: nginx `proxy_set_header Host $http_host`"
_UPGRADE = (
    "pass on Upgrade and Connection with HTTP/1.1: nginx `proxy_http_version 1.1`, "
    "`proxy_set_header Upgrade $http_upgrade`, `proxy_set_header Connection $connection_upgrade`"
)
_FORWARDED = (
    "let the proxy replace X-Forwarded-For by the client's address, and add the proxy's own "
    "address to trusted_proxies"
)

_PINGS = (
    "let the proxy wait longer than ping_interval: nginx `proxy_read_timeout 60s`, HAProxy "
    "`timeout tunnel 1h`, Caddy without `read_timeout`; or lower ping_interval"
)


def check_address(target: Target) -> Iterator[Finding]:
    """Yield what the public address of a server shows; the last one may be why nothing more is."""
    try:
        connect(target).close()
    except ssl.SSLError as reason:
        yield error(
            "tls", f"no TLS at {target.origin}: {reason.reason or reason}", "use ssl: or http:"
        )
        return
    except OSError as reason:
        yield error("connect", f"{target.host} port {target.port}: {reason}", _reach(reason))
        return
    if target.secure:
        yield check_certificate(target)
    page = _check_page(target)
    yield page
    if page.name == "page":
        yield from _check_date(target)
        yield from check_websocket(target)
        yield _check_metrics(target)


def _reach(reason: OSError) -> str:
    if isinstance(reason, socket.gaierror):
        return "give the name an address in the DNS"
    return "start the server or the proxy, and open the port in the firewall"


def check_certificate(target: Target) -> Finding:
    """Return what is wrong with the certificate, as a browser sees it."""
    with connect(target) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        served = load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    begins, ends = served.not_valid_before_utc, served.not_valid_after_utc
    now = datetime.now(timezone.utc)
    left = (ends - now).total_seconds() / 86_400
    if left < 0:
        return error("tls-expired", f"the certificate has expired on {ends:%Y-%m-%d}", "renew it")
    if begins > now:
        text = f"the certificate is not valid before {begins:%Y-%m-%dT%H:%MZ}"
        return error("tls-not-yet", text, "set the clocks, or use another certificate until then")
    try:
        connect(target, verify=True).close()
    except ssl.SSLCertVerificationError as reason:
        return _untrusted(target, reason, served.issuer == served.subject)
    except OSError as reason:
        return error("tls", str(reason))
    if left < SOON_DAYS:
        fix = "renew it; `gtchat admin reload` loads it"
        return warning("tls-expires-soon", f"the certificate expires in {left:.0f} days", fix)
    return ok("tls", f"the certificate is trusted, and expires on {ends:%Y-%m-%d}")


def _untrusted(target: Target, reason: ssl.SSLCertVerificationError, own: bool) -> Finding:
    # Codes of X509_verify_cert_error_string: 62 and 64 are names and addresses that do not match.
    if reason.verify_code in (62, 64):
        fix = f"use a certificate for {target.host}"
        return error("tls-name", f"the certificate is not for {target.host}", fix)
    if own:
        fix = "use a certificate of an authority, or have clients trust this one"
        return error("tls-self-signed", "the certificate is signed by its own key", fix)
    fix = "serve the certificates of the authority with it, as in fullchain.pem"
    return error("tls-chain", f"the certificate is not trusted: {reason.verify_message}", fix)


def _check_page(target: Target) -> Finding:
    """Return whether the page is there; `page` as a name means that the server is."""
    try:
        health = get(target, "/healthz")
        page = get(target, "/")
    except NoResponse as reason:
        fix = "is the port one of HTTP, and does the proxy speak HTTP to the server?"
        return error("no-http", f"no answer to an HTTP request: {reason}", fix)
    if 300 <= health.status < 400:
        return _redirected(target, health)
    if health.status in _GATEWAY and not _is_health(health):
        fix = "start the server; let the proxy lead to its `web` endpoint"
        return error("gateway", f"the proxy answers {health.status}", fix)
    if health.status == 421:
        fix = f"add {target.host} to allowed_hosts, or have the proxy pass on the Host header"
        return error("allowed-hosts", f"the server does not know the host {target.host}", fix)
    if health.status == 400 and health.is_ours:
        fix = "remove `send-proxy` or `proxy_protocol`, or begin the `web` endpoint with haproxy:"
        return error("proxy-protocol", "the server does not understand what the proxy sends", fix)
    if not _is_health(health):
        return _not_ours(target, health, page)
    if page.status != 200 or b"<html" not in page.body:
        return error("page", f"the page is answered with {page.status}", "pass on all paths")
    if not page.is_ours:
        fix = "let the proxy pass on the header, or set one with all that docs/operations.md names"
        return warning("page", "the Content-Security-Policy is not the server's own", fix)
    return ok("page", f"the page and /healthz are there, version {_version(health)}")


def _check_date(target: Target) -> Iterator[Finding]:
    """Yield that the clock of the server, or its proxy, and that of this machine differ."""
    try:
        there = parsedate_to_datetime(get(target, "/healthz").headers.get("date", ""))
        apart = (there - datetime.now(timezone.utc)).total_seconds()
    except (NoResponse, ValueError, TypeError):
        return
    if abs(apart) > CLOCKS_APART_S:
        text = f"it is {there:%Y-%m-%dT%H:%M:%SZ} there, {apart:+.0f} s from the clock here"
        yield warning("clock", text, "set the wrong one of the clocks; use NTP")


def _is_health(response: Response) -> bool:
    return b'"version"' in response.body and b'"status"' in response.body


def _version(health: Response) -> str:
    try:
        return str(json.loads(health.body)["version"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def _redirected(target: Target, response: Response) -> Finding:
    to = response.headers.get("location", "")
    fix = "give the address that users open" if urlsplit(to).netloc else "pass on all paths"
    return error("redirect", f"{target.origin}{target.prefix} leads to {to}", fix)


def _not_ours(target: Target, health: Response, page: Response) -> Finding:
    """Return why another program than the server answers."""
    if health.is_ours:
        where = target.prefix or "/"
        fix = (
            f"let the proxy remove {where}: nginx `proxy_pass http://127.0.0.1:8080/;` with a slash"
        )
        return error("path-prefix", f"the server is asked for a path that has {where} in it", fix)
    if page.is_ours:
        return error("path", "only the page is passed on, not the paths below it", "pass on all")
    if health.status == 426:
        fix = "give the address of a `web` endpoint, or let the proxy lead to one"
        return error("websocket-port", "the port is one of WebSocket only", fix)
    return error(
        "not-gtchat", f"another program answers, with {health.status}", "check the address"
    )


def check_websocket(target: Target) -> Iterator[Finding]:
    """Yield whether the page can open a WebSocket connection, and as what address it counts."""
    try:
        with WebSocket(target, target.origin, {"X-Forwarded-For": FORGED}) as opened:
            if opened.response.status == 101:
                yield ok("websocket", "the page can connect")
                yield _check_client_address(opened)
            else:
                yield _why_refused(target, opened.response)
                return
        with WebSocket(target, FOREIGN) as opened:
            if opened.response.status == 101:
                fix = "let the proxy pass on Origin; allow no origin with *"
                yield warning("origin", "pages of any other site can connect", fix)
            else:
                yield ok("origin", "pages of other sites cannot connect")
        with WebSocket(target, target.origin) as opened:
            yield _check_pings(opened)
    except NoResponse as reason:
        yield error("websocket", f"no answer to a WebSocket handshake: {reason}", _UPGRADE)


def _why_refused(target: Target, response: Response) -> Finding:
    """Return why the handshake of the page was refused, by what others are answered."""
    status = response.status
    if status == 403:
        without_port = urlsplit(target.origin)._replace(netloc=target.host).geturl()
        if target.authority != target.host and _status(target, without_port) == 101:
            return error("host-port", "the Host header reaches the server without its port", _HOST)
        if _status(target, None) == 101:
            return error("host", "the Host header reaches the server as another one", _HOST)
    if status == 421:
        return error(
            "allowed-hosts",
            "the server does not know the host",
            f"add {target.host} to allowed_hosts",
        )
    if status in (400, 426, 505) or (status == 200 and not response.is_ours):
        return error("upgrade", f"the request to upgrade is lost on its way ({status})", _UPGRADE)
    if status in _GATEWAY:
        return error("websocket-gateway", f"the proxy answers {status} to /ws", _UPGRADE)
    fix = "pass on /ws as all other paths"
    return error("websocket-path", f"the proxy answers {status} to /ws", fix)


def _status(target: Target, origin: str | None) -> int:
    with WebSocket(target, origin) as opened:
        return opened.response.status


def _check_client_address(opened: WebSocket) -> Finding:
    """Log in as a guest, look as which address that counts, and log out."""
    name = f"doctor-{secrets.token_hex(4)}"
    reply = _ask(opened, {"cmd": "login", "type": "tmp", "usr": name})
    if reply.get("status") != "ok":
        fix = "log in yourself, and look at the address in `gtchat admin sessions list NAME`"
        return warning("client-address", f"not checked: {reply.get('msg')}", fix)
    sessions = _ask(opened, {"cmd": "get_sessions"}).get("sessions")
    _ask(opened, {"cmd": "logout"})
    try:
        seen = str(sessions[0]["address"])  # type: ignore[index]
    except (TypeError, LookupError):
        seen = ""
    if seen == FORGED:
        text = "clients can forge their address: the server believes what they write"
        return error("forged-address", text, _FORWARDED)
    if seen == opened.own_address:
        return ok("client-address", f"the server sees the client's own address, {seen}")
    try:
        local = ipaddress.ip_address(seen).is_loopback
    except ValueError:
        local = True
    if local:
        text = f"all users count as one address, {seen or 'none'}: that of the proxy"
        return error("proxy-address", text, _FORWARDED)
    text = f"the server sees {seen}: is that this machine's public address, or the proxy's?"
    return warning("client-address", text, f"if it is the proxy's: {_FORWARDED}")


def _check_pings(opened: WebSocket) -> Finding:
    """Wait for the first ping, as long as nothing else is sent: a proxy may end that."""
    try:
        interval = float(_ask(opened, {"cmd": "hello"}).get("ping_interval") or 0)
    except (TypeError, ValueError, OverflowError):
        return warning("pings", "the server does not say how often it sends pings")
    if not 0 < interval <= LONGEST_PING_S:
        text = f"pings come every {interval:g} s" if interval else "the server sends no pings"
        fix = "set ping_interval to less than the timeouts of proxies between users and the server"
        return warning("pings", f"{text}: a proxy may end connections before", fix)
    began = time.monotonic()
    try:
        opened.wait_for_ping(interval + PING_LATE_S)
    except NoResponse as reason:
        waited = time.monotonic() - began
        if waited > interval:
            return warning("pings", f"no ping has come within {waited:.0f} s: {reason}", _PINGS)
        text = f"the proxy ends a connection that is silent for {waited:.1f} s"
        return error("read-timeout", f"{text}; pings come every {interval:g} s", _PINGS)
    return ok("pings", f"a silent connection stays open until the ping, every {interval:g} s")


def _ask(opened: WebSocket, request: dict[str, str]) -> dict[str, Any]:
    """Return the reply to a request."""
    opened.send(json.dumps(request).encode())
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            reply = json.loads(opened.receive())
        except ValueError as error:
            raise NoResponse("the server sends what is no JSON") from error
        if isinstance(reply, dict) and reply.get("cmd") == "c_response":
            return reply
    raise NoResponse("the server does not answer")


def _check_metrics(target: Target) -> Finding:
    try:
        found, local = get(target, "/metrics"), is_loopback(target)
    except (NoResponse, OSError) as reason:
        return warning("metrics", str(reason))
    if b"gtchat_info" in found.body:
        if local:
            return ok("metrics", "/metrics can be read from this machine")
        fix = "let the proxy set X-Forwarded-For, and refuse /metrics"
        return error("metrics", "everyone can read /metrics", fix)
    return ok("metrics", "/metrics is not public")
