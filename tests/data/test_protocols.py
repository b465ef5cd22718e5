"""Named protocols: what each must say, and sets that are drawn the same way everywhere."""

import hashlib
import io
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.adapters import DATASETS
from data.protocols import PROTOCOLS, Pick, Picture, Protocol, protocols_of, sets_of
from data.protocols.draw import Sets, lot, read_sets, seen_labels, write_sets

REST = Pick(without=("queries",))


def protocol(**fields: object) -> Protocol:
    told = {
        "dataset": "x",
        "queries": Pick(each=2),
        "database": REST,
        "relevance": "shared_label",
        "metric": "map[all]",
        "defined": "here",
    }
    return Protocol.model_validate(told | fields)


def album(counts: dict[str, int], split: str = "") -> list[Picture]:
    return [
        Picture(f"{label}/{number:03d}", (label,), split)
        for label, count in counts.items()
        for number in range(count)
    ]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_protocol_says_whose_it_is_and_how_it_is_normalised(name: str) -> None:
    one = PROTOCOLS[name]
    assert one.defined
    assert one.dataset in name or name in ("imagenet100-hashnet",)
    for metric in (one.metric, *one.also):
        assert (
            not metric.startswith(("map", "ndcg", "dcg")) or "[" in metric or metric == "map_at_r"
        )
        Protocol.model_validate(one.model_dump() | {"metric": metric})
    same = one.queries == one.database
    assert same <= (one.own != "absent"), "queries that are the database are in it"
    if one.dataset in DATASETS and not one.lists:
        splits = DATASETS[one.dataset].card.splits
        for pick in (one.queries, one.database, one.train):
            assert pick is None or set(pick.splits) <= set(splits)


def test_protocols_are_found_by_their_dataset() -> None:
    assert protocols_of("cifar10") == (
        "cifar10", "cifar10-1", "cifar10-2", "cifar10-unsupervised", "cifar10-unseen",
        "cifar10-hierarchy",
    )  # fmt: skip
    assert protocols_of("folder") == ()


@pytest.mark.parametrize("name", protocols_of("cifar10"))
def test_the_protocols_of_cifar10_have_the_sizes_that_papers_state(name: str) -> None:
    pictures = [
        Picture(f"{split}/{number:05d}", (str(number % 10),), split)
        for split, count in DATASETS["cifar10"].card.splits.items()
        for number in range(count)
    ]
    sets = sets_of(pictures, PROTOCOLS[name])
    assert (len(sets.queries), len(sets.database), len(sets.train)) == PROTOCOLS[name].sizes
    assert not set(sets.queries) & set(sets.database)
    assert not set(sets.queries) & set(sets.train)
    if PROTOCOLS[name].queries.each:
        labels = {picture.key: picture.labels[0] for picture in pictures}
        assert set(Counter(labels[key] for key in sets.queries).values()) == {100}


def test_lots_are_those_of_the_documented_digest() -> None:
    key = "train/00007 ä"
    assert lot("nightjar 1", key) == hashlib.sha256(b"nightjar 1/" + key.encode()).digest()
    keys = [f"{number:03d}" for number in range(100)]
    sets = sets_of(
        [Picture(key) for key in keys], protocol(queries=Pick(count=3), seed="s", database=REST)
    )
    smallest = sorted(keys, key=lambda key: hashlib.sha256(f"s/{key}".encode()).hexdigest())[:3]
    assert sets.queries == tuple(sorted(smallest))
    assert sets.queries == ("058", "078", "091")


@given(order=st.randoms(use_true_random=False), seed=st.text())
def test_the_order_in_which_pictures_come_changes_nothing(order: random.Random, seed: str) -> None:
    pictures = [Picture(f"{n}", tuple("abcd"[: n % 4]), "") for n in range(40)]
    told = protocol(queries=Pick(each=3), train=Pick(count=5, without=("queries",)), seed=seed)
    first = sets_of(pictures, told)
    order.shuffle(pictures)
    assert sets_of(pictures, told) == first
    assert set(first.queries) | set(first.database) == {one.key for one in pictures}
    assert not set(first.queries) & (set(first.database) | set(first.train))


