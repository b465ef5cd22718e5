"""The eight kinds of retrieval: each line says what there is, in words that other tables know."""

import pytest

from data.adapters import DATASETS
from data.protocols import PROTOCOLS
from data.relevance import RELEVANCES
from data.taxonomy import Retrieval
from models.measures import measure
from models.reranking import RERANKINGS
from tasks.retrieval import RETRIEVALS, measured_by


def test_the_table_has_a_line_for_each_word_of_the_taxonomy() -> None:
    assert set(RETRIEVALS) == set(Retrieval)
    assert set(measured_by("roxford5k-hard")) == {Retrieval.INSTANCE, Retrieval.OBJECT}


@pytest.mark.parametrize("word", RETRIEVALS)
def test_a_kind_is_told_in_words_that_the_other_tables_know(word: Retrieval) -> None:
    kind = RETRIEVALS[word]
    assert kind.relevance in RELEVANCES
    for name in (kind.headline, *kind.also):
        assert measure(name).name == name
    assert set(kind.protocols) <= set(PROTOCOLS)
    assert set(kind.rerankings) <= set(RERANKINGS)
    assert any(char.isdigit() for char in kind.cite)
    assert kind.about.endswith(".")
    assert kind.right.endswith(".")


@pytest.mark.parametrize("word", RETRIEVALS)
def test_a_kind_that_can_be_asked_says_how_and_another_says_why_not(word: Retrieval) -> None:
    kind = RETRIEVALS[word]
    can = not kind.refusal
    assert (bool(kind.asks), bool(kind.distances), bool(kind.command)) == (can, can, can)
    if can:
        assert not RELEVANCES[kind.relevance].refusal
        assert not measure(kind.headline).kind.refusal
        assert kind.command.startswith("nightjar search ")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_measures_some_kind_of_retrieval(name: str) -> None:
    assert measured_by(name)


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_that_claims_a_kind_knows_what_it_needs(name: str) -> None:
    card = DATASETS[name].card
    for word in card.retrievals:
        assert RETRIEVALS[word].says & set(card.says), (word, card.says)


@pytest.mark.parametrize("split", [None, "test"])
def test_without_a_protocol_a_query_is_never_its_own_answer(split: str | None) -> None:
    told = RETRIEVALS[Retrieval.SEMANTIC].protocol(split)
    if split is None:
        assert told.own == "left_out"
        assert not told.database.without
    else:
        assert told.queries.splits == (split,)
        assert told.database.without == ("queries",)
    assert not told.is_drawn


@pytest.mark.parametrize("split", [None, "test"])
def test_without_a_protocol_sentences_ask_for_pictures_of_the_same_split(
    split: str | None,
) -> None:
    told = RETRIEVALS[Retrieval.CROSS_MODAL].protocol(split)
    assert told.queries == told.database
    assert told.queries.splits == (() if split is None else (split,))
    assert (told.relevance, told.own) == ("caption", "counted")
