"""Boxes that are re-ranked: a picture stands where its first box does, in measures and answers."""

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from data.regions import parted
from flows.cli import app
from models.reranking import rerank, steps_of
from tests.flows.album import Album
from tests.flows.brute import precision, ranking
from tests.flows.test_reindex_objects import SIDE, TRAIN_BOXES, VAL_BOXES, objects
from tests.flows.test_reindex_protocols import stands

__all__ = ["objects"]

DEPTH = 9


def first_of_each(keys: list[str]) -> list[str]:
    """Those of KEYS, of boxes, that are the first of their picture."""
    best: dict[str, str] = {}
    for one in keys:
        best.setdefault(parted(one)[0], one)
    return list(best.values())


def test_pictures_are_measured_by_their_first_re_ranked_box(objects: Album) -> None:
    said = {"steps": "alpha_qe+k_reciprocal", "depth": DEPTH, "options": {"alpha_qe": {"n": 3}}}
    objects.fields["evaluate"] = {"protocol": "coco-objects-images", "rerank": said}
    ledger = objects.night()
    title = f"coco-objects-images ({DEPTH} re-ranked by alpha_qe {{n: 3}}+k_reciprocal)"
    stands(objects, ledger, title, "map@100[min]")
    rows = objects.rows()
    database = [one for one in rows if int(one[:12]) in TRAIN_BOXES]
    steps = steps_of("alpha_qe+k_reciprocal", {"alpha_qe": {"n": 3}})
    values = []
    for one in rows.keys() - set(database):
        order = ranking(objects, rows[one][2], database)
        near = [other for _, other in order]
        far = np.array([apart for apart, _ in order[:DEPTH]], np.float32)
        held = np.stack([rows[other][2] for other in near[:DEPTH]])
        places, _ = rerank(steps, rows[one][2], held, far, "cosine")
        listed = first_of_each([near[place] for place in places] + near[DEPTH:])
        right = {parted(other)[0] for other in database if rows[other][1] == rows[one][1]}
        pictures = [(float(n), parted(other)[0]) for n, other in enumerate(listed)]
        values.append(precision(pictures, right))
    assert ledger.metrics["map@100[min]"] == pytest.approx(np.mean(values), abs=2e-3)
    assert ledger.notes[-1].startswith("Without the re-ranking: map@100[min] ")


def test_a_box_asks_for_pictures_in_the_order_of_their_re_ranked_boxes(
    objects: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.night()
    monkeypatch.chdir(objects.folder)
    monkeypatch.setenv("NIGHTJAR_STORE", str(objects.folder / "store"))
    left, top, _ = VAL_BOXES[50][0]

    def found(*words: str) -> list[dict[str, Any]]:
        asking = ["search", "coco/val2017/000000000050.jpg", "-r", str(objects.path), "--json"]
        box = ["--box", f"{left},{top},{SIDE},{SIDE}"]
        done = CliRunner().invoke(app, [*asking, *box, *words])
        assert done.exit_code == 0, done.output
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    words = ["--rerank", "alpha_qe:n=3+k_reciprocal", "--depth", "12"]
    boxes = found(*words, "-k", "12")
    assert [row["key"] for row in boxes] != [row["key"] for row in found("-k", "12")]
    pictures = found(*words, "-k", "12", "--by-image")
    assert [row["key"] for row in pictures] == first_of_each([row["key"] for row in boxes])
    assert [row["rank"] for row in pictures] == list(range(1, len(pictures) + 1))
    assert len(pictures) < len(boxes)
    page = found(*words, "-k", "3", "--offset", "2", "--by-image")
    assert [row["key"] for row in page] == [row["key"] for row in pictures[2:5]]
