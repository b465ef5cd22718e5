"""What is made of words: vectors, draws, likeness; and that noisy words teach more than none."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from data import taxonomy
from data.taxonomy import DescriptorType
from models import hashing, losses
from models.learner import Learner, Schedule, reproducible
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS, weakly_supervised
from models.supervision.base import Batch, Gallery, Lesson
from models.supervision.weakly_supervised import WDHT, Clicks, WeaklySupervised, co_occurrence
from tests.models.formulas import cosine, mean
from tests.models.lessons import CPU, Shown, batch, lesson

WEAKLY, ALONE = taxonomy.Supervision.WEAKLY_SUPERVISED, taxonomy.Supervision.SELF_SUPERVISED
REAL, BINARY = DescriptorType.REAL_VALUED, DescriptorType.BINARY


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99), st.sampled_from([1, 4, 100]))
def test_words_stand_together_as_often_as_in_a_dense_product(
    pictures: int, kinds: int, seed: int, entries: int
) -> None:
    words = torch.randint(0, 3, (pictures, kinds), generator=generator(seed)).float()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weakly_supervised, "ENTRIES", entries)
        together = co_occurrence(words.to_sparse())
    there = (words > 0).float()
    assert torch.equal(together, there.T @ there)


class Said(Shown):
    """A gallery of which WORDS were said."""

    def __init__(self, words: torch.Tensor) -> None:
        super().__init__()
        self._words = words

    @property
    def words(self) -> torch.Tensor | None:
        """What was said of them."""
        return self._words.to_sparse()


def taught(method: str, words: torch.Tensor, descriptor: DescriptorType = REAL) -> WeaklySupervised:
    names = [str(word) for word in range(words.shape[1])]
    teacher = WeaklySupervised(lesson(descriptor, method=method, words=names))
    teacher.before_epoch(0, ConvolutionalEncoder(16, width=4), Said(words))
    return teacher


WORDS = torch.tensor([[2.0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 3, 0], [1, 0, 1, 1]])


def test_vectors_and_rarities_of_tags_are_those_of_the_training_set() -> None:
    told = taught("wdht", WORDS).hearsay
    assert isinstance(told, WDHT)
    there = (WORDS > 0).float()
    assert torch.equal(told.vectors, losses.tag_vectors(there.T @ there, 4))
    rarities = [math.log(5 / n) for n in (5, 2, 2, 1)]
    assert told.rarities.tolist() == pytest.approx(rarities)


def test_a_later_epoch_changes_nothing() -> None:
    teacher = taught("wdht", WORDS)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    teacher.before_epoch(1, ConvolutionalEncoder(16, width=4), Said(torch.ones(5, 4)))
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_pictures_are_alike_that_share_a_word_which_is_not_common() -> None:
    # the first word is of all, the second of two of eight, the third of three of eight
    words = torch.zeros(8, 3)
    words[:, 0] = 1
    words[:2, 1] = words[4:7, 2] = 1
    teacher = taught("clicks", words)
    assert teacher.rare.tolist() == [0, 1, 0]
    pictures = batch(0, 8)
    said = Batch(pictures.images, None, pictures.generator, words)
    alike = teacher(ConvolutionalEncoder(16, width=4), said).views.alike
    assert alike is not None
    expected = torch.eye(8, dtype=torch.bool)
    expected[0, 1] = expected[1, 0] = True
    assert torch.equal(alike, expected)


def test_the_loss_of_clicks_is_that_of_its_formula_where_nothing_is_left_to_lots() -> None:
    # one word a picture, of 1, 3, 7 and 1 clicks; the first and the last were clicked for the same
    words = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 0, 0]])
    told = taught("clicks", words).hearsay
    assert isinstance(told, Clicks)
    features = functional.normalize(torch.randn(4, 16, generator=generator()))
    drawn, clicks = [0, 1, 2, 0], [1, 3, 7, 1]
    queries = told.queries.detach()
    near = [[cosine(f, queries[q]) / told.temperature for q in drawn] for f in features]
    costs = []
    for i in range(4):
        others = [j for j in range(4) if drawn[j] != drawn[i] or j == i]
        rows = math.log(sum(math.exp(near[i][j]) for j in others)) - near[i][i]
        columns = math.log(sum(math.exp(near[j][i]) for j in others)) - near[i][i]
        costs.append((rows + columns) / 2)
    weights = [math.log(1 + c) for c in clicks]
    expected = sum(w * c for w, c in zip(weights, costs, strict=True)) / sum(weights)
    assert told(features, words, generator()).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("descriptor", "weight"), [(REAL, 0.0), (BINARY, 0.1)])
def test_the_loss_of_wdht_is_that_of_what_its_tags_mean_and_of_bits(
    descriptor: DescriptorType, weight: float
) -> None:
    told = taught("wdht", WORDS, descriptor).hearsay
    assert isinstance(told, WDHT)
    features = functional.normalize(torch.randn(5, 16, generator=generator()))
    targets = losses.tag_target(WORDS, told.vectors, told.rarities)
    projected = features * 4 @ told.project.weight.T
    expected = losses.wdht(features * 4, projected, targets, 1.0, weight)
    assert told(features, WORDS, generator()).item() == pytest.approx(expected.item(), rel=1e-5)


def test_bits_that_clicks_teach_are_pressed_and_numbers_are_not() -> None:
    words = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 0, 0]])
    bits, numbers = (taught("clicks", words, kind).hearsay for kind in (BINARY, REAL))
    assert isinstance(bits, Clicks)
    assert isinstance(numbers, Clicks)
    features = functional.normalize(torch.randn(4, 16, generator=generator()))
    pressed = bits(features, words, generator()) - numbers(features, words, generator())
    wanted = 0.1 * mean([(abs(4 * float(x)) - 1) ** 2 for x in features.flatten()])
    assert pressed.item() == pytest.approx(wanted, abs=1e-5)


def test_a_picture_of_which_nothing_was_said_teaches_nothing() -> None:
    words = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 0]])
    told = taught("clicks", words).hearsay
    features = functional.normalize(torch.randn(4, 16, generator=generator())).requires_grad_()
    loss = told(features, words, generator())
    loss.backward()
    assert loss.item() == pytest.approx(told(features[:3], words[:3], generator()).item())
    assert features.grad is not None
    assert features.grad[3].abs().max() < 1e-6
    silent = told(features, torch.zeros(4, 3), generator())
    assert silent.item() == 0


def test_queries_are_drawn_by_how_often_they_were_said() -> None:
    told = taught("clicks", torch.ones(3, 4)).hearsay
    assert isinstance(told, Clicks)
    words, features = torch.tensor([[6.0, 3, 0, 1]]), torch.zeros(1, 16)
    counts, lots = [0.0] * 4, generator()
    with pytest.MonkeyPatch.context() as patch:

        def seen(images: torch.Tensor, queries: torch.Tensor, *_: object) -> torch.Tensor:
            counts[(told.queries == queries[0]).all(dim=1).tolist().index(True)] += 1
            return images.sum()

        patch.setattr(losses, "infonce", seen)
        for _ in range(1000):
            told(features, words, lots)
    assert [count / 1000 for count in counts] == pytest.approx([0.6, 0.3, 0, 0.1], abs=0.05)


# Stripes in random colours, of a direction that is the class: what raw pixels cannot tell.

CLASSES, SYNONYMS, SIDE, PICTURES, STEPS = 4, 2, 12, 240, 80


def stripes(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    lots = generator(seed)
    classes = torch.randint(0, CLASSES, (count,), generator=lots)
    angles = (classes * math.pi / CLASSES).view(-1, 1, 1)
    places = torch.linspace(-1, 1, SIDE)
    down, right = torch.meshgrid(places, places, indexing="ij")
    phases = torch.rand(count, 1, 1, generator=lots) * 2 * math.pi
    waves = torch.sin(7 * (right * torch.cos(angles) + down * torch.sin(angles)) + phases)
    first, second = (torch.rand(count, 3, 1, 1, generator=lots) for _ in range(2))
    share = (waves.view(count, 1, SIDE, SIDE) + 1) / 2
    return first * share + second * (1 - share), classes, lots


def noisy_tags() -> torch.Tensor:
    """Two tags a picture, each one of its class's synonyms, and 30 % of them of any class."""
    _, classes, lots = stripes(1, PICTURES)
    tags = torch.zeros(PICTURES, CLASSES * SYNONYMS)
    for _ in range(2):
        wrong = torch.rand(PICTURES, generator=lots) < 0.3
        told = torch.where(wrong, torch.randint(0, CLASSES, (PICTURES,), generator=lots), classes)
        which = torch.randint(0, SYNONYMS, (PICTURES,), generator=lots)
        tags[torch.arange(PICTURES), told * SYNONYMS + which] = 1
    return tags


