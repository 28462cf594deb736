"""Settings and pictures that all tests share.

Nothing here imports TensorFlow: the tests that need it import it, the others begin at once. What
it reads when it starts is set before any of them can.
"""

import gc
import importlib.util
import logging
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the same numbers on every machine
logging.getLogger("tensorflow").setLevel("ERROR")  # as the commands do: hints on tracing are noise

LONGEST = (
    "tests/tuning/test_tune.py",
    "tests/pretraining/test_killed_runs.py",
    "tests/explanation/test_exporting.py",
    "tests/export/test_exporting.py",
    "tests/pretraining/test_replicas.py",
    "tests/tuning/test_processes.py",
    "tests/cli/test_pretrain.py",
    "tests/perf/test_cost.py",
    "tests/presets/test_shipped.py",
    "tests/distortions/test_bank.py",
)
"""Files whose slow tests take longest. Two processes share files out in order: begun last, one of
these would leave the other process without work."""

PHOTOS = pathlib.Path(__file__).parent / "photos"


def pytest_configure(config):
    """Has quick tests look for garbage as seldom as the commands do.

    Slow ones hold graphs of gigabytes, which have to go at once.
    """
    if config.getoption("markexpr") == "not slow":
        from reiqa_tf.cli.startup import SELDOM

        gc.set_threshold(*SELDOM)


def pytest_collection_modifyitems(items):
    """Puts the longest files first where slow tests are among those that run."""
    if any(item.get_closest_marker("slow") for item in items):
        places = {file: place for place, file in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def _few_strange_pictures():
    """Heads of tests learn from four pictures of a kind, drawn once: fits took ten seconds more."""
    if importlib.util.find_spec("scipy") is None:  # scoring alone is installed: nothing is fitted
        yield
        return
    from reiqa_tf.fitting import strange_pictures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strange_pictures, "PER_KIND", 4)
        for kind, draw in strange_pictures.DRAWN.items():
            patch.setitem(strange_pictures.DRAWN, kind, _drawn_once(draw))
        yield


def _drawn_once(draw):
    """A function that draws, and knows what it drew with the same random numbers."""
    known = {}

    def drawn(random):
        begin = random.bit_generator.state["state"]["state"]
        if begin not in known:
            known[begin] = draw(random)
        return known[begin]

    return drawn


@pytest.fixture(scope="session")
def photo():
    """A real photo: uint8 (512, 768, 3)."""
    return np.asarray(Image.open(PHOTOS / "kodim23.png"))


@pytest.fixture(scope="module")
def scorer():
    """A small model with weights that are as alive as trained ones."""
    from tests.small_models import small_scorer

    return small_scorer()


@pytest.fixture(scope="session")
def photos_folder():
    """The folder of real photos that the repository holds."""
    return PHOTOS


@pytest.fixture(scope="session")
def scored_crops(photo, tmp_path_factory):
    """CSV file of 60 crops of two sizes, the darker the lower their score."""
    folder = tmp_path_factory.mktemp("scored")
    generator = np.random.default_rng(0)
    lines = ["image,mos"]
    for i in range(60):
        y, x, light = generator.integers(400), generator.integers(600), generator.uniform(0.1, 1)
        height, width = ((40, 48), (48, 40))[i % 2]
        crop = photo[y : y + height, x : x + width] * light
        Image.fromarray(crop.astype(np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{light:.4f}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"


@pytest.fixture(scope="module")
def few_pictures():
    """Exports are compared on six pictures and timed twice: what is tested is that they are."""
    from reiqa_tf.export import measuring, parity

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity.cut_pictures, "__defaults__", (None, None, 6))
        patch.setattr(measuring, "REPEATS", 2)
        yield
