"""Stop at the end of a step when somebody asks for it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def noted_signals() -> Iterator[Callable[[], signal.Signals | None]]:
    """Notes SIGTERM and Ctrl-C instead of dying of them. A second one works as ever.

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
    former: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        noted.append(signal.Signals(number))
        restore()

    if threading.current_thread() is threading.main_thread():  # others may not set handlers
        for wanted in (signal.SIGTERM, signal.SIGINT):
            former[wanted] = signal.signal(wanted, note)
    try:
        yield lambda: noted[0] if noted else None
    finally:
        restore()
