"""Gates: what a night must prove before search uses what it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from data.plan import Plan
from data.taxonomy import unknown
from tasks.measuring.evaluate import Scores
from tasks.measuring.ranking import ANN_RECALL

if TYPE_CHECKING:
    from data.aliases import Pointer
    from tasks.extract import Extraction
    from tasks.index import Candidate
    from tasks.plan import Change

GATES: Final = (
    *("fall", "mass_deletion", "coverage", "min_rows", "ann_recall"),
    *("withdrawn", "uncomputed"),
)
"""The gates' names: what a run may be held by, and what ``--accept`` takes."""


class GatesPlan(Plan):
    """What holds a night back from production."""

    later: ClassVar[Mapping[str, Any]] = {"proven_fall": None}

    fall: float = Field(
        default=0.02, ge=0, le=1, description="tolerated fall of the headline metric, absolute"
    )
    proven_fall: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="tolerated fall where a paired test over the queries says that chance does not "
        "explain it (p < 0.05); none: as fall",
    )
    mass_deletion: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="tolerated share of live images that are removed in one night",
    )
    coverage: float = Field(
        default=0.95, ge=0, le=1, description="least share of the good images that can be searched"
    )
    min_rows: int = Field(
        default=1, ge=0, description="fewest images of an index that is published"
    )
    ann_recall: float = Field(
        default=0.9, ge=0, le=1, description="least recall@10 of the ANN index against exact search"
    )


@dataclass(frozen=True)
class Figure:
    """What one gate measured; it holds the run where its bound is passed and nobody accepted it."""

    gate: str
    value: float | None
    bound: float | None
    held: bool
    accepted: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate goes to production, and the figures of every gate."""

    figures: tuple[Figure, ...]

    @property
    def promote(self) -> bool:
        """Whether no gate holds it."""
        return not self.held_by

    @property
    def held_by(self) -> tuple[str, ...]:
        """The gates that hold it, in their order."""
        return tuple(figure.gate for figure in self.figures if figure.held)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The gates that would hold it, had a person not accepted them."""
        return tuple(figure.gate for figure in self.figures if figure.accepted)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why it is held, a sentence a gate."""
        return tuple(figure.sentence for figure in self.figures if figure.held)


class HeldByGate(RuntimeError):
    """A gate stopped the run before it wrote anything; `verdict` holds the figures."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(" ".join(verdict.sentences))


def check_accepted(accept: Sequence[str]) -> frozenset[str]:
    """ACCEPT as a set of gates.

    Raises:
        ValueError: one of them names no gate.
    """
    for gate in accept:
        if gate not in GATES:
            raise ValueError(unknown("gate", gate, GATES))
    return frozenset(accept)


def check_listed(change: "Change", root: str) -> None:
    """Return if there is, or ever was, something to index.

    Raises:
        ValueError: the source at ROOT lists no image, and never has.
    """
    if not change.base and not change.counts["listed"]:
        raise ValueError(
            f"The source {root} lists no image: there is nothing to index. Is it the right place, "
            "and mounted?"
        )


def check_mass_deletion(change: "Change", gates: GatesPlan, accept: Sequence[str] = ()) -> Figure:
    """What the mass-deletion gate says of CHANGE; asked before anything is written.

    A source that is half mounted lists a part of its images, and the rest looks deleted.

    Raises:
        HeldByGate: more than the tolerated share of the live images is gone and nobody accepted it.
        ValueError: ACCEPT names an unknown gate.
    """
    figure = _mass_deletion(change, gates, check_accepted(accept))
    if figure.held:
        raise HeldByGate(Verdict((figure,)))
    return figure


