"""What the subcommands show on a terminal: progress on stderr, tables on stdout."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

from reiqa_tf.cli.tables import Justify, table_lines

if TYPE_CHECKING:
    from reiqa_tf.metrics import Agreement

_Item = TypeVar("_Item")

_SECONDS_BETWEEN = 0.1  # after which a bar is drawn anew

Subparsers: TypeAlias = Any
"""What `ArgumentParser.add_subparsers` returns; argparse has no public name for it."""


def add_parser(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """Adds a subcommand in the manner that all of them share.

    Args:
        subparsers: what `ArgumentParser.add_subparsers` returned.
        name: name of the subcommand.
        run: function from the parsed arguments to an exit code.
        summary: what the subcommand does, in a line.
        examples: lines with examples, shown below the options.

    Returns:
        its parser, to add arguments to.
    """
    from absl.flags import argparse_flags

    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse_flags.argparse.RawDescriptionHelpFormatter,
        inherited_absl_flags=None,  # absl's own flags stay with `reiqa --help`
    )
    parser.set_defaults(run=run)
    return parser


def show_progress(items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:
    """A `reiqa_tf.progress.Progress`: a bar on stderr where that is a terminal.

    Args:
        items: what a loop goes over.
        title: a word or two that say what is being done.
        total: number of items.

    Returns:
        iterator over the same items.
    """
    if total < 2 or not sys.stderr.isatty():
        return iter(items)
    return _with_a_bar(items, title, total)


def _with_a_bar(items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:
    """Writes one line over and over: a title, a bar, counts, and the time that is left."""
    block = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
    if not _can_show(sys.stderr, block):
        block = "#"
    start = drawn = time.monotonic()

    def draw(done: int) -> None:
        passed = time.monotonic() - start
        if done == 0:
            clock = ""
        elif done < total:
            clock = f"{_clock(passed / done * (total - done))} left"
        else:
            clock = f"in {_clock(passed)}"
        words = f" {done}/{total} {clock:12}"
        room = shutil.get_terminal_size().columns - len(title) - len(words) - 2
        length = min(max(room, 0), 40)
        bar = (block * (length * done // total)).ljust(length)
        sys.stderr.write(f"\r{title} {bar}{words}")
        sys.stderr.flush()

    draw(0)
    done = 0
    try:
        for item in items:
            yield item
            done += 1
            if time.monotonic() - drawn > _SECONDS_BETWEEN:
                drawn = time.monotonic()
                draw(done)
    finally:
        draw(done)
        sys.stderr.write("\n")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def print_table(
    title: str | None,
    columns: Sequence[tuple[str, Justify]],
    rows: Iterable[Sequence[str]],
    caption: str | None = None,
) -> None:
    """Prints a table to stdout.

    Args:
        title: line above the table, or None.
        columns: list of `(heading, alignment)`; numbers want `"right"`.
        rows: list of rows of texts.
        caption: line below the table.
    """
    # A pipe has no width of its own, so nothing is folded there.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    rule = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
    if not _can_show(sys.stdout, rule):
        rule = "-"
    lines = ["", *table_lines(columns, rows, width, rule), ""]
    if title is not None:
        lines[1:1] = [f" {title}"]
    if caption:
        lines.append(caption)
    print("\n".join(lines))


def print_agreement(heading: str, agreement: Agreement, caption: str) -> None:
    """Prints how well predictions agree with people.

    Args:
        heading: of the first column.
        agreement: `reiqa_tf.metrics.Agreement`.
        caption: line below the table.
    """
    rows = [
        (name, f"{getattr(agreement, name):.4f}", f"{low:.4f} to {high:.4f}")
        for name, (low, high) in agreement.intervals.items()
    ]
    columns: list[tuple[str, Justify]] = [
        (heading, "left"),
        ("value", "right"),
        ("95% interval", "right"),
    ]
    print_table(None, columns, rows, caption)


@contextlib.contextmanager
def says_on_interrupt(text: str) -> Iterator[None]:
    """On Ctrl-C, says on stderr what becomes of the work so far.

    Args:
        text: what to say; nothing is said if it is empty.
    """
    try:
        yield
    except KeyboardInterrupt:
        if text:
            print(text, file=sys.stderr)
        raise


def report_failures(
    problems: Sequence[Exception | str], total: int, failed: str = "photos could not be read"
) -> None:
    """Says at the end which photos were left out, and why.

    Args:
        problems: errors or their messages, which name the photos.
        total: number of photos that were asked for.
        failed: what to call them, and what became of them.
    """
    if not problems:
        return
    print(f"reiqa: {len(problems)} of {total} {failed}:", file=sys.stderr)
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
