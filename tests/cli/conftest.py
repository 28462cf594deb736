"""The command as a function: arguments in, exit code and both outputs out."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.cli.main import main, parse
from reiqa_tf.models.scorer import save_preset
from tests.small_models import small_scorer


@dataclasses.dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def reiqa(capsys):
    def run(*arguments):
        capsys.readouterr()
        try:
            code = main(parse(["reiqa", *map(str, arguments)]))
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """A small preset, so that no test waits for a real one."""
    folder = tmp_path_factory.mktemp("preset") / "small"
    save_preset(small_scorer(), folder)
    return folder


@pytest.fixture(scope="session")
def scored_photos(photo, tmp_path_factory):
    """Forty crops, blurred by pixelation; the score falls with the blur. Columns of all kinds."""
    folder = tmp_path_factory.mktemp("scored")
    lines = ["image,mos,split,group"]
    generator = np.random.default_rng(0)
    for i in range(40):
        y, x = generator.integers(400), generator.integers(600)
        crop = Image.fromarray(photo[y : y + 64, x : x + 64])
        coarse = crop.resize((64 >> (i % 4),) * 2).resize((64, 64), Image.Resampling.NEAREST)
        coarse.save(folder / f"{i}.png")
        split = "test" if i >= 30 else "train"
        lines.append(f"{i}.png,{4 - i % 4 + generator.uniform(-0.1, 0.1):.3f},{split},g{i // 2}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"
