"""The report stands alone, escapes what people call their files, and says what the night said."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flows.charts import HIGH, WIDE, chart
from flows.report import (
    NO_PICTURE,
    Gate,
    Hit,
    Metric,
    Missing,
    Query,
    ReportData,
    figure,
    render,
    shown,
    thumbnail,
)

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202egpj.exe\x07'

NIGHT = ReportData(
    recipe="places",
    run="20260714T020000Z-a1b2c3",
    created="14 July 2026, 02:00 UTC",
    published=True,
    version="12",
    production="11",
    ledger={"listed": 1002, "indexed": 61, "unchanged": 939, "quarantined": 1, "deferred": 1},
    coverage=0.999,
    missing=(Missing("slate-mill/0004.jpg", "truncated"),),
    missing_count=2,
    change={"added": 42, "changed": 19, "removed": 0},
    metrics=(
        Metric("mAP@10", 0.914, 0.871, 0.896, 0.931, (("11-21", 0.86), ("11-22", 0.871))),
        Metric("churn@10", None),
    ),
    gates=(Gate("fall", False, -0.043, 0.02, sentence="mAP@10 rose by 0.043."),),
    health_before={"fragments": 9},
    health_after={"fragments": 2, "partitions": 16},
    health_action="compacted",
    lineage={"encoder": "9f2c41d0", "dataset_version": 14},
    seconds={"scan": 0.08, "extract": 12.0},
    queries=(
        Query(
            "slate-mill/0001.jpg",
            NO_PICTURE,
            "slate-mill",
            (Hit("slate-mill/0002.jpg", NO_PICTURE, 0.1, True),),
            (Hit("amber-mill/0002.jpg", NO_PICTURE, 0.2, False),),
        ),
    ),
    next_steps=(("nightjar rollback places", "back to version 11"),),
)


class Page(HTMLParser):
    """What a reader's browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.unclosed: list[str] = []
        self.feed(html)
        self.close()
        self.unclosed = self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.pieces.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.pieces).split())


def test_a_published_night_says_which_version_and_which_one_it_replaces() -> None:
    words = Page(render(NIGHT)).words
    assert "Published as version 12" in words
    assert "Version 11, in use before" in words
    assert "It balances." in words
    assert "99.90 % of the good images" in words


def test_a_held_night_names_its_gates_and_what_search_still_uses() -> None:
    held = replace(NIGHT, published=False, held_by=("fall", "coverage"))
    words = Page(render(held)).words
    assert "Held by the gates fall, coverage" in words
    assert "Search still uses version 11. Version 12 is kept beside it" in words


def test_a_night_without_a_version_says_so() -> None:
    words = Page(render(ReportData("places", "run", "today", published=False))).words
    assert "Nothing to publish Nothing is published yet." in words


def test_a_ledger_that_does_not_balance_is_shown_as_a_failure() -> None:
    broken = replace(NIGHT, ledger={**NIGHT.ledger, "listed": 1003})
    assert not broken.balanced
    page = Page(render(broken))
    assert "It does not balance: the run has failed." in page.words
    assert "≠" in page.words


def test_every_missing_image_has_its_key_and_reason_and_the_rest_are_counted() -> None:
    words = Page(render(NIGHT)).words
    assert "2 cannot be found" in words
    assert "slate-mill/0004.jpg truncated" in words
    assert "and 1 more" in words


def test_figures_of_metrics_gates_health_lineage_and_time_are_there() -> None:
    words = Page(render(NIGHT)).words
    for said in (
        "0.914",
        "0.896 to 0.931",
        "production 0.871, +0.043",
        "could not be computed",
        "fall open -0.043 0.02 mAP@10 rose by 0.043.",
        "fragments 9 2",
        "partitions – 16",
        "encoder 9f2c41d0",
        "dataset version 14",
        "extract 12 s",
        "12.1 s in all",
        "nightjar rollback places",
    ):
        assert said in words


def test_what_did_not_happen_is_not_shown() -> None:
    words = Page(render(NIGHT)).words
    assert "42 added" in words
    assert "0 removed" not in words


def test_results_are_framed_by_whether_they_are_right() -> None:
    page = Page(render(NIGHT))
    frames = [attrs["class"] for tag, attrs in page.tags if tag == "figure" and "class" in attrs]
    assert frames == ["hit right", "hit wrong"]
    unknown = replace(NIGHT.queries[0], candidate=(Hit("k", NO_PICTURE),), production=())
    page = Page(render(replace(NIGHT, queries=(unknown,))))
    frames = [attrs["class"] for tag, attrs in page.tags if tag == "figure" and "class" in attrs]
    assert [(frame or "").strip() for frame in frames] == ["hit"]


