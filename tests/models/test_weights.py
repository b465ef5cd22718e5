"""An encoder's file says all that it is; the canary set says whether it still is what it was."""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from data.taxonomy import DescriptorType
from models import canary
from models.canary import CanaryMismatch
from models.pixels import Transform
from models.spec import EncoderSpec, Precision
from models.weights import Embedder, build, digest_of, load, save, spec_of

SPEC = EncoderSpec(arguments={"width": 8}, dimensions=16, transform=Transform(size=32))
BITS = SPEC.model_copy(update={"descriptor": DescriptorType.BINARY})


def file(spec: EncoderSpec = SPEC, seed: int = 0) -> bytes:
    return save(build(spec, seed), spec)


def proved(spec: EncoderSpec = SPEC, seed: int = 0) -> Embedder:
    content = file(spec, seed)
    return load(content, card={"canary": canary.reference(load(content))})


def test_equal_weights_make_equal_bytes_and_another_seed_others() -> None:
    assert file() == file()
    assert file(seed=1) != file()


@pytest.mark.parametrize(
    "change",
    [
        {"transform": Transform(size=33)},
        {"transform": Transform(size=32, fit="crop")},
        {"descriptor": DescriptorType.BINARY},
        {"storage": "float16"},
    ],
)
def test_the_digest_covers_transform_and_descriptor(change: dict[str, object]) -> None:
    assert digest_of(file(SPEC.model_copy(update=change))) != digest_of(file())


def test_an_encoder_knows_whether_its_signs_are_what_is_stored() -> None:
    assert [build(spec).binary for spec in (SPEC, BITS)] == [False, True]


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    build(SPEC, seed=9)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("spec", [SPEC, BITS])
def test_bytes_of_pictures_become_stored_rows(
    spec: EncoderSpec, draw: Callable[..., bytes]
) -> None:
    embedder = load(file(spec))
    pixels = torch.stack([embedder.pixels(draw(seed)) for seed in range(5)])
    features = embedder.features(pixels)
    assert features.shape == (5, 16)
    assert features.dtype == torch.float32
    rows = embedder.describe(features)
    assert rows.shape == (5, embedder.width)
    assert rows.dtype == embedder.value_type.to_pandas_dtype()
    assert embedder.metric == ("hamming" if spec is BITS else "cosine")
    assert spec_of(file(spec)) == embedder.spec == spec


