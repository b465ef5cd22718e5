"""By which method a lesson is taught, and the numbers of its loss."""

import math
from typing import NamedTuple

from data import taxonomy
from models.supervision import SUPERVISIONS
from models.supervision.base import Lesson


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
    def of(cls, word: taxonomy.Supervision, lesson: Lesson) -> "Constants":
        """Those by which the supervision WORD teaches LESSON.

        Raises:
            ValueError: the lesson has a number that the method has not.
        """
        teaching = SUPERVISIONS[word]
        name = lesson.method or teaching.methods_for(lesson.descriptor)[0]
        method = teaching.methods[name]
        chosen = {}
        for what, said, own in (
            ("temperature", lesson.temperature, method.temperature),
            ("margin", lesson.margin, method.margin),
        ):
            if said is not None and own is None:
                raise ValueError(f"{word} by {name} has no {what}: leave {what}: {said:g} out.")
            chosen[what] = own if said is None else said
        temperature, margin = chosen["temperature"], chosen["margin"]
        return cls(
            name,
            math.nan if temperature is None else temperature,
            math.nan if margin is None else margin,
        )
