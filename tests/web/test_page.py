"""The page in headless Chromium, against Python.

It needs Chromium and `npm ci --prefix web`; `.ci/run slow` sees to the second.
"""

import functools
import gzip
import hashlib
import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image, ImageOps

from reiqa_tf.explanation.diagnosis import Diagnosis
from reiqa_tf.image.reading import read_image
from reiqa_tf.presets import DEFAULT
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.runtimes.opening import open_artifact
from reiqa_tf.scoring.calibration import WORDS
from reiqa_tf.web.server import PAGE, PageServer
from tests.image.metadata_fuzz import DISPLAY_P3

WEB = pathlib.Path(__file__).parents[2] / "web"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TOLERANCE = 0.002  # of scores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node"),
    pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs Chromium"),
    pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="needs `npm ci --prefix web`"),
]


def visit(address, photos=(), **asked):
    """What a visitor of a page sees; see web/visit.mjs."""
    asked |= {"address": address, "photos": [str(path) for path in photos]}
    result = subprocess.run(
        ["node", WEB / "visit.mjs", json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["broken"] is None
    return seen


class _PlainHost(http.server.SimpleHTTPRequestHandler):
    """A static host that can send no headers, and which notes what it is asked for."""

    def __init__(self, *arguments, asked, **options):
        self.asked = asked
        super().__init__(*arguments, **options)

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The static folder, as `npm run build` makes it, in a folder of a site."""
    site = tmp_path_factory.mktemp("site")
    model = open_artifact(DEFAULT, "onnx").path
    subprocess.run(
        ["node", WEB / "build.mjs", "build", model, site / "try"], check=True, timeout=600
    )
    return site


@pytest.fixture
def host(dist):
    """Address of the static folder, and a list of what was asked for."""
    asked = []
    handler = functools.partial(_PlainHost, directory=dist, asked=asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}/try/", asked
        server.shutdown()


@pytest.fixture(scope="module")
def ten_photos(photos_folder, tmp_path_factory):
    """Files that cameras and programs write, of three photos."""
    folder = tmp_path_factory.mktemp("ten")
    first, second, third = (
        Image.open(path).convert("RGB") for path in sorted(photos_folder.glob("*.png"))
    )

    def save(name, picture, **options):
        picture.save(folder / name, **options)

    def turned(orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        return exif

    large = first.resize((3000, 2000), Image.Resampling.LANCZOS)
    save("0 plain.png", first)
    save("1 large.jpg", large, quality=92)
    save("2 turned.jpg", second.rotate(90, expand=True), quality=90, exif=turned(6))
    save("3 mirrored.jpg", ImageOps.mirror(third), quality=90, exif=turned(2))
    save("4 small.jpg", third.resize((300, 200)), quality=60, subsampling=0)
    save("5 grey.jpg", second.convert("L"), quality=85)
    save("6 lossless.webp", third.resize((1200, 800)), lossless=True)
    clear = first.copy()
    clear.putalpha(Image.linear_gradient("L").resize(first.size))
    save("7 clear.png", clear)
    save("8 progressive.jpg", first.resize((1111, 741)), quality=75, progressive=True)
    save("9 wide.jpg", second.resize((1600, 1066)), quality=90, icc_profile=DISPLAY_P3)
    return sorted(folder.iterdir())


def check(seen, photos, scorer):
    """Whether a visitor sees what Python says of these photos."""
    assert not seen["unscored"]
    expected = {path.name: scorer.score(path) for path in photos}
    assert sorted(seen["names"]) == sorted(expected)
    for name, numbers, spoken in zip(seen["names"], seen["numbers"], seen["spoken"], strict=True):
        score = expected[name]
        assert numbers["score"] == pytest.approx(float(score), abs=TOLERANCE), name
        assert numbers["low"] == pytest.approx(score.low, abs=2 * TOLERANCE), name
        assert numbers["high"] == pytest.approx(score.high, abs=2 * TOLERANCE), name
        assert numbers["percentile"] == pytest.approx(score.percentile, abs=1), name
        assert any(f" {word} " in spoken for word in WORDS)
        assert ("unfamiliar" in spoken) is not score.familiar
    shown = [numbers["score"] for numbers in seen["numbers"]]
    assert shown == sorted(shown, reverse=True)


def test_scores_from_the_package_are_those_of_python(ten_photos):
    with PageServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        seen = visit(server.address, ten_photos)
        server.shutdown()
    assert seen["isolated"]
    assert "thread" in seen["runtime"]
    assert seen["problems"] == []
    assert seen["refused"] == [True, True]  # of page and worker, to ask other hosts
    assert all(server.address in url for url in seen["requests"])
    check(seen, ten_photos, open_artifact(DEFAULT, "onnx"))


def change_style(folder):
    """Makes another version of the page, as the next build would."""
    style, worker = folder / "page.css", folder / "service_worker.js"
    before = hashlib.sha256(style.read_bytes()).hexdigest()
    style.write_text(style.read_text() + "/* new */\n")
    after = hashlib.sha256(style.read_bytes()).hexdigest()
    assert before in worker.read_text()
    worker.write_text(worker.read_text().replace(before, after))


def test_a_static_folder_is_fetched_once_and_works_offline_with_threads(
    host, dist, ten_photos, tmp_path
):
    server, address, asked = host
    profile = str(tmp_path / "profile")
    seen = visit(address, ten_photos[:2], profile=profile)
    assert seen["isolated"]  # though the host sends none of the headers
    assert seen["refused"] == [True, True]
    origin = address.removesuffix("try/")
    assert all(origin in url for url in seen["requests"])  # those of blobs too
    large = [path for path in asked if path.endswith((".onnx", ".gz"))]
    assert len(large) == len(set(large)) == 2
    asked.clear()
    change_style(dist / "try")
    visit(address, ten_photos[:1], profile=profile)
    # Chromium asks for a page in parallel while its service worker starts.
    assert set(asked) - {"/try/"} == {"/try/service_worker.js", "/try/page.css"}
    server.shutdown()
    server.server_close()  # from here on there is nobody to ask
    seen = visit(address, ten_photos, profile=profile)
    assert seen["isolated"]
    check(seen, ten_photos, open_artifact(DEFAULT, "onnx"))


def test_fifty_photos_leave_the_page_fluid(ten_photos, tmp_path):
    photos = []
    for copy in range(5):
        for path in ten_photos:
            photos.append(tmp_path / f"{copy} {path.name}")
            shutil.copy(path, photos[-1])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with PageServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        seen = visit(server.address, [*photos, broken])
        server.shutdown()
    assert len(seen["names"]) == 50
    assert seen["status"] == "50 photos scored"
    assert [text.split(":")[0] for text in seen["unscored"]] == ["broken.jpg"]
    assert seen["busy"] < 0.25  # of the time, the page itself


def test_keyboard_and_screen_reader_reach_everything_at_the_width_of_a_phone(ten_photos):
    keys = ["End", "Home", "ArrowRight", "Enter", "ArrowRight", "ArrowLeft", "Escape"]
    shots = [
        {"width": width, "scheme": scheme, "opened": opened, "audited": width == 360}
        for width in (360, 1400)
        for scheme in ("light", "dark")
        for opened in (False, True)
    ]
    with PageServer("content_lite0_biq2021") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        seen = visit(
            server.address, ten_photos[:3], dropped=True, keys=keys, shots=shots, camera=True
        )
        server.shutdown()
    assert len(seen["names"]) == 4  # with that of the camera
    assert any(name.startswith("photo ") for name in seen["names"])
    names = seen["names"]
    assert [step["on"] for step in seen["focused"][:3]] == [names[3], names[0], names[1]]
    assert [step["viewed"] for step in seen["focused"][3:]] == [names[1], names[2], names[1], None]
    assert seen["focused"][-1]["on"] == names[1]  # back where the view was opened
    roles = ("button", "combobox", "link", "checkbox")
    controls = [control for control in seen["controls"] if control["role"] in roles]
    assert len(controls) >= 7
    assert all(control["name"] for control in controls)
    spoken = {control["name"] for control in controls}
    assert {"Choose photos", "Take a photo", "Remove all", "Order"} <= spoken
    assert all(width == shot["width"] for width, shot in zip(seen["widths"], shots, strict=True))
    assert seen["barriers"] == []  # contrast, names, roles, order: axe-core


@pytest.fixture(scope="module")
def small_site(tmp_path_factory):
    """The static folder of a small model that explains its scores."""
    from reiqa_tf.explanation.graph import about_outputs
    from reiqa_tf.export.onnx import convert_onnx
    from reiqa_tf.runtimes.contract import Contract
    from tests.explanation.conftest import make_probe
    from tests.small_models import small_scorer

    folder = tmp_path_factory.mktemp("small")
    scorer = small_scorer()
    probe = make_probe(scorer.feature_count)
    known = Contract.of(scorer, "small", "0" * 64, explained=about_outputs(scorer, probe))
    model = folder / "model.onnx"
    model.write_bytes(convert_onnx(scorer, "float32", known, probe))
    build = ["node", WEB / "build.mjs", "build", model, folder / "site"]
    subprocess.run(build, check=True, timeout=600)
    handler = functools.partial(_PlainHost, directory=folder / "site", asked=[])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", OnnxScorer(model)
        server.shutdown()


def test_a_file_that_explains_shows_faults_and_maps(small_site, ten_photos, tmp_path):
    address, scorer = small_site
    shot = {"width": 1400, "scheme": "light", "file": str(tmp_path / "shot.png"), "opened": True}
    seen = visit(address, ten_photos[:1], shots=[shot | {"map": True}])
    image = read_image(ten_photos[0], scorer.working_size)
    probabilities, amounts = scorer.run_for(image[None], ["diagnosis"])["diagnosis"][0].T
    thresholds = np.array(scorer.contract.explained.thresholds)
    assert seen["spoken"][0].endswith(Diagnosis.of(probabilities, amounts, thresholds).text)
    saturation = np.asarray(Image.open(shot["file"]).convert("HSV"))[100:600, :, 1]
    assert (saturation > 150).mean() > 0.005  # orange and blue over a grey photo


def test_webgpu_has_the_same_scores(small_site, ten_photos):
    address, scorer = small_site
    # Shaders on the processor: slow, so that the page would rather take WebAssembly.
    flags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    # Not of JPEGs of several times the working size, here 96 px: Python decodes those at reduced
    # scale, which moves a score, and browsers cannot.
    photos = [ten_photos[0], ten_photos[4], ten_photos[7]]
    seen = visit(f"{address}?runtime=webgpu", photos, flags=flags)
    if seen["runtime"] != "WebGPU":
        pytest.skip("this Chromium has no WebGPU")
    assert seen["problems"] == []
    check(seen, photos, scorer)


def test_the_runtime_that_is_committed_is_that_of_npm(dist):
    for path in (PAGE / "runtime").iterdir():
        made = dist / "try" / "runtime" / path.name
        unpack = _unpacked if path.suffix == ".gz" else pathlib.Path.read_bytes
        assert unpack(path) == unpack(made), path.name


def _unpacked(path):
    return gzip.decompress(path.read_bytes())
