"""`reiqa web`: the page that scores photos in a browser, on this machine."""

import argparse
import sys

from reiqa_tf import presets
from reiqa_tf.cli import terminal

_EXAMPLES = """\
  reiqa web                        says where the page is; Ctrl-C ends it
  reiqa web --open                 and opens it in the browser
  reiqa web --preset my_preset     with scores of your own

Drop photos on the page, choose them, or take one with the camera. They are scored by the browser
itself and go nowhere, not even to this command, which only hands out the page and the preset's
ONNX file. Nobody else's machine can reach it. docs/guides/browser.md says how a site gets it."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "web", run, "Score photos on a page in the browser, offline.", _EXAMPLES
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="serve at this port (default: a free one)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(arguments: argparse.Namespace) -> int:
    """Serves the page until it is interrupted and returns the exit code."""
    import webbrowser

    from reiqa_tf.web.server import PageServer

    with PageServer(arguments.preset, arguments.port) as server:
        print(server.address, flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        if arguments.open and not webbrowser.open(server.address):
            print("reiqa: no browser was found; open the address in one.", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # the usual end
            return 0
    return 0
