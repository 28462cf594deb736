"""TFLite metadata: what a `.tflite` file says about itself, in the form that its tools read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import flatbuffers
import numpy as np

from reiqa_tf.runtimes.contract import (
    CONTRACT_FILE,
    DISTANCE,
    FEATURES,
    IMAGES,
    SCORE,
    SPREAD,
    Contract,
)
from reiqa_tf.runtimes.explained import DIAGNOSIS, MAP
from reiqa_tf.runtimes.input_form import BATCH_SIZE, FLOAT, RGB, RGBA, InputForm
from reiqa_tf.version import __version__

METADATA_NAME = "TFLITE_METADATA"
"""Name under which a model file holds its metadata."""

_Table: TypeAlias = dict[str, Any]
"""A table of the metadata, from names of `_FIELDS` to numbers, texts, tables and vectors."""

# Published with the TFLite Support library: `metadata_schema.fbs`, tables and the numbers of the
# fields that are used here, enumerations and unions.
_FIELDS: dict[str, dict[str, int]] = {
    "ModelMetadata": {
        "name": 0,
        "description": 1,
        "version": 2,
        "subgraph_metadata": 3,
        "author": 4,
        "license": 5,
        "associated_files": 6,
        "min_parser_version": 7,
    },
    "SubGraphMetadata": {
        "name": 0,
        "description": 1,
        "input_tensor_metadata": 2,
        "output_tensor_metadata": 3,
    },
    "TensorMetadata": {"name": 0, "description": 1, "content": 3, "process_units": 4, "stats": 5},
    "Content": {"content_properties_type": 0, "content_properties": 1},
    "FeatureProperties": {},
    "ImageProperties": {"color_space": 0},
    "ProcessUnit": {"options_type": 0, "options": 1},
    "NormalizationOptions": {"mean": 0, "std": 1},
    "Stats": {"max": 0, "min": 1},
    "AssociatedFile": {"name": 0, "description": 1, "type": 2},
}
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1
_RGB = 1
_DESCRIPTIONS = 1
_IDENTIFIER = b"M001"

_PIXELS = {
    RGB: "one picture as it was decoded: RGB, 8 bits, rows from the top. Subtract and divide "
    "nothing: ",
    RGBA: "one picture as a bitmap has it: RGBA, 8 bits, rows from the top, of which the fourth "
    "byte is not looked at. Subtract and divide nothing: ",
    FLOAT: "one picture: RGB, levels divided by 255, rows from the top. Subtract nothing: ",
}
_DESCRIPTIONS_OF = {
    SCORE: "Quality of the picture; higher is better.",
    SPREAD: "How far off the score may be, on its scale; contract.json makes an interval of it.",
    DISTANCE: "How far the picture is from photos, towards drawings and damaged photos; above "
    "distance_limit of contract.json the score should not be trusted.",
    FEATURES: "What the encoders see in the picture, for a regressor of your own.",
    MAP: "Points of the score that each place of the picture adds to that of the average photo, in "
    "32 rows from the top.",
    DIAGNOSIS: "Probability and amount of each fault that families of contract.json names.",
}


def with_metadata(model: bytes, contract: Contract, outputs: Sequence[str]) -> bytes:
    """Puts metadata and the contract into a model file.

    The metadata are a table of TFLite's metadata schema, as tools for TFLite models read them; the
    contract is packed with the file as they pack labels: as a ZIP archive at its end.

    Args:
        model: the file, bytes.
        contract: what the file says about itself.
        outputs: names of the output tensors, in the order of the file's signature.

    Returns:
        bytes of the file with both.

    Example:
    ```text
    archive = zipfile.ZipFile("model.tflite")
    contract = json.loads(archive.read("contract.json"))
    ```
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = flatbuffer_utils.read_model_from_bytearray(model)
    buffer = schema.BufferT()
    buffer.data = _metadata(contract, outputs)
    content.buffers.append(buffer)
    for stored in content.buffers:
        if stored.data is not None:  # anything but an array is written byte by byte
            stored.data = np.frombuffer(stored.data, np.uint8)
    entry = schema.MetadataT()
    entry.name = METADATA_NAME
    entry.buffer = len(content.buffers) - 1
    content.metadata = [*(content.metadata or []), entry]
    file = io.BytesIO(flatbuffer_utils.convert_object_to_bytearray(content))
    with zipfile.ZipFile(file, "a") as archive:
        # A date of its own would make two exports of the same model differ.
        member = zipfile.ZipInfo(CONTRACT_FILE, (1980, 1, 1, 0, 0, 0))
        archive.writestr(member, json.dumps(contract.entries(), indent=2) + "\n")
    return file.getvalue()


