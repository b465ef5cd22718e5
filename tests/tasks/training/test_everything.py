"""Several workers see what one would, each its part; steps are clipped, and may be in bfloat16."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from data.store import Store
from models.learner import Learner, Schedule
from models.networks.convolutional import ConvolutionalEncoder
from models.pixels import Transform
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised
from tasks.training import train
from tasks.training.everything import Everything, some
from tasks.training.group import Group
from tasks.training.selection import Wanted, selected
from tasks.training.train import load_encoder
from tasks.training.training_set import Share, TrainingSet
from tests.tasks.training.courses import plan

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Telling(Group):
    """One of some workers, who says what it would tell the others."""

    told: list[torch.Tensor] = field(default_factory=list)

    def sum(self, mine: torch.Tensor, device: torch.device) -> torch.Tensor:
        self.told.append(mine)
        return mine


def pictures(store: Store, version: int, memory: int = 1 << 20) -> TrainingSet:
    chosen = selected(store, "toy", version, Wanted(labels="all"))
    found = TrainingSet(store, "toy", chosen, transform=Transform(size=16), memory=memory)
    found.prepare(lambda done, total: None)
    return found


@pytest.mark.parametrize("memory", [1 << 20, 7 * 3 * 16 * 16])
@pytest.mark.parametrize("world", [2, 3, 50])
def test_what_workers_see_of_all_pictures_adds_up(
    store: Store, version: int, memory: int, world: int
) -> None:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=4).train()
    whole = Everything(pictures(store, version, memory), CPU, 7, Group()).pooled(encoder)
    assert encoder.training
    assert whole.shape == (40, 16)
    assert int((whole.abs().sum(dim=1) == 0).sum()) == 1  # the bad one
    parts = []
    for rank in range(world):
        group = Telling(Share(rank, world))
        mine = pictures(store, version, memory)
        everything = Everything(mine, CPU, 7, group)
        everything.features(encoder, np.arange(40))
        features, good = group.told
        parts.append(good)
        assert int(good.sum()) <= 40 // world + 1
        assert (features[good == 0] == 0).all()
        group.told.clear()
        if good.any():
            everything.pooled(encoder)
            torch.testing.assert_close(group.told[0][good > 0], whole[good > 0])
    assert torch.equal(sum(parts[1:], parts[0]), (whole.abs().sum(dim=1) > 0).float())


@pytest.mark.parametrize(("most", "each"), [(120, 3), (125, 3), (45, 1), (4000, 16)])
def test_of_each_picture_as_many_local_features_are_drawn_as_there_is_room_for(
    store: Store, version: int, most: int, each: int
) -> None:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=4).train()
    shown = pictures(store, version)
    everything = Everything(shown, CPU, 7, Group())
    found = everything.local(encoder, encoder.pool, most, seed=0)
    assert encoder.training
    assert torch.equal(found, everything.local(encoder, encoder.pool, most, seed=0))
    with torch.no_grad():
        pixels = torch.cat([part.pixels for part in shown.each_once(99)]).float() / 255
        cells = encoder.pool.samples(encoder.eval().maps(pixels))  # (39, 16, 16)
    assert found.shape == (39 * each, 16)
    ways = set()
    for mine, theirs in zip(found.view(39, each, 16), cells, strict=True):
        which = [int((theirs - one).abs().sum(dim=1).argmin()) for one in mine]
        ways.add(tuple(which))
        assert torch.allclose(theirs[which], mine, atol=1e-5)
        assert len(set(which)) == each
    assert len(ways) > 7, "a picture's own lots"
    assert not encoder.pool._forward_pre_hooks, "nobody listens any more"
    if each < 16:
        assert not torch.equal(found, everything.local(encoder, encoder.pool, most, seed=1))


def test_of_more_pictures_than_there_is_room_for_some_give_one_local_feature_each(
    store: Store, version: int
) -> None:
    torch.manual_seed(0)
    encoder, shown = ConvolutionalEncoder(16, width=4), pictures(store, version)
    everything, rows = Everything(shown, CPU, 7, Group()), some(40, 10, 3)
    found = everything.local(encoder, encoder.pool, 10, seed=3)
    good = [row for row in rows.tolist() if row not in shown.bad]
    assert len(found) == len(good)
    with torch.no_grad():
        pixels = torch.cat([part.pixels for part in shown.each_once(99, rows)]).float() / 255
        cells = encoder.pool.samples(encoder.eval().maps(pixels))
    for one, theirs in zip(found, cells, strict=True):
        assert float((theirs - one).abs().sum(dim=1).min()) < 1e-4


def test_a_step_goes_no_farther_than_it_is_clipped() -> None:
    def moved(clip: float) -> float:
        torch.manual_seed(0)
        lesson = Lesson(16, plan(descriptor="binary").descriptor, classes=("a", "b"))
        schedule = Schedule("sgd", 1.0, 0.0, warm_up=0, steps=1000)
        learner = Learner(
            ConvolutionalEncoder(16, width=4), Supervised(lesson), schedule, CPU, clip=clip
        )
        before = torch.cat([p.detach().reshape(-1).clone() for p in learner.parameters])
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(8, 3, 16, 16, generator=generator)
        learner.step(Batch(images, torch.eye(2).repeat(4, 1), generator))
        after = torch.cat([p.detach().reshape(-1) for p in learner.parameters])
        return float((after - before).norm())

    # Nesterov's first step is 1 + momentum of the gradient
    assert moved(0.01) == pytest.approx(0.019, rel=1e-3)
    assert moved(0.001) == pytest.approx(0.0019, rel=1e-3)
    assert moved(1e6) > 0.1


def test_half_precision_trains_and_keeps_whole_weights(store: Store, version: int) -> None:
    half = train.train(store, "toy", version, plan(precision="bfloat16"))
    loaded = load_encoder(store, half)
    loaded.prove()
    assert {value.dtype for value in loaded.encoder.state_dict().values()} <= {
        torch.float32,
        torch.int64,
    }
    full = load_encoder(store, train.train(store, "toy", version, plan()))
    assert full.digest != half
    assert loaded.card["loss"] == pytest.approx(full.card["loss"], rel=0.05)
