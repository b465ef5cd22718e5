"""Towers that learn from pairs and triplets: what they mine, and classes they have not seen."""

import itertools

import pytest
import torch

from data.taxonomy import DescriptorType
from models.learner import Learner, Schedule
from models.networks.base import Views
from models.networks.siamese_triplet import Loss, Metric, Mining, SiameseTripletEncoder
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised

COUNT = 7
ALIKE = torch.tensor([0, 0, 0, 1, 1, 1, 2])


def views(features: torch.Tensor, alike: torch.Tensor | None) -> Views:
    nothing = torch.zeros(len(features), 3, 1, 1)
    return Views(nothing, features, features, alike, torch.Generator())


def triplets_of(squared: list[list[float]], mining: Mining, margin: float) -> list[tuple[int, ...]]:
    """What is mined, in loops."""
    label = ALIKE.tolist()
    found: list[tuple[int, ...]] = []
    for a in range(COUNT):
        positives = [p for p in range(COUNT) if p != a and label[p] == label[a]]
        negatives = [n for n in range(COUNT) if label[n] != label[a]]
        if mining == "all":
            found += [(a, p, n) for p, n in itertools.product(positives, negatives)]
        elif mining == "batch_hard" and positives:
            hard = max(positives, key=lambda p: squared[a][p])
            found.append((a, hard, min(negatives, key=lambda n: squared[a][n])))
        elif mining == "semi_hard":
            for p in positives:
                farther = [n for n in negatives if squared[a][n] > squared[a][p]]
                near = min(farther, key=lambda n: squared[a][n]) if farther else None
                n = near if near is not None else max(negatives, key=lambda n: squared[a][n])
                if squared[a][n] < squared[a][p] + margin:
                    found.append((a, p, n))
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard", "all"])
@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_the_term_is_the_mean_over_what_is_mined(loss: Loss, mining: Mining, seed: int) -> None:
    lots = torch.Generator().manual_seed(seed)
    features = torch.nn.functional.normalize(torch.randn(COUNT, 3, generator=lots))
    squared = [[float((a - b).square().sum()) for b in features] for a in features]
    margin = 0.5
    mined = triplets_of(squared, mining, margin if loss == "triplet" else 9.0)
    if loss == "triplet":
        costs = [max(0.0, squared[a][p] - squared[a][n] + margin) for a, p, n in mined]
        costs = [cost for cost in costs if cost > 0] if mining == "all" else costs
        wanted = sum(costs) / max(1, len(costs))
    else:
        near = [squared[a][p] / 2 for a, p in {(a, p) for a, p, _ in mined}]
        far = [
            max(0.0, margin - squared[a][n] ** 0.5) ** 2 / 2
            for a, n in {(a, n) for a, _, n in mined}
        ]
        if mining == "all":  # also the pairs of an image that is alone in its class
            far = [
                max(0.0, margin - squared[i][j] ** 0.5) ** 2 / 2
                for i, j in itertools.permutations(range(COUNT), 2)
                if ALIKE[i] != ALIKE[j]
            ]
        wanted = sum(near) / len(near) + sum(far) / len(far)
    encoder = SiameseTripletEncoder(8, width=4, loss=loss, mining=mining, margin=margin)
    term = encoder.term(0)
    found = term(encoder, views(features, ALIKE[:, None] == ALIKE))
    assert found.item() == pytest.approx(wanted, abs=1e-5)
    assert isinstance(term, Metric)


def test_who_is_alike_must_be_known() -> None:
    encoder = SiameseTripletEncoder(8, width=4)
    with pytest.raises(ValueError, match="known who is alike"):
        encoder.term(0)(encoder, views(torch.ones(4, 8), None))


def test_each_loss_has_the_margin_of_its_paper() -> None:
    assert SiameseTripletEncoder(8, width=4).margin == 0.2
    assert SiameseTripletEncoder(8, width=4, loss="contrastive").margin == 0.7
    assert SiameseTripletEncoder(8, width=4, margin=0.4).margin == 0.4


def striped(names: list[int], each: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Stripes at the angle of a class, 15 degrees apart, in any colours; and the classes."""
    lots = torch.Generator().manual_seed(seed)
    classes = torch.tensor(names).repeat_interleave(each)
    count = len(classes)
    angles = (classes * torch.pi / 12).view(-1, 1, 1)
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    along = columns * angles.cos() + rows * angles.sin()  # (N, 28, 28)
    phase = 6.3 * torch.rand(count, 1, 1, generator=lots)
    waves = torch.sin(along + phase)[:, None]  # (N, 1, 28, 28)
    colours = torch.randn(2, count, 3, 1, 1, generator=lots)
    images = 0.5 + 0.15 * colours[0] + 0.15 * colours[1] * waves
    return (images + 0.05 * torch.randn(images.shape, generator=lots)).clamp(0, 1), classes


def first_right(
    encoder: SiameseTripletEncoder, images: torch.Tensor, classes: torch.Tensor
) -> float:
    with torch.no_grad():
        features = encoder.eval()(images)
    cosines = (features @ features.T).fill_diagonal_(-2)
    return float((classes[cosines.argmax(dim=1)] == classes).float().mean())


@pytest.mark.parametrize(
    ("loss", "mining"),
    [("triplet", "semi_hard"), ("triplet", "batch_hard"), ("contrastive", "all")],
)
def test_classes_that_were_never_shown_are_told_apart(loss: Loss, mining: Mining) -> None:
    torch.manual_seed(0)
    encoder = SiameseTripletEncoder(16, width=8, loss=loss, mining=mining)
    unseen = striped([1, 3, 5, 7, 9, 11], 12, seed=5)
    before = first_right(encoder, *unseen)
    lesson = Lesson(16, DescriptorType.REAL_VALUED, list("abcdefghijkl"), flip=False)
    learner = Learner(
        encoder,
        Supervised(lesson),
        Schedule("adamw", 3e-3, 0.05, 3, 25),
        torch.device("cpu"),
        term=encoder.term(0),
    )
    lots = torch.Generator().manual_seed(0)
    for step in range(25):
        images, classes = striped([0, 2, 4, 6, 8, 10], 6, seed=100 + step)
        learner.step(Batch(images, torch.nn.functional.one_hot(classes, 12).float(), lots))
    assert first_right(encoder, *unseen) > before + 0.1


def test_with_no_share_the_teacher_s_own_loss_teaches_nothing() -> None:
    def learned(share: float, temperature: float) -> torch.Tensor:
        torch.manual_seed(0)
        encoder = SiameseTripletEncoder(8, width=4, share=share)
        lesson = Lesson(8, DescriptorType.BINARY, list("abc"), temperature=temperature)
        learner = Learner(
            encoder,
            Supervised(lesson),
            Schedule("sgd", 0.1, 0.0, 1, 2),
            torch.device("cpu"),
            term=encoder.term(0),
        )
        images, classes = striped([0, 1, 2], 4, seed=1)
        targets = torch.nn.functional.one_hot(classes, 3).float()
        learner.step(Batch(images, targets, torch.Generator().manual_seed(0)))
        return encoder.state_dict()["head.project.weight"].clone()

    assert torch.equal(learned(0.0, 0.1), learned(0.0, 0.5))
    assert not torch.allclose(learned(1.0, 0.1), learned(1.0, 0.5))
