"""Addresses on object stores, with fsspec's stores in memory and on this disk."""

import os

import numpy as np
import pytest
from PIL import Image

from reiqa_tf import extras
from reiqa_tf.bulk.packing import pack, verify_pack
from reiqa_tf.cli.main import main, parse
from reiqa_tf.data.photos import find_photos, search_photos
from reiqa_tf.data.scored_photos import read_photo_list
from reiqa_tf.extras import MissingExtraError
from reiqa_tf.files import OutputError, check_new_file, folder_written_whole, written_whole
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.packs.pack import open_pack
from reiqa_tf.remote import RemoteError, is_remote, read_file

fsspec = pytest.importorskip("fsspec")

NAMES = ("0.jpg", "a/1.jpg", "a/2.png")


@pytest.fixture(params=["memory", "file"])
def store(request, photo, tmp_path):
    """The address of a folder with three photos, and other things beside them."""
    top = "/test_remote" if request.param == "memory" else tmp_path.as_posix()
    system = fsspec.filesystem(request.param)
    for number, name in enumerate(NAMES):
        path = f"{top}/photos/{name}"
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        with system.open(path, "wb") as file:
            picture = Image.fromarray(photo[9 * number : 9 * number + 50, :60])
            picture.save(file, "PNG" if name.endswith("png") else "JPEG")
    system.pipe(f"{top}/photos/notes.txt", b"no photo")
    system.makedirs(f"{top}/photos/.hidden", exist_ok=True)
    system.pipe(f"{top}/photos/.hidden/3.jpg", b"thumbnail")
    yield f"{request.param}://{top}"
    if request.param == "memory":
        system.rm(top, recursive=True)


def test_photos_on_a_store_are_found_and_read(store, photo):
    found = search_photos(f"{store}/photos")
    assert list(found.photos) == [f"{store}/photos/{name}" for name in NAMES]
    assert found.left_out == {".txt": 1}
    assert find_photos(f"{store}/photos/a/*.png") == [found.photos[2]]
    assert find_photos(f"{store}/photos/**/*.jpg") == list(found.photos[:2])
    assert find_photos(found.photos[0]) == [found.photos[0]]
    np.testing.assert_array_equal(read_image(found.photos[2]), photo[18:68, :60])
    for source in (f"{store}/none", f"{store}/*.gif", f"{store}/photos/none.jpg"):
        with pytest.raises(ImageError, match="nothing is there"):
            find_photos(source)
    with pytest.raises(ImageError, match=r"none\.jpg: no such file"):
        read_bytes(f"{store}/none.jpg")


def test_a_pack_is_made_verified_and_read_on_a_store(store, tmp_path):
    packed = pack(f"{store}/photos", f"{store}/packed", shard_photos=2)
    assert [packed.names.name(i) for i in range(3)] == list(NAMES)
    assert verify_pack(f"{store}/packed") == []
    assert find_photos(f"{store}/packed") == [f"{store}/packed/{name}" for name in NAMES]
    for name in NAMES:
        assert read_bytes(f"{store}/packed/{name}") == read_bytes(f"{store}/photos/{name}")
    here = pack(f"{store}/photos", tmp_path / "here", shard_photos=2)
    for shard in here.shards:
        contents = (tmp_path / "here" / shard.file).read_bytes()
        assert read_file(f"{store}/packed/{shard.file}") == contents
    assert len(pack(f"{store}/photos", f"{store}/packed", shard_photos=2)) == 3  # done already
    assert len(open_pack(f"{store}/packed/")) == 3


def test_files_are_written_to_a_store_and_commands_that_do_not_say_so(store, tmp_path):
    with written_whole(f"{store}/new/a.txt") as scratch:
        scratch.write_text("whole")
    assert read_file(f"{store}/new/a.txt") == b"whole"
    assert read_file(f"{store}/new/a.txt", 1, 3) == b"ho"
    with pytest.raises(OutputError, match="expected a path on this machine"):
        check_new_file(f"{store}/scores.csv")
    with pytest.raises(OutputError, match="expected a path"), folder_written_whole(store, "a"):
        pass


