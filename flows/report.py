"""What a night did, as one HTML page that needs nothing beside itself: no script, no other file.

The flow fills a `ReportData` with plain values; `render` draws it. File names are whatever people
call their files, so everything is escaped, and what cannot be seen is spelt out.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageOps

from flows.charts import HIGH, TALL, WIDE, Chart, chart

TEMPLATES: Final = Path(__file__).parent / "templates"
PICTURE: Final = "data:image/jpeg;base64,"
NO_PICTURE: Final = (
    PICTURE.replace("jpeg", "gif") + "R0lGODdhAQABAIAAAL6+vgAAACwAAAAAAQABAAACAkQBADs="
)
"""One grey pixel: the thumbnail of what cannot be drawn."""

LARGEST: Final = 64_000_000
"""Pixels of the largest picture that a thumbnail is made of."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


@dataclass(frozen=True)
class Missing:
    """An image that the source lists and a search cannot find: its key, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Metric:
    """One retrieval metric of the candidate, and of production on the same queries.

    Args:
        name: as one writes it, ``mAP@10``.
        candidate: its value; None where it could not be computed.
        production: that of the version in use; None where there is none.
        low: lower end of the candidate's 95 % interval.
        high: upper end.
        history: (when, value) of the versions before the candidate, oldest first.
    """

    name: str
    candidate: float | None
    production: float | None = None
    low: float | None = None
    high: float | None = None
    history: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Gate:
    """One gate: what it measured, what it tolerates, how it decided, in a sentence."""

    name: str
    held: bool
    value: float | None = None
    bound: float | None = None
    accepted: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Hit:
    """One result: its key, its thumbnail (a data URI), its distance, and whether it is relevant."""

    key: str
    image: str
    distance: float | None = None
    right: bool | None = None


@dataclass(frozen=True)
class Query:
    """One query and what candidate and production answer, best first; a note says more of it."""

    key: str
    image: str
    label: str = ""
    candidate: tuple[Hit, ...] = ()
    production: tuple[Hit, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Training:
    """How the encoder of the version was trained.

    Args:
        encoder: its digest.
        curves: what was measured, a figure an epoch, by name; the loss first.
        epoch: the one whose weights are kept, from 1.
        seconds: wall time.
    """

    encoder: str
    curves: Mapping[str, Sequence[float]]
    epoch: int
    seconds: float

    @property
    def epochs(self) -> int:
        """How many there were."""
        return max(map(len, self.curves.values()), default=0)

    @property
    def charts(self) -> dict[str, Chart]:
        """A chart of each curve that has two points, by name."""
        drawn = {
            name: chart([(f"epoch {n}", value) for n, value in enumerate(values, 1)])
            for name, values in self.curves.items()
        }
        return {name: plot for name, plot in drawn.items() if plot}


@dataclass(frozen=True)
class ReportData:
    """All that the page says of a night; whatever is left out is not shown.

    Args:
        recipe: the recipe's name.
        run: names the run.
        created: when it ended, as people write it.
        published: whether search now uses the candidate.
        version: the index version that the night made, as one names it; None where it made none.
        production: the index version that was in use before; None on the first night.
        held_by: the gates that keep production where it is.
        ledger: ``listed``, then the parts it must be the sum of, in the order to be shown.
        coverage: share of the good images that a search can find, 0 to 1.
        missing: images that cannot be found, as many as the page should list.
        missing_count: how many there are; those of `missing` where it is left out.
        change: what the night did, counted: added, changed, moved, ..., embedded.
        protocol: names how the metrics were taken.
        metrics: the headline metric first.
        gates: in the order in which they were asked.
        health_before: figures of the index.
        health_after: the same figures after the night.
        health_action: what was done about them.
        lineage: what made the version: dataset version, encoder, recipe, code, ...
        training: how its encoder was trained; None where it was not.
        seconds: wall time by stage.
        queries: examples, the most telling first.
        next_steps: (what to type, what it does).
    """

    recipe: str
    run: str
    created: str
    published: bool
    version: str | None = None
    production: str | None = None
    held_by: tuple[str, ...] = ()
    ledger: Mapping[str, int] = field(default_factory=dict)
    coverage: float | None = None
    missing: tuple[Missing, ...] = ()
    missing_count: int | None = None
    change: Mapping[str, int] = field(default_factory=dict)
    protocol: str = ""
    metrics: tuple[Metric, ...] = ()
    gates: tuple[Gate, ...] = ()
    health_before: Mapping[str, Any] = field(default_factory=dict)
    health_after: Mapping[str, Any] = field(default_factory=dict)
    health_action: str = ""
    lineage: Mapping[str, object] = field(default_factory=dict)
    training: Training | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    queries: tuple[Query, ...] = ()
    next_steps: tuple[tuple[str, str], ...] = ()

    @property
    def parts(self) -> dict[str, int]:
        """The ledger without its sum."""
        return {name: count for name, count in self.ledger.items() if name != "listed"}

    @property
    def balanced(self) -> bool:
        """Whether what was listed is the sum of its parts."""
        return self.ledger.get("listed", 0) == sum(self.parts.values())

    @property
    def unnamed(self) -> int:
        """How many missing images the page does not list."""
        return max(0, (self.missing_count or 0) - len(self.missing))


def render(report: ReportData) -> str:
    """REPORT as one HTML page: styles and pictures within, light or dark as the reader has it.

    Raises:
        ValueError: a picture is not a data URI, so the page would not stand alone.
    """
    return page_of("report.html.j2", report, report.queries)


def page_of(template: str, report: object, queries: Sequence[Query]) -> str:
    """REPORT as the page that TEMPLATE draws, if the pictures of QUERIES are within it.

    Raises:
        ValueError: a picture is not a data URI, so the page would not stand alone.
    """
    pictures = [(query.key, query.image) for query in queries]
    for query in queries:
        pictures += [(hit.key, hit.image) for hit in (*query.candidate, *query.production)]
    for key, image in pictures:
        if not image.startswith("data:image/"):
            raise ValueError(
                f"The picture of {key!r} must be a data URI, as thumbnail() makes it, "
                f"but begins with {image[:20]!r}."
            )
    return _environment().get_template(template).render(report=report)


def thumbnail(content: bytes, side: int = 112) -> str:
    """The picture in CONTENT, at most SIDE pixels wide and high, as a data URI to put in a page.

    What cannot be drawn is a grey square: a report does not fail for a picture.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > LARGEST:
                return NO_PICTURE
            picture.draft("RGB", (2 * side, 2 * side))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((side, side))
            paper = Image.new("RGB", upright.size, "white")
            alpha = upright.convert("RGBA")
            paper.paste(alpha, (0, 0), alpha)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return NO_PICTURE
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=82)
    return PICTURE + base64.b64encode(out.getvalue()).decode()


def drawn(metric: Metric, now: str = "tonight") -> Chart | None:
    """METRIC over the versions up to the candidate, that of NOW; None below two of them."""
    marks = list(metric.history)
    if metric.candidate is not None:
        marks.append((now, metric.candidate))
    ends = None if metric.low is None or metric.high is None else (metric.low, metric.high)
    return chart(marks, ends)


def shown(text: object) -> str:
    r"""TEXT with what cannot be seen, or turns the line around, spelt out (``\u202e``)."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode()
        for letter in str(text)
    )


def figure(value: object) -> str:
    """VALUE as the page writes it: 12,345, 0.914, a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return shown(value)


@cache
def _environment() -> Environment:
    """Jinja with everything escaped, and an error for a name that the template misspells."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "shown": shown}
    environment.globals |= {"drawn": drawn, "wide": WIDE, "high": HIGH, "tall": TALL}
    return environment
