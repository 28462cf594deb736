"""Prints the notes of a release: `python .ci/release_notes.py`, at the top of the repository.

That is the section of the version in CHANGELOG.md, or what stands under "Unreleased".
"""

import pathlib
import re


def notes(changelog: str, version: str) -> str:
    """Returns the notes of a version, as Markdown.

    Args:
        changelog: text of CHANGELOG.md.
        version: of `reiqa_tf/version.py`.
    """
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    found = {re.split(r"[,\s]", text, maxsplit=1)[0]: text for text in sections}
    unreleased = found.get("Unreleased", "")
    text = unreleased if len(unreleased.split()) > 1 else found[version]
    return f"# {text.strip()}\n"


if __name__ == "__main__":
    (number,) = re.findall(
        r'^__version__ = "(.*)"$', pathlib.Path("reiqa_tf/version.py").read_text(), re.MULTILINE
    )
    print(notes(pathlib.Path("CHANGELOG.md").read_text(), number), end="")  # noqa: T201
