"""The best epoch is chosen by pictures that nothing was learned from, and its weights are kept."""

from typing import Any

import numpy as np
import pytest
import torch

from data.store import Store
from models import metrics
from models.backbones import Start
from models.learner import Learner
from models.supervision.base import Batch
from models.weights import build
from tasks.training import train
from tasks.training.group import Group
from tasks.training.school import School
from tasks.training.train import load_encoder
from tasks.training.validation import Validation
from tests.tasks.training.courses import Draw, fill, plan

CPU = torch.device("cpu")


def school(store: Store, version: int, **changes: Any) -> School:
    wanted = plan(**{"validation": 0.3, "width": 4} | changes)
    began = Start(build(wanted.spec(), 0), wanted.spec())
    return School(store, "toy", version, wanted, CPU, began, Group(), lambda *_: None)


@pytest.mark.parametrize("descriptor", ["binary", "real_valued"])
@pytest.mark.parametrize("memory_mb", [2048, 1])
def test_the_figure_is_what_loops_make_of_rankings(
    store: Store, version: int, descriptor: str, memory_mb: int
) -> None:
    size = 28 if memory_mb > 1 else 160
    here = school(
        store,
        version,
        supervision="supervised",
        descriptor=descriptor,
        memory_mb=memory_mb,
        size=size,
    )
    assert here.validation is not None
    assert here.validation.figure == "map@100[min]"
    learned, held = here.sets

    def looked(which: Any) -> tuple[torch.Tensor, list[int]]:
        with torch.no_grad():
            some = list(which.each_once(64))
            images = torch.cat([part.pixels for part in some]).float() / 255
            features = here.learner.encoder.eval()(images)
        return features, [int(t.argmax()) for part in some for t in part.targets]

    queries, asked = looked(held)
    gallery, told = looked(learned)
    values = []
    for query, label in zip(queries, asked, strict=True):
        if descriptor == "binary":
            apart = ((query >= 0) != (gallery >= 0)).sum(dim=1).numpy()
            counts = np.bincount(apart, minlength=17)[None]
            right = apart[np.array(told) == label]
            hits = np.bincount(right, minlength=17)[None]
            value = metrics.expected_average_precision(counts, hits, 100, "min")
            values.append(float(value[0]))
            continue
        order = torch.argsort(1 - gallery @ query, stable=True)
        found, total = 0, 0.0
        for rank, row in enumerate(order.tolist()[:100], 1):
            if told[row] == label:
                found += 1
                total += found / rank
        values.append(total / min(100, told.count(label)))
    assert here.validation(here.learner) == pytest.approx(float(np.mean(values)), abs=1e-6)
    assert here.validation.better(0.6, 0.5)


def test_pictures_that_share_one_of_several_labels_are_right(store: Store, draw: Draw) -> None:
    labels = [[f"a{n % 2}", f"b{n % 3}"] for n in range(40)]
    version = fill(store, [draw(n) for n in range(40)], labels)
    here = school(store, version, supervision="supervised")
    assert here.validation is not None
    learned, held = (next(iter(which.each_once(64))) for which in here.sets)
    assert learned.targets is not None
    assert held.targets is not None
    share = (held.targets @ learned.targets.T > 0).float()
    # an encoder for which all are equally near finds them in the order of their rows
    with torch.no_grad():
        for parameter in here.learner.encoder.head.parameters():
            parameter.zero_()
    hits = share.numpy().astype(bool)
    expected = metrics.average_precision(hits[:, :100], hits.sum(axis=1), "min").mean()
    assert here.validation(here.learner) == pytest.approx(expected, abs=1e-9)


def test_who_looks_at_no_labels_is_judged_by_the_loss(store: Store, version: int) -> None:
    here = school(store, version, batch=4)
    assert here.validation is not None
    assert here.validation.figure == "loss held out"
    assert here.validation.better(0.5, 0.6)
    first = here.validation(here.learner)
    torch.rand(5)
    assert here.validation(here.learner) == first
    held = here.sets[1]
    generator = torch.Generator().manual_seed(0)
    total, count = 0.0, 0
    here.learner.encoder.eval()
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(held)), len(held) // 4):
            for some in held.each_once(99, rows):
                batch = Batch(some.pixels.float() / 255, None, generator)
                loss = here.learner.supervision(here.learner.encoder, batch).loss
                total += float(loss) * len(some.rows)
                count += len(some.rows)
    assert count == len(held) - len(held.bad)
    assert first == pytest.approx(total / count, rel=1e-6)


