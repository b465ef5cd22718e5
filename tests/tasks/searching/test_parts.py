"""Parts of one picture as one answer: against loops, in all ranks and in a search's first few."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.protocols import Pick, Protocol
from data.regions import parted
from data.relevance import Question, truth_of
from models.distances import between, prepared
from models.measures import measure
from models.reranking import Reranking, rerank, steps_of
from tasks.measuring.depth import Rows, depth
from tasks.measuring.reranked import Reranked
from tasks.searching.parts import Parts, by_image, located
from tasks.searching.search import ANSWER

Array = np.ndarray[Any, np.dtype[Any]]

TOLD = Protocol(
    dataset="x",
    queries=Pick(),
    database=Pick(),
    relevance="same_label",
    metric="map[all]",
    defined="here",
    own="left_out",
    per_image=True,
)
Q = 12
DEPTH = 20
"""Rows that are re-ranked."""


def boxes(count: int, pictures: int, draw: np.random.Generator) -> tuple[list[str], list[str]]:
    """Keys of COUNT boxes, strewn over PICTURES of which some are whole, and their labels."""
    owners = draw.integers(0, pictures, count)
    ends = [f"#xywh={n},0,9,9" for n in range(count)]
    keys = [f"p{owner}{end}" for owner, end in zip(owners, ends, strict=True)]
    keys += [f"whole{n}" for n in range(4)]
    return keys, draw.choice(list("abc"), len(keys)).tolist()


def precision(apart: Array, keys: list[str], labels: list[str], own: str, asked: str) -> float:
    """The average precision of one query over the pictures, by the definition."""
    nearest: dict[str, float] = {}
    right: set[str] = set()
    for distance, key, label in zip(apart, keys, labels, strict=True):
        picture = parted(key)[0]
        if picture == own:
            continue
        nearest[picture] = min(float(distance), nearest.get(picture, np.inf))
        if label == asked:
            right.add(picture)
    found = [picture in right for picture in sorted(nearest, key=lambda one: nearest[one])]
    ranks = np.flatnonzero(found) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


@pytest.mark.parametrize("bits", [0, 2048])
def test_a_picture_is_as_near_as_its_nearest_part_and_none_of_its_own_answers(bits: int) -> None:
    draw = np.random.default_rng(bits)
    keys, labels = boxes(60, 14, draw)
    width = bits // 8 or 8
    held: Array = (
        draw.integers(0, 256, (len(keys), width), dtype=np.uint8)
        if bits
        else draw.standard_normal((len(keys), width)).astype(np.float32)
    )
    rows = Rows(len(keys), width, bits)
    rows.add(held)
    images = draw.integers(0, 2**60, len(keys), dtype=np.uint64)
    asking = draw.choice(len(keys), Q, replace=False)
    truth = truth_of(TOLD, [Question(keys[n], (labels[n],)) for n in asking], None)
    judged = truth.among(pa.array(keys), pa.array([[label] for label in labels]))
    parts = Parts.of(pa.array(keys))
    found = depth(rows, images, held[asking], judged, [measure("map[all]")], parts=parts)
    if bits:
        differ = np.bitwise_xor(held[asking][:, None], held[None]).astype(np.uint8)
        apart = np.unpackbits(differ, axis=2).sum(axis=2)
    else:
        unit = held / np.linalg.norm(held, axis=1, keepdims=True)
        apart = 1 - unit[asking] @ unit.T
    owns = [parted(keys[n])[0] for n in asking]
    expected = [
        precision(line, keys, labels, own, labels[n])
        for line, own, n in zip(apart, owns, asking, strict=True)
    ]
    # of 2,048 bits two pictures are rarely as far apart; where they are, both orders count
    np.testing.assert_allclose(found.values["map[all]"], expected, atol=0.05 if bits else 1e-9)
    for line, own, answers in zip(apart, owns, found.answers, strict=True):
        pictures = [parted(keys[row])[0] for row in answers if row >= 0]
        assert own not in pictures
        assert len(set(pictures)) == len(pictures) == 10
        for row, picture in zip(answers, pictures, strict=False):
            those = [n for n, key in enumerate(keys) if parted(key)[0] == picture]
            assert line[row] == min(line[those])


def rerank_by_loops(
    steps: tuple[Reranking, ...], asked: Array, held: Array, apart: Array, rows: list[int]
) -> list[int]:
    """The first `DEPTH` of ROWS, which stand nearest first, as STEPS put them; then the others."""
    first = np.array(rows[:DEPTH])
    order, _ = rerank(
        steps, asked, held[first], apart[first], "hamming" if held.dtype == np.uint8 else "cosine"
    )
    return [*first[order].tolist(), *rows[DEPTH:]]


@pytest.mark.parametrize("said", ["alpha_qe", "database_augmentation+k_reciprocal", "diffusion"])
@pytest.mark.parametrize("bits", [0, 2048])
def test_rows_are_re_ranked_and_a_picture_is_as_good_as_its_first(bits: int, said: str) -> None:
    draw = np.random.default_rng(bits)
    keys, labels = boxes(60, 14, draw)
    means = {label: draw.standard_normal(bits or 16) for label in "abc"}
    real = np.stack([means[one] + 2 * draw.standard_normal(bits or 16) for one in labels])
    held: Array = np.packbits(real > 0, axis=1) if bits else real.astype(np.float32)
    rows = Rows(len(keys), held.shape[1], bits, "hamming" if bits else "cosine")
    rows.add(held)
    images = np.arange(len(keys), dtype=np.uint64)
    asking = draw.choice(len(keys), Q, replace=False)
    truth = truth_of(TOLD, [Question(keys[n], (labels[n],)) for n in asking], None)
    judged = truth.among(pa.array(keys), pa.array([[label] for label in labels]))
    steps, parts = steps_of(said), Parts.of(pa.array(keys))
    measures = [measure("map[all]"), measure("cmc@1")]
    again = Reranked(steps, DEPTH, rows.metric)
    found = depth(rows, images, held[asking], judged, measures, again, parts)
    plain = depth(rows, images, held[asking], judged, measures, parts=parts)
    for name, values in plain.values.items():
        np.testing.assert_allclose(found.plain[name], values)

    ready = prepared(held, rows.metric)
    for query, number in enumerate(asking.tolist()):
        own = parted(keys[number])[0]
        apart = between(ready[number][None], ready, rows.metric)[0]
        may = [n for n, key in enumerate(keys) if parted(key)[0] != own]
        near = sorted(may, key=lambda n: (apart[n], n))
        listed = rerank_by_loops(steps, held[number], held, apart, near)
        best: dict[str, int] = {}  # of each picture the row that stands first
        for row in listed:
            best.setdefault(parted(keys[row])[0], row)
        assert found.answers[query].tolist() == list(best.values())[:10]
        good = {parted(keys[n])[0] for n in may if labels[n] == labels[number]}
        hits = [picture in good for picture in best]
        ranks = np.flatnonzero(hits) + 1
        # of 2,048 bits, and behind the re-ranked ones alone, two pictures may be as far apart
        expected = float((np.arange(1, len(ranks) + 1) / ranks).mean())
        assert found.values["map[all]"][query] == pytest.approx(
            expected, abs=0.05 if bits else 1e-6
        )
        assert found.values["cmc@1"][query] == hits[0]


@given(owners=st.lists(st.integers(0, 6), min_size=1, max_size=40), k=st.integers(1, 9))
def test_the_first_pictures_of_a_search_are_those_of_its_best_parts(
    owners: list[int], k: int
) -> None:
    keys = [f"p{owner}#xywh={n},0,9,9" for n, owner in enumerate(owners)]
    everything = pa.table(
        {
            "key": keys,
            "rank": np.arange(1, len(keys) + 1, dtype=np.int32),
            "distance": np.linspace(0, 1, len(keys), dtype=np.float32),
            "uri": keys,
            "labels": [["a"]] * len(keys),
        },
        schema=ANSWER,
    )
    asked: list[int] = []

    def ask(wanted: int) -> pa.Table:
        asked.append(wanted)
        return everything.slice(0, wanted)

    found = by_image(ask, k, len(keys))
    first = list(dict.fromkeys(owners))[:k]
    best = [keys[owners.index(owner)] for owner in first]
    assert found["key"].to_pylist() == best
    assert found["rank"].to_pylist() == list(range(1, len(best) + 1))
    assert found.schema == ANSWER
    assert max(asked) <= len(keys)


def test_an_answer_says_where_its_parts_lie_and_one_of_whole_pictures_is_as_it_was() -> None:
    answer = pa.table({"key": ["a#xywh=1,2,3,4", "b", "c#xywh=percent:0,0,50,50"]})
    found = located(answer).to_pylist()
    assert [row["image"] for row in found] == ["a", "b", "c"]
    assert found[0]["box"] == {"x": 1, "y": 2, "width": 3, "height": 4, "unit": "pixel"}
    assert found[1]["box"] is None
    assert found[2]["box"]["unit"] == "percent"
    plain = pa.table({"key": ["a", "b#c"]})
    assert located(plain) is plain
