"""Numbers of which an index stores the nearest words."""

from models.descriptors.base import Storage
from models.descriptors.real_valued import RealValued


class Quantised(RealValued):
    """M bytes, the nearest of 256 words for each part of D numbers; queries stay D numbers.

    A picture is described by its numbers, float32, and with these it asks. What an index stores of
    them is a byte a part, which `models.codebooks` makes by codebooks that are the encoder's own.

    Args:
        dimensions: D.
        storage: "pq".
        parts: M.

    Raises:
        ValueError: D is no multiple of M.
    """

    def __init__(self, dimensions: int, storage: Storage = "pq", *, parts: int) -> None:
        if dimensions % parts:
            raise ValueError(
                f"storage: pq cuts a descriptor into parts of one size, and {dimensions} "
                f"dimensions are not a multiple of {parts} parts: set pq_parts or dimensions, say "
                f"pq_parts: {_nearest_divisor(dimensions, parts)}."
            )
        super().__init__(dimensions, "float32")
        self.parts = parts


def _nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of NUMBER that is nearest to WANTED."""
    divisors = (one for one in range(1, number + 1) if not number % one)
    return min(divisors, key=lambda one: abs(one - wanted))
