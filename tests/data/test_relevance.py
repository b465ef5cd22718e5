"""What answers a query, told from labels, lists and pairs, against loops over the definition."""

from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.protocols import PROTOCOLS, Pick, Protocol
from data.protocols.base import Own, Relevance
from data.relevance import RELEVANCES, Question, own_answers, truth_of

REST = Pick(without=("queries",))
LISTS = pa.list_(pa.string())


def protocol(relevance: str, own: Own = "absent", **fields: object) -> Protocol:
    told = {"dataset": "x", "queries": Pick(each=1), "database": REST, "metric": "map[all]"}
    told |= {"relevance": relevance, "own": own, "defined": "here"}
    return Protocol.model_validate(told | fields)


def grades(
    told: Protocol, questions: list[Question], rows: dict[str, list[str]], **count: object
) -> list[list[int]]:
    truth = truth_of(told, questions, count.get("count"))  # type: ignore[arg-type]
    judged = truth.among(pa.array(list(rows), pa.string()), pa.array(list(rows.values()), LISTS))
    found: list[list[int]] = judged.grades(slice(None)).tolist()
    return found


labels = st.lists(st.sampled_from("abcd"), max_size=4)


@given(asked=st.lists(labels, min_size=1, max_size=4), held=st.lists(labels, min_size=1))
def test_shared_labels_are_counted_and_of_the_same_label_one_is_enough(
    asked: list[list[str]], held: list[list[str]]
) -> None:
    questions = [Question(f"q{n}", tuple(one)) for n, one in enumerate(asked)]
    rows = {f"r{n}": one for n, one in enumerate(held)}
    shared = [[len(set(one) & set(row)) for row in held] for one in asked]
    assert grades(protocol("shared_label"), questions, rows) == shared
    same = [[min(count, 1) for count in row] for row in shared]
    assert grades(protocol("same_label"), questions, rows) == same
    assert grades(protocol("same_pair"), questions, rows) == same


TREES: tuple[dict[str, str], ...] = (
    {},
    {"a": "x", "b": "x", "c": "y"},
    {"a": "x", "b": "x/y", "c": "z", "x": "z", "z/w": "d"},
)
NAMES = ("a", "b", "c", "d", "x/y", "x/y/e", "x/f", "z/w")


def lowest(one: str, other: str, parents: dict[str, str]) -> int:
    """How deep the lowest group is that holds both ONE and OTHER; 0 for the root."""

    def line(name: str) -> list[str]:
        upwards = [name]
        while up := parents.get(name, "/".join(name.split("/")[:-1])):
            upwards.append(up)
            name = up
        return upwards

    for group in line(one):
        if group in line(other):
            return len(line(group))
    return 0


@given(
    parents=st.sampled_from(TREES),
    asked=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    held=st.lists(st.sampled_from(NAMES), min_size=1),
)
def test_in_a_tree_a_grade_is_the_depth_of_the_lowest_group_that_holds_both(
    parents: dict[str, str], asked: list[str], held: list[str]
) -> None:
    questions = [Question(f"q{n}", (one,)) for n, one in enumerate(asked)]
    rows = {f"r{n}": [one] for n, one in enumerate(held)} | {"bare": []}
    told = protocol("hierarchical", parents=parents)
    deep = [[*(lowest(one, row, parents) for row in held), 0] for one in asked]
    assert grades(told, questions, rows) == deep


def test_of_several_labels_the_groups_are_counted_that_both_pictures_are_in() -> None:
    told = protocol("hierarchical", parents={"dog": "animal", "cat": "animal"})
    rows = {"1": ["dog", "sky"], "2": ["cat", "dog"], "3": ["sky"], "4": ["car"]}
    assert grades(told, [Question("q", ("dog", "sky"))], rows) == [[3, 2, 1, 0]]
    assert truth_of(told, [Question("q", ("dog", "sky"))], None).top == 3


def test_groups_are_a_tree_and_asked_for() -> None:
    with pytest.raises(ValueError, match="'a' stands above itself"):
        protocol("hierarchical", parents={"a": "b", "b": "a"})
    with pytest.raises(ValueError, match="set relevance: hierarchical"):
        protocol("same_label", parents={"a": "b"})
    with pytest.raises(ValueError, match="frequent counts labels"):
        protocol("hierarchical", frequent=3)


