"""The production alias: which version of which index table search uses, and all its moves.

A move is a numbered object that exactly one of many callers can create, so there is neither a lock
to leak nor a state between two pointers: ``aliases/NAME/000007.json`` is in force until
``000008.json`` is there.
"""

from typing import Final, Literal

from data.plan import Plan
from data.probing import Probing
from data.store import Store

FOLDER: Final = "aliases"


class Pointer(Plan):
    """One move of an alias: where it points since when, and why.

    Args:
        table: an index table's name, ``RECIPE-ENCODER12``.
        version: the Lance version of that table.
        run: the run that made the version.
        moved: when the alias moved there (ISO 8601, UTC).
        why: what moved it.
        accepted: the gates that a person waved through for this move.
        probing: how the ANN index is asked, where that was tuned; None: as it is by default.
    """

    table: str
    version: int
    run: str
    moved: str
    why: Literal["promoted", "rolled back", "by hand", "tuned"]
    accepted: tuple[str, ...] = ()
    probing: Probing | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Table and version, which is what two pointers to the same content share."""
        return self.table, self.version

    def probing_of(self, table: str) -> Probing | None:
        """How a version of TABLE is asked after this one: as this one, if it is of the same table.

        Another table has another encoder, of whose distances nothing was measured.
        """
        return self.probing if self.table == table else None

    def __str__(self) -> str:
        return f"{self.table}@{self.version}"


class AliasMoved(RuntimeError):
    """The alias no longer points where its mover thought: somebody else moved it meanwhile."""


class Alias:
    """A name for one index version, moved by compare-and-swap and never forgetting a move."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.folder = f"{FOLDER}/{name}"

    def current(self) -> Pointer | None:
        """Where the alias points; None before its first move."""
        number = self._newest()
        return self._read(number) if number else None

    def history(self) -> list[Pointer]:
        """Every pointer there ever was, oldest first; the last is in force."""
        return [self._read(number) for number in range(1, self._newest() + 1)]

    def probing(self, place: tuple[str, int]) -> Probing | None:
        """How the index version PLACE is asked: as was tuned, where the alias points at it."""
        current = self.current()
        return current.probing if current and current.place == place else None

    def trail(self) -> list[Pointer]:
        """The moves that led to where it points, without those that a rollback took back."""
        trail: list[Pointer] = []
        for pointer in self.history():
            if pointer.why == "rolled back":
                while trail and trail[-1].place != pointer.place:
                    trail.pop()
            if trail and trail[-1].place == pointer.place and pointer.why == "tuned":
                trail.pop()
            if not trail or trail[-1].place != pointer.place:
                trail.append(pointer)
        return trail

    def move(self, to: Pointer, after: Pointer | None) -> None:
        """Point at TO, provided that the alias still points at AFTER (None: has never pointed).

        Of several callers that saw the same AFTER exactly one succeeds.

        Raises:
            AliasMoved: the alias points elsewhere; nothing was changed.
        """
        number = self._newest()
        found = self._read(number) if number else None
        if found != after:
            raise AliasMoved(self._moved(after, found))
        said = to.model_dump_json(indent=1, exclude_none=True)
        if not self.store.create(self._name(number + 1), said.encode()):
            raise AliasMoved(self._moved(after, self._read(number + 1)))

    def _newest(self) -> int:
        """The highest number in use; 0 for none. Moves are never deleted, so there are no gaps."""
        names = self.store.names(self.folder)
        return max((int(name.removesuffix(".json")) for name in names), default=0)

    def _name(self, number: int) -> str:
        return f"{self.folder}/{number:06d}.json"

    def _read(self, number: int) -> Pointer:
        return Pointer.model_validate_json(self.store.read(self._name(number)))

    def _moved(self, after: Pointer | None, found: Pointer | None) -> str:
        since = f" (since {found.moved}, {found.why})" if found else ""
        return (
            f"The alias {self.name!r} points at {found or 'nothing'}{since}, not at "
            f"{after or 'nothing'} as its mover believed: nothing was changed. Look at it and "
            f"decide again."
        )