def test_the_page_is_well_formed_and_asks_for_nothing_outside_itself() -> None:
    html = render(NIGHT)
    page = Page(html)
    assert page.unclosed == []
    assert {"script", "link", "iframe", "a"}.isdisjoint(tag for tag, _ in page.tags)
    for _, attrs in page.tags:
        assert {"href", "srcset", "onerror", "onload"}.isdisjoint(attrs)
        assert (attrs.get("src") or "data:").startswith("data:")
    assert re.search(r"https?:|//[a-z]|@import|url\(", html) is None


def test_no_file_name_becomes_markup() -> None:
    hit = Hit(HOSTILE, NO_PICTURE, 0.1, True)
    hostile = replace(
        NIGHT,
        recipe=HOSTILE,
        run=HOSTILE,
        missing=(Missing(HOSTILE, HOSTILE),),
        change={HOSTILE: 1},
        gates=(Gate(HOSTILE, True, sentence=HOSTILE),),
        held_by=(HOSTILE,),
        published=False,
        lineage={HOSTILE: HOSTILE},
        health_before={HOSTILE: HOSTILE},
        seconds={HOSTILE: 1.0},
        metrics=(Metric(HOSTILE, 0.5, 0.5, history=((HOSTILE, 0.5),)),),
        ledger={"listed": 1, HOSTILE: 1},
        queries=(Query(HOSTILE, NO_PICTURE, HOSTILE, (hit,), (hit,)),),
        next_steps=((HOSTILE, HOSTILE),),
    )
    html = render(hostile)
    page = Page(html)
    assert page.unclosed == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "onerror" in attrs]
    assert "<script>alert(1)</script>" in page.words, "shown, as text"
    assert "\u202e" not in html
    assert "\x07" not in html


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_any_file_name_makes_a_page_that_can_be_written(name: str) -> None:
    html = render(replace(NIGHT, missing=(Missing(name, name),)))
    html.encode("utf-8")
    assert Page(html).unclosed == []


def test_a_picture_from_elsewhere_is_refused_by_name() -> None:
    query = replace(NIGHT.queries[0], candidate=(Hit("far.jpg", "https://example.org/x.jpg"),))
    with pytest.raises(ValueError, match=r"'far\.jpg' must be a data URI"):
        render(replace(NIGHT, queries=(query,)))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_thumbnail_keeps_the_shape_and_fits_the_side(
    draw: Callable[..., bytes], suffix: str
) -> None:
    uri = thumbnail(draw(3, width=300, height=150, suffix=suffix), side=100)
    kind, content = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.size == (100, 50)


def test_a_thumbnail_of_what_is_transparent_is_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    content = thumbnail(out.getvalue()).split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.getpixel((4, 4)) == (255, 255, 255)


def test_what_cannot_be_drawn_is_a_grey_square(draw: Callable[..., bytes]) -> None:
    whole = draw(1, width=300, height=300)
    for content in (b"", b"no picture", whole[:40], whole[: len(whole) // 2]):
        assert thumbnail(content) == NO_PICTURE
    with Image.open(io.BytesIO(base64.b64decode(NO_PICTURE.split(",")[1]))) as grey:
        assert grey.size == (1, 1)


def test_a_chart_puts_the_best_on_top_and_keeps_the_interval_within() -> None:
    plot = chart([("v1", 0.2), ("v2", 0.9), ("v3", 0.5)], (0.4, 0.95))
    assert plot is not None
    xs, ys = [dot[0] for dot in plot.dots], [dot[1] for dot in plot.dots]
    assert xs == [0, WIDE / 2, WIDE]
    assert ys[1] < ys[2] < ys[0]
    assert plot.band is not None
    assert 0 <= plot.band[0] < ys[2] < plot.band[1] <= HIGH
    assert plot.line == " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))


def test_a_chart_needs_two_versions_and_bears_equal_ones() -> None:
    assert chart([("v1", 0.2)]) is None
    level = chart([("v1", 0.5), ("v2", 0.5)])
    assert level is not None
    assert level.dots[0][1] == level.dots[1][1] == HIGH / 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345, "12,345"),
        (0.91449, "0.914"),
        (1234.5, "1,234"),
        (None, "–"),
        (True, "yes"),
        ("IVF", "IVF"),
    ],
)
def test_figures_are_written_for_readers(value: object, text: str) -> None:
    assert figure(value) == text


def test_what_cannot_be_seen_is_spelt_out() -> None:
    assert shown("a\u202eb\n\x00ü漢") == "a\\u202eb\\n\\x00ü漢"
