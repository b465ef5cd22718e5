"""Encoders as files that other programs run without Nightjar: ONNX, TorchScript, torch.export.

The three compute the same: the square of pixels that the transform makes comes in, features and
what an index row stores of them come out. Decoding and resizing stay outside, as `Transform` says.
"""

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from models.extras import library
from models.header import HEADER_KEY
from models.weights import Embedder

Word = Literal["onnx", "torchscript", "torch-export"]
Outputs = tuple[torch.Tensor, torch.Tensor]
Run = Callable[[torch.Tensor], Outputs]

INPUT: Final = "images"
OUTPUTS: Final = ("features", "descriptor")
MEMBER: Final = f"{HEADER_KEY}.json"
"""Where torch's two formats keep what is said of the encoder."""

PACKING: Final = (
    "what an index row stores: a feature of 0 or more is a 1, eight bits a byte, the first feature "
    "in the highest bit"
)
DRAWN: Final = (
    "resized to twice the size and drawn: the lightness (0.299, 0.587, 0.114) blurred by Gaussians "
    "of 1 and 1.6 pixels, their difference d as -tanh(25 min(d + 0.005, 0)) of ink on white, and "
    "the mean of each 2 by 2 pixels"
)
"""What `models.edges.halved` does, for who does it elsewhere."""
WORDS: Final = (
    "how long a slot is, then slots: a visual word, and its bits, sixteen a value, the first in "
    "the highest bit; 65535 fills what is left over"
)
TOLD: Final = ("licence", "supervision", "dataset", "dataset_version", "code", "created")
"""What a file tells of the encoder's card."""

CODES: Final = (
    "unit length; an index row stores, of each of {parts} parts of it one after another, the "
    "number of the nearest of 256 words, a byte: the encoder's own file has them, this one has "
    "not. Queries are these numbers, and never codes"
)
MEANS: Final = {"cosine": "what an index row stores", "hamming": PACKING, "asmk": WORDS}
"""What a row is, by the metric of its index."""

EXAMPLE: Final = 2
"""Pictures that an exporter is shown where the batch is any number: of one it would learn one."""

ONNX_LIMIT: Final = 2**31 - 2**20
"""Bytes of weights that fit one ONNX file: a protocol buffer ends at 2 GiB."""


