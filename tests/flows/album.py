"""A folder of pictures and the nights that index it: what the tests of whole nights share."""

import hashlib
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from data.aliases import Alias, Pointer
from data.indexes import VECTOR, index_names, index_table, vectors_of
from data.lineage import Lineage, sealed_versions
from data.manifest import manifest
from data.store import Store
from flows.preview import preview
from flows.recipe import Recipe
from flows.reindex import reindex
from models.weights import Embedder
from tasks.balance import Ledger
from tasks.extract import Limits
from tasks.searching.search import Searcher, resolve
from tasks.training.train import load_encoder
from tasks.verify import Findings, verify

Array = np.ndarray[Any, np.dtype[Any]]

TRAIN: dict[str, Any] = {
    "supervision": "supervised",
    "dimensions": 16,
    "size": 32,
    "width": 8,
    "epochs": 0,
    "device": "cpu",
}
CHANGED = ("added", "changed", "moved", "duplicate", "touched", "relabelled", "removed")


def photo(seed: int, width: int = 48, height: int = 40) -> bytes:
    """A smooth picture that no other seed gives, as a JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def sha(content: bytes) -> str:
    """The digest by which an image of CONTENT goes."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Album:
    """Pictures in ``pictures/CLASS/NAME.jpg``, their recipe ``toy.yaml`` and its store.

    What it expects it reads from the folder itself, with nothing of the flow between.
    """

    folder: Path
    fields: dict[str, Any] = field(default_factory=dict)
    made: dict[tuple[str, str], Array] = field(default_factory=dict, repr=False)
    encoders: dict[str, Embedder] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> Path:
        return self.folder / "pictures"

    @property
    def store(self) -> Store:
        return Store(str(self.folder / "store"))

    @property
    def path(self) -> Path:
        """The recipe's file, as it stands after `fields`."""
        said = {
            "name": "toy",
            "source": {"dataset": "folder", "root": "pictures"},
            "train": TRAIN,
            "extract": {"device": "cpu"},
            "evaluate": {"queries": 20, "k": 10},
            "pin": False,
        } | self.fields
        path = self.folder / "toy.yaml"
        path.write_text(yaml.safe_dump(said))
        return path

    @property
    def recipe(self) -> Recipe:
        return Recipe.named(str(self.path))

    @property
    def production(self) -> Pointer:
        pointer = Alias(self.store, "toy").current()
        if pointer is None:
            raise AssertionError("nothing is in production")
        return pointer

    def put(self, key: str, content: bytes) -> Path:
        """Let the source hold CONTENT under KEY."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def move(self, old: str, new: str) -> None:
        """Rename a picture of the source; it keeps its time stamp."""
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def copy(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.root / old, self.root / new)

    def touch(self, key: str) -> None:
        """Give a picture another time stamp."""
        stamp = (self.root / key).stat().st_mtime_ns + 10**9
        os.utime(self.root / key, ns=(stamp, stamp))

    def names(self) -> list[str]:
        """The names of all files of the source, whatever is in them, sorted."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def night(self, *accept: str, **limits: Any) -> Ledger:
        return reindex(self.recipe, store=self.store, accept=accept, limits=Limits(**limits))

    def plan(self) -> dict[str, Any]:
        return preview(self.recipe, self.store)

    def rows(self, at: str | None = None) -> dict[str, tuple[str, tuple[str, ...], Array]]:
        """Digest, labels and vector of each row of an index version, by key; none comes twice."""
        table, version = resolve(self.store, "toy", at)
        found = index_table(self.store, table).open(version).to_table()
        keys = found["key"].to_pylist()
        if len(set(keys)) != len(keys):
            raise AssertionError(f"{len(keys)} rows have {len(set(keys))} keys")
        labels = [tuple(said) for said in found["labels"].to_pylist()]
        vectors = vectors_of(found[VECTOR])
        said = zip(found["digest"].to_pylist(), labels, vectors, strict=True)
        return dict(zip(keys, said, strict=True))

    def vector(self, content: bytes, encoder: str) -> Array:
        """CONTENT, freshly embedded by ENCODER."""
        name = (sha(content), encoder)
        if name not in self.made:
            if encoder not in self.encoders:
                self.encoders[encoder] = load_encoder(self.store, encoder)
            embedder = self.encoders[encoder]
            pixels = torch.stack([embedder.pixels(content)])
            self.made[name] = embedder.describe(embedder.features(pixels))[0]
        return self.made[name]

    def agrees(self, bad: tuple[str, ...] = (), at: str | None = None) -> None:
        """Hold the index to the folder: each good file's key, digest, label and fresh vector.

        Raises:
            AssertionError: it holds anything else.
        """
        rows, encoder = self.rows(at), self.lineage(at).encoder
        assert sorted(rows) == sorted(set(self.names()) - set(bad))
        for key, (digest, labels, vector) in rows.items():
            content = (self.root / key).read_bytes()
            assert digest == sha(content), key
            assert labels == tuple(Path(key).parts[:-1][:1]), key
            fresh = self.vector(content, encoder)
            if vector.dtype == np.uint8:
                assert np.array_equal(vector, fresh), key
            else:
                np.testing.assert_allclose(
                    vector.astype(np.float32), fresh, atol=2e-3 if vector.itemsize == 2 else 1e-5
                )

    def lineage(self, at: str | None = None) -> Lineage:
        place = resolve(self.store, "toy", at)
        return next(line for line in self.versions() if (line.table, line.version) == place)

    def versions(self) -> list[Lineage]:
        """All sealed versions of all of the recipe's tables."""
        return [
            line
            for name in index_names(self.store, "toy")
            for line in sealed_versions(index_table(self.store, name))
        ]

    def heads(self) -> dict[str, int]:
        """The newest Lance version of the manifest and of each index table."""
        tables = [index_table(self.store, name) for name in index_names(self.store, "toy")]
        tables.append(manifest(self.store, "toy"))
        return {table.name: table.open().version for table in tables if table.exists()}

    def search(self, content: bytes, k: int = 5, at: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            Searcher(self.store, *resolve(self.store, "toy", at)).search(content, k).to_pylist()
        )
        return found

    def verified(self, embed: int = 3) -> Findings:
        """What `verify` finds in production, some images embedded again."""
        return verify(self.store, "toy", resolve(self.store, "toy"), embed=embed)


def counts(ledger: Ledger) -> dict[str, int]:
    """The classes of change that are not empty."""
    return {name: getattr(ledger, name) for name in CHANGED if getattr(ledger, name)}


def balanced(ledger: Ledger) -> tuple[int, int, int, int]:
    """Indexed, unchanged, quarantined and deferred, which must add up to what is listed."""
    told = ledger.ledger
    parts = (told.indexed, told.unchanged, told.quarantined, told.deferred)
    assert told.ok
    assert sum(parts) == told.listed == ledger.listed
    return parts


Make = Callable[..., Album]
