"""An index of product-quantised rows, against loops over what its codes stand for."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy

from data.indexes import VECTOR, index_schema, indexable, metric_of, nearest, quantised, vectors_of
from data.store import Store
from data.where import where
from models.codebooks import TENSOR, WORDS, Codebooks
from models.header import HEADER_KEY
from models.spec import EncoderSpec
from tasks import codebooks
from tasks.codebooks import codebooks_in, codebooks_of, rows_of, told
from tasks.duplicates import duplicates
from tasks.encoders import weights_name
from tasks.health import has_ann
from tasks.index import IndexPlan
from tasks.measuring.tune import tune
from tasks.searching.question import REAL, Query, Question
from tasks.searching.rerank import steps
from tasks.searching.search import Searcher
from tests.tasks.conftest import World
from tests.tasks.rows import pictures

if TYPE_CHECKING:
    from data.lineage import Lineage

PARTS = 4
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture
def books() -> Codebooks:
    words = np.random.default_rng(5).standard_normal((PARTS, WORDS, 4)) / 4
    return Codebooks(words.astype(np.float32))


@pytest.fixture
def world(store: Store, books: Codebooks) -> World:
    """Real-valued descriptors in the cache, by an encoder that has codebooks."""
    codebooks._kept.cache_clear()
    parts, _, part = books.words.shape
    spec = EncoderSpec(dimensions=parts * part, storage="pq", pq_parts=parts)
    file = safetensors.numpy.save(
        {"else": np.zeros(3, np.float32), TENSOR: books.words}, {HEADER_KEY: spec.model_dump_json()}
    )
    world = World(store)
    store.write(weights_name(world.encoder), file)
    return world


def night(world: World, run: str, plan: IndexPlan | None = None) -> "Lineage":
    world.describe_all(f"of-{run}")
    return world.night(run, plan)


def searcher(world: World, lineage: "Lineage") -> Searcher:
    return Searcher(world.store, lineage.table, lineage.version)


def stood(world: World, books: Codebooks) -> dict[str, Array]:
    """What the row of each live key stands for, by loops over parts and words."""
    found = {}
    for key, (digest, _, state) in world.said.items():
        if state == "live":
            vector, parts = world.vector(digest).astype(float), []
            for part, words in enumerate(books.words.astype(float)):
                squares = [((vector[4 * part : 4 * part + 4] - word) ** 2).sum() for word in words]
                parts.append(words[int(np.argmin(squares))])
            found[key] = np.concatenate(parts)
    return found


def apart(one: Array, other: Array) -> float:
    one, other = one.astype(float), other.astype(float)
    return float(1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def ordered(rows: dict[str, Array], query: Array) -> list[tuple[float, str]]:
    return sorted((apart(query, row), key) for key, row in rows.items())


def asked(world: World, count: int = 4) -> Array:
    """COUNT descriptors of pictures that are in no index."""
    return np.stack([world.vector(f"{n:012x}") for n in range(count)])


def test_a_row_is_a_byte_a_part_and_its_schema_says_so(world: World, books: Codebooks) -> None:
    world.write(pictures(30))
    night(world, "run-1")
    dataset = world.open()
    assert dataset.schema.field(VECTOR).type == pa.list_(pa.uint8(), PARTS)
    assert quantised(dataset.schema)
    assert metric_of(dataset.schema) == "cosine"
    assert not indexable(dataset.schema)
    rows = dataset.to_table(["key", VECTOR])
    for key, row in zip(rows["key"].to_pylist(), rows_of(dataset, rows[VECTOR]), strict=True):
        np.testing.assert_allclose(row, stood(world, books)[key], atol=1e-6)
    with pytest.raises(ValueError, match="does not compare by codes"):
        nearest(dataset, asked(world)[0], 3)


def test_search_stands_by_the_cosine_with_what_codes_stand_for(
    world: World, books: Codebooks
) -> None:
    world.write(pictures(60))
    found = searcher(world, night(world, "run-1")).search_rows(asked(world), 20)
    rows = stood(world, books)
    for query, answer in zip(asked(world), found, strict=True):
        wanted = ordered(rows, query)[:20]
        assert answer["distance"].to_pylist() == pytest.approx([d for d, _ in wanted], abs=2e-6)
        assert answer["key"].to_pylist() == [key for _, key in wanted]


def test_what_a_row_stands_for_finds_it_first(world: World, books: Codebooks) -> None:
    world.write(pictures(60))
    search = searcher(world, night(world, "run-1"))
    for key, row in stood(world, books).items():
        found = search.search(row.astype(np.float32), 1)
        assert found["key"].to_pylist() == [key]
        assert found["distance"].to_pylist() == pytest.approx([0], abs=2e-6)


def test_a_second_night_codes_what_is_new_and_no_more(world: World, books: Codebooks) -> None:
    world.write(pictures(40))
    first = night(world, "run-1")
    before = vectors_of(world.open().to_table([VECTOR])[VECTOR])
    world.write({f"{i:03d}": (f"new {i}", "class 0", "live") for i in range(35, 50)})
    world.write({"000": ("content 0", "class 0", "gone")})
    assert night(world, "run-2").rows == 49
    rows = world.open().to_table(["key", VECTOR])
    wanted = stood(world, books)
    assert set(rows["key"].to_pylist()) == set(wanted)
    for key, row in zip(rows["key"].to_pylist(), rows_of(world.open(), rows[VECTOR]), strict=True):
        np.testing.assert_allclose(row, wanted[key], atol=1e-6)
    old = world.open(first.version).to_table([VECTOR])[VECTOR]
    assert (vectors_of(old) == before).all()


@pytest.mark.parametrize("text", ["label = 'class 1'", "bytes > 9 and split = train"])
def test_conditions_offsets_and_several_queries(world: World, books: Codebooks, text: str) -> None:
    world.write(pictures(60))
    search = searcher(world, night(world, "run-1"))
    rows = {
        key: row
        for key, row in stood(world, books).items()
        if (world.said[key][1] == "class 1" if "label" in text else len(f"content {int(key)}") > 9)
    }
    query = asked(world)[0]
    wanted = ordered(rows, query)
    found = search.ask(Question((Query.of(query),), k=6, offset=3, among=where(text)))
    assert found["key"].to_pylist() == [key for _, key in wanted[3:9]]
    like, unlike = (tuple(Query.of(one) for one in some) for some in np.split(asked(world), 2))
    told_apart = search.ask(Question(like, unlike, k=5, among=where(text)))
    plus, minus = (np.mean(some, axis=0) for some in np.split(asked(world), 2))
    scores = {key: row @ (plus - 0.5 * minus) / np.linalg.norm(row) for key, row in rows.items()}
    best = sorted(scores, key=lambda key: -scores[key])[:5]
    assert told_apart["key"].to_pylist() == best
    assert told_apart["score"].to_pylist() == pytest.approx([scores[key] for key in best], abs=1e-5)


def test_typical_rows_of_a_condition(world: World, books: Codebooks) -> None:
    world.write(pictures(30))
    search = searcher(world, night(world, "run-1"))
    units = {
        key: row / np.linalg.norm(row)
        for key, row in stood(world, books).items()
        if world.said[key][1] == "class 2"
    }
    middle = np.mean(list(units.values()), axis=0)
    best = sorted(units, key=lambda key: -float(units[key] @ middle))
    found = search.ask(Question(k=4, among=where("label = 'class 2'")))
    assert found["key"].to_pylist() == best[:4]


def test_near_ones_are_left_out_and_rows_are_ranked_again(world: World, books: Codebooks) -> None:
    world.write(pictures(40))
    search = searcher(world, night(world, "run-1"))
    query, rows, bound = asked(world)[1], stood(world, books), 0.7
    kept: list[str] = []
    for _, key in ordered(rows, query):
        if all(apart(rows[key], rows[other]) > bound for other in kept):
            kept.append(key)
    found = search.ask(Question((Query.of(query),), k=5, apart=bound))
    assert found["key"].to_pylist() == kept[:5]
    again = search.ask(Question((Query.of(query),), k=10, rerank=steps("alpha_qe:n=3"), depth=40))
    unit = {key: row / np.linalg.norm(row) for key, row in rows.items()}
    whole = query / np.linalg.norm(query)
    best = [(1 - far, key) for far, key in ordered(rows, query)[:3]]
    wider = whole + sum(np.maximum(near, 0) ** 3 * unit[key] for near, key in best)
    order = sorted(rows, key=lambda key: -float(unit[key] @ wider))
    assert again["key"].to_pylist() == order[:10]


def test_duplicates_compare_what_rows_stand_for(world: World, books: Codebooks) -> None:
    world.write(pictures(40))
    lineage = night(world, "run-1")
    rows, bound = stood(world, books), 0.35
    near = {
        key
        for key, row in rows.items()
        if any(other != key and apart(row, rows[other]) <= bound for other in rows)
    }
    assert near, "nothing would be told"
    found = duplicates(world.store, lineage.table, lineage.version, bound)
    assert found.exact
    assert found.metric == "cosine"
    assert found.near_images == len(near)


def test_no_ann_index_is_made_and_none_is_tuned(world: World) -> None:
    world.write(pictures(300))
    lineage = night(world, "run-1", IndexPlan(exact_below=100))
    assert not has_ann(world.open())
    assert not lineage.health["postponed"]
    with pytest.raises(ValueError, match="which are codes: its 300 rows are all compared"):
        tune(world.open(), 0.9)


def test_what_cannot_be_asked_is_refused(world: World) -> None:
    world.write(pictures(20))
    search = searcher(world, night(world, "run-1"))
    codes = np.zeros((1, PARTS), np.uint8)
    with pytest.raises(ValueError, match=r"must be \(Q, 16\)"):
        search.search_rows(codes)
    with pytest.raises(ValueError, match="a radius counts differing bits"):
        search.ask(Question((Query.of(asked(world)[0]),), radius=3))
    with pytest.raises(ValueError, match="real numbers ask binary codes"):
        search.ask(Question((Query(REAL, b""),)))


def test_codebooks_are_those_of_the_encoder_that_made_the_rows(
    world: World, books: Codebooks
) -> None:
    world.write(pictures(20))
    night(world, "run-1")
    held = codebooks_of(world.open())
    assert held is not None
    assert (held.words == books.words).all()
    rows = told(world.open(), world.open().to_table(["key", VECTOR]))
    assert rows[VECTOR].type == pa.list_(pa.float32(), 16)
    assert rows.column_names == ["key", VECTOR]
    assert codebooks_in(world.store, "d" * 64) is None
    codebooks._kept.cache_clear()
    world.store.delete(weights_name(world.encoder))
    with pytest.raises(FileNotFoundError, match="encoder eeeeeeeeeeee, whose codebooks"):
        codebooks_of(world.open())
    world.store.write(weights_name(world.encoder), b"nothing of the kind")
    with pytest.raises(ValueError, match="weights of encoder eeeeeeeeeeee are damaged"):
        codebooks_of(world.open())


def test_an_index_of_numbers_and_one_of_codes_do_not_mix(world: World) -> None:
    world.write(pictures(20))
    night(world, "run-1")
    with pytest.raises(ValueError, match="are of uint8"):
        index_schema(pa.float32(), 16, world.encoder, quantised=True)
    assert codebooks_of(world.open()) is not None
    codebooks._kept.cache_clear()
    other = Codebooks(np.zeros((2, WORDS, 8), np.float32))
    world.store.write(weights_name(world.encoder), safetensors.numpy.save({TENSOR: other.words}))
    with pytest.raises(ValueError, match="codebooks of 2 parts"):
        codebooks_of(world.open())
    codebooks._kept.cache_clear()