def test_a_list_may_name_addresses(tmp_path):
    (tmp_path / "list.csv").write_text("image\nmemory://photos/1.jpg\n2.jpg\n")
    listed = read_photo_list(tmp_path / "list.csv")
    assert listed == ["memory://photos/1.jpg", str(tmp_path / "2.jpg")]


def test_what_is_no_address_is_none():
    assert not any(map(is_remote, ("photo.jpg", "C:\\photo.jpg", "/a://b", "c:/a", ".")))
    assert all(map(is_remote, ("s3://a", "gs://b/c.jpg", "https://d/e.jpg", "abfs+x://f")))


def test_a_store_that_cannot_be_used_is_told_in_a_line(capsys, monkeypatch):
    from fsspec.registry import known_implementations

    with pytest.raises(RemoteError, match=r"expected an address that fsspec knows.*nonsense://"):
        find_photos("nonsense://bucket/photos")
    monkeypatch.setitem(
        known_implementations,
        "unbuilt",
        {"class": "no_such_module.System", "err": "Install no_such_module"},
    )
    with pytest.raises(RemoteError, match="unbuilt:// needs one more package: Install no_such"):
        find_photos("unbuilt://bucket/photos")
    with pytest.raises(ImageError, match="unbuilt:// needs one more package"):
        read_image("unbuilt://bucket/1.jpg")

    def fail(*_, **__):
        raise RuntimeError("403\nForbidden")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "cat_file", fail)
    with pytest.raises(ImageError, match=r"^memory://x/1.jpg: cannot be read \(403 Forbidden\)"):
        read_image("memory://x/1.jpg")
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "fsspec")
    with pytest.raises(MissingExtraError, match=r"s3:// needs fsspec: pip install 'reiqa_tf\[rem"):
        read_image("s3://bucket/1.jpg")
    assert main(parse(["reiqa", "score", "s3://bucket/photos"])) == 1
    line = "reiqa: s3:// needs fsspec: pip install 'reiqa_tf[remote]'\n"
    assert capsys.readouterr().err == line


def test_a_run_is_copied_to_its_store_and_goes_on_from_there(store):
    keras = pytest.importorskip("keras")
    from reiqa_tf.training.stored_runs import run_folder

    address = f"{store}/run"
    with run_folder(address) as (folder, (copy,)):
        assert isinstance(copy, keras.callbacks.Callback)
        assert not os.listdir(folder)
        (folder / "history.csv").write_text("step\n1\n")
        copy.on_train_batch_begin(0)
        assert not _names(address)
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "step-1.npz").write_bytes(b"1")
        (folder / "checkpoints" / ".step-2").mkdir()
        (folder / "checkpoints" / ".step-2" / "half.npz").write_bytes(b"2")
        copy.on_train_batch_begin(1)
        assert _names(address) == ["checkpoints/step-1.npz", "history.csv"]
        (folder / "history.csv").write_text("step\n1\n2\n")
        (folder / "checkpoints" / "step-1.npz").rename(folder / "checkpoints" / "step-2.npz")
    assert not folder.exists()
    assert _names(address) == ["checkpoints/step-2.npz", "history.csv"]
    with run_folder(f"{address}/", writes=False) as (folder, callbacks):
        assert callbacks == []
        assert (folder / "history.csv").read_text() == "step\n1\n2\n"
        assert (folder / "checkpoints" / "step-2.npz").read_bytes() == b"1"
        (folder / "other.txt").write_text("not copied")
    assert len(_names(address)) == 2


def test_a_folder_of_this_machine_is_the_run_itself(tmp_path):
    pytest.importorskip("keras")
    from reiqa_tf.training.stored_runs import run_folder

    with run_folder(tmp_path / "run") as (folder, callbacks):
        assert (folder, callbacks) == (tmp_path / "run", [])


def _names(address):
    from reiqa_tf.remote import find_files

    return [file[len(address) + 1 :] for file in find_files(address)]
