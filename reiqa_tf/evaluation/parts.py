"""Finished parts of a benchmark, each a small file of its own: what was computed is not again."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

from reiqa_tf.files import written_whole
from reiqa_tf.typing import PathLike


class Parts:
    """Keeps results by what they were computed from.

    Args:
        folder: where the files are; made when the first is written.

    Example:
    ```python
    from reiqa_tf.evaluation.parts import Parts

    parts = Parts("out/parts")
    for _ in range(2):  # the second time the file is read
        total = parts.get_or_make({"numbers up to": 1000}, lambda: sum(range(1000)))
    print(total, parts.made, parts.found)
    ```
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = pathlib.Path(folder)
        self.made = 0
        self.found = 0

    def get_or_make(self, ingredients: dict[str, Any], make: Callable[[], Any]) -> Any:
        """Returns a result, computed only if no finished file holds it.

        Args:
            ingredients: what the result depends on, as JSON values.
            make: function without arguments that computes the result, as JSON values.

        Returns:
            the result as it is read back, so that it is the same in the first run and the next.

        Raises:
            OutputError: if it cannot be written.
        """
        recipe = json.dumps(ingredients, sort_keys=True)
        name = hashlib.sha256(recipe.encode()).hexdigest()
        path = self.folder / f"{name}.json"
        try:
            result = json.loads(path.read_text())["result"]
        except (OSError, ValueError, KeyError):  # not there, or damaged by a full disk
            text = json.dumps({"ingredients": ingredients, "result": make()})
            with written_whole(path) as scratch:
                scratch.write_text(text)
            self.made += 1
            return json.loads(text)["result"]
        self.found += 1
        return result
