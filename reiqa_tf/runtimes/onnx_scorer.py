"""A `.onnx` file in onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from reiqa_tf.runtimes.artifact_scorer import ArtifactScorer
from reiqa_tf.runtimes.contract import IMAGES, Contract
from reiqa_tf.runtimes.errors import ArtifactError, MissingRuntimeError
from reiqa_tf.runtimes.manifest import read_artifact

_FATAL = 4  # onnxruntime's level of its log; what is less than fatal is raised as well


class OnnxScorer(ArtifactScorer):
    """Scores photos with an exported `.onnx` file, without TensorFlow.

    Args:
        path: the file, as `reiqa export --format onnx` writes it. If its `manifest.json` stands
            beside it, the file must be as that says.
        threads: number of threads that share the work on a photo; None takes all cores.

    Raises:
        MissingRuntimeError: if onnxruntime is not installed.
        ArtifactError: if the file is missing, damaged or foreign.

    Example:
    ```python
    import numpy as np
    from reiqa_tf import OnnxScorer, read_image
    from reiqa_tf.presets.folders import preset_folder

    scorer = OnnxScorer(preset_folder("content_lite0_biq2021") / "exports" / "model.onnx")
    scorer.score("photo.jpg")  # such as Score(0.61, low=0.37, high=0.85, familiar=True)
    images = np.stack([read_image("photo.jpg", fit=128)])
    scorer.predict(images)  # (N,) scores of uint8 (N, H, W, 3)
    ```
    """

    runtime = "onnx"

    def _open(self) -> Contract:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingRuntimeError(
                f"onnxruntime cannot be imported ({error}). Install it: pip install "
                "'reiqa_tf[onnx]'"
            ) from None
        contents = read_artifact(self.path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = self.threads or 0
        # Idle threads would wait in circles: on a busy machine up to 1.8 times the processor time,
        # and no photo sooner.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                contents, options, providers=["CPUExecutionProvider"]
            )
            entries = _from_json(self._session.get_modelmeta().custom_metadata_map)
        except Exception as error:  # any type: onnxruntime's own derive from Exception alone
            raise ArtifactError(
                f"{self.path}: not a model that onnxruntime {onnxruntime.__version__} can load "
                f"({_in_a_line(error)})."
            ) from None
        contract = Contract.read(entries, self.path)
        outputs = {tensor.name for tensor in self._session.get_outputs()}
        inputs = [
            (tensor.name, tensor.type, len(tensor.shape)) for tensor in self._session.get_inputs()
        ]
        if outputs != set(contract.outputs) or inputs != [(IMAGES, "tensor(uint8)", 4)]:
            raise ArtifactError(
                f"{self.path}: expected the input images, uint8 (N, H, W, 3), and the outputs "
                f"{', '.join(contract.outputs)}. Received: {inputs} and {sorted(outputs)}"
            )
        return contract

    def _run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        names = list(self.contract.outputs)
        try:
            return dict(zip(names, self._session.run(names, {IMAGES: images}), strict=True))
        except Exception as error:  # as above
            raise ArtifactError(
                f"{self.path}: fails for pictures of the shape {images.shape} "
                f"({_in_a_line(error)})."
            ) from None


def _from_json(texts: Mapping[str, str]) -> dict[str, Any]:
    """The values that are JSON; others' entries may be anything and are left out."""
    values = {}
    for name, text in texts.items():
        try:
            values[name] = json.loads(text)
        except (ValueError, RecursionError):
            continue
    return values


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
