"""Gates hold what is not proved; the alias moves at once, back and forth."""

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data.aliases import Alias, AliasMoved, Pointer
from data.lease import LeaseLost
from tasks.evaluate import Scores
from tasks.index import Candidate
from tasks.plan import Change
from tasks.promote import (
    GATES,
    GatesPlan,
    HeldByGate,
    check_accepted,
    check_mass_deletion,
    judge,
    now,
    promote,
    rollback,
)

if TYPE_CHECKING:
    from tasks.promote import Verdict
    from tests.tasks.conftest import World

NO_FILE = Path()


def change(live: int = 100, removed: int = 0) -> Change:
    counts = {"listed": live - removed, "removed": removed, "unchanged": live - removed}
    files: dict[str, Any] = dict.fromkeys(("rows", "doomed", "keys", "digests", "held"), NO_FILE)
    return Change(
        base=1, counts=counts, bytes=0, live_before=live, removed_live=removed, examples={}, **files
    )


def candidate(rows: int = 100, deferred: int = 0) -> Candidate:
    return Candidate(table="toy", version=3, rows=rows, upserted=0, deleted=0, deferred=deferred)


def scores(ours: float | None = 0.8, theirs: float | None = 0.8, recall: float = 1.0) -> Scores:
    """Scores of a candidate and, unless THEIRS is None, of production."""
    compared = None if ours is None or theirs is None else (ours, theirs)
    return Scores(
        protocol="labels",
        headline="map@100[min]",
        candidate={"ann_recall@10": recall} | ({} if ours is None else {"map@100[min]": ours}),
        against="" if theirs is None else "toy@2",
        compared=compared,
        interval=None if compared is None else (-0.01, 0.01),
        notes=() if ours is not None else ("labels: no image that may ask has an answer.",),
    )


def judged(accept: tuple[str, ...] = (), **given: Any) -> "Verdict":
    told = {"change": change(), "scores": scores(), "candidate": candidate(), **given}
    return judge(GatesPlan(), told["change"], None, told["scores"], told["candidate"], accept)


def test_what_passes_every_gate_is_promoted() -> None:
    verdict = judged()
    assert verdict.promote
    assert verdict.held_by == verdict.accepted == verdict.sentences == ()
    assert {figure.gate for figure in verdict.figures} == set(GATES)


@pytest.mark.parametrize(
    ("gate", "given", "says"),
    [
        ("fall", {"scores": scores(0.7799, 0.8)}, "is 0.780 against 0.800 of production"),
        ("mass_deletion", {"change": change(100, 21)}, "21 of 100 images are gone (21.0%)"),
        ("coverage", {"candidate": candidate(94, 6)}, "94 of 100 good images"),
        ("min_rows", {"candidate": candidate(0)}, "0 images are indexed, at least 1 must be"),
        ("ann_recall", {"scores": scores(recall=0.89)}, "finds 0.890 of the 10 nearest"),
        ("uncomputed", {"scores": scores(None)}, "Not computed: map@100[min]"),
    ],
)
def test_each_gate_holds_what_is_beyond_its_bound_and_says_the_figures(
    gate: str, given: dict[str, Any], says: str
) -> None:
    verdict = judged(**given)
    assert not verdict.promote
    assert gate in verdict.held_by
    assert says in " ".join(verdict.sentences)
    waved = judged(accept=verdict.held_by, **given)
    assert waved.promote
    assert waved.accepted == verdict.held_by


@pytest.mark.parametrize(
    "given",
    [
        {"scores": scores(0.7801, 0.8)},
        {"scores": scores(0.9, 0.5)},
        {"change": change(100, 20)},
        {"change": change(0, 0)},
        {"candidate": candidate(95, 5)},
        {"candidate": candidate(1)},
        {"scores": scores(recall=0.9)},
        {"scores": scores(0.3, None)},
    ],
)
def test_what_is_at_its_bound_or_better_passes(given: dict[str, Any]) -> None:
    assert judged(**given).promote


def test_a_first_candidate_that_cannot_be_measured_is_held() -> None:
    assert judged(scores=scores(None, None)).held_by == ("uncomputed",)


def test_production_that_cannot_be_compared_with_holds() -> None:
    lost = Scores("labels", "map@100[min]", {"map@100[min]": 0.9, "ann_recall@10": 1.0},
                  against="toy@2", notes=("Production could not be asked.",))  # fmt: skip
    verdict = judged(scores=lost)
    assert verdict.held_by == ("uncomputed",)
    assert "Production could not be asked" in verdict.sentences[0]


def test_accepting_one_gate_leaves_the_others_shut() -> None:
    verdict = judged(("fall",), scores=scores(0.1), candidate=candidate(50, 50))
    assert verdict.held_by == ("coverage",)
    assert verdict.accepted == ("fall",)


