"""Judge the quality of a photo without a reference, after Re-IQA (Saha, Mishra, Bovik, CVPR 2023).

```python
import reiqa_tf

scorer = reiqa_tf.ReIQAScorer.from_preset("reiqa_lite0_biq2021")
print(scorer.score_file("photo.jpg"))
```

Names below are imported when they are first used, so that `import reiqa_tf` stays cheap.
"""

import importlib

from reiqa_tf.version import __version__

_HOMES = {
    "EfficientNetLiteBackbone": "reiqa_tf.models.efficientnet_lite",
    "ImageError": "reiqa_tf.image.reading",
    "LinearHead": "reiqa_tf.models.head",
    "LiteRTScorer": "reiqa_tf.runtimes.litert_scorer",
    "OnnxScorer": "reiqa_tf.runtimes.onnx_scorer",
    "ReIQAEncoder": "reiqa_tf.models.encoder",
    "ReIQAScorer": "reiqa_tf.models.scorer",
    "ReiqaError": "reiqa_tf.errors",
    "ResNetBackbone": "reiqa_tf.models.resnet",
    "Score": "reiqa_tf.score",
    "DISTORTIONS": "reiqa_tf.distortions.bank",
    "distort": "reiqa_tf.distortions.bank",
    "half_size": "reiqa_tf.image.scaling",
    "load_preset": "reiqa_tf.models.presets",
    "read_image": "reiqa_tf.image.reading",
    "save_preset": "reiqa_tf.models.presets",
    "shipped_presets": "reiqa_tf.presets.folders",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
