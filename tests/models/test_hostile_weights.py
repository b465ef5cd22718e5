"""Files of weights that somebody made to do harm: nothing is run, little is allocated, all say why.

What an error says is for the person who was handed the file.
"""

import json
import pickle
import struct
import sys
import tracemalloc
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from pydantic import ValidationError

from models import tensors
from models.allowance import Allowance, TooLarge, allowance
from models.backbones import start
from models.extras import offline
from models.header import HEADER_KEY
from models.pixels import Transform
from models.spec import Backbone, EncoderSpec
from models.weights import build, load, save

SPEC = EncoderSpec(arguments={"width": 8}, dimensions=16, transform=Transform(size=32))


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def packed(header: Any, data: bytes = b"") -> bytes:
    """A safetensors file of HEADER, whatever it says, and DATA."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def described(spec: dict[str, Any], **more: Any) -> bytes:
    """A safetensors file with one number, whose header describes SPEC."""
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return packed({"__metadata__": {HEADER_KEY: json.dumps(spec)}, "a": entry, **more}, b"\0" * 4)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for timm that knows one network of a single layer."""
    module = types.ModuleType("timm")

    def create_model(name: str, **_: Any) -> torch.nn.Module:
        network = torch.nn.Linear(3, 20)
        network.num_features = 20  # type: ignore[assignment]
        return network

    module.create_model = create_model  # type: ignore[attr-defined]
    module.get_pretrained_cfg = lambda name: types.SimpleNamespace(to_dict=dict)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)


def test_a_pickle_under_a_safetensors_name_is_not_unpickled(timm: None, tmp_path: Path) -> None:
    trap, file = tmp_path / "run", tmp_path / "weights.safetensors"
    for content in (pickle.dumps(Bomb(trap)), pickle.dumps(Bomb(trap), protocol=0)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="not an encoder that Nightjar saved"):
            load(content)
        with pytest.raises(ValueError, match="not an encoder that Nightjar saved"):
            start(SPEC, str(file), seed=0)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            start(SPEC, f"timm/tiny@{file}", seed=0)
    pickle.loads(pickle.dumps(Bomb(trap)))
    assert trap.exists(), "the trap itself does not work"


@pytest.mark.parametrize("wrap", [lambda bomb: bomb, lambda bomb: {"state_dict": {"a": bomb}}])
def test_a_torch_file_with_code_in_it_is_not_run(
    timm: None, tmp_path: Path, wrap: Callable[[Bomb], Any]
) -> None:
    trap, file = tmp_path / "run", tmp_path / "weights.pt"
    torch.save(wrap(Bomb(trap)), file)
    for _ in range(2):  # torch's own format, then a bare pickle
        with pytest.raises(ValueError, match=r"cannot be read with weights_only .*might be code"):
            start(SPEC, f"timm/tiny@{file}", seed=0)
        file.write_bytes(pickle.dumps(wrap(Bomb(trap)), protocol=2))
    assert not trap.exists()


