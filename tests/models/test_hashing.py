"""PCA hashing and iterative quantisation, against their formulas and laws."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashing import itq, pca_hash, rotation_of, signs


def features(seed: int, count: int = 300, dimensions: int = 10) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = 1.5 ** -torch.arange(dimensions)
    turn = torch.linalg.qr(torch.randn(dimensions, dimensions, generator=generator))[0]
    return torch.randn(count, dimensions, generator=generator) * scales @ turn + 1


def test_pca_hash_asks_on_which_side_of_the_mean_a_feature_lies() -> None:
    rows = features(0)
    projection = pca_hash(rows, 4)
    x = rows.double().numpy()
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    for bit in range(4):
        along = (x - x.mean(axis=0)) @ vectors[:, np.argsort(values)[::-1][bit]]
        found = projection(rows)[:, bit].numpy()
        assert found * np.sign(found @ along) == pytest.approx(along, abs=1e-5)


def test_itq_is_gong_and_lazebniks_two_steps_by_turns() -> None:
    rows = features(1)
    found = itq(rows, 5, seed=2, turns=3)
    v = pca_hash(rows.double(), 5)(rows.double()).numpy()
    rotation = rotation_of(5, 2).numpy()
    for _ in range(3):
        b = np.where(v @ rotation < 0, -1.0, 1.0)
        s, _, s_hat = np.linalg.svd(b.T @ v)  # B^T V = S Omega S_hat^T
        rotation = s_hat.T @ s.T
    assert found.projection(rows.double()).numpy() == pytest.approx(v @ rotation, abs=1e-5)
    lost = ((np.where(v @ rotation < 0, -1.0, 1.0) - v @ rotation) ** 2).sum()
    assert found.errors[-1] >= lost  # bits taken anew lose no more


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 10))
def test_the_error_of_quantisation_falls_at_every_turn(seed: int, bits: int) -> None:
    errors = itq(features(seed), bits, seed).errors
    assert len(errors) == 50
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(errors))


def test_itq_turns_and_neither_stretches_nor_moves() -> None:
    rows = features(3)
    plain, turned = pca_hash(rows, 6), itq(rows, 6, seed=0).projection
    assert torch.equal(plain.mean, turned.mean)
    assert torch.allclose(turned.matrix @ turned.matrix.T, torch.eye(6), atol=1e-5)
    one, other = plain(rows.double()), turned(rows.double())
    assert torch.allclose(torch.cdist(one, one), torch.cdist(other, other), atol=1e-5)


def test_itq_loses_less_than_pca() -> None:
    rows = features(4)
    plain = pca_hash(rows, 8)(rows)
    assert itq(rows, 8, seed=0).errors[-1] < float((signs(plain) - plain).square().sum())


def test_equal_seeds_give_equal_bits_and_other_seeds_others() -> None:
    rows = features(5)
    one, two, other = (itq(rows, 6, seed).projection.matrix for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@given(st.integers(1, 12), st.integers(0, 99))
def test_a_rotation_keeps_lengths_and_angles(size: int, seed: int) -> None:
    rotation = rotation_of(size, seed)
    assert torch.allclose(rotation @ rotation.T, torch.eye(size).double())


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rotations_are_drawn_evenly_reflections_among_them(size: int) -> None:
    """So no entry is more often positive, nor a determinant: six standard deviations of 400."""
    drawn = torch.stack([rotation_of(size, seed) for seed in range(400)])
    assert drawn.sign().mean(dim=0).abs().max() < 0.3
    assert torch.linalg.det(drawn).mean().abs() < 0.3


def test_the_sign_of_zero_is_positive() -> None:
    assert signs(torch.tensor([-1.0, -0.0, 0.0, 2.0])).tolist() == [-1, 1, 1, 1]


def test_more_bits_than_dimensions_are_refused() -> None:
    for kind in (lambda: pca_hash(features(0), 11), lambda: itq(features(0), 11, 0)):
        with pytest.raises(ValueError, match="10 dimensions have no 11 principal ones"):
            kind()
