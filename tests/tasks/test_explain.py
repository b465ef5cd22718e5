"""Of every image one can ask where it is and why, whatever became of it."""

from typing import TYPE_CHECKING, Any

import pytest

from data.store import Store
from tasks.explain import Explanation, explain
from tasks.extract import Limits

if TYPE_CHECKING:
    from tests.tasks.conftest import Life


def asked(life: "Life", key: str) -> Explanation:
    return explain(life.store, life.recipe, life.dataset, key, life.alias.current())


def first(life: "Life") -> str:
    return min(path.relative_to(life.root).as_posix() for path in life.root.rglob("*.jpg"))


def test_an_image_in_production_tells_its_bytes_its_place_and_its_makers(life: "Life") -> None:
    ledger = life.night()
    found = asked(life, first(life))
    assert found.found
    assert found.why.startswith("In production: its row was last written by run run-1")
    assert found.manifest
    assert found.index
    content = life.store.read_range(
        f"shards/{life.dataset}/{found.manifest['shard']}.tar",
        found.manifest["offset"],
        found.manifest["length"],
    )
    assert content == (life.root / first(life)).read_bytes()
    assert found.index["digest"] == found.manifest["digest"]
    assert found.index["encoder"] == ledger.encoder
    assert found.index["version"] == ledger.production
    assert found.index["run"] == "run-1"
    assert Explanation.model_validate_json(found.model_dump_json()) == found


def test_the_same_bytes_elsewhere_are_named(life: "Life") -> None:
    (life.root / "copy.jpg").write_bytes((life.root / first(life)).read_bytes())
    life.night()
    assert asked(life, "copy.jpg").same_bytes == (first(life),)


def test_a_key_that_was_never_listed_is_answered_with_those_spelt_alike(life: "Life") -> None:
    life.night()
    found = asked(life, "clas0/0000.JPG")
    assert not found.found
    assert "never listed" in found.why
    assert found.suggestions[0] == "class0/0000.jpg"
    assert "class0/0000.jpg" in asked(life, "0000.jpg").suggestions


def test_a_bad_image_says_what_is_wrong_with_it(life: "Life") -> None:
    (life.root / "bad.jpg").write_bytes(b"no image")
    life.night()
    found = asked(life, "bad.jpg")
    assert not found.found
    assert found.why.startswith("Quarantined (dataset version 1, run run-1): not an image.")


def test_a_removed_image_says_when_it_went(life: "Life") -> None:
    life.night()
    gone = first(life)
    (life.root / gone).unlink()
    life.night()
    found = asked(life, gone)
    assert not found.found
    assert found.why == "Removed (dataset version 2, run run-2): gone from the source."


def test_a_moved_image_says_where_it_went(life: "Life") -> None:
    life.night()
    old = first(life)
    (life.root / old).rename(life.root / "class0" / "moved.jpg")
    life.night()
    assert "moved to class0/moved.jpg" in asked(life, old).why
    assert asked(life, "class0/moved.jpg").found


def test_an_image_that_waits_says_so(life: "Life") -> None:
    life.limits = Limits(max_embeds=20)
    life.gates = life.gates.model_copy(update={"coverage": 0.0})
    waiting = life.night().ledger.missing[0].key
    assert asked(life, waiting).why.startswith("Deferred: live, but without a descriptor")


def test_an_image_that_a_gate_keeps_back_says_so(life: "Life", draw: Any) -> None:
    life.night()
    changed = first(life)
    (life.root / changed).write_bytes(draw(900))
    (life.root / "new.jpg").write_bytes(draw(901))
    life.gates = life.gates.model_copy(update={"min_rows": 1000})
    assert life.night().held_by == ("min_rows",)
    assert "a gate held the newer index version back" in asked(life, "new.jpg").why
    found = asked(life, changed)
    assert found.found
    assert found.why.startswith("In production with its former bytes")


def test_before_the_first_promotion_it_is_said_what_to_do(life: "Life") -> None:
    life.gates = life.gates.model_copy(update={"min_rows": 1000})
    life.night()
    assert "nothing is in production yet" in asked(life, first(life)).why


def test_a_key_with_quotes_is_only_a_key(life: "Life") -> None:
    life.night()
    assert not asked(life, "x' OR key <> 'x").found


def test_a_dataset_that_is_not_there_says_what_to_do(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match="run `nightjar reindex` with the recipe of toy"):
        explain(store, "toy", "pictures", "a", None)
