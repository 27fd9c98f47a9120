"""The operator's own look of the page: a logo and a style sheet, which become files of the page.

They are part of what the hash of all files names, so caches and the service worker get a change.
The policy of the page holds for them: a style sheet loads nothing from other servers.
"""

from __future__ import annotations

from pathlib import Path

import attrs

#: Types of a logo by extension.
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
#: Largest logo and largest style sheet, in bytes: each visitor loads them.
LOGO_BYTES, CSS_BYTES = 262_144, 65_536

_ICON = 'href="logo.svg" type="image/svg+xml"'
#: Beside the style sheets of the page, of which it becomes the last.
_STYLES = "css/site.css"


class BrandingError(Exception):
    """A file of the operator cannot be used; the text is one line for the operator."""


@attrs.frozen
class Branding:
    """What replaces parts of the page.

    Attributes:
        logo: extension and content of a picture, None for that of the page.
        css: a style sheet, None for none.
    """

    logo: tuple[str, bytes] | None = None
    css: bytes | None = None

    @classmethod
    def load(cls, logo: str, css: str) -> Branding:
        """Read the files.

        Args:
            logo, css: their paths, "" for none.

        Raises:
            BrandingError: one cannot be read, is too large, or of another type.
        """
        picture = None
        if logo:
            suffix = Path(logo).suffix.lower()
            if suffix not in LOGO_TYPES:
                raise BrandingError(f"logo: {logo} has to be one of {', '.join(LOGO_TYPES)}")
            picture = suffix, _read("logo", logo, LOGO_BYTES)
        return cls(picture, _read("extra_css", css, CSS_BYTES) if css else None)

    def apply(self, page: str, files: dict[str, bytes]) -> str:
        """Return the page with what is in this, and add the files to those of the page.

        Args:
            page: the HTML.
            files: path relative to the page -> content.
        """
        if self.logo is not None:
            suffix, content = self.logo
            files[f"logo{suffix}"] = content
            page = page.replace(_ICON, f'href="logo{suffix}" type="{LOGO_TYPES[suffix]}"')
        if self.css is not None:
            files[_STYLES] = self.css
            page = page.replace("</head>", f'  <link rel="stylesheet" href="{_STYLES}">\n</head>')
        return page


NO_BRANDING = Branding()


def _read(setting: str, path: str, limit: int) -> bytes:
    """Return the content of a file. Raises BrandingError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BrandingError(f"{setting}: cannot read {path}: {error.strerror}") from error
    if len(content) > limit:
        raise BrandingError(f"{setting}: {path} has more than {limit} bytes")
    return content
