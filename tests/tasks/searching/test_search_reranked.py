"""The first rows of a search are re-ranked as the steps say; pictures are read where they lie."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from data.store import Store
from models.reranking import Reranking, Shortlist, rerank, steps_of
from models.reranking.base import Wanted
from tasks.searching.question import Query, Question
from tasks.searching.rerank import StoredPictures, steps
from tasks.searching.search import SCORED, Searcher
from tasks.searching.versions import resolve
from tests.tasks.conftest import World
from tests.tasks.rows import apart, pictures

if TYPE_CHECKING:
    from tests.tasks.conftest import Life


def searcher(world: World, n: int = 40) -> Searcher:
    world.write(pictures(n))
    world.describe_all()
    lineage = world.night("run-1")
    return Searcher(world.store, lineage.table, lineage.version)


def test_steps_are_said_in_one_line() -> None:
    assert steps("alpha_qe") == steps_of("alpha_qe")
    assert steps(" alpha_qe:n=5,alpha=2 + database_augmentation: n = 3 ") == steps_of(
        "alpha_qe+database_augmentation",
        {"alpha_qe": {"n": 5, "alpha": 2}, "database_augmentation": {"n": 3}},
    )


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("", "Unknown re-ranking ''"),
        ("alpha", "Unknown re-ranking 'alpha': choose from alpha_qe"),
        ("alpha_qe+", "Unknown re-ranking ''"),
        ("alpha_qe:n", "'n' is no option of a re-ranking: write alpha_qe:NAME=VALUE"),
        ("alpha_qe:", "'' is no option"),
        ("alpha_qe:n=0", "alpha_qe cannot take n: '0'"),
        ("alpha_qe:k=0", "Unknown option of alpha_qe 'k': choose from alpha, n"),
    ],
)
def test_what_is_no_step_is_refused(said: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        steps(said)


def test_the_first_rows_stand_as_the_steps_put_them_and_no_others_come(world: World) -> None:
    asked = searcher(world)
    query = world.vector("0123456789abcdef")
    by = steps("alpha_qe:n=3+database_augmentation:n=4")
    question = Question((Query.of(query),), k=12, rerank=by, depth=12)
    found = asked.ask(question)
    assert found.schema == SCORED
    plain = asked.search(query, 12)
    rows = np.stack([world.vector(world.said[key][0]) for key in plain["key"].to_pylist()])
    far = np.array([apart(query, row) for row in rows])
    places, scores = rerank(by, query, rows, far, asked.metric)
    assert found["score"].to_pylist() == pytest.approx(scores.tolist(), abs=2e-3)
    assert set(found["key"].to_pylist()) == set(plain["key"].to_pylist())
    if world.value == pa.float32():
        assert found["key"].to_pylist() == plain["key"].take(pa.array(places)).to_pylist()
    pages = [asked.ask(replace(question, k=6, offset=offset)) for offset in (0, 6)]
    assert pa.concat_tables(pages) == found
    assert len(asked.ask(replace(question, apart=0.0))) == 12


def test_several_vectors_are_re_ranked_by_their_mean_and_codes_are_not(world: World) -> None:
    asked = searcher(world)
    vectors = [world.vector(f"{seed:012x}") for seed in (1, 2)]
    question = Question(tuple(map(Query.of, vectors)), k=10, rerank=steps("alpha_qe:n=3"), depth=10)
    if asked.metric == "hamming":
        with pytest.raises(ValueError, match="by hamming several have no mean"):
            asked.ask(question)
        return
    found = asked.ask(question)
    mean = np.mean([vector.astype(np.float32) for vector in vectors], axis=0)
    alone = asked.ask(replace(question, like=(Query.of(mean.astype(np.float32)),)))
    assert found["key"].to_pylist() == alone["key"].to_pylist()
    assert found["score"].to_pylist() == pytest.approx(alone["score"].to_pylist(), abs=1e-4)


def test_visual_words_are_not_compared_as_vectors(store: Store) -> None:
    world = World(store, pa.uint16())
    asked = searcher(world, 10)
    query = Query.of(world.vector("0" * 12))
    with pytest.raises(ValueError, match="alpha_qe compares vectors, and visual words are none"):
        asked.ask(Question((query,), rerank=steps("alpha_qe")))


def test_where_no_row_is_near_enough_none_is_re_ranked(store: Store) -> None:
    world = World(store, pa.uint8())
    asked = searcher(world, 10)
    query = Query.of(world.vector("0" * 12))
    by = steps("alpha_qe+database_augmentation")
    assert asked.ask(Question((query,), radius=0, rerank=by)) == SCORED.empty_table()


def test_more_than_is_re_ranked_cannot_be_asked_for() -> None:
    by = steps("alpha_qe")
    with pytest.raises(ValueError, match="100 rows are re-ranked, and 101 are asked for"):
        Question((Query.of(b""),), k=100, offset=1, rerank=by)


class Sizes(Reranking):
    """Puts the rows first whose files are as long as the query's."""

    cite: ClassVar[str] = "nobody"
    wants: ClassVar[Wanted] = "pictures"

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND by the difference in bytes."""
        seen = found.pictures
        assert seen is not None
        files = [seen.of_row(int(place)) for place in found.places]
        sizes = [-abs(len(seen.query) - len(file or b"")) for file in files]
        return found.sorted_by(np.array(sizes, np.float32))


def test_a_step_that_looks_at_pictures_is_given_the_files_that_are_kept(life: "Life") -> None:
    life.night()
    asked = Searcher(life.store, *resolve(life.store, life.recipe))
    files = {p.relative_to(life.root).as_posix(): p.read_bytes() for p in life.root.rglob("*.jpg")}
    content = files["class1/0005.jpg"]
    question = Question((Query.of(content),), k=24, rerank=(Sizes(),))
    found = asked.ask(question).to_pylist()
    assert [-row["score"] for row in found] == sorted(
        abs(len(content) - len(file)) for file in files.values()
    )
    for row in found:
        assert -row["score"] == abs(len(content) - len(files[row["key"]]))
    with pytest.raises(ValueError, match="looks at pictures: ask with one, not with a descriptor"):
        asked.ask(replace(question, like=(Query.of(np.ones(16, np.float32)),)))
    with pytest.raises(ValueError, match="compares with one picture: ask with each by itself"):
        asked.ask(replace(question, like=(*question.like, *question.like)))
    held = StoredPictures(life.store, asked.lineage, ["class0/0000.jpg", "nothing"])
    assert (held(0), held(1)) == (files["class0/0000.jpg"], None)
