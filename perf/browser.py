"""What the page for browsers costs: bytes and seconds until a photo has its score.

The static folder is served as a plain host would, and visited in headless Chromium, each time with
a photo at hand: first by a browser that has nothing, then by the same one, which has all of it in
its cache. Seconds run from asking for the page, without those to start the browser, on a network
that costs no time. Bytes are those that the host sent.

    npm ci --prefix web && npm run build --prefix web
    python perf/browser.py
    python perf/browser.py photo.jpg --photos 50 --rounds 3
"""

import argparse
import functools
import http.server
import json
import pathlib
import statistics
import subprocess
import tempfile
import threading
from typing import Any

from reiqa_tf.cli.terminal import print_table

ROOT = pathlib.Path(__file__).parents[1]
PHOTO = ROOT / "tests" / "photos" / "kodim23.png"
DIST = ROOT / "web" / "dist"


class _Host(http.server.SimpleHTTPRequestHandler):
    """A static host that counts what it sends."""

    sent = 0

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Sends a file."""
        contents = source.read()
        _Host.sent += len(contents)
        outputfile.write(contents)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def visit(address: str, photos: list[str], profile: str) -> dict[str, Any]:
    """What a visitor sees, and the bytes that it took; see web/visit.mjs."""
    _Host.sent = 0
    asked = json.dumps({"address": address, "photos": photos, "profile": profile})
    command = ["node", str(ROOT / "web" / "visit.mjs"), asked]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout) | {"bytes": _Host.sent}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", nargs="?", default=str(PHOTO))
    parser.add_argument("--photos", type=int, default=1, help="how often it is given to the page")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    photos = [str(pathlib.Path(arguments.photo).resolve())] * arguments.photos
    handler = functools.partial(_Host, directory=str(DIST))
    visits: dict[str, list[dict[str, Any]]] = {"nothing yet": [], "everything": []}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                for seen in visits.values():
                    seen.append(visit(address, photos, profile))
        server.shutdown()

    def median(seen: list[dict[str, Any]], name: str) -> float:
        return statistics.median(entry[name] for entry in seen)

    rows = [
        [
            has,
            f"{median(seen, 'bytes') / 1e6:.2f}",
            f"{median(seen, 'readyAfter'):.2f}",
            f"{median(seen, 'firstScoreAfter'):.2f}",
            f"{median(seen, 'allAfter'):.2f}",
            f"{median(seen, 'busy'):.0%}",
        ]
        for has, seen in visits.items()
    ]
    print_table(
        f"The page, {arguments.photos} photos of {pathlib.Path(arguments.photo).name}",
        [
            ("the browser has", "left"),
            ("MB", "right"),
            ("s to ready", "right"),
            ("s to first score", "right"),
            ("s to all", "right"),
            ("page busy while scoring", "right"),
        ],
        rows,
        caption=f"medians of {arguments.rounds}; {visits['everything'][0]['runtime']}",
    )


if __name__ == "__main__":
    main()
