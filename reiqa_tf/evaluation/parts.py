"""Finished parts of a benchmark, each a small file of its own: what was computed is not again."""

import hashlib
import json
import pathlib

from reiqa_tf.files import written_whole


class Parts:
    """Keeps results by what they were computed from.

    Args:
        folder: where the files are; made when the first is written.

    Example:
    ```python
    parts = Parts("out/parts")
    result = parts.get_or_make({"split": 3, "features": digest}, lambda: slow_computation())
    ```
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.made = 0
        self.found = 0

    def get_or_make(self, ingredients, make):
        """Answers a result, computed only if no finished file holds it.

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