def noisy_clicks() -> torch.Tensor:
    """A true query of 31 clicks a picture, and two that any picture may have got by one click."""
    _, classes, lots = stripes(1, PICTURES)
    queries, rows = torch.zeros(PICTURES, CLASSES * SYNONYMS), torch.arange(PICTURES)
    for _ in range(2):
        queries[rows, torch.randint(0, CLASSES * SYNONYMS, (PICTURES,), generator=lots)] = 1
    which = torch.randint(0, SYNONYMS, (PICTURES,), generator=lots)
    queries[rows, classes * SYNONYMS + which] = 5
    return queries


def precision(features: torch.Tensor, classes: torch.Tensor) -> float:
    """The mean average precision of each of FEATURES asking all the others."""
    found = []
    for row, near in enumerate(features @ features.T):
        order = near.argsort(descending=True, stable=True)
        hits = (classes[order] == classes[row]).float()[order != row]
        ranks = torch.arange(1, len(hits) + 1)
        found.append(float((hits.cumsum(0) / ranks * hits).sum() / hits.sum()))
    return mean(found)


def learned(
    word: taxonomy.Supervision,
    method: str,
    descriptor: DescriptorType,
    words: torch.Tensor,
    steps: int = STEPS,
) -> float:
    """How well unseen stripes are found by an encoder that learned from WORDS."""
    images, _, _ = stripes(1, PICTURES)
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=4)
    names = [str(n) for n in range(words.shape[1])]
    told = Lesson(16, descriptor, (), names, PICTURES, method, flip=False)
    learner = Learner(
        encoder,
        SUPERVISIONS[word].load()(told),
        Schedule("adamw", 1e-2, 0.05, warm_up=4, steps=STEPS),
        CPU,
    )
    gallery: Gallery = Said(words)
    learner.supervision.before_epoch(0, encoder, gallery)
    lots = generator(3)
    with reproducible(CPU, 1):
        for _ in range(steps):
            rows = torch.randint(0, PICTURES, (32,), generator=lots)
            learner.step(Batch(images[rows], None, lots, words[rows], rows))
        asked, classes, _ = stripes(2, 100)
        with torch.inference_mode():
            features = encoder.eval()(asked)
    return precision(hashing.signs(features) if descriptor == BINARY else features, classes)


@cache
def floor(descriptor: DescriptorType) -> float:
    """The best of what learns nothing, of ITQ on the pixels, and of what does not look at tags."""
    images, asked = stripes(1, PICTURES)[0].flatten(1), stripes(2, 100)
    projection = hashing.itq(images, 16, seed=0).projection
    codes = hashing.signs(projection(asked[0].flatten(1)))
    return max(
        precision(codes, asked[1]),
        learned(ALONE, "", descriptor, noisy_tags(), steps=0),
        learned(ALONE, "", descriptor, noisy_tags()),
    )


@pytest.mark.parametrize("descriptor", [REAL, BINARY])
@pytest.mark.parametrize("method", ["wdht", "clicks"])
def test_noisy_tags_teach_more_than_none(method: str, descriptor: DescriptorType) -> None:
    assert learned(WEAKLY, method, descriptor, noisy_tags()) > 1.6 * floor(descriptor)


def test_clicks_teach_more_when_they_are_counted() -> None:
    counted = learned(WEAKLY, "clicks", REAL, noisy_clicks())
    alike = learned(WEAKLY, "clicks", REAL, (noisy_clicks() > 0).float())
    assert counted > 1.3 * alike