def test_a_bound_is_kept_and_labels_must_be_there(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.validation.MOST", 5)
    here = school(store, version, supervision="supervised")
    seen: list[int] = []

    def see(module: torch.nn.Module, _: Any, features: torch.Tensor) -> None:
        seen.append(len(features))

    here.learner.encoder.register_forward_hook(see)
    assert here.validation is not None
    assert 0 <= here.validation(here.learner) <= 1
    asked, answered = (count for count in seen if count > 1)
    assert asked == 5
    assert answered in (4, 5)  # one of all cannot be decoded
    learned, held = here.sets
    assert held.labels is not None
    held.labels = held.labels.only(np.zeros(len(held), bool))
    with pytest.raises(ValueError, match="held out shares a label that may be seen"):
        Validation(held, learned, here.began.spec, CPU, 8, Group())


class Told(Validation):
    """Says beforehand what comes of each epoch."""

    says: tuple[float, ...] = ()

    def __call__(self, learner: Learner) -> float:
        self.weights.append(learner.result.get_parameter("head.project.weight").clone())
        return self.says[len(self.weights) - 1]

    weights: list[torch.Tensor]


@pytest.mark.parametrize(
    ("says", "patience", "epoch", "epochs"),
    [
        ((0.1, 0.5, 0.3, 0.4), 0, 2, 4),
        ((0.1, 0.5, 0.3, 0.4), 2, 2, 4),
        ((0.1, 0.5, 0.3, 0.6), 1, 2, 3),
        ((0.4, 0.3, 0.2, 0.6), 1, 1, 2),
        ((0.1, 0.2, 0.3, 0.4), 1, 4, 4),
        ((0.2, 0.2, 0.2, 0.2), 0, 1, 4),
    ],
)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_weights_of_the_best_epoch_are_kept(
    store: Store,
    version: int,
    says: tuple[float, ...],
    patience: int,
    epoch: int,
    epochs: int,
    ema: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Told, "says", says)
    monkeypatch.setattr(Told, "weights", [], raising=False)
    monkeypatch.setattr("tasks.training.school.Validation", Told)
    wanted = plan(
        epochs=4, validation=0.3, width=4, patience=patience, ema=ema, supervision="supervised"
    )
    encoder = load_encoder(store, train.train(store, "toy", version, wanted))
    card = encoder.card
    assert card["epoch"] == epoch
    assert card["curves"] == {"loss": card["loss"], "map@100[min]": list(says[:epochs])}
    assert len(card["loss"]) == epochs
    assert card["stopped_early"] == (epochs < 4 or patience == 2)
    assert card["images"] + card["held_out"] == 39
    kept = encoder.encoder.get_parameter("head.project.weight")
    assert torch.equal(kept, Told.weights[epoch - 1])


def test_held_out_pictures_are_never_learned_from(store: Store, version: int) -> None:
    for memory_mb, size in ((2048, 28), (1, 160)):
        here = school(store, version, memory_mb=memory_mb, size=size)
        learned, held = here.sets
        shown = {
            learned.chosen.digests[row]
            for epoch in range(3)
            for some in learned.batches(epoch, 0, 8, Group().share)
            for row in some.rows
        }
        assert shown
        assert not shown & set(held.chosen.digests)
        assert len(held) > 5


def test_patience_without_validation_is_refused() -> None:
    with pytest.raises(ValueError, match="set validation, the share of the pictures that choose"):
        plan(patience=2)


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
def test_who_has_other_targets_in_every_epoch_cannot_be_judged_by_them(descriptor: str) -> None:
    told = {"supervision": "pseudo_supervised", "descriptor": descriptor, "validation": 0.2}
    with pytest.raises(ValueError, match=r"deepcluster has targets of those .* method: swav"):
        plan(**told)
    assert plan(**told, method="swav").validation == 0.2
