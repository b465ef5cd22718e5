"""A folder of images: which files count, what their folders say, in what order."""

import logging
import os
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.adapters import open_dataset
from data.sample import Sample


def put(root: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def samples(root: Path | str, **options: object) -> list[Sample]:
    return list(open_dataset("folder", str(root), options).samples())


def keys(root: Path | str, **options: object) -> list[str]:
    return [sample.key for sample in samples(root, **options)]


def test_images_are_found_at_any_depth_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b/c/d/e.PNG", "b/notes.txt", "jpg", "f.jpg.part", "g.jpeg/h.webp")
    assert keys(tmp_path) == ["a.jpg", "b/c/d/e.PNG", "g.jpeg/h.webp"]


def test_extensions_are_the_recipes_to_choose(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.ppm")
    assert keys(tmp_path, extensions=[".PPM"]) == ["b.ppm"]
    with pytest.raises(ValueError, match="'jpg#1,2' is no extension"):
        open_dataset("folder", str(tmp_path), {"extensions": ["jpg#1,2"]})


def test_size_and_time_stamp_are_those_of_the_file(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", content=b"12345")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_123_456_789))
    assert [(one.size, one.mtime) for one in samples(tmp_path)] == [(5, 1_700_000_000_123_456_789)]


def test_an_empty_file_is_listed(tmp_path: Path) -> None:
    put(tmp_path, "empty.jpg", content=b"")
    assert [(one.key, one.size) for one in samples(tmp_path)] == [("empty.jpg", 0)]


def test_folders_say_split_and_label(tmp_path: Path) -> None:
    put(tmp_path, "0.jpg", "cat/1.jpg", "Test/2.jpg", "train/cat/red/3.jpg", "cat/train/4.jpg")

    def said(**options: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        return {one.key: (one.split, one.labels) for one in samples(tmp_path, **options)}

    assert said() == {
        "0.jpg": ("", ()),
        "cat/1.jpg": ("", ("cat",)),
        "Test/2.jpg": ("Test", ()),
        "train/cat/red/3.jpg": ("train", ("cat",)),
        "cat/train/4.jpg": ("", ("cat",)),
    }
    assert said(labels="parent")["train/cat/red/3.jpg"] == ("train", ("red",))
    assert said(labels="none")["train/cat/red/3.jpg"] == ("train", ())
    assert said(split="none")["train/cat/red/3.jpg"] == ("", ("train",))


names = st.text("aé.-_/0\\ #", min_size=1, max_size=6).filter(
    lambda name: all(part not in ("", ".", "..") for part in name.split("/"))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(names, max_size=8))
def test_the_order_is_that_of_whole_keys_whatever_the_tree(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    expected = set()
    for path in paths:
        try:
            put(root, path + ".jpg")
        except (NotADirectoryError, FileExistsError, IsADirectoryError):
            continue
        if not any(part.startswith(".") for part in (path + ".jpg").split("/")):
            expected.add(path + ".jpg")
    assert keys(root) == sorted(expected, key=str.encode)


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ".a.jpg", ".thumbs/b.jpg", "c/.d.jpg", "e.jpg")
    assert keys(tmp_path) == ["e.jpg"]


def test_only_regular_files_are_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "a.jpg", "folder.jpg/b.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert keys(tmp_path) == ["a.jpg", "folder.jpg/b.jpg"]
    assert "1 passed over, not a regular file" in caplog.text
    assert "pipe.jpg" in caplog.text


def test_links_that_stay_inside_are_followed_and_others_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    put(inside, "real/a.jpg")
    put(outside, "b.jpg")
    put(tmp_path / "inside2", "c.jpg")  # its path starts like that of the folder
    (inside / "again").symlink_to(inside / "real")
    (inside / "out").symlink_to(outside)
    (inside / "out.jpg").symlink_to(outside / "b.jpg")
    (inside / "sibling").symlink_to(tmp_path / "inside2")
    assert keys(inside) == ["again/a.jpg", "real/a.jpg"]
    assert "3 passed over, a link that leads out of the folder" in caplog.text
    assert keys(inside, links="all") == [
        "again/a.jpg", "out.jpg", "out/b.jpg", "real/a.jpg", "sibling/c.jpg"
    ]  # fmt: skip
    assert keys(inside, links="none") == ["real/a.jpg"]


def test_links_in_a_circle_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nothing.jpg")
    expected = ["a/1.jpg", "a/to_b/2.jpg", "b/2.jpg", "b/to_a/1.jpg"]
    assert keys(tmp_path) == expected
    assert keys(tmp_path, links="all") == expected
    assert "a link back to a folder above it" in caplog.text
    assert "a link to nothing" in caplog.text


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "real", "a/b.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert keys(tmp_path / "link") == ["a/b.jpg"]


def test_a_name_that_is_not_utf8_is_listed_and_read(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(raw)
    for name in (b"/\xff.jpg", b"/fine.jpg"):
        with open(raw + name, "wb") as out:
            out.write(b"content of " + name)
    dataset = open_dataset("folder", str(tmp_path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [r"caf\xe9/\xff.jpg", r"caf\xe9/fine.jpg"]
    assert list(dataset.read([one.uri for one in found])) == [
        b"content of /\xff.jpg",
        b"content of /fine.jpg",
    ]


def test_two_names_that_read_the_same_as_text_are_refused(tmp_path: Path) -> None:
    put(tmp_path, r"\xff.jpg")
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):
        pass
    with pytest.raises(ValueError, match="two names that read the same"):
        keys(tmp_path)


def test_a_file_that_vanishes_after_the_listing_is_an_error_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    dataset = open_dataset("folder", str(tmp_path), {})
    uris = [one.uri for one in dataset.samples()]
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "b.jpg").unlink()
    os.mkfifo(tmp_path / "b.jpg")  # an ordinary open would wait for a writer
    gone, pipe, there = dataset.read(uris)
    assert isinstance(gone, FileNotFoundError)
    assert isinstance(pipe, OSError)
    assert "not a regular file" in str(pipe)
    assert there == b"x"


def test_a_folder_that_vanishes_during_the_walk_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    dataset = open_dataset("folder", str(tmp_path), {})
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/b"):
            raise FileNotFoundError(path)
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        assert [one.key for one in dataset.samples()] == ["a/1.jpg", "c/3.jpg"]
    assert "gone while it was listed" in caplog.text


def test_a_folder_that_cannot_be_read_is_an_error_not_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg")
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        keys(tmp_path)


def test_a_folder_of_many_files_comes_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.adapters.files.ROWS", 3)
    monkeypatch.setattr("data.adapters.folder.ROWS", 5)
    put(tmp_path, *(f"{number:02d}.jpg" for number in range(11)), "05/x.jpg")
    batches = list(open_dataset("folder", str(tmp_path), {}).listing())
    found = [key for batch in batches for key in batch["key"].to_pylist()]
    assert len(batches) > 1
    assert len(found) == 12
    assert found == sorted(found)


def test_the_first_pictures_come_before_the_tree_has_been_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.adapters.folder.ROWS", 1)
    put(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    walked: list[str] = []
    real = os.scandir

    def scandir(path: str) -> object:
        walked.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    next(open_dataset("folder", str(tmp_path), {}).listing())
    assert not any(path.endswith("/c") for path in walked)


def test_any_store_that_fsspec_knows_is_listed_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data.adapters.objects.ROWS", 2)
    store = fsspec.filesystem("memory")
    for name in ("a.jpg", "a/x.jpg", "a-b.jpg", "train/cat/1.jpg", ".h/y.jpg", "z.txt", "a/.b.jpg"):
        store.pipe_file(f"/pictures/{name}", name.encode())
    dataset = open_dataset("folder", "memory://pictures/", {})
    found = list(dataset.samples())
    assert [one.key for one in found] == ["a-b.jpg", "a.jpg", "a/x.jpg", "train/cat/1.jpg"]
    assert [one.size for one in found] == [7, 5, 7, 15]
    assert found[-1].split == "train"
    assert all(one.mtime > 0 for one in found)
    assert list(dataset.read([one.uri for one in found])) == [one.key.encode() for one in found]


def test_a_walk_that_left_nothing_out_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "a/1.jpg")
    with caplog.at_level(logging.INFO):
        keys(tmp_path)
    assert caplog.text == ""


@pytest.mark.real
def test_real_photographs_are_listed_and_read_whole(shared_datasets: Path) -> None:
    root = shared_datasets / "photos-imagenet-sample-100"
    dataset = open_dataset("folder", str(root), {})
    found = list(dataset.samples())
    assert len(found) == 100
    for one, content in zip(found, dataset.read([one.uri for one in found]), strict=True):
        assert isinstance(content, bytes)
        assert (len(content), content[:2]) == (one.size, b"\xff\xd8")
