"""The report shows how the encoder of a version was trained, and which epoch is kept."""

import json
from typing import Any

import pytest

from data.store import Store
from flows.charts import HIGH, WIDE
from flows.gather import training_of
from flows.report import ReportData, Training, render

TRAINED = Training(
    "9f2c41d0", {"loss": [2.5, 1.5, 1.0, 0.75], "map@100[min]": [0.25, 0.5, 0.625, 0.5]}, 3, 12.34
)


def page(training: Training | None) -> str:
    return render(ReportData("places", "run", "today", published=True, training=training))


def test_each_curve_is_drawn_and_the_kept_epoch_named() -> None:
    html = page(TRAINED)
    assert "How its encoder was trained" in html
    assert "The weights of epoch 3 of 4 are kept; 12.3 s in all." in html
    assert "encoders/9f2c41d0" in html
    for name in TRAINED.curves:
        assert f'aria-label="{name} over 4 epochs"' in html
    assert "1.000<small>in epoch 3</small>" in html
    assert "0.625<small>in epoch 3</small>" in html
    kept = TRAINED.charts["map@100[min]"].dots[2]
    assert f'<circle cx="{kept[0]}" cy="{kept[1]}"' in html
    assert kept[0] == round(WIDE * 2 / 3, 1)
    assert 0 < kept[1] < HIGH / 4  # the best lies high


def test_one_epoch_is_told_and_not_drawn() -> None:
    html = page(Training("9f", {"loss": [0.5]}, 1, 0.0))
    assert "The weights of epoch 1 of 1 are kept" in html
    assert "<polyline" not in html


def test_what_was_not_trained_is_not_shown() -> None:
    assert "encoder was trained" not in page(None)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"loss": [2.0, 1.0]}, ({"loss": [2.0, 1.0]}, 2)),  # of an earlier release
        ({"loss": [2.0], "curves": {"loss": [2.0], "m": [1.0]}, "epoch": 1, "seconds": 3},
         ({"loss": [2.0], "m": [1.0]}, 1)),
        ({"loss": [], "curves": {"loss": []}, "epoch": 0}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_the_card_says_how(store: Store, card: dict[str, Any] | None, expected: Any) -> None:
    if card is not None:
        store.write("encoders/9f/card.json", json.dumps(card).encode())
    found = training_of(store, "9f")
    assert (found and (found.curves, found.epoch)) == expected
    assert training_of(store, "") is None
