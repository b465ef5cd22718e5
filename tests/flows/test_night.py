"""A night takes its leases, keeps its clock, and leaves nothing but papers."""

import json
from pathlib import Path

import pytest

from data.lease import LeaseHeld, dataset_lease, holder
from data.store import Store
from flows.night import Night, call, last_paper, new_run, night, quiet, runs
from flows.recipe import Recipe
from tasks.extract import Limits


def recipe(name: str = "places", dataset: str = "places") -> Recipe:
    source = {"dataset": "folder", "root": "/nowhere"}
    return Recipe.model_validate({"name": name, "dataset": dataset, "source": source})


def test_two_nights_of_a_recipe_exclude_each_other(store: Store) -> None:
    first = night(recipe(), store, Limits(), quiet, call)
    with first, pytest.raises(LeaseHeld, match="places"):
        night(recipe(), store, Limits(), quiet, call).__enter__()
    with night(recipe(), store, Limits(), quiet, call):
        pass


def test_recipes_over_one_dataset_exclude_each_other_and_others_do_not(store: Store) -> None:
    with night(recipe("a", "shared"), store, Limits(), quiet, call):
        with pytest.raises(LeaseHeld, match=r"dataset\.shared"):
            night(recipe("b", "shared"), store, Limits(), quiet, call).__enter__()
        assert holder(store, "b") is None
        with night(recipe("b", "other"), store, Limits(), quiet, call) as other:
            other.check()


def test_a_failed_night_says_why_and_leaves_neither_lease_nor_workspace(store: Store) -> None:
    places: list[Path] = []
    with pytest.raises(ZeroDivisionError):
        fail(store, places)
    assert [place.exists() for place in places] == [False]
    assert holder(store, "places") is None
    assert holder(store, dataset_lease("places")) is None
    told = json.loads(last_paper(store, "places", "failed.json"))
    assert told["error"] == "ZeroDivisionError"
    assert set(told["seconds"]) == {"divide"}


def fail(store: Store, places: list[Path]) -> None:
    with night(recipe(), store, Limits(), quiet, call) as this:
        places.append(this.workspace)
        (this.workspace / "listing").mkdir()
        this(divide, 1, 0)


def divide(a: int, b: int) -> float:
    return a / b


def test_a_stage_that_runs_twice_adds_up(store: Store) -> None:
    with night(recipe(), store, Limits(), quiet, call) as this:
        assert this(divide, 4, 2) == 2
        once = this.seconds["divide"]
        this(divide, 4, 2)
        assert this.seconds["divide"] > once


def test_limits_shrink_by_what_was_embedded_and_by_the_clock(store: Store) -> None:
    with night(recipe(), store, Limits(max_embeds=10, max_minutes=5), quiet, call) as this:
        left = this.left(4)
        assert left.max_embeds == 6
        assert left.max_minutes is not None
        assert 0 < left.max_minutes <= 5
        assert this.left(11).max_embeds == 0
    with night(recipe(), store, Limits(), quiet, call) as this:
        assert this.left(4) == Limits()
        assert this.deadline is None


def test_runs_sort_by_time_and_the_newest_paper_is_found(store: Store) -> None:
    first, second = "20260101T000000Z-aaaaaa", "20260102T000000Z-aaaaaa"
    assert new_run() > second
    names = [new_run() for _ in range(100)]
    assert names == sorted(names)
    for run, text in ((second, b"2"), (first, b"1")):
        store.write(f"runs/places/{run}/ledger.json", text)
    store.write("runs/places/20260103T000000Z-aaaaaa/failed.json", b"{}")
    assert runs(store, "places")[:2] == [first, second]
    assert last_paper(store, "places", "ledger.json") == b"2"
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        last_paper(store, "places", "nothing.json")
    assert last_paper(store, "places", "ledger.json", [first]) == b"1"
    with pytest.raises(FileNotFoundError, match=f"Run x of .*: choose from {second}, {first}"):
        last_paper(store, "places", "ledger.json", ["x"])


def test_the_workspace_lies_where_temporary_files_lie(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with night(recipe(), store, Limits(), quiet, call) as this:
        assert isinstance(this, Night)
        assert this.workspace.parent == tmp_path
    assert list(tmp_path.glob("nightjar-*")) == []
