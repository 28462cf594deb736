"""Follows every link and anchor within a built site: `python docs/check_links.py build/site`.

`mkdocs build --strict` checks those that are written in Markdown; this also checks what HTML, the
theme and the reference make. Addresses elsewhere are left alone.
"""

from __future__ import annotations

import html.parser
import pathlib
import sys
import urllib.parse


class _Page(html.parser.HTMLParser):
    """What a page has (ids) and what it asks for (targets)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids = {"", "__skip"}
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element's id, and the address in it."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value or "")
            elif name in ("href", "src") and value and tag != "base":
                self.targets.append(value)


def broken_links(site: pathlib.Path) -> list[str]:
    """Finds what leads nowhere.

    Args:
        site: folder of the site.

    Returns:
        a line for each: the page, the address, and what is missing.
    """
    # The page for what is not found is shown at any address, so that its links begin at the root.
    paths = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    pages = {path: _Page(path.read_text()) for path in paths}
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            address = urllib.parse.urlsplit(target)
            if address.scheme or address.netloc:
                continue
            file = path
            if address.path:
                file = (path.parent / urllib.parse.unquote(address.path)).resolve()
                file = file / "index.html" if file.is_dir() else file
            where = f"{path.relative_to(site)}: {target}"
            if not file.is_file():
                broken.append(f"{where}: no such file")
            elif file in pages and urllib.parse.unquote(address.fragment) not in pages[file].ids:
                broken.append(f"{where}: no such anchor")
    return broken


def main() -> None:
    """Prints what leads nowhere; exit code 1 if there is anything."""
    site = pathlib.Path(sys.argv[1]).resolve()
    broken = broken_links(site)
    print(*broken, f"{len(broken)} broken links in {site}", sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
