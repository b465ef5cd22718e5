"""The image tower of an open_clip model: which tensors, which colours, and what is refused."""

import json
import sys
import types
from pathlib import Path
from typing import Any, Final

import pytest
import safetensors.torch
import torch
from torch import nn

from models.backbones import start
from models.foreign import OPEN_CLIP_CONFIG
from models.networks.pretrained import PretrainedEncoder
from models.pixels import Transform
from models.spec import EncoderSpec
from models.weights import load, save

SPEC = EncoderSpec(dimensions=16, transform=Transform(size=32))
CONFIG: Final = {
    "embed_dim": 20,
    "vision_cfg": {"image_size": 32, "timm_model_pretrained": True, "output_tokens": True},
    "text_cfg": {"vocab_size": 100},
}
TAGS: Final = {
    "one": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    "two": {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)},
}


class Tower(nn.Module):
    """Stands for an image tower: pools colours and mixes them into 20 features."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 20)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.shape[2:] != (32, 32):
            raise RuntimeError("positions of another size")
        return self.mix(images.mean(dim=(2, 3)))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a stand-in for open_clip, which is not installed everywhere, was asked to build."""
    asked: list[Any] = []
    module = types.ModuleType("open_clip")

    def build(width: int, tower: dict[str, Any], quick: bool) -> nn.Module:
        asked.append((width, tower, quick))
        return Tower()

    def create(name: str, pretrained: str) -> Any:
        raise RuntimeError("no route to host")

    stand_in: dict[str, Any] = {
        "get_model_config": lambda name: CONFIG if name == "Tiny" else None,
        "list_models": lambda: ["Tiny", "Large"],
        "list_pretrained_tags_by_model": lambda name: list(TAGS),
        "get_pretrained_cfg": lambda name, tag: TAGS[tag],
        "create_model": create,
        "model": types.SimpleNamespace(_build_vision_tower=build),
    }
    for name, value in stand_in.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "open_clip", module)
    return asked


def both_towers(tower: Tower, before: str = "") -> dict[str, torch.Tensor]:
    tensors = {f"{before}visual.{name}": value for name, value in tower.state_dict().items()}
    return tensors | {f"{before}text.mix.weight": torch.zeros(3), f"{before}scale": torch.ones(1)}


@pytest.mark.parametrize("before", ["", "module."])
def test_of_both_towers_only_the_image_s_is_taken(
    told: list[Any], tmp_path: Path, before: str
) -> None:
    tower, file = Tower(), tmp_path / "tiny-two.safetensors"
    file.write_bytes(safetensors.torch.save(both_towers(tower, before)))
    began = start(SPEC, f"open_clip/Tiny@{file}", seed=0)
    assert isinstance(began.encoder, PretrainedEncoder)
    assert torch.equal(began.encoder.backbone.get_parameter("mix.weight"), tower.mix.weight)
    backbone = began.spec.backbone
    assert backbone is not None
    assert (backbone.source, backbone.name) == ("open_clip", "Tiny")
    assert (backbone.mean, backbone.std) == (TAGS["two"]["mean"], TAGS["two"]["std"])
    assert "text_cfg" not in backbone.config
    # nothing is fetched while it is built, whatever its configuration says
    width, vision, quick = told[0]
    assert (width, quick) == (20, False)
    assert not vision["timm_model_pretrained"]
    assert not vision["output_tokens"]
    embedder = load(save(began.encoder, began.spec))
    assert embedder.features(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 16)


def test_a_folder_of_a_hub_says_itself_what_it_is(told: list[Any], tmp_path: Path) -> None:
    tower = Tower()
    colours = {"mean": [0.2, 0.3, 0.4], "std": [0.25, 0.25, 0.25], "size": [32, 32]}
    said = {"model_cfg": CONFIG | {"quick_gelu": True}, "preprocess_cfg": colours}
    (tmp_path / OPEN_CLIP_CONFIG).write_text(json.dumps(said))
    with pytest.raises(FileNotFoundError, match="holds no weights"):
        start(SPEC, str(tmp_path), seed=0)
    content = safetensors.torch.save(both_towers(tower))
    (tmp_path / "open_clip_model.safetensors").write_bytes(content)
    (tmp_path / "model.safetensors").write_bytes(b"another library's")
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    began = start(SPEC, str(tmp_path), seed=0)
    assert began.spec.backbone is not None
    assert began.spec.backbone.mean == (0.2, 0.3, 0.4)
    assert began.licence == "mit"
    assert told[0][2] is True
    assert str(tmp_path) not in began.spec.model_dump_json()


@pytest.mark.parametrize(
    ("word", "error", "says"),
    [
        ("Tinny@x", ValueError, "Unknown open_clip model 'Tinny': .*Did you mean 'Tiny'"),
        ("Tiny", ValueError, r"does not say which weights: .*Tiny@one\|two"),
        ("Tiny@nowhere.pt", FileNotFoundError, "no file of weights nowhere.pt"),
        ("Tiny@one", FileNotFoundError, r"could not be fetched .*Tiny@FILE"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    told: list[Any], word: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        start(SPEC, f"open_clip/{word}", seed=0)


def test_weights_whose_colours_cannot_be_known_are_refused(told: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(safetensors.torch.save(both_towers(Tower())))
    with pytest.raises(ValueError, match="hold their tag, one of one, two"):
        start(SPEC, f"open_clip/Tiny@{file}", seed=0)


def test_pictures_of_another_size_are_refused_before_training(
    told: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "one.safetensors"
    file.write_bytes(safetensors.torch.save(both_towers(Tower())))
    large = SPEC.model_copy(update={"transform": Transform(size=64)})
    with pytest.raises(ValueError, match=r"of 64 x 64 pixels .*say `size`"):
        start(large, f"open_clip/Tiny@{file}", seed=0)


def test_a_folder_with_a_broken_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / OPEN_CLIP_CONFIG).write_text("[1, 2")
    with pytest.raises(ValueError, match="holds no JSON object"):
        start(SPEC, str(tmp_path), seed=0)
