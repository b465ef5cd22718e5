"""Small landmark datasets in their official layouts."""

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]

TRAIN = ("0123456789abcdef", "0129456789abcdef", "fe23456789abcdef", "aa23456789abcdef")
INDEX = ("1123456789abcdef", "2123456789abcdef", "3123456789abcdef")
TEST = ("4123456789abcdef", "5123456789abcdef", "6123456789abcdef")
"""Ids of the pictures of each split."""

V2_LISTS = {
    "train.csv": "id,url,landmark_id\n"
    + "".join(f'{one},"https://x/a,{one}.jpg",{number // 2}\n' for number, one in enumerate(TRAIN)),
    "train_clean.csv": f"landmark_id,images\n1,{TRAIN[3]} {TRAIN[2]}\n",
    "train_label_to_hierarchical.csv": "landmark_id,category,supercategory,hierarchical_label,"
    "natural_or_human_made\n1,http://x,waterfall,body of water,natural\n"
    '0,http://y,,"church, or chapel",human-made\n',
    "index.csv": "id\n" + "".join(f"{one}\n" for one in INDEX),
    "index_image_to_landmark.csv": f"id,landmark_id\n{INDEX[1]},1\n{INDEX[0]},0\n",
    "index_label_to_hierarchical.csv": "landmark_id,category,supercategory,hierarchical_label,"
    "natural_or_human_made\n0,http://z,bridge,bridge,human-made\n",
    "test.csv": "id\n" + "".join(f"{one}\n" for one in TEST),
    "recognition_solution_v2.1.csv": f"id,landmarks,Usage\n{TEST[0]},0 1,Public\n"
    f"{TEST[1]},,Private\n{TEST[2]},,Private\n",
    "retrieval_solution_v2.1.csv": f"id,images,Usage\n{TEST[1]},None,Ignored\n"
    f"{TEST[0]},{INDEX[0]} {INDEX[2]},Private\n{TEST[2]},None,Ignored\n",
}


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """A tar of MEMBERS as names and contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def by_digits(one: str) -> str:
    """``a/b/c/ID.jpg``."""
    return f"{one[0]}/{one[1]}/{one[2]}/{one}.jpg"


def gldv2(root: Path, draw: Draw, packed: bool = True) -> dict[str, Any]:
    """Ten pictures; those of train in two tars, where PACKED."""
    root.mkdir()
    for name, text in V2_LISTS.items():
        (root / name).write_text(text)
    content = {one: draw(number) for number, one in enumerate(TRAIN + INDEX + TEST)}
    for split, ids in (("train", TRAIN), ("index", INDEX), ("test", TEST)):
        for part in range(2):
            some = [(by_digits(one), content[one]) for one in ids[part::2]]
            if packed:
                write_tar(root / split / f"images_{part:03d}.tar", some)
                continue
            for name, picture in some:
                (root / split / name).parent.mkdir(parents=True, exist_ok=True)
                (root / split / name).write_bytes(picture)
    return {}


def gldv1(root: Path, draw: Draw, folders: bool = True) -> dict[str, Any]:
    """Two pictures of three in each split; in FOLDERS of its digits, or flat."""
    root.mkdir()
    for split, ids in (("train", TRAIN), ("index", INDEX), ("test", TEST)):
        rows = [["id", "url"], *([one, f"http://x/{one}"] for one in ids)]
        if split == "train":
            for row, landmark in zip(
                rows, ("landmark_id", "12", "None", "12", "14950"), strict=True
            ):
                row.append(landmark)
        (root / f"{split}.csv").write_text("".join(",".join(row) + "\n" for row in rows))
        for number, one in enumerate(ids[:-1]):
            path = root / split / (by_digits(one) if folders else f"{one}.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(number))
    return {}
