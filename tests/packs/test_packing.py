"""Packs: the same bytes for the same photos, whole shards alone, and every photo as it was."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.bulk import packing
from reiqa_tf.bulk.packing import pack, verify_pack
from reiqa_tf.data.photos import find_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.packs.pack import PackError, open_pack

NAMES = ["0.jpg", "a/1.jpg", "a/2.png", "a/b/3.jpg", "c/4.jpg", "c/5.jpg", "z.jpg"]
BROKEN = "c/4.jpg"


@pytest.fixture(scope="module")
def photos(photo, tmp_path_factory):
    """Seven photos in folders, one of which is broken, and something else."""
    folder = tmp_path_factory.mktemp("pack") / "photos"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[9 * number : 9 * number + 60, :70]).save(folder / name)
    (folder / BROKEN).write_bytes((folder / "c/5.jpg").read_bytes()[:900])
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def packed(photos, tmp_path_factory):
    return pack(photos, tmp_path_factory.mktemp("out") / "packed", shard_photos=3)


def digests(folder):
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in sorted(os.listdir(folder))
    }


def test_a_pack_holds_every_readable_photo_byte_for_byte(photos, packed):
    kept = [name for name in NAMES if name != BROKEN]
    assert [packed.names.name(i) for i in range(len(packed))] == kept
    assert [shard.photos for shard in packed.shards] == [3, 2, 1]
    for index, name in enumerate(kept):
        assert packed.read(index) == (photos / name).read_bytes()
    assert list(packed.left_out) == [BROKEN]
    assert "truncated" in packed.left_out[BROKEN]
    assert str(photos) not in packed.left_out[BROKEN]
    assert verify_pack(packed.folder) == []
    assert packed.size == sum(
        os.path.getsize(f"{packed.folder}/{shard.file}") for shard in packed.shards
    )


def test_a_pack_stands_for_the_folder_that_it_was_made_of(photos, packed):
    kept = [name for name in NAMES if name != BROKEN]
    assert find_photos(packed.folder) == [f"{packed.folder}/{name}" for name in kept]
    assert find_photos(f"{packed.folder}/a/b/3.jpg") == [f"{packed.folder}/a/b/3.jpg"]
    assert read_bytes(f"{packed.folder}/a/2.png") == (photos / "a/2.png").read_bytes()
    np.testing.assert_array_equal(
        read_image(f"{packed.folder}/z.jpg"), read_image(photos / "z.jpg")
    )
    for name in (BROKEN, "a/none.jpg", "a"):
        with pytest.raises(ImageError, match=f"{name}: no such file"):
            read_bytes(f"{packed.folder}/{name}")
    with pytest.raises(ImageError, match="no such file or folder"):
        find_photos(f"{packed.folder}/none.jpg")


def test_a_photo_of_a_pack_is_found_by_a_process_that_has_not_opened_it(packed, monkeypatch):
    monkeypatch.setattr("reiqa_tf.packs.pack._opened", {})
    assert read_bytes(f"{packed.folder}/a/b/3.jpg") == packed.read(3)


def test_the_same_photos_make_the_same_bytes_wherever_they_lie(photos, packed, tmp_path):
    shutil.copytree(photos, tmp_path / "moved")
    again = pack(tmp_path / "moved", tmp_path / "packed", shard_photos=3)
    assert digests(tmp_path / "packed") == digests(packing.pathlib.Path(packed.folder))
    before = digests(tmp_path / "packed")
    assert len(pack(tmp_path / "moved", tmp_path / "packed", shard_photos=3)) == len(again)
    assert digests(tmp_path / "packed") == before
    of_list = pack(reversed([*find_photos(photos)] * 2), tmp_path / "of_list", shard_photos=3)
    assert digests(tmp_path / "of_list") == before
    assert of_list.paths[1] == f"{tmp_path}/of_list/a/1.jpg"


def test_a_pack_that_was_interrupted_goes_on_with_the_shards_that_are_not_whole(
    photos, packed, tmp_path, monkeypatch
):
    out = tmp_path / "packed"

    def until(count):
        def progress(items, title, total):
            for number, item in enumerate(items):
                if number == count:
                    raise KeyboardInterrupt
                yield item

        return progress

    with pytest.raises(KeyboardInterrupt):
        pack(photos, out, shard_photos=3, progress=until(4))
    assert [name for name in os.listdir(out) if name.endswith(".tfrecord")] == [
        "photos-00000-of-00003.tfrecord"
    ]
    with pytest.raises(PackError, match="not a pack"):
        open_pack(out)
    with pytest.raises(PackError, match="an unfinished pack of other photos"):
        pack(photos, out, shard_photos=2)
    (out / ".photos-00001-of-00003.left").mkdir()  # as a process that was killed leaves it
    read = []
    monkeypatch.setattr(packing, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    pack(photos, out, shard_photos=3)
    assert len(read) == 4
    assert digests(out) == digests(packing.pathlib.Path(packed.folder))


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_whole_shards_alone(photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(60):
        Image.fromarray(photo).save(tmp_path / f"photos/{number:02}.png")
    code = "from reiqa_tf.cli.main import run; run()"
    command = [sys.executable, "-c", code, "pack", str(tmp_path / "photos"), "--out"]
    options = ["--shard-photos", "5"]
    out = tmp_path / "packed"
    with subprocess.Popen([*command, str(out), *options]) as process:
        while not (out / "photos-00001-of-00012.tfrecord").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not (out / "pack.json").exists()
    whole = [name for name in os.listdir(out) if name.endswith(".tfrecord")]
    assert 2 <= len(whole) < 12
    subprocess.run([*command, str(out), *options], check=True)
    subprocess.run([*command, str(tmp_path / "other"), *options], check=True)
    assert digests(out) == digests(tmp_path / "other")
    assert verify_pack(out) == []


def test_damage_is_found_and_named(packed, tmp_path, capsys):
    from reiqa_tf.cli.main import main, parse

    shutil.copytree(packed.folder, tmp_path / "packed")
    shards = sorted(path for path in (tmp_path / "packed").glob("*.tfrecord"))
    assert main(parse(["reiqa", "pack", "--verify", str(tmp_path / "packed")])) == 0
    assert "6 photos in 3 shards" in capsys.readouterr().out
    contents = bytearray(shards[0].read_bytes())
    contents[contents.find(b"a/1.jpg")] ^= 1
    shards[0].write_bytes(contents)
    shards[1].write_bytes(shards[1].read_bytes()[:-1])
    shards[2].unlink()
    assert main(parse(["reiqa", "pack", "--verify", str(tmp_path / "packed")])) == 1
    said = capsys.readouterr().err
    assert "3 of 3 shards are not as they were made" in said
    assert f"{shards[0]}, record 1: damaged, its checksum" in said
    assert f"{shards[1]}: expected " in said
    assert f"{shards[2]}: is not there" in said
    damaged = open_pack(tmp_path / "packed")
    with pytest.raises(ImageError, match=r"a/1.jpg: damaged, its checksum"):
        read_image(damaged.paths[1])
    with pytest.raises(ImageError, match=r"its shard .* cannot be read"):
        read_image(damaged.paths[5])
    index = tmp_path / "packed" / "index.npz"
    index.write_bytes(index.read_bytes()[:-1])
    with pytest.raises(PackError, match=r"index.npz is damaged"):
        open_pack(tmp_path / "packed")


def test_the_command_packs_and_names_what_it_left_out(photos, tmp_path, capsys):
    from reiqa_tf.cli.main import main, parse

    out = str(tmp_path / "packed")
    assert main(parse(["reiqa", "pack", str(photos), "--out", out, "--shard-photos", "4"])) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{out}: 6 photos in 2 shards, 0.")
    assert f"1 of 7 photos could not be read:\n  {BROKEN}: cannot be decoded" in captured.err
    for words in (["--verify", out, "--out", out], [str(photos)], []):
        assert main(parse(["reiqa", "pack", *words])) == 1
        assert "expected photos and a folder" in (said := capsys.readouterr().err) or (
            "--verify FOLDER stands alone" in said
        )


def test_what_cannot_be_packed_is_refused_before_anything_is_written(photos, packed, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").write_text("mine")
    for error, arguments in (
        (ReiqaError, (photos, tmp_path / "full")),
        (ReiqaError, (tmp_path / "full", tmp_path / "packed")),
        (PackError, ([], tmp_path / "packed")),
        (ReiqaError, (photos, tmp_path / "full" / "other.txt")),
    ):
        with pytest.raises(error):
            pack(*arguments)
    with pytest.raises(PackError, match="shard_photos: expected 1 or more"):
        pack(photos, tmp_path / "packed", shard_photos=0)
    with pytest.raises(PackError, match="holds a pack of other photos"):
        pack(photos, packed.folder, shard_photos=4)
    with pytest.raises(PackError, match=r"none of 1 photos can be read. 4.jpg: "):
        pack([photos / BROKEN], tmp_path / "none")
    assert os.listdir(tmp_path / "full") == ["other.txt"]
    assert not (tmp_path / "packed").exists()


def test_names_in_any_encoding_are_kept(photos, tmp_path):
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    name = b"caf\xe9.jpg"
    shutil.copy(photos / "z.jpg", os.path.join(folder, name))
    (tmp_path / "odd" / "b.jpg").write_text("no photo")
    odd = pack(tmp_path / "odd", tmp_path / "packed")
    assert os.fsencode(odd.paths[0]) == os.fsencode(tmp_path / "packed") + b"/" + name
    assert read_bytes(odd.paths[0]) == (photos / "z.jpg").read_bytes()
    assert verify_pack(tmp_path / "packed") == []


def test_scores_of_a_pack_are_those_of_the_folder(photos, packed, tmp_path, capsys):
    from reiqa_tf.cli.main import main, parse

    preset = "content_lite0_biq2021"
    scored = {
        path.removeprefix(f"{packed.folder}/"): float(outcome.score)
        for path, outcome in reiqa_tf.score_many(packed.folder, preset)
    }
    alone = {
        os.path.relpath(path, photos): float(outcome.score)
        for path, outcome in reiqa_tf.score_many(photos, preset)
        if outcome.score is not None
    }
    assert scored == alone
    words = ["reiqa", "score", packed.folder, "--preset", preset, "--format", "csv"]
    assert main(parse(words)) == 0
    assert f"{packed.folder}/a/b/3.jpg" in capsys.readouterr().out
    assert main(parse([*words, "--xmp"])) == 1
    assert "in a pack or on a store, where no sidecar can lie" in capsys.readouterr().err
    album = reiqa_tf.score_album(packed.folder, preset, thumbnails=False)
    assert len(album.photos) == 6
    assert len(album.save_sidecars()) == 6
    assert not list(tmp_path.rglob("*.xmp"))
