"""Export with proof: SavedModel, TFLite and ONNX, compared with Keras.

The package can itself be called, `reiqa_tf.export(preset, out)`: that is `exporting.export`, whose
docstring says what it takes and returns.

```text
import reiqa_tf

made = reiqa_tf.export("content_lite0_biq2021", "exported", formats=["onnx"])
print(made.is_sound, [artifact.path for artifact in made.artifacts])
```
"""

import sys
import types
from typing import Any

# On disk this folder is called `export`; under that name it would be anybody's.
if __name__ != "reiqa_tf.export":
    raise ImportError(
        f"expected this package under its name reiqa_tf.export. Received: {__name__}. "
        "Install reiqa_tf (pip install --editable .) and import reiqa_tf.export."
    )


class _CallablePackage(types.ModuleType):
    """Python binds `reiqa_tf.export` to this package as soon as a part of it is imported.

    A function of that name would be there before and gone afterwards. So the package is what is
    called; TensorFlow is imported with the first call.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from reiqa_tf.export.exporting import export

        return export(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
