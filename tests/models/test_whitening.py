"""Whitening makes variances equal, the learned one those of differences; by plain algebra."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.whitening import (
    Projection,
    Whitening,
    cholesky,
    learned_whitening,
    pca_whitening,
    principal,
)


def features(seed: int, count: int = 200, dimensions: int = 6) -> torch.Tensor:
    """Features (N, D) that vary by very different amounts, in mixed directions."""
    generator = torch.Generator().manual_seed(seed)
    scales = 2.0 ** -torch.arange(dimensions, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(dimensions, dimensions, generator=generator).double())[0]
    rows = torch.randn(count, dimensions, generator=generator).double()
    return rows * scales @ turn + 3


def covariance(rows: list[list[float]]) -> list[list[float]]:
    """The covariance by its definition."""
    size = len(rows[0])
    mean = [sum(row[i] for row in rows) / len(rows) for i in range(size)]
    return [
        [sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in rows) / len(rows) for j in range(size)]
        for i in range(size)
    ]


@given(st.floats(0, 1))
def test_less_power_leaves_the_variances_a_part_of_their_say(power: float) -> None:
    rows = features(0)
    _, variances, _ = principal(rows)
    seen = pca_whitening(rows, epsilon=0, power=power)(rows)
    found = torch.cov(seen.T, correction=0)
    wanted = torch.diag(variances ** (1 - power)).to(found)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_pca_whitening_gives_every_direction_variance_1() -> None:
    white = pca_whitening(features(0), epsilon=0)(features(0))
    assert np.array(covariance(white.tolist())) == pytest.approx(np.eye(6), abs=1e-9)


def test_epsilon_is_added_to_the_variances() -> None:
    rows = features(1)
    variances = np.linalg.eigvalsh(np.array(covariance(rows.tolist())))[::-1]
    white = pca_whitening(rows, epsilon=0.5)(rows).var(dim=0, correction=0)
    assert white.numpy() == pytest.approx(variances / (variances + 0.5 * variances[0]))


def test_a_millionth_of_the_greatest_variance_is_added_where_nobody_says_more() -> None:
    rows = features(1, dimensions=11)  # variances from 1 to about a millionth
    variances = principal(rows)[1]
    white = pca_whitening(rows)(rows).var(dim=0, correction=0)
    wanted = variances / (variances + 1e-6 * variances[0])
    assert float(wanted[-1]) < 0.7
    assert white.numpy() == pytest.approx(wanted.numpy(), rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_no_variance_is_negative_where_there_is_none(seed: int) -> None:
    rows = features(seed)[:, :2] @ features(seed + 1)[:2].repeat(1, 2)
    assert (principal(rows)[1] >= 0).all()


def test_cut_dimensions_are_the_least_ones() -> None:
    whole, cut = pca_whitening(features(2)), pca_whitening(features(2), 2)
    assert torch.equal(cut.matrix, whole.matrix[:2])
    _, variances, _ = principal(features(2))
    assert variances.tolist() == sorted(variances.tolist(), reverse=True)


def test_a_direction_in_which_nothing_varies_is_not_blown_up() -> None:
    rows = features(3).clone()
    rows[:, 2] = 7.0
    for kind in (rows, rows.float(), torch.zeros(9, 6)):
        white = pca_whitening(kind)(kind)
        assert torch.isfinite(white).all()
        assert white.abs().max() < 100


@given(st.integers(0, 99))
def test_the_sign_of_a_direction_does_not_depend_on_the_order_of_the_images(seed: int) -> None:
    rows = features(seed)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    one, other = pca_whitening(rows), pca_whitening(rows[order])
    assert torch.allclose(one.matrix, other.matrix, atol=1e-5)
    largest = one.matrix.abs().argmax(dim=1)
    assert (one.matrix[torch.arange(6), largest] > 0).all()
    assert torch.equal(one.matrix, pca_whitening(rows).matrix)


def test_learned_whitening_is_eigenvectors_over_the_root_of_differences() -> None:
    rows = features(4)
    pairs = torch.arange(200).view(100, 2)
    found = learned_whitening(rows, pairs)
    x = rows.numpy()
    mean = np.array([sum(x[a][i] for a, _ in pairs.tolist()) / 100 for i in range(6)])
    s = sum(np.outer(x[a] - x[b], x[a] - x[b]) for a, b in pairs.tolist()) / 100
    inverse = np.linalg.inv(np.linalg.cholesky(s))
    spread = sum(np.outer(inverse @ (row - mean), inverse @ (row - mean)) for row in x)
    values, vectors = np.linalg.eigh(spread)
    assert found.mean.numpy() == pytest.approx(mean)
    for place, k in enumerate(np.argsort(values)[::-1]):
        expected = vectors[:, k] @ inverse
        row = found.matrix[place].numpy()
        assert row * np.sign(row @ expected) == pytest.approx(expected)


def test_learned_whitening_makes_differences_of_matching_images_alike_in_every_direction() -> None:
    rows, pairs = features(5), torch.arange(200).view(100, 2)
    found = learned_whitening(rows, pairs)
    apart = (rows[pairs[:, 0]] - rows[pairs[:, 1]]) @ found.matrix.T
    assert torch.allclose(apart.T @ apart / 100, torch.eye(6).double(), atol=1e-9)
    white = found(rows)
    spread = (white.T @ white).diagonal()
    assert spread.tolist() == sorted(spread.tolist(), reverse=True)


def test_learned_whitening_drops_what_tells_matching_images_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    things = torch.randn(50, 4, generator=generator)
    views = torch.cat([things, things]) + 0.1 * torch.randn(100, 4, generator=generator)
    light = 5 * torch.randn(100, 4, generator=generator)  # varies most, and says nothing
    rows = torch.cat([light, views], dim=1)
    pairs = torch.stack([torch.arange(50), torch.arange(50, 100)], dim=1)
    learned, blind = learned_whitening(rows, pairs, 4), pca_whitening(rows, 4)

    def found(projection: Projection) -> float:
        white = torch.nn.functional.normalize(projection(rows))
        near = (white[:50] @ white[50:].T).argmax(dim=1)
        return float((near == torch.arange(50)).float().mean())

    assert found(learned) > found(blind) + 0.5


def test_too_few_pairs_are_helped_by_jitter() -> None:
    rows = features(6).float()
    found = learned_whitening(rows, torch.tensor([[0, 1], [2, 3]]))
    assert torch.isfinite(found.matrix).all()
    same = learned_whitening(rows, torch.tensor([[0, 0]]))
    assert torch.isfinite(same.matrix).all()


def test_jitter_is_the_least_power_of_ten_that_does() -> None:
    fine = torch.tensor([[4.0, 2.0], [2.0, 3.0]]).double()
    assert torch.equal(cholesky(fine), torch.linalg.cholesky(fine))
    broken = torch.tensor([[2.0, 0.0], [0.0, -5e-8]]).double()  # the mean variance is about 1
    root = cholesky(broken)
    assert (root @ root.T - broken).diagonal().tolist() == pytest.approx([1e-7] * 2, rel=1e-3)


def test_a_layer_that_whitens_is_kept_with_the_weights() -> None:
    rows = features(7).float()
    layer = Whitening(6, 3)
    assert torch.allclose(layer(rows), torch.nn.functional.normalize(rows[:, :3]))
    layer.set(pca_whitening(rows, 3))
    twin = Whitening(6, 3)
    twin.load_state_dict(layer.state_dict())
    white = twin(rows.view(20, 10, 6))
    assert white.shape == (20, 10, 3)
    assert torch.allclose(white.norm(dim=2), torch.ones(20, 10))
    by_hand = (rows - pca_whitening(rows, 3).mean) @ pca_whitening(rows, 3).matrix.T
    assert torch.allclose(white.flatten(0, 1), torch.nn.functional.normalize(by_hand), atol=1e-6)


def test_what_cannot_be_whitened_is_refused() -> None:
    with pytest.raises(ValueError, match="6 dimensions have no 7 principal ones"):
        pca_whitening(features(0), 7)
    with pytest.raises(ValueError, match="no 0 principal ones"):
        learned_whitening(features(0), torch.tensor([[0, 1]]), 0)
    with pytest.raises(ValueError, match="pairs of matching images, and there are none"):
        learned_whitening(features(0), torch.empty(0, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"\(N, D\), N > 0, but are \(0, 6\)"):
        pca_whitening(features(0)[:0])
    broken = features(0).clone()
    broken[3, 1] = torch.nan
    with pytest.raises(ValueError, match="1 of 200 features hold NaN"):
        pca_whitening(broken)
