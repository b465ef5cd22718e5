"""The state of a training that has not ended, as its workers keep it in a store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Final

import torch

from data.store import Store
from tasks.training.group import Group

_NO_STATE: Final = (
    *(FileNotFoundError, EOFError, UnpicklingError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError),
)
"""What reading and going on raise where something else than a state of the training is kept."""


class Checkpoint:
    """What a killed training goes on from: the whole state, and what each worker has of its own.

    The first worker names the files of a state when all of them are written, so that it is whole or
    not there; one state is kept.

    Args:
        store: holds it.
        folder: where.
        group: the workers, of which this is one; the same number of them goes on.
    """

    def __init__(self, store: Store, folder: str, group: Group) -> None:
        self._store, self._folder, self._group = store, folder, group

    @contextmanager
    def taken_up(self) -> Iterator[None]:
        """Within it a state is read and gone on from.

        Raises:
            ValueError: it cannot be; says what to do.
        """
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except _NO_STATE as error:
            said = str(error).splitlines() or [""]
            raise ValueError(
                f"A training that was killed cannot be gone on with, for its state in "
                f"{self._store.uri(self._folder)} is damaged, or another release kept it "
                f"({type(error).__name__}: {said[0][:200]}). Delete that folder, and the training "
                "begins anew."
            ) from error

    def read(self) -> tuple[bytes, bytes] | None:
        """The whole state and this worker's own; None where there is none."""
        number = self._number
        if number is None:
            return None
        rank = self._group.share.rank
        whole, own = (self._name(number, what) for what in ("whole", f"worker{rank}"))
        return self._store.read(whole), self._store.read(own)

    def write(self, whole: bytes | None, own: bytes) -> None:
        """Keep OWN, and the WHOLE state, which the first worker gives."""
        last = self._number
        number = 0 if last is None else last + 1
        self._store.write(self._name(number, f"worker{self._group.share.rank}"), own)
        if whole is not None:
            self._store.write(self._name(number, "whole"), whole)
        self._group.wait()
        if self._group.first:
            self._store.write(pointer(self._folder), json.dumps({"state": number}).encode())
            if last is not None:
                self._store.delete(f"{self._folder}/{last}")
        self._group.wait()  # nobody looks for the next number before this one is named

    @property
    def _number(self) -> int | None:
        """Of the state that is kept; None where there is none."""
        name = pointer(self._folder)
        return (
            int(json.loads(self._store.read(name))["state"]) if self._store.exists(name) else None
        )

    def _name(self, number: int, what: str) -> str:
        return f"{self._folder}/{number}/{what}.pt"


def pointer(folder: str) -> str:
    """The file of FOLDER that names the state that is kept."""
    return f"{folder}/state.json"
