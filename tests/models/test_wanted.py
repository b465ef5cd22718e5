"""What a recipe says of pooling is checked without torch, and is what the network is built of."""

from typing import Any

import pytest
import torch

from models.aggregation import AGGREGATIONS
from models.aggregation.wanted import Pooling, fits, pooling_of, width_of
from models.pooling import build_pooling

KNOWN = tuple(AGGREGATIONS)


def read(said: str, **options: dict[str, Any]) -> Pooling:
    return pooling_of(said, options, KNOWN, "convolutional")


@pytest.mark.parametrize("word", KNOWN)
def test_the_options_of_a_word_are_what_its_aggregation_takes(word: str) -> None:
    pooling = read(word, **{word: {}})
    if word == "asmk":
        assert pooling == {"asmk": {"words": 256}}
    pool = build_pooling(pooling, 16)
    assert torch.equal(pool.state_dict().get("p", torch.tensor(3.0)), torch.tensor(3.0))
    assert pool.dimensions == width_of(pooling, 16)
    assert pool.fits == fits(pooling)
    plain = build_pooling(word, 16)
    assert {name: of.shape for name, of in plain.state_dict().items()} == {
        name: of.shape for name, of in pool.state_dict().items()
    }  # a word alone means the same


def test_a_word_alone_stays_what_it_always_was() -> None:
    assert [read(word) for word in ("gem", "average", "vlad")] == ["gem", "average", "vlad"]


def test_words_are_fused_in_one_order_whatever_is_said() -> None:
    one, other = read("rmac+gem", gem={"share": 2}), read("gem+rmac", gem={"share": 2})
    assert list(one) == list(other) == ["gem", "rmac"], "so is the vector, and the plan's digest"
    assert one == other == {
        "gem": {"share": 2.0, "p": 3.0},
        "rmac": {"share": 1.0, "scales": 3, "whiten": False},
    }  # fmt: skip
    assert build_pooling(one, 6).dimensions == width_of(one, 6) == 12
    assert not fits(one)
    assert fits(read("rmac+gem", rmac={"whiten": True}))


@pytest.mark.parametrize(
    ("said", "options", "why"),
    [
        ("gen", {}, "Unknown pooling of convolutional 'gen': .*Did you mean 'gem'"),
        ("gem+rmak", {}, "Unknown pooling of convolutional 'rmak'"),
        ("gem+", {}, "Unknown pooling of convolutional ''"),
        ("gem+gem", {}, "fuses what cannot be fused"),
        ("gem+asmk", {}, "each word once, and asmk alone"),
        ("gem", {"rmac": {}}, "Unknown part of pooling_options 'rmac': choose from gem"),
        ("vlad", {"vlad": {"word": 2}}, "Unknown option of the pooling vlad 'word'.*words"),
        ("vlad", {"vlad": {"share": 2}}, "Unknown option of the pooling vlad 'share'"),
        ("vlad", {"vlad": {"words": 0}}, "The pooling vlad cannot take words: 0: "),
        ("asmk", {"asmk": {"words": 65535}}, "The pooling asmk cannot take words: 65535"),
        ("rmac", {"rmac": {"scales": "big"}}, "The pooling rmac cannot take scales: 'big'"),
        ("attention", {"attention": {"score": "x"}}, "cannot take score: 'x'"),
    ],
)
def test_what_is_not_understood_is_refused(
    said: str, options: dict[str, dict[str, Any]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        read(said, **options)


def test_every_aggregation_names_its_paper() -> None:
    assert all(any(char.isdigit() for char in one.cite) for one in AGGREGATIONS.values())
