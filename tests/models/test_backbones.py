"""Where an encoder may start: our own file without any extra, others' with one, or a clear no."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from models.backbones import start
from models.networks.pretrained import PretrainedEncoder
from models.pixels import Transform
from models.spec import EncoderSpec
from models.weights import build, load, save

SPEC = EncoderSpec(arguments={"width": 8}, dimensions=16, transform=Transform(size=32))
WIDE = EncoderSpec(arguments={"width": 12}, dimensions=24, transform=Transform(size=48))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(save(build(SPEC, seed=7), SPEC))
    return path


class Tiny(nn.Module):
    """Stands for a timm network: pools colours and mixes them into 20 features."""

    num_features = 20
    pretrained_cfg = types.MappingProxyType(
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "license": "apache-2.0"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 20)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.mix(images.mean(dim=(2, 3))))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A stand-in for timm, which cannot be installed beside every torch."""
    module = types.ModuleType("timm")

    def create_model(name: str, pretrained: bool, num_classes: int) -> Tiny:
        assert (name, num_classes) == ("tiny", 0)
        if pretrained:
            raise OSError("no route to host")
        return Tiny()

    def get_pretrained_cfg(name: str) -> Any:
        return types.SimpleNamespace(to_dict=lambda: dict(Tiny.pretrained_cfg))

    module.create_model = create_model  # type: ignore[attr-defined]
    module.get_pretrained_cfg = get_pretrained_cfg  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def test_nothing_pretrained_is_drawn_from_the_seed() -> None:
    began = start(SPEC, None, seed=3)
    assert save(began.encoder, began.spec) == save(build(SPEC, seed=3), SPEC)
    assert began.licence == "own"


def test_our_own_file_is_where_training_starts(ours: Path) -> None:
    began = start(SPEC, str(ours), seed=0)
    assert save(began.encoder, began.spec) == ours.read_bytes()


def test_of_our_own_file_only_a_head_of_other_width_is_new(ours: Path) -> None:
    began = start(WIDE, str(ours), seed=0)
    assert began.spec.arguments == SPEC.arguments
    assert began.spec.dimensions == began.encoder.dimensions == 24
    assert began.spec.transform == WIDE.transform
    old = safetensors.torch.load(ours.read_bytes())
    for name, value in began.encoder.state_dict().items():
        assert name.startswith("head.") or torch.equal(value, old[name]), name
    load(save(began.encoder, began.spec))


def test_other_weights_need_the_name_of_their_architecture(tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    path.write_bytes(safetensors.torch.save({"conv1.weight": torch.zeros(2)}))
    with pytest.raises(ValueError, match=r"Name the architecture .*timm/NAME@"):
        start(SPEC, str(path), seed=0)


@pytest.mark.parametrize(
    "path", ["/nowhere/encoder.safetensors", "./clip", "../clip", "weights/encoder.safetensors"]
)
def test_a_path_that_is_not_there_is_refused_before_anything_is_fetched(path: str) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder here"):
        start(SPEC, path, seed=0)


@pytest.mark.parametrize(
    ("name", "package"), [("timm/resnet18", "timm"), ("own/er", "transformers")]
)
def test_without_the_extra_the_error_says_how_to_get_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        start(SPEC, name, seed=0)
    assert all(word in str(caught.value) for word in (package, "nightjar[backbones]", "--no-index"))


def test_weights_of_a_file_go_into_the_named_architecture(
    timm: types.ModuleType, tmp_path: Path
) -> None:
    tiny = Tiny()
    tensors = {**tiny.state_dict(), "fc.weight": torch.zeros(3)}  # a classifier's, left out
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors.torch.save(tensors))
    torch_file = tmp_path / "tiny.pt"
    torch.save({"state_dict": tiny.state_dict()}, torch_file)
    for file in (path, torch_file):
        began = start(SPEC, f"timm/tiny@{file}", seed=0)
        assert isinstance(began.encoder, PretrainedEncoder)
        assert torch.equal(began.encoder.backbone.get_parameter("mix.weight"), tiny.mix.weight)
        assert began.licence == "apache-2.0"
        assert began.spec.backbone is not None
        assert began.spec.backbone.mean == (0.5, 0.5, 0.5)
    embedder = load(save(began.encoder, began.spec))  # rebuilt from its own file alone
    features = embedder.features(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))
    assert features.shape == (4, 16)


def test_a_backbone_of_the_wanted_width_needs_no_projection(
    timm: types.ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors.torch.save(Tiny().state_dict()))
    spec = SPEC.model_copy(update={"dimensions": 20})
    began = start(spec, f"timm/tiny@{path}", seed=0)
    began.encoder.freeze()
    assert [p for p in began.encoder.parameters() if p.requires_grad] == []
    assert began.encoder(torch.rand(2, 3, 8, 8)).shape == (2, 20)


def test_weights_that_lack_a_tensor_are_refused(timm: types.ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors.torch.save({"mix.bias": torch.zeros(20)}))
    with pytest.raises(ValueError, match=r"1 tensors are missing, 'mix.weight' first"):
        start(SPEC, f"timm/tiny@{path}", seed=0)


def test_pickled_code_is_never_run(timm: types.ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Tiny()}, path)  # a class, not tensors
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        start(SPEC, f"timm/tiny@{path}", seed=0)


def test_offline_the_error_says_how_to_bring_weights(timm: types.ModuleType) -> None:
    with pytest.raises(FileNotFoundError, match=r"On a machine with a network .*timm/tiny@FILE"):
        start(SPEC, "timm/tiny", seed=0)
