"""`reiqa compare` and `reiqa_tf.compare`: an order of photos, with what is a tie."""

import io
import itertools
import json

import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.errors import ReiqaError
from reiqa_tf.scoring.score import ranking


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    for i in range(4):
        Image.fromarray(photo[60 * i : 60 * i + 64, :96]).save(folder / f"{i}.png")
    return folder


def test_photos_are_in_the_order_of_their_scores_and_ties_share_a_place(preset, folder):
    paths = [folder / f"{i}.png" for i in range(4)]
    places = reiqa_tf.compare(paths, preset, "keras").places
    scorer = reiqa_tf.load_preset(preset)
    scores = [scorer.score(path) for path in paths]
    groups = ranking(scores)
    assert [place.photo for place in places] == [paths[i] for i in itertools.chain(*groups)]
    expected = [place for place, group in enumerate(groups, 1) for _ in group]
    assert [place.place for place in places] == expected
    best = max(scores)
    for place in places:
        own = scores[paths.index(place.photo)]
        assert place.score == pytest.approx(own, rel=1e-5)
        assert place.beaten == pytest.approx(best.beats(own), abs=1e-4)


def test_table_and_json_name_all_photos(reiqa, preset, folder):
    table = reiqa("compare", folder, "--preset", preset)
    assert table.code == 0
    document = json.loads(reiqa("compare", folder, "--preset", preset, "--format", "json").out)
    photos = document["photos"]
    assert {photo["photo"] for photo in photos} == {str(folder / f"{i}.png") for i in range(4)}
    assert [photo["score"] for photo in photos] == sorted(
        (photo["score"] for photo in photos), reverse=True
    )
    assert photos[0]["beaten_by_the_best"] == 0.5
    for photo in photos:
        assert photo["photo"] in table.out
        assert f"{photo['score']:.3f} {photo['word']}" in " ".join(table.out.split())


def test_fewer_than_two_photos_are_refused_in_a_line(reiqa, preset, folder):
    result = reiqa("compare", folder / "0.png", "--preset", preset)
    assert result.code == 1
    assert result.err == "reiqa: compare: expected two photos or more. Received: 1\n"
    with pytest.raises(ReiqaError, match="Received: 0"):
        reiqa_tf.compare([])


def test_a_photo_that_cannot_be_read_is_named_and_the_rest_compared(
    reiqa, preset, folder, tmp_path
):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    result = reiqa("compare", folder, damaged, tmp_path / "gone.png", "--preset", preset)
    assert result.code == 1
    assert "damaged.png" in result.err
    assert "gone.png" in result.err
    assert "0.png" in result.out


def test_standard_input_gives_paths_or_a_photo(reiqa, preset, folder, monkeypatch):
    def compare(contents, *photos):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(contents)))
        found = reiqa("compare", "-", *photos, "--preset", preset, "--format", "json")
        assert found.code == 0
        return {photo["photo"]: photo["score"] for photo in json.loads(found.out)["photos"]}

    paths = [str(folder / f"{i}.png") for i in range(2)]
    listed = compare("\n".join(paths).encode())
    assert set(listed) == set(paths)
    piped = compare((folder / "0.png").read_bytes(), paths[1])
    assert piped == {"-": listed[paths[0]], paths[1]: listed[paths[1]]}


def test_what_a_search_leaves_out_is_said(reiqa, preset, folder, tmp_path):
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "film.mov").write_bytes(b"a film")
    result = reiqa("compare", tmp_path, "--preset", preset)
    assert result.code == 0
    assert result.err.startswith("reiqa: ")
    assert ".mov" in result.err
