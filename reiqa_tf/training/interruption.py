"""Stop at the end of a step when somebody asks for it, and at once when asked again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

NOTICE = "stopping after this step; press again to abort"
ABORTED = "aborted; the checkpoints are as they were"

_PATIENCE = 2.0
"""Seconds in which Python may end a run by itself after the second signal."""


@contextlib.contextmanager
def noted_signals() -> Iterator[Callable[[], signal.Signals | None]]:
    """Notes SIGTERM and Ctrl-C instead of dying of them. A second one ends the process.

    Python calls handlers of signals between its own operations, and a compiled step is one of
    them: it may take a minute, in which Ctrl-C would seem to do nothing. So a thread reads from a
    pipe what signals came, which the operating system fills at once. It says on stderr that the
    first was noted. After the second, Python raises `KeyboardInterrupt` as ever if it gets to it;
    if it does not, the thread ends the process, with the exit code that shells give to a signal.
    Not in an interactive session, which would be lost.

    Yields:
        function that returns the first signal that came, or None.

    Example:
    ```python
    from reiqa_tf.training.interruption import noted_signals

    steps = 0
    with noted_signals() as received:
        while steps < 100 and not received():
            steps += 1
    ```
    """
    noted: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():  # others may not set handlers
        yield lambda: None
        return
    former: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        noted.append(signal.Signals(number))
        restore()

    for wanted in (signal.SIGTERM, signal.SIGINT):
        former[wanted] = signal.signal(wanted, note)
    try:
        with _watcher():
            yield lambda: noted[0] if noted else None
    finally:
        restore()


@contextlib.contextmanager
def _watcher() -> Iterator[None]:
    """A thread that learns of signals while Python is busy elsewhere."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    finished = threading.Event()
    former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(reading, finished), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        finished.set()
        os.close(writing)
        thread.join()
        os.close(reading)


def _watch(reading: int, finished: threading.Event) -> None:
    came = 0
    while number := os.read(reading, 1):
        if number[0] not in (signal.SIGINT, signal.SIGTERM):
            continue
        came += 1
        if came == 1:
            _say(NOTICE)
        elif not hasattr(sys, "ps1") and not finished.wait(_PATIENCE):
            # A bar may have hidden the cursor of the terminal.
            _say(f"\x1b[?25h\n{ABORTED}" if sys.stderr.isatty() else ABORTED)
            os._exit(128 + number[0])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
