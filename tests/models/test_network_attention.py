"""The transformer: what its parts compute, what size it is shown, where it looks."""

import math

import pytest
import torch

from data.taxonomy import DescriptorType
from models.learner import Learner, Schedule
from models.networks.attention import AttentionEncoder, Block, ClassToken, _places
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised

POOLINGS = ["gem", "average", "attention", "cls"]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def encoder(**changes: object) -> AttentionEncoder:
    torch.manual_seed(0)
    return AttentionEncoder(8, **{"width": 8, "heads": 4} | changes)  # type: ignore[arg-type]


def test_a_block_is_its_formula() -> None:
    torch.manual_seed(1)
    block = Block(6, heads=2, ratio=2.0, drop=0.0).eval()
    tokens = torch.randn(1, 4, 6)

    def normed(row: torch.Tensor) -> torch.Tensor:
        return (row - row.mean()) / (row.var(unbiased=False) + 1e-5).sqrt()

    with torch.no_grad():
        asked = torch.stack([block.ask(normed(row)) for row in tokens[0]])  # (N, 18)
        heard = torch.zeros(4, 6)
        for head in range(2):
            mine = slice(3 * head, 3 * head + 3)
            query, key, value = (asked[:, 6 * part : 6 * part + 6][:, mine] for part in range(3))
            for i in range(4):
                odds = [math.exp(float(query[i] @ key[j]) / math.sqrt(3)) for j in range(4)]
                for j in range(4):
                    heard[i, mine] += odds[j] / sum(odds) * value[j]
        after = tokens[0] + block.answer(heard)
        after = torch.stack([row + block.thought(normed(row)) for row in after])
        assert torch.allclose(block(tokens, None)[0], after, atol=1e-5)


def test_a_class_token_hears_each_place_by_its_attention() -> None:
    torch.manual_seed(3)
    pool, maps = ClassToken(6, heads=2), torch.randn(1, 6, 2, 3)
    with torch.no_grad():
        keys, values = pool.key(maps)[0].flatten(1), pool.value(maps)[0].flatten(1)  # (6, 6)
        shares = torch.zeros(2, 6)
        heard = torch.zeros(6)
        for head in range(2):
            mine = slice(3 * head, 3 * head + 3)
            odds = [math.exp(float(pool.query[head] @ keys[mine, n]) / 3**0.5) for n in range(6)]
            shares[head] = torch.tensor(odds) / sum(odds)
            heard[mine] = values[mine] @ shares[head]
        assert torch.allclose(pool(maps)[0], heard, atol=1e-5)
        assert torch.allclose(pool.weights(maps)[0].flatten(), shares.mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_works_at_any_size_and_says_where_it_looks(pooling: str) -> None:
    network = encoder(pooling=pooling).eval()
    for size, places in ((28, 7), (32, 8), (45, 12)):
        with torch.no_grad():
            weights = network.attention_map(drawn(3, 3, size, size))
            assert network(drawn(3, 3, size, size)).shape == (3, 8)
        assert weights.shape == (3, places, places)
        assert (weights >= 0).all()
        assert torch.allclose(weights.sum(dim=(1, 2)), torch.ones(3), atol=1e-5)


def test_where_things_lie_matters() -> None:
    network = encoder(pooling="average").eval()
    picture = torch.zeros(1, 3, 32, 32)
    here, there = picture.clone(), picture.clone()
    here[:, :, 8:12, 8:12] = 1  # far from every border, at a multiple of a token's stride
    there[:, :, 20:24, 20:24] = 1
    with torch.no_grad():
        assert not torch.allclose(network.pooled(here), network.pooled(there), atol=1e-3)


def test_a_place_is_sines_and_cosines_of_its_row_and_of_its_column() -> None:
    found = _places(3, 5, 16, torch.zeros(1))
    assert found.shape == (15, 16)
    for row in range(3):
        for column in range(5):
            wanted: list[float] = []
            for at in (row, column):
                angles = [at / 10_000 ** (n / 4) for n in range(4)]
                wanted += [*map(math.sin, angles), *map(math.cos, angles)]
            assert found[5 * row + column].tolist() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("pooling", ["gem", "average"])
def test_where_nothing_is_weighed_a_place_counts_by_how_long_its_positive_numbers_are(
    pooling: str,
) -> None:
    network, images = encoder(pooling=pooling).eval(), drawn(2, 3, 28, 28)
    with torch.no_grad():
        maps, weights = network.maps(images), network.attention_map(images)
    for n in range(2):
        lengths = [
            [sum(max(0.0, x) ** 2 for x in maps[n, :, i, j].tolist()) ** 0.5 for j in range(7)]
            for i in range(7)
        ]
        total = sum(map(sum, lengths))
        for found, wanted in zip(weights[n].tolist(), lengths, strict=True):
            assert found == pytest.approx([length / total for length in wanted], rel=1e-4)


def test_the_last_block_is_skipped_most() -> None:
    drops = [block.drop for block in encoder(drop_path=0.3, depth=2).blocks]
    assert drops == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])


