"""Nights by a protocol whose sets are drawn by lots: they are kept, named and compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.protocols import Protocol, Sets
from data.protocols.kept import digest_of_sets, kept
from data.protocols.kept import keep as keep_sets
from tasks.clean import RetainPlan, clean
from tasks.measuring.sets import drawn
from tasks.pin import pin_sets, restore
from tasks.training.selection import Wanted, selected
from tasks.training.train import load_encoder
from tests.flows.album import TRAIN, Album, photo
from tests.flows.brute import precision, ranking

DRAWN: dict[str, Any] = {
    "dataset": "folder",
    "queries": {"each": 2},
    "database": {"without": ["queries"]},
    "relevance": "same_label",
    "metric": "map[all]",
    "defined": "this test",
}


@pytest.fixture
def lots(bare: Album) -> Album:
    """Pictures of four classes, two of each of which are drawn to ask."""
    for number in range(24):
        bare.put(f"class{number % 4}/{number:02d}.jpg", photo(number))
    bare.fields |= {"evaluate": {"protocol": DRAWN}}
    return bare


def drawn_lists(album: Album) -> list[Path]:
    return sorted((album.folder / "store" / "protocols" / "toy").glob("*.csv"))


def test_drawn_sets_are_kept_and_named_by_the_version(lots: Album) -> None:
    ledger = lots.night()
    (path,) = drawn_lists(lots)
    lineage = lots.lineage()
    assert lineage.sets == f"protocols/toy/{path.name}"
    sets = kept(lots.store, lineage.sets, lineage.sets_digest)
    assert digest_of_sets(sets) == lineage.sets_digest
    assert path.name == f"{lots.recipe.evaluate.name}-{lineage.sets_digest[:12]}.csv"
    assert (len(sets.queries), len(sets.database)) == (8, 16)
    rows = lots.rows()
    values = [
        precision(
            ranking(lots, rows[key][2], list(sets.database)),
            {one for one in sets.database if rows[one][1] == rows[key][1]},
        )
        for key in sets.queries
    ]
    assert ledger.metrics["map[all]"] == pytest.approx(np.mean(values), abs=1e-6)

    content = path.read_bytes()
    lots.night()
    assert [one.read_bytes() for one in drawn_lists(lots)] == [content]


def test_two_versions_are_compared_on_the_same_queries_and_pictures(lots: Album) -> None:
    first = lots.night()
    for number in range(24, 30):
        lots.put(f"class{number % 4}/{number:02d}.jpg", photo(number))
    second = lots.night()
    assert second.promoted
    assert second.before == first.production
    assert second.production_metrics is not None
    fall = next(figure for figure in second.gates if figure.gate == "fall")
    assert fall.value == pytest.approx(0, abs=1e-9)
    assert len(drawn_lists(lots)) == 2, "other sets are another list"


def test_what_is_learned_from_is_the_training_set_and_no_query(lots: Album) -> None:
    told = DRAWN | {"train": {"each": 3, "without": ["queries"]}}
    lots.fields |= {
        "evaluate": {"protocol": told},
        "train": TRAIN | {"protocol": told, "epochs": 1, "batch": 4},
    }
    ledger = lots.night()
    card = load_encoder(lots.store, ledger.encoder).card
    assert card["images"] == 12
    lineage = lots.lineage()
    sets = kept(lots.store, lineage.sets, lineage.sets_digest)
    assert len(sets.train) == 12
    assert not set(sets.train) & set(sets.queries)


def test_drawn_sets_are_pinned_verified_and_cleaned(lots: Album, tmp_path: Path) -> None:
    lots.fields["pin"] = True
    lots.night()
    first = lots.lineage()
    back = restore(
        lots.store, "toy", first.dataset_version, tmp_path / "back", pin=first.pin, sets=first.sets
    )
    assert back.read(first.sets) == lots.store.read(first.sets)
    with pytest.raises(FileNotFoundError, match="is not pinned"):
        restore(
            lots.store, "toy", first.dataset_version, tmp_path / "no", sets="protocols/toy/x.csv"
        )
    with pytest.raises(FileNotFoundError, match=r"drawn sets protocols/toy/x.csv are not in"):
        pin_sets(lots.store, "toy", "protocols/toy/x.csv")

    lots.put("class0/new.jpg", photo(99))
    lots.night()
    second = lots.lineage()
    assert second.sets != first.sets
    keep = RetainPlan(versions=1, days=0, grace_minutes=0)
    would = clean(lots.store, "toy", "toy", keep, dry_run=True)
    assert would.sets == [], "what would be rolled back to stays as it was measured"
    stray = keep_sets(lots.store, "toy", "tried", Sets(("q",), ("d",), ()))
    assert clean(lots.store, "toy", "toy", keep).sets == [stray]
    assert not lots.store.exists(stray)

    assert lots.verified().ok
    content = lots.store.read(second.sets)
    lots.store.write(second.sets, content.replace(b'"queries"', b'"train"', 1))
    assert lots.verified().sets == (second.sets,)
    lots.store.delete(second.sets)
    found = lots.verified()
    assert (found.ok, found.sets) == (False, (second.sets,))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"queries": {"each": 7}}, "could not be asked: queries should have 7 pictures of 'class"),
        ({"queries": {"splits": ["test"]}}, "the dataset has no picture that it asks with"),
        ({"database": {"splits": ["x"]}}, "no picture of its database is in the index"),
        ({"relevance": "listed", "answers": ["easy"]}, "has an answer in its database"),
    ],
)
def test_what_cannot_be_asked_is_held_and_said(
    lots: Album, told: dict[str, Any], said: str
) -> None:
    lots.fields["evaluate"] = {"protocol": DRAWN | told}
    ledger = lots.night()
    assert "map[all]" not in ledger.metrics
    assert any(said in note for note in ledger.notes)
    assert (ledger.promoted, ledger.held_by) == (False, ("uncomputed",))


def test_a_copy_that_is_outside_the_training_set_is_told(lots: Album) -> None:
    for number in range(0, 24, 2):
        lots.copy(f"class{number % 4}/{number:02d}.jpg", f"class{number % 4}/copy{number:02d}.jpg")
    told = Protocol.model_validate(DRAWN | {"train": {"each": 3, "without": ["queries"]}})
    lots.night()
    version = lots.lineage().dataset_version
    chosen = selected(lots.store, "toy", version, Wanted(protocol=told))
    train = set(drawn(lots.store, "toy", version, told)[0].train)
    assert set(chosen.rows["key"].to_pylist()) <= train
    keys: dict[str, set[str]] = {}
    for key, (digest, _, _) in lots.rows().items():
        keys.setdefault(digest, set()).add(key)
    expected = [not keys[digest] <= train for digest in chosen.digests]
    assert chosen.elsewhere.tolist() == expected
    assert any(expected)
