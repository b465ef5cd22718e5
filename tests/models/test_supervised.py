"""The criteria of supervised learning compute their paper's loss with their paper's numbers."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from data import taxonomy
from data.taxonomy import DescriptorType
from models import losses
from models.losses import Pairs
from models.supervision import SUPERVISIONS
from models.supervision.criteria import CSQ, ArcFace, Criterion, GreedyHash, OrthoHash, ProxyAnchor
from models.supervision.free_codes import ADSH
from models.supervision.pairwise import HashNet
from models.supervision.supervised import CRITERIA, Supervised
from tests.models.lessons import lesson

WORD = taxonomy.Supervision.SUPERVISED
BINARY = DescriptorType.BINARY
FEATURES = functional.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(1)))
TARGETS = functional.one_hot(torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), 4).float()
TARGETS[0, 3] = 1


def criterion(method: str) -> Criterion:
    descriptor = SUPERVISIONS[WORD].methods[method].descriptors[0]
    return Supervised(lesson(descriptor, method=method)).criterion


def orthohash(c: Criterion) -> torch.Tensor:
    assert isinstance(c, OrthoHash)
    return losses.orthohash(FEATURES, c.codebook, TARGETS, 1 / 8, 0.2)


def csq(c: Criterion) -> torch.Tensor:
    assert isinstance(c, CSQ)
    centres = losses.hash_centres(4, 16, 0)
    return losses.csq(FEATURES * 4, centres, TARGETS, c.ties, 1e-4)


def greedyhash(c: Criterion) -> torch.Tensor:
    assert isinstance(c, GreedyHash)
    return losses.greedyhash(FEATURES * 4, c.proxies, TARGETS, 0.1)


def arcface(c: Criterion) -> torch.Tensor:
    assert isinstance(c, ArcFace)
    return losses.arcface(FEATURES, c.proxies, TARGETS, 1 / 16, 0.2)


def proxy_anchor(c: Criterion) -> torch.Tensor:
    assert isinstance(c, ProxyAnchor)
    return losses.proxy_anchor(FEATURES, c.proxies, TARGETS, 32, 0.1)


def adsh(c: Criterion) -> torch.Tensor:
    assert isinstance(c, ADSH)
    database = losses.CodeSums.of(c.codes.float(), torch.zeros(len(c.codes), dtype=torch.int64), 1)
    return losses.adsh(FEATURES * 4, database, torch.zeros(len(FEATURES), 1))  # no gallery yet


def triplet(_: Criterion) -> torch.Tensor:
    hardest = losses.batch_hard(FEATURES, Pairs.of(TARGETS))
    return losses.triplet(FEATURES, hardest, 0.2)


EXPECTED: dict[str, Callable[[Criterion], torch.Tensor]] = {
    "orthohash": orthohash,
    "csq": csq,
    "greedyhash": greedyhash,
    "dpsh": lambda _: losses.dpsh(FEATURES * 4, Pairs.of(TARGETS), 0.1),
    "hashnet": lambda _: losses.hashnet(FEATURES * 4, Pairs.of(TARGETS), 1, 10),
    "idhn": lambda _: losses.idhn(FEATURES * 4, TARGETS, 5, 0.1, 0.1),
    "adsh": adsh,
    "arcface": arcface,
    "proxy_anchor": proxy_anchor,
    "supcon": lambda _: losses.supcon(FEATURES, Pairs.of(TARGETS), 0.1),
    "triplet": triplet,
    "contrastive": lambda _: losses.contrastive(FEATURES, Pairs.of(TARGETS), 0.7),
}


@pytest.mark.parametrize("method", sorted(CRITERIA))
def test_a_criterion_is_the_loss_of_its_paper_with_its_numbers(method: str) -> None:
    found = criterion(method)
    with torch.no_grad():
        assert float(found(FEATURES, TARGETS)) == pytest.approx(float(EXPECTED[method](found)))


def test_every_method_in_the_table_has_its_criterion() -> None:
    assert set(CRITERIA) == set(SUPERVISIONS[WORD].methods) == set(EXPECTED)


@pytest.mark.parametrize(
    ("bits", "temperature"), [(16, 1 / 8), (48, 1 / 8), (64, 1 / 8), (128, 128**-0.5)]
)
def test_long_codes_soften_orthohash_as_in_its_paper(bits: int, temperature: float) -> None:
    told = lesson(BINARY, method="orthohash", dimensions=bits)
    assert Supervised(told).criterion.temperature == pytest.approx(temperature)
    said = lesson(BINARY, method="orthohash", dimensions=bits, temperature=0.3)
    assert Supervised(said).criterion.temperature == 0.3


def test_the_bits_of_hashnet_sharpen_in_stages() -> None:
    found = criterion("hashnet")
    assert isinstance(found, HashNet)
    before = float(found(FEATURES, TARGETS))
    for _ in range(199):
        found.after_step()
    assert float(found.sharpness) == 1
    assert float(found(FEATURES, TARGETS)) == before
    found.after_step()
    assert float(found.sharpness) == pytest.approx(2**0.5)
    expected = losses.hashnet(FEATURES * 4, Pairs.of(TARGETS), 2**0.5)
    assert float(found(FEATURES, TARGETS)) == pytest.approx(float(expected))


def test_centres_and_proxies_are_far_from_each_other() -> None:
    found = criterion("csq")
    assert isinstance(found, CSQ)
    apart = (found.centres[:, None] != found.centres).sum(dim=2)
    assert apart[~torch.eye(4, dtype=torch.bool)].min() >= 8
    proxies = criterion("proxy_anchor")
    assert isinstance(proxies, ProxyAnchor)
    near = functional.normalize(proxies.proxies.detach())
    assert (near @ near.T)[~torch.eye(4, dtype=torch.bool)].max() < 0.5
