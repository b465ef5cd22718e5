"""Gates hold what is not proved, say the figures, and let pass what a person accepts."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data.aliases import Pointer
from tasks.gates import (
    GATES,
    GatesPlan,
    HeldByGate,
    check_accepted,
    check_mass_deletion,
    judge,
)
from tasks.index import Candidate
from tasks.measuring.evaluate import Scores
from tasks.plan import Change

if TYPE_CHECKING:
    from tasks.gates import Verdict

NO_FILE = Path()


BACK = Pointer(
    table="toy", version=2, run="r", moved="2026-11-20T08:00:12+00:00", why="rolled back"
)


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
    return judge(
        GatesPlan(),
        told["change"],
        None,
        told["scores"],
        told["candidate"],
        accept,
        told.get("withdrawn"),
    )


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
        (
            "withdrawn",
            {"withdrawn": BACK},
            "out of production on 2026-11-20T08:00",
        ),
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


@pytest.mark.parametrize(
    ("fall", "p", "proven_fall", "held"),
    [
        (0.015, 0.001, None, False),  # tolerated, though proven
        (0.015, 0.001, 0.01, True),
        (0.015, 0.06, 0.01, False),  # chance may explain it
        (0.015, 0.001, 0.0151, False),
        (0.0001, 0.001, 0.0, True),
        (0.0, 1.0, 0.0, False),
        (-0.1, 0.001, 0.0, False),  # a proven rise
        (0.03, 0.5, None, True),  # that chance may explain it proves nothing
        (0.03, 0.001, 0.05, True),  # a looser bound of proven falls loosens nothing
        (0.015, None, 0.0, False),
    ],
)
def test_a_fall_that_chance_does_not_explain_may_be_tolerated_less(
    fall: float, p: float | None, proven_fall: float | None, held: bool
) -> None:
    told = replace(scores(0.8 - fall, 0.8), p=p)
    gates = GatesPlan(proven_fall=proven_fall)
    verdict = judge(gates, change(), None, told, candidate())
    assert verdict.held_by == (("fall",) if held else ())
    (figure,) = (one for one in verdict.figures if one.gate == "fall")
    if p is not None and fall:
        chance = "does not explain" if p < 0.05 else "may explain"
        assert f"which chance {chance} (p = {p:.2g}" in figure.sentence
    assert judge(gates, change(), None, told, candidate(), ["fall"]).promote


def test_plans_of_before_keep_their_digest() -> None:
    before = "bbf8f09048d2612ada63ddaa4a33e1d9323e2b3bc698803f9a81e1e411ba98b7"
    assert GatesPlan().digest == before
    assert GatesPlan(proven_fall=0.01).digest != before


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
