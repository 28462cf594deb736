"""Names for what many signatures take, and the letters that stand for sizes in docstrings.

`B` photos in a batch, `N` pictures or rows, `H` and `W` height and width in pixels, `C` channels,
`F` features of a photo, `T` windows of a photo or tiles, `V` versions of a photo, `D` numbers of an
embedding, `K` keys in a queue.
"""

import os
from typing import Any, TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]
"""The path of a file or folder."""

Tensor: TypeAlias = Any
"""A tensor of TensorFlow, or an array that Keras takes for one. Keras has no type for it."""

Shape: TypeAlias = tuple[Any, ...]
"""Sizes along the axes: whole numbers, or None where any size will do."""

Size: TypeAlias = tuple[int, int]
"""Height and width of a picture in pixels."""
