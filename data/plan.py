"""What a stage is told: the base of all plans, which together make a recipe."""

import hashlib
import json
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Plan(BaseModel):
    """One stage's settings: frozen, unknown keys refused, named by a digest of what they say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    later: ClassVar[Mapping[str, Any]] = {}
    """Fields that a plan of an earlier release did not have, each with the value that says what was
    so then: as long as a field has it, the digest is what it was."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all fields (64 hex digits)."""
        return self.digest_without(())

    def digest_without(self, fields: Collection[str]) -> str:
        """The digest of what this plan says but for FIELDS."""
        said = self.model_dump(mode="json", exclude=set(fields))
        kept = {
            name: value
            for name, value in said.items()
            if name not in self.later or value != self.later[name]
        }
        return digest_of(kept)


class Kept(Plan):
    """A plan whose text lies in files, or stands within other plans.

    It is written as an earlier release wrote it, as long as it says no more than that could: the
    same bytes, and the same digests of all that holds it.
    """

    @model_serializer(mode="wrap")
    def _as_ever(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in said.items()
            if name not in self.later or value != self.later[name]
        }


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of VALUE (64 hex digits)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
