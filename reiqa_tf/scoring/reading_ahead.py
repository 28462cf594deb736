"""Work on many photos in threads, some of them ahead of the one that is asked for."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")


def ahead(work: Callable[[int], _Result], count: int, depth: int) -> Iterator[_Result]:
    """Calls a function for 0, 1, 2, ... in threads and hands its results on in that order.

    Args:
        work: function of an index; safe in threads.
        count: number of calls.
        depth: how many calls may be finished before their result is asked for.

    Yields:
        what `work` returned.
    """
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        waiting: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
        for index in range(count):
            waiting.append(threads.submit(work, index))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