def test_accepting_what_would_pass_is_no_exception() -> None:
    assert judged(("fall",)).accepted == ()


def test_an_unknown_gate_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"Unknown gate 'fal': choose from .* Did you mean 'fall'"):
        check_accepted(["fal"])


def test_a_mass_deletion_stops_the_night_before_it_writes() -> None:
    gates = GatesPlan()
    assert check_mass_deletion(change(100, 20), gates).value == 0.2
    with pytest.raises(HeldByGate, match="Is it mounted whole") as held:
        check_mass_deletion(change(100, 30), gates)
    assert held.value.verdict.held_by == ("mass_deletion",)
    figure = check_mass_deletion(change(100, 30), gates, ["mass_deletion"])
    assert figure.accepted


def versions(world: "World", n: int) -> list[Pointer]:
    """Pointers to N sealed versions of one table."""
    found = []
    for night in range(n):
        world.write({f"{night}": (f"content {night}", "a", "live")})
        world.describe_all(f"part-{night}")
        lineage = world.night(f"run-{night}")
        found.append(
            Pointer(table=lineage.table, version=lineage.version, run=lineage.run, moved=now(),
                    why="promoted")
        )  # fmt: skip
    return found


def free() -> None:
    """A lease that is held."""


def test_a_rollback_goes_back_and_the_next_one_further(real_world: "World") -> None:
    store = real_world.store
    first, second, third = versions(real_world, 3)
    assert promote(store, "toy", first, free) == first
    assert promote(store, "toy", second, free, after=first) == second
    promote(store, "toy", third, free)
    back = rollback(store, "toy")
    assert (back.place, back.run, back.why) == (second.place, second.run, "rolled back")
    assert Alias(store, "toy").current() == back
    assert rollback(store, "toy").place == first.place
    with pytest.raises(FileNotFoundError, match="no earlier"):
        rollback(store, "toy")
    assert [p.why for p in Alias(store, "toy").history()] == ["promoted"] * 3 + ["rolled back"] * 2


def test_after_a_rollback_and_another_promotion_it_goes_back_to_what_was_good(
    real_world: "World",
) -> None:
    store = real_world.store
    good, bad, new = versions(real_world, 3)
    for pointer in (good, bad):
        promote(store, "toy", pointer, free)
    rollback(store, "toy")
    promote(store, "toy", new, free)
    assert rollback(store, "toy").place == good.place


def test_promoting_what_is_in_production_moves_nothing(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    promote(real_world.store, "toy", only, free)
    again = only.model_copy(update={"moved": now(), "run": "another"})
    assert promote(real_world.store, "toy", again, free) == only
    assert len(Alias(real_world.store, "toy").history()) == 1


def test_what_was_judged_against_another_production_is_not_promoted(real_world: "World") -> None:
    first, second, third = versions(real_world, 3)
    promote(real_world.store, "toy", first, free)
    promote(real_world.store, "toy", second, free)
    with pytest.raises(AliasMoved):
        promote(real_world.store, "toy", third, free, after=first)
    assert Alias(real_world.store, "toy").current() == second


def test_a_version_that_is_not_there_is_not_promoted(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    lost = only.model_copy(update={"version": 99})
    with pytest.raises(FileNotFoundError, match="version 99"):
        promote(real_world.store, "toy", lost, free)
    assert Alias(real_world.store, "toy").current() is None


def test_a_run_that_lost_its_lease_moves_nothing(real_world: "World") -> None:
    def lost() -> None:
        raise LeaseLost("taken over")

    first, second = versions(real_world, 2)
    with pytest.raises(LeaseLost):
        promote(real_world.store, "toy", first, lost)
    promote(real_world.store, "toy", first, free)
    promote(real_world.store, "toy", second, free)
    with pytest.raises(LeaseLost):
        rollback(real_world.store, "toy", lost)
    assert Alias(real_world.store, "toy").current() == second


def test_a_rollback_passes_over_what_was_cleaned_away(real_world: "World") -> None:
    first, second, third = versions(real_world, 3)
    for pointer in (first, second, third):
        promote(real_world.store, "toy", pointer, free)
    table = real_world.open()
    table.tags.delete(f"run-{second.run}")
    table.cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)
    assert rollback(real_world.store, "toy").place == first.place


def test_there_must_be_something_to_go_back_to(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    promote(real_world.store, "toy", only, free)
    with pytest.raises(FileNotFoundError, match="no earlier production version"):
        rollback(real_world.store, "toy")


def test_a_move_names_an_instant_of_its_own() -> None:
    first = now()
    time.sleep(0.002)
    assert first < now()
    assert first.endswith("+00:00")
