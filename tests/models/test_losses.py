"""What every loss keeps: one finite number, indifferent to order, exact in half precision."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from models.losses.terms import cosines
from tests.models.formulas import B, C, D, drawn, targets, uniform


@dataclass(frozen=True)
class Rows:
    """What losses take of a batch, a row an image."""

    features: torch.Tensor
    second: torch.Tensor
    third: torch.Tensor
    targets: torch.Tensor
    noise: torch.Tensor

    @classmethod
    def drawn(cls, labels: torch.Tensor | None = None) -> "Rows":
        wanted = targets(several=True) if labels is None else labels
        count = len(wanted)
        features, second, third = (drawn(count, D, seed=seed) for seed in (1, 2, 3))
        return cls(features, second, third, wanted, uniform(count, D, seed=4))

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Rows":
        return replace(self, **{f.name: change(getattr(self, f.name)) for f in fields(self)})

    @property
    def pairs(self) -> losses.Pairs:
        return losses.Pairs.of(self.targets)

    @property
    def same(self) -> torch.Tensor:
        """The first two labels are one query."""
        return (self.targets[:, :2] @ self.targets[:, :2].T) > 0


WORDS = losses.hash_centres(C, D, seed=0)
TIES = losses.codebook(1, D, 0)[0]
PROXIES = drawn(C, D, seed=5).bfloat16()  # exact in every precision
QUEUE = drawn(7, D, seed=6).bfloat16()


def like(constant: torch.Tensor, rows: Rows) -> torch.Tensor:
    return constant.to(rows.features.dtype)


def similar(rows: Rows) -> torch.Tensor:
    return torch.where(rows.targets > 0, 1.0, -1.0).to(rows.features.dtype)


CASES: dict[str, Callable[[Rows], torch.Tensor]] = {
    "soft_cross_entropy": lambda r: losses.soft_cross_entropy(r.features[:, :C], r.targets),
    "orthohash": lambda r: losses.orthohash(r.features, like(WORDS, r), r.targets, 0.2, 0.2),
    "arcface": lambda r: losses.arcface(r.features, like(PROXIES, r), r.targets, 0.2, 0.2),
    "csq": lambda r: losses.csq(r.features, like(WORDS, r), r.targets, like(TIES, r)),
    "greedyhash": lambda r: losses.greedyhash(r.features, like(PROXIES, r), r.targets),
    "proxy_anchor": lambda r: losses.proxy_anchor(r.features, like(PROXIES, r), r.targets),
    "neighbourhoods": lambda r: losses.neighbourhoods(r.features, r.second),
    "contrastive": lambda r: losses.contrastive(r.features, r.pairs, 1.2),
    "triplet_of_all": lambda r: losses.triplet_of_all(r.features, r.pairs),
    "triplet": lambda r: losses.triplet(
        r.features, losses.batch_hard(r.features, r.pairs), margin=None
    ),
    "supcon": lambda r: losses.supcon(r.features, r.pairs),
    "dpsh": lambda r: losses.dpsh(r.features, r.pairs),
    "hashnet": lambda r: losses.hashnet(r.features, r.pairs),
    "idhn": lambda r: losses.idhn(r.features, r.targets),
    "ntxent": lambda r: losses.ntxent(r.features, r.second, 0.3),
    "cibhash": lambda r: losses.cibhash(
        r.features, r.second, torch.stack([r.noise, r.noise.flip(1)]), 0.3
    ),
    "moco": lambda r: losses.moco(r.features, r.second, like(QUEUE, r)),
    "dino": lambda r: losses.dino(
        torch.stack([r.features, r.third, r.features.flip(1)]),
        torch.stack([r.second, r.third]),
        like(QUEUE[0], r),
    ),
    "swapped": lambda r: losses.swapped(
        r.features, r.second, losses.sinkhorn(r.third), losses.sinkhorn(r.second)
    ),
    "consistency": lambda r: losses.consistency(r.features, r.second),
    "pseudo_label": lambda r: losses.pseudo_label(r.second, r.features, 0.3),
    "bihalf": lambda r: losses.bihalf(r.features, r.second),
    "quantisation": lambda r: losses.quantisation(r.features),
    "imbalance": lambda r: losses.imbalance(r.features),
    "correlation": lambda r: losses.correlation(r.features),
    "bernoulli_divergence": lambda r: losses.bernoulli_divergence(r.features.abs() / 4, r.noise),
    "hinge_discriminator": lambda r: losses.hinge_discriminator(r.features[:, 0], r.second[:, 0]),
    "hinge_generator": lambda r: losses.hinge_generator(r.features[:, 0]),
    "distance_matching": lambda r: losses.distance_matching(r.features, r.second),
    "cosine_matching": lambda r: losses.cosine_matching(r.features, r.second),
    "representation_entropy": lambda r: losses.representation_entropy(r.features, r.second),
    "wdht": lambda r: losses.wdht(r.features, r.features[:, :C], r.targets),
    "infonce": lambda r: losses.infonce(r.features, r.second, 0.3, r.noise[:, 0], r.same),
    "clip": lambda r: losses.clip(r.features, r.second, like(torch.tensor(2.0), r), r.same),
    "vsepp": lambda r: losses.vsepp(r.features, r.second, same=r.same),
    "reinforce": lambda r: losses.reinforce(
        r.features, losses.sign(r.second), r.noise[:, 0], r.noise[:, 1]
    ),
    "adsh": lambda r: losses.adsh(
        r.features,
        losses.CodeSums.of(like(WORDS, r), torch.arange(C), C),
        similar(r),
        losses.sign(r.second),
        2.0,
    ),
    "teacher_regression": lambda r: losses.teacher_regression(r.features, r.second),
    "backward_compatible": lambda r: losses.backward_compatible(
        r.features, like(PROXIES, r), r.targets
    ),
}

NO_LOSSES = {
    *("Pairs", "batch_hard", "semi_hard", "codebook", "hash_centres", "majority", "half_bits"),
    *("sampled_bits", "sign", "average_precision_reward", "triplet_reward", "moved_centre"),
    *("sinkhorn", "HOTTEST", "rarity", "tag_target", "tag_vectors", "adsh_codes", "prototypes"),
    "CodeSums",
}
"""Named in the package, but no scalar."""

STRAIGHT_THROUGH = {"greedyhash", "cibhash", "bihalf"}
"""Their gradient is not that of their value, by design."""

CONSTANTS: dict[str, dict[str, float]] = {
    "adsh": {"weight": 200},
    "adsh_codes": {"weight": 200},
    "contrastive": {"margin": 0.7},
    "greedyhash": {"weight": 0.1},
    "idhn": {"scale": 5, "soft_weight": 0.1, "weight": 0.1},
    "neighbourhoods": {"temperature": 0.1},
    "pseudo_label": {"threshold": 0.95},
    "quantisation": {"power": 2},
    "semi_hard": {"margin": 0.2},
    "supcon": {"temperature": 0.1},
    "wdht": {"pair_weight": 1, "weight": 0.1},
}
"""What a paper, or its authors' code, says where the caller does not, and no formula here asks."""

