"""Encoders as their weights are drawn, put into a store."""

from data.store import Store
from models import canary
from models.spec import EncoderSpec
from models.weights import build, load, save
from tasks.training.train import keep_encoder


def kept(store: Store, spec: EncoderSpec, seed: int = 0) -> str:
    """An encoder of SPEC in STORE, with a card; its digest."""
    content = save(build(spec, seed), spec)
    reference = canary.reference(load(content))
    return keep_encoder(store, content, {"licence": "own", "seed": 0, "canary": reference})
