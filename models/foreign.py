"""Networks that somebody else has trained, taken from files and hubs: what they are, their tensors.

Only tensors are read: safetensors, or torch files with ``weights_only``. No code comes with them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from data.taxonomy import unknown
from models.extras import library
from models.networks.pretrained import image_part
from models.origin import WEIGHTS, at_home
from models.spec import Backbone
from models.tensors import of_file
from models.text.foreign import ForeignText, text_of

OPEN_CLIP_CONFIG: Final = "open_clip_config.json"
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours that CLIP was trained on, which open_clip takes where nothing is said."""

FLEETING: Final = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype"})
"""What a transformers configuration says of its place and storage, not of the network."""


NO_TOWER: Final = (
    "pretrained: {pretrained} brings no tower for text that can be read here: name the folder of "
    "CLIP or one of its kin as transformers keeps it, with its tokenizer, or an encoder of ours "
    "that has one; or leave text: pretrained out, and let method: clip teach one."
)


@dataclass(frozen=True)
class Foreign:
    """A network of another library.

    Args:
        backbone: how it is built.
        tensors: its weights, by name; there may be more than it has a place for.
        licence: of the weights, as their maker states it, else "unknown".
        text: its tower for text, where that is asked for.
    """

    backbone: Backbone
    tensors: Mapping[str, torch.Tensor]
    licence: str
    text: ForeignText | None = None

    @property
    def all_tensors(self) -> dict[str, torch.Tensor]:
        """The tensors of all parts, under names that tell the parts apart."""
        if self.text is None:
            return dict(self.tensors)
        parts = {"image": self.tensors, "head": self.text.head, "text": self.text.tensors}
        return {f"{part}.{name}": one[name] for part, one in parts.items() for name in one}


def foreign(pretrained: str, reads: bool = False) -> Foreign:
    """The network that PRETRAINED names, which is no file of ours.

    Args:
        pretrained: a word of `models.backbones`.
        reads: whether its tower for text is wanted too.

    Raises:
        FileNotFoundError: it is neither a path nor can it be fetched; says what to do.
        MissingExtra: its library is not installed; says how to get it.
        ValueError: the name is unknown, or what is there is damaged or no network.
    """
    theirs = _named(pretrained, reads)
    if reads and theirs.text is None:
        raise ValueError(NO_TOWER.format(pretrained=pretrained))
    return theirs


def _named(pretrained: str, reads: bool) -> Foreign:
    """As `foreign`; a tower for text that is wanted may be missing."""
    if pretrained == "pixels":
        backbone = Backbone(source="pixels", name="pixels", mean=(0, 0, 0), std=(1, 1, 1))
        return Foreign(backbone, {}, "own")
    if pretrained.startswith("timm/"):
        return _of_timm(pretrained.removeprefix("timm/"))
    if pretrained.startswith("open_clip/"):
        return _of_open_clip(pretrained.removeprefix("open_clip/"))
    path = at_home(pretrained)
    if (path / OPEN_CLIP_CONFIG).is_file():
        return _of_open_clip_folder(path)
    if not path.is_dir() and not _of_a_hub(pretrained):
        raise FileNotFoundError(
            f"pretrained: {pretrained!r} is no file or folder here, nor pixels, nor of the form "
            "timm/NAME, open_clip/NAME@FILE or OWNER/NAME of a hub."
        )
    return _of_transformers(pretrained, path, reads)


def _of_a_hub(name: str) -> bool:
    """Whether NAME reads as OWNER/NAME of a hub, and not as a file or folder that is missing."""
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name)) and not name.endswith(WEIGHTS)


def _of_timm(name: str) -> Foreign:
    """Timm's NAME with the weights of NAME@FILE, else with those that timm fetches."""
    name, _, file = name.partition("@")
    wanted = f"pretrained: timm/{name}"
    timm = library("timm", wanted)
    if file:
        tensors = of_file(at_home(file))
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
    return Foreign(backbone, tensors, str(about.get("license") or "unknown"))


