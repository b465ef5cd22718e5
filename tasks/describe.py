"""What an extraction worker does with a part of a shard: read, check, decode, encode, keep.

A picture that cannot be decoded, breaks the network or comes out as no number is a bad row; bytes
that are not what their digest says, or an encoder that does not see the canary set as it should,
are errors, for then nothing that follows can be trusted.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from data import memory
from data.descriptors import DescriptorCache, descriptor_schema
from data.manifest import shard_name
from data.shards import CorruptShard
from data.store import Store
from models.learned_codes import LearnedCodes
from models.pixels import DECODER, BadImage
from models.spec import Precision
from models.weights import Embedder
from tasks.pictures import Part

NETWORK_FAILED: Final = "network failed"
NOT_FINITE: Final = "not finite"
DECODER_FAILED: Final = "decoder failed"

GAP_BYTES: Final = 2**20
"""Bytes between two pictures that are cheaper read over than asked for apart."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Described:
    """What became of a part: how many pictures were described, and why the others were not."""

    embedded: int
    bad: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return self.embedded + len(self.bad)


@dataclass(frozen=True)
class Describer:
    """Turns parts of shards into parts of the descriptor cache, with an encoder that it keeps.

    Args:
        store: where the shards are and the cache is.
        embedder: the encoder; it has proved itself.
        batch: pictures a forward pass.
        decode_threads: threads that decode ahead of the encoder; 0: decode in between.
        codes: what the encoder has learned to store of single pictures, which it need not see.
    """

    store: Store
    embedder: Embedder
    batch: int
    decode_threads: int
    codes: LearnedCodes | None = None

    def __call__(self, part: Part) -> Described:
        """Describe PART and keep the descriptors, bad pictures with their reasons.

        Raises:
            CorruptShard: the shard does not hold the bytes that the manifest names.
            CanaryMismatch: the network failed on a picture, and fails the canary set too.
        """
        contents = list(_contents(self.store, part))
        reasons = [""] * len(part)
        vectors = np.zeros((len(part), self.embedder.width), self._dtype)
        seen = list(range(len(part)))
        if self.codes is not None:
            vectors = self.codes.over(part.digests, vectors)
            seen = np.flatnonzero(~self.codes.known(part.digests)).tolist()
        batch: dict[int, torch.Tensor] = {}
        for i, pixels in zip(seen, self._decoded([contents[i] for i in seen]), strict=True):
            if isinstance(pixels, str):
                reasons[i] = pixels
            else:
                batch[i] = pixels
            if len(batch) == self.batch:
                self._encode(batch, vectors, reasons)
                batch = {}
        if batch:
            self._encode(batch, vectors, reasons)
        DescriptorCache(self.store, self.embedder.digest).write(
            part.descriptors, _rows(part.digests, vectors, reasons, self.embedder)
        )
        bad = tuple((d, r) for d, r in zip(part.digests, reasons, strict=True) if r)
        return Described(len(part) - len(bad), bad)

    @property
    def _dtype(self) -> Any:
        return self.embedder.value_type.to_pandas_dtype()

    def _decoded(self, contents: Sequence[bytes]) -> Iterator[torch.Tensor | str]:
        """The pixels of each picture, or why there are none; at most two batches decoded ahead."""
        if not self.decode_threads:
            yield from map(self._pixels, contents)
            return
        ahead: deque[Future[torch.Tensor | str]] = deque()
        with ThreadPoolExecutor(
            self.decode_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            for content in contents:
                ahead.append(pool.submit(self._pixels, content))
                if len(ahead) > 2 * self.batch:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _pixels(self, content: bytes) -> torch.Tensor | str:
        """The pixels (3, S, S) of a picture, or why there are none."""
        try:
            return self.embedder.pixels(content)
        except BadImage as error:
            return error.reason
        except MemoryError:
            raise
        except Exception:  # a decoder's own bug: this picture's loss, not the night's
            _log.warning("The decoder broke on a picture.", exc_info=True)
            return DECODER_FAILED

    def _encode(
        self, batch: dict[int, torch.Tensor], vectors: NDArray[Any], reasons: list[str]
    ) -> None:
        """Fill in the VECTORS of BATCH, the pixels by row, and the REASONS of those without one."""
        rows = np.fromiter(batch, np.int64)
        done = 0
        failed = False
        for features in bisected(self.embedder.features, list(batch.values())):
            if isinstance(features, Exception):
                _log.warning("The network failed on a picture.", exc_info=features)
                reasons[rows[done]] = NETWORK_FAILED
                done, failed = done + 1, True
                continue
            here = rows[done : done + len(features)]
            finite = torch.isfinite(features).all(dim=1)
            vectors[here[finite.numpy()]] = self.embedder.describe(features[finite])
            for row in here[~finite.numpy()]:
                reasons[row] = NOT_FINITE
            done += len(features)
        if failed:
            self.embedder.prove()  # if it fails these too, the picture is not to blame


def describer(
    store: Store,
    encoder: str,
    batch: int,
    device: str,
    precision: Precision,
    decode_threads: int,
) -> Describer:
    """A describer that has loaded ENCODER and has seen the canary set as the encoder's card says.

    Raises:
        CanaryMismatch: it has not: this machine would write descriptors of another space.
        FileNotFoundError: it has learned codes of single pictures, and they are gone.
        ValueError: they are not its own.
    """
    from tasks.encoders import learned_codes, load_encoder

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    memory.keep()
    embedder: Embedder = load_encoder(store, encoder, device, precision)
    embedder.prove()
    codes = learned_codes(store, encoder, embedder.spec)
    return Describer(store, embedder, batch, decode_threads, codes)


def bisected(
    features: Callable[[torch.Tensor], torch.Tensor], pixels: Sequence[torch.Tensor]
) -> Iterator[torch.Tensor | Exception]:
    """The FEATURES of runs of PIXELS, in order, and for each picture on which they fail, the error.

    A batch that fails is halved until it is one picture.
    """
    try:
        yield features(torch.stack(list(pixels)))  # (B, D)
    except Exception as error:
        if len(pixels) == 1:
            yield error
            return
        half = len(pixels) // 2
        yield from bisected(features, pixels[:half])
        yield from bisected(features, pixels[half:])


def _contents(store: Store, part: Part) -> Iterator[bytes]:
    """The bytes of each picture of PART, which are what their digests say."""
    name = shard_name(part.dataset, part.shard)
    ends = part.offsets + part.lengths
    cuts = np.flatnonzero(part.offsets[1:] - ends[:-1] > GAP_BYTES) + 1
    for first, last in pairwise([0, *cuts.tolist(), len(part)]):
        start = int(part.offsets[first])
        data = memoryview(store.read_range(name, start, int(ends[last - 1]) - start))
        for i in range(first, last):
            content = bytes(data[part.offsets[i] - start : ends[i] - start])
            if hashlib.sha256(content).hexdigest() != part.digests[i]:
                raise CorruptShard(
                    f"{store.uri(name)} does not hold {part.digests[i]} at offset "
                    f"{part.offsets[i]}: the bytes are damaged. Bring the shard back (nightjar "
                    "verify lists what is damaged, dvc pull restores what was pinned), then run "
                    "again."
                )
            yield content


def _rows(
    digests: Sequence[str], vectors: NDArray[Any], reasons: Sequence[str], embedder: Embedder
) -> pa.Table:
    """The rows of a cache's part, VECTORS (n, width) handed to Arrow as one buffer."""
    bad = np.fromiter(map(bool, reasons), np.bool_, len(reasons))
    schema = descriptor_schema(embedder.value_type, embedder.width)
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), type=schema.field("vector").type, mask=pa.array(bad)
    )
    decoders = [DECODER if reason else "" for reason in reasons]
    return pa.table([pa.array(digests), column, pa.array(reasons), decoders], schema=schema)
