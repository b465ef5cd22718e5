"""An exported encoder runs where Nightjar is not, and computes what the encoder computes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.store import Store
from data.taxonomy import DescriptorType
from models import canary, portable
from models.canary import CanaryMismatch
from models.extras import MissingExtra
from models.pixels import Transform
from models.portable import FORMATS, Outputs, Word
from models.spec import EncoderSpec
from models.weights import Embedder, build, load, save
from tasks.export import TOLERANCE, ExportDiffers, agreement, export
from tasks.training.train import load_encoder
from tests.tasks.kept import kept

SPEC = EncoderSpec(arguments={"width": 8}, dimensions=16, transform=Transform(size=16))
BITS = SPEC.model_copy(update={"descriptor": DescriptorType.BINARY})
HALF = SPEC.model_copy(update={"storage": "float16"})
ELSEWHERE = """
import json, sys, warnings
import numpy as np

class NoNightjar:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("data", "models", "tasks", "flows"):
            raise ImportError(name + " is not installed here")

sys.meta_path.insert(0, NoNightjar())
try:
    import models
except ImportError:
    pass
else:
    raise SystemExit("Nightjar is at hand")
warnings.simplefilter("ignore")
file, pictures, out = sys.argv[1:]
pictures = np.load(pictures)
if file.endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(file)
    said = session.get_modelmeta().custom_metadata_map["nightjar"]
    run = lambda some: session.run(["features", "descriptor"], {"images": some})
else:
    import torch
    extra = {"nightjar.json": ""}
    if file.endswith(".pt2"):
        module = torch.export.load(file, extra_files=extra).module()
    else:
        module = torch.jit.load(file, _extra_files=extra)
    said = extra["nightjar.json"]
    run = lambda some: [made.numpy() for made in module(torch.from_numpy(some))]
