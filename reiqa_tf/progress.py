"""How long work shows how far it is: one protocol for library and commands."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Progress(Protocol):
    """Something that shows how far a loop is.

    Example:
    ```python
    def dots(items, title, total):
        for item in items:
            print(".", end="")
            yield item
    ```
    """

    def __call__(self, items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:
        """Hands the items on, one by one.

        Args:
            items: what the loop goes over.
            title: a word or two that say what is being done.
            total: number of items.

        Returns:
            iterator over the same items.
        """
        ...


def silent(items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:  # noqa: ARG001
    """A `Progress` that shows nothing; the default everywhere in the library."""
    return iter(items)
