"""Which packages write and run each format, known before any of them is imported."""

from __future__ import annotations

import importlib.metadata

from reiqa_tf.extras import MissingExtraError, install_line

PACKAGES = {
    "saved_model": ("tensorflow-serving-api",),
    "onnx": ("tf2onnx", "onnx", "onnxruntime"),
    "tflite": ("ai-edge-litert", "ai-edge-quantizer", "flatbuffers"),
}
"""Names of the distributions, by the name of the format."""


def require_packages(format_name: str) -> None:
    """Refuses a format whose packages are not installed. Nothing is imported.

    Args:
        format_name: out of `PACKAGES`; others have nothing that could be missing.

    Raises:
        MissingExtraError: if one is missing.
    """
    for package in PACKAGES.get(format_name, ()):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise MissingExtraError(
                f"the format {format_name} needs {package}: {install_line('export')}"
            ) from None