made = [run(pictures[:1]), run(pictures[1:6]), run(pictures[6:])]
features, rows = (np.concatenate(part) for part in zip(*made))
np.savez(out, features=features, rows=rows, encoder=json.loads(said)["encoder"])
"""
"""A program of another machine: it reads a file and runs it, at batches of 1, 5 and 3."""


def pictures(number: int) -> torch.Tensor:
    shape = (number, 3, SPEC.transform.size, SPEC.transform.size)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(
    ("to", "spec"),
    [("onnx", BITS), ("onnx", HALF), ("torchscript", BITS), ("torch-export", SPEC)],
)
def test_an_exported_file_computes_the_same_where_nightjar_is_not(
    to: Word, spec: EncoderSpec, store: Store, tmp_path: Path
) -> None:
    digest = kept(store, spec)
    file = tmp_path / f"out/encoder{FORMATS[to].suffix}"
    agreed = export(store, digest, to, file)
    assert agreed.pictures == 32
    assert 0 <= agreed.difference < TOLERANCE
    assert agreed.differing_bits == (0 if spec is BITS else None)
    assert [path.name for path in file.parent.iterdir()] == [file.name]

    np.save(tmp_path / "pictures.npy", pictures(9).numpy())
    files = [str(tmp_path / name) for name in ("pictures.npy", "made.npz")]
    words = [sys.executable, "-c", ELSEWHERE, str(file), *files]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=120)
    made = np.load(tmp_path / "made.npz")
    embedder = load_encoder(store, digest)
    wanted = embedder.features(pictures(9))
    assert str(made["encoder"]) == digest
    np.testing.assert_allclose(made["features"], wanted.numpy(), atol=1e-5)
    rows = embedder.describe(wanted)
    assert made["rows"].dtype == rows.dtype
    if spec is BITS:
        assert np.array_equal(made["rows"], np.packbits(made["features"] >= 0, axis=1))
    np.testing.assert_allclose(made["rows"], rows, atol=1e-3 if spec is HALF else 1e-5)


def test_a_file_says_what_goes_in_and_what_comes_out(store: Store, tmp_path: Path) -> None:
    digest, file = kept(store, BITS), tmp_path / "encoder.pt"
    export(store, digest, "torchscript", file)
    said = json.loads(FORMATS["torchscript"].read(file)[1])
    assert said["encoder"] == digest
    assert EncoderSpec.model_validate(said["spec"]) == BITS
    assert said["input"]["shape"] == ["batch", 3, 16, 16]
    assert said["transform"]["fit"] == "squash"
    assert said["outputs"]["descriptor"]["shape"] == ["batch", 2]
    assert said["outputs"]["descriptor"]["dtype"] == "uint8"
    assert said["card"] == {"licence": "own"}


def test_numbers_are_exported_and_the_file_says_of_which_an_index_has_codes(
    store: Store, tmp_path: Path
) -> None:
    codes = EncoderSpec.model_validate(SPEC.model_dump() | {"storage": "pq", "pq_parts": 4})
    digest, file = kept(store, codes), tmp_path / "encoder.pt"
    agreed = export(store, digest, "torchscript", file)
    assert agreed.differing_bits is None
    run, kept_words = FORMATS["torchscript"].read(file)
    said = json.loads(kept_words)
    assert EncoderSpec.model_validate(said["spec"]) == codes
    descriptor = said["outputs"]["descriptor"]
    assert (descriptor["shape"], descriptor["dtype"]) == (["batch", 16], "float32")
    assert "an index row stores, of each of 4 parts" in descriptor["means"]
    features, rows = run(pictures(3))
    np.testing.assert_allclose(rows.numpy(), features.numpy(), atol=1e-6)


@pytest.mark.parametrize("to", ["onnx", "torch-export"])
def test_a_file_of_a_fixed_batch_takes_no_other(to: Word, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "encoder"
    export(store, kept(store, SPEC), to, file, batch=3)
    run, said = FORMATS[to].read(file)
    assert json.loads(said)["input"]["shape"] == [3, 3, 16, 16]
    assert run(pictures(3))[0].shape == (3, 16)
    with pytest.raises(Exception, match=r"(?i)dimension|size|shape"):
        run(pictures(4))


def test_a_file_that_differs_is_refused_and_takes_no_other_s_place(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "encoder.pt"
    file.write_bytes(b"an older export")
    honest = FORMATS["torchscript"]

    def lying(path: Path) -> tuple[portable.Run, str]:
        run, said = honest.read(path)
        return lambda images: (run(images)[0] + 1e-3, run(images)[1]), said

    monkeypatch.setitem(FORMATS, "torchscript", replace(honest, read=lying))
    with pytest.raises(ExportDiffers, match=r"features differ .* by up to 1\.0e-03"):
        export(store, kept(store, SPEC), "torchscript", file)
    assert file.read_bytes() == b"an older export"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.pt", "store"]


@pytest.fixture(scope="module")
def coder() -> Embedder:
    """A binary encoder whose every feature of a picture is 0.25, but for one that is nearly 0."""
    embedder = load(save(build(BITS), BITS))
    row = torch.full((16,), 0.25)
    row[3] = TOLERANCE / 4

    def features(images: torch.Tensor) -> torch.Tensor:
        return row.expand(len(images), 16).clone()

    embedder.features = features  # type: ignore[method-assign, assignment]
    return embedder


def flipping(embedder: Embedder, bit: int, feature: float) -> portable.Run:
    """What EMBEDDER computes, with FEATURE at place BIT."""

    def run(images: torch.Tensor) -> Outputs:
        features = embedder.features(images)
        features[:, bit] = feature
        return features, embedder.descriptor.stored(features)

    return run


def test_a_bit_may_differ_only_where_its_feature_is_nearly_zero(coder: Embedder) -> None:
    assert agreement(coder, flipping(coder, 0, 0.25), (1, 5)).differing_bits == 0
    near = agreement(coder, flipping(coder, 3, -TOLERANCE / 4), (5,))
    assert near.differing_bits == near.pictures == 32
    assert near.difference == pytest.approx(TOLERANCE / 2)

    def wrong_bit(images: torch.Tensor) -> Outputs:
        features, rows = flipping(coder, 0, 0.25)(images)
        return features, rows ^ 0b100  # the sixth and the fourteenth

    with pytest.raises(ExportDiffers, match="64 of 512 bits"):
        agreement(coder, wrong_bit, (5,))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda features, rows: (features * float("nan"), rows), "by up to inf"),
        (lambda features, rows: (features[:, :8], rows), r"\(32, 8\) float32"),
        (lambda features, rows: (features, rows.int()), "int32"),
        (lambda features, rows: (features.double(), rows), "float64"),
    ],
)
def test_what_is_no_number_or_of_another_kind_differs(
    coder: Embedder, change: Any, says: str
) -> None:
    honest = flipping(coder, 0, 0.25)
    with pytest.raises(ExportDiffers, match=says):
        agreement(coder, lambda images: change(*honest(images)), (5,))


def test_the_picture_on_which_a_file_differs_may_be_any(coder: Embedder) -> None:
    seen: list[torch.Tensor] = []

    def run(images: torch.Tensor) -> Outputs:
        seen.append(images)
        return flipping(coder, 0, 0.25)(images)

    agreement(coder, run, (1, 5))
    assert [len(images) for images in seen] == [1] * 32 + [5] * 7
    wanted = torch.cat([canary.images(coder), torch.cat(seen[16:32])])
    assert torch.equal(torch.cat(seen[:32]), wanted)
    assert torch.equal(torch.cat(seen[32:])[:32], wanted)


def test_without_the_extra_the_error_says_how_to_get_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"onnxscript.* pip install 'nightjar\[export\]'"):
        export(store, kept(store, SPEC), "onnx", tmp_path / "encoder.onnx")


def test_weights_that_fit_no_onnx_file_are_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "ONNX_LIMIT", 1000)
    with pytest.raises(ValueError, match="export to torch-export"):
        export(store, kept(store, SPEC), "onnx", tmp_path / "encoder.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_encoder_that_does_not_see_what_its_card_says_is_not_exported(
    store: Store, tmp_path: Path
) -> None:
    digest, other = kept(store, SPEC), kept(store, SPEC, seed=1)
    card = json.loads(store.read(f"encoders/{other}/card.json")) | {"encoder": digest}
    store.write(f"encoders/{digest}/card.json", json.dumps(card).encode())
    with pytest.raises(CanaryMismatch):
        export(store, digest, "torchscript", tmp_path / "encoder.pt")
