"""Readers that go forward only, as those of packed files do; threads take turns with them."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

HELD: Final = 16
"""Readers that are kept while nobody reads by them."""


class Forward(Protocol):
    """What reads a file from its start on."""

    @property
    def at(self) -> int:
        """The place that it would read next; those before are behind it."""


R = TypeVar("R", bound=Forward)


class Readers(Generic[R]):
    """Readers that stand somewhere in files; the one that was used last is at the end.

    In their order all places of a file together cost a thread one pass, in however many calls: a
    reader goes on where the last call stopped. Threads never share one at the same time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.left: list[tuple[Hashable, R]] = []

    @contextmanager
    def before(self, of: Hashable, place: int, begin: Callable[[], R]) -> Iterator[R]:
        """The reader of OF that stands nearest before PLACE; one from BEGIN where none does.

        It is kept for the next afterwards, unless reading raised: then nobody goes on from there.
        """
        reader = self._nearest(of, place) or begin()
        yield reader
        with self.lock:
            self.left.append((of, reader))
            del self.left[:-HELD]

    def _nearest(self, of: Hashable, place: int) -> R | None:
        with self.lock:
            behind = [one for one in self.left if one[0] == of and one[1].at <= place]
            nearest = max(behind, key=lambda one: one[1].at, default=None)
            if nearest is None:
                return None
            self.left = [one for one in self.left if one is not nearest]
            return nearest[1]
