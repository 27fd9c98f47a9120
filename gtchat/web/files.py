"""The files of the page: read and bundled once, when the server starts, and then sent from memory.

Each is compressed when it is asked for first: that takes up to 30 ms for the largest one, and all
of them were a twentieth of a start.

Files under a path with a hash are cached for ever; the page itself, the service worker that keeps
both in the browser, and the files under their own names, are revalidated at each visit (RFC 9111).
A path with the hash of another version is not found: a page needs no more files once it is loaded.
Ranges are not supported (RFC 9110 section 14): the header is ignored.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from gtchat.web.branding import NO_BRANDING, Branding
from gtchat.web.bundle import HASH_DIGITS, Bundled, bundle

PAGE = "client.html"
WORKER = "service-worker.js"
#: Seconds that caches keep a file under a hash: a year, which stands for ever (RFC 9111 section 4).
FOREVER = 31_536_000
#: Size of the pieces in which a body is written, in bytes.
PIECE_BYTES = 16_384
#: Maximum length of an Accept-Encoding or If-None-Match header that is looked at, in bytes.
MAX_FIELD_BYTES = 1_000

_REVALIDATED = b"no-cache"
_IMMUTABLE = f"public, max-age={FOREVER}, immutable".encode()
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
#: A weight (RFC 9110 section 12.4.2).
_WEIGHT = re.compile(rb"[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*")


@attrs.frozen
class Representation:
    """A body of a response, and the entity tag that names it (RFC 9110 section 8.8.3)."""

    body: bytes
    tag: bytes


@attrs.frozen
class Content:
    """A file as it is, and compressed if that makes it smaller."""

    plain: Representation

    @classmethod
    def of(cls, body: bytes) -> Content:
        """Return the content of a file."""
        tag = hashlib.sha256(body).hexdigest()[:HASH_DIGITS]
        return cls(Representation(body, f'"{tag}"'.encode()))

    @cached_property
    def gzipped(self) -> Representation | None:
        """The compressed file; None if it would not be smaller."""
        body = self.plain.body
        packed = gzip.compress(body, 9, mtime=0)
        if len(packed) >= len(body) * 0.9:  # pictures and fonts are compressed already
            return None
        return Representation(packed, self.plain.tag[:-1] + b'-gzip"')


class StaticFile(Resource):
    """A file in memory.

    Args:
        name: has the extension that tells the type.
        content: the file; also an attribute.
        cache_control: the Cache-Control header.
    """

    isLeaf = True

    def __init__(self, name: str, content: Content, cache_control: bytes) -> None:
        super().__init__()
        suffix = PurePosixPath(name).suffix
        self._type = _TYPES.get(suffix, "application/octet-stream").encode()
        self.content = content
        self._cache_control = cache_control

    def render_GET(self, request: Any) -> Any:
        """Send the file, or 304 if the client has it (RFC 9110 section 13.1.2)."""
        chosen, headers = self.content.plain, request.responseHeaders
        packed = accepts_gzip(_field(request, b"accept-encoding")) and self.content.gzipped
        if packed:
            chosen = packed
            headers.setRawHeaders(b"Content-Encoding", [b"gzip"])
        headers.setRawHeaders(b"Cache-Control", [self._cache_control])
        headers.setRawHeaders(b"ETag", [chosen.tag])
        headers.setRawHeaders(b"Vary", [b"Accept-Encoding"])
        if names_tag(_field(request, b"if-none-match"), chosen.tag):
            headers.removeHeader(b"Content-Encoding")
            request.setResponseCode(304)
            # twisted.web would add the Content-Length of what is returned, which must be that of
            # the file in a 304 (RFC 9110 section 8.6).
            request.finish()
            return NOT_DONE_YET
        headers.setRawHeaders(b"Content-Type", [self._type])
        return send(request, chosen.body)


@implementer(IPushProducer)
@attrs.define(eq=False)
class BodyProducer:
    """Writes a body in pieces, as fast as the client reads, and finishes the request.

    Args:
        request: has the headers of the response.
        body: the content.
    """

    request: Any
    body: bytes
    _offset: int = 0
    _paused: bool = False

    def start(self) -> None:
        """Write until the transport is full."""
        self.request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """Stop writing: the transport is full (IPushProducer.pauseProducing)."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on writing (IPushProducer.resumeProducing)."""
        self._paused = False
        while not self._paused and self._offset < len(self.body):
            piece = self.body[self._offset : self._offset + PIECE_BYTES]
            self._offset += len(piece)
            self.request.write(piece)
        if self._offset == len(self.body):
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        """Stop: the connection is lost (IProducer.stopProducing)."""
        self._paused = True


