"""Batches of mixed sizes: what is shown, once an epoch, at native resolution, from any step."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.fitting.ladders import ordered_names
from reiqa_tf.tuning.batches import TuningBatches
from tests.gpu_kernels import new_graphs, not_on_the_host

SIZES = [(40, 60)] * 7 + [(60, 40)] * 6 + [(50, 50)] * 3


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Sixteen photos of three sizes; a pixel says which photo it is of, and where in it."""
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for i, (height, width) in enumerate(SIZES):
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([np.full_like(y, i), 3 * y, 3 * x], axis=-1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        paths.append(str(folder / f"{i}.png"))
    pairs = [(paths[0], paths[1]), (paths[7], paths[8]), (paths[13], paths[14])]
    return TuningBatches(
        paths,
        np.arange(16.0),
        np.array(SIZES),
        batch_size=4,
        crop=44,
        pair_paths=pairs,
        pair_sizes=np.array([SIZES[0], SIZES[7], SIZES[13]]),
        pairs=2,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four crops of real photos that have little in common."""
    folder = tmp_path_factory.mktemp("crops")
    paths = []
    for i, name in enumerate(("kodim05", "kodim19", "kodim23", "kodim05")):
        picture = Image.open(f"tests/photos/{name}.png").convert("RGB")
        left = 100 + 150 * (i // 3)
        picture.crop((left, 200, left + 96, 296)).save(folder / f"{i}.png")
        paths.append(str(folder / f"{i}.png"))
    return paths


def test_an_epoch_shows_every_photo_once(batches):
    for epoch in range(2):
        steps = range(epoch * 4, epoch * 4 + 4)
        rows = np.concatenate([batches.drawn(step).rows for step in steps])
        assert sorted(rows) == list(range(16))


def test_epochs_have_other_orders(batches):
    orders = [[batches.drawn(4 * e + i).rows.tolist() for i in range(4)] for e in range(2)]
    assert orders[0] != orders[1]


def test_photos_of_one_size_are_put_together(batches):
    alike = [{SIZES[row] for row in batches.drawn(step).rows} for step in range(4)]
    assert sum(len(sizes) == 1 for sizes in alike) >= 2


def test_crops_are_pixels_of_the_photo_in_their_order_or_mirrored(batches):
    batch = next(iter(dataclasses.replace(batches, rotates=False).dataset(0)))
    assert batch["image"].shape[0] == 4
    assert max(batch["image"].shape[1:3]) <= 44
    for row, score, crop in zip(
        batch["row"].numpy(), batch["score"].numpy(), batch["image"].numpy(), strict=True
    ):
        assert (crop[..., 0] == row).all()
        assert score == row
        assert (np.diff(crop[..., 1].astype(int), axis=0) == 3).all()
        across = np.diff(crop[..., 2].astype(int), axis=1)
        assert (across == 3).all() or (across == -3).all()


def test_crops_are_also_turned_every_way_that_their_shape_allows(batches):
    square = dataclasses.replace(
        batches, paths=batches.paths[:1], scores=np.zeros(1), sizes=np.array([(40, 40)]),
        batch_size=1, crop=40, pair_paths=(),
    )  # fmt: skip
    seen = set()
    for batch in square.dataset(0).take(60):
        green, blue = batch["image"].numpy()[0, ..., 1:].astype(int).transpose(2, 0, 1)
        seen.add((*np.unique(np.diff(green, axis=0)), *np.unique(np.diff(blue, axis=0))))
    assert seen == {(3, 0), (-3, 0), (0, 3), (0, -3)}
    wide = dataclasses.replace(square, sizes=np.array([(30, 60)]), crop=60)
    for batch in wide.dataset(0).take(20):
        assert batch["image"].shape == (1, 30, 60, 3)
        green = batch["image"].numpy()[0, ..., 1].astype(int)
        assert set(np.unique(np.diff(green, axis=0))) <= {3, -3}


@pytest.mark.slow  # the graph of all distortions
def test_ladders_are_distorted_more_and_more_and_belong_to_evenly_spaced_photos(batches, photos):
    shown = dataclasses.replace(
        batches, paths=photos, scores=np.zeros(4), sizes=np.full((4, 2), 96), batch_size=4,
        crop=96, ladders=2, ladder_levels=5, pair_paths=(), rotates=False,
    )  # fmt: skip
    kinds = set()
    with new_graphs() as graphs:
        dataset = shown.dataset(0)
    assert not_on_the_host(graphs) == {}
    for step, batch in enumerate(dataset.take(12)):
        assert batch["ladder"].shape == (2, 5, 96, 96, 3)
        kinds |= {int(kind) for kind in shown._crops(np.int64(step))[6]}
        crops = batch["image"].numpy()[[0, 2]].astype(float)
        levels = batch["ladder"].numpy().astype(float)
        changes = np.abs(levels - crops[:, None]).mean((2, 3, 4))
        assert (changes[:, -1] > changes[:, 0]).all()
        others = np.abs(levels - crops[::-1][:, None]).mean((2, 3, 4))
        assert (changes[:, 0] < others[:, 0]).all()
    assert len(ordered_names()) in kinds
    assert len(kinds) > 3


def test_the_better_photo_of_a_pair_is_the_first_and_all_is_placed_on_the_host(batches):
    with new_graphs() as graphs:
        dataset = batches.dataset(0)
        batch = next(iter(dataset))
    assert not_on_the_host(graphs) == {}
    shown = batch["pair"].numpy()[:, :, 0, 0, 0]
    assert {tuple(pair) for pair in shown.tolist()} <= {(0, 1), (7, 8), (13, 14)}
    assert (batch["pair_weight"].numpy() == 1).all()


def test_a_stream_that_begins_later_shows_the_same(batches):
    stream = iter(batches.dataset(0))
    third = [next(stream) for _ in range(4)][3]
    again = next(iter(batches.dataset(3)))
    for name, rows in third.items():
        np.testing.assert_array_equal(rows, again[name], err_msg=name)


def test_a_photo_that_cannot_be_read_any_more_has_no_weight_and_is_told(batches, tmp_path):
    missing = dataclasses.replace(
        batches, paths=[str(tmp_path / "gone.png"), *batches.paths[1:]], skipped={}
    )
    stream = iter(missing.dataset(0))
    weights = []
    for _ in range(4):
        batch = next(stream)
        missing.note_skipped(batch)
        weights += batch["weight"].numpy().tolist()
    assert sum(weights) == 15
    assert list(missing.skipped) == [str(tmp_path / "gone.png")]