EACH = pytest.mark.parametrize("name", CASES)
ONE_CLASS = torch.tensor([[1.0, 0, 0, 0]] * B).double()


def test_every_loss_of_the_package_is_held_to_this_contract() -> None:
    assert set(CASES) | NO_LOSSES == set(losses.__all__)
    assert not set(CASES) & NO_LOSSES


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_the_caller_leaves_out_are_those_of_the_paper(name: str) -> None:
    given = inspect.signature(getattr(losses, name)).parameters
    assert {word: given[word].default for word in CONSTANTS[name]} == CONSTANTS[name]


@EACH
@pytest.mark.parametrize(
    "labels",
    [
        targets(several=True),
        targets(unlabelled=(1, 4)),
        torch.zeros(B, C).double(),
        ONE_CLASS,
        torch.eye(2, C).double(),
        ONE_CLASS[:2],
    ],
    ids=["several", "some unlabelled", "no labels", "one class", "two of two", "two of one"],
)
def test_a_loss_is_one_finite_number_with_a_finite_gradient(
    name: str, labels: torch.Tensor
) -> None:
    rows = Rows.drawn(labels)
    rows = replace(rows, features=rows.features.requires_grad_())
    loss = CASES[name](rows)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    (gradient,) = torch.autograd.grad(loss, rows.features)
    assert torch.isfinite(gradient).all()


@EACH
@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(B)))
def test_a_loss_does_not_depend_on_the_order_of_the_batch(name: str, order: list[int]) -> None:
    rows = Rows.drawn()
    moved = CASES[name](rows.changed(lambda tensor: tensor[order]))
    assert moved.item() == pytest.approx(CASES[name](rows).item(), abs=1e-12)


@EACH
def test_half_precision_and_autocast_change_nothing_but_the_input(name: str) -> None:
    rows = Rows.drawn().changed(lambda tensor: tensor.bfloat16())
    wanted = CASES[name](rows.changed(lambda tensor: tensor.float()))
    with torch.autocast("cpu", torch.bfloat16):
        halved = CASES[name](rows)
        whole = CASES[name](rows.changed(lambda tensor: tensor.float()))
    assert halved.dtype == torch.float32
    assert halved.item() == whole.item() == wanted.item()


def test_cosines_are_whole_whatever_asks_for_them_and_half_as_rows_are() -> None:
    rows, others = drawn(B, D, seed=7).float(), drawn(C, D, seed=8).float()
    wanted = cosines(rows, others)
    with torch.autocast("cpu", torch.bfloat16):
        found = cosines(rows, others)
        halved = cosines(rows.bfloat16(), others)
    assert torch.equal(found, wanted)
    assert torch.equal(halved, cosines(rows.bfloat16().float(), others))


@pytest.mark.parametrize("name", sorted(set(CASES) - STRAIGHT_THROUGH))
def test_gradients_are_those_of_differences(name: str) -> None:
    rows = Rows.drawn()

    def loss(features: torch.Tensor) -> Any:
        return CASES[name](replace(rows, features=features))

    features = rows.features.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (features,), atol=1e-5)


@pytest.mark.parametrize("name", ["orthohash", "csq", "supcon", "dpsh", "hashnet", "proxy_anchor"])
def test_a_row_without_labels_teaches_the_others_nothing(name: str) -> None:
    """Its own features have no gradient from the labels, and the others' is as without it."""
    rows = Rows.drawn(targets(unlabelled=(5,)))
    features = rows.features.clone().requires_grad_()
    (all_rows,) = torch.autograd.grad(CASES[name](replace(rows, features=features)), features)
    fewer = rows.changed(lambda tensor: tensor[:5])
    features = fewer.features.clone().requires_grad_()
    (five,) = torch.autograd.grad(CASES[name](replace(fewer, features=features)), features)
    if name in ("csq", "dpsh"):  # the quantisation takes no labels, and is a mean over the batch
        penalised = rows.features.clone().requires_grad_()
        bits = torch.tanh(penalised) if name == "csq" else penalised
        weight = 1e-4 if name == "csq" else 0.1
        (own,) = torch.autograd.grad(weight * losses.quantisation(bits), penalised)
        all_rows = all_rows - own
        five = five - own[:5] * B / 5
    assert torch.allclose(all_rows[:5], five)
    assert torch.allclose(all_rows[5], torch.zeros(D).double())
