"""Exported files in the runtimes of the web, against Keras: ONNX in Node, TFLite in a browser.

They need `npm install` in `tests/export/web`, and Chromium for TFLite; `.ci/run` sees to the first.
"""

import functools
import http.server
import json
import pathlib
import queue
import shutil
import subprocess
import threading

import numpy as np
import pytest

from reiqa_tf.export.onnx import convert_onnx
from reiqa_tf.export.tflite import convert_tflite
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.runtimes.contract import Contract

WEB = pathlib.Path(__file__).parent / "web"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
browser = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WEB / "node_modules").is_dir(), reason="needs `npm install` in tests/export/web"
    ),
]


@pytest.fixture(scope="module")
def scorer():
    return load_preset("content_lite0_biq2021")


def check(scorer, levels, received, tolerance):
    features = scorer.features(levels[None])
    assert "error" not in received, received
    assert received["score"] == pytest.approx(float(scorer.head(features)[0]), abs=tolerance)
    for name, compute in (("spread", scorer.head.spread), ("distance", scorer.head.distance)):
        expected = float(compute(features)[0])
        assert received[name] == pytest.approx(expected, rel=10 * tolerance, abs=10 * tolerance)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_onnx_scores_in_onnxruntime_web(scorer, photo, tmp_path, precision):
    model = tmp_path / "model.onnx"
    model.write_bytes(convert_onnx(scorer, precision, Contract.of(scorer, "shipped", "0" * 64)))
    for height, width in ((512, 512), (225, 301)):
        levels = np.ascontiguousarray(photo[:height, :width])
        levels.tofile(tmp_path / "photo.rgb")
        arguments = [model, tmp_path / "photo.rgb", height, width]
        result = subprocess.run(
            ["node", WEB / "onnx.mjs", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        check(scorer, levels, json.loads(result.stdout), 1e-4 if precision == "float32" else 1e-3)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the page and its packages, and takes what it computes."""

    def __init__(self, *arguments, files, returned, **keywords):
        self.files = files
        self.returned = returned
        super().__init__(*arguments, directory=WEB, **keywords)

    def translate_path(self, path):
        name = path.split("?")[0].lstrip("/")
        return str(self.files.get(name) or super().translate_path(path))

    def do_POST(self):
        self.returned.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


def by_browser(model, levels, folder):
    """What the page computes in a browser of its own."""
    (folder / "model.tflite").write_bytes(model)
    np.ascontiguousarray(levels).tofile(folder / "photo.rgb")
    files = {name: folder / name for name in ("model.tflite", "photo.rgb")}
    returned = queue.Queue()
    handler = functools.partial(Handler, files=files, returned=returned)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        height, width = levels.shape[:2]
        address = f"http://127.0.0.1:{server.server_port}/litert.html"
        flags = [
            "--headless",
            "--no-sandbox",  # which a container's root needs
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={folder / 'browser'}",
        ]
        process = subprocess.Popen(
            [browser, *flags, f"{address}?height={height}&width={width}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return returned.get(timeout=240)
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


@pytest.mark.skipif(browser is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("float16", 1e-3), ("full_integer", 0.06)]
)
def test_tflite_scores_in_litert_for_the_web(scorer, photo, tmp_path, precision, tolerance):
    known = Contract.of(scorer, "shipped", "0" * 64)
    seen = [photo[:512, left:][:, :512] for left in (0, 100, 256)]
    model = convert_tflite(scorer, (512, 512), precision, known, calibration=seen)
    levels = photo[:, 128:640]
    check(scorer, levels, by_browser(model, levels, tmp_path), tolerance)
