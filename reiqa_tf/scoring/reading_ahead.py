"""Work on many photos in threads, some of them ahead of the one that is asked for."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")


def ahead(
    work: Callable[[int], _Result], count: int, depth: int, threads: int | None = None
) -> Iterator[_Result]:
    """Calls a function for 0, 1, 2, ... in threads and hands its results on in that order.

    Args:
        work: function of an index; safe in threads.
        count: number of calls.
        depth: how many calls may be finished before their result is asked for.
        threads: how many calls run at a time; None takes four, or as many as there are cores.

    Yields:
        what `work` returned.
    """
    with concurrent.futures.ThreadPoolExecutor(threads or min(4, os.cpu_count() or 1)) as pool:
        waiting: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
        try:
            for index in range(count):
                waiting.append(pool.submit(work, index))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # nobody asks for the others
            for call in waiting:
                call.cancel()
