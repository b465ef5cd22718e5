"""Train an encoder on a dataset version, once for a plan; killed, it goes on where it was.

Every night asks here whether its plan has been trained, and mostly it has: what computes, and torch
with it, is imported by the functions that train or load.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from data.lineage import code_revision, library_versions
from data.plan import digest_of
from data.store import Store
from models.origin import origin_digest
from tasks.cluster import ClusterPlan, connect
from tasks.encoders import (
    card_of,
    keep_encoder,
    kept_encoders,
    load_encoder,
    the_encoder,
    weights_name,
)
from tasks.searching.spaces import CARD
from tasks.training.plan import TrainPlan

if TYPE_CHECKING:
    import torch

    from tasks.training.course import Course, Progress

__all__ = ["TrainPlan", "keep_encoder", "kept_encoders", "load_encoder", "train", "trained"]


def train(
    store: Store,
    dataset: str,
    version: int,
    plan: TrainPlan,
    cluster: ClusterPlan | None = None,
    progress: "Progress | None" = None,
    *,
    again: bool = False,
) -> str:
    """The digest of the encoder that PLAN makes of DATASET at VERSION.

    Where the plan has been trained on the dataset, at whatever version, that encoder is it, unless
    the file or folder that its weights were taken from holds others by now. What is killed goes on
    with the last whole epoch and ends, on a CPU, with the same bits.

    Args:
        store: holds the dataset, takes the encoder.
        dataset: its name.
        version: of its manifest.
        plan: what to train.
        cluster: where Ray Train's workers run, if the plan asks for some.
        progress: told how far it is; not of what Ray Train's workers do.
        again: train although there is an encoder; it takes the other's place.

    Raises:
        ValueError: the dataset lacks what the supervision needs, or its splits; or what a killed
            training left cannot be gone on from.
        FloatingPointError: the training diverged.
    """
    known = trained(store, dataset, plan)
    if known is not None and not again:
        return known
    if plan.learned_bits:
        whole = train(store, dataset, version, plan.whole, cluster, progress, again=again)
        return _shortened(store, dataset, version, plan, whole)
    if plan.workers:
        return _on_ray(store, dataset, version, plan, cluster or ClusterPlan())
    from tasks.training.course import run

    course = run(store, dataset, version, plan, _device(plan), progress or _silent)
    return _publish(store, dataset, version, plan, course)


def trained(store: Store, dataset: str, plan: TrainPlan) -> str | None:
    """The digest of the encoder that PLAN made of DATASET; None if it has not been trained.

    Where what says so is damaged, nothing does: trained again, the plan makes the same encoder. One
    that began with other weights than `pretrained` holds now is not it; where that holds none any
    more, it is.
    """
    now = origin_digest(plan.pretrained)
    for name in _plan_names(dataset, plan, now):
        digest, began = _remembered(store, name)
        if digest and (not now or began in ("", now)) and store.exists(weights_name(digest)):
            return digest
    return None


def _publish(store: Store, dataset: str, version: int, plan: TrainPlan, course: "Course") -> str:
    """Put the encoder of COURSE into the store, and under the plan that made it; its digest."""
    from models import canary, weights
    from models.learned_codes import digest_of as codes_digest
    from tasks.training.course import checkpoint_folder
    from tasks.training.events import EVENTS, events_of

    codes, spec = b"", course.began.spec
    if course.codes is not None:
        codes = course.codes.written()
        spec = spec.model_copy(update={"codes": codes_digest(codes)})
    content = weights.save(course.began.encoder, spec)
    ended = datetime.now(UTC)
    card = {
        "supervision": plan.supervision.value,
        "dataset": dataset,
        "dataset_version": version,
        "split": course.split,
        "images": course.images,
        "held_out": course.held,
        "bad": course.bad,
        "classes": course.classes,
        "plan": plan.model_dump(mode="json"),
        "seed": plan.seed,
        "licence": plan.licence or course.began.licence,
        "origin": course.began.origin,
        "loss": course.loss,
        "curves": course.curves,
        "epoch": course.epoch,
        "seconds": round(course.seconds, 3),
        "stopped_early": course.stopped,
        "code": code_revision(),
        "libraries": library_versions(),
        "canary": canary.reference(weights.load(content)),
        "created": ended.isoformat(timespec="seconds"),
    }
    if plan.compatible_with:
        card[CARD] = the_encoder(store, plan.compatible_with)
    if course.codes is not None:
        card["codes"] = len(course.codes)
    if course.loss:
        events = events_of(course.curves, ended, course.seconds)
        store.write(f"encoders/{weights.digest_of(content)}/{EVENTS}", events)
    digest = keep_encoder(store, content, card, codes)
    _remember(store, dataset, plan, digest, course.began.origin)
    store.delete(checkpoint_folder(dataset, version, plan, course.began.origin))
    return digest


def _shortened(store: Store, dataset: str, version: int, plan: TrainPlan, whole: str) -> str:
    """The digest of the encoder that makes the bits of WHOLE that PLAN keeps, put into STORE."""
    from models import canary, weights
    from tasks.training.shorten import shorten

    encoder, spec = weights.restored(store.read(weights_name(whole)))
    short = shorten(store, dataset, version, plan, encoder.eval(), spec, _device(plan))
    content = weights.save(short.encoder, short.spec)
    card = card_of(store, whole)
    card |= {
        "encoder": weights.digest_of(content),
        "plan": plan.model_dump(mode="json"),
        "shortened": {
            "from": whole,
            "pictures": short.pictures,
            "order": short.order,
            "worth": short.worth,
        },
        "code": code_revision(),
        "libraries": library_versions(),
        "canary": canary.reference(weights.load(content)),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    digest = keep_encoder(store, content, card)
    _remember(store, dataset, plan, digest, card.get("origin", ""))
    return digest


def _on_ray(store: Store, dataset: str, version: int, plan: TrainPlan, cluster: ClusterPlan) -> str:
    """Train with the plan's workers, Ray Train's, which average their gradients at every step."""
    connect(cluster)
    from pyarrow.fs import FSSpecHandler, PyFileSystem
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from tasks.training.course import checkpoint_folder

    folder = checkpoint_folder(dataset, version, plan)
    gpu = _device(plan).type == "cuda"
    resources = {"CPU": cluster.cpus} | ({"GPU": max(1.0, cluster.gpus)} if gpu else {})
    trainer = TorchTrainer(
        _worker,
        train_loop_config={
            "root": store.root,
            "dataset": dataset,
            "version": version,
            "plan": plan.model_dump_json(),
        },
        scaling_config=ScalingConfig(
            num_workers=plan.workers, use_gpu=gpu, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=store.uri(folder).partition("://")[2] or store.uri(folder),
            storage_filesystem=PyFileSystem(FSSpecHandler(store.fs)),
            failure_config=FailureConfig(max_failures=cluster.restarts),
        ),
    )
    trainer.fit()
    digest = trained(store, dataset, plan)
    if digest is None:
        raise RuntimeError(f"Ray Train ended without an encoder of {dataset} version {version}.")
    store.delete(folder)
    return digest


def _worker(told: dict[str, Any]) -> None:
    """What each of Ray Train's workers does; the first of them keeps checkpoints and encoder."""
    from ray import train as ray_train
    from ray.train.torch import get_device

    from tasks.training.course import run
    from tasks.training.group import Group
    from tasks.training.training_set import Share

    context = ray_train.get_context()
    group = Group(Share(context.get_world_rank(), context.get_world_size()))
    store, plan = Store(told["root"]), TrainPlan.model_validate_json(told["plan"])
    course = run(store, told["dataset"], told["version"], plan, get_device(), _silent, group)
    if group.share.rank == 0:
        _publish(store, told["dataset"], told["version"], plan, course)
    ray_train.report({"loss": course.loss[-1] if course.loss else 0.0})


