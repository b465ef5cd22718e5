"""How the versions of an index are measured, as a recipe says it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field, field_validator, model_validator

from data.plan import Plan
from data.protocols import PROTOCOLS, Protocol, named
from data.relevance import RELEVANCES
from data.taxonomy import unknown
from models import scales as sizes
from models.distances import Metric
from models.measures import ACROSS, HAMMING, Measure, measure
from models.reranking import Reranking, check_installed, check_metric, steps_of
from models.scales import Scale
from tasks.measuring.ranking import TOP

OURS: Final = ("auto", "labels", "known_item")
"""Protocols that any source can be measured by, and no paper names."""
QUERIES: Final = 200
"""Queries of these, where a recipe does not say how many."""


class RerankPlan(Plan):
    """How the first answers are put into a better order before they are measured."""

    steps: str = Field(
        description="re-rankings in the order in which they come: alpha_qe+diffusion"
    )
    depth: int = Field(default=100, ge=1, description="first answers; the others stay behind them")
    options: dict[str, dict[str, Any]] = Field(
        default={}, description="by word of the steps: {alpha_qe: {n: 3}}"
    )

    @model_validator(mode="after")
    def _known(self) -> "RerankPlan":
        steps_of(self.steps, self.options)
        return self

    @property
    def re_rankings(self) -> tuple[Reranking, ...]:
        """The steps, in their order."""
        return steps_of(self.steps, self.options)

    @property
    def title(self) -> str:
        """What stands with a number: the steps, and what is not as it is by itself."""
        said = {word: self.options.get(word, {}) for word in self.steps.split("+")}
        steps = "+".join(
            word + ("" if not some else f" {some}".replace("'", "")) for word, some in said.items()
        )
        many = "" if self.depth == RerankPlan.model_fields["depth"].default else f"{self.depth:,} "
        return f"{many}re-ranked by {steps}"


def lost(one: Measure) -> str:
    """Why ONE cannot be had of re-ranked answers, as the end of a sentence; empty where it can."""
    if one.kind.needs >= HAMMING:
        return "looks within a Hamming distance, and re-ranked answers stand at none"
    if one.name == ACROSS:
        return "ranks queries among each other, and re-rankings score those of one query alone"
    return ""


class EvaluatePlan(Plan):
    """How the versions of an index are measured."""

    later: ClassVar[Mapping[str, Any]] = {
        "measures": [],
        "rerank": None,
        "scales": [],
        "asked_by": "",
        "real": False,
    }

    queries: int | None = Field(
        default=None,
        ge=1,
        description=f"at most so many queries, the same every night; none: {QUERIES}, and all of a "
        "named protocol",
    )
    split: str | None = Field(
        default=None, description="the split that asks, the others answer; none: a sample asks all"
    )
    protocol: str | Protocol = Field(
        default="auto",
        description="labels where there are any, else altered copies look for their image; or "
        "labels, known_item, the name of a protocol of the field, or one that is written out",
    )
    measures: tuple[str, ...] = Field(
        default=(), description="measured beside those of a named protocol: recall@100"
    )
    rerank: RerankPlan | None = Field(
        default=None,
        description="what a named protocol measures is re-ranked before: alpha_qe, or {steps: "
        "alpha_qe+diffusion, depth: 100, options: {alpha_qe: {n: 3}}}",
    )
    scales: tuple[Scale, ...] = Field(
        default=(),
        description="shares of the encoder's side at which the queries of a named protocol are "
        "embedded, their mean asks: [0.7071, 1, 1.4142]; none: as they are stored",
    )
    asked_by: str = Field(
        default="",
        pattern=r"^([0-9a-f]{12,64})?$",
        description="digest of an encoder, or its first 12 letters, that describes the queries; it "
        "must have been trained to be compatible with that of the index",
    )
    real: bool = Field(
        default=False, description="queries of binary codes stay real numbers, and rows are bits"
    )
    k: int = Field(default=100, ge=TOP, description="ranks counted where no protocol says them")
    examples: int = Field(default=12, ge=0, description="queries whose answers the report shows")

    @field_validator("protocol")
    @classmethod
    def _known(cls, word: str | Protocol) -> str | Protocol:
        if isinstance(word, str) and word not in (*OURS, *PROTOCOLS):
            raise ValueError(unknown("protocol", word, (*OURS, *PROTOCOLS)))
        return word

    @field_validator("rerank", mode="before")
    @classmethod
    def _words_alone(cls, said: object) -> object:
        return {"steps": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _measurable(self) -> "EvaluatePlan":
        told = self.named
        if told is None:
            for field in ("measures", "rerank", "scales"):
                if getattr(self, field):
                    raise ValueError(
                        f"{field} says how a named protocol is measured, and {self.protocol} is "
                        "none: leave it out, or name one."
                    )
            return self
        if self.split is not None:
            raise ValueError(
                f"split is {self.split!r}, and {self.name} says itself which pictures ask: leave "
                "it out."
            )
        if refusal := RELEVANCES[told.relevance].refusal or measure(told.metric).kind.refusal:
            raise ValueError(f"{self.name} {refusal}")
        if (told.crop or self.scales) and (self.asked_by or self.real):
            raise ValueError(
                f"{self.name} asks with {'boxes' if told.crop else 'pictures at scales'}, and "
                "asked_by and real with whole pictures: leave the one or the other out."
            )
        captions = told.relevance == "caption"
        for word in (*told.measures, *self.measures):
            if bool(measure(word).kind.way) != captions:
                raise ValueError(
                    f"{word} cannot be asked of {self.name}, whose relevance is {told.relevance}: "
                    "where sentences ask for pictures, and only there, measures are "
                    "cmc@K[text-to-image] and cmc@K[image-to-text]."
                )
        if captions and (self.rerank or self.scales or self.asked_by or self.real):
            raise ValueError(
                f"{self.name} asks with sentences, and rerank, scales, asked_by and real are of "
                "pictures that ask: leave them out."
            )
        if self.rerank and (why := lost(measure(told.metric))):
            raise ValueError(f"{self.name} is judged by {told.metric}, which {why}.")
        for word in self.measures:
            if refusal := measure(word).kind.refusal:
                raise ValueError(f"{word} {refusal}.")
        return self

    def refusal(self, metric: Metric) -> str:
        """Why an index whose rows are compared by METRIC cannot be measured so, in a sentence."""
        try:
            check_metric(self.rerank.re_rankings if self.rerank else (), metric)
        except ValueError as error:
            return str(error)
        return sizes.refusal(metric) if self.scales else ""

    def check_installed(self) -> None:
        """Return if all that measuring so needs can be imported here: before a night, not after.

        Raises:
            MissingExtra: a package cannot; says how to install it.
        """
        check_installed(self.rerank.re_rankings if self.rerank else ())

    @property
    def named(self) -> Protocol | None:
        """The protocol of the field by which is measured; None where it is one of `OURS`."""
        if isinstance(self.protocol, Protocol):
            return self.protocol
        return None if self.protocol in OURS else named(self.protocol)

    @property
    def name(self) -> str:
        """What the protocol is called; one that is written out, by the digest of what it says.

        That of a kind of retrieval bears the kind's word.
        """
        if isinstance(self.protocol, Protocol):
            return f"{self.protocol.retrieval or 'own'}-{self.protocol.digest[:12]}"
        return self.protocol

    @property
    def title(self) -> str:
        """The name that stands with each number: a named protocol's, and how it was asked."""
        how = []
        if self.named is not None and self.queries is not None:
            how.append(f"at most {self.queries:,} queries")
        if self.scales:
            how.append(f"asked at {' + '.join(f'{scale:.3g}' for scale in self.scales)}")
        if self.asked_by:
            how.append(f"queries by {self.asked_by[:12]}")
        if self.real:
            how.append("real-valued queries")
        if self.rerank is not None:
            how.append(self.rerank.title)
        return f"{self.name} ({', '.join(how)})" if how else self.name

    @property
    def limit(self) -> int:
        """Queries at most, where no protocol names them."""
        return self.queries or QUERIES
