"""Which descriptors may be compared: those of one encoder, and queries of one made to fit it."""

from collections.abc import Mapping
from typing import Any, Final

CARD: Final = "compatible_with"
"""Where the card of an encoder names the one to whose index its queries may be put."""


class MixedEncoders(ValueError):
    """A query of one encoder was put to an index of another."""


def check_space(
    index: str, made_by: str, other: str, card: Mapping[str, Any] | None = None
) -> None:
    """Return if a query of the encoder OTHER means something in an INDEX that MADE_BY made.

    Args:
        index: its name, for the error.
        made_by: the digest of its encoder.
        other: the digest of the query's.
        card: of the query's encoder, which may say that it was trained to be compatible.

    Raises:
        MixedEncoders: it does not; names both.
    """
    fits = str((card or {}).get(CARD) or "")
    if other == made_by or (made_by and fits == made_by):
        return
    beside = f" (which fits indexes of {fits[:12]} alone)" if fits else ""
    raise MixedEncoders(
        f"{index} was made by encoder {made_by[:12] or 'unknown'}, the query by "
        f"{other[:12] or 'unknown'}{beside}: distances between them mean nothing. Search with the "
        f"index's own encoder, or with one trained to be compatible with it, or index the images "
        f"with the other."
    )
