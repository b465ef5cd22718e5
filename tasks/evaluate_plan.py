"""How the versions of an index are measured, as a recipe says it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field, field_validator, model_validator

from data.plan import Plan
from data.protocols import PROTOCOLS, Protocol, named
from data.relevance import RELEVANCES
from data.taxonomy import unknown
from models.measures import measure
from tasks.ranking import TOP

OURS: Final = ("auto", "labels", "known_item")
"""Protocols that any source can be measured by, and no paper names."""
QUERIES: Final = 200
"""Queries of these, where a recipe does not say how many."""


class EvaluatePlan(Plan):
    """How the versions of an index are measured."""

    later: ClassVar[Mapping[str, Any]] = {"measures": []}

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
    k: int = Field(default=100, ge=TOP, description="ranks counted where no protocol says them")
    examples: int = Field(default=12, ge=0, description="queries whose answers the report shows")

    @field_validator("protocol")
    @classmethod
    def _known(cls, word: str | Protocol) -> str | Protocol:
        if isinstance(word, str) and word not in (*OURS, *PROTOCOLS):
            raise ValueError(unknown("protocol", word, (*OURS, *PROTOCOLS)))
        return word

    @model_validator(mode="after")
    def _measurable(self) -> "EvaluatePlan":
        told = self.named
        if told is None:
            if self.measures:
                raise ValueError(
                    f"measures are beside those of a named protocol, and {self.protocol} is none: "
                    "leave them out, or name one."
                )
            return self
        if self.split is not None:
            raise ValueError(
                f"split is {self.split!r}, and {self.name} says itself which pictures ask: leave "
                "it out."
            )
        if refusal := RELEVANCES[told.relevance].refusal or measure(told.metric).kind.refusal:
            raise ValueError(f"{self.name} {refusal}")
        for word in (*told.also, *self.measures):
            measure(word)
        for word in self.measures:
            if refusal := measure(word).kind.refusal:
                raise ValueError(f"{word} {refusal}.")
        return self

    @property
    def named(self) -> Protocol | None:
        """The protocol of the field by which is measured; None where it is one of `OURS`."""
        if isinstance(self.protocol, Protocol):
            return self.protocol
        return None if self.protocol in OURS else named(self.protocol)

    @property
    def name(self) -> str:
        """What the protocol is called; one that is written out, by the digest of what it says."""
        if isinstance(self.protocol, Protocol):
            return f"own-{self.protocol.digest[:12]}"
        return self.protocol

    @property
    def title(self) -> str:
        """The name that stands with each number: a named protocol's, and whether it is sampled."""
        if self.named is None or self.queries is None:
            return self.name
        return f"{self.name} (at most {self.queries:,} queries)"

    @property
    def limit(self) -> int:
        """Queries at most, where no protocol names them."""
        return self.queries or QUERIES
