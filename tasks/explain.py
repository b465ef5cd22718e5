"""Explain: for one image, what search has of it and what made that so, or why it is not there."""

import difflib
from typing import Any, Final

import lance
import pyarrow.compute as pc

from data.aliases import Pointer
from data.indexes import encoder_of, index_table
from data.lineage import Lineage, lineage_of
from data.manifest import LIVE, QUARANTINED, REMOVED, manifest, row
from data.plan import Plan
from data.store import Store
from tasks.drift import learned

SUGGESTED: Final = 3
LOOKED_THROUGH: Final = 200_000
"""Keys among which one that is spelt alike is looked for."""


class Explanation(Plan):
    """What is known of one image.

    Args:
        key: as it was asked for.
        found: whether search, in the version asked about, finds it.
        why: the answer in a sentence.
        manifest: its row now, without what is empty: digest, size, shard, offset, state, ...
        index: its row in the index version, with the version, encoder, run and code that made it;
            where the version holds learned codes, ``descriptor`` says whether this row is one.
        same_bytes: other live keys with the very same bytes.
        suggestions: keys that are spelt alike, where this one is not known.
    """

    key: str
    found: bool
    why: str
    manifest: dict[str, Any] | None = None
    index: dict[str, Any] | None = None
    same_bytes: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


def explain(
    store: Store, recipe: str, dataset: str, key: str, pointer: Pointer | None
) -> Explanation:
    """What is known of image KEY of DATASET, and whether search at POINTER finds it.

    Args:
        store: where all lies.
        recipe: the recipe's name, for what to type next.
        dataset: the dataset's name.
        key: as the source spells it.
        pointer: the index version asked about; None where nothing is in production yet.

    Raises:
        FileNotFoundError: the dataset has no version yet, or the index version is not there.
    """
    table = manifest(store, dataset)
    if not table.exists():
        raise FileNotFoundError(
            f"Dataset {dataset} is not in {store.root} yet: run `nightjar reindex` with the recipe "
            f"of {recipe}."
        )
    told = row(store, dataset, key)
    index, lineage = _indexed(store, key, pointer)
    images = table.open()
    return Explanation(
        key=key,
        found=index is not None,
        why=_why(recipe, told, index, lineage),
        manifest=_filled(told),
        index=index,
        same_bytes=_same_bytes(images, key, told),
        suggestions=() if told else _alike(images, key),
    )


def _indexed(
    store: Store, key: str, pointer: Pointer | None
) -> tuple[dict[str, Any] | None, Lineage | None]:
    """The row of KEY in the version of POINTER, and that version's lineage."""
    if pointer is None:
        return None, None
    version = index_table(store, pointer.table).open(pointer.version)
    lineage = lineage_of(version)
    columns = ["key", "digest", "uri", "labels", "split"]
    rows = version.scanner(columns, filter=pc.field("key") == key).to_table().to_pylist()
    if not rows:
        return None, lineage
    made = {"encoder", "dataset_version", "run", "code", "created", "pin"}
    said = lineage.model_dump(include=made) if lineage else {}
    said |= _learned(store, version, rows[0]["digest"])
    return {**(_filled(rows[0]) or {}), "version": str(pointer), **said}, lineage


def _learned(store: Store, version: lance.LanceDataset, digest: str) -> dict[str, str]:
    """Whether the row of DIGEST is a code that was learned itself, where VERSION has such rows."""
    codes, damaged = learned(store, version, encoder_of(version.schema))
    if damaged:
        return {"descriptor": f"unknown: {damaged[0]} is lost or damaged, see `nightjar verify`"}
    if codes is None:
        return {}
    known = bool(codes.known([digest])[0])
    return {"descriptor": "a code learned from its labels" if known else "made by the network"}


def _why(
    recipe: str,
    told: dict[str, Any] | None,
    index: dict[str, Any] | None,
    lineage: Lineage | None,
) -> str:
    """The sentence that answers the question."""
    if told is None:
        return (
            "The source has never listed it: is the key spelt as the source spells it? An image "
            "that came after the last run is found by the next."
        )
    since = f"dataset version {told['since']}, run {told['run']}"
    still = f" {index['version']} still finds its former bytes." if index else ""
    if told["state"] == QUARANTINED:
        return (
            f"Quarantined ({since}): {told['reason']}. It is read again when its bytes or the "
            f"decoder change.{still}"
        )
    if told["state"] == REMOVED:
        return f"Removed ({since}): {told['reason'] or 'gone from the source'}.{still}"
    if lineage is None:
        return (
            f"Live, but nothing is in production yet: run `nightjar reindex` with the recipe of "
            f"{recipe}."
        )
    if index is None and told["since"] > lineage.dataset_version:
        return (
            f"Live ({since}), but newer than production, which holds dataset version "
            f"{lineage.dataset_version}: a gate held the newer index version back, or its run has "
            f"not ended. `nightjar report {recipe}` says which."
        )
    if index is None:
        return (
            "Deferred: live, but without a descriptor when the index version was made, because "
            "the night's bounds were reached. The next run takes it up."
        )
    if index["digest"] != told["digest"]:
        return f"In production with its former bytes; the new ones ({since}) are not published yet."
    return f"In production: its row was last written by run {told['run']} ({since})."


def _filled(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """The row without what is empty."""
    if told is None:
        return None
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def _same_bytes(
    images: lance.LanceDataset, key: str, told: dict[str, Any] | None
) -> tuple[str, ...]:
    """The other live keys of the same digest."""
    if not told or not told["digest"]:
        return ()
    alike = (pc.field("digest") == told["digest"]) & (pc.field("state") == LIVE)
    keys = images.scanner(["key"], filter=alike).to_table()["key"].to_pylist()
    return tuple(sorted(other for other in keys if other != key))


def _alike(images: lance.LanceDataset, key: str) -> tuple[str, ...]:
    """Keys that are spelt like KEY: with the same last part first, then by edit distance."""
    last = key.rsplit("/", 1)[-1].lower()
    keys: list[str] = []
    ended: list[str] = []
    for batch in images.scanner(["key"]).to_batches():
        lowered = pc.utf8_lower(batch["key"])
        ends = batch.filter(pc.ends_with(lowered, pattern=last))["key"].to_pylist()
        ended.extend(ends[: SUGGESTED - len(ended)])
        keys.extend(batch["key"].to_pylist()[: LOOKED_THROUGH - len(keys)])
        if len(ended) == SUGGESTED:
            break
    close = difflib.get_close_matches(key, keys, n=SUGGESTED) if len(ended) < SUGGESTED else []
    return tuple(dict.fromkeys([*ended, *close]))[:SUGGESTED]