def send(request: Any, body: bytes) -> Any:
    """Send a response.

    Args:
        request: has status and headers of the response.
        body: the content. The request discards it in response to HEAD.

    Returns:
        What `render` has to return.
    """
    request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    if not body:
        return b""
    BodyProducer(request, body).start()
    return NOT_DONE_YET


def load_files(directory: Path, branding: Branding = NO_BRANDING) -> dict[str, StaticFile]:
    """Read a page and its files.

    Hidden files, and links to files outside of the directory, are left out.

    Args:
        directory: has the page, `client.html`.
        branding: the operator's own look of it.

    Returns:
        Path relative to `/` -> what is served there; the page is at "" too.

    Raises:
        OSError: the page is not there, or a file cannot be read.
    """
    directory = directory.resolve()
    contents = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(directory)
    }
    contents = {name: contents[name] for name in contents if "/." not in f"/{name}"}
    contents.pop(PAGE, None)
    worker = contents.pop(WORKER, None)
    page = branding.apply((directory / PAGE).read_text(encoding="utf-8"), contents)
    bundled = bundle(page, contents)
    pack = lru_cache(maxsize=None)(Content.of)  # most are served under two names
    files = {name: StaticFile(name, pack(contents[name]), _REVALIDATED) for name in contents}
    for name, content in bundled.files.items():
        files[name] = StaticFile(name, pack(content), _IMMUTABLE)
    files[PAGE] = files[""] = StaticFile(PAGE, pack(bundled.page), _REVALIDATED)
    if worker is not None:
        files[WORKER] = StaticFile(WORKER, pack(_configured(worker, bundled)), _REVALIDATED)
    return files


def _configured(worker: bytes, bundled: Bundled) -> bytes:
    """Return the service worker with the version and the files that it keeps.

    Its bytes differ for each version of the page: so a browser finds that there is a new one
    (Service Workers, section "Update").
    """
    version = f"const VERSION = {json.dumps(bundled.version)};".encode()
    files = f"const FILES = {json.dumps(list(bundled.needed))};".encode()
    return worker.replace(b'const VERSION = "";', version).replace(b"const FILES = [];", files)


def accepts_gzip(field: bytes) -> bool:
    """Return whether a client prefers gzip to no coding (RFC 9110 section 12.5.3).

    Args:
        field: the Accept-Encoding header, empty without one.
    """
    weights: dict[bytes, float] = {}
    for item in field.split(b",") if len(field) <= MAX_FIELD_BYTES else ():
        coding, separator, parameter = item.partition(b";")
        weight = _WEIGHT.fullmatch(parameter)
        weights[coding.strip().lower()] = float(weight[1]) if weight else 0.0 if separator else 1.0
    packed = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return packed > 0 and packed >= weights.get(b"identity", 0.0)


def names_tag(field: bytes, tag: bytes) -> bool:
    """Return whether an If-None-Match header names an entity tag, strong or weak.

    Args:
        field: the header, empty without one.
        tag: the tag, in quotes.
    """
    if len(field) > MAX_FIELD_BYTES:
        return False
    tags = [item.strip().removeprefix(b"W/") for item in field.split(b",")]
    return tag in tags or tags == [b"*"]


def _field(request: Any, name: bytes) -> bytes:
    """Return a header of a request, several of a name as one; empty without one."""
    return b",".join(request.requestHeaders.getRawHeaders(name, []))