@pytest.mark.parametrize("held", [[torch.zeros(1)], {"a": 3}, {1: torch.zeros(1)}, "words"])
def test_a_torch_file_of_something_else_is_refused(held: Any, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="something else than tensors by name"):
        tensors.of_file(tmp_path / "weights.pt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_file_that_breaks_off_is_refused(share: float, tmp_path: Path) -> None:
    content = save(build(SPEC), SPEC)
    cut = content[: int(len(content) * share)]
    with pytest.raises(ValueError, match=r"not an encoder that|not a whole safetensors file"):
        load(cut)
    torch.save({"a": torch.zeros(100)}, tmp_path / "whole.pt")
    part = tmp_path / "part.pt"
    part.write_bytes((tmp_path / "whole.pt").read_bytes()[:-200])
    with pytest.raises(ValueError, match="is damaged"):
        tensors.of_file(part)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**20) + b"{}",
        packed(b"[" * 100_000),
        packed([1, 2]),
        packed({"__metadata__": {HEADER_KEY: "{"}}),
        packed({"__metadata__": {HEADER_KEY: json.dumps({"network": "convolutional", "run": 1})}}),
        packed({"__metadata__": HEADER_KEY}),
        packed(b"\xff\xfe"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not an encoder that Nightjar saved"):
        load(content)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40], "data_offsets": [4, 4 + 2**42]},
        {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [4, 8]},
        {"dtype": "code", "shape": [1], "data_offsets": [4, 8]},
    ],
)
def test_a_header_that_claims_what_is_not_there_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load(described(SPEC.model_dump(mode="json"), b=entry))


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"width": 200_000}},
        {"arguments": {"width": 8, "depth": 10**9}},
        {"dimensions": 10**12},
        {"arguments": {"width": 10**30}},
        {"arguments": {"width": -8}},
        {"arguments": {"width": 8, "dimensions": 4}},
        {"arguments": {"width": "8"}},
        {"arguments": {"width": 8, "stem": 3}},
    ],
)
def test_a_description_cannot_make_its_reader_allocate(
    change: dict[str, Any], tmp_path: Path
) -> None:
    content = described(SPEC.model_dump(mode="json") | change)
    file = tmp_path / "encoder.safetensors"
    file.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"larger than the tensors|does not take|strides"):
            load(content)
        if "dimensions" not in change:  # a recipe has its own
            with pytest.raises(ValueError, match=r"larger than the tensors|does not take|strides"):
                start(SPEC, str(file), seed=0)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_what_would_be_allocated_is_counted_before_it_is() -> None:
    with pytest.raises(TooLarge), Allowance(1, 10):
        torch.empty(2**40)  # 4 TiB: no machine would give it
    with Allowance(1, 2**20):
        assert torch.zeros(2**18).numel() == 2**18
        assert torch.nn.Linear(100, 100).weight.device.type == "cpu"
    with pytest.raises(TooLarge), Allowance(0, 0):
        list(map(torch.empty, range(10**6)))


def test_an_honest_network_fits_what_its_file_allows() -> None:
    for spec in (SPEC, SPEC.model_copy(update={"arguments": {"width": 32, "depth": 3, "stem": 8}})):
        weights = safetensors.torch.load(save(build(spec), spec))
        allowed = allowance(weights)
        before = allowed.calls, allowed.numbers
        with allowed:
            build(spec)
        assert before[0] - allowed.calls < before[0] / 3
        assert 0 < before[1] - allowed.numbers < sum(v.numel() for v in weights.values()) * 1.1


@pytest.mark.parametrize("name", ["hf-hub:some/one", "local-dir:/tmp/x", "../x", "a b", ""])
def test_a_backbone_is_never_named_by_an_address(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Backbone(source="timm", name=name)
    spec = SPEC.model_dump(mode="json") | {"backbone": {"source": "timm", "name": name}}
    with pytest.raises(ValueError, match="not an encoder that Nightjar saved"):
        load(described(spec))


def test_while_a_backbone_is_built_the_hub_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = types.ModuleType("huggingface_hub.constants")
    hub.HF_HUB_OFFLINE = False  # type: ignore[attr-defined]
    seen: list[bool] = []
    module = types.ModuleType("timm")

    def create_model(name: str, **_: Any) -> torch.nn.Module:
        seen.append(hub.HF_HUB_OFFLINE)
        raise RuntimeError(f"Unknown model ({name})")

    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.ModuleType("huggingface_hub"))
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", hub)
    spec = SPEC.model_copy(update={"backbone": Backbone(source="timm", name="tiny")})
    with pytest.raises(ValueError, match=r"timm/tiny cannot be built here: Unknown model"):
        build(spec)
    assert (seen, hub.HF_HUB_OFFLINE) == ([True], False)
    with pytest.raises(KeyError), offline():
        raise KeyError
    assert hub.HF_HUB_OFFLINE is False
