"""Converts a preset to a Core ML package of one size. It cannot be run, so compared, on Linux.

    pip install '.[tensorflow]' coremltools
    python examples/ios/convert_coreml.py quality.mlpackage --size 512x384

The package takes an RGB image of that size, upright, and returns `score`, `spread` and `distance`,
computed in 16 bits; what they mean is in the `contract.json` that is written beside it.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
from typing import Any

import coremltools
from coremltools.converters.mil import register_tf_op
from coremltools.converters.mil.mil import Builder

from reiqa_tf.export.formats import parse_sizes
from reiqa_tf.export.serving import folded_function
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.folders import WEIGHTS_FILE, read_metadata
from reiqa_tf.runtimes.contract import IMAGES, Contract
from reiqa_tf.runtimes.input_form import FLOAT, InputForm


@register_tf_op(tf_alias=["EnsureShape"])
def _ensure_shape(context: Any, node: Any) -> None:
    """The one operator of the graph that coremltools 9.0 lacks; its shape is known here."""
    context.add(node.name, Builder.identity(x=context[node.inputs[0]], name=node.name))


def main() -> None:
    """Converts, saves, and prints what the package is made of."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--preset", default=DEFAULT)
    parser.add_argument("--size", default="512", help="height x width (default: %(default)s)")
    arguments = parser.parse_args()
    (size,) = parse_sizes(arguments.size)
    if size is None:
        parser.error("--size: expected one size in pixels, such as 512x384. Received: any")
    scorer, about = load_preset(arguments.preset), read_metadata(arguments.preset)
    contract = Contract.of(scorer, arguments.preset, about["sha256"][WEIGHTS_FILE], about)
    function = folded_function(scorer, size, batch_size=1, form=InputForm(FLOAT))
    concrete = function.get_concrete_function()
    image = coremltools.ImageType(
        name=IMAGES,
        shape=(1, *size, 3),
        scale=1 / 255,
        color_layout=coremltools.colorlayout.RGB,
    )
    model = coremltools.convert(
        [concrete],
        source="tensorflow",
        inputs=[image],
        convert_to="mlprogram",
        minimum_deployment_target=coremltools.target.iOS16,
        skip_model_load=True,
    )
    specification = model.get_spec()
    # TensorFlow sorts a function's outputs by name, and calls them Identity, Identity_1 ...
    converted = [output.name for output in specification.description.output]
    for former, name in zip(converted, sorted(contract.outputs), strict=True):
        coremltools.utils.rename_feature(specification, former, name)
    model = coremltools.models.MLModel(
        specification, weights_dir=model.weights_dir, skip_model_load=True
    )
    model.short_description = contract.description or ""
    model.save(str(arguments.out))
    told = json.dumps(contract.entries(), indent=2)
    arguments.out.with_name("contract.json").write_text(told + "\n")
    operators = collections.Counter(
        operation.type
        for function in specification.mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
    )
    print(*(output.name for output in model.get_spec().description.output))
    print(*(f"{count} {name}" for name, count in operators.most_common()), sep=", ")


if __name__ == "__main__":
    main()
