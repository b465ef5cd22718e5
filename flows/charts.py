"""Where the points of a small line chart lie, for a template to draw as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDE: Final = 300
HIGH: Final = 72


@dataclass(frozen=True)
class Chart:
    """A figure over versions in a box of `WIDE` by `HIGH` pixels, its origin at the top left.

    Args:
        dots: (x, y, name, value) of every version, oldest first, the candidate last.
        line: the dots as the ``points`` of an SVG polyline.
        band: top and bottom of the candidate's interval, where it has one.
    """

    dots: tuple[tuple[float, float, str, float], ...]
    line: str
    band: tuple[float, float] | None


def chart(
    marks: Sequence[tuple[str, float]], interval: tuple[float, float] | None = None
) -> Chart | None:
    """The chart of MARKS, (name, value), oldest first; None where there are fewer than two.

    Args:
        marks: the last of them is the candidate.
        interval: lower and upper end of the candidate's; the box holds it too.
    """
    if len(marks) < 2:
        return None
    values = [value for _, value in marks] + list(interval or ())
    room = max(max(values) - min(values), 0.02) * 0.15  # what differs by less looks level
    low, high = min(values) - room, max(values) + room

    def height(value: float) -> float:
        return round(HIGH * (high - value) / (high - low), 1)

    step = WIDE / (len(marks) - 1)
    dots = tuple(
        (round(i * step, 1), height(value), name, value) for i, (name, value) in enumerate(marks)
    )
    band = (height(interval[1]), height(interval[0])) if interval else None
    return Chart(dots, " ".join(f"{x},{y}" for x, y, _, _ in dots), band)
