"""The page of an evaluation: curves, classes and queries, drawn from what was measured."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from flows.charts import TALL, WIDE, plot
from flows.classes import classes, mistaken
from flows.evaluation import BESIDE, Evaluation, page
from flows.report import NO_PICTURE, Hit, Metric, Query
from tasks.measuring.ranking import TOP, Ranked
from tasks.measuring.scores import Each
from tests.flows.album import TRAIN, Album, photo
from tests.flows.test_report import HOSTILE, Page

Say = Callable[..., Result]


# --- curves --------------------------------------------------------------------------------------


def test_a_plot_puts_0_at_the_bottom_left_and_1_at_the_top_right() -> None:
    found = plot({"ours": [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)], "one point": [(0.3, 0.3)]})
    assert found
    (line,) = found.lines
    assert line.points == f"0.0,{TALL:.1f} {WIDE / 2},{TALL * 0.75} {WIDE:.1f},0.0"
    assert [name for _, name in found.across] == ["0", "0.25", "0.5", "0.75", "1"]
    assert found.up[0] == (TALL, "0")
    assert found.up[-1] == (0, "1")
    assert line.dots[1][2] == "0.250 at 0.5"


def test_an_axis_ends_where_the_shares_do() -> None:
    found = plot({"ours": [(0.01, 0.09), (0.03, 0.05)]})
    assert found
    assert [name for _, name in found.across] == ["0", "0.01", "0.02", "0.03", "0.04"]
    assert [name for _, name in found.up] == ["0", "0.025", "0.05", "0.075", "0.1"]
    assert found.lines[0].dots[1][:2] == (WIDE * 0.75, TALL / 2)


def test_each_tenfold_takes_the_same_room_where_that_is_wanted() -> None:
    found = plot({"ours": [(1, 0.1), (10, 0.2), (100, 0.9)]}, logarithmic=True)
    assert found
    assert [x for x, _, _ in found.lines[0].dots] == [0, WIDE / 2, WIDE]
    assert found.across == ((0, "1"), (WIDE / 2, "10"), (WIDE, "100"))
    assert plot({"ours": [(1, 0.5)]}, logarithmic=True) is None


# --- classes -------------------------------------------------------------------------------------


def each() -> tuple[Each, dict[str, tuple[str, ...]]]:
    """Three queries of two classes, the last without an answer; two versions."""
    labels = {"a1": ("cat",), "a2": ("cat", "pet"), "b": ("dog",), "c": ("cat",)}
    numbers = dict(enumerate(labels))
    answers = np.full((3, TOP), -1)
    answers[0, :3], answers[1, :2] = [1, 3, 2], [2, 0]
    right = np.zeros((3, TOP), bool)
    right[0, :2], right[1, 1] = True, True
    values = ({"m": np.array([0.9, 0.5, np.nan])}, {"m": np.array([0.5, 0.7, 0.1])})
    ranked = tuple(Ranked(one, one, answers, numbers, right) for one in values)
    return Each(("a1", "a2", "b"), ranked), labels


def test_classes_are_worth_the_mean_of_their_queries_and_the_worst_comes_first() -> None:
    found, labels = each()
    rows = classes(found, "m", labels)
    assert [(row.name, row.queries) for row in rows] == [("pet", 1), ("cat", 2)]
    assert [row.value for row in rows] == pytest.approx([0.5, 0.7])
    assert [row.other for row in rows] == pytest.approx([0.7, 0.6])


def test_what_a_class_is_taken_for_are_the_labels_of_its_wrong_answers() -> None:
    found, labels = each()
    cats = mistaken(found, labels, "cat")
    assert cats.right == pytest.approx(3 / 5)
    assert cats.instead == (("dog", 2 / 5),)
    assert mistaken(found, labels, "dog").instead == ()


# --- the page ------------------------------------------------------------------------------------


def evaluation(word: str) -> Evaluation:
    hits = (Hit(word, NO_PICTURE, right=True), Hit(word, NO_PICTURE, right=False))
    query = Query(word, NO_PICTURE, word, hits, hits, word)
    lines = plot({word: [(0.0, 1.0), (1.0, 0.5)]})
    assert lines
    rows = classes(*_named(word))
    return Evaluation(
        recipe=word,
        version=f"{word}@2",
        against=f"{word}@1",
        created=word,
        protocol=word,
        facts={word: word, "queries": 12},
        notes=(word,),
        metrics=(Metric("m", 0.5, 0.4, 0.45, 0.55, (("11-21", 0.3),)),),
        definitions={"m": word},
        comparison=word,
        curves=((word, word, lines),),
        lines=(word,),
        classes=tuple(rows),
        classes_count=7,
        mistaken=(mistaken(each()[0], each()[1], "cat"),),
        worst=(query,),
        best=(query,),
        changed=(query,),
    )


def _named(word: str) -> tuple[Each, str, dict[str, tuple[str, ...]]]:
    found, _ = each()
    return found, "m", {"a1": (word,), "a2": (word,)}


def test_no_name_becomes_markup_and_nothing_lies_outside_the_page() -> None:
    html = page(evaluation(HOSTILE))
    found = Page(html)
    assert found.unclosed == []
    assert {"script", "link", "iframe", "a"}.isdisjoint(tag for tag, _ in found.tags)
    assert not [attrs for _, attrs in found.tags if "onerror" in attrs]
    assert "\u202e" not in html
    assert re.search(r"https?:|//[a-z]|@import|url\(", html) is None


def test_the_page_says_figures_classes_and_frames_what_is_right() -> None:
    found = Page(page(evaluation("toy")))
    for said in ("0.500 0.450 to 0.550", "toy 2 0.700 0.600 +0.100", "and 6 more", "60 % dog 40 %"):
        assert said in found.words, said
    frames = [attrs["class"] for tag, attrs in found.tags if tag == "figure" and "class" in attrs]
    assert frames == ["hit right", "hit wrong"] * 6


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def two_encoders(album: Album, monkeypatch: pytest.MonkeyPatch, say: Say) -> Album:
    """Forty pictures indexed by two encoders, of which the second is in production."""
    monkeypatch.setenv("NIGHTJAR_STORE", str(album.folder / "store"))
    album.fields["train"] = TRAIN | {"seed": 1}
    album.put("class0/new.jpg", photo(900))
    album.night("fall")
    return album


def test_a_version_is_drawn_against_another(say: Say, two_encoders: Album) -> None:
    out = two_encoders.folder / "page.html"
    result = say("evaluate", two_encoders.path, "--against", "@prev", "--html", out, "--json")
    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    headline = told["headline"]
    assert told["intervals"][headline][0] <= told["candidate"][headline]
    assert 0 < told["p"] <= 1
    assert set(BESIDE) & set(told["candidate"]) == {"p@10"}
    found = Page(out.read_text())
    assert found.unclosed == []
    for said in ("Classes, the worst first", "class3", "The worst queries", "The best queries",
                 "Queries whose first answers changed most", "chance"):  # fmt: skip
        assert said in found.words, said
    html = out.read_text()
    for title in ("precision by recall", "precision among the first K", "recall among the first K"):
        assert f'aria-label="{title}"' in html
    assert html.count("data:image/jpeg") > 20
    out.unlink()


def test_a_version_alone_is_drawn_without_another(
    say: Say, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTJAR_STORE", str(album.folder / "store"))
    out = album.folder / "page.html"
    result = say("evaluate", album.path, "--html", out)
    assert result.exit_code == 0, result.stderr
    assert f"page: {out}" in result.stdout
    assert " to " in result.stdout
    words = Page(out.read_text()).words
    assert "changed most" not in words
    assert "difference" not in words
    out.unlink()