def _device(plan: TrainPlan) -> "torch.device":
    """Where PLAN trains."""
    import torch

    if plan.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(plan.device)


def _remember(store: Store, dataset: str, plan: TrainPlan, digest: str, origin: str) -> None:
    """Say in STORE that PLAN made the encoder DIGEST of DATASET, from weights of ORIGIN."""
    said = {"encoder": digest, "dataset": dataset, "origin": origin}
    for name in _plan_names(dataset, plan, origin):
        store.write(name, _json(said))


def _remembered(store: Store, name: str) -> tuple[str, str]:
    """The encoder and the origin that NAME says in STORE; nothing where it says none."""
    if not store.exists(name):
        return "", ""
    try:
        said = json.loads(store.read(name))
        return str(said["encoder"]), str(said.get("origin", ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""


def _plan_names(dataset: str, plan: TrainPlan, origin: str) -> list[str]:
    """Where the store says which encoder PLAN made of DATASET, first where it says the most.

    By the bytes of the weights that it began with, of ORIGIN, wherever they lay; and by their
    place, for the day on which they lie there no more.
    """
    by_place = digest_of([plan.purpose, dataset])
    moved = plan.model_copy(update={"pretrained": origin})
    by_bytes = digest_of([moved.purpose, dataset])
    digests = [by_bytes, by_place] if origin else [by_place]
    return [f"encoders/plans/{digest}.json" for digest in digests]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _silent(stage: str, done: int, total: int, note: str) -> None:
    """Tell nobody."""
