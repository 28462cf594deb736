"""Writes docs/guides/bank.md from the table of distortions: `python docs/distortions_page.py`."""

import inspect
import pathlib

from reiqa_tf.distortions import DISTORTIONS

PAGE = pathlib.Path(__file__).parent / "guides" / "bank.md"

_HEAD = """\
# The bank: 26 distortions

Made by `python docs/distortions_page.py` out of the table in `reiqa_tf/distortions/bank.py`.
Level 1 is the mildest; `reiqa_tf.distort` counts from 0. Where a distortion is not ordered, a
higher level is another one and not always a stronger one. `random` says that the seed matters.
`around` is how many pixels around a pixel it depends on, at the highest level. The formulas are in
plain NumPy in `reiqa_tf/distortions/reference.py`.

| | name | what it does | levels 1 to 5 | unit | ordered | random | around |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

_FOOT = """
![All distortions at five levels](distortions.jpg)

`jitter` looks up values between pixels by Keys' cubic convolution, where the published code has
SciPy's cubic splines. These keep more of the noise that former rounds left between neighbours, so
that its displacements are larger: on a ramp, five rounds displace by 0.110, 0.213, 0.397, 0.928 and
1.805 px there (standard deviations, level by level) and by 0.110, 0.209, 0.375, 0.851 and 1.650 px
here. Splines would need a recursive filter over the photo before each of the five rounds.
"""


def page() -> str:
    """Returns the page as Markdown."""
    rows = []
    for number, distortion in enumerate(DISTORTIONS, 1):
        does = inspect.getdoc(type(distortion)).split("\n\n")[0].replace("\n", " ")
        levels = ", ".join(f"{level:g}" for level in distortion.levels)
        reach = distortion.neighbourhood
        cells = (
            number,
            f"`{distortion.name}`",
            does,
            levels,
            distortion.unit,
            "yes" if distortion.ordered else "no",
            "yes" if distortion.random else "no",
            "all of the photo" if reach is None else f"{reach[-1]} px",
        )
        rows.append(f"| {' | '.join(map(str, cells))} |\n")
    return _HEAD + "".join(rows) + _FOOT


if __name__ == "__main__":
    PAGE.write_text(page())
