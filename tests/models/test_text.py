"""Towers for text: which words, which codes, what is kept with the encoder and what is refused."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.taxonomy import DescriptorType
from models.header import HEADER_KEY, header_of, spec_of
from models.pixels import Transform
from models.spec import EncoderSpec, TextSpec
from models.text.base import NoText
from models.text.vocabulary import FIRST, LONGEST, PADDING, UNKNOWN, Vocabulary, words_of
from models.text.words import WordTower
from models.weights import build, digest_of, load, save

WORDS = ("beach", "dog", "runs")
TEXT = TextSpec(width=8, vocabulary=WORDS)
SPEC = EncoderSpec(arguments={"width": 4}, dimensions=16, transform=Transform(size=16))
READS = SPEC.model_copy(update={"text": TEXT})

TEXTS = st.lists(st.sampled_from(["a dog", "A dog, runs!", "beach", "", "the 2 dogs"]), max_size=3)


def tower(spec: TextSpec = TEXT) -> WordTower:
    torch.manual_seed(0)
    return WordTower(16, spec).eval()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog on the BEACH.", ["a", "dog", "on", "the", "beach"]),
        ("snake_case, e-mail 3x3", ["snake", "case", "e", "mail", "3x3"]),
        ("Ｄｏｇ straße ÉTÉ", ["dog", "strasse", "été"]),
        ("  …!  ", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_one_form(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=8), st.integers(1, 5), st.integers(1, 3))
def test_a_vocabulary_holds_the_words_of_the_most_pictures_in_whatever_order_they_come(
    said: list[list[str]], most: int, least: int
) -> None:
    counts: Counter[str] = Counter()
    for texts in said:
        counts.update({word for text in texts for word in words_of(text)})
    order = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    wanted = sorted(word for word in order if counts[word] >= least)
    assert list(Vocabulary.learned(said, most, least).words) == wanted
    assert list(Vocabulary.learned(said[::-1], most, least).words) == wanted


def test_codes_name_words_in_their_order_and_unknown_ones_share_one() -> None:
    vocabulary = Vocabulary(WORDS)
    codes = vocabulary.codes(["The dog runs", "", "beach dog cat runs dog"])
    assert codes.tolist() == [
        [UNKNOWN, FIRST + 1, FIRST + 2, PADDING, PADDING],
        [PADDING] * 5,
        [FIRST, FIRST + 1, UNKNOWN, FIRST + 2, FIRST + 1],
    ]
    assert vocabulary.codes([""]).shape == (1, 1)
    assert vocabulary.codes(["dog " * 1000]).shape == (1, LONGEST)
    assert [vocabulary.knows(text) for text in ("a DOG", "cat", "")] == [True, False, False]


def test_the_features_of_a_text_are_those_of_its_words_whatever_stands_beside_it() -> None:
    read = tower()
    alone = read(read.codes(["dog runs"]))
    beside = read(read.codes(["dog runs", "beach dog runs dog dog"]))
    torch.testing.assert_close(beside[:1], alone)
    torch.testing.assert_close(read(read.codes(["runs dog"])), alone)
    torch.testing.assert_close(beside.norm(dim=1), torch.ones(2))
    assert not torch.allclose(beside[0], beside[1])
    vectors = torch.stack([read.embed.weight[FIRST + 1], read.embed.weight[FIRST + 2]])
    mean = vectors.mean(dim=0, keepdim=True)
    said = read.head(mean + read.mix(mean))
    torch.testing.assert_close(alone, said / said.norm())


@pytest.mark.parametrize("descriptor", [DescriptorType.REAL_VALUED, DescriptorType.BINARY])
def test_a_tower_is_saved_with_its_encoder_and_comes_back(descriptor: DescriptorType) -> None:
    spec = READS.model_copy(update={"descriptor": descriptor})
    encoder = build(spec, seed=3)
    content = save(encoder, spec)
    again = load(content)
    assert spec_of(content) == spec
    assert again.reads
    texts = ["a dog", "beach runs"]
    encoder.eval()
    assert encoder.text is not None
    wanted = encoder.text(encoder.text.codes(texts))
    torch.testing.assert_close(again.read(texts), wanted)
    assert again.describe(again.read(texts)).shape == (2, again.width)


def test_the_digest_covers_the_words_and_the_weights_of_the_tower() -> None:
    encoder = build(READS)
    digests = {digest_of(save(encoder, READS)), digest_of(save(build(SPEC), SPEC))}
    assert isinstance(encoder.text, WordTower)
    with torch.no_grad():
        encoder.text.embed.weight[FIRST, 0] += 1
    digests.add(digest_of(save(encoder, READS)))
    other = TEXT.model_copy(update={"vocabulary": ("beach", "cat", "runs")})
    digests.add(digest_of(save(encoder, READS.model_copy(update={"text": other}))))
    assert len(digests) == 4


def test_an_encoder_without_a_tower_is_told_as_ever_and_its_weights_are_drawn_as_ever() -> None:
    content = save(build(SPEC), SPEC)
    assert "text" not in json.loads(header_of(content)["__metadata__"][HEADER_KEY])
    alone, beside = build(SPEC, 5).state_dict(), build(READS, 5).state_dict()
    assert set(beside) - set(alone) == {name for name in beside if name.startswith("text.")}
    for name, value in alone.items():
        assert torch.equal(value, beside[name]), name


@pytest.mark.parametrize(
    ("spec", "texts", "sentence"),
    [
        (SPEC, ["a dog"], "has no tower for text.*method: clip"),
        (READS, ["dog", "quokka"], "knows no word of 'quokka'.*Choose other words"),
        (READS, [" "], "knows no word of ' '"),
    ],
)
def test_what_cannot_be_read_is_refused(
    spec: EncoderSpec, texts: Sequence[str], sentence: str
) -> None:
    embedder = load(save(build(spec), spec))
    with pytest.raises(NoText, match=sentence):
        embedder.read(texts)


def test_a_frozen_encoder_lets_its_tower_learn() -> None:
    encoder = build(READS)
    encoder.freeze()
    learning = {n.partition(".")[0] for n, p in encoder.named_parameters() if p.requires_grad}
    assert learning == {"head", "text"}
    assert encoder.train().get_submodule("text").training
    assert not encoder.get_submodule("stages").training
