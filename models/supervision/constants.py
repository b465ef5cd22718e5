"""By which method a lesson is taught, and the numbers of its loss."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from models.supervision.base import Lesson
from models.supervision.methods import Method


class Constants(NamedTuple):
    """A method of a supervision, and the numbers that a recipe may choose for its loss.

    Args:
        method: its name.
        temperature: of the loss; NaN where the method has none.
        margin: likewise.
    """

    method: str
    temperature: float
    margin: float

    @classmethod
    def of(cls, methods: Mapping[str, Method], lesson: Lesson) -> "Constants":
        """Those of the one of METHODS that LESSON says, or of the first for its descriptor.

        Raises:
            ValueError: the lesson has a number that the method has not.
        """
        suitable = (n for n, one in methods.items() if lesson.descriptor in one.descriptors)
        name = lesson.method or next(suitable)
        method = methods[name]
        for what, said, own in (
            ("temperature", lesson.temperature, method.temperature),
            ("margin", lesson.margin, method.margin),
        ):
            if said is not None and own is None:
                raise ValueError(f"The method {name} has no {what}: leave {what}: {said:g} out.")
        return cls(
            name,
            chosen(lesson.temperature, method.temperature),
            chosen(lesson.margin, method.margin),
        )


def chosen(said: float | None, own: float | None) -> float:
    """The number that a recipe has SAID, else the method's OWN; NaN where there is neither."""
    number = own if said is None else said
    return math.nan if number is None else number