def judge(
    gates: GatesPlan,
    change: "Change",
    extraction: "Extraction | None",
    scores: Scores,
    candidate: "Candidate",
    accept: Sequence[str] = (),
    withdrawn: "Pointer | None" = None,
) -> Verdict:
    """Whether CANDIDATE may become production, with the figures of each gate.

    Args:
        gates: the recipe's bounds.
        change: what the night found changed.
        extraction: what was embedded, and what had to wait; None where there was nothing to do.
        scores: what `evaluate` measured.
        candidate: the index version in question.
        accept: gates that a person waves through.
        withdrawn: the move by which a person took this very version out of production, if one did.

    Raises:
        ValueError: ACCEPT names an unknown gate.
    """
    accepted = check_accepted(accept)
    good = candidate.rows + candidate.deferred
    coverage = candidate.rows / good if good else 0.0
    bounded = extraction.deferred if extraction else 0
    recall = scores.candidate.get(ANN_RECALL)
    gone = [name for name, value in _needed(scores).items() if value is None]
    return Verdict(
        (
            _mass_deletion(change, gates, accepted),
            _figure(
                "min_rows",
                candidate.rows,
                gates.min_rows,
                candidate.rows < gates.min_rows,
                accepted,
                f"{candidate.rows} images are indexed, at least {gates.min_rows} must be.",
            ),
            _figure(
                "coverage",
                coverage,
                gates.coverage,
                coverage < gates.coverage,
                accepted,
                f"{candidate.rows} of {good} good images can be searched ({coverage:.1%}), at "
                f"least {gates.coverage:.0%} must be; {candidate.deferred} wait for their "
                f"descriptor, {bounded} of them because of tonight's limits.",
            ),
            _fall(scores, gates, accepted),
            _figure(
                "ann_recall",
                recall,
                gates.ann_recall,
                recall is not None and recall < gates.ann_recall,
                accepted,
                "Search finds "
                + ("an unknown share" if recall is None else f"{recall:.3f}")
                + f" of the 10 nearest images, and at least {gates.ann_recall:.3f} must be found.",
            ),
            _figure(
                "withdrawn",
                float(withdrawn is not None),
                0.0,
                withdrawn is not None,
                accepted,
                f"A person took this very version out of production on {withdrawn.moved[:16]} "
                f"({withdrawn.why}): it is not published again by itself. If it shall be: "
                "--accept withdrawn."
                if withdrawn
                else "Nobody took this version out of production.",
            ),
            _figure(
                "uncomputed",
                float(len(gone)),
                0.0,
                bool(gone),
                accepted,
                f"Not computed: {', '.join(gone) or 'nothing'}."
                + (f" {' '.join(scores.notes)}" if scores.notes else ""),
            ),
        )
    )


def _mass_deletion(change: "Change", gates: GatesPlan, accepted: frozenset[str]) -> Figure:
    share = change.removed_share
    return _figure(
        "mass_deletion",
        share,
        gates.mass_deletion,
        share > gates.mass_deletion,
        accepted,
        f"{change.removed_live} of {change.live_before} images are gone ({share:.1%}), at most "
        f"{gates.mass_deletion:.0%} may be. Is it mounted whole? If they are meant to go: "
        "--accept mass_deletion.",
    )


def _fall(scores: Scores, gates: GatesPlan, accepted: frozenset[str]) -> Figure:
    """A fall beyond what is tolerated holds whether chance explains it or not: nothing is proved.

    What chance does not explain may be tolerated less.
    """
    fall, bound = scores.fall, gates.fall
    if scores.proven and gates.proven_fall is not None:
        bound = min(bound, gates.proven_fall)
    sentence = f"Not compared with {scores.against or 'production, of which there is none'}."
    if comparison := scores.comparison():
        sentence = f"{comparison} A fall of {bound:.3f} is tolerated."
    beyond = fall is not None and fall > bound
    return _figure("fall", fall, bound, beyond, accepted, sentence)


def _needed(scores: Scores) -> dict[str, float | None]:
    """What the gates need of SCORES, None where it could not be computed."""
    needed = {
        scores.headline: scores.candidate.get(scores.headline),
        ANN_RECALL: scores.candidate.get(ANN_RECALL),
    }
    if scores.against:
        needed[f"{scores.headline} against production"] = scores.fall
    return needed


def _figure(
    gate: str,
    value: float | None,
    bound: float,
    beyond: bool,
    accepted: frozenset[str],
    sentence: str,
) -> Figure:
    return Figure(
        gate, value, bound, beyond and gate not in accepted, beyond and gate in accepted, sentence
    )
