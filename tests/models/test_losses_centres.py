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


def test_each_codeword_is_of_those_drawn_the_farthest_from_its_nearest_predecessor() -> None:
    lots = torch.Generator().manual_seed(5)
    words: list[list[float]] = []
    for _ in range(9):
        drawn = (torch.randint(0, 2, (64, 12), generator=lots) * 2.0 - 1).tolist()
        nearest = [
            min((sum(a != b for a, b in zip(one, word, strict=True)) for word in words), default=0)
            for one in drawn
        ]
        words.append(drawn[nearest.index(max(nearest))])
    assert losses.codebook(9, 12, seed=5).tolist() == words


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
