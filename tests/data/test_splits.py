"""Splits: seeded, whole groups, the same on every machine, checked for leaks, kept in files."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.data.near_duplicates import find_leaks, perceptual_hash, similar_pairs
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import (
    Split,
    SplitError,
    official_split,
    read_splits,
    seeded_splits,
    write_splits,
)


def _scored(count=200, groups=None, splits=None):
    return ScoredPhotos(
        paths=[f"/somewhere/photos/{i:04}.jpg" for i in range(count)],
        scores=np.linspace(0, 1, count),
        score_range=(0, 1),
        groups=groups,
        splits=splits,
    )


def _parts(split):
    return split.train, split.val, split.test


def _names(scored, rows):
    return {scored.paths[row] for row in rows}


def test_every_row_stands_in_one_part_and_the_shares_are_those_of_the_paper():
    for split in seeded_splits(_scored(1000)):
        np.testing.assert_array_equal(np.sort(np.concatenate(_parts(split))), np.arange(1000))
        assert [len(part) for part in _parts(split)] == [700, 100, 200]


def test_groups_are_kept_whole_and_shares_hold_as_nearly_as_groups_allow():
    groups = np.array([f"reference {i % 29}" for i in range(779)])
    for split in seeded_splits(_scored(779, groups)):
        seen = [set(groups[part]) for part in _parts(split)]
        assert len(set.union(*seen)) == sum(map(len, seen))
        assert [len(names) for names in seen] == [20, 3, 6]


def test_the_same_seed_gives_the_same_splits_and_others_differ():
    first, again, other = (seeded_splits(_scored(), seed=seed) for seed in (0, 0, 1))
    assert [split.digest() for split in first] == [split.digest() for split in again]
    digests = {split.digest() for split in (*first, *other)}
    assert len(digests) == 20


def test_ten_splits_begin_with_the_five_that_were_asked_for_before():
    five, ten = seeded_splits(_scored(), 5), seeded_splits(_scored(), 10)
    assert [split.digest() for split in five] == [split.digest() for split in ten[:5]]


def test_the_order_of_the_rows_and_the_folder_do_not_matter():
    scored = _scored()
    order = np.random.default_rng(0).permutation(200)
    moved = scored.rows(order)
    moved = dataclasses.replace(
        moved, paths=[path.replace("/somewhere", "/else/where") for path in moved.paths]
    )
    for one, other in zip(seeded_splits(scored), seeded_splits(moved), strict=True):
        for a, b in zip(_parts(one), _parts(other), strict=True):
            names = {path.replace("/else/where", "/somewhere") for path in _names(moved, b)}
            assert _names(scored, a) == names


def test_too_few_groups_are_refused():
    with pytest.raises(SplitError, match="Received: 2 groups of 200 photos"):
        seeded_splits(_scored(groups=np.arange(200) % 2))


def test_the_official_split_is_taken_as_it_is_and_leaves_out_what_it_leaves_out():
    names = np.array(["train", "val", "test", ""] * 50)
    split = official_split(_scored(splits=names))
    np.testing.assert_array_equal(split.train, np.arange(0, 200, 4))
    np.testing.assert_array_equal(split.val, np.arange(1, 200, 4))
    np.testing.assert_array_equal(split.test, np.arange(2, 200, 4))


def test_an_official_split_without_validation_rows_gets_them_from_the_training_rows():
    names = np.array(["train"] * 150 + ["test"] * 50)
    groups = np.arange(200) // 2
    split = official_split(_scored(groups=groups, splits=names))
    np.testing.assert_array_equal(split.test, np.arange(150, 200))
    np.testing.assert_array_equal(np.union1d(split.train, split.val), np.arange(150))
    assert len(split.val) == pytest.approx(15, abs=2)
    assert not set(groups[split.train]) & set(groups[split.val])


@pytest.mark.parametrize("splits", [None, np.array(["train"] * 200)])
def test_photos_without_an_official_split_are_refused(splits):
    with pytest.raises(SplitError, match="official split"):
        official_split(_scored(splits=splits))


def test_splits_are_read_as_they_were_written_in_another_order_and_folder(tmp_path):
    scored = _scored(60, groups=np.arange(60) // 3)
    splits = [*seeded_splits(scored, 3), Split(np.arange(9), np.arange(9, 12), np.arange(30, 60))]
    write_splits(tmp_path / "splits.csv", scored, splits)
    text = (tmp_path / "splits.csv").read_text()
    assert text.startswith("image,splits\n0000.jpg,")
    assert len(text) < 20 * 61
    moved = scored.rows(np.arange(60)[::-1])
    moved = dataclasses.replace(moved, paths=[f"/new/{path[-8:]}" for path in moved.paths])
    for one, other in zip(splits, read_splits(tmp_path / "splits.csv", moved), strict=True):
        for a, b in zip(_parts(one), _parts(other), strict=True):
            np.testing.assert_array_equal(np.sort(a), np.sort(59 - b))


def test_files_of_splits_that_do_not_fit_are_refused(tmp_path):
    scored, path = _scored(60), tmp_path / "splits.csv"
    write_splits(path, scored, seeded_splits(scored, 2))
    with pytest.raises(SplitError, match=r"no splits of 1 of 61 photos, such as 0060\.jpg"):
        read_splits(path, _scored(61))
    torn = dataclasses.replace(scored, groups=np.arange(60) // 30)
    with pytest.raises(SplitError, match="split 1: photos of 2 groups stand on both sides"):
        read_splits(path, torn)
    path.write_text(path.read_text().replace("0003.jpg,", "0003.jpg,x"))
    with pytest.raises(SplitError, match="words of one length"):
        read_splits(path, scored)
    path.write_text("photo,part\n")
    with pytest.raises(SplitError, match="no splits of 60 of 60"):
        read_splits(path, scored)


def test_a_photo_in_two_rows_is_refused():
    scored = dataclasses.replace(_scored(20), paths=["/a/b.jpg"] * 20)
    with pytest.raises(SplitError, match="stands in two rows"):
        seeded_splits(scored)


def test_pairs_of_hashes_are_those_that_differ_in_few_bits():
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**63, 1200, np.uint64)
    hashes[700] = hashes[3] ^ np.uint64(0b1011)
    hashes[1100] = hashes[650]
    pairs = similar_pairs(hashes, distance=6)
    assert (3, 700, 3) in pairs
    assert (650, 1100, 0) in pairs
    slow = [
        (i, j, (int(hashes[i]) ^ int(hashes[j])).bit_count()) for i in range(1200) for j in range(i)
    ]
    assert sorted(pairs) == sorted((j, i, d) for i, j, d in slow if d <= 6)


def test_a_photo_saved_again_or_shrunk_is_a_near_duplicate_and_another_is_not(photo):
    again = np.asarray(Image.fromarray(photo).resize((384, 256)))
    brighter = np.minimum(photo.astype(int) + 12, 255).astype(np.uint8)
    other = np.ascontiguousarray(photo[:, ::-1])
    hashes = np.array([perceptual_hash(image) for image in (photo, again, brighter, other)])
    assert [pair[:2] for pair in similar_pairs(hashes)] == [(0, 1), (0, 2), (1, 2)]


def test_leaks_are_the_near_duplicates_that_a_split_fits_on_and_tests_on():
    hashes = np.array([7, 7, 2**40 - 1, 2**40 - 1, 0xF0F0F0F0F0F0F0], np.uint64)
    sides = [Split(np.array([0, 2, 4]), np.array([3]), np.array([1]))]
    sides.append(Split(np.array([0, 1]), np.array([3]), np.array([2, 4])))
    leaks = find_leaks(hashes, sides, distance=2)
    assert [(leak.first, leak.second, leak.distance, leak.splits) for leak in leaks] == [
        (0, 1, 0, (0,)),
        (2, 3, 0, (1,)),
    ]
