"""The moves of the production alias: to a version that has passed the gates, and back."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

from data.aliases import Alias, Pointer
from data.indexes import index_table
from data.store import Store
from tasks.searching.versions import previous


def promote(
    store: Store,
    alias: str,
    pointer: Pointer,
    check: Callable[[], None],
    after: Pointer | None = None,
) -> Pointer:
    """Make POINTER production; the pointer in force afterwards.

    Where production points there already, nothing is moved. How the ANN index is asked, where that
    was tuned, goes on to the next version of the same table. Searches under way stay in the version
    they opened; the next one opens the new.

    Args:
        store: where the alias lies.
        alias: its name, the recipe's.
        pointer: where it shall point.
        check: raises if this run may no longer write; called right before the move.
        after: where production pointed when POINTER was judged; now, if None.

    Raises:
        AliasMoved: production moved since.
        FileNotFoundError: POINTER names no index version that is there.
    """
    current = Alias(store, alias).current()
    if current and current.place == pointer.place:
        return current
    index_table(store, pointer.table).open(pointer.version)
    left = after or current
    if left and pointer.probing is None:
        pointer = pointer.model_copy(update={"probing": left.probing_of(pointer.table)})
    check()
    Alias(store, alias).move(pointer, after=left)
    return pointer


def rollback(store: Store, alias: str, check: Callable[[], None] | None = None) -> Pointer:
    """Point production at where it pointed before; the pointer in force afterwards.

    Called again it goes further back; what was left is gone to again by `promote`.

    Raises:
        FileNotFoundError: production never pointed elsewhere, or nothing of that is kept.
        AliasMoved: somebody else moved it at the same instant.
    """
    back = previous(store, alias)
    current = Alias(store, alias).current()
    pointer = back.model_copy(update={"moved": now(), "why": "rolled back", "accepted": ()})
    if check:
        check()
    Alias(store, alias).move(pointer, after=current)
    return pointer


def withdrawn(store: Store, alias: str, place: tuple[str, int]) -> Pointer | None:
    """The move by which a person took PLACE (table, version) out of production; None if none did.

    A night that finds nothing new would else publish again what was rolled back from.
    """
    current = Alias(store, alias).current()
    if current is None or current.place == place:
        return None
    history = Alias(store, alias).history()
    leaving = (
        to for of, to in pairwise(history) if of.place == place != to.place and to.why != "promoted"
    )
    return next(iter(reversed([*leaving])), None)


def now() -> str:
    """This instant as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat()
