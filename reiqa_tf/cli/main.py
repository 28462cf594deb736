"""The command `reiqa` and what its subcommands share: flags, errors, exit codes."""

import argparse
import errno
import importlib
import io
import os
import sys
import warnings

from absl import app
from absl.flags import argparse_flags

from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra
from reiqa_tf.version import __version__

COMMANDS: dict[str, str | None] = {
    "score": None,
    "explain": None,
    "compare": None,
    "web": None,
    "fit": "tensorflow",
    "fit_diagnosis": "tensorflow",
    "evaluate": "tensorflow",
    "benchmark": "benchmark",
    "sensitivity": "tensorflow",
    "beam_score": "beam",
    "pack": None,
    "convert": "tensorflow",
    "presets": None,
    "export": "export",
    "verify": "export",
    "distort": "tensorflow",
    "views": "tensorflow",
    "pretrain": "tensorflow",
    "tune": "tensorflow",
    "distill": "tensorflow",
}
"""The subcommands, and the extra that each needs before it does anything."""

_EPILOG = """\
examples:
  reiqa score photo.jpg                           a score, at once and offline
  reiqa score holiday/ --page holiday.html        a folder to look at, the best photos first
  reiqa explain photo.jpg --out why.png           why it has that score, and what is wrong with it
  reiqa compare burst/                            which shot is the better one, and how sure is it
  reiqa web --open                                the same in a browser, by drag and drop
  reiqa fit scores.csv --out my_preset            your own photos, your own scores
  reiqa evaluate scores.csv --preset my_preset    how well it agrees with people
  reiqa benchmark --database csv=scores.csv --out judged    the same as papers do it
  reiqa sensitivity photos/ --out fall            does the score fall as a photo gets worse?
  reiqa export --format onnx --out exported       for servers, phones and browsers
  reiqa pretrain photos/ --out run                an encoder of your own
  reiqa distill scores.csv --out run              a small scorer, for phones
  reiqa pack photos/ --out packed                 a million photos, for scoring and training

`reiqa COMMAND --help` explains each command with examples of its own."""

FAILED = 1
INTERRUPTED = 130  # as a shell says it: 128 + SIGINT
UNHEARD = 141  # as a shell says it: 128 + SIGPIPE

# Why the system may refuse what is written to standard output.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


def run() -> None:
    """Runs the command with the arguments of the process; what the console script calls."""
    # Damaged EXIF and the like: what matters of it is said photo by photo.
    warnings.filterwarnings("ignore", module="PIL")
    # Names of files may hold what the terminal's encoding lacks: shown as \\u...., never lost.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        app.run(main, flags_parser=parse)
    except OSError as error:  # of `--help`, say
        sys.exit(_output_failed(error))
    except SystemExit as end:
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            sys.exit(_output_failed(error))
        raise end from None


def parse(argv: list[str]) -> argparse.Namespace:
    """Parses the command line.

    Args:
        argv: the name of the program, then its arguments.

    Returns:
        the arguments, with the name of the subcommand as `command` and its function as `run`.
    """
    parser = argparse_flags.ArgumentParser(
        prog="reiqa",
        description="Judge the quality of photos without a reference, after Re-IQA.",
        epilog=_EPILOG,
        formatter_class=argparse_flags.argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reiqa_tf {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    # A command imports its own numbers for its help: all of them, only to list or to refuse names.
    asked = argv[1].replace("-", "_") if len(argv) > 1 else ""
    for name in [asked] if asked in COMMANDS else COMMANDS:
        importlib.import_module(f"reiqa_tf.cli.{name}").add_parser(subparsers)
    arguments: argparse.Namespace = parser.parse_args(argv[1:])
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Runs the chosen subcommand.

    Args:
        arguments: what `parse` returned.

    Returns:
        exit code: 0, `FAILED`, `INTERRUPTED`, `UNHEARD`, or another one of the subcommand's.
    """
    extra = COMMANDS[arguments.command.replace("-", "_")]
    try:
        if extra is not None:
            require_extra(extra, arguments.command)
        code: int = arguments.run(arguments)
        return code
    except ReiqaError as error:
        print(f"reiqa: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("reiqa: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _output_failed(error)


def _output_failed(error: OSError) -> int:
    """Says in a line that standard output takes no more; silent where its reader has gone.

    Args:
        error: why writing failed. It is raised again if it is not about standard output.

    Returns:
        exit code: `UNHEARD` or `FAILED`.
    """
    # Errors about files have their names; those of files of the package's own are `OutputError`.
    is_unheard = isinstance(error, BrokenPipeError)
    if error.filename is not None or not (is_unheard or error.errno in _FULL):
        raise error
    if sys.stdout is not None:  # what waits to be written would fail again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if is_unheard:  # `reiqa score ... | head`: whoever read it has seen enough
        return UNHEARD
    print(f"reiqa: standard output: cannot be written ({error.strerror}).", file=sys.stderr)
    return FAILED
