"""What is pinned comes back byte for byte, by our own hand and by the real `dvc` command."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import fsspec
import lance
import numpy as np
import pyarrow as pa
import pytest
import yaml

from data.pins import files_of, object_name, pin_of, pinned
from data.shards import pack
from data.store import Store
from data.tables import Table
from tasks.pin import pin, restore

ROWS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("digest", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("state", pa.string()),
    ]
)
NIGHT = Callable[[str, list[int], int], int]


@pytest.fixture
def night(store: Store, draw: Callable[..., bytes]) -> NIGHT:
    """The nights of a store in a folder."""
    return _nights(store, draw)


def _nights(store: Store, draw: Callable[..., bytes]) -> NIGHT:
    """Writes a shard of pictures and one commit that drops DOOMED rows; its version."""
    table = Table(store, "manifests/places.lance", ROWS)

    def make(shard: str, seeds: list[int], doomed: int = 0) -> int:
        pictures = {sha256(draw(seed)).hexdigest(): draw(seed) for seed in seeds}
        out = io.BytesIO()
        pack(((f"{digest}.jpg", content) for digest, content in pictures.items()), out)
        store.write(f"shards/places/{shard}.tar", out.getvalue())
        rows = pa.table(
            {
                "key": [f"{seed}.jpg" for seed in seeds],
                "digest": list(pictures),
                "shard": [shard] * len(seeds),
                "state": ["live"] * len(seeds),
            },
            schema=ROWS,
        )
        gone = np.arange(doomed, dtype=np.uint64)
        return int(table.commit(table.latest(), table.stage(rows), gone, {"run": shard}).version)

    return make


def test_a_version_comes_back_as_a_store_of_its_own(
    store: Store, night: NIGHT, tmp_path: Path
) -> None:
    first = night("a", [1, 2, 3], 0)
    pin(store, "places", first)
    second = night("b", [4, 5], 1)
    pin(store, "places", second)

    for version, keys in (
        (first, {"1.jpg", "2.jpg", "3.jpg"}),
        (second, {"2.jpg", "3.jpg", "4.jpg", "5.jpg"}),
    ):
        back = restore(store, "places", version, tmp_path / str(version))
        manifest = lance.dataset(back.uri("manifests/places.lance"))
        assert manifest.version == version
        assert set(manifest.to_table()["key"].to_pylist()) == keys
        for name in back.names("shards/places"):
            assert back.read(f"shards/places/{name}") == store.read(f"shards/places/{name}")
    assert Store(str(tmp_path / str(first))).names("shards/places") == ["a.tar"]


def test_the_bytes_outlive_the_store_s_own_copy(store: Store, night: NIGHT, tmp_path: Path) -> None:
    version = night("a", [1, 2, 3], 0)
    content = store.read("shards/places/a.tar")
    found = pin(store, "places", version)
    store.delete("shards/places/a.tar")
    store.delete("manifests/places.lance")
    store.delete(f"pins/places/{version}.dvc")

    back = restore(store, "places", version, tmp_path / "back", pin=found)

    assert back.read("shards/places/a.tar") == content
    assert lance.dataset(back.uri("manifests/places.lance")).count_rows() == 3


def test_only_new_files_are_read_and_none_is_copied(store: Store, night: NIGHT) -> None:
    pin(store, "places", night("a", [1, 2, 3], 0))
    version = night("b", [4], 0)
    # bytes that cannot be what was pinned: a pin that read the file again would notice
    old = Path(store.uri("shards/places/a.tar"))
    old.chmod(0o644)
    old.unlink()
    old.write_bytes(b"never read again")

    files = files_of(store, pin(store, "places", version))

    assert Path(store.uri(object_name(files["shards/places/b.tar"]))).samefile(
        store.uri("shards/places/b.tar")
    )
    assert store.read(object_name(files["shards/places/a.tar"])) != b"never read again"
    assert pinned(store, "places") == ["1", "2"]


def test_the_same_version_has_the_same_hash_and_another_has_another(
    store: Store, night: NIGHT
) -> None:
    first = night("a", [1, 2], 0)
    once = pin(store, "places", first)
    second = night("b", [3], 0)
    assert pin(store, "places", second) != once
    assert pin(store, "places", first) == once == pin_of(store, "places", str(first))
    assert once.endswith(".dir")


def test_what_is_pinned_is_not_looked_at_again(
    store: Store, night: NIGHT, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("encoders/abc123/encoder.safetensors", b"weights")
    version = night("a", [1, 2], 0)
    once = pin(store, "places", version, "abc123")
    pointers = [store.uri(f"pins/places/{version}.dvc"), store.uri("pins/encoders/abc123.dvc")]
    written = [Path(pointer).stat().st_ino for pointer in pointers]
    monkeypatch.setitem(sys.modules, "dvc_data.hashfile.tree", None)  # importing it would fail
    store.delete("manifests/places.lance")

    assert pin(store, "places", version, "abc123") == once
    assert [Path(pointer).stat().st_ino for pointer in pointers] == written


def test_a_pin_whose_tree_the_remote_has_lost_is_made_again(store: Store, night: NIGHT) -> None:
    version = night("a", [1, 2], 0)
    once = pin(store, "places", version)
    store.delete(object_name(once))
    assert pin(store, "places", version) == once
    assert "shards/places/a.tar" in files_of(store, once)


def test_a_shard_without_a_live_row_is_not_pinned(store: Store, night: NIGHT) -> None:
    night("a", [1, 2], 0)
    version = night("b", [3], 2)
    tars = [
        name for name in files_of(store, pin(store, "places", version)) if name.endswith(".tar")
    ]
    assert tars == ["shards/places/b.tar"]


def test_an_encoder_is_pinned_beside_the_dataset(
    store: Store, night: NIGHT, tmp_path: Path
) -> None:
    version = night("a", [1], 0)
    store.write("encoders/abc123/encoder.safetensors", b"weights")
    store.write("encoders/abc123/card.json", b"{}")
    assert pin(store, "places", version, "abc123") == pin(store, "places", version)
    store.delete("encoders/abc123")
    back = restore(store, "places", version, tmp_path / "back", encoder="abc123")
    assert back.read("encoders/abc123/encoder.safetensors") == b"weights"


def test_what_is_not_there_is_said_in_words(store: Store, night: NIGHT, tmp_path: Path) -> None:
    version = night("a", [1], 0)
    with pytest.raises(FileNotFoundError, match="Version 99 of dataset places"):
        pin(store, "places", 99)
    with pytest.raises(FileNotFoundError, match="Encoder abc is not in the store"):
        pin(store, "places", version, "abc")
    with pytest.raises(
        FileNotFoundError, match=r"Version 7 of places is not pinned .* choose from 1"
    ):
        restore(store, "places", 7, tmp_path / "back")


def test_a_tree_that_climbs_out_of_the_folder_is_refused(store: Store, tmp_path: Path) -> None:
    store.write(object_name("00.dir"), b'[{"md5": "ab", "relpath": "../../evil"}]')
    with pytest.raises(ValueError, match="outside the folder"):
        restore(store, "places", 1, tmp_path / "back", pin="00.dir")


def test_the_dvc_command_pulls_a_pinned_version(store: Store, night: NIGHT, tmp_path: Path) -> None:
    version = night("a", [1, 2, 3], 0)
    pin(store, "places", version)
    night("b", [4], 1)
    content = store.read("shards/places/a.tar")
    project = tmp_path / "project"
    project.mkdir()
    _dvc(project, "init", "--no-scm")
    _dvc(project, "remote", "add", "--default", "store", store.uri("dvc"))
    (project / "places.dvc").write_bytes(store.read(f"pins/places/{version}.dvc"))
    store.delete("shards")

    _dvc(project, "pull", "places.dvc")

    back = Store(str(project / str(version)))
    assert back.read("shards/places/a.tar") == content
    assert lance.dataset(back.uri("manifests/places.lance")).count_rows() == 3
    assert yaml.safe_load((project / "places.dvc").read_text())["meta"]["version"] == version


def test_the_store_is_a_dvc_repository_itself(store: Store, night: NIGHT) -> None:
    version = night("a", [1, 2, 3], 0)
    pin(store, "places", version)
    _dvc(Path(store.root), "pull", f"pins/places/{version}.dvc")
    laid_out = Store(store.uri(f"pins/places/{version}"))
    assert laid_out.read("shards/places/a.tar") == store.read("shards/places/a.tar")
    assert pinned(store, "places") == [str(version)]


def test_a_bucket_pins_into_itself(
    draw: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _bucket(monkeypatch) as url:
        store = Store(url)
        night = _nights(store, draw)
        first = night("a", [1, 2, 3], 0)
        found = pin(store, "places", first)
        pin(store, "places", night("b", [4], 1))
        content = store.read("shards/places/a.tar")
        store.delete("shards/places/a.tar")

        back = restore(store, "places", first, tmp_path / "back", pin=found)

        assert back.read("shards/places/a.tar") == content
        assert lance.dataset(back.uri("manifests/places.lance")).version == first
        assert pinned(store, "places") == ["1", "2"]


@contextmanager
def _bucket(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a place in a bucket of a server of our own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for name, value in said.items():
            patch.setenv(name, value)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("pins")
        yield "s3://pins/store"
        fsspec.filesystem("s3").clear_instance_cache()
    finally:
        server.terminate()
        server.wait(10)


def _dvc(folder: Path, *words: str) -> None:
    """Run the real command in FOLDER."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=os.environ | {"DVC_NO_ANALYTICS": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
