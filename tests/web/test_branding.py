"""The operator's own logo and style sheet."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gtchat.web.branding import CSS_BYTES, NO_BRANDING, Branding, BrandingError
from gtchat.web.files import load_files
from gtchat.web.site import static_directory


class OwnLook(SynchronousTestCase):
    def file(self, name: str, content: bytes) -> str:
        """Write a file; return its path."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / name).write_bytes(content)
        return str(folder / name)

    def test_logo_and_style_sheet_are_files_of_the_page(self) -> None:
        logo, css = self.file("our.PNG", b"picture"), self.file("our.css", b".brand { color: red }")
        files = load_files(static_directory(), Branding.load(logo, css))
        page = files[""].content.plain.body.decode()
        [icon] = [one for one in files if one.endswith("/logo.png")]
        self.assertIn(f'<link rel="icon" href="{icon}" type="image/png">', page)
        self.assertEqual(files[icon].content.plain.body, b"picture")
        [styles] = [one for one in files if one.endswith("styles.css")]
        self.assertTrue(files[styles].content.plain.body.endswith(b".brand { color: red }"))
        self.assertIn(styles, page)
        plain = load_files(static_directory(), NO_BRANDING)
        self.assertFalse([one for one in plain if one.startswith(icon.partition("/")[0])])

    def test_a_file_that_cannot_be_used_is_named(self) -> None:
        for logo, css, said in (
            (self.file("logo.exe", b""), "", "logo: "),
            ("nowhere.svg", "", "logo: cannot read nowhere.svg"),
            ("", self.file("large.css", b"x" * (CSS_BYTES + 1)), "extra_css: "),
        ):
            error = self.assertRaises(BrandingError, Branding.load, logo, css)
            self.assertIn(said, str(error))
        Branding.load("", self.file("just.css", b"x" * CSS_BYTES))
