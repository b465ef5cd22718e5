"""Losses of pairs and triplets, and their miners, against plain loops from their papers."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from tests.models.formulas import (
    B,
    C,
    D,
    cosine,
    dot,
    drawn,
    mean,
    pairs_of,
    squared,
    targets,
)

FEATURES = drawn(B, D)
KINDS = pytest.mark.parametrize(
    "wanted",
    [
        targets(),
        targets(several=True),
        targets(several=True, unlabelled=(2, 3)),
        torch.eye(1, C).repeat(B, 1).double(),
    ],
    ids=["single", "several", "unlabelled", "one class"],
)


@KINDS
def test_pairs_are_alike_unlike_or_none(wanted: torch.Tensor) -> None:
    pairs = losses.Pairs.of(wanted)
    alike, unlike = pairs_of(wanted)
    assert [(int(i), int(j)) for i, j in pairs.alike.nonzero()] == alike
    assert [(int(i), int(j)) for i, j in pairs.unlike.nonzero()] == unlike


@pytest.mark.parametrize("margin", [0.7, 1.5])
@KINDS
def test_contrastive_is_its_formula(wanted: torch.Tensor, margin: float) -> None:
    others = drawn(B, D, seed=3)
    for second in (FEATURES, others):
        alike, unlike = pairs_of(wanted)
        near = [squared(FEATURES[i], second[j]) / 2 for i, j in alike]
        far = [
            max(0.0, margin - math.sqrt(squared(FEATURES[i], second[j]))) ** 2 / 2
            for i, j in unlike
        ]
        loss = losses.contrastive(FEATURES, losses.Pairs.of(wanted), margin, second)
        assert loss.item() == pytest.approx(mean(near) + mean(far), abs=1e-9)
    alone = losses.contrastive(FEATURES, losses.Pairs.of(wanted), margin)
    itself = losses.contrastive(FEATURES, losses.Pairs.of(wanted), margin, FEATURES)
    assert alone.item() == itself.item()


def test_contrastive_vanishes_where_classes_are_apart_and_survives_two_of_one_place() -> None:
    apart = targets() * 3
    assert losses.contrastive(apart, losses.Pairs.of(targets())).item() == pytest.approx(0)
    same = torch.ones(B, D).double().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.contrastive(same, losses.Pairs.of(targets())), same)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("margin", [0.0, 0.3, None])
def test_triplet_is_its_formula(margin: float | None) -> None:
    triplets = [(0, 3, 1), (1, 4, 2), (5, 0, 4), (3, 5, 2)]
    costs = []
    for a, p, n in triplets:
        excess = squared(FEATURES[a], FEATURES[p]) - squared(FEATURES[a], FEATURES[n])
        costs.append(
            math.log(1 + math.exp(excess)) if margin is None else max(0.0, excess + margin)
        )
    loss = losses.triplet(FEATURES, torch.tensor(triplets), margin)
    assert loss.item() == pytest.approx(mean(costs))
    none = losses.triplet(FEATURES, torch.empty(0, 3, dtype=torch.long), margin)
    assert none.item() == 0


@KINDS
@pytest.mark.parametrize("margin", [0.05, 0.5])
def test_the_loss_of_all_triplets_is_the_mean_of_those_that_cost(
    wanted: torch.Tensor, margin: float
) -> None:
    alike, unlike = pairs_of(wanted)
    costs = []
    for a, p in alike:
        for i, n in unlike:
            excess = squared(FEATURES[a], FEATURES[p]) - squared(FEATURES[a], FEATURES[n]) + margin
            if i == a and excess > 0:
                costs.append(excess)
    loss = losses.triplet_of_all(FEATURES, losses.Pairs.of(wanted), margin)
    assert loss.item() == pytest.approx(mean(costs))


def test_pairs_of_what_is_known_and_of_triplets() -> None:
    rows = targets()
    known, counted = losses.Pairs.known(rows @ rows.T > 0), losses.Pairs.of(rows)
    assert torch.equal(known.alike, counted.alike)
    assert torch.equal(known.unlike, counted.unlike)
    unlabelled = targets(unlabelled=(1, 4))  # who is alike does not say it of these themselves
    known = losses.Pairs.known(unlabelled @ unlabelled.T > 0)
    assert not known.counted.diagonal().any()
    assert torch.equal(known.counted, ~torch.eye(B, dtype=torch.bool))
    among = losses.Pairs.among(torch.tensor([[0, 3, 1], [0, 3, 2], [5, 0, 4]]), B)
    assert torch.nonzero(among.alike).tolist() == [[0, 3], [5, 0]]
    assert torch.nonzero(among.unlike).tolist() == [[0, 1], [0, 2], [5, 4]]
    none = losses.Pairs.among(torch.empty(0, 3, dtype=torch.long), B)
    assert not none.counted.any()


@KINDS
def test_the_hardest_of_the_batch_are_mined(wanted: torch.Tensor) -> None:
    alike, unlike = pairs_of(wanted)
    hardest = []
    for a in range(B):
        positives = [p for i, p in alike if i == a]
        negatives = [n for i, n in unlike if i == a]
        if positives and negatives:
            positive = max(positives, key=lambda p: squared(FEATURES[a], FEATURES[p]))
            negative = min(negatives, key=lambda n: squared(FEATURES[a], FEATURES[n]))
            hardest.append([a, positive, negative])
    assert losses.batch_hard(FEATURES, losses.Pairs.of(wanted)).tolist() == hardest


def semi_hard(features: torch.Tensor, wanted: torch.Tensor, margin: float) -> list[list[int]]:
    alike, unlike = pairs_of(wanted)
    mined = []
    for a, p in alike:
        near = squared(features[a], features[p])
        away = {n: squared(features[a], features[n]) for i, n in unlike if i == a}
        farther = {n: distance for n, distance in away.items() if distance > near}
        if not away:
            continue
        negative = min(farther, key=lambda n: farther[n]) if farther else max(away, key=away.get)  # type: ignore[arg-type]
        if away[negative] < near + margin:
            mined.append([a, p, negative])
    return mined


@KINDS
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), margin=st.sampled_from([0.1, 0.5, 2.0]))
def test_the_semi_hard_are_mined(wanted: torch.Tensor, seed: int, margin: float) -> None:
    features = drawn(B, D, seed=seed)
    mined = losses.semi_hard(features, losses.Pairs.of(wanted), margin)
    assert mined.shape[1] == 3
    assert mined.tolist() == semi_hard(features, wanted, margin)
    # each of them has something to teach
    for triplet in mined:
        assert losses.triplet(features, triplet[None], margin).item() > 0


def test_an_unlike_image_that_is_as_near_as_the_positive_is_not_farther() -> None:
    """The third is a copy of the second, of another class: the fourth is what is farther."""
    features = torch.tensor([[1.0, 0], [0, 1], [0, 1], [-0.06, 1]]).double()
    rows = torch.eye(2)[[0, 0, 1, 1]].double()
    mined = losses.semi_hard(features, losses.Pairs.of(rows))
    assert mined.tolist() == [[0, 1, 3], [1, 0, 3]]


@KINDS
def test_supcon_is_its_formula(wanted: torch.Tensor) -> None:
    alike, unlike = pairs_of(wanted)
    costs = []
    for i in range(B):
        mates = [j for a, j in alike if a == i]
        total = sum(
            math.exp(cosine(FEATURES[i], FEATURES[j]) / 0.2) for a, j in alike + unlike if a == i
        )
        if mates:
            logs = [
                math.log(math.exp(cosine(FEATURES[i], FEATURES[j]) / 0.2) / total) for j in mates
            ]
            costs.append(-mean(logs))
    loss = losses.supcon(FEATURES, losses.Pairs.of(wanted), 0.2)
    assert loss.item() == pytest.approx(mean(costs))


def test_supcon_of_two_views_of_single_images_is_ntxent() -> None:
    views = drawn(2 * B, D)
    twins = losses.Pairs.of(torch.eye(B).double().repeat(2, 1))
    wanted = losses.ntxent(views[:B], views[B:], 0.3).item()
    assert losses.supcon(views, twins, 0.3).item() == pytest.approx(wanted)


@KINDS
def test_dpsh_is_its_formula(wanted: torch.Tensor) -> None:
    alike, unlike = pairs_of(wanted)
    costs = []
    for i, j in alike + unlike:
        odds = dot(FEATURES[i], FEATURES[j]) / 2
        costs.append(math.log(1 + math.exp(odds)) - ((i, j) in alike) * odds)
    gaps = [(abs(float(x)) - 1) ** 2 for x in FEATURES.flatten()]
    loss = losses.dpsh(FEATURES, losses.Pairs.of(wanted), weight=0.3)
    assert loss.item() == pytest.approx(mean(costs) + 0.3 * mean(gaps))


@KINDS
def test_hashnet_is_its_formula(wanted: torch.Tensor) -> None:
    alike, unlike = pairs_of(wanted)
    every = alike + unlike
    total = 0.0
    bits = torch.tensor([[math.tanh(2 * float(x)) for x in row] for row in FEATURES]).double()
    for i, j in every:
        similar = (i, j) in alike
        weight = len(every) / len(alike if similar else unlike)
        odds = 10 * dot(bits[i], bits[j]) / D
        total += weight * (math.log(1 + math.exp(odds)) - similar * odds)
    loss = losses.hashnet(FEATURES, losses.Pairs.of(wanted), sharpness=2.0)
    assert loss.item() == pytest.approx(total / len(every))


@KINDS
def test_idhn_is_its_formula(wanted: torch.Tensor) -> None:
    bits = torch.tensor([[float(x) / (1 + abs(float(x))) for x in row] for row in FEATURES])
    costs = []
    for i, j in itertools.chain(*pairs_of(wanted)):
        likeness, product = cosine(wanted[i], wanted[j]), dot(bits[i], bits[j])
        if 0.01 < likeness < 0.99:
            costs.append(0.1 * D * ((product + D) / 2 / D - likeness) ** 2)
        else:
            odds = 5 * product / D
            costs.append(math.log(1 + math.exp(odds)) - round(likeness) * odds)
    gaps = [abs(abs(float(x)) - 1) for x in bits.flatten()]
    loss = losses.idhn(FEATURES, wanted, weight=0.3)
    assert loss.item() == pytest.approx(mean(costs) + 0.3 * mean(gaps), rel=1e-6)


def test_codes_of_half_shared_labels_are_best_half_alike() -> None:
    """The more a pair's bits agree, up to its share of labels, the less it costs."""
    wanted = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0]]).double()  # cos 0.71

    def cost(agreeing: int) -> float:
        bits = torch.ones(2, 16).double() * 1e6
        bits[1, agreeing:] *= -1
        return losses.idhn(bits, wanted).item()

    costs = [cost(agreeing) for agreeing in range(17)]
    assert min(range(17), key=lambda n: costs[n]) == round(16 * math.sqrt(0.5))