def test_features_do_not_depend_on_the_batch_nor_on_who_loads(draw: Callable[..., bytes]) -> None:
    embedder = load(file())
    pixels = torch.stack([embedder.pixels(draw(seed)) for seed in range(6)])
    together = embedder.features(pixels)
    alone = torch.cat([embedder.features(pixels[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)
    again = pickle.loads(pickle.dumps(load(file()).spec))
    assert again == embedder.spec


def test_a_file_with_another_digest_is_refused() -> None:
    content = file()
    assert load(content, digest=digest_of(content)).digest == digest_of(content)
    with pytest.raises(ValueError, match="it is corrupt"):
        load(content[:-1] + bytes([content[-1] ^ 1]), digest=digest_of(content))


def test_what_is_no_encoder_is_refused() -> None:
    for content in (b"", b"\x80\x04pickle", safetensors.torch.save({"a": torch.zeros(1)})):
        with pytest.raises(ValueError, match="not an encoder that Nightjar saved"):
            load(content)


def test_tensors_that_do_not_fit_are_refused() -> None:
    wider = SPEC.model_copy(update={"arguments": {"width": 12}})
    with pytest.raises(ValueError, match="do not fit"):
        load(save(build(wider), SPEC))


def test_arguments_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match=r"convolutional does not take .*wheels"):
        build(SPEC.model_copy(update={"arguments": {"wheels": 4}}))


def test_features_that_are_no_numbers_are_never_stored() -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        load(file()).describe(torch.tensor([[float("nan")] * 16]))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("spec", [SPEC, BITS])
def test_an_unchanged_encoder_proves_itself(spec: EncoderSpec, precision: Precision) -> None:
    load(file(spec), precision=precision, card=proved(spec).card).prove()


def test_the_card_survives_json() -> None:
    embedder = proved()
    embedder.card = json.loads(json.dumps(embedder.card))
    embedder.prove()


def test_other_weights_fail_the_canary_set() -> None:
    other = proved(seed=1)
    other.card = proved(seed=0).card
    with pytest.raises(CanaryMismatch, match=r"16 of 16 canary pictures are off: number \d+ by"):
        other.prove()


def test_one_perturbed_weight_fails_the_canary_set() -> None:
    embedder = proved()
    with torch.no_grad():
        embedder.encoder.get_parameter("head.project.weight")[0] += 0.5
    with pytest.raises(CanaryMismatch):
        embedder.prove()


@pytest.mark.parametrize("change", [{"fit": "crop"}, {"size": 40}])
def test_another_transform_fails_the_canary_set(change: dict[str, object]) -> None:
    embedder = proved()
    transform = embedder.spec.transform.model_copy(update=change)
    embedder.spec = embedder.spec.model_copy(update={"transform": transform})
    with pytest.raises(CanaryMismatch):
        embedder.prove()


def test_another_decoder_fails_the_canary_set(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = proved()
    seen = embedder.pixels

    def swapped(content: bytes) -> torch.Tensor:
        return seen(content).flip(0)  # blue for red

    monkeypatch.setattr(embedder, "pixels", swapped)
    with pytest.raises(CanaryMismatch, match="of 16"):
        embedder.prove()


def test_a_card_without_reference_or_of_another_width_proves_nothing() -> None:
    with pytest.raises(CanaryMismatch, match="no canary reference"):
        load(file()).prove()
    narrow = proved(SPEC.model_copy(update={"dimensions": 8}))
    narrow.card = proved().card
    with pytest.raises(CanaryMismatch, match=r"are \(16, 8\), but the card's \(16, 16\)"):
        narrow.prove()


def test_the_canary_files_are_pictures_all_different() -> None:
    files = canary.pictures()
    sizes = [Image.open(io.BytesIO(content)).size for content in files]
    assert len(files) == 8
    assert sizes[:2] == [(97, 61), (64, 64)]
    for number, content in enumerate(files[:6]):
        height, width = sizes[number][::-1]
        pixels = np.asarray(Image.open(io.BytesIO(content)))
        wanted = canary.picture(8 + number, height, width).permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, wanted)
    assert len({content for content in files}) == 8


def test_the_canary_pixels_never_change() -> None:
    # their sum is pinned: another set would silently make every card's reference wrong
    sums = [int(canary.picture(number, 32, 32).long().sum()) for number in range(8)]
    assert sums == PINNED


PINNED = [399104, 402688, 393344, 401408, 377856, 402304, 372736, 395520]


def test_a_file_written_on_disk_is_plain_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(file())
    with safetensors.safe_open(path, framework="pt") as opened:
        assert json.loads(opened.metadata()["nightjar"])["dimensions"] == 16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_gpu_agrees_with_the_cpu(precision: Precision) -> None:
    load(file(), "cuda", precision, card=proved().card).prove()


@pytest.mark.parametrize("spec", [SPEC, BITS])
def test_at_several_scales_features_are_the_unit_mean_of_those_at_each(
    spec: EncoderSpec, draw: Callable[..., bytes]
) -> None:
    embedder = load(file(spec))
    contents = [draw(seed) for seed in range(3)]
    single = []
    for side in (16, 32, 45):
        pixels = torch.stack([Transform(size=side)(content) for content in contents])
        single.append(embedder.features(pixels))
    found = embedder.at_scales(contents, (0.5, 1, 1.4142))
    mean = torch.stack(single).mean(dim=0)
    torch.testing.assert_close(found, mean / mean.norm(dim=1, keepdim=True))
    torch.testing.assert_close(embedder.at_scales(contents, (1,)), single[1])
    assert embedder.describe(found).shape == (3, embedder.width)


def test_a_scale_that_is_no_picture_s_is_refused(draw: Callable[..., bytes]) -> None:
    embedder = load(file())
    with pytest.raises(ValueError, match="would see 3 x 3, and pictures have 8 to 1024"):
        embedder.at_scales([draw(0)], (0.1,))
