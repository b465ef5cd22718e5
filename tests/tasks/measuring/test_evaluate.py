"""A candidate and production are measured on the same queries, as the definitions say."""

import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from data.aliases import Pointer
from data.lineage import Lineage
from data.store import Store
from models import metrics
from models.pixels import header
from tasks.index import Candidate
from tasks.measuring.evaluate import EvaluatePlan, Scores, evaluate
from tasks.measuring.queries import altered, fingerprints

if TYPE_CHECKING:
    from tests.tasks.conftest import Life, World

LIVE = "live"


def pictures(n: int, classes: int = 4) -> dict[str, tuple[str, str, str]]:
    return {f"{i:03d}": (f"content {i}", f"class {i % classes}", LIVE) for i in range(n)}


def pointer(lineage: Lineage) -> Pointer:
    return Pointer(
        table=lineage.table, version=lineage.version, run=lineage.run, moved="m", why="promoted"
    )


def scored(
    world: "World", candidate: Candidate, production: Pointer | None = None, **plan: Any
) -> Scores:
    settings = EvaluatePlan(**{"queries": 200, "k": 10, "protocol": "labels", **plan})
    return evaluate(world.store, candidate, production, world.dataset, settings)


def apart(a: Any, b: Any) -> float:
    if a.dtype == np.uint8:
        return float(np.unpackbits(a ^ b).sum())
    x, y = a.astype(float), b.astype(float)
    return float(1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def oracle_map(world: "World", k: int) -> float:
    """map@K[min] by loops: every image asks all others; ties in every order, averaged."""
    values = []
    for key, (digest, label, _) in world.said.items():
        query = world.vector(digest)
        others = [
            (apart(query, world.vector(d)), lab == label)
            for other, (d, lab, state) in world.said.items()
            if other != key and d != digest and state == LIVE
        ]
        relevant = sum(hit for _, hit in others)
        if not relevant:
            continue
        levels = sorted({distance for distance, _ in others})
        counts = np.array([[sum(d == level for d, _ in others) for level in levels]])
        hits = np.array([[sum(h for d, h in others if d == level) for level in levels]])
        values.append(metrics.expected_average_precision(counts, hits, k, "min")[0])
    return float(np.mean(values))


def test_every_labelled_image_asks_all_others(world: "World") -> None:
    world.write(pictures(30))
    world.describe_all()
    scores = scored(world, world.index("run-1"))
    assert scores.protocol == "labels"
    assert scores.headline == "map@10[min]"
    assert (scores.queries, scores.skipped, scores.embedded) == (30, 0, 0)
    assert scores.candidate["map@10[min]"] == pytest.approx(oracle_map(world, 10))
    assert scores.candidate["ann_recall@10"] == 1
    assert (scores.production, scores.against, scores.fall) == (None, "", None)


def test_copies_of_the_query_are_no_answers_and_lone_labels_are_skipped(world: "World") -> None:
    world.write(pictures(12) | {"copy": ("content 0", "class 0", LIVE), "lone": ("x", "y", LIVE)})
    world.describe_all()
    scores = scored(world, world.index("run-1"))
    assert (scores.queries, scores.skipped) == (12, 1)
    assert scores.candidate["map@10[min]"] <= 1
    asked = {example.query: example.candidate for example in scores.examples}
    for query in asked.keys() & {"000", "copy"}:
        assert not {"000", "copy"} & set(asked[query])


def test_the_query_split_asks_and_the_others_answer(real_world: "World") -> None:
    real_world.write(pictures(10))
    real_world.describe_all()
    candidate = real_world.index("run-1")
    assert scored(real_world, candidate, split="train").notes == (
        "labels: no image that may ask has an answer.",
    )
    wrong = scored(real_world, candidate, split="test")
    assert not wrong.candidate
    assert wrong.notes == (
        "labels: no image that may ask has an answer. evaluate.split is 'test', and the index has "
        "no image of it: choose from train, or leave it out.",
    )


def test_the_same_images_ask_night_after_night(real_world: "World") -> None:
    world = real_world
    world.write(pictures(60))
    world.describe_all()
    first = {e.query for e in scored(world, world.index("r"), queries=10, examples=10).examples}
    world.write({f"new {i}": (f"new {i}", "class 0", LIVE) for i in range(3)})
    world.describe_all("second")
    second = {e.query for e in scored(world, world.index("s"), queries=10, examples=10).examples}
    assert len(first & second) >= 7
    digests = {key: digest for key, (digest, _, _) in world.said.items()}
    assert second == set(sorted(digests, key=lambda key: digests[key])[:10])


def test_nothing_is_measured_where_the_candidate_is_production(real_world: "World") -> None:
    real_world.write(pictures(10))
    real_world.describe_all()
    candidate = real_world.index("run-1")
    first = scored(real_world, candidate)
    measured = first.candidate
    told = {"protocol": first.protocol, "headline": first.headline, "metrics": measured}
    sealed = real_world.seal(candidate, **told)
    again = scored(real_world, real_world.index("run-2"), pointer(sealed))
    assert again.candidate == again.production == measured
    assert again.notes == ("The candidate is production: measured when it was made.",)
    assert again.fall == 0
    assert again.headline == "map@10[min]"


def test_what_came_or_went_is_no_fall(world: "World") -> None:
    world.write(pictures(30))
    world.describe_all()
    before = pointer(world.night("run-1"))
    gone = {f"{i:03d}": (f"content {i}", f"class {i % 4}", "removed") for i in range(5)}
    world.write(gone | {f"new {i}": (f"new {i}", "class 1", LIVE) for i in range(40)})
    world.describe_all("second")
    scores = scored(world, world.index("run-2"), before)
    assert scores.against == str(before)
    assert scores.queries == 25  # those that both hold
    assert scores.fall == pytest.approx(0, abs=1e-9)
    assert scores.interval == pytest.approx((0, 0), abs=1e-9)
    assert scores.production
    assert scores.candidate["map@10[min]"] != scores.production["map@10[min]"]
    assert 0 < scores.candidate["churn@10"] < 1


def test_a_worse_encoder_is_seen_to_fall(store: Store) -> None:
    from tests.tasks.conftest import World

    class Seeing(World):
        """An encoder that knows the class of every image."""

        def vector(self, of: str) -> Any:
            label = next(int(lab[-1]) for d, lab, _ in self.said.values() if d == of)
            blurred = 0.05 * super().vector(of)
            return (np.eye(self.width)[label] + blurred).astype(np.float32)

    seeing, blind = Seeing(store, encoder="a" * 64), World(store, encoder="b" * 64)
    seeing.write(pictures(40))
    blind.said = seeing.said
    seeing.describe_all()
    blind.describe_all()
    before = pointer(seeing.night("run-1"))
    scores = scored(seeing, blind.index("run-2"), before)
    assert scores.production
    assert scores.production["map@10[min]"] == pytest.approx(1)
    assert scores.compared
    assert scores.interval
    fall = scores.compared[1] - scores.compared[0]
    assert scores.fall == fall > 0.4
    assert scores.interval[0] < -fall < scores.interval[1] < 0
    assert len(scores.examples) == 12
    assert all(len(e.candidate) == len(e.production) == 5 for e in scores.examples)
    better = scored(seeing, seeing.index("run-3"), pointer(blind.night("run-2")))
    assert better.fall == pytest.approx(-fall)


def test_production_that_is_gone_is_said_and_not_compared(real_world: "World") -> None:
    real_world.write(pictures(10))
    real_world.describe_all()
    candidate = real_world.index("run-1")
    lost = Pointer(table=real_world.table, version=99, run="r", moved="m", why="promoted")
    scores = scored(real_world, candidate, lost)
    assert scores.fall is None
    assert scores.candidate
    assert "could not be asked" in scores.notes[0]


@pytest.mark.parametrize("value", [pa.float32(), pa.uint8()])
def test_the_recall_of_the_ann_index_is_measured(store: Store, value: pa.DataType) -> None:
    from tests.tasks.conftest import World

    world = World(store, value)
    world.write(pictures(400))
    world.describe_all()
    candidate = world.index("run-1")
    metric = "hamming" if value == pa.uint8() else "cosine"
    world.open().create_index(
        "vector", "IVF_FLAT", name="vector_ann", metric=metric, num_partitions=128
    )
    indexed = Candidate(**{**vars(candidate), "version": world.open().version})
    recall = scored(world, indexed).candidate["ann_recall@10"]
    assert 0.2 < recall < 1  # 32 of 128 partitions are probed


def test_images_without_labels_look_for_themselves(life: "Life") -> None:
    for path in sorted(life.root.rglob("*.jpg")):
        path.rename(life.root / path.name)
    first = life.night()
    assert first.headline == "mrr@10"
    assert first.metrics["mrr@10"] > 0.3  # by chance it were 0.12
    assert first.metrics["cmc@1"] <= first.metrics["mrr@10"] <= first.metrics["cmc@10"]
    assert first.embedded == 24
    parts = life.store.names(f"descriptors/{first.encoder}")
    assert any(name.startswith("known-item-") for name in parts)
    (life.root / "0000.jpg").unlink()
    second = life.night()
    assert second.index_version != first.index_version
    assert second.embedded == 0
    assert second.ledger.ok


def test_copies_are_embedded_once_in_their_life(life: "Life") -> None:
    for path in sorted(life.root.rglob("*.jpg")):
        path.rename(life.root / path.name)
    ledger = life.night()
    candidate = Candidate(
        table=ledger.table, version=ledger.index_version or 0, rows=24, upserted=0, deleted=0,
        deferred=0,
    )  # fmt: skip
    for queries, embedded in ((20, 0), (24, 4), (24, 0)):
        plan = EvaluatePlan(queries=queries, k=10)
        scores = evaluate(life.store, candidate, None, life.dataset, plan)
        assert scores.embedded == embedded


def test_an_altered_copy_is_a_picture_that_differs_and_is_the_same_every_time(
    draw: Any, tmp_path: Path
) -> None:
    picture = Image.open(io.BytesIO(draw(1, 256, 200)))
    copies = [altered(picture, seed) for seed in range(6)]
    assert copies == [altered(picture, seed) for seed in range(6)]
    assert len(set(copies)) == 6
    for copy in copies:
        told = header(copy)
        assert told.suffix == "jpg"
        assert 32 <= told.width < 256
    assert min(header(altered(Image.new("RGB", (9, 9)), s)).width for s in range(9)) >= 32


def test_fingerprints_are_the_first_eight_bytes_of_each_digest() -> None:
    digests = [f"{n:016x}" + "f" * 48 for n in (0, 1, 2**63 + 5)]
    whole = pa.array(["e" * 64, *digests])
    assert fingerprints(whole[1:]).tolist() == [0, 1, 2**63 + 5]
    chunked = pa.chunked_array([whole[:1], whole[1:]])
    assert fingerprints(chunked).tolist()[1:] == [0, 1, 2**63 + 5]
    assert fingerprints(pa.array([], pa.string())).tolist() == []


def test_every_protocol_is_as_it_is_called(life: "Life") -> None:
    life.evaluate = EvaluatePlan(queries=20, k=10, protocol="known_item")
    assert life.night().headline == "mrr@10"
    for field, wrong in itertools.product(["k", "queries"], [0, -1]):
        with pytest.raises(ValueError, match="greater than or equal"):
            EvaluatePlan.model_validate({field: wrong})