def test_the_tree_of_cifar10_holds_its_ten_classes() -> None:
    told = PROTOCOLS["cifar10-hierarchy"]
    asked = [Question("q", ("dog",))]
    rows = {"1": ["dog"], "2": ["frog"], "3": ["truck"]}
    assert grades(told, asked, rows) == [[2, 1, 0]]
    assert set(told.parents.values()) == {"animal", "vehicle"}
    assert len(told.parents) == 10
    again = Protocol.model_validate(told.model_dump(mode="json"))
    assert (again, again.digest) == (told, told.digest)


def test_only_labels_that_count_are_shared() -> None:
    asked = [Question("q", ("sky", "rare"))]
    rows = {"1": ["rare"], "2": ["sky", "rare"]}
    told = protocol("shared_label", frequent=1)
    assert grades(told, asked, rows, count={"sky"}) == [[0, 1]]


def test_answers_and_junk_are_listed_by_key() -> None:
    tags = ("easy/index/a", "hard/index/b", "junk/index/c", "easy/index/gone", "sunny")
    asked = [Question("query/1", ("1",), tags), Question("query/2")]
    rows = {f"index/{name}": ["1"] for name in "abcd"}
    levels = {name: PROTOCOLS[f"roxford5k-{name}"] for name in ("easy", "medium", "hard")}
    assert grades(levels["easy"], asked, rows) == [[1, 2, 2, 0], [0, 0, 0, 0]]
    assert grades(levels["medium"], asked, rows) == [[1, 1, 2, 0], [0, 0, 0, 0]]
    assert grades(levels["hard"], asked, rows) == [[2, 1, 2, 0], [0, 0, 0, 0]]


def test_the_landmarks_truth_lists_its_answers() -> None:
    asked = [Question("test/1", ("train/7",), ("answer/index/a", "retrieval/Public"))]
    rows = {"index/a": ["index/7"], "index/b": ["train/7"]}
    assert grades(PROTOCOLS["gldv2-retrieval"], asked, rows) == [[1, 0]]
    assert grades(PROTOCOLS["gldv2-recognition"], asked, rows) == [[0, 1]]


@pytest.mark.parametrize(
    ("own", "expected"), [("left_out", [2, 1]), ("counted", [1, 1]), ("absent", [1, 1])]
)
def test_the_query_s_own_picture_is_known_by_its_key(own: Own, expected: list[int]) -> None:
    rows = {"q": ["a"], "copy": ["a"]}
    assert grades(protocol("same_label", own), [Question("q", ("a",))], rows) == [expected]


def test_a_part_of_the_queries_is_judged_as_it_is_among_all() -> None:
    questions = [Question(f"q{n}", tuple("abc"[: n % 4])) for n in range(9)]
    rows = {f"r{n}": list("abcd"[n % 4 :]) for n in range(7)}
    truth = truth_of(protocol("shared_label"), questions, None)
    keys, held = pa.array(list(rows)), pa.array(list(rows.values()), LISTS)
    whole = truth.among(keys, held).grades(slice(None))
    assert np.array_equal(truth.among(keys, held).grades(slice(3, 6)), whole[3:6])
    assert np.array_equal(truth.of([8, 2]).among(keys, held).grades(slice(None)), whole[[8, 2]])


def test_every_relevance_is_told_and_words_are_not_asked_as_pictures_are() -> None:
    assert set(RELEVANCES) == set(get_args(Relevance))
    for word, said in (("judged", "judged by people"), ("caption", "asked with sentences")):
        with pytest.raises(ValueError, match=f"'{word}' is {said}"):
            truth_of(protocol(word), [Question("q")], None)


def test_sentences_are_answered_by_the_keys_that_are_told_and_nothing_is_left_out() -> None:
    keys = pa.array(["x", "y", "z"])
    judged = own_answers([("y",), (), ("z", "x", "z", "w")]).among(keys, pa.array([], LISTS))
    assert judged.grades(slice(None)).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
