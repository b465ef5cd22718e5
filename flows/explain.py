"""Why an image is in an index, or why it is not: told from the manifest and the index."""

from typing import Any

import pyarrow.compute as pc

from data.aliases import Alias
from data.indexes import index_table
from data.lineage import lineage_of
from data.manifest import LIVE, QUARANTINED, manifest, row
from data.store import Store
from flows.recipe import Recipe


def explain(store: Store, recipe: Recipe, key: str) -> dict[str, Any]:
    """What is known of image KEY: ``found`` (in production), ``why``, its bytes, what made its row.

    Raises:
        FileNotFoundError: the dataset has never been registered.
    """
    table = manifest(store, recipe.dataset)
    if not table.exists():
        raise FileNotFoundError(
            f"Dataset {recipe.dataset} is not in {store.root} yet. Run it first: nightjar reindex."
        )
    told = row(store, recipe.dataset, key)
    indexed = _indexed(store, recipe.name, key)
    answer: dict[str, Any] = {
        "key": key,
        "found": indexed is not None,
        "why": _why(told, indexed, recipe),
        "manifest": _shown(told),
        "index": indexed,
    }
    if told and told["digest"]:
        alike = (pc.field("digest") == told["digest"]) & (pc.field("state") == LIVE)
        same = table.open().scanner(columns=["key"], filter=alike).to_table()["key"].to_pylist()
        answer["same_bytes"] = sorted(other for other in same if other != key)
    return answer


def _indexed(store: Store, recipe: str, key: str) -> dict[str, Any] | None:
    """Production's row of KEY and the lineage behind it; None where it is not in production."""
    pointer = Alias(store, recipe).current()
    if pointer is None:
        return None
    version = index_table(store, pointer.table).open(pointer.version)
    columns = ["key", "digest", "labels"]
    rows = version.scanner(columns=columns, filter=pc.field("key") == key).to_table()
    if not len(rows):
        return None
    lineage = lineage_of(version)
    made = lineage.model_dump(include={"encoder", "dataset_version", "run", "code", "created"})
    return rows.to_pylist()[0] | {"version": str(pointer)} | made


def _why(told: dict[str, Any] | None, indexed: dict[str, Any] | None, recipe: Recipe) -> str:
    """The one sentence that answers the question."""
    if told is None:
        return (
            f"{recipe.source.root} has never listed it: is the key spelt as the source spells it? "
            f"An image that came after the last run is found by the next."
        )
    if told["state"] == QUARANTINED:
        return (
            f"quarantined since dataset version {told['since']}: {told['reason']}. It is read "
            f"again when its bytes change."
        )
    if told["state"] != LIVE:
        return f"removed: the source no longer lists it (dataset version {told['since']})."
    if indexed is None:
        return "live, but not in production: deferred by a limit, or held back by a gate."
    if indexed["digest"] != told["digest"]:
        return "in production with its former bytes: the new ones are not published yet."
    return f"in production since run {told['run']} wrote it."


def _shown(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """The row without what is empty."""
    if told is None:
        return None
    return {name: value for name, value in told.items() if value not in (None, "", [])}
