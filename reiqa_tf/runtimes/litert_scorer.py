"""A `.tflite` file in LiteRT, which was TensorFlow Lite."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from reiqa_tf.extras import install_line
from reiqa_tf.image.reading import MINIMUM_SIDE
from reiqa_tf.runtimes.artifact_scorer import ArtifactScorer
from reiqa_tf.runtimes.contract import CONTRACT_FILE, IMAGES, Contract
from reiqa_tf.runtimes.errors import ArtifactError, MissingRuntimeError
from reiqa_tf.runtimes.explained import EXPLAINING
from reiqa_tf.runtimes.input_form import InputForm
from reiqa_tf.runtimes.manifest import read_artifact
from reiqa_tf.typing import PathLike

_LARGEST_CONTRACT = 1_000_000  # bytes; a real one takes some hundred


class LiteRTScorer(ArtifactScorer):
    """Scores photos with an exported `.tflite` file, without TensorFlow.

    A file of a fixed size takes photos of that size alone; one for any size takes them all.

    Args:
        path: the file, as `reiqa export --format tflite` writes it. If its `manifest.json` stands
            beside it, the file must be as that says. Keep it there: LiteRT trusts what it opens,
            and a damaged file can end the process.
        threads: number of threads that share the work on a photo; None takes all cores.

    Raises:
        MissingRuntimeError: if ai-edge-litert is not installed.
        ArtifactError: if the file is missing, damaged or foreign.

    Example:
    ```text
    scorer = reiqa_tf.LiteRTScorer("exported/model.tflite", threads=2)
    scorer.score("photo.jpg")  # such as Score(0.61, low=0.37, high=0.85, familiar=True)
    scorer.predict(images)     # (N,) scores of uint8 (N, H, W, 3)
    ```
    """

    runtime = "tflite"

    def _open(self) -> Contract:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingRuntimeError(
                f"ai_edge_litert cannot be imported ({error}). Install it: {install_line('tflite')}"
            ) from None
        contents = read_artifact(self.path)
        contract = Contract.read(_packed_contract(contents, self.path), self.path)
        try:
            interpreter = Interpreter(
                model_content=contents, num_threads=self.threads or os.cpu_count() or 1
            )
            _prepare(interpreter)
            (signature,) = interpreter.get_signature_list()
            self._runner = interpreter.get_signature_runner(signature)
            inputs = self._runner.get_input_details()
            outputs = self._runner.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(
                f"{self.path}: not a model that LiteRT can load ({' '.join(str(error).split())})."
            ) from None
        may_be = {*contract.outputs, *EXPLAINING}
        self._form = contract.input or InputForm()
        known = {IMAGES} == set(inputs) and set(contract.outputs) <= set(outputs) <= may_be
        if not known or inputs[IMAGES]["dtype"] != self._form.dtype:
            raise ArtifactError(
                f"{self.path}: expected the input images, {self._form.dtype.__name__} "
                f"(1, H, W, {self._form.channels}), and the outputs "
                f"{', '.join(contract.outputs)}. Received: {sorted(inputs)}, {sorted(outputs)}"
            )
        self._shape = [int(size) for size in inputs[IMAGES]["shape_signature"]]
        return contract

    def _compute(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        _, *lying, _ = self._shape
        size = self._form.lying((lying[0], lying[1]))
        if any(
            fixed not in (-1, received)
            for fixed, received in zip(size, images.shape[1:3], strict=True)
        ):
            raise ArtifactError(
                f"{self.path}: takes pictures of {size[0]} x {size[1]} px (height x width) alone. "
                f"Received: {images.shape[1]} x {images.shape[2]} px. Export one for any size: "
                "reiqa export --preset PRESET --format tflite"
            )
        try:
            rows = [self._runner(images=image[None]) for image in self._form.packed(images)]
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(
                f"{self.path}: fails for pictures of the shape {images.shape} "
                f"({' '.join(str(error).split())})."
            ) from None
        return {name: np.concatenate([row[name] for row in rows]) for name in names}


def _packed_contract(contents: bytes, path: PathLike) -> dict[str, Any]:
    """What the file says about itself, in the archive at its end in which TFLite tools look."""
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            if archive.getinfo(CONTRACT_FILE).file_size > _LARGEST_CONTRACT:
                raise ValueError(f"{CONTRACT_FILE} is too large")
            entries = json.loads(archive.read(CONTRACT_FILE))
            if not isinstance(entries, dict):
                raise ValueError(f"{CONTRACT_FILE} holds a {type(entries).__name__}")
    except Exception as error:  # any type: what damaged archives raise is not written down
        raise ArtifactError(
            f"{path}: no TFLite file of this package, or a damaged one "
            f"({' '.join(str(error).split())}). Export it again: reiqa export --preset PRESET "
            "--format tflite"
        ) from None
    return entries


def _prepare(interpreter: Any) -> None:
    """Lets LiteRT plan its work here, so that a graph that it cannot run fails at once.

    It would do so at the first photo otherwise, and its remark about that would stand in the
    middle of what a person reads.
    """
    (details,) = interpreter.get_input_details()
    shape = [MINIMUM_SIDE if size == -1 else size for size in details["shape_signature"]]
    interpreter.resize_tensor_input(details["index"], shape)
    interpreter.allocate_tensors()
