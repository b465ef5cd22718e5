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

    later: ClassVar[Mapping[str, Any]] = {"measures": [], "asked_by": "", "real": False}

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
        if told.crop and (self.asked_by or self.real):
            raise ValueError(
                f"{self.name} asks with boxes, which asked_by and real do not: leave them out."
            )
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
        if self.asked_by:
            how.append(f"queries by {self.asked_by[:12]}")
        if self.real:
            how.append("real-valued queries")
        return f"{self.name} ({', '.join(how)})" if how else self.name

    @property
    def limit(self) -> int:
        """Queries at most, where no protocol names them."""
        return self.queries or QUERIES
