"""What the log says about HTTP requests: why one was refused, and which proxy is not trusted.

Anyone on the network can cause these lines, so their number is bounded and what a client wrote
appears in them escaped and cut. The paths of requests are never logged: they may hold a password.
Lines that clients of other protocols can cause are bounded by the same `LineLimit`.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gtchat.chat.errors import ChatError
from gtchat.chat.limits import network_key
from gtchat.chat.token_buckets import Rate, TokenBucket
from gtchat.chat.users import Session
from gtchat.protocols.base.http_access import LOCAL, UNIX, Proxies

#: Lines that clients can cause: a second, and at once.
LINES_PER_SECOND, LINES_BURST = 1.0, 20.0
#: Networks about which there is a warning; none about further ones, since clients can forge
#: the headers.
MAX_WARNINGS = 32
#: Maximum length of a client's text in a line, in characters.
MAX_SHOWN_CHARS = 200

_log = Logger()


@attrs.define(eq=False)
class LineLimit:
    """Limits the lines of a log that clients can cause, and counts those that are left out.

    Args:
        clock: monotonic time in seconds.
    """

    clock: IReactorTime
    _bucket: TokenBucket = attrs.field(
        init=False, factory=lambda: TokenBucket(Rate(LINES_PER_SECOND, LINES_BURST))
    )
    _omitted: int = attrs.field(init=False, default=0)

    def info(self, log: Logger, line: str, **fields: object) -> None:
        """Log a line, unless there are too many.

        Args:
            log: takes the line.
            line: its format.
            fields: what the format needs.
        """
        if self._bucket.take(self.clock.seconds()):
            self._omitted += 1
            return
        omitted, self._omitted = self._omitted, 0
        more = "; {omitted} more were not logged" if omitted else ""
        log.info(line + more, omitted=omitted, **fields)


class LoggedClient(Protocol):
    """What the line of a request says of its client.

    Attributes:
        session: its session, None before login.
        address: its IP address.
        protocol: name of its protocol (`IConnection.protocol`).
    """

    session: Session | None

    @property
    def address(self) -> str: ...
    @property
    def protocol(self) -> str: ...


@attrs.define(eq=False)
class RequestLines:
    """Writes a line for each answered request of a protocol, if the operator wants that.

    All protocols share one object, so that the numbers of requests differ.

    Attributes:
        enabled: whether lines are written. May be replaced at any time.
    """

    enabled: bool = False
    _number: int = attrs.field(init=False, default=0)

    def note(self, cmd: str, client: LoggedClient, error: ChatError | None = None) -> None:
        """Write the line of a request of a protocol without trackers, if that is wanted.

        Args:
            cmd: the command.
            client: who sent it.
            error: why it was refused, None if it was not.
        """
        if self.enabled:
            user = "" if client.session is None else client.session.user.name
            outcome = "ok" if error is None else error.code
            self.answered(f"{client.protocol} {cmd}", "-", user, client.address, outcome)

    def answered(self, cmd: str, tracker: str, user: str, address: str, outcome: str) -> None:
        """Write the line of a request.

        Args:
            cmd: the command.
            tracker: what the client calls the request.
            user: the name of the user, "" before login.
            address: IP address of the client.
            outcome: `ok`, or the code of an error.
        """
        self._number += 1
        _log.info(
            "request {number}: {cmd} ({tracker}) of {user} from {address}: {outcome}",
            number=self._number,
            cmd=_shown(cmd),
            tracker=_shown(tracker),
            user=_shown(user or None),
            address=address,
            outcome=outcome,
        )


@attrs.define(eq=False)
class RequestLog:
    """Logs refused requests and untrusted proxies, for the WebSocket and the site together.

    Args:
        clock: monotonic time in seconds.
        proxies: the trusted proxies.

    Attributes:
        refusals: HTTP status code -> number of requests that were refused with it.
    """

    clock: IReactorTime
    proxies: Proxies
    refusals: Counter[int] = attrs.field(init=False, factory=Counter)
    _lines: LineLimit = attrs.field(init=False)
    _warned: set[str] = attrs.field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        self._lines = LineLimit(self.clock)

    def client_address(
        self, peer: str, x_forwarded_for: str | None, forwarded: str | None = None
    ) -> str:
        """Return the IP address of a client, and warn if a peer that is no proxy names another.

        Args:
            peer: the peer of the connection, see `peer_address`.
            x_forwarded_for: the X-Forwarded-For header, None without one.
            forwarded: the Forwarded header, None without one.
        """
        if (x_forwarded_for or forwarded) and peer not in self.proxies:
            self._warn(peer, "X-Forwarded-For" if x_forwarded_for else "Forwarded")
        return self.proxies.client_address(peer, x_forwarded_for, forwarded)

    def refused(
        self, address: str, code: int, reason: str, host: str | None, origin: str | None
    ) -> None:
        """Log why a request was refused.

        Args:
            address: IP address of the client.
            code: HTTP status code of the response.
            reason: for the operator.
            host: the Host header, None without one.
            origin: the Origin header, None without one.
        """
        self.refusals[code] += 1
        self._lines.info(
            _log,
            "refused {address}: {code}, {reason}; host {host}, origin {origin}",
            address=address,
            code=code,
            reason=_shown(reason),
            host=_shown(host),
            origin=_shown(origin),
        )

    def _warn(self, peer: str, header: str) -> None:
        network = network_key(peer)
        if network in self._warned or len(self._warned) >= MAX_WARNINGS:
            return
        self._warned.add(network)
        _log.warn(
            "{header} from {peer} is ignored, so all its users count as one address: if it is "
            "your reverse proxy, add {name} to trusted_proxies",
            header=header,
            peer="a Unix socket" if peer == LOCAL else peer,
            name=UNIX if peer == LOCAL else peer,
        )


def _shown(text: str | None) -> str:
    """Return a client's text for the log: cut, and in ASCII without control characters."""
    return "none" if text is None else ascii(text[:MAX_SHOWN_CHARS])[1:-1]
