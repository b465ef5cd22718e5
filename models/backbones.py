"""Where an encoder starts from when a recipe says ``pretrained``.

Four things may stand there: the path of an encoder that Nightjar saved; the path of a transformers
folder (``config.json`` and safetensors); ``timm/NAME`` or ``timm/NAME@FILE``; a hub id. Only
tensors are read: safetensors, or torch files with ``weights_only``. No code comes with them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from models.extras import library
from models.networks.base import Encoder
from models.networks.pretrained import PretrainedEncoder, image_part
from models.spec import Backbone, EncoderSpec
from models.weights import build, spec_of


@dataclass(frozen=True)
class Start:
    """An encoder before its training.

    Args:
        encoder: with the weights to start from.
        spec: what it was built from.
        licence: of those weights, as their maker states it; "own" where there are none.
    """

    encoder: Encoder
    spec: EncoderSpec
    licence: str = "own"


def start(spec: EncoderSpec, pretrained: str | None, seed: int) -> Start:
    """The encoder that training begins with: SPEC's, with PRETRAINED weights where there are some.

    The network is that of the weights; descriptor, dimensions and transform are SPEC's. What is new
    (a head of other dimensions) is drawn from SEED.

    Raises:
        FileNotFoundError: PRETRAINED is neither a path nor can it be fetched; says what to do.
        ModuleNotFoundError: it needs an extra that is not installed; says how to get it.
        ValueError: the weights are not for the network.
    """
    if pretrained is None:
        return Start(build(spec, seed), spec)
    if pretrained.startswith("timm/"):
        return _of_timm(spec, pretrained.removeprefix("timm/"), seed)
    path = Path(pretrained).expanduser()
    if path.is_file():
        return _of_ours(spec, path, seed)
    if not path.is_dir() and not re.fullmatch(r"[\w.-]+/[\w.-]+", pretrained):
        raise FileNotFoundError(
            f"pretrained: {pretrained!r} is no file or folder here, nor of the form timm/NAME or "
            "OWNER/NAME of a hub."
        )
    return _of_transformers(spec, pretrained, path, seed)


def _of_ours(spec: EncoderSpec, path: Path, seed: int) -> Start:
    """The encoder in PATH, with a new head where SPEC has other dimensions."""
    content = path.read_bytes()
    try:
        theirs = spec_of(content)
    except ValueError as error:
        raise ValueError(
            f"pretrained: {path} is not an encoder that Nightjar saved. Name the architecture of "
            f"other weights as well: timm/NAME@{path}"
        ) from error
    kept = {"network", "arguments", "backbone"}
    spec = spec.model_copy(update={name: getattr(theirs, name) for name in kept})
    encoder = build(spec, seed)
    tensors = safetensors.torch.load(content)
    if theirs.dimensions != spec.dimensions:
        tensors = {name: value for name, value in tensors.items() if not name.startswith("head.")}
    _take(encoder, tensors, str(path), new="head.")
    return Start(encoder, spec, "own")


def _of_timm(spec: EncoderSpec, name: str, seed: int) -> Start:
    """Timm's NAME with the weights of NAME@FILE, else with those that timm fetches."""
    name, _, file = name.partition("@")
    wanted = f"pretrained: timm/{name}"
    timm = library("timm", wanted)
    if file:
        tensors = _tensors(Path(file).expanduser())
        about = timm.get_pretrained_cfg(name).to_dict()
    else:
        try:
            network = timm.create_model(name, pretrained=True, num_classes=0)
        except (OSError, RuntimeError, ValueError) as error:
            raise FileNotFoundError(
                f"{wanted} could not be fetched ({error}). On a machine with a network save "
                f"timm.create_model({name!r}, pretrained=True).state_dict() with "
                f"safetensors.torch.save_file, bring the file here, and write {wanted}@FILE"
            ) from error
        tensors, about = network.state_dict(), network.pretrained_cfg
    colours: dict[str, Any] = {key: tuple(about[key]) for key in ("mean", "std") if about.get(key)}
    backbone = Backbone(source="timm", name=name, **colours)
    return _with_backbone(spec, backbone, tensors, str(about.get("license") or "unknown"), seed)


def _of_transformers(spec: EncoderSpec, name: str, path: Path, seed: int) -> Start:
    """The model of a transformers folder PATH, else of the hub id NAME."""
    wanted = f"pretrained: {name}"
    transformers = library("transformers", wanted)
    local = path.is_dir()
    place = str(path) if local else name
    settings = {"local_files_only": local, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(place, **settings)
        network = transformers.AutoModel.from_pretrained(place, use_safetensors=True, **settings)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{wanted} could not be read ({str(error).splitlines()[0]}). It must be a folder with "
            "config.json and model.safetensors. On a machine with a network run "
            f"`hf download {name} --local-dir FOLDER`, bring FOLDER here, and write pretrained: "
            "FOLDER"
        ) from error
    described = json.loads(config.to_json_string(use_diff=False))
    described.pop("model_type", None)
    colours = _json(path / "preprocessor_config.json")
    backbone = Backbone(
        source="transformers",
        name=config.model_type,
        config=described,
        **{
            key: tuple(colours[f"image_{key}"])
            for key in ("mean", "std")
            if f"image_{key}" in colours
        },
    )
    tensors = image_part(network).state_dict()
    return _with_backbone(spec, backbone, tensors, _licence(path), seed)


def _with_backbone(
    spec: EncoderSpec, backbone: Backbone, tensors: Mapping[str, Any], licence: str, seed: int
) -> Start:
    """SPEC on BACKBONE, whose weights are TENSORS."""
    spec = spec.model_copy(update={"backbone": backbone, "arguments": {}})
    encoder = build(spec, seed)
    if not isinstance(encoder, PretrainedEncoder):
        raise ValueError(f"{spec.network} is not built on a backbone.")
    _take(encoder.backbone, tensors, f"{backbone.source}/{backbone.name}")
    return Start(encoder, spec, licence)


def _take(
    network: torch.nn.Module, tensors: Mapping[str, Any], source: str, new: str = "\0"
) -> None:
    """Put TENSORS into NETWORK: all that it has but the names that begin with NEW.

    Tensors that it has no place for, a classifier's, are left out.
    """
    try:
        missing = network.load_state_dict(dict(tensors), strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(f"The weights of {source} do not fit the network: {error}") from error
    missing = [name for name in missing if not name.startswith(new)]
    if missing:
        raise ValueError(
            f"The weights of {source} are not for this network: {len(missing)} tensors are "
            f"missing, {missing[0]!r} first."
        )


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in a safetensors or torch file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {path}.")
    if path.suffix == ".safetensors":
        return safetensors.torch.load(path.read_bytes())
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    state: dict[str, torch.Tensor] = tensors.get("state_dict", tensors)
    return state


def _licence(folder: Path) -> str:
    """What a model folder's README states under ``license:``, else "unknown"."""
    readme = folder / "README.md"
    text = readme.read_text(errors="replace") if readme.is_file() else ""
    found = re.search(r"^license:\s*(\S+)", text, re.MULTILINE)
    return found.group(1) if found else "unknown"


def _json(path: Path) -> dict[str, Any]:
    """The object in PATH; empty where there is none."""
    return dict(json.loads(path.read_text())) if path.is_file() else {}
