"""Batches of pairs: order, resuming, sharing, photos that cannot be read, the cache."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.bulk.packing import pack
from reiqa_tf.data.scored_photos import ScoredPhotosError
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.pipelines import PipelineError, ViewPipeline
from reiqa_tf.pretraining.training_photos import training_photos
from tests.gpu_kernels import new_graphs, not_on_the_host

VIEWS = ContentViews(patch=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photos_folder):
    """Seven photos of two formats and two sizes: for each size views are compiled anew."""
    folder = tmp_path_factory.mktemp("photos")
    photo = Image.open(photos_folder / "kodim19.png")
    for i in range(7):
        part = photo.crop((40 * i, 30 * i, 40 * i + 90 + i % 2, 30 * i + 80))
        part.save(folder / f"{i}.{'png' if i == 3 else 'jpg'}", quality=95)
    return folder


def take(pipeline, first_step=0, count=6):
    return [
        {name: part.numpy() for name, part in batch.items()}
        for batch in itertools.islice(pipeline.batches(first_step), count)
    ]


def same(first, second):
    for name in ("photo", "wanted", "query", "key"):
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.fixture(scope="module")
def made(folder):
    """Nine batches of three photos, nearly four epochs of seven, and the graphs that made them."""
    pipeline = ViewPipeline(training_photos(folder), VIEWS, 3, seed=5)
    with new_graphs() as graphs:
        stream = pipeline.batches()
        batches = [
            {name: part.numpy() for name, part in batch.items()}
            for batch in itertools.islice(stream, 9)
        ]
    return batches, graphs


@pytest.fixture(scope="module")
def run(made):
    """The batches."""
    return made[0]


def test_decoding_and_views_are_placed_on_the_host(made):
    assert not_on_the_host(made[1]) == {}


def test_each_epoch_holds_each_photo_once_in_an_order_of_its_own(run):
    order = np.concatenate([batch["photo"] for batch in run])
    epochs = order[:21].reshape(3, 7)
    for epoch in epochs:
        assert sorted(epoch) == list(range(7))
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert run[0]["query"].shape == (3, 32, 32, 3)


def test_views_of_a_photo_differ_from_epoch_to_epoch_and_from_seed_to_seed(run, folder):
    found = {}
    for batch in run:
        for photo, query in zip(batch["photo"], batch["query"], strict=True):
            found.setdefault(photo, []).append(query)
    for queries in found.values():
        for first, second in itertools.combinations(queries, 2):
            assert np.abs(first - second).mean() > 1e-3
    other = take(ViewPipeline(training_photos(folder), VIEWS, 3, seed=6), count=1)[0]
    assert not np.array_equal(other["photo"], run[0]["photo"])


def test_a_run_that_goes_on_at_a_step_sees_the_batches_it_would_have_seen(run, folder):
    pipeline = ViewPipeline(training_photos(folder), VIEWS, 3, seed=5)
    for ours, expected in zip(take(pipeline, 4, 4), run[4:], strict=False):
        same(ours, expected)


@pytest.mark.parametrize("calls", [1, 8])
def test_parallel_calls_change_nothing(run, folder, calls):
    pipeline = ViewPipeline(training_photos(folder), VIEWS, 3, seed=5, parallel_calls=calls)
    for ours, expected in zip(take(pipeline), run, strict=False):
        same(ours, expected)


@pytest.mark.slow  # compiles the views once more for each
@pytest.mark.parametrize("kind", ["pack", "memory"])
def test_packs_and_stores_give_the_batches_of_the_folder(run, folder, tmp_path, kind):
    if kind == "pack":
        source = pack(folder, tmp_path / "packed", shard_photos=3).folder
    else:
        source = "memory://pipelines"
        pytest.importorskip("fsspec").filesystem("memory").put(str(folder), source, recursive=True)
    pipeline = ViewPipeline(training_photos(source), VIEWS, 3, seed=5)
    for ours, expected in zip(take(pipeline, 2, 4), run[2:], strict=False):
        same(ours, expected)
    assert not pipeline.skipped


def test_workers_share_each_batch(run, folder):
    parts = [
        take(ViewPipeline(training_photos(folder), VIEWS, 3, seed=5, worker=i, workers=3))
        for i in range(3)
    ]
    for step in range(6):
        together = {
            name: np.concatenate([part[step][name] for part in parts]) for name in run[step]
        }
        same(together, run[step])


@pytest.fixture
def mixed(tmp_path, folder):
    """Three photos that can be read and two that cannot."""
    for name in ("0.jpg", "1.jpg", "3.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "short.jpg").write_bytes((folder / "2.jpg").read_bytes()[:1500])
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def test_photos_that_cannot_be_read_are_skipped_and_named(mixed):
    photos = training_photos(mixed)
    pipeline = ViewPipeline(photos, VIEWS, 5, seed=1)
    batches = take(pipeline, count=3)
    for batch in batches:
        assert sorted(batch["wanted"]) == [0, 1, 2, 3, 4]
        used = {photos[i].rsplit("/", 1)[1] for i in batch["photo"]}
        assert used == {"0.jpg", "1.jpg", "3.png"}
        kept = batch["photo"] == batch["wanted"]
        assert kept.sum() == 3
        # Who stands in brings views of its own.
        assert len(np.unique(batch["query"].reshape(5, -1), axis=0)) == 5
    named = {path.rsplit("/", 1)[1]: reason for path, reason in pipeline.skipped.items()}
    assert set(named) == {"short.jpg", "text.png"}
    assert "truncated" in named["short.jpg"]
    assert "not a picture" in named["text.png"]
    for ours, expected in zip(take(pipeline, 1, 2), batches[1:], strict=True):
        same(ours, expected)


def test_a_list_without_any_readable_photo_ends_with_an_error(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    pipeline = ViewPipeline(training_photos(tmp_path), VIEWS, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="None of 1 photos"):
        take(pipeline, count=1)


def test_the_cache_gives_the_same_batches_without_the_photos_contents(run, folder, tmp_path):
    photos = training_photos(folder)
    pipeline = ViewPipeline(photos, VIEWS, 3, seed=5, cache=str(tmp_path / "cache"))
    for ours, expected in zip(take(pipeline), run, strict=False):
        same(ours, expected)
    kept = sorted((tmp_path / "cache").glob("*.photo"))
    assert len(kept) == 7
    # What is read is the cache: an other content shows.
    black = tf.io.serialize_tensor(tf.zeros((64, 64, 3), tf.uint8)).numpy()
    for path in kept:
        path.write_bytes(black)
    assert take(pipeline, count=1)[0]["query"].max() == 0


def test_a_cache_of_a_photo_that_changed_is_not_used(folder, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes((folder / "0.jpg").read_bytes())
    pipeline = ViewPipeline([str(path)], VIEWS, 1, cache=str(tmp_path / "cache"))
    before = take(pipeline, count=1)[0]
    path.write_bytes((folder / "1.jpg").read_bytes())
    after = take(pipeline, count=1)[0]
    assert np.abs(before["query"] - after["query"]).max() > 0.01


def test_photos_come_from_folders_patterns_and_the_training_rows_of_a_csv_file(folder, tmp_path):
    assert len(training_photos(folder)) == 7
    assert len(training_photos(f"{folder}/*.png")) == 1
    csv = folder / "list.csv"
    csv.write_text("image,split\n0.jpg,train\n1.jpg,test\n3.png,train\n")
    assert [path.rsplit("/", 1)[1] for path in training_photos(csv)] == ["0.jpg", "3.png"]
    csv.write_text("image\n1.jpg\n")
    assert list(training_photos(csv)) == [str(folder / "1.jpg")]
    csv.write_text("photo\n1.jpg\n")
    with pytest.raises(ScoredPhotosError, match="no column 'image'"):
        training_photos(csv)
    csv.write_text("image,split\n0.jpg,test\n")
    with pytest.raises(ScoredPhotosError, match="no row"):
        training_photos(csv)
    csv.unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], VIEWS, 2), "at least one photo"),
        ((["a.jpg"], VIEWS, 3, 0, 0, 2), "2 workers can share"),
        ((["a.jpg"], VIEWS, 2, 0, 2, 2), "worker from 0 to 1"),
    ],
)
def test_pipelines_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(PipelineError, match=message):
        ViewPipeline(*arguments)


def test_filling_a_cache_that_is_not_there_is_an_error_and_not_nothing(folder, tmp_path):
    photos = training_photos(folder)
    with pytest.raises(PipelineError, match=r"cache: expected a folder .* cache=FOLDER"):
        ViewPipeline(photos, VIEWS, 3).fill_cache()
    shown = []

    def progress(items, title, total):
        shown.append((title, total))
        yield from items

    ViewPipeline(photos, VIEWS, 3, cache=tmp_path).fill_cache(progress)
    assert shown == [("decoding photos", 7)]
    assert len(list(tmp_path.glob("*.photo"))) == 7
