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
from models.measures import measure
from tasks.measuring.depth import Rows, depth
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
