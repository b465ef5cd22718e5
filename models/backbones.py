"""Where an encoder starts from when a recipe says ``pretrained``.

The path of an encoder that Nightjar saved; the path of a transformers folder (``config.json`` and
safetensors); ``timm/NAME`` or ``timm/NAME@FILE``; ``open_clip/NAME@FILE``, ``open_clip/NAME@TAG``
or the path of an open_clip folder (``open_clip_config.json``); a hub id; ``pixels``, which are no
network's: the colours themselves, under a head that is found in closed form. Only tensors are read:
safetensors, or torch files with ``weights_only``. No code comes with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data.taxonomy import DescriptorType
from models.allowance import allowance
from models.foreign import NO_TOWER, Foreign, foreign
from models.header import spec_of
from models.networks.base import Encoder
from models.networks.pretrained import PretrainedEncoder
from models.origin import at_home, origin_digest
from models.spec import EncoderSpec
from models.tensors import of_safetensors
from models.weights import build


@dataclass(frozen=True)
class Start:
    """An encoder before its training.

    Args:
        encoder: with the weights to start from.
        spec: what it was built from.
        licence: of those weights, as their maker states it; "own" where there are none.
        origin: the digest of the files that hold them; empty where no file of this machine does.
    """

    encoder: Encoder
    spec: EncoderSpec
    licence: str = "own"
    origin: str = ""


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
    origin, path = origin_digest(pretrained), at_home(pretrained)
    if path.is_file():
        began = _of_ours(spec, path, seed)
    else:
        began = _of_others(spec, foreign(pretrained, reads=spec.text is not None), seed)
    return replace(began, origin=origin)


def _of_ours(spec: EncoderSpec, path: Path, seed: int) -> Start:
    """The encoder in PATH, with a new head, or pooling, where SPEC has another."""
    content = path.read_bytes()
    try:
        theirs = spec_of(content)
    except ValueError as error:
        raise ValueError(
            f"pretrained: {path} is not an encoder that Nightjar saved. Name the architecture of "
            f"other weights as well: timm/NAME@{path}"
        ) from error
    kept = {name: getattr(theirs, name) for name in ("network", "arguments", "backbone")}
    if spec.text is not None:
        if theirs.text is None:
            raise ValueError(NO_TOWER.format(pretrained=path))
        _must_be(spec, theirs.dimensions)
        kept["text"] = theirs.text
    new: tuple[str, ...] = ("quantiser.",)  # of this recipe's features, where there is one
    if spec.descriptor is DescriptorType.AGGREGATED and theirs.backbone is None:
        # what is stored is the pooling, so that is the recipe's
        pooling = spec.arguments.get("pooling")
        if pooling != theirs.arguments.get("pooling"):
            new = ("pool.", *new)
        kept["arguments"] = {**theirs.arguments, "pooling": pooling}
    spec = spec.model_copy(update=kept)
    alone = spec.text is None and theirs.text is not None and theirs.text.projected
    same = (theirs.dimensions, theirs.head) == (spec.dimensions, spec.head)
    if alone or not same or spec.head != "learned":
        new = ("head.", *new)
    tensors = of_safetensors(content, str(path))
    with allowance(tensors):
        encoder = build(spec, seed)
    tensors = {name: value for name, value in tensors.items() if not name.startswith(new)}
    _take(encoder, tensors, str(path), new)
    return Start(encoder, spec, "own")


def _of_others(spec: EncoderSpec, theirs: Foreign, seed: int) -> Start:
    """SPEC on the network of another library, THEIRS."""
    backbone, text = theirs.backbone, theirs.text
    spec = spec.model_copy(update={"backbone": backbone, "arguments": {}})
    if text is not None:
        _must_be(spec, text.dimensions)
        spec = spec.model_copy(update={"text": text.spec})
    with allowance(theirs.all_tensors):
        encoder = build(spec, seed)
    if not isinstance(encoder, PretrainedEncoder):
        raise ValueError(f"{spec.network} is not built on a backbone.")
    source = f"{backbone.source}/{backbone.name}"
    _take(encoder.backbone, theirs.tensors, source)
    if text is not None and encoder.text is not None:
        _take(encoder.head, text.head, source)
        _take(encoder.text, text.tensors, source)
    _try(encoder, spec)
    return Start(encoder, spec, theirs.licence)


def _must_be(spec: EncoderSpec, dimensions: int) -> None:
    """Return if SPEC has the DIMENSIONS in which the two towers of its weights meet."""
    if spec.dimensions != dimensions:
        raise ValueError(
            f"text: pretrained keeps the space in which pictures and words meet, which has "
            f"{dimensions} dimensions, not {spec.dimensions}: set dimensions: {dimensions}."
        )


def _try(encoder: Encoder, spec: EncoderSpec) -> None:
    """Return if ENCODER takes pictures of the size of SPEC's transform: many know but one."""
    size = spec.transform.size
    try:
        with torch.inference_mode():
            encoder.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"The pretrained network does not take pictures of {size} x {size} pixels ({error}): "
            "say `size` in the recipe's `train`, 224 for most."
        ) from error
    encoder.train()


def _take(
    network: torch.nn.Module, tensors: Mapping[str, Any], source: str, new: tuple[str, ...] = ()
) -> None:
    """Put TENSORS into NETWORK: all that it has but the names that begin with one of NEW.

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
