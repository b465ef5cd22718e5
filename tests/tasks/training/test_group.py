"""What workers tell each other: means, sums, and whether one of them thinks so; alone, nothing."""

import pytest
import torch

from tasks.training.group import Group
from tasks.training.training_set import Share

CPU = torch.device("cpu")
WORLD = 4


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the other three put in at each meeting, in the order of the meetings."""
    theirs: list[torch.Tensor] = []

    def met(mine: torch.Tensor) -> None:
        mine += theirs.pop(0).view_as(mine).to(mine)

    monkeypatch.setattr(torch.distributed, "all_reduce", met)
    return theirs


def test_tensors_of_several_shapes_are_averaged_in_place_at_one_meeting(
    others: list[torch.Tensor],
) -> None:
    mine = [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor(8.0), torch.tensor([5.0])]
    others.append(torch.tensor([3.0, 2.0, 1.0, 0.0, 4.0, 7.0]))
    Group(Share(1, WORLD)).average(mine)
    assert [one.tolist() for one in mine] == [[[1.0, 1.0], [1.0, 1.0]], 3.0, [3.0]]
    Group(Share(1, WORLD)).average([])
    assert not others, "without tensors nobody meets"


def test_a_mean_a_sum_and_a_vote_are_those_of_all(others: list[torch.Tensor]) -> None:
    group = Group(Share(2, WORLD))
    third = 1 / 3  # which float32 does not hold
    others.append(torch.tensor([3 * third], dtype=torch.float64))
    assert group.mean(third, CPU) == pytest.approx(third, abs=1e-15)
    mine = torch.tensor([1.0, 0.0, 2.0])
    others.append(torch.tensor([0.0, 5.0, 1.0]))
    assert group.sum(mine, CPU).tolist() == [1.0, 5.0, 3.0]
    for said, wanted in ((False, 0.0), (False, 2.0), (True, 0.0)):
        others.append(torch.tensor([wanted]))
        assert group.any(said, CPU) is (said or wanted > 0)


def test_who_is_alone_meets_nobody(others: list[torch.Tensor]) -> None:
    alone, mine = Group(), torch.tensor([2.0])
    alone.average([mine])
    alone.wait()
    assert mine.tolist() == [2.0]
    assert alone.sum(mine, CPU) is mine
    assert alone.mean(0.7, CPU) == 0.7
    assert alone.any(True, CPU)
    assert not alone.any(False, CPU)


def test_the_first_of_several_writes_what_is_written_once() -> None:
    assert [Group(Share(rank, 2)).first for rank in range(2)] == [True, False]
    assert Group().first
    assert Group().alone
    assert not Group(Share(0, 2)).alone
