"""What an encoder makes of pictures is white after its training, and finds what matches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from data.store import Store
from data.taxonomy import Supervision
from models.composition import Whitening
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.networks.heads import WhiteningHead
from models.supervision import SUPERVISIONS
from models.supervision.base import Gallery, Lesson
from models.supervision.supervised import Supervised
from models.whitening import learned_whitening, pca_whitening, principal
from tasks.training import train
from tasks.training.everything import Everything
from tasks.training.group import Group
from tasks.training.marks import Marks
from tasks.training.selection import Wanted, selected
from tasks.training.train import TrainPlan, load_encoder
from tasks.training.training_set import TrainingSet
from tasks.training.whiten import head_of, matching, whiten
from tests.tasks.training.courses import Draw, fill, plan


def pooled(store: Store, version: int, encoder: str, wanted: TrainPlan) -> torch.Tensor:
    """What ENCODER makes of the good pictures before its head."""
    loaded = load_encoder(store, encoder)
    chosen = selected(store, "toy", version, Wanted(labels="all"))
    pictures = TrainingSet(
        store, "toy", chosen, transform=loaded.spec.transform, memory=wanted.memory_mb << 20
    )
    found = Everything(pictures, torch.device("cpu"), 16, Group()).pooled(loaded.encoder)
    return found[found.abs().sum(dim=1) > 0]


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_principal_components_are_white(
    store: Store, version: int, epochs: int, ema: float
) -> None:
    wanted = plan(epochs=epochs, whitening="pca", dimensions=8, ema=ema)
    digest = train.train(store, "toy", version, wanted)
    encoder = load_encoder(store, digest).encoder
    with torch.no_grad():
        seen = encoder.head(pooled(store, version, digest, wanted))  # (39, 8)
    assert seen.shape == (39, 8)
    assert seen.mean(dim=0).abs().max() < 1e-3
    covariance = torch.cov(seen.T, correction=0)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-2
    assert covariance[:4, :4].diag().numpy() == pytest.approx(1, abs=1e-2)
    unwhite = train.train(store, "toy", version, wanted.model_copy(update={"whitening": "none"}))
    assert unwhite != digest


def test_half_the_power_leaves_standard_deviations(store: Store, version: int) -> None:
    wanted = plan(epochs=0, whitening="half_pca", dimensions=8)
    digest = train.train(store, "toy", version, wanted)
    encoder = load_encoder(store, digest).encoder
    with torch.no_grad():
        before = pooled(store, version, digest, wanted)
        seen = encoder.head(before)
    deviations = principal(before, 8)[1].sqrt()
    found = torch.cov(seen.T, correction=0)
    assert found.diag()[:4].numpy() == pytest.approx(deviations[:4].numpy(), rel=0.05)
    assert (found - found.diag().diag()).abs().max() < 0.02 * float(deviations[0])


def test_differences_of_matching_pictures_are_white(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(60)], [[f"c{n % 4}"] for n in range(60)])
    wanted = plan(
        supervision="supervised", epochs=1, whitening="learned", dimensions=32, width=8, seed=3
    )
    digest = train.train(store, "toy", version, wanted)
    encoder = load_encoder(store, digest).encoder
    with torch.no_grad():
        seen = encoder.head(pooled(store, version, digest, wanted))
    labels = selected(store, "toy", version, Wanted(labels="all")).labels
    assert labels is not None
    pairs = torch.from_numpy(matching(labels.first, 3))
    apart = seen[pairs[:, 0]] - seen[pairs[:, 1]]
    within = apart.T @ apart / len(pairs)
    torch.testing.assert_close(within, torch.eye(32), rtol=0, atol=0.02)


@given(st.lists(st.integers(-1, 4), max_size=40), st.integers(0, 3))
def test_pairs_are_of_one_class_and_each_picture_has_one(classes: list[int], seed: int) -> None:
    rows = np.array(classes, np.int64)
    pairs = matching(rows, seed)
    assert pairs.shape[1] == 2
    for one, other in pairs:
        assert one != other
        assert rows[one] == rows[other] >= 0
    expected = {n for n, one in enumerate(classes) if one >= 0 and classes.count(one) > 1}
    assert set(pairs.ravel().tolist()) == expected
    assert np.array_equal(matching(rows, seed), pairs)


@pytest.mark.parametrize(("kind", "paired"), [("none", 32), ("none", 30), ("pca", 32)])
def test_a_head_that_only_whitens_learns_from_pairs_where_there_are_enough(
    kind: Whitening, paired: int
) -> None:
    """Four a dimension, of eight; what could not be decoded is a row of zeros, and no partner."""
    encoder = ConvolutionalEncoder(4, width=2)
    encoder.head = head = WhiteningHead(8, 4)
    pooled = torch.randn(43, 8, generator=torch.Generator().manual_seed(0)).abs()
    pooled[[0, 5]] = 0
    good = np.flatnonzero(pooled.sum(dim=1).numpy())
    classes = np.arange(43) + 100
    classes[good[:paired]] = np.arange(paired) // 2
    classes[[0, 5]] = 0
    marks = Marks([str(n) for n in range(143)], np.arange(44), classes.astype(np.int32))
    whiten(encoder, pooled, kind, marks, seed=1)
    unit = functional.normalize(pooled[good])
    pairs = torch.from_numpy(matching(classes[good], 1))
    learns = kind == "none" and paired == 32
    found = learned_whitening(unit, pairs, 4) if learns else pca_whitening(unit, 4)
    assert torch.equal(head.matrix, found.matrix)
    assert torch.equal(head.mean, found.mean)
    assert encoder.dimensions == 4


def test_there_is_an_end_to_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.repeat(np.arange(5), 20)
    whole = {tuple(pair) for pair in matching(classes, 0)}
    assert len(whole) == 95
    monkeypatch.setattr("tasks.training.whiten.PAIRS", 30)
    some = {tuple(pair) for pair in matching(classes, 0)}
    assert len(some) == 30
    assert some < whole


def test_an_encoder_without_a_projection_is_refused_before_it_is_trained(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bare(ConvolutionalEncoder):
        def __init__(self, dimensions: int, **arguments: int) -> None:
            super().__init__(dimensions, width=4)
            self.head = torch.nn.Identity()

    monkeypatch.setattr("models.networks.convolutional.ConvolutionalEncoder", Bare)
    with pytest.raises(ValueError, match="Bare of 16 dimensions has none: choose fewer"):
        train.train(store, "toy", version, plan(whitening="pca"))


def test_whitenings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="of bits only their signs are kept"):
        plan(whitening="pca", descriptor="binary")
    with pytest.raises(ValueError, match="self_supervised looks at no labels: choose whitening"):
        plan(whitening="learned")


class Turned(Supervised):
    """Finds its head when all pictures have been looked at, and learns nothing by steps."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(replace(lesson, method="orthohash"))

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        seen = gallery.pooled(encoder)
        assert gallery.targets is not None
        assert len(seen) == len(gallery.targets) == 40
        projection = torch.eye(seen.shape[1])[: encoder.dimensions]
        head_of(encoder).fix(seen.mean(dim=0), projection)


def test_what_is_found_in_closed_form_needs_no_epochs(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaching = SUPERVISIONS[Supervision.SUPERVISED]
    drawn = load_encoder(store, train.train(store, "toy", version, plan(epochs=0)))
    ways = {"turn": replace(next(iter(teaching.methods.values())), closed_form=True)}
    turned = replace(teaching, load=lambda: Turned, methods=ways)
    monkeypatch.setitem(SUPERVISIONS, Supervision.SUPERVISED, turned)
    wanted = plan(epochs=0, supervision="supervised", descriptor="binary")
    found = load_encoder(store, train.train(store, "toy", version, wanted))
    assert (found.card["loss"], found.card["epoch"], found.card["images"]) == ([], 0, 39)
    for name, value in found.encoder.state_dict().items():
        same = torch.equal(value, drawn.encoder.state_dict()[name])
        assert same == (name not in ("head.project.weight", "head.whiten.running_mean",
                                     "head.whiten.running_var")), name  # fmt: skip
    weights = found.encoder.get_parameter("head.project.weight")
    assert torch.equal(weights, torch.eye(*weights.shape))
