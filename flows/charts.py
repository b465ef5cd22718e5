"""Where the points of small charts lie, for a template to draw as SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDE: Final = 300
HIGH: Final = 72
TALL: Final = 180
"""The height of a plot with two axes."""


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


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name, the ``points`` of an SVG polyline, (x, y, words) of each."""

    name: str
    points: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Plot:
    """Lines over two axes in a box of `WIDE` by `TALL` pixels, its origin at the top left.

    Args:
        lines: in the order in which they are to be told apart.
        across: (x, what it says) of the ticks of the horizontal axis.
        up: (y, what it says) of those of the vertical one, which goes from 0 to 1.
    """

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


def plot(
    lines: Mapping[str, Sequence[tuple[float, float]]], logarithmic: bool = False
) -> Plot | None:
    """The plot of LINES, (x, y) by name, y from 0 to 1; None where no line has two points.

    Args:
        lines: the x of all are from 0 to 1; or at least 1 where they are LOGARITHMIC.
        logarithmic: whether each tenfold x takes the same room.
    """
    drawn = {name: points for name, points in lines.items() if len(points) > 1}
    if not drawn:
        return None
    most = max(x for points in drawn.values() for x, _ in points) if logarithmic else 1.0
    tens = [10**n for n in range(math.ceil(math.log10(most)) + 1) if 10**n <= most]
    ticks: list[float] = [*tens] if logarithmic else [0.0, 0.25, 0.5, 0.75, 1.0]

    def place(x: float) -> float:
        return round(WIDE * (math.log(x) / math.log(most) if logarithmic else x), 1)

    def height(y: float) -> float:
        return round(TALL * (1 - y), 1)

    return Plot(
        tuple(
            Line(
                name,
                " ".join(f"{place(x)},{height(y)}" for x, y in points),
                tuple((place(x), height(y), f"{y:.3f} at {x:.4g}") for x, y in points),
            )
            for name, points in drawn.items()
        ),
        tuple((place(tick), f"{tick:,g}") for tick in ticks),
        tuple((height(tick), f"{tick:g}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)),
    )
