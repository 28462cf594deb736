"""Presets as folders: where they lie and what they say about themselves, without loading one.

Plain Python, so that the runtimes that do without TensorFlow and Keras find what they need.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.weights.h5"
METADATA_FILE = "metadata.json"

_SHIPPED = pathlib.Path(__file__).parent / "shipped"

_LARGEST_JSON = 10_000_000  # bytes; the texts of a real preset take some kilobytes


class PresetError(ReiqaError):
    """A preset that cannot be loaded or saved. The message says which, why, and the way out."""


def shipped_presets() -> list[str]:
    """Names of the presets that the package ships.

    Returns:
        list of names, in alphabetical order.
    """
    return sorted(entry.name for entry in _SHIPPED.iterdir() if (entry / METADATA_FILE).is_file())


def read_metadata(preset: PathLike) -> dict[str, Any]:
    """Reads what a preset says about itself.

    Args:
        preset: as in `load_preset`.

    Returns:
        dictionary; see `save_preset`.

    Raises:
        PresetError: if there is no such preset or its metadata are damaged.
    """
    path = preset_folder(preset) / METADATA_FILE
    metadata = read_json(path)
    if not isinstance(metadata.get("sha256"), dict):
        raise PresetError(
            f"{path}: expected an entry `sha256` with the files' digests; none found."
        )
    return metadata


def preset_version(preset: PathLike) -> str:
    """What tells the presets that a name had over time apart: equal versions give equal scores.

    It is the version of this package that saved the preset, and a digest of configuration and
    weights, written as Python's versions are.

    Args:
        preset: as in `load_preset`.

    Returns:
        text such as `0.1.0+1f2e3d4c`.

    Raises:
        PresetError: if there is no such preset or its metadata are damaged.

    Example:
    ```python
    import reiqa_tf

    print(reiqa_tf.preset_version("content_lite0_biq2021"))
    ```
    """
    metadata = read_metadata(preset)
    digests = "".join(f"{name} {metadata['sha256'][name]}\n" for name in sorted(metadata["sha256"]))
    digest = hashlib.sha256(digests.encode()).hexdigest()[:8]
    return f"{metadata.get('reiqa_tf_version', '0')}+{digest}"


def preset_folder(preset: PathLike) -> pathlib.Path:
    """Finds the folder of a preset.

    Args:
        preset: as in `load_preset`.

    Returns:
        `pathlib.Path`.

    Raises:
        PresetError: if it is neither a folder nor the name of a shipped preset.
    """
    shipped = shipped_presets()
    # The name wins over a folder of that name where a command happens to be run; ./name is the
    # folder.
    if isinstance(preset, str) and preset in shipped:
        return _SHIPPED / preset
    folder = pathlib.Path(preset)
    if folder.is_dir():
        return folder
    import difflib

    close = difflib.get_close_matches(str(preset), shipped, n=1)
    hint = f" Did you mean {close[0]}?" if close else f" Shipped are: {', '.join(shipped)}."
    raise PresetError(f"{preset}: neither a folder nor the name of a shipped preset.{hint}")


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads one of the texts of a preset.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        dictionary.

    Raises:
        PresetError: if it cannot be read or holds something else.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise PresetError(f"{path}: larger than {_LARGEST_JSON:,} bytes; not a preset's file.")
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise PresetError(f"{path}: missing, so {path.parent} is no preset.") from None
    except OSError as error:
        raise PresetError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{path}: not the JSON of a preset ({error}).") from None
    if not isinstance(content, dict):
        raise PresetError(f"{path}: expected a JSON object. Received: {type(content).__name__}")
    return content


def check_writable(folder: PathLike, overwrite: bool = True) -> None:
    """Refuses a folder that `save_preset` would refuse; for use before long work.

    Args:
        folder: the folder of the preset to be.
        overwrite: whether an older preset in its place may be replaced.

    Raises:
        PresetError: if it is in the way or may not be written to.
    """
    folder = pathlib.Path(folder)
    refuse_occupied(folder)
    if not overwrite and (folder / METADATA_FILE).is_file():
        raise PresetError(
            f"{folder}: a preset is there already. Name another folder, or replace it: "
            "--overwrite (overwrite=True)."
        )
    parent = nearest_existing(folder)
    if not os.access(parent, os.W_OK):
        raise PresetError(f"{folder}: {parent} may not be written to.")


def refuse_occupied(folder: pathlib.Path) -> None:
    """Refuses a folder that holds something else than a preset.

    Args:
        folder: the folder of the preset to be.

    Raises:
        PresetError: if there is something else under that name.
    """
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / METADATA_FILE).is_file():
            raise PresetError(f"{folder}: a folder with other things in it. Name another one.")
    elif folder.exists():
        raise PresetError(f"{folder}: a file of that name exists. Name another folder.")


def nearest_existing(folder: pathlib.Path) -> pathlib.Path:
    """The folder itself if it exists, or the nearest one above it that does."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())
