"""The files of the page: small modules, every text in the table, nothing from other sites."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

STATIC = Path(__file__).resolve().parents[2] / "static"
PAGE = (STATIC / "client.html").read_text(encoding="utf-8")
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
WORKERS = [STATIC / "js" / name for name in ("code_worker.js", "qr_worker.js")]
TEXTS = sorted((STATIC / "js" / "texts").glob("*.js"))
STYLES = sorted((STATIC / "css").glob("*.css"))
#: A declaration that does not turn with the direction of the text.
PHYSICAL = re.compile(
    r"(?:^|[;{\s])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-)?"
    r"(?:left|right|top|bottom)(?:-\w+)?\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)
#: The four values of a shorthand, of which the second is for the right and the last for the left.
FOUR_SIDES = re.compile(
    r"(?:margin|padding|inset|border-width)\s*:\s*([^\s;]+) ([^\s;]+) ([^\s;]+) ([^\s;}]+)\s*[;}]"
)
#: A row of a table of texts: a key, and its texts in English and in Chinese.
ROW = re.compile(r'    (\w+): \["((?:[^"\\]|\\.)+)", "((?:[^"\\]|\\.)+)"\],')


class PageFiles(SynchronousTestCase):
    def test_modules_are_small(self) -> None:
        for script in SCRIPTS:
            lines = script.read_text(encoding="utf-8").count("\n")
            self.assertLess(lines, 300, script.name)

    def test_page_includes_every_file_once(self) -> None:
        named = re.findall(r'(?:src|href|data-later)="([^"]+)"', PAGE)
        self.assertEqual(len(named), len(set(named)))
        for name in named:
            self.assertTrue((STATIC / name).is_file(), name)
        here = [
            path.relative_to(STATIC).as_posix()
            for path in STATIC.rglob("*")
            if path.suffix in (".js", ".css")
        ]
        # The service worker is loaded by offline.js, under its own name; libraries by the others.
        libraries = [
            library
            for worker in WORKERS
            for library in re.findall(r'= "\.\./(vendor/.*)"', worker.read_text(encoding="utf-8"))
        ]
        others = {"logo.svg", "manifest.webmanifest"}
        included = {*named, "service-worker.js", *libraries} - others
        self.assertEqual(sorted(here), sorted(included))

    def test_libraries_are_those_that_their_readme_names(self) -> None:
        readme = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
        listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", readme, re.MULTILINE)
        found = [
            (hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
            for path in sorted((STATIC / "vendor").glob("*.js"))
        ]
        self.assertEqual(listed, found)
        for _, name in found:
            self.assertIn(f"| {name} |", readme)

    def test_the_library_of_code_has_the_languages_of_the_page(self) -> None:
        readme = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
        (parts,) = re.findall(r"^for part in core (.*); do$", readme, re.MULTILINE)
        script = (STATIC / "js" / "code_colours.js").read_text(encoding="utf-8")
        table = script.split("LANGUAGES = {\n", 1)[1].split("};", 1)[0]
        languages = re.findall(r'(\w+): "', table)
        # The others are made of clike.
        self.assertEqual(sorted(languages), sorted({*parts.split()} - {"clike"}))

    def test_scripts_are_functions_and_declare_nothing_global(self) -> None:
        """They are served as one script, each within a function (gtchat/web/bundle.py)."""
        for script in SCRIPTS:
            lines = script.read_text(encoding="utf-8").splitlines()
            code = [line for line in lines if line and not line.startswith("//")]
            self.assertEqual(code[:2] + code[-1:], ['"use strict";', "(() => {", "})();"], script)
            inside = [line for line in code[2:-1] if not line.startswith("  ")]
            self.assertEqual(inside, [], script.name)

    def test_scripts_name_no_file(self) -> None:
        """The server gives files other names, which only client.html knows."""
        names = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*")]
        names.remove("service-worker.js")  # its name is the same in all versions
        for script in SCRIPTS:
            text = script.read_text(encoding="utf-8")
            self.assertEqual([name for name in names if f'"{name}"' in text], [], script.name)

    def test_every_text_is_in_the_table_in_all_languages(self) -> None:
        rows: list[str] = []
        later = STATIC / "js" / "views" / "first_start.js"  # has its texts with it
        for script in (*TEXTS, later):
            text = script.read_text(encoding="utf-8")
            rows += text.split("addTexts({\n", 1)[1].split("\n  });\n", 1)[0].splitlines()
        found = [ROW.fullmatch(row) for row in rows if row.strip() and "//" not in row[:6]]
        self.assertNotIn(None, found)
        table = {row[1]: (row[2], row[3]) for row in found if row}
        self.assertEqual(len(table), len(found), "a key in two rows")
        for script in SCRIPTS:
            for key in re.findall(r'\btext\("(\w+)"', script.read_text(encoding="utf-8")):
                self.assertIn(key, table, script.name)
        for key, words in table.items():
            fields = [sorted(re.findall(r"\{\w+\}", text)) for text in words]
            self.assertEqual(fields[0], fields[1], key)

    def test_style_sheets_turn_with_the_direction_of_the_text(self) -> None:
        for sheet in STYLES:
            rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
            self.assertEqual(PHYSICAL.findall(rules), [], sheet.name)
            plain = rules  # without arguments of functions: their spaces divide no sides
            while "(" in plain:
                plain = re.sub(r"\([^()]*\)", "", plain)
            uneven = [sides for sides in FOUR_SIDES.findall(plain) if sides[1] != sides[3]]
            self.assertEqual(uneven, [], sheet.name)
