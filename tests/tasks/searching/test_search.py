"""Search answers from one index version by the encoder that made it, or says why it cannot."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from data.indexes import METRIC, index_table
from data.store import Store
from models.pixels import BadImage
from models.spec import EncoderSpec
from models.weights import build, load, save
from tasks.searching.search import ANSWER, MixedEncoders, Searcher
from tasks.searching.versions import resolve
from tests.tasks.rows import apart, pictures

if TYPE_CHECKING:
    from tests.tasks.conftest import Life, World


def searched(world: "World", n: int = 40) -> Searcher:
    world.write(pictures(n))
    world.describe_all()
    lineage = world.night("run-1")
    return Searcher(world.store, lineage.table, lineage.version)


def distances(world: "World", query: np.ndarray) -> dict[str, float]:
    """The distance of every key to QUERY, by the definition."""
    return {key: apart(world.vector(digest), query) for key, (digest, _, _) in world.said.items()}


@pytest.mark.parametrize("exact", [True, False])
def test_answers_are_the_nearest_rows_in_order(world: "World", exact: bool) -> None:
    searcher = searched(world)
    query = world.vector("0123456789abcdef")
    answer = searcher.search(query, 7, exact=exact)
    truth = distances(world, query)
    assert answer.schema == ANSWER
    assert answer["key"].to_pylist() == sorted(truth, key=lambda key: (truth[key], key))[:7]
    assert answer["rank"].to_pylist() == list(range(1, 8))
    assert answer["distance"].to_pylist() == pytest.approx(sorted(truth.values())[:7], abs=2e-3)
    first = answer.to_pylist()[0]
    assert first["uri"] == f"/{first['key']}.jpg"
    assert first["labels"] == [f"class {int(first['key']) % 3}"]


def test_pages_follow_each_other(world: "World") -> None:
    searcher = searched(world)
    query = world.vector("0123456789abcdef")
    pages = [searcher.search(query, 5, offset=offset) for offset in (0, 5)]
    assert pa.concat_tables(pages) == searcher.search(query, 10)


def test_many_queries_are_answered_as_one_by_one(world: "World") -> None:
    searcher = searched(world)
    queries = np.stack([world.vector(f"{n:012x}") for n in range(5)])
    assert searcher.search_rows(queries, 4) == [searcher.search(query, 4) for query in queries]


def test_an_index_of_fewer_rows_answers_with_all_of_them(world: "World") -> None:
    searcher = searched(world, 3)
    assert len(searcher.search(world.vector("0" * 12), 10)) == 3


def test_equally_near_rows_come_in_the_order_of_their_keys(world: "World") -> None:
    world.write({key: ("one content", "a", "live") for key in ("c", "a", "b")})
    world.describe_all()
    lineage = world.night("run-1")
    searcher = Searcher(world.store, lineage.table, lineage.version)
    answer = searcher.search(world.vector("0" * 12), 3)
    assert answer["key"].to_pylist() == ["a", "b", "c"]


def test_an_ann_index_that_holds_rows_back_is_asked_exactly(real_world: "World") -> None:
    searched(real_world, 300)
    real_world.open().create_index(
        "vector", "IVF_FLAT", name="vector_ann", metric="cosine", num_partitions=64
    )
    real_world.write({"more": ("more", "a", "live")})
    real_world.describe_all("second")
    lineage = real_world.night("run-2")
    searcher = Searcher(real_world.store, lineage.table, lineage.version)
    assert len(searcher.search(real_world.vector("0" * 12), 250)) == 250


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_answer_is_refused(world: "World", k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, not {k}"):
        searched(world).search(world.vector("0" * 12), k)


def test_a_query_that_does_not_fit_is_refused_in_words(real_world: "World") -> None:
    searcher = searched(real_world)
    good = real_world.vector("0" * 12)
    with pytest.raises(
        ValueError, match=r"must be \(16,\) but is \(8,\): was it made with encoder eeee"
    ):
        searcher.search(good[:8])
    with pytest.raises(ValueError, match="NaN"):
        searcher.search(np.full(16, np.nan, np.float32))
    with pytest.raises(ValueError, match=r"must be \(16,\) but is \(1, 16\)"):
        searcher.search(good[None])
    with pytest.raises(ValueError, match="offset must not be negative"):
        searcher.search(good, offset=-1)


def test_bits_are_asked_for_with_bits(store: Store) -> None:
    from tests.tasks.conftest import World

    searcher = searched(World(store, pa.uint8()))
    with pytest.raises(ValueError, match="must be uint8, not float32"):
        searcher.search(np.zeros(16, np.float32))


def test_an_empty_index_says_so(world: "World") -> None:
    searched(world, 2)
    world.write(
        {key: (content, label, "removed") for key, (content, label, _) in pictures(2).items()}
    )
    lineage = world.night("run-2")
    with pytest.raises(ValueError, match="is empty: index images first"):
        Searcher(world.store, lineage.table, lineage.version).search(world.vector("0" * 12))


def test_a_version_that_was_never_sealed_is_not_searched(real_world: "World") -> None:
    searched(real_world)
    real_world.write({"new": ("new", "a", "live")})
    real_world.describe_all("second")
    unsealed = real_world.index("run-2")
    with pytest.raises(ValueError, match=r"never sealed .*: choose from 2\."):
        Searcher(real_world.store, unsealed.table, unsealed.version)


def test_encoders_are_not_mixed(real_world: "World") -> None:
    searcher = searched(real_world)
    spec = EncoderSpec(dimensions=16)
    other = load(save(build(spec), spec))
    with pytest.raises(
        MixedEncoders, match=f"encoder eeeeeeeeeeee, the query by {other.digest[:12]}"
    ):
        Searcher(real_world.store, searcher.lineage.table, searcher.lineage.version, other)


def test_the_metric_asked_by_is_the_tables_own(world: "World") -> None:
    searcher = searched(world)
    said = index_table(world.store, world.table).open().schema.metadata[METRIC.encode()].decode()
    assert searcher.metric == said


def test_an_image_finds_itself(life: "Life") -> None:
    life.night()
    searcher = Searcher(life.store, *resolve(life.store, life.recipe))
    for path in sorted(life.root.rglob("*.jpg"))[:5]:
        nearest = searcher.search(path.read_bytes(), 1).to_pylist()[0]
        assert nearest["key"] == path.relative_to(life.root).as_posix()
        assert nearest["distance"] == pytest.approx(0, abs=1e-5)
        assert nearest["distance"] >= 0
        assert nearest["labels"] == [path.parent.name]


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"no image", "not an image")])
def test_what_is_no_image_is_no_query(life: "Life", content: bytes, reason: str) -> None:
    life.night()
    searcher = Searcher(life.store, *resolve(life.store, life.recipe))
    with pytest.raises(BadImage) as refused:
        searcher.search(content)
    assert refused.value.reason == reason
