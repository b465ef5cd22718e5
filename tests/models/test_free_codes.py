"""Codes that are learned themselves are found anew as plain loops over all pairs find them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data.taxonomy import DescriptorType
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import free_codes
from models.supervision.base import Batch
from models.supervision.free_codes import ADSH
from models.supervision.supervised import Supervised
from tests.models.formulas import drawn
from tests.models.lessons import Shown, batch, lesson

N, K, C = 20, 8, 4
GAMMA = 200 * N / 2000
SILENT = ConvolutionalEncoder(K, width=4)
"""Of which the galleries here say what it makes, whatever it would."""


class Told(Shown):
    """A gallery of N pictures, of which the encoder says what a test has drawn."""

    def __init__(self, seed: int, several: bool = True, bad: tuple[int, ...] = ()) -> None:
        super().__init__(batch(0, N))
        marks = drawn(N, C, seed=seed) > (0.5 if several else 9)
        marks[torch.arange(N), torch.arange(N) % C] = True
        self.marks, self.bad = marks.float(), bad
        self.made = torch.nn.functional.normalize(drawn(N, K, seed=seed + 1).float())

    def features(
        self, encoder: Encoder, rows: NDArray[np.int64]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        good = torch.tensor([row not in self.bad for row in rows.tolist()])
        return self.made[rows], good

    @property
    def targets(self) -> torch.Tensor | None:
        return self.marks


def adsh(seed: int = 0) -> ADSH:
    told = lesson(DescriptorType.BINARY, N, method="adsh", dimensions=K, seed=seed)
    found = Supervised(told).criterion
    assert isinstance(found, ADSH)
    return found


def likeness(told: Told) -> list[list[float]]:
    """S of all pairs: 1 of those that share a label, of all others what makes the mean 0."""
    alike = [
        [any(a and b for a, b in zip(one, other, strict=True)) for other in told.marks.tolist()]
        for one in told.marks.tolist()
    ]
    shared = sum(map(sum, alike))
    return [[1.0 if same else -shared / (N * N - shared) for same in row] for row in alike]


def outputs(told: Told) -> list[list[float]]:
    return [[float(np.tanh(x * K**0.5)) for x in row] for row in told.made.tolist()]


def objective(codes: torch.Tensor, told: Told, rows: list[int]) -> float:
    """Equation 3 of the paper over the pictures in ROWS, divided by nothing."""
    said, alike, bits = codes.tolist(), likeness(told), outputs(told)
    total = 0.0
    for i in rows:
        for j in range(N):
            product = sum(u * v for u, v in zip(bits[i], said[j], strict=True))
            total += (product - K * alike[i][j]) ** 2
        total += GAMMA * sum((v - u) ** 2 for u, v in zip(bits[i], said[i], strict=True))
    return total


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("sampled", [2000, 7])
def test_the_codes_are_found_anew_as_plain_loops_find_them(
    several: bool, sampled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, found = Told(5, several), adsh()
    monkeypatch.setattr(free_codes, "SAMPLED", sampled)
    monkeypatch.setattr(free_codes, "AT_ONCE", 3)
    before = found.codes.tolist()
    found.before_epoch(2, SILENT, told)
    rows = sorted(np.random.default_rng((0, 2)).permutation(N)[:sampled].tolist())
    alike, bits, codes = likeness(told), outputs(told), [list(row) for row in before]
    for bit, j in itertools.product(range(K), range(N)):
        wish = K * sum(alike[i][j] * bits[i][bit] for i in rows)
        wish += GAMMA * bits[j][bit] if j in rows else 0
        for other in range(K):
            if other != bit:
                wish -= codes[j][other] * sum(bits[i][other] * bits[i][bit] for i in rows)
        codes[j][bit] = 1 if wish >= 0 else -1
    assert found.codes.tolist() == codes
    assert found.groups.unlike == pytest.approx(min(min(row) for row in alike))


@pytest.mark.parametrize("seed", range(4))
def test_what_the_paper_minimises_never_grows_when_codes_are_found_anew(seed: int) -> None:
    told, found = Told(seed), adsh(seed)
    costs = [objective(found.codes, told, list(range(N)))]
    for epoch in range(3):
        found.before_epoch(epoch, SILENT, told)
        costs.append(objective(found.codes, told, list(range(N))))
    assert all(after <= before + 1e-3 for before, after in itertools.pairwise(costs))
    assert costs[-1] < costs[0]


def test_the_loss_is_the_papers_over_all_pictures() -> None:
    told, found, rows = Told(3), adsh(), [4, 0, 17]
    found.before_epoch(0, SILENT, told)
    some = torch.tensor(rows)
    held = replace(batch(0, 3), targets=told.marks[some], rows=some)
    loss = found.on(told.made[some], held)
    assert loss.item() == pytest.approx(objective(found.codes, told, rows) / (3 * N), rel=1e-4)


def test_a_picture_that_cannot_be_decoded_ends_without_a_code() -> None:
    told, found = Told(1, bad=(3, 11)), adsh()
    found.finish(SILENT, told)
    without = [row for row, code in enumerate(found.codes.tolist()) if not any(code)]
    assert without == [3, 11]
    assert set(found.codes.flatten().tolist()) == {-1, 0, 1}


def test_labels_are_needed() -> None:
    bare: Batch = replace(batch(0), targets=None)
    with pytest.raises(ValueError, match="needs a batch with targets"):
        adsh().on(bare.images.flatten(1)[:, :K], bare)
    with pytest.raises(ValueError, match="learns from labels, and there are none"):
        adsh().finish(SILENT, Shown(replace(batch(0, N), targets=None)))
