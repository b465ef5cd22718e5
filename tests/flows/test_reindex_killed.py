"""Nights that are killed, by a real SIGKILL, and what the next one makes of it."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from data.lease import holder
from data.store import Store
from flows.imprint import differences, imprint
from flows.victim import Run
from tasks.balance import Ledger
from tasks.searching.versions import resolve
from tests.flows.album import TRAIN, Album, balanced, counts, photo

PART = 8
STAGES = ("shard", "plan", "register", "train", "extract", "quarantine", "index", "evaluate",
          "seal", "balance", "promote")  # fmt: skip


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published folder in which much has changed since, and the evening of the night to come."""
    base = tmp_path_factory.mktemp("killed")
    album = Album(base / "now")
    album.fields |= {
        "extract": {"device": "cpu", "part": PART, "batch": 4},
        "shard": {"images": 10},
        "gates": {"fall": 1.0},
    }
    for number in range(40):
        album.put(f"class{number % 4}/{number:03d}.jpg", photo(number))
    album.night()
    for number in range(30):
        album.put(f"class{number % 4}/new{number:02d}.jpg", photo(100 + number))
    for number in range(4):
        album.put(f"class{number}/{number:03d}.jpg", photo(200 + number))
        album.move(f"class{number}/{number + 4:03d}.jpg", f"class{number}/moved{number}.jpg")
        (album.root / f"class{number}/{number + 8:03d}.jpg").unlink()
    album.put("class0/bad.jpg", photo(300)[:-300])
    (base / "now").rename(base / "then")
    return base


def evening(before: Path, name: str) -> "tuple[Album, Run]":
    """The folder as it was that evening, at the path it had, and runs in a store of their own."""
    shutil.rmtree(before / "now", ignore_errors=True)
    shutil.copytree(before / "then", before / "now")
    album = Album(before / "now")
    run = Run(str(album.folder / "toy.yaml"), before / name)
    shutil.copytree(album.folder / "store", run.store.root)
    return album, run


@pytest.fixture(scope="module")
def calm(before: Path) -> "tuple[Any, Ledger]":
    """What an undisturbed night leaves."""
    album, run = evening(before, "calm")
    ledger = run.to_the_end()
    assert counts(ledger) == {"added": 30, "changed": 4, "moved": 4, "removed": 4}
    assert (ledger.embedded, ledger.quarantined) == (34, 1)
    return imprint(run.store, album.recipe, ledger), ledger


def survived(album: Album, run: Run, calm: "tuple[Any, Ledger]", kept: int) -> Ledger:
    """The ledger of the night after a kill, which must end where the undisturbed one did."""
    wanted, undisturbed = calm
    ledger = run.to_the_end()
    assert differences(wanted, imprint(run.store, album.recipe, ledger)) == ()
    assert balanced(ledger)[2:] == balanced(undisturbed)[2:]
    assert ledger.embedded == 34 - kept, "what was finished is not done again"
    assert holder(run.store, "toy") is None
    return ledger


def described(store: Store) -> int:
    """The good descriptors in a store's cache."""
    from data.descriptors import DescriptorCache

    (encoder,) = store.names("descriptors")
    listing = DescriptorCache(store, encoder).listing()
    return len({d for batch in listing for d, reason in
                zip(batch["digest"].to_pylist(), batch["reason"].to_pylist(), strict=True)
                if not reason})  # fmt: skip


def killed_in(
    before: Path, calm: "tuple[Any, Ledger]", name: str, stage: str, delay: float
) -> None:
    """Kill a night DELAY seconds into STAGE; production stands; the next ends as if nothing was."""
    album, run = evening(before, name)
    old = described(run.store)
    killed = run.killed(stage, delay)
    after = Album(album.folder)
    shutil.rmtree(album.folder / "store")
    shutil.copytree(run.store.root, album.folder / "store")
    assert after.verified(embed=0).ok, "what search uses is whole, whatever was cut off"
    kept = described(run.store) - old
    if killed and run.events and run.events[-1].stage == "extract":
        told = [event.done for event in run.events if event.stage == "extract" and event.done]
        done = max(told, default=0)
        assert kept >= done - 1, "a finished part is on the disk before it is told"
        assert kept - done <= PART
    survived(album, run, calm, kept)
    shutil.rmtree(run.folder)