def test_a_picture_more_or_less_moves_few_others() -> None:
    told = protocol(queries=Pick(count=50))
    pictures = album({"a": 1000})
    before = set(sets_of(pictures, told).queries)
    after = set(sets_of(pictures[:-10], told).queries)
    assert len(before - after) <= 10


def test_a_rare_label_draws_before_a_common_one_takes_its_pictures() -> None:
    both = [Picture(f"both/{number}", ("common", "rare"), "") for number in range(2)]
    sets = sets_of(album({"common": 50}) + both, protocol(queries=Pick(each=2)))
    assert {key for key in sets.queries if key.startswith("both")} == {"both/0", "both/1"}
    assert len(sets.queries) == 4


def test_too_few_pictures_are_an_error_that_names_the_label() -> None:
    with pytest.raises(ValueError, match="queries should have 2 pictures of 'b', and there are 1"):
        sets_of(album({"a": 3, "b": 1}), protocol())
    with pytest.raises(ValueError, match="queries should be 9 pictures, and there are 4"):
        sets_of(album({"a": 4}), protocol(queries=Pick(count=9)))


def test_only_frequent_labels_count_and_pictures_without_one_do_not() -> None:
    pictures = [*album({"sky": 5, "sea": 4, "ice": 4, "rare": 1}), Picture("none", (), "")]
    sets = sets_of(pictures, protocol(queries=Pick(each=1), frequent=2))
    assert len(sets.queries) == 2
    assert {key.split("/")[0] for key in sets.queries + sets.database} == {"ice", "sky"}


def test_labels_that_teach_are_not_those_that_are_asked_for() -> None:
    pictures = album({letter: 4 for letter in "abcdefgh"})
    told = protocol(
        queries=Pick(labels="unseen", each=1),
        database=Pick(labels="unseen", without=("queries",)),
        train=Pick(labels="seen"),
        seen=0.75,
    )
    sets = sets_of(pictures, told)
    classes = [{key[0] for key in keys} for keys in (sets.queries, sets.database, sets.train)]
    assert classes[0] == classes[1]
    assert (len(classes[0]), len(classes[2])) == (2, 6)
    assert not classes[0] & classes[2]
    assert seen_labels("abcdefgh", 0.75, told.seed) == frozenset(classes[2])


def test_queries_in_the_database_are_refused_unless_the_protocol_says_so() -> None:
    pictures = [*album({"a": 3}), Picture("z", (), "")]
    with pytest.raises(ValueError, match="3 queries are in the database too, such as 'a/000'"):
        sets_of(pictures, protocol(queries=Pick(labels="some"), database=Pick()))
    sets = sets_of(pictures, protocol(queries=Pick(labels="some"), database=Pick(), own="left_out"))
    assert (len(sets.queries), len(sets.database), sets.train) == (3, 4, ())


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_a_list_that_was_written_is_read(keys: list[str]) -> None:
    sets = Sets(queries=tuple(keys[::2]), database=tuple(keys[1::2]), train=tuple(keys[::3]))
    out = io.StringIO(newline="")
    write_sets(sets, out)
    assert read_sets(io.StringIO(out.getvalue(), newline="")) == sets


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with the line set,key"),
        ("set,key\ngallery,a\n", "Line 2"),
        ("set,key\na\n", "Line 2"),
    ],
)
def test_what_is_no_list_of_sets_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_sets(io.StringIO(text))


@pytest.mark.parametrize("metric", ["mAP@1000", "map@k", "map@1000[hits", ""])
def test_a_metric_that_no_one_could_repeat_is_refused(metric: str) -> None:
    with pytest.raises(ValidationError):
        protocol(metric=metric)
