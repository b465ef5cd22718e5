"""Real sketches ask for what they were drawn after, by the recipes that come with Nightjar."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from data.adapters import open_dataset
from data.protocols import PROTOCOLS, Picture, Protocol, sets_of
from flows.recipe import SHIPPED
from tests.flows.album import Album, balanced

SIDES = (8, 12, 16, 32)
"""To that many pixels a side drawings and photographs are shrunk to be compared as they are."""


def cmc(rows: np.ndarray[Any, Any], others: np.ndarray[Any, Any], first: int) -> float:
    """The share of ROWS (N, D) whose twin, in its place in OTHERS, is among the FIRST nearest."""
    unit = [
        one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9) for one in (rows, others)
    ]
    near = unit[0] @ unit[1].T
    return float(np.mean((near > np.diag(near)[:, None]).sum(axis=1) < first))


def pixels(source: dict[str, Any], told: Protocol, first: int) -> float:
    """How well the ink of the pixels themselves, at the best of `SIDES`, answers what TOLD asks."""
    dataset = open_dataset(source["dataset"], source["root"], source.get("options", {}))
    listed = list(dataset.samples())
    sets = sets_of([Picture(one.key, one.labels, one.split) for one in listed], told)
    wanted = {
        key: place for place, keys in enumerate((sets.queries, sets.database)) for key in keys
    }
    some = [one for one in listed if one.key in wanted]
    halves: tuple[dict[str, Image.Image], ...] = ({}, {})
    for one, content in zip(some, dataset.read([one.uri for one in some]), strict=True):
        assert isinstance(content, bytes)
        halves[wanted[one.key]][one.labels[0]] = Image.open(io.BytesIO(content)).convert("L")
    assert halves[0].keys() == halves[1].keys()
    scores = []
    for side in SIDES:
        asked, held = (
            np.stack(
                [
                    255.0
                    - np.asarray(half[pair].resize((side, side), Image.Resampling.BOX)).ravel()
                    for pair in sorted(half)
                ]
            )
            for half in halves
        )
        scores.append(cmc(asked, held, first))
    return max(scores)


def asked_by(recipe: str, bare: Album, root: Path) -> dict[str, Any]:
    """Let BARE do what RECIPE says, on the files in ROOT; its source."""
    said: dict[str, Any] = yaml.safe_load((SHIPPED / f"{recipe}.yaml").read_text())
    said["source"]["root"] = str(root)
    bare.fields |= {part: said[part] for part in ("source", "train", "evaluate")}
    source: dict[str, Any] = said["source"]
    return source


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.real
@pytest.mark.parametrize(
    ("recipe", "folder", "margins"),
    [
        ("qmul-chairs", "qmul-chairs", (0.1, 0.03)),
        ("edges2shoes", "edges2shoes-handbags", (0.6, 0.35)),
    ],
)
def test_a_shipped_recipe_finds_what_was_drawn(
    bare: Album, shared_datasets: Path, recipe: str, folder: str, margins: tuple[float, float]
) -> None:
    source = asked_by(recipe, bare, shared_datasets / folder)
    ledger = bare.night()
    told = PROTOCOLS[ledger.protocol]
    assert (balanced(ledger)[1:], ledger.headline) == ((0, 0, 0), "cmc@1")
    assert not any("other sizes" in note for note in ledger.notes)
    for first, margin in zip((1, 10), margins, strict=True):
        floor = pixels(source, told, first)
        assert ledger.metrics[f"cmc@{first}"] >= floor + margin, floor
