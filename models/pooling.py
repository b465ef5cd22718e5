"""What a recipe's words for the pooling of a network mean, built."""

from collections.abc import Mapping
from typing import Any

from data.taxonomy import choose
from models.aggregation import AGGREGATIONS
from models.aggregation.base import Aggregation
from models.aggregation.fusion import Fusion

Pooling = str | Mapping[str, Mapping[str, Any]]
"""A word of `AGGREGATIONS`; or such words with their arguments, fused where there are several, as
`models.aggregation.wanted` reads them from a recipe."""


def build_pooling(wanted: Pooling, inputs: int) -> Aggregation:
    """The aggregation of maps of INPUTS channels that is WANTED, its weights drawn anew.

    ``"gem"`` is ``{"gem": {}}``; of several parts each may say in ``share`` how much it counts.

    Raises:
        ValueError: a word is unknown, or its aggregation refuses its arguments.
    """
    asked = {wanted: {}} if isinstance(wanted, str) else wanted
    if not asked:
        raise ValueError(f"A network pools somehow: choose from {', '.join(sorted(AGGREGATIONS))}.")
    if len(asked) == 1:
        return _part(*next(iter(asked.items())), inputs)
    shares = [float(arguments.get("share", 1.0)) for arguments in asked.values()]
    parts = [
        _part(word, {name: of for name, of in arguments.items() if name != "share"}, inputs)
        for word, arguments in asked.items()
    ]
    return Fusion(parts, shares)


def _part(word: str, arguments: Mapping[str, Any], inputs: int) -> Aggregation:
    kind = choose(AGGREGATIONS, word, "pooling").load()
    try:
        return kind(inputs, **arguments)
    except TypeError as error:
        raise ValueError(f"The pooling {word} does not take {dict(arguments)}: {error}") from error