def _metadata(contract: Contract, outputs: Sequence[str]) -> bytes:
    image = {
        "content_properties_type": _IMAGE_PROPERTIES,
        "content_properties": ("ImageProperties", {"color_space": _RGB}),
    }
    form = contract.input or InputForm()
    # What a byte is divided by before it goes in.
    divisor = 255.0 if form.pixels == FLOAT else 1.0
    normalization = {
        "options_type": _NORMALIZATION_OPTIONS,
        "options": ("NormalizationOptions", {"mean": [0.0], "std": [divisor]}),
    }
    feature = {
        "content_properties_type": _FEATURE_PROPERTIES,
        "content_properties": ("FeatureProperties", {}),
    }
    limits = {}
    if contract.head is not None:
        limits[SCORE] = {"stats": ("Stats", _range(*contract.head.score_range))}
    table: _Table = {
        "name": contract.preset,
        "description": contract.description or "No-reference quality of photos",
        "version": __version__,
        "author": contract.producer,
        "license": contract.license or "not stated",
        "min_parser_version": "1.0.0",
        "associated_files": [
            (
                "AssociatedFile",
                {
                    "name": CONTRACT_FILE,
                    "description": "What a user of the model must know, as JSON",
                    "type": _DESCRIPTIONS,
                },
            )
        ],
        "subgraph_metadata": [
            (
                "SubGraphMetadata",
                {
                    "name": "serving_default",
                    "input_tensor_metadata": [
                        (
                            "TensorMetadata",
                            {
                                "name": IMAGES,
                                "description": _about_images(form),
                                "content": ("Content", image),
                                "process_units": [("ProcessUnit", normalization)],
                                "stats": ("Stats", _range(0.0, 255.0 / divisor)),
                            },
                        )
                    ],
                    "output_tensor_metadata": [
                        (
                            "TensorMetadata",
                            {
                                "name": name,
                                "description": _DESCRIPTIONS_OF[name],
                                "content": ("Content", feature),
                                **limits.get(name, {}),
                            },
                        )
                        for name in outputs
                    ],
                },
            )
        ],
    }
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, "ModelMetadata", table), _IDENTIFIER)
    return bytes(builder.Output())


def _about_images(form: InputForm) -> str:
    turned = f" It is turned clockwise by {form.rotation} degrees there." if form.rotation else ""
    inside = "scaling, mean, deviation and the half-size picture are inside of the model."
    return f"A batch of {BATCH_SIZE}: {_PIXELS[form.pixels]}{inside}{turned}"


def _range(low: float, high: float) -> _Table:
    return {"min": [low], "max": [high]}


def _write(builder: flatbuffers.Builder, kind: str, values: Mapping[str, Any]) -> int:
    """Writes a table and what it refers to, which a FlatBuffer wants first."""
    references: dict[str, int] = {}
    for name, value in values.items():
        if isinstance(value, str):
            references[name] = builder.CreateString(value)
        elif isinstance(value, tuple):
            references[name] = _write(builder, *value)
        elif isinstance(value, list):
            references[name] = _write_vector(builder, value)
    fields = _FIELDS[kind]
    builder.StartObject(max(fields.values(), default=-1) + 1)
    for name, value in values.items():
        if name in references:
            builder.PrependUOffsetTRelativeSlot(fields[name], references[name], 0)
        else:
            builder.PrependUint8Slot(fields[name], value, 0)
    end: int = builder.EndObject()
    return end


def _write_vector(builder: flatbuffers.Builder, values: Sequence[Any]) -> int:
    """Writes a vector of numbers or of tables."""
    are_tables = isinstance(values[0], tuple)
    written = [_write(builder, *value) for value in values] if are_tables else values
    builder.StartVector(4, len(values), 4)
    for value in reversed(written):
        if are_tables:
            builder.PrependUOffsetTRelative(value)
        else:
            builder.PrependFloat32(value)
    end: int = builder.EndVector()
    return end
