"""Stores prepared for a benchmark: pictures in shards, a manifest, an encoder of known cost."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from torch import nn

from data.store import Store
from flows.recipe import Recipe
from models.spec import EncoderSpec
from models.weights import build
from tasks.plan import candidates, plan
from tasks.register import register
from tasks.scan import scan
from tasks.shard import shard
from tasks.training.train import train

TRAIN: Final[dict[str, Any]] = {"epochs": 0, "size": 48, "width": 12, "dimensions": 128}
"""An encoder as it is drawn: 16.0 million multiplications a picture (`macs`), 128 numbers."""


@dataclass(frozen=True)
class Stock:
    """A store with a dataset version in shards, and an encoder for it."""

    store: Store
    recipe: Recipe
    version: int
    encoder: str


def recipe_of(path: Path, source: Path, **fields: Any) -> Recipe:
    """The recipe of a folder SOURCE with the benchmarks' encoder, kept as YAML at PATH."""
    said = {
        "name": path.stem,
        "source": {"dataset": "folder", "root": str(source)},
        "train": TRAIN,
        **fields,
    }
    path.write_text(yaml.safe_dump(said))
    return Recipe.named(str(path))


def stocked(store: Store, recipe: Recipe) -> Stock:
    """STORE with the source of RECIPE in shards and its encoder; nothing is embedded yet."""
    dataset = recipe.dataset
    with tempfile.TemporaryDirectory(prefix="nightjar-benchmark-") as folder:
        workspace = Path(folder)
        for wave in scan(recipe.source, recipe.scan, workspace):
            wanted = candidates(store, dataset, workspace, wave, recipe.scan)
            plans = (recipe.shard, recipe.cluster)
            shard(store, dataset, recipe.source, wanted, *plans, workspace)
        change = plan(store, dataset, workspace, recipe.scan)
        version = register(store, dataset, change, "benchmark", _nobody_else)
    encoder = train(store, dataset, version, recipe.train, recipe.cluster)
    return Stock(store, recipe, version, encoder)


def macs(spec: EncoderSpec) -> int:
    """Multiplications with addition that the encoder of SPEC needs for a picture."""
    network = build(spec).eval()
    counts: list[int] = []

    def count(module: nn.Module, _: Any, maps: torch.Tensor) -> None:
        places = maps[0, 0].numel() if isinstance(module, nn.Conv2d) else 1
        weight = module.weight
        counts.append(int(weight.numel()) * places if isinstance(weight, torch.Tensor) else 0)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    side = spec.transform.size
    with torch.inference_mode():
        network(torch.zeros(1, 3, side, side))
    return sum(counts)


_nobody_else: Callable[[], None] = lambda: None  # noqa: E731  (no lease where nobody else writes)