def _of_open_clip(name: str) -> Foreign:
    """The image tower of open_clip's NAME with the weights of NAME@FILE or of NAME@TAG."""
    name, _, file = name.partition("@")
    wanted = f"pretrained: open_clip/{name}"
    open_clip = library("open_clip", wanted)
    config = open_clip.get_model_config(name)
    if config is None:
        raise ValueError(unknown("open_clip model", name, open_clip.list_models()))
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not file:
        raise ValueError(
            f"{wanted} does not say which weights: write {wanted}@FILE or one of its tags, "
            f"{wanted}@{'|'.join(tags[:8])}"
        )
    path = at_home(file)
    if file in tags and not path.is_file():
        try:
            tensors = open_clip.create_model(name, pretrained=file).visual.state_dict()
        except (OSError, RuntimeError, ValueError) as error:
            raise FileNotFoundError(
                f"{wanted}@{file} could not be fetched ({error}). On a machine with a network save "
                f"open_clip.create_model({name!r}, pretrained={file!r}).state_dict() with "
                f"safetensors.torch.save_file, bring the file here, and write {wanted}@FILE"
            ) from error
    else:
        tensors = _image_tower(of_file(path))
    about = [open_clip.get_pretrained_cfg(name, tag) for tag in tags]
    named = [one for tag, one in zip(tags, about, strict=True) if tag in path.name]
    colours = {(tuple(one["mean"]), tuple(one["std"])) for one in named or about}
    if len(colours) > 1:
        raise ValueError(
            f"The weights of {wanted} were not all trained with the same colours: let the file's "
            f"name hold their tag, one of {', '.join(tags)}."
        )
    scale = dict(zip(("mean", "std"), colours.pop(), strict=True)) if colours else {}
    return Foreign(_tower(name, config, scale), tensors, "unknown")


def _of_open_clip_folder(path: Path) -> Foreign:
    """The image tower of the open_clip model in the folder PATH, as a hub keeps it."""
    said = _json(path / OPEN_CLIP_CONFIG)
    known = sorted(path.glob("*.safetensors")) or sorted(path.glob("*.bin"))
    files = [file for file in known if file.stem.startswith("open_clip")] or known
    if not files:
        raise FileNotFoundError(f"pretrained: {path} holds no weights, *.safetensors or *.bin.")
    backbone = _tower("CLIP", said.get("model_cfg", {}), said.get("preprocess_cfg", {}))
    return Foreign(backbone, _image_tower(of_file(files[0])), _licence(path))


def _of_transformers(name: str, path: Path, reads: bool) -> Foreign:
    """The model of a transformers folder PATH, else of the hub id NAME."""
    wanted = f"pretrained: {name}"
    transformers = library("transformers", wanted)
    local = path.is_dir()
    place = str(path) if local else name
    settings = {"local_files_only": local, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(place, **settings)
        network = transformers.AutoModel.from_pretrained(place, use_safetensors=True, **settings)
    except (OSError, ValueError, SafetensorError) as error:
        raise FileNotFoundError(
            f"{wanted} could not be read ({str(error).splitlines()[0]}). It must be a folder with "
            "config.json and model.safetensors. On a machine with a network run "
            f"`hf download {name} --local-dir FOLDER`, bring FOLDER here, and write pretrained: "
            "FOLDER"
        ) from error
    described = _without(json.loads(config.to_json_string(use_diff=False)), FLEETING)
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
    text = text_of(network, place, transformers, local) if reads else None
    return Foreign(backbone, tensors, _licence(path), text)


def _without(config: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """CONFIG without NAMES, in the configurations within it too."""
    return {
        name: _without(value, names) if isinstance(value, dict) else value
        for name, value in config.items()
        if name not in names
    }


def _image_tower(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of the image tower among TENSORS, of both towers, by their names within it."""
    names = {name: name.removeprefix("module.") for name in tensors}
    return {
        inner.removeprefix("visual."): tensors[name]
        for name, inner in names.items()
        if inner.startswith("visual.")
    }


def _tower(name: str, config: Mapping[str, Any], preprocess: Mapping[str, Any]) -> Backbone:
    """The image tower of an open_clip CONFIG, whose pictures PREPROCESS scales."""
    colours = {key: tuple(preprocess[key]) for key in ("mean", "std") if key in preprocess}
    kept = ("embed_dim", "vision_cfg", "quick_gelu")
    tower = {key: config[key] for key in kept if key in config}
    default = {"mean": CLIP_MEAN, "std": CLIP_STD}
    return Backbone(source="open_clip", name=name, config=tower, **default | colours)


def _licence(folder: Path) -> str:
    """What a model folder's README states under ``license:``, else "unknown"."""
    readme = folder / "README.md"
    text = readme.read_text(errors="replace") if readme.is_file() else ""
    found = re.search(r"^license:\s*(\S+)", text, re.MULTILINE)
    return found.group(1) if found else "unknown"


def _json(path: Path) -> dict[str, Any]:
    """The object in PATH; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} holds no JSON object: {error}") from error
