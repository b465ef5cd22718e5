"""The libraries themselves, with random weights saved here: each where it is installed."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from models.backbones import start
from models.foreign import OPEN_CLIP_CONFIG
from models.networks.pretrained import PretrainedEncoder
from models.pixels import Transform
from models.spec import Backbone, EncoderSpec
from models.weights import build, load, save

SPEC = EncoderSpec(dimensions=16, transform=Transform(size=32))
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1},
}


def begun(word: str) -> PretrainedEncoder:
    """The encoder that training begins with, saved and loaded again from its own file alone."""
    began = start(SPEC, word, seed=0)
    again = load(save(began.encoder, began.spec)).encoder
    assert isinstance(again, PretrainedEncoder)
    assert again(IMAGES).shape == (2, 16)
    return again


def scaled(encoder: PretrainedEncoder) -> torch.Tensor:
    return (IMAGES - encoder.mean) / encoder.std


def kept(network: nn.Module, file: Path) -> None:
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(tensors, file)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050"])
def test_timm_s_own_features_come_out(name: str, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    network = timm.create_model(name, pretrained=False).eval()
    kept(network, tmp_path / "weights.safetensors")
    encoder = begun(f"timm/{name}@{tmp_path / 'weights.safetensors'}")
    with torch.inference_mode():
        wanted = network.forward_head(network.forward_features(scaled(encoder)), pre_logits=True)
        seen = encoder.backbone(scaled(encoder))
    torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["ViT", "Dinov2", "CLIP"])
def test_transformers_own_features_come_out(kind: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tiny = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
    small = tiny | {"patch_size": 8, "intermediate_size": 64}
    words = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    said = {"vision_config": small, "text_config": words} if kind == "CLIP" else small
    config = getattr(transformers, f"{kind}Config")(**said)
    network = getattr(transformers, f"{kind}Model")(config).eval()
    network.save_pretrained(tmp_path)
    encoder = begun(str(tmp_path))
    tower = network.vision_model if kind == "CLIP" else network
    with torch.inference_mode():
        wanted = tower(scaled(encoder)).pooler_output
        seen = encoder.backbone(scaled(encoder)).pooler_output
    torch.testing.assert_close(seen, wanted, atol=1e-5, rtol=1e-4)


def test_an_encoder_does_not_depend_on_the_folder_that_it_came_from(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    network = transformers.ViTModel(config).half()  # as many are kept; ours are float32
    files = []
    for name in ("here", "there"):
        network.save_pretrained(tmp_path / name)
        began = start(SPEC, str(tmp_path / name), seed=0)
        assert began.encoder(IMAGES).dtype == torch.float32
        files.append(save(began.encoder, began.spec))
    assert files[0] == files[1]
    assert str(tmp_path).encode() not in files[0]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"quick_gelu": True, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}},
    ],
)
def test_open_clip_s_own_features_come_out(change: dict[str, object], tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    colours = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3]}
    said = json.dumps({"model_cfg": CLIP | change, "preprocess_cfg": colours})
    (tmp_path / OPEN_CLIP_CONFIG).write_text(said)
    network = open_clip.create_model(f"local-dir:{tmp_path}", load_weights=False).eval()
    kept(network, tmp_path / "open_clip_model.safetensors")
    encoder = begun(str(tmp_path))
    with torch.inference_mode():
        wanted = network.encode_image(scaled(encoder))
        seen = encoder.backbone(scaled(encoder))
    torch.testing.assert_close(seen, wanted, atol=1e-5, rtol=1e-4)


def test_an_architecture_that_is_an_address_is_not_fetched() -> None:
    pytest.importorskip("timm", reason="timm is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    backbone = Backbone(
        source="transformers", name="timm_wrapper", config={"architecture": "hf-hub:some/one"}
    )
    with pytest.raises(ValueError, match="timm_wrapper cannot be built here") as caught:
        build(SPEC.model_copy(update={"backbone": backbone}))
    fault: BaseException | None = caught.value
    while fault is not None and "offline mode is enabled" not in str(fault):
        fault = fault.__cause__
    assert fault is not None, "it failed for want of a network, not because it did not ask for one"
