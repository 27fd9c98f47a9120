"""How the files of the page are served: bundles, compression, caches."""

from __future__ import annotations

import gzip
import json
import posixpath
import re
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from gtchat.web.bundle import bundle
from gtchat.web.files import MAX_FIELD_BYTES, PAGE, accepts_gzip, load_files, names_tag
from tests.web.fakes import HOST, LARGE, SiteCase

STATIC = Path(__file__).resolve().parents[2] / "static"
#: Most bytes of the first load, compressed.
FIRST_LOAD = 160_000
#: Most bytes of an icon of the manifest.
ICON_BYTES = 20_000

HTML = """<link rel="icon" href="logo.svg">
<link rel="stylesheet" href="css/a.css">
<link rel="stylesheet" href="css/b.css">
<script src="js/one.js"></script>
  <script src="js/two.js"></script>
<p>text</p>
<script src="js/three.js"></script>
<p>more</p>
<script src="https://other.example/four.js"></script>
<link data-later="js/later.js">
"""
FILES = {
    "logo.svg": b"<svg/>",
    "css/a.css": b"a { background: url(a.png) }",
    "css/b.css": b"b {}",
    "js/one.js": b"// first\n'use strict';\none();",
    "js/two.js": b"two();\n",
    "js/three.js": b"three();",
    "js/later.js": b"later();",
}


