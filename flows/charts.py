"""Where the points of small charts lie, for a template to draw as SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDE: Final = 300
HIGH: Final = 72
TALL: Final = 180
"""The height of a plot with two axes."""
ENDS: Final = (0.02, 0.04, 0.1, 0.2, 0.4, 1.0)
"""Where an axis of shares may end."""


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
        up: (y, what it says) of those of the vertical one.
    """

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


def plot(
    lines: Mapping[str, Sequence[tuple[float, float]]], logarithmic: bool = False
) -> Plot | None:
    """The plot of LINES, (x, y) by name; None where no line has two points.

    Args:
        lines: shares, from 0 to 1; x is at least 1 where it is LOGARITHMIC. The axes of shares
            begin at 0 and end at one of `ENDS`.
        logarithmic: whether each tenfold x takes the same room.
    """
    drawn = {name: points for name, points in lines.items() if len(points) > 1}
    if not drawn:
        return None
    right = max(x for points in drawn.values() for x, _ in points)
    most = right if logarithmic else _end(right)
    high = _end(max(y for points in drawn.values() for _, y in points))
    tens = [10**n for n in range(9) if 10**n <= most]
    quarters = [0.0, 0.25, 0.5, 0.75, 1.0]
    ticks = tens if logarithmic else [most * part for part in quarters]

    def place(x: float) -> float:
        return round(WIDE * (math.log(x) / math.log(most) if logarithmic else x / most), 1)

    def height(y: float) -> float:
        return round(TALL * (1 - y / high), 1)

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
        tuple((height(high * part), f"{high * part:.3g}") for part in quarters),
    )


def _end(value: float) -> float:
    """Where an axis ends that VALUE lies on."""
    return min((end for end in ENDS if end >= value), default=1.0)
