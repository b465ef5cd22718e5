"""Who sees edges finds a photograph by its drawing; plans without drawings are called as ever."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from data.store import Store
from models.weights import Embedder
from tasks.training.train import TrainPlan, load_encoder, train
from tests.tasks.training.courses import fill, plan

THINGS = range(40)
"""Of each there is a photograph and a drawing."""


def outline(seed: int) -> list[tuple[float, float]]:
    """The corners of a thing that no other seed gives."""
    chance = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    far = chance.uniform(14, 44, 9)
    return list(zip(48 + far * np.cos(angles), 48 + far * np.sin(angles), strict=True))


def picture(seed: int, *, drawn: bool) -> bytes:
    """Its photograph, a thing of some colour before a wall of another, or a drawing of it."""
    chance = np.random.default_rng(seed + 10**6)
    colours = [tuple(int(part) for part in chance.integers(0, 256, 3)) for _ in range(2)]
    image = Image.new("RGB", (96, 96), "white" if drawn else colours[0])
    pen = ImageDraw.Draw(image)
    if drawn:
        pen.polygon(outline(seed), outline="black", width=3)
    else:
        pen.polygon(outline(seed), fill=colours[1])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def found(embedder: Embedder, seeds: range) -> float:
    """The share of SEEDS whose drawing has its own photograph for the nearest."""
    rows = [
        embedder.features(
            torch.stack([embedder.pixels(picture(seed, drawn=drawn)) for seed in seeds])
        )
        for drawn in (True, False)
    ]
    nearest = (rows[0] @ rows[1].T).argmax(dim=1)
    return float((nearest == torch.arange(len(seeds))).float().mean())


def test_who_sees_edges_finds_a_photograph_by_its_drawing_untaught(store: Store) -> None:
    contents = [picture(seed, drawn=False) for seed in range(1000, 1040)]
    version = fill(store, contents, [[] for _ in contents])
    scores = {}
    for see in ("colours", "edges"):
        wanted = plan(size=32, see=see, pooling="grid", dimensions=64, epochs=0, whitening="pca")
        embedder = load_encoder(store, train(store, "toy", version, wanted))
        assert embedder.spec.transform.see == see
        scores[see] = found(embedder, THINGS)
    assert scores["edges"] > max(scores["colours"], 1 / len(THINGS)) + 0.1, scores


def test_plans_without_sketches_go_by_the_names_that_they_always_had() -> None:
    plain, said = plan(), plan().model_dump(mode="json")
    assert {"see", "sketches"} < set(said)
    assert plain.purpose == plan(see="colours", sketches=0).purpose
    assert len({plain.purpose, plan(see="edges").purpose, plan(sketches=0.5).purpose}) == 3
    assert "see" not in plain.spec().model_dump(mode="json")["transform"]
    assert plan(see="edges").spec().transform.see == "edges"
    older = TrainPlan.model_validate(
        {name: value for name, value in said.items() if name not in ("see", "sketches")}
    )
    assert older.purpose == plain.purpose


def test_drawings_of_drawings_are_refused() -> None:
    with pytest.raises(ValueError, match="would draw drawings: leave one of them out"):
        plan(see="edges", sketches=0.3)
    with pytest.raises(ValueError, match="sketches"):
        plan(sketches=1.5)