def decode_mappings(mappings: str) -> list[tuple[int, int] | None]:
    """Return source and line of each line of a source map with at most one segment per line."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place, lines = [0, 0, 0, 0], []
    for segment in mappings.split(";"):
        numbers, number, shift = [], 0, 0
        for digit in map(digits.index, segment):
            number |= (digit & 31) << shift
            shift += 5
            if not digit & 32:
                numbers.append(-(number >> 1) if number & 1 else number >> 1)
                number, shift = 0, 0
        if numbers:
            place = [0, *(old + step for old, step in zip(place[1:], numbers[1:], strict=True))]
        lines.append((place[1], place[2]) if numbers else None)
    return lines


class Bundling(SynchronousTestCase):
    def test_tags_that_follow_each_other_become_one(self) -> None:
        made = bundle(HTML, FILES)
        prefix = next(iter(made.files)).partition("/")[0]
        self.assertRegex(prefix, r"^[0-9a-f]{16}$")
        self.assertEqual(
            made.page.decode().replace(prefix, "HASH"),
            '<link rel="icon" href="HASH/logo.svg">\n'
            '<link rel="stylesheet" href="HASH/css/styles.css">\n'
            '<script src="HASH/scripts.js"></script>\n'
            "<p>text</p>\n"
            '<script src="HASH/scripts-2.js"></script>\n'
            "<p>more</p>\n"
            '<script src="https://other.example/four.js"></script>\n'
            '<link data-later="HASH/js/later.js">\n',
        )
        self.assertEqual(
            [name.removeprefix(f"{prefix}/") for name in made.needed],
            ["logo.svg", "css/styles.css", "scripts.js", "scripts-2.js"],
        )
        files = {name.partition("/")[2]: content for name, content in made.files.items()}
        self.assertEqual(files["css/styles.css"], FILES["css/a.css"] + b"\n" + FILES["css/b.css"])
        for name in FILES:
            self.assertEqual(files[name], FILES[name])

    def test_each_script_is_a_function_whose_directive_is_first(self) -> None:
        text = bundle(HTML, FILES).files
        (script,) = (text[name].decode() for name in text if name.endswith("/scripts.js"))
        self.assertEqual(
            script,
            "(() => {\n// first\n'use strict';\none();\n})();\n(() => {\ntwo();\n\n})();\n"
            "//# sourceMappingURL=scripts.js.map\n",
        )

    def test_each_dialog_has_a_name_of_its_own(self) -> None:
        """A script that is loaded later would take the place of the dialog."""
        scripts = [path.read_text() for path in sorted((STATIC / "js").rglob("*.js"))]
        names = re.findall(r"\b((?:DIALOGS|POPOVERS|PANELS)\.\w+) = ", "\n".join(scripts))
        self.assertIn("DIALOGS.op_delete", names)
        self.assertEqual([name for name in set(names) if names.count(name) > 1], [])

    def test_source_map_names_the_line_of_each_script(self) -> None:
        for html, files in ((HTML, FILES), self.real_page()):
            served = bundle(html, files).files
            (name,) = (name for name in served if name.endswith("/scripts.js"))
            lines = served[name].decode().split("\n")
            content = json.loads(served[f"{name}.map"])
            mapped = decode_mappings(content["mappings"])
            found = 0
            for line, place in zip(lines, mapped, strict=False):
                if place is not None:
                    source = files[content["sources"][place[0]]].decode().split("\n")
                    self.assertEqual(line, source[place[1]])
                    found += 1
            sources = sum(files[one].decode().count("\n") + 1 for one in content["sources"])
            self.assertEqual(found, sources)

    def real_page(self) -> tuple[str, dict[str, bytes]]:
        """Return the page and its files."""
        files = {
            path.relative_to(STATIC).as_posix(): path.read_bytes()
            for path in STATIC.rglob("*")
            if path.is_file()
        }
        return files.pop(PAGE).decode(), files

    def test_the_hash_is_that_of_all_files(self) -> None:
        first, again = bundle(HTML, FILES), bundle(HTML, dict(reversed(FILES.items())))
        self.assertEqual(first.page, again.page)
        for name in FILES:
            changed = bundle(HTML, {**FILES, name: FILES[name] + b" "})
            self.assertEqual(first.files.keys() & changed.files.keys(), set(), name)

    def test_a_reference_to_no_file_is_kept(self) -> None:
        html = '<script src="js/one.js"></script><script src="js/none.js"></script>'
        page = bundle(html, FILES).page.decode()
        self.assertEqual(page.count("<script"), 2)
        self.assertIn('src="js/none.js"', page)

    def test_first_load_is_small(self) -> None:
        files = load_files(STATIC)
        page = files[""]
        self.assertIs(page, files[PAGE])
        html = page.content.plain.body.decode()
        names = re.findall(r'(?:src|href)="([^"]+)"', html)
        self.assertEqual(len(names), 4)  # one icon, one manifest, one style sheet, one script
        contents = [page.content, *(files[name].content for name in names)]
        packed = [one.gzipped.body for one in contents if one.gzipped]
        self.assertEqual(len(packed), 5)
        self.assertLess(sum(map(len, packed)), FIRST_LOAD)

    def test_a_file_is_compressed_once_when_it_is_asked_for(self) -> None:
        with patch.object(gzip, "compress", side_effect=[b"packed"]) as compress:
            content = load_files(STATIC)[""].content
            self.assertEqual(compress.call_count, 0)
            packed = content.gzipped
            self.assertIs(content.gzipped, packed)
        assert packed is not None
        tag = content.plain.tag.decode().replace('"', "")
        self.assertEqual((packed.body, packed.tag), (b"packed", f'"{tag}-gzip"'.encode()))

    def test_the_worker_has_the_version_of_the_page_and_what_the_page_needs(self) -> None:
        files = load_files(STATIC)
        script = files["service-worker.js"].content.plain.body.decode()
        (version,) = re.findall(r'^const VERSION = "(.*)";$', script, re.MULTILINE)
        (needed,) = re.findall(r"^const FILES = (.*);$", script, re.MULTILINE)
        html = files[""].content.plain.body.decode()
        self.assertEqual(json.loads(needed), re.findall(r'(?:src|href)="([^"]+)"', html))
        for name in json.loads(needed):
            self.assertTrue(name.startswith(f"{version}/"), name)
            self.assertIn(name, files)
        # It has one address only: its scope is the folder of the page.
        named = [name for name in files if name.endswith("service-worker.js")]
        self.assertEqual(named, ["service-worker.js"])

    def test_the_page_names_its_workers_which_find_their_libraries(self) -> None:
        files = load_files(STATIC)
        names = re.findall(r'data-later="(.*_worker.js)"', files[""].content.plain.body.decode())
        self.assertEqual(len(names), 2)
        for name in names:
            script = files[name].content.plain.body.decode()
            (library,) = re.findall(r'= "(.*/vendor/.*)"', script)
            self.assertIn(posixpath.normpath(f"{name}/../{library}"), files)

    def test_the_manifest_names_files_beside_itself_and_the_page_above(self) -> None:
        files = load_files(STATIC)
        (name,) = (name for name in files if name.endswith("/manifest.webmanifest"))
        folder = name.rpartition("/")[0]
        manifest = json.loads(files[name].content.plain.body)
        self.assertEqual((manifest["start_url"], manifest["scope"]), ("../", "../"))
        for icon in manifest["icons"]:
            body = files[f"{folder}/{icon['src']}"].content.plain.body
            if icon["type"] == "image/png":
                self.assertEqual(body[:8], b"\x89PNG\r\n\x1a\n")
                width, height = (
                    int.from_bytes(body[16:20], "big"),
                    int.from_bytes(body[20:24], "big"),
                )
                self.assertEqual(icon["sizes"], f"{width}x{height}")
                self.assertLess(len(body), ICON_BYTES)
        self.assertIn("maskable", [icon.get("purpose") for icon in manifest["icons"]])

    def test_the_worker_changes_with_each_file_of_the_page(self) -> None:
        folder = Path(self.mktemp())
        (folder / "js").mkdir(parents=True)
        (folder / "client.html").write_text('<script src="js/a.js"></script>')
        (folder / "service-worker.js").write_text('const VERSION = "";\nconst FILES = [];\n')
        found = set()
        for text in ("one();", "two();"):
            (folder / "js" / "a.js").write_text(text)
            worker = load_files(folder)["service-worker.js"].content.plain
            found |= {worker.body, worker.tag}
        self.assertEqual(len(found), 4)
        (folder / "service-worker.js").unlink()
        self.assertNotIn("service-worker.js", load_files(folder))


class Serving(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.hashed = self.site_page().split(b'src="')[1].split(b'"')[0].decode()

    def make_files(self) -> None:
        super().make_files()
        (self.folder / "client.html").write_text('<p>the page <script src="js/app.js"></script>')
        (self.folder / "noise.png").write_bytes(bytes(range(256)))

    def site_page(self) -> bytes:
        """Return the HTML that is served."""
        return self.get("/")[1].partition(b"\r\n\r\n")[2]

    def fields(self, path: str, *lines: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case, and content of the response to a GET."""
        head = "".join(f"{line}\r\n" for line in lines).encode()
        request = f"GET {path} HTTP/1.1\r\n".encode() + HOST + head + b"\r\n"
        codes, answer, _ = self.ask(request)
        top, _, body = answer.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in top.decode().split("\r\n")[1:]]
        return codes[0], {name.lower(): value for name, value in fields}, body

    def test_what_caches_may_do(self) -> None:
        forever = "public, max-age=31536000, immutable"
        for path, expected, kind in (
            ("/", "no-cache", "text/html; charset=utf-8"),
            ("/client.html", "no-cache", "text/html; charset=utf-8"),
            ("/js/app.js", "no-cache", "text/javascript; charset=utf-8"),
            (f"/{self.hashed}", forever, "text/javascript; charset=utf-8"),
            (f"/{self.hashed}.map", forever, "application/json"),
            (f"/{self.hashed.split('/')[0]}/noise.png", forever, "image/png"),
        ):
            code, headers, _ = self.fields(path)
            found = (code, headers["cache-control"], headers["content-type"], headers["vary"])
            self.assertEqual(found, (200, expected, kind, "Accept-Encoding"), path)
            tag = headers["etag"]
            for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                code, headers, body = self.fields(path, f"If-None-Match: {wanted}")
                self.assertEqual((code, headers["etag"], body), (304, tag, b""), path)
                self.assertEqual(headers["cache-control"], expected)
                self.assertEqual(headers["vary"], "Accept-Encoding")
                self.assertFalse({"content-type", "content-length"} & headers.keys(), path)
            self.assertEqual(self.fields(path, 'If-None-Match: "other"')[0], 200)
        code, headers, _ = self.fields(f"/{self.hashed.replace('/', '0/')}")
        self.assertEqual((code, headers["cache-control"]), (404, "no-cache"))

    def test_compression(self) -> None:
        _, plain, body = self.fields("/js/large.js")
        self.assertEqual((body, "content-encoding" in plain), (LARGE, False))
        _, packed, body = self.fields("/js/large.js", "Accept-Encoding: gzip, br")
        self.assertEqual((gzip.decompress(body), packed["content-encoding"]), (LARGE, "gzip"))
        self.assertEqual(packed["content-length"], str(len(body)))
        self.assertNotEqual(plain["etag"], packed["etag"])
        both = ("Accept-Encoding: gzip", f"If-None-Match: {plain['etag']}")
        self.assertEqual(self.fields("/js/large.js", *both)[0], 200)
        both = ("Accept-Encoding: gzip", f"If-None-Match: {packed['etag']}")
        code, headers, _ = self.fields("/js/large.js", *both)
        self.assertEqual((code, "content-encoding" in headers), (304, False))
        _, picture, body = self.fields("/noise.png", "Accept-Encoding: gzip")
        self.assertEqual((body, "content-encoding" in picture), (bytes(range(256)), False))

    def test_ranges_are_ignored(self) -> None:  # A29
        for ranges in ("bytes=0-9", "bytes=-1", "bytes=" + ",".join(["0-"] * 700), "x"):
            code, headers, body = self.fields("/js/large.js", f"Range: {ranges}")
            self.assertEqual((code, body), (200, LARGE))
            self.assertFalse({"accept-ranges", "content-range"} & headers.keys())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_files_are_read_once(self) -> None:
        (self.folder / "js" / "app.js").unlink()
        self.assertEqual(self.fields(f"/{self.hashed}")[0], 200)

    def test_which_clients_accept_gzip(self) -> None:
        for field, accepted in (
            (b"", False),
            (b"gzip", True),
            (b"GZIP", True),
            (b"x-gzip", True),
            (b"deflate, gzip;q=1.0, *;q=0.5", True),
            (b"gzip;q=0.001", True),
            (b"gzip ; q=0.5", True),
            (b"gzip;q=0", False),
            (b"gzip;q=0.000", False),
            (b"*", True),
            (b"*;q=0", False),
            (b"gzip;q=0, *", False),
            (b"identity", False),
            (b"identity, gzip", True),
            (b"identity;q=0.5, gzip;q=0.4", False),
            (b"identity;q=0.4, gzip;q=0.5", True),
            (b"br, deflate", False),
            (b"gzip;q=nonsense", False),
            (b"gzip;q=1.5", False),
            (b"," * MAX_FIELD_BYTES + b"gzip", False),
        ):
            self.assertIs(accepts_gzip(field), accepted, field)

    def test_which_headers_name_a_tag(self) -> None:
        for field, named in (
            (b"", False),
            (b'"a"', True),
            (b'W/"a"', True),
            (b'"b","a"', True),
            (b"a", False),
            (b'"ab"', False),
            (b"*", True),
            (b'"b", *', False),
            (b'"b",' * MAX_FIELD_BYTES + b'"a"', False),
        ):
            self.assertIs(names_tag(field, b'"a"'), named, field)
