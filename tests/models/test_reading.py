"""Learning from sentences: the losses by their formulas, and the tower that an encoder is given."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from data.taxonomy import DescriptorType, Supervision
from models import losses
from models.composition import check
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.reading import Clip, Reading
from models.supervision.weakly_supervised import WeaklySupervised
from models.text.vocabulary import FIRST
from models.text.words import WordTower
from tests.models.formulas import cosine
from tests.models.lessons import batch, lesson

REAL, BINARY = DescriptorType.REAL_VALUED, DescriptorType.BINARY


def unit(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(4, 16, generator=generator))


def reading(method: str, descriptor: DescriptorType = REAL, **changes: Any) -> Reading:
    taught = WeaklySupervised(lesson(descriptor, method=method, **changes)).hearsay
    assert isinstance(taught, Reading)
    return taught


SAME = torch.eye(4, dtype=torch.bool)
SAME[0, 3] = SAME[3, 0] = True


def test_clip_s_loss_is_that_of_its_formula_where_two_pictures_have_one_sentence() -> None:
    features, said = unit(0), unit(1)
    near = [[cosine(f, s) / 0.5 for s in said] for f in features]
    cost = 0.0
    for i in range(4):
        others = [j for j in range(4) if j == i or not SAME[i, j]]
        cost += math.log(sum(math.exp(near[i][j]) for j in others)) - near[i][i]
        cost += math.log(sum(math.exp(near[j][i]) for j in others)) - near[i][i]
    loss = reading("clip", temperature=0.5)(features, said, SAME)
    assert loss.item() == pytest.approx(cost / 8, rel=1e-5)


def test_vsepp_s_loss_is_that_of_its_formula_where_two_pictures_have_one_sentence() -> None:
    features, said = unit(0), unit(1)
    cost = 0.0
    for i in range(4):
        others = [j for j in range(4) if not SAME[i, j]]
        right = cosine(features[i], said[i])
        cost += max(0, max(0.3 + cosine(features[i], said[j]) - right for j in others))
        cost += max(0, max(0.3 + cosine(features[j], said[i]) - right for j in others))
    loss = reading("vsepp", margin=0.3)(features, said, SAME)
    assert loss.item() == pytest.approx(cost / 4, rel=1e-5)


def test_the_scale_of_clip_is_learned_and_kept_within_a_hundred() -> None:
    taught = reading("clip")
    assert isinstance(taught, Clip)
    assert taught.log_scale.exp().item() == pytest.approx(1 / 0.07, rel=1e-5)
    taught(unit(0), unit(1), SAME).backward()
    assert taught.log_scale.grad is not None
    assert taught.log_scale.grad.abs() > 0
    with torch.no_grad():
        taught.log_scale.add_(9)
    taught.bound()
    assert taught.log_scale.item() == pytest.approx(losses.HOTTEST)
    assert reading("clip", temperature=1e-4).get_parameter("log_scale") <= losses.HOTTEST


def test_an_encoder_is_given_a_tower_of_the_lesson_s_words_and_keeps_one_that_it_has() -> None:
    encoder = ConvolutionalEncoder(16, width=4)
    told = lesson(REAL, method="clip")
    WeaklySupervised(told).begin(encoder)
    tower = encoder.text
    assert isinstance(tower, WordTower)
    assert tower.spec.vocabulary == told.vocabulary
    WeaklySupervised(lesson(REAL, method="clip", vocabulary=("other", "words"))).begin(encoder)
    assert encoder.text is tower
    other = ConvolutionalEncoder(16, width=4)
    WeaklySupervised(lesson(REAL, method="clicks")).begin(other)
    assert other.text is None


def test_pictures_of_one_sentence_are_no_negatives_and_bits_are_pressed() -> None:
    encoder, told = ConvolutionalEncoder(16, width=4).train(), batch(0, 6)
    for descriptor in (REAL, BINARY):
        seen: list[torch.Tensor] = []
        taught = reading("clip", descriptor)
        taught.begin(encoder)
        taught.register_forward_pre_hook(lambda _, given, seen=seen: seen.extend(given))
        loss = taught.told(encoder, unit(0).repeat(2, 1)[:6], told)
        features, said, same = seen
        assert told.sentences is not None
        for i, one in enumerate(told.sentences.tolist()):
            for j, other in enumerate(told.sentences.tolist()):
                assert bool(same[i, j]) == (one == other)
        plain = losses.clip(features, said, taught.get_parameter("log_scale"), same)
        pressed = losses.quantisation(4 * features) + losses.quantisation(4 * said)
        wanted = plain + (0.1 * pressed if descriptor is BINARY else 0)
        torch.testing.assert_close(loss, wanted)


def test_a_batch_without_sentences_is_refused() -> None:
    encoder, told = ConvolutionalEncoder(16, width=4), batch(0, 6)
    taught = reading("clip")
    taught.begin(encoder)
    bare = type(told)(told.images, None, told.generator, told.words)
    with pytest.raises(ValueError, match="a batch with sentences"):
        taught.told(encoder, unit(0), bare)
    assert told.sentences is not None
    assert int(told.sentences.min()) >= FIRST


@pytest.mark.parametrize("network", ["siamese_triplet", "reinforcement_learning"])
def test_networks_that_learn_by_a_term_of_their_own_teach_no_tower(network: str) -> None:
    with pytest.raises(ValueError, match=f"clip teaches a tower for text .* and {network}"):
        check(Supervision.WEAKLY_SUPERVISED, network, BINARY, "clip")  # type: ignore[arg-type]
