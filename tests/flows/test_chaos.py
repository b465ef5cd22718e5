"""Chaos compares bit for bit, sees what differs, and a killed night ends as an undisturbed one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.store import Store
from flows.chaos import chaos, durations, instants
from flows.imprint import differences, imprint
from flows.night import quiet
from flows.recipe import Recipe
from flows.reindex import reindex
from flows.trace import Event, Trace, begins, events
from tasks.balance import Ledger
from tasks.cluster import ClusterPlan

TINY = """\
name: toy
source: {{dataset: folder, root: "{root}"}}
train: {{supervision: supervised, dimensions: 16, size: 16, width: 8, epochs: {epochs}, batch: 8}}
extract: {{batch: 4, part: 4}}
evaluate: {{queries: 8, k: 10}}
"""
Told = tuple[Recipe, Store, Ledger]


@pytest.fixture
def night(picture_folder: Callable[..., Path], tmp_path: Path) -> Callable[..., Told]:
    """Runs the same source in a store of its own: recipe, store and ledger."""
    root = picture_folder(12)

    def run(name: str, epochs: int = 1) -> Told:
        recipe = Recipe.parsed(TINY.format(root=root, epochs=epochs), name, tmp_path)
        store = Store(str(tmp_path / name))
        return recipe, store, reindex(recipe, store=store)

    return run


def test_two_nights_of_one_source_leave_the_same_imprint(night: Callable[..., Told]) -> None:
    recipe, store, ledger = night("one")
    first = imprint(store, recipe, ledger)
    assert (
        set(first.index) == set(first.manifest) == {f"class{i % 4}/{i:04d}.jpg" for i in range(12)}
    )
    recipe, store, ledger = night("two")
    assert differences(first, imprint(store, recipe, ledger)) == ()


def test_another_encoder_and_another_tar_are_seen(night: Callable[..., Told]) -> None:
    recipe, store, ledger = night("one")
    first = imprint(store, recipe, ledger)
    (tar,) = (name for name in store.names("shards/toy") if name.endswith(".tar"))
    content = bytearray(store.read(f"shards/toy/{tar}"))
    content[-1] ^= 1
    store.write(f"shards/toy/{tar}", bytes(content))
    (said,) = differences(first, imprint(store, recipe, ledger))
    assert said == f"shards: 1 differ ({tar.removesuffix('.tar')})"

    recipe, store, ledger = night("two", epochs=0)
    said = "; ".join(differences(first, imprint(store, recipe, ledger)))
    assert "index: 12 differ" in said
    assert "facts: 1 differ (encoder)" in said


def test_every_stage_has_its_turn_before_one_comes_again() -> None:
    stages = {"scan": 0.5, "shard": 2.0, "index": 0.0}
    drawn = list(instants(stages, 9, seed=3))
    for turn in np.array_split(np.arange(9), 3):
        assert {drawn[i][0] for i in turn} == set(stages)
    assert all(0 <= delay <= stages[stage] for stage, delay in drawn)
    assert drawn == list(instants(stages, 9, seed=3)) != list(instants(stages, 9, seed=4))


def test_a_trace_tells_what_began_and_how_far_it_came(tmp_path: Path) -> None:
    def index(value: int) -> int:
        return value + 1

    path = tmp_path / "trace.jsonl"
    seen: list[str] = []
    with Trace(
        path, lambda stage, done, total, note: seen.append(f"{stage} {done} {note}")
    ) as trace:
        assert trace.stage(index, 41) == 42
        trace.progress("extract", 3, 7, "1 failed")
        assert begins(path, "index")
        assert not begins(path, "extract")
        told = [(event.stage, event.what, event.done, event.total) for event in events(path)]
    assert told == [("index", "begin", 0, 0), ("index", "end", 0, 0), ("extract", "progress", 3, 7)]
    assert seen == ["extract 3 1 failed"]


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    event = Event(at=1.0, stage="scan", what="begin")
    (tmp_path / "trace").write_text(f'{event.model_dump_json()}\n{{"at": 2.0, "sta')
    assert events(tmp_path / "trace") == [event]
    assert events(tmp_path / "nothing") == []


def test_a_stage_s_time_is_that_of_its_first_run() -> None:
    times = [("scan", 0), ("scan", 1), ("shard", 1), ("shard", 4), ("shard", 5), ("shard", 5)]
    whats = ["begin", "end"] * 3
    trace = [Event(at=at, stage=s, what=w) for (s, at), w in zip(times, whats, strict=True)]
    assert durations(trace) == {"scan": 1, "shard": 3}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nights_killed_at_random_instants_end_as_an_undisturbed_one(
    picture_folder: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(TINY.format(root=picture_folder(24), epochs=2))

    outcome = chaos(str(recipe), kills=16, seed=0, progress=quiet)

    assert [trial.differs for trial in outcome.trials] == [()] * 16
    assert [trial.again for trial in outcome.trials] == [0] * 16
    assert sum(bool(trial.stage) for trial in outcome.trials) >= 12
    held = 4 * ClusterPlan().threads()  # a batch in each thread's hands
    assert max(trial.in_flight for trial in outcome.trials) <= held
    assert outcome.needed == 24
    assert json.loads(json.dumps(outcome.as_json()))["differences"] == 0
