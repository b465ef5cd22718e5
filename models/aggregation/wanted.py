"""What a recipe says of pooling, as the network is told it; decided without torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from data.plan import Plan
from data.taxonomy import unknown
from models.aggregation import AGGREGATIONS, BAGS

Pooling = str | dict[str, dict[str, Any]]
"""A word alone; or words with what is said of them, fused where there are several."""


def pooling_of(
    said: str, options: Mapping[str, Mapping[str, Any]], known: Sequence[str], network: str
) -> Pooling:
    """What SAID, words joined by "+", and the OPTIONS of each mean for NETWORK.

    A word alone of which nothing is said stays a word. Of fused words the order says nothing.

    Args:
        said: e.g. "gem", or "gem+rmac".
        options: by word; of a fusion also each one's share.
        known: the words that the network understands.
        network: its word.

    Raises:
        ValueError: a word or an option is unknown, or cannot be; names what can.
    """
    words = said.split("+")
    for word in words:
        if word not in known or (len(words) > 1 and word not in AGGREGATIONS):
            raise ValueError(unknown(f"pooling of {network}", word, known))
    if len(set(words)) < len(words) or (BAGS in words and len(words) > 1):
        raise ValueError(
            f"pooling {said!r} fuses what cannot be fused: each word once, and {BAGS} alone."
        )
    for word in options:
        if word not in words:
            raise ValueError(unknown("part of pooling_options", word, words))
    if len(words) == 1 and not options and said != BAGS:
        return said
    fused = len(words) > 1
    return {word: _checked(word, options.get(word, {}), fused) for word in sorted(words)}


def width_of(pooling: Pooling, channels: int) -> int:
    """How long a vector POOLING makes of maps of so many CHANNELS."""
    parts = {pooling: {}} if isinstance(pooling, str) else pooling
    return sum(AGGREGATIONS[word].width(channels, said) for word, said in parts.items())


def fits(pooling: Pooling) -> bool:
    """Whether a part of POOLING is found in closed form from training pictures."""
    parts = {pooling: {}} if isinstance(pooling, str) else pooling
    return any(
        hasattr(of, "words") or getattr(of, "whiten", False)
        for of in (
            AGGREGATIONS[word].options.model_validate(said)
            for word, said in parts.items()
            if word in AGGREGATIONS
        )
    )


def _checked(word: str, said: Mapping[str, Any], fused: bool) -> dict[str, Any]:
    """All options of WORD: its defaults, and what is SAID."""
    kind: type[Plan] = AGGREGATIONS[word].options if word in AGGREGATIONS else Plan
    known = [name for name in kind.model_fields if fused or name != "share"]
    for name in said:
        if name not in known:
            raise ValueError(unknown(f"option of the pooling {word}", name, known))
    try:
        return kind.model_validate(said).model_dump(include=set(known))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"The pooling {word} cannot take {first['loc'][0]}: {first['input']!r}: {first['msg']}."
        ) from error
