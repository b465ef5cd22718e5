"""Centres lie as far from each other as promised, and stay where they are."""

import pytest
import torch

from models import losses


def hamming(words: torch.Tensor) -> torch.Tensor:
    """The distances of all pairs of different words."""
    distances = (words.shape[1] - words @ words.T) / 2
    return distances[~torch.eye(len(words), dtype=torch.bool)]


def test_codewords_are_far_apart_and_old_ones_stay_when_a_class_comes() -> None:
    words = losses.codebook(20, 64, seed=0)
    assert set(words.flatten().tolist()) == {-1.0, 1.0}
    assert hamming(words).min() >= 20
    assert torch.equal(losses.codebook(21, 64, seed=0)[:20], words)
    assert not torch.equal(losses.codebook(20, 64, seed=1), words)


@pytest.mark.parametrize(("classes", "bits"), [(2, 1), (5, 8), (16, 16), (64, 32)])
def test_hadamard_centres_are_at_least_half_the_bits_apart(classes: int, bits: int) -> None:
    words = losses.hash_centres(classes, bits, seed=0)
    assert words.shape == (classes, bits)
    assert set(words.flatten().tolist()) == {-1.0, 1.0}
    assert hamming(words).min() >= bits / 2
    assert torch.equal(words, losses.hash_centres(classes, bits, seed=1))


@pytest.mark.parametrize(("classes", "bits"), [(65, 32), (4, 12)])
def test_where_there_is_no_such_matrix_centres_are_codewords(classes: int, bits: int) -> None:
    words = losses.hash_centres(classes, bits, seed=3)
    assert torch.equal(words, losses.codebook(classes, bits, seed=3))


def test_the_centre_of_several_labels_is_their_majority_and_ties_are_fixed() -> None:
    centres = torch.tensor([[1.0, 1, 1, -1], [1, -1, 1, -1], [-1, -1, 1, 1]])
    ties = torch.tensor([-1.0, 1, -1, 1])
    rows = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1], [0, 0, 0]])
    wanted = [[1, 1, 1, -1], [1, 1, 1, -1], [1, -1, 1, -1], [-1, 1, 1, 1], [-1, 1, -1, 1]]
    assert losses.majority(centres, rows, ties).tolist() == wanted
