"""`reiqa presets`: what is shipped, and what a preset says about itself."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reiqa_tf.cli import terminal

if TYPE_CHECKING:
    import pathlib

_EXAMPLES = """\
  reiqa presets                            the presets that the package ships
  reiqa presets reiqa_lite0_biq2021        what one is: data, licence, figures, scale, files
  reiqa presets my_preset --json           everything that it says about itself"""

_WIDTH = 88
_MARGIN = 12

_FIGURES = {"srcc": "SRCC", "krcc": "KRCC", "plcc": "PLCC", "rmse": "RMSE"}
"""The measures of a page, out of those of `reiqa_tf.metrics.Agreement`."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "presets", run, "List the shipped presets, or describe one.", _EXAMPLES
    )
    parser.add_argument("preset", nargs="?", help="a folder or the name of a shipped preset")
    parser.add_argument(
        "--json", action="store_true", help="all that the preset's metadata.json holds"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the list or the description and returns the exit code."""
    import json

    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.presets.folders import (
        preset_folder,
        preset_version,
        read_metadata,
        shipped_presets,
    )

    if arguments.preset:
        metadata = read_metadata(arguments.preset)
        if arguments.json:
            print(json.dumps(metadata, indent=2))
        else:
            folder = preset_folder(arguments.preset)
            try:
                version = preset_version(folder)
                print(_page(arguments.preset, version, folder, metadata))
            except (TypeError, ValueError, AttributeError):  # entries of another kind than ours
                raise ReiqaError(
                    f"{arguments.preset}: its metadata are not as `save_preset` writes them. See "
                    f"them: reiqa presets {arguments.preset} --json"
                ) from None
        return 0
    if arguments.json:
        raise ReiqaError("--json: expected beside the name of a preset.")
    rows = []
    for name in shipped_presets():
        metadata = read_metadata(name)
        rows.append((name, metadata.get("description", ""), metadata.get("license", "")))
    terminal.print_table(
        None, [("preset", "left"), ("what it is", "left"), ("licence", "left")], rows
    )
    return 0


def _page(name: str, version: str, folder: pathlib.Path, metadata: Mapping[str, Any]) -> str:
    """What a preset is, for people; entries that a preset lacks are left out."""
    rows = [
        ("", metadata.get("description")),
        ("version", version),
        ("data", metadata.get("data")),
        ("licence", metadata.get("license")),
        ("score", _scale(metadata)),
        *_figures(metadata.get("metrics")),
        ("head", _fit(metadata.get("fit"))),
        ("features", _features(metadata.get("feature_order"))),
        ("size", _size(metadata)),
        ("made by", _versions(metadata)),
        *(("files" if number == 0 else "", line) for number, line in enumerate(_files(folder))),
        ("folder", str(folder)),
    ]
    lines = [name]
    for label, text in rows:
        if text:
            lines += textwrap.wrap(
                str(text),
                _WIDTH,
                initial_indent=f"  {label:<{_MARGIN - 2}}" if label else " " * _MARGIN,
                subsequent_indent=" " * _MARGIN,
                break_long_words=False,
                break_on_hyphens=False,
            )
    more = f"Everything that it says about itself: reiqa presets {name} --json"
    return "\n".join([*lines, "", more])


def _scale(metadata: Mapping[str, Any]) -> str:
    scale = metadata.get("score_range")
    if not isinstance(scale, list) or len(scale) != 2:
        return "none: it has no head yet; see `reiqa fit`"
    size = metadata.get("working_size")
    shrunk = f"; photos are shrunk to fit {size} x {size} px" if size else ""
    return f"{scale[0]:g} to {scale[1]:g}, higher is better{shrunk}"


def _figures(metrics: Any) -> Iterator[tuple[str, str]]:
    for title, measured in metrics.items() if isinstance(metrics, dict) else ():
        if not isinstance(measured, dict):
            continue
        intervals = measured.get("intervals")
        texts = []
        for key, label in _FIGURES.items():
            value = measured.get(key)
            if not isinstance(value, float):
                continue
            between = intervals.get(key) if isinstance(intervals, dict) else None
            interval = f" [{between[0]:.3f}, {between[1]:.3f}]" if between else ""
            texts.append(f"{label} {value:.3f}{interval}")
        count = measured.get("count")
        photos = f" on {count:,} photos" if isinstance(count, int) else ""
        if texts:
            yield "figures", f"{', '.join(texts)}; {title.replace('_', ' ')}{photos}"


def _fit(fit: Any) -> str:
    if not isinstance(fit, dict):
        return ""
    photos, strength = fit.get("photos"), fit.get("strength")
    texts = [str(fit.get("regressor", "fitted"))]
    if isinstance(strength, float):
        texts.append(f"strength {strength:,.0f}" if strength >= 100 else f"strength {strength:.3g}")
    if isinstance(photos, int):
        texts.append(f"fitted on {photos:,} photos")
    if fit.get("ladders"):
        texts.append(f"{fit['ladders']:,} ladders of distortions")
    return ", ".join(texts)


def _features(order: Any) -> str:
    if not isinstance(order, dict):
        return ""
    parts = [f"{name} {end - start:,}" for name, (start, end) in order.items()]
    return ", ".join(parts)


def _size(metadata: Mapping[str, Any]) -> str:
    count = metadata.get("parameter_count")
    return f"{count:,} parameters" if isinstance(count, int) else ""


def _versions(metadata: Mapping[str, Any]) -> str:
    parts = []
    for key, label in (("reiqa_tf_version", "reiqa_tf"), ("keras_version", "Keras")):
        if metadata.get(key):
            parts.append(f"{label} {metadata[key]}")
    if metadata.get("date_saved"):
        parts.append(str(metadata["date_saved"])[:10])
    return ", ".join(parts)


def _files(folder: pathlib.Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            size = path.stat().st_size
            shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
            yield f"{path.relative_to(folder)}, {shown}"
