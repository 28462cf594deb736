"""Serves the page that scores photos in a browser, on this machine and to this machine alone."""

from __future__ import annotations

import functools
import http
import http.server
import importlib.resources
import pathlib
from typing import Any

from reiqa_tf.errors import ReiqaError
from reiqa_tf.presets import DEFAULT
from reiqa_tf.runtimes.opening import open_artifact
from reiqa_tf.typing import PathLike

HOST = "127.0.0.1"
"""Where the page is to be had: nobody else's machine reaches it."""

PAGE = pathlib.Path(__file__).parent / "page"
"""Folder with the page, but for the model and what it shares with pages of albums."""

HEADERS = {
    # Without these two, browsers give a page no threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What the page says of itself, for its worker as well.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:;"
    " media-src blob:; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval';"
    " worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""What goes along with every file."""


class PortError(ReiqaError):
    """A port that cannot be served at. The message says why."""


class PageServer(http.server.ThreadingHTTPServer):
    """Serves the page with the ONNX file of a preset; `serve_forever` does so until interrupted.

    Args:
        preset: a folder, or the name of a preset that the package ships.
        port: to serve at; 0 takes one that is free.

    Raises:
        PresetError: if there is no such preset.
        MissingHeadError: if it has no head, so that there are no scores.
        MissingArtifactError: if it was not exported to ONNX.
        ArtifactError: if the file is damaged or foreign.
        PortError: if the port is taken or forbidden.

    Example:
    ```python
    import threading
    import urllib.request

    from reiqa_tf.web.server import PageServer

    with PageServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(len(urllib.request.urlopen(server.address).read()))
        server.shutdown()
    ```
    """

    daemon_threads = True

    def __init__(self, preset: PathLike = DEFAULT, port: int = 0) -> None:
        scorer = open_artifact(preset, "onnx")  # refused here, not in the browser
        scorer.contract.fitted_head()
        files = page_files(pathlib.Path(scorer.path))
        try:
            super().__init__((HOST, port), functools.partial(_Handler, files=files))
        except (OSError, OverflowError) as error:
            raise PortError(
                f"port {port}: cannot be served at ({error}). Name another one, or none and take "
                "any that is free."
            ) from None

    @property
    def address(self) -> str:
        """Where the page is, such as `http://127.0.0.1:40123/`."""
        return f"http://{HOST}:{self.server_port}/"


def page_files(model: pathlib.Path) -> dict[str, pathlib.Path]:
    """Which files make the page.

    Args:
        model: path of the ONNX file.

    Returns:
        dictionary from the names under which a browser asks for them to where they lie.
    """
    files = {path.relative_to(PAGE).as_posix(): path for path in PAGE.rglob("*") if path.is_file()}
    del files["service_worker.js"]  # the server is as near as a cache would be
    albums = pathlib.Path(str(importlib.resources.files("reiqa_tf.albums")))
    shared = {"album.css": albums / "page.css", "pieces.js": albums / "pieces.js"}
    return files | shared | {"model.onnx": model}


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Sends these files and no other."""

    # What an operating system calls them may be wrong, and browsers refuse scripts of wrong names.
    extensions_map = {  # noqa: RUF012 - as in the class above it
        "": "application/octet-stream",
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".gz": "application/octet-stream",
    }

    def __init__(self, *arguments: Any, files: dict[str, pathlib.Path], **options: Any) -> None:
        self.files = files
        super().__init__(*arguments, **options)

    def send_head(self) -> Any:
        """Refuses what is no file of the page, or what another site asks for."""
        if self._name() not in self.files:
            self.send_error(http.HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:  # noqa: ARG002 - that of the request
        """Where the file that is asked for lies."""
        return str(self.files[self._name()])

    def end_headers(self) -> None:
        """Adds the headers of all files."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing: what is served is no news."""

    def _name(self) -> str:
        return self.path.partition("?")[0].removeprefix("/") or "index.html"
