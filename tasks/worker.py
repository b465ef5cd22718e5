"""What goes on where the work is done: make it once, do item by item, bring errors home whole."""

import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np  # noqa: F401  (so that its BLAS is there to be found)
from threadpoolctl import ThreadpoolController

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
    make: Callable[[], Callable[[I], R]],
    items: Iterable[I],
    name: Callable[[I], str],
    threads: int,
) -> Iterator[R]:
    """`spread` over THREADS of this process, each of which does an item as one worker would."""
    with one_thread():
        work = make()
    source = iter(items)
    pending: dict[Future[R], I] = {}
    with one_thread(), ThreadPoolExecutor(threads) as pool:  # making it may have brought torch in
        for item in islice(source, threads):
            pending[pool.submit(work, item)] = item
        while pending:
            done = wait(pending, return_when=FIRST_COMPLETED).done.pop()
            item = pending.pop(done)
            try:
                answer = done.result()
            except Exception as error:
                raise failed(name(item), error) from error
            for item in islice(source, 1):  # before the answer is looked at: no thread waits
                pending[pool.submit(work, item)] = item
            yield answer


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and BLAS compute on one thread meanwhile, as in every worker: so bits are the same.

    Where others want the cores too, threads that wait for each other take many times as long.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    with _blas().limit(limits=1, user_api="blas"):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)


@cache
def _blas() -> ThreadpoolController:
    """What numpy's products are computed by; finding it takes a millisecond."""
    return ThreadpoolController()


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
