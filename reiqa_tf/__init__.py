"""Judge the quality of a photo without a reference, after Re-IQA (Saha, Mishra, Bovik, CVPR 2023).

```python
import reiqa_tf

print(reiqa_tf.score("photo.jpg"))
for photo, outcome in reiqa_tf.score_many("holiday/"):
    print(photo, outcome.problem or outcome.score)

scorer = reiqa_tf.ReIQAScorer.from_preset("reiqa_lite0_biq2021")  # a Keras model
```

Scores need NumPy, Pillow and onnxruntime; what needs more, as the last line does, says so with the
line that installs it.

Names below are imported when they are first used, so that `import reiqa_tf` stays cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

from reiqa_tf.backend import import_tensorflow, name_classes_to_keras, require_tensorflow
from reiqa_tf.version import __version__

if TYPE_CHECKING:
    from reiqa_tf.albums.album import Album, score_album
    from reiqa_tf.bulk.packing import pack
    from reiqa_tf.distillation.distill import Distilled, distill
    from reiqa_tf.distortions.bank import DISTORTIONS, distort
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.evaluation.benchmark import benchmark
    from reiqa_tf.evaluation.evaluate import evaluate
    from reiqa_tf.explanation.explainer import explain, open_explainer
    from reiqa_tf.explanation.explanation import Explanation
    from reiqa_tf.export.exporting import export
    from reiqa_tf.export.verification import verify
    from reiqa_tf.fitting.fit import fit
    from reiqa_tf.fitting.recalibrate import recalibrate
    from reiqa_tf.image.reading import ImageError, read_image
    from reiqa_tf.image.scaling import half_size
    from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
    from reiqa_tf.models.encoder import ReIQAEncoder
    from reiqa_tf.models.head import LinearHead
    from reiqa_tf.models.resnet import ResNetBackbone
    from reiqa_tf.models.scorer import ReIQAScorer, load_preset, save_preset
    from reiqa_tf.presets.folders import preset_version, shipped_presets
    from reiqa_tf.pretraining.plan import PretrainingPlan, plan_pretraining
    from reiqa_tf.pretraining.pretrain import Pretrained, pretrain
    from reiqa_tf.runtimes.comparison import compare
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
    from reiqa_tf.runtimes.opening import open_scorer, score, score_many
    from reiqa_tf.scoring.score import Score
    from reiqa_tf.scoring.scorer import Outcome, Scorer
    from reiqa_tf.tuning.tune import Tuned, tune

# Where each name lives. tests/test_packaging.py holds it to the imports and to `__all__`.
_HOMES = {
    "Album": "reiqa_tf.albums.album",
    "DISTORTIONS": "reiqa_tf.distortions.bank",
    "Distilled": "reiqa_tf.distillation.distill",
    "EfficientNetLiteBackbone": "reiqa_tf.models.efficientnet_lite",
    "Explanation": "reiqa_tf.explanation.explanation",
    "ImageError": "reiqa_tf.image.reading",
    "LinearHead": "reiqa_tf.models.head",
    "LiteRTScorer": "reiqa_tf.runtimes.litert_scorer",
    "OnnxScorer": "reiqa_tf.runtimes.onnx_scorer",
    "Outcome": "reiqa_tf.scoring.scorer",
    "Pretrained": "reiqa_tf.pretraining.pretrain",
    "PretrainingPlan": "reiqa_tf.pretraining.plan",
    "ReIQAEncoder": "reiqa_tf.models.encoder",
    "ReIQAScorer": "reiqa_tf.models.scorer",
    "ReiqaError": "reiqa_tf.errors",
    "ResNetBackbone": "reiqa_tf.models.resnet",
    "Score": "reiqa_tf.scoring.score",
    "Scorer": "reiqa_tf.scoring.scorer",
    "Tuned": "reiqa_tf.tuning.tune",
    "benchmark": "reiqa_tf.evaluation.benchmark",
    "compare": "reiqa_tf.runtimes.comparison",
    "distill": "reiqa_tf.distillation.distill",
    "distort": "reiqa_tf.distortions.bank",
    "evaluate": "reiqa_tf.evaluation.evaluate",
    "explain": "reiqa_tf.explanation.explainer",
    "export": "reiqa_tf.export",
    "fit": "reiqa_tf.fitting.fit",
    "half_size": "reiqa_tf.image.scaling",
    "load_preset": "reiqa_tf.models.scorer",
    "open_explainer": "reiqa_tf.explanation.explainer",
    "open_scorer": "reiqa_tf.runtimes.opening",
    "pack": "reiqa_tf.bulk.packing",
    "plan_pretraining": "reiqa_tf.pretraining.plan",
    "preset_version": "reiqa_tf.presets.folders",
    "pretrain": "reiqa_tf.pretraining.pretrain",
    "read_image": "reiqa_tf.image.reading",
    "recalibrate": "reiqa_tf.fitting.recalibrate",
    "save_preset": "reiqa_tf.models.scorer",
    "score": "reiqa_tf.runtimes.opening",
    "score_album": "reiqa_tf.albums.album",
    "score_many": "reiqa_tf.runtimes.opening",
    "shipped_presets": "reiqa_tf.presets.folders",
    "tune": "reiqa_tf.tuning.tune",
    "verify": "reiqa_tf.export.verification",
}

# What scoring needs, and the rest of what does without TensorFlow.
_LIGHT = {
    "Album",
    "Explanation",
    "ImageError",
    "LiteRTScorer",
    "OnnxScorer",
    "Outcome",
    "ReiqaError",
    "Score",
    "Scorer",
    "compare",
    "explain",
    "open_explainer",
    "open_scorer",
    "pack",
    "preset_version",
    "read_image",
    "score",
    "score_album",
    "score_many",
    "shipped_presets",
}

__all__ = [
    "DISTORTIONS",
    "Album",
    "Distilled",
    "EfficientNetLiteBackbone",
    "Explanation",
    "ImageError",
    "LinearHead",
    "LiteRTScorer",
    "OnnxScorer",
    "Outcome",
    "Pretrained",
    "PretrainingPlan",
    "ReIQAEncoder",
    "ReIQAScorer",
    "ReiqaError",
    "ResNetBackbone",
    "Score",
    "Scorer",
    "Tuned",
    "__version__",
    "benchmark",
    "compare",
    "distill",
    "distort",
    "evaluate",
    "explain",
    "export",
    "fit",
    "half_size",
    "load_preset",
    "open_explainer",
    "open_scorer",
    "pack",
    "plan_pretraining",
    "preset_version",
    "pretrain",
    "read_image",
    "recalibrate",
    "save_preset",
    "score",
    "score_album",
    "score_many",
    "shipped_presets",
    "tune",
    "verify",
]


name_classes_to_keras()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "export":  # imports it when it is called
        require_tensorflow("reiqa_tf.export")
    elif name not in _LIGHT:
        import_tensorflow(f"reiqa_tf.{name}")
    home = importlib.import_module(_HOMES[name])
    return home if name == "export" else getattr(home, name)  # that package is called itself


def __dir__() -> list[str]:
    return sorted(__all__)
