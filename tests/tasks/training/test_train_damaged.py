"""A training that cannot end well says so: nothing damaged is believed, nothing useless kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data.store import Store
from tasks.training import train
from tasks.training.course import checkpoint_folder
from tasks.training.train import kept_encoders, load_encoder
from tests.tasks.training.courses import BAD, Draw, fill, plan

SMALL: dict[str, Any] = {"width": 4, "size": 16, "dimensions": 8, "batch": 8}


class Killed(Exception):
    """The end of a training, in the midst of it."""


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def renamed(path: Path) -> None:
    """As another release would have kept it, by whose names this one knows nothing."""
    state = torch.load(path, weights_only=True)
    state["encoder"] = {f"a.{name}": value for name, value in state["encoder"].items()}
    torch.save(state, path)


def shorn(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state["more"]["stopped"]
    torch.save(state, path)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("*/whole.pt", cut),
        ("*/whole.pt", Path.unlink),
        ("*/whole.pt", renamed),
        ("*/whole.pt", shorn),
        ("*/worker0.pt", cut),
        ("*/worker0.pt", lambda path: path.write_bytes(b"")),
        ("state.json", cut),
        ("state.json", lambda path: path.write_text("[]")),
    ],
)
def test_a_state_that_cannot_be_gone_on_from_is_named(
    store: Store, version: int, file: str, damage: Callable[[Path], Any]
) -> None:
    def kill(stage: str, done: int, total: int, note: str) -> None:
        if stage == "train" and done == total // 2:
            raise Killed

    wanted = plan(**SMALL, keep=0)
    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)
    folder = Path(store.uri(checkpoint_folder("toy", version, wanted)))
    (found,) = folder.glob(file)
    damage(found)
    with pytest.raises(ValueError, match="damaged, or another release") as caught:
        train.train(store, "toy", version, wanted)
    assert f"{folder} is" in str(caught.value)
    assert "Delete that folder" in str(caught.value)
    assert kept_encoders(store) == []
    store.delete(checkpoint_folder("toy", version, wanted))
    assert len(train.train(store, "toy", version, wanted)) == 64


@pytest.mark.parametrize("said", [b"", b'{"enc', b"[]", b"null", b"{}", b'{"encoder": 3}'])
def test_a_plan_whose_encoder_is_not_named_is_trained_again(
    store: Store, version: int, said: bytes
) -> None:
    wanted = plan(**SMALL, epochs=1)
    digest = train.train(store, "toy", version, wanted)
    (name,) = store.names("encoders/plans")
    store.write(f"encoders/plans/{name}", said)
    assert train.trained(store, "toy", wanted) is None
    assert train.train(store, "toy", version, wanted) == digest
    assert json.loads(store.read(f"encoders/plans/{name}"))["encoder"] == digest


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_an_encoder_that_diverged_by_its_last_step_is_not_kept(
    store: Store, version: int, optimiser: str, descriptor: str
) -> None:
    """The loss is that before the step, and a finite number."""
    once = SMALL | {"batch": 64, "epochs": 1, "descriptor": descriptor}
    wanted = plan(**once, lr=1e20, optimiser=optimiser)
    with pytest.raises(FloatingPointError, match=r"of 16 canary pictures.*smaller lr"):
        train.train(store, "toy", version, wanted)
    assert kept_encoders(store) == []
    assert train.trained(store, "toy", wanted) is None


def test_damaged_weights_to_begin_with_make_no_encoder(
    store: Store, version: int, tmp_path: Path
) -> None:
    from models import weights

    honest = plan(**SMALL, epochs=0)
    encoder = weights.build(honest.spec())
    with torch.no_grad():
        next(encoder.parameters()).view(-1)[0] = torch.nan
    file = tmp_path / "encoder.safetensors"
    file.write_bytes(weights.save(encoder, honest.spec()))
    with pytest.raises(FloatingPointError, match="other pretrained weights"):
        train.train(store, "toy", version, plan(**SMALL, epochs=0, pretrained=str(file)))
    assert kept_encoders(store) == []


def test_a_single_picture_that_can_be_decoded_is_too_few_to_learn_from(
    store: Store, draw: Draw
) -> None:
    contents = [draw(0), *(BAD + bytes([number]) for number in range(3))]
    version = fill(store, contents, [["a"], ["b"], ["a"], ["b"]])
    wanted = plan(**SMALL, supervision="supervised")
    with pytest.raises(ValueError, match=r"single picture to learn from.*epochs: 0"):
        train.train(store, "toy", version, wanted)
    untaught = wanted.model_copy(update={"epochs": 0})
    load_encoder(store, train.train(store, "toy", version, untaught)).prove()
