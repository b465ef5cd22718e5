"""What goes on where the work is done: make it once, do item by item, bring errors home whole."""

import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

I = TypeVar("I")  # noqa: E741  (an item)
R = TypeVar("R")


class WorkFailed(RuntimeError):
    """One item of a spread could not be done; the cause is what its work raised, if it raised.

    Args:
        item: its name.
        why: a sentence.
    """

    def __init__(self, item: str, why: str) -> None:
        super().__init__(item, why)
        self.item = item
        self.why = why

    def __str__(self) -> str:
        return f"{self.item}: {self.why}"


def in_this_process(
    make: Callable[[], Callable[[I], R]], items: Iterable[I], name: Callable[[I], str]
) -> Iterator[R]:
    """`spread` in this process."""
    with one_thread():
        work = make()
    with one_thread():  # making it may have brought torch in
        for item in items:
            try:
                answer = work(item)
            except Exception as error:
                raise failed(name(item), error) from error
            yield answer


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread meanwhile, as in every worker: so results are the same bits."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Worker(Generic[I, R]):
    """The actor: makes its work when told to start, then does it item by item."""

    def start(self, make: Callable[[], Callable[[I], R]]) -> "Outcome":
        """Nothing, or the error that MAKE raised."""
        try:
            self._work = make()
        except Exception as error:
            return Outcome.of(error)
        torch = sys.modules.get("torch")  # if the work needs it, making it has imported it
        if torch is not None:
            torch.set_num_threads(1)
        return Outcome()

    def do(self, item: I) -> "Outcome":
        """What the work answers to ITEM, or the error that it raised."""
        try:
            return Outcome(answer=self._work(item))
        except Exception as error:
            return Outcome.of(error)


@dataclass(frozen=True)
class Outcome:
    """An answer, or an exception with the worker's traceback as text."""

    answer: Any = None
    error: Exception | None = None
    traceback: str = ""

    @classmethod
    def of(cls, error: Exception) -> "Outcome":
        """The outcome of work that raised ERROR, fit to travel."""
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an exception that pickle cannot carry: its text must do
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return cls(error=error, traceback=text)

    def failure(self) -> Exception | None:
        """The exception, if there is one, caused by the traceback it had in the worker."""
        if self.error is not None:
            self.error.__cause__ = _WorkerTraceback(self.traceback)
        return self.error


class _WorkerTraceback(Exception):
    """The traceback of an exception as it was in the worker."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def failed(item: str, error: Exception) -> WorkFailed:
    """The failure of ITEM whose work raised ERROR."""
    return WorkFailed(item, f"{type(error).__name__}: {error}")
