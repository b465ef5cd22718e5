"""The index versions of a recipe by the names that a person has for them."""

from data.aliases import Alias, Pointer
from data.indexes import index_names, index_table
from data.lineage import Lineage, sealed_versions
from data.store import Store


def resolve(store: Store, recipe: str, at: str | None = None) -> tuple[str, int]:
    """The index version (table, version) of RECIPE that AT means.

    Args:
        store: where the indexes lie.
        recipe: a recipe's name.
        at: None or "production"; "@prev", where production pointed before; an index version's
            number; a run; or TABLE@VERSION.

    Raises:
        ValueError: nothing is meant by AT; names what is there.
        FileNotFoundError: the recipe has no production, or production never moved.
    """
    if at is None or at == "production":
        pointer = Alias(store, recipe).current()
        if pointer is None:
            raise FileNotFoundError(
                f"{recipe} has no production version in {store.root} yet: run `nightjar reindex` "
                "with its recipe, or name a version with --at."
            )
        return pointer.place
    if at == "@prev":
        return previous(store, recipe).place
    known = [
        line
        for name in index_names(store, recipe)
        for line in sealed_versions(index_table(store, name))
    ]
    meant = {(line.table, line.version) for line in known if at in _names(line)}
    production = Alias(store, recipe).current()
    if len(meant) > 1 and production:  # each encoder's table counts its versions from 1
        meant = {place for place in meant if place[0] == production.table} or meant
    if len(meant) == 1:
        return meant.pop()
    if meant:
        several = ", ".join(sorted(f"{table}@{version}" for table, version in meant))
        raise ValueError(f"{at!r} could be any of {several}: name one of them in full.")
    choices = [f"{line.table}@{line.version} (run {line.run})" for line in known[:10]]
    raise ValueError(
        f"{at!r} is no version of {recipe}: choose from "
        f"{', '.join(['production', '@prev', *choices])}."
    )


def previous(store: Store, recipe: str) -> Pointer:
    """Where production of RECIPE pointed before it came to point where it does, if that is kept.

    What was rolled back from is not gone back to: after A, B, C and a rollback to B it is A.

    Raises:
        FileNotFoundError: it never pointed elsewhere, or those versions have been cleaned away.
    """
    gone: list[tuple[str, int]] = []
    for pointer in reversed(Alias(store, recipe).trail()[:-1]):
        try:
            index_table(store, pointer.table).open(pointer.version)
        except FileNotFoundError:
            gone.append(pointer.place)
            continue
        return pointer
    lost = ", ".join(f"{table}@{version}" for table, version in gone)
    raise FileNotFoundError(
        f"{recipe} has no earlier production version to go back to"
        + (f": {lost} was cleaned away." if lost else ".")
    )


def sealed_numbers(store: Store, table: str) -> str:
    """The numbers of the sealed versions of index TABLE, newest first, for a message."""
    found = sealed_versions(index_table(store, table))
    return ", ".join(str(lineage.version) for lineage in found) or "nothing yet"


def _names(lineage: Lineage) -> tuple[str, str, str]:
    """What a person may call a sealed version."""
    return str(lineage.version), lineage.run, f"{lineage.table}@{lineage.version}"
