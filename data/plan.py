"""What a stage is told: the base of all plans, which together make a recipe."""

import hashlib
import json
from functools import cached_property

from pydantic import BaseModel, ConfigDict


class Plan(BaseModel):
    """One stage's settings: frozen, unknown keys refused, named by a digest of what they say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all fields (64 hex digits)."""
        return digest_of(self.model_dump(mode="json"))


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of VALUE (64 hex digits)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