def test_a_picture_skips_blocks_as_lots_say_in_training_and_never_else() -> None:
    network = encoder(drop_path=0.9, depth=2)
    images = drawn(6, 3, 32, 32)

    def seen(seed: int) -> torch.Tensor:
        return network.see(images, None, torch.Generator().manual_seed(seed)).pooled

    assert torch.equal(seen(1), seen(1))
    assert not torch.allclose(seen(1), seen(2), atol=1e-3)
    assert torch.equal(network.pooled(images), network.pooled(images))
    network.eval()
    assert torch.equal(seen(1), seen(2))


def test_on_average_what_is_kept_is_what_there_was() -> None:
    torch.manual_seed(4)
    block = Block(8, heads=2, ratio=2.0, drop=0.5)
    change, lots = torch.ones(4000, 1, 8), torch.Generator().manual_seed(0)
    kept = block._kept(change, lots)
    assert set(kept.flatten().tolist()) == {0.0, 2.0}
    assert float(kept.mean()) == pytest.approx(1, abs=0.06)


def test_heads_that_cannot_share_are_refused() -> None:
    with pytest.raises(ValueError, match="5 heads cannot share 32 numbers"):
        encoder(heads=5)
    with pytest.raises(ValueError, match="1, 2, 4 or 8 pixels, not 3"):
        encoder(stem=3)


def planted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Grey noise with a patch of 8 x 8 pixels somewhere, whose stripes are the class.

    The images (N, 3, 32, 32), the classes (N,) and where the patches lie (N, 8, 8) of tokens.
    """
    lots = torch.Generator().manual_seed(seed)
    images = 0.5 + 0.15 * torch.randn(count, 3, 32, 32, generator=lots)
    classes = torch.randint(0, 2, (count,), generator=lots)
    corners = torch.randint(0, 7, (count, 2), generator=lots)
    where = torch.zeros(count, 8, 8)
    stripes = (torch.arange(8) // 2 % 2).float().expand(3, 8, 8)
    for n in range(count):
        i, j = corners[n].tolist()
        patch = stripes if classes[n] else stripes.transpose(1, 2)
        images[n, :, 4 * i : 4 * i + 8, 4 * j : 4 * j + 8] = patch
        where[n, i : i + 2, j : j + 2] = 1
    return images.clamp(0, 1), classes, where


@pytest.mark.parametrize("pooling", ["attention", "cls"])
def test_it_learns_to_look_at_what_was_planted(pooling: str) -> None:
    network = encoder(pooling=pooling)
    shown, _, where = planted(100, seed=9)
    area = float(where.mean())  # a sixteenth

    def looked() -> float:
        with torch.no_grad():
            return float((network.eval().attention_map(shown) * where).sum(dim=(1, 2)).mean())

    assert looked() < 2 * area
    lesson = Lesson(8, DescriptorType.REAL_VALUED, ["rows", "columns"], flip=False)
    learner = Learner(
        network, Supervised(lesson), Schedule("adamw", 6e-3, 0.05, 5, 45), torch.device("cpu")
    )
    lots = torch.Generator().manual_seed(0)
    for step in range(45):
        images, classes, _ = planted(24, seed=100 + step)
        learner.step(Batch(images, torch.nn.functional.one_hot(classes, 2).float(), lots))
    assert looked() > 3 * area