@pytest.mark.parametrize("stage", ["index"])
def test_a_night_killed_in_a_stage_ends_as_an_undisturbed_one(
    before: Path, calm: "tuple[Any, Ledger]", stage: str
) -> None:
    killed_in(before, calm, f"in-{stage}", stage, 0.0)


def test_killed_between_register_and_index_the_ledger_knows_what_is_new(
    before: Path, calm: "tuple[Any, Ledger]"
) -> None:
    album, run = evening(before, "registered")
    assert run.killed("extract", 0.0)
    left = list((run.folder / "tmp").iterdir())
    assert all(path.name.startswith("nightjar-") for path in left), "one knows whose it is"
    ledger = run.to_the_end()
    indexed, unchanged, bad, deferred = balanced(ledger)
    assert (bad, deferred) == (1, 0)
    assert (indexed, unchanged) == balanced(calm[1])[:2]
    shutil.rmtree(run.folder)
    assert album.verified().ok


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nights_killed_again_and_again_end_as_an_undisturbed_one(
    before: Path, calm: "tuple[Any, Ledger]"
) -> None:
    rng = random.Random(1)
    for turn in range(5):
        album, run = evening(before, f"again-{turn}")
        old = described(run.store)
        for stage in sorted(rng.sample(STAGES, 4), key=STAGES.index):
            run.killed(stage, rng.random() * 0.1)
        survived(album, run, calm, described(run.store) - old)
        shutil.rmtree(run.folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("stage", STAGES)
def test_a_night_killed_anywhere_in_a_stage_ends_as_an_undisturbed_one(
    before: Path, calm: "tuple[Any, Ledger]", stage: str, turn: int
) -> None:
    delay = random.Random(f"{stage} {turn}").random() * 0.15
    killed_in(before, calm, f"{stage}-{turn}", stage, delay)


@pytest.mark.slow
def test_a_first_night_killed_in_training_takes_it_up_again(bare: Album, tmp_path: Path) -> None:
    bare.fields["train"] = {**TRAIN, "epochs": 8, "batch": 8}
    for number in range(24):
        bare.put(f"class{number % 3}/{number}.jpg", photo(number))
    word = str(bare.path)
    calm, run = Run(word, tmp_path / "calm"), Run(word, tmp_path / "killed")
    wanted = imprint(calm.store, bare.recipe, calm.to_the_end())
    assert run.killed("train", 0.3)
    ledger = run.to_the_end()
    assert differences(wanted, imprint(run.store, bare.recipe, ledger)) == ()


def test_a_first_night_killed_while_it_wrote_the_first_rows_leaves_no_table(
    bare: Album, tmp_path: Path
) -> None:
    for number in range(9):
        bare.put(f"class{number % 3}/{number}.jpg", photo(number))
    calm, run = Run(str(bare.path), tmp_path / "calm"), Run(str(bare.path), tmp_path / "killed")
    undisturbed = calm.to_the_end()
    shutil.copytree(calm.store.root, run.store.root)
    for name in ("aliases", "runs", f"indexes/{undisturbed.table}.lance/_versions"):
        run.store.delete(name)  # Lance's files are there, but no version names them
    with pytest.raises(ValueError, match=r"choose from production, @prev\."):
        resolve(run.store, bare.recipe.name, "tonight")
    ledger = run.to_the_end()
    wanted = imprint(calm.store, bare.recipe, undisturbed)
    assert differences(wanted, imprint(run.store, bare.recipe, ledger)) == ()
    assert (undisturbed.embedded, ledger.embedded) == (9, 0)
