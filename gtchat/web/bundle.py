"""The page with one script and one style sheet instead of many, made when the server starts.

`client.html` names each file, so that it works without a server. What is made of it here names
bundles of them, under a path with a hash of all files, which may be cached for ever. Scripts keep
their names in a browser's debugger by a source map. Nothing is read or sent here.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs

#: Length of a hash in an address, in hexadecimal digits.
HASH_DIGITS = 16

_SCRIPT = re.compile(r'<script src="([^"]*)"></script>')
_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]*)">')
#: `data-later` names a script that the page loads when it needs it.
_REFERENCE = re.compile(r'\b(src|href|data-later)="([^"]*)"')
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@attrs.frozen
class Bundled:
    """A page and its files, ready to be served.

    Attributes:
        page: the HTML, which refers to `files`.
        files: path relative to the page -> content. All paths begin with the hash.
        version: the hash.
        needed: the paths that the page refers to and loads at once, in order.
    """

    page: bytes
    files: Mapping[str, bytes]
    version: str
    needed: Sequence[str]


def bundle(page: str, files: Mapping[str, bytes]) -> Bundled:
    """Bundle the scripts and the style sheets of a page, and put all files under a hash.

    Tags of the forms `<script src="…"></script>` and `<link rel="stylesheet" href="…">` that follow
    each other become one. Other references to the files (`src`, `href`, `data-later`) are kept.

    Args:
        page: the HTML.
        files: path relative to the page -> content.
    """
    made: dict[str, bytes] = {}

    def bundle_scripts(names: Sequence[str]) -> str | None:
        if not files.keys() >= set(names):
            return None
        name = _free_name("scripts.js", files.keys() | made)
        sources = {source: files[source] for source in names}
        made[name] = join_scripts(sources.values(), f"{name}.map")
        made[f"{name}.map"] = source_map(sources)
        return f'<script src="{name}"></script>'

    def bundle_styles(names: Sequence[str]) -> str | None:
        folders = {posixpath.dirname(name) for name in names}
        # Addresses in a style sheet are relative to its folder.
        if not files.keys() >= set(names) or len(folders) > 1:
            return None
        name = _free_name(posixpath.join(*folders, "styles.css"), files.keys() | made)
        made[name] = b"\n".join(files[style] for style in names)
        return f'<link rel="stylesheet" href="{name}">'

    page = _replace_runs(_SCRIPT, bundle_scripts, page)
    page = _replace_runs(_STYLE, bundle_styles, page)
    served = {**files, **made}
    prefix = _hash(served)
    needed = [
        tag[2] for tag in _REFERENCE.finditer(page) if tag[2] in served and tag[1] != "data-later"
    ]
    page = _REFERENCE.sub(
        lambda tag: f'{tag[1]}="{prefix}/{tag[2]}"' if tag[2] in served else tag[0], page
    )
    return Bundled(
        page.encode(),
        {f"{prefix}/{name}": served[name] for name in served},
        prefix,
        [f"{prefix}/{name}" for name in dict.fromkeys(needed)],
    )


def _replace_runs(
    tag: re.Pattern[str], replace: Callable[[Sequence[str]], str | None], page: str
) -> str:
    """Replace the tags that follow each other, with nothing but white space between them.

    Args:
        tag: matches one; its group is the file.
        replace: returns what stands for the tags of some files, None to keep them.
        page: the HTML.
    """
    runs: list[list[re.Match[str]]] = []
    for found in tag.finditer(page):
        if runs and not page[runs[-1][-1].end() : found.start()].strip():
            runs[-1].append(found)
        else:
            runs.append([found])
    parts, end = [], 0
    for run in runs:
        replacement = replace([found[1] for found in run])
        if replacement is not None:
            parts += [page[end : run[0].start()], replacement]
            end = run[-1].end()
    return "".join(parts) + page[end:]


def join_scripts(sources: Iterable[bytes], map_name: str) -> bytes:
    """Return classic scripts as one.

    Each is in a function of its own, where its directive "use strict" is in force; so what it
    declares at its top level is not global. They stay bytes: as text they would take twice as much
    memory, several times over.

    Args:
        sources: the scripts, in order.
        map_name: address of the source map, relative to that of the result.
    """
    functions = (b"(() => {\n%b\n})();\n" % source for source in sources)
    return b"".join((*functions, f"//# sourceMappingURL={map_name}\n".encode()))


def source_map(sources: Mapping[str, bytes]) -> bytes:
    """Return the source map (ECMA-426) of what `join_scripts` returns, line by line.

    Args:
        sources: path, relative to the map -> script, in order.
    """
    lines: list[str] = []
    source_step = line_step = 0
    for source in sources.values():
        count = source.count(b"\n") + 1
        # A segment: column, and the steps of source, line and column from the last segment.
        first = "".join(map(_vlq, (0, source_step, line_step, 0)))
        lines += ["", first, *["AACA"] * (count - 1), ""]
        source_step, line_step = 1, 1 - count
    names = list(sources)
    content = {"version": 3, "sources": names, "names": [], "mappings": ";".join(lines)}
    return json.dumps(content).encode()


def _vlq(number: int) -> str:
    """Return a number in the base 64 VLQ of source maps (ECMA-426 section 5)."""
    rest, digits = abs(number) << 1 | (number < 0), ""
    while True:
        rest, digit = rest >> 5, rest & 31
        digits += _BASE64[digit | (32 if rest else 0)]
        if not rest:
            return digits


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, with a number if it is taken."""
    stem, extension = posixpath.splitext(name)
    number = 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{extension}"
    return name


def _hash(files: Mapping[str, bytes]) -> str:
    """Return a hash of the names and contents of files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()[:HASH_DIGITS]
