"""Stop at the end of a step when somebody asks for it."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def noted_signals():
    """Notes SIGTERM and Ctrl-C instead of dying of them. A second one works as ever.

    Yields:
        function that answers the first signal that came, or None.

    Example:
    ```python
    with noted_signals() as received:
        while not received():
            step()
    ```
    """
    noted, former = [], {}

    def note(number, _):
        noted.append(signal.Signals(number))
        for each, handler in former.items():
            signal.signal(each, handler)

    if threading.current_thread() is threading.main_thread():  # others may not set handlers
        for each in (signal.SIGTERM, signal.SIGINT):
            former[each] = signal.signal(each, note)
    try:
        yield lambda: noted[0] if noted else None
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
