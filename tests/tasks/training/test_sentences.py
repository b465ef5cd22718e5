"""Which sentence an epoch draws: one of the picture's own, by the seed and the epoch alone."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.store import Store
from models.pixels import Transform
from models.text.vocabulary import Vocabulary
from tasks.training.selection import Wanted, selected
from tasks.training.sentences import Sentences
from tasks.training.training_set import Share, TrainingSet
from tests.tasks.training.courses import Draw, fill

LISTS = st.lists(
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4), min_size=1
)


def sentences(said: list[list[str]]) -> Sentences:
    return Sentences.of(pa.chunked_array([pa.array(said, pa.list_(pa.string()))]))


@given(LISTS, st.integers(0, 99), st.integers(0, 9), st.data())
def test_what_is_drawn_for_a_row_does_not_depend_on_the_others(
    said: list[list[str]], seed: int, epoch: int, data: st.DataObject
) -> None:
    told = sentences(said)
    assert list(told.each()) == said
    rows = data.draw(st.lists(st.integers(0, len(said) - 1), min_size=1))
    whole = told.drawn(np.arange(len(said)), (seed, epoch))
    assert told.drawn(np.array(rows), (seed, epoch)) == [whole[row] for row in rows]
    assert all(text in said[row] for row, text in enumerate(whole))
    assert told.drawn(np.array(rows)) == [said[row][0] for row in rows]
    kept = np.isin(np.arange(len(said)), rows)
    assert list(told.at(kept).each()) == [said[row] for row in np.flatnonzero(kept)]


def test_over_the_epochs_each_sentence_is_drawn_as_often_as_it_was_said() -> None:
    told = sentences([["x"], ["a", "b", "b", "c"]])
    drawn = Counter(told.drawn(np.array([1]), (3, epoch))[0] for epoch in range(400))
    shares = [drawn[text] / 400 for text in "abc"]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.07)
    assert set(told.drawn(np.array([0, 0]), (3, 0))) == {"x"}


def test_rows_of_which_nothing_was_said_are_left_out_and_tags_stand_in_for_captions(
    store: Store, draw: Draw
) -> None:
    contents = [draw(number) for number in range(6)]
    captions = [["A red dog.", "a dog"], [], ["The dog runs"], ["red"], [], ["runs red"]]
    tags = [["t"]] * 6
    version = fill(store, contents, [[]] * 6, said={"captions": captions, "tags": tags})
    chosen = selected(store, "toy", version, Wanted(words=True, sentences=True))
    assert chosen.sentences is not None
    assert chosen.words is not None
    assert list(chosen.sentences.each()) == [said for said in captions if said]
    assert chosen.words.names == ["dog", "red", "runs"]
    assert "captions" not in chosen.rows.column_names
    version = fill(store, contents, [[]] * 6, dataset="tagged", said={"tags": [*tags[:4], [], []]})
    chosen = selected(store, "tagged", version, Wanted(words=True, sentences=True))
    assert chosen.sentences is not None
    assert list(chosen.sentences.each()) == [["t"]] * 4


@pytest.mark.parametrize("memory", [2**20, 3 * 16 * 16 * 3])
def test_batches_carry_the_codes_of_the_sentences_that_were_drawn(
    store: Store, draw: Draw, memory: int
) -> None:
    captions = [[f"word{number}", f"other{number}"] for number in range(8)]
    version = fill(store, [draw(n) for n in range(8)], [[]] * 8, said={"captions": captions})
    chosen = selected(store, "toy", version, Wanted(words=True, sentences=True))
    assert chosen.sentences is not None
    vocabulary = Vocabulary([word for said in captions for word in said])
    pictures = TrainingSet(
        store, "toy", chosen, transform=Transform(size=16), memory=memory, codes=vocabulary.codes
    )
    pictures.prepare(lambda done, total: None)
    whole = list(pictures.batches(2, 7, 4, Share()))
    for some in whole:
        said = chosen.sentences.drawn(some.rows, (7, 2))
        assert some.sentences is not None
        assert some.sentences.tolist() == vocabulary.codes(said).tolist()
    rest = list(pictures.batches(2, 7, 4, Share(), skip=1))
    assert [some.rows.tolist() for some in rest] == [some.rows.tolist() for some in whole[1:]]
    firsts = next(pictures.each_once(8))
    assert firsts.sentences is not None
    wanted = vocabulary.codes(chosen.sentences.drawn(firsts.rows))
    assert firsts.sentences.tolist() == wanted.tolist()


def test_which_sentence_is_drawn_does_not_follow_from_the_order_of_the_pictures() -> None:
    """An epoch's order has lots of its own, of the same seed."""
    said = sentences([[str(n) for n in range(1000)]] * 50)
    found = [int(text) for text in said.drawn(np.arange(50), (3, 4))]
    order = np.random.default_rng((3, 4)).random(50)
    assert found != [int(lot * 1000) for lot in order]
