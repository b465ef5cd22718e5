"""What was made of a file, kept for those who ask again, whichever thread they are."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from data.adapters.stamps import Stamp, stamp_of

T = TypeVar("T")


class Held(Generic[T]):
    """What MAKE gives of a path, kept for the FILES that were asked for last.

    Of a file that has changed it is made anew. Threads that ask for the same file at once wait for
    the first of them; those that ask for another do not.
    """

    def __init__(self, make: Callable[[str], T], files: int) -> None:
        self.make, self.files = make, files
        self.lock = threading.Lock()
        self.made: dict[tuple[str, Stamp], tuple[threading.Lock, list[T]]] = {}

    def __call__(self, path: str) -> T:
        """What MAKE gives of PATH as it is now.

        Raises:
            FileNotFoundError: it is not there.
            Exception: what MAKE raised; the next who asks tries again.
        """
        key = (path, stamp_of(path))
        with self.lock:
            entry = self.made.pop(key, None) or (threading.Lock(), [])
            self.made[key] = entry
            for old in list(self.made)[: -self.files]:
                del self.made[old]
        making, made = entry
        with making:
            if not made:
                made.append(self.make(path))
            return made[0]