class Portable(nn.Module):
    """Images (B, 3, S, S) uint8 -> features (B, D) float32, descriptor (B, width) as stored.

    Args:
        embedder: whose encoder it is a copy of, for the CPU, at float32, with no gradient.
    """

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        encoder = copy.deepcopy(embedder.encoder).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        encoder.text = encoder.quantiser = None
        self.encoder = encoder.eval().requires_grad_(False)
        self._stored = embedder.descriptor.stored
        self.size = embedder.spec.transform.size

    def forward(self, images: torch.Tensor) -> Outputs:
        """The features and the rows of IMAGES (B, 3, S, S) uint8, RGB."""
        features = self.encoder(images.float() / 255)
        return features, self._stored(features)

    def example(self, batch: int) -> torch.Tensor:
        """Images of the shape that it takes, (BATCH, 3, S, S) uint8."""
        return torch.zeros(batch, 3, self.size, self.size, dtype=torch.uint8)


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
        suffix: of its files.
        needs: packages of the extra ``export``.
        write: puts a module with what is said of it into a file; the batch is a number or None for
            any number.
        read: what a file computes, and what is said of it.
    """

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[Portable, Path, str, int | None], None]
    read: Callable[[Path], tuple[Run, str]]


def said_of(embedder: Embedder, batch: int | None) -> dict[str, Any]:
    """What a file says of EMBEDDER and of how it is used; BATCH is None for any number."""
    spec, binary = embedder.spec, embedder.metric == "hamming"
    size, images = spec.transform.size, batch or "batch"
    return {
        "encoder": embedder.digest,
        "spec": spec.model_dump(mode="json", exclude={"text"}),
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": [images, 3, size, size],
            "range": [0, 255],
            "channels": "RGB",
        },
        "transform": {
            **spec.transform.model_dump(mode="json"),
            "resize": "bilinear, antialiased, uint8",
            "before": "turned upright as EXIF says; transparent parts on white",
            **({"after": DRAWN} if spec.transform.see == "edges" else {}),
        },
        "outputs": {
            "features": {
                "dtype": "float32",
                "shape": [images, spec.dimensions],
                "means": "unit length; their signs are the bits" if binary else "unit length",
            },
            "descriptor": {
                "dtype": np.dtype(embedder.value_type.to_pandas_dtype()).name,
                "shape": [images, embedder.width],
                "metric": embedder.metric,
                "means": CODES.format(parts=spec.pq_parts)
                if spec.pq_parts
                else MEANS[embedder.metric],
            },
        },
        "card": {name: embedder.card[name] for name in TOLD if name in embedder.card},
    }


def _write_onnx(portable: Portable, path: Path, said: str, batch: int | None) -> None:
    """Write PORTABLE to PATH as one ONNX file, by way of torch.export."""
    for name in FORMATS["onnx"].needs:
        library(name, "An export to ONNX", "export")
    weights = sum(value.nbytes for value in portable.state_dict().values())
    if weights > ONNX_LIMIT:
        raise ValueError(
            f"An ONNX file holds no more than 2 GiB, and these weights are {weights:,} bytes: "
            "export to torch-export."
        )
    with _quiet():
        exported = torch.onnx.export(
            portable,
            (portable.example(batch or EXAMPLE),),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=_shapes(batch),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        program = cast(torch.onnx.ONNXProgram, exported)
        program.model.metadata_props[HEADER_KEY] = said
        program.save(path, external_data=False)


def _read_onnx(path: Path) -> tuple[Run, str]:
    """What onnxruntime makes of PATH, on the CPU."""
    runtime = library("onnxruntime", "To check an ONNX file", "export")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: torch.Tensor) -> Outputs:
        features, rows = session.run(list(OUTPUTS), {INPUT: images.numpy()})
        return torch.from_numpy(features), torch.from_numpy(rows)

    return run, str(session.get_modelmeta().custom_metadata_map[HEADER_KEY])


def _write_torchscript(portable: Portable, path: Path, said: str, batch: int | None) -> None:
    """Write PORTABLE to PATH as traced TorchScript, which takes any batch whatever BATCH says."""
    with _quiet(), torch.no_grad():
        example = portable.example(batch or EXAMPLE)
        traced = torch.jit.trace(portable, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(path), _extra_files={MEMBER: said.encode()})


def _read_torchscript(path: Path) -> tuple[Run, str]:
    """What torch makes of the TorchScript in PATH."""
    said = {MEMBER: ""}
    with _quiet():
        run = torch.jit.load(str(path), _extra_files=said)  # type: ignore[no-untyped-call]
    return _without_gradient(run), _text(said[MEMBER])


def _write_torch_export(portable: Portable, path: Path, said: str, batch: int | None) -> None:
    """Write PORTABLE to PATH as an exported program."""
    with _quiet():
        example = (portable.example(batch or EXAMPLE),)
        program = torch.export.export(portable, example, dynamic_shapes=_shapes(batch))
        torch.export.save(program, path, extra_files={MEMBER: said})


def _read_torch_export(path: Path) -> tuple[Run, str]:
    """What torch makes of the exported program in PATH."""
    said = {MEMBER: ""}
    with _quiet():
        run = torch.export.load(path, extra_files=said).module()
    return _without_gradient(run), _text(said[MEMBER])


FORMATS: Final[Mapping[Word, Format]] = {
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "torchscript": Format(".pt", (), _write_torchscript, _read_torchscript),
    "torch-export": Format(".pt2", (), _write_torch_export, _read_torch_export),
}


def _shapes(batch: int | None) -> dict[str, dict[int, Any]] | None:
    """What torch.export is told of the input: the batch is any number, where BATCH is None."""
    return None if batch else {INPUT: {0: Dim("batch", min=1)}}


def _without_gradient(module: Callable[[torch.Tensor], Any]) -> Run:
    """MODULE, run without keeping what a gradient would need."""

    def run(images: torch.Tensor) -> Outputs:
        with torch.inference_mode():
            features, rows = module(images)
        return features, rows

    return run


def _text(said: str | bytes) -> str:
    return said.decode() if isinstance(said, bytes) else said


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporters say of themselves: deprecations, operators that are not there.

    Nor what tracing warns of, numbers that it takes for constants: whether they are is shown by
    running the file.
    """
    told = logging.getLogger("torch.onnx")
    level = told.level
    told.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        told.setLevel(level)
