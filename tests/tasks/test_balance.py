"""Every night's ledger is proved from the tables, and names whatever is not there."""

import csv
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from data.descriptors import DescriptorCache
from data.indexes import index_table
from data.lineage import KEY, Lineage, lineage_of
from data.tables import RUN
from tasks import account as proof
from tasks.account import account
from tasks.balance import Ledger, UnbalancedLedger, balance, held_ledger
from tasks.extract import Limits
from tasks.gates import HeldByGate, Verdict, check_mass_deletion
from tasks.measuring.evaluate import Scores

if TYPE_CHECKING:
    from tasks.plan import Change
    from tests.tasks.conftest import Life


def parts(ledger: Ledger) -> tuple[int, int, int, int, int]:
    """(listed, indexed, unchanged, quarantined, deferred), which must add up."""
    told = ledger.ledger
    found = (told.listed, told.indexed, told.unchanged, told.quarantined, told.deferred)
    assert found[0] == sum(found[1:])
    assert told.ok
    return found


def files(life: "Life") -> list[Path]:
    return sorted(life.root.rglob("*.jpg"))


def test_a_night_of_every_kind_of_change_balances(life: "Life", draw: Any) -> None:
    assert parts(life.night()) == (24, 24, 0, 0, 0)
    some = files(life)
    some[0].write_bytes(draw(900))  # changed
    some[1].rename(some[1].with_name("renamed.jpg"))
    shutil.copy(some[2], some[2].with_name("copied.jpg"))
    some[3].touch()
    some[4].unlink()
    some[5].write_bytes(some[5].read_bytes()[:200])  # truncated
    (life.root / "class0" / "broken.jpg").write_bytes(b"no image")
    (life.root / "class0" / "new.jpg").write_bytes(draw(901))
    ledger = life.night()
    assert parts(ledger) == (26, 4, 20, 2, 0)
    assert ledger.embedded == 2
    assert {k: v for k, v in ledger.model_dump().items() if k in ("added", "changed", "moved")} == {
        "added": 1, "changed": 1, "moved": 1,
    }  # fmt: skip
    assert {item.key: item.state for item in ledger.ledger.missing} == {
        "class0/broken.jpg": "quarantined",
        some[5].relative_to(life.root).as_posix(): "quarantined",
    }
    assert sum(ledger.ledger.reasons["quarantined"].values()) == 2
    assert ledger.ledger.coverage == 1
    assert parts(life.night()) == (26, 0, 24, 2, 0)


def test_a_quiet_night_reads_no_table_through(
    life: "Life", monkeypatch: pytest.MonkeyPatch
) -> None:
    (life.root / "broken.jpg").write_bytes(b"no image")
    first = life.night()
    monkeypatch.setattr(proof, "_load", None)  # whatever is read through is read by it
    quiet = life.night()
    assert parts(quiet) == (25, 0, 24, 1, 0)
    assert quiet.ledger.missing == first.ledger.missing


def test_what_the_nights_limit_leaves_is_deferred_by_name_and_indexed_later(life: "Life") -> None:
    life.limits = Limits(max_embeds=10)
    life.gates = life.gates.model_copy(update={"coverage": 0.0})
    first = life.night()
    assert parts(first) == (24, 10, 0, 0, 14)
    assert first.ledger.coverage == pytest.approx(10 / 24)
    assert first.ledger.reasons == {"deferred": {"no descriptor yet": 14}}
    assert len(first.ledger.missing) == first.ledger.missing_count == 14
    assert (first.embedded, first.embeds) == (10, 24)
    assert parts(life.night()) == (24, 10, 10, 0, 4)
    assert parts(life.night()) == (24, 4, 20, 0, 0)
    assert parts(life.night()) == (24, 0, 24, 0, 0)


def test_what_was_not_read_tonight_is_deferred_whatever_is_held_of_it(
    life: "Life", draw: Any
) -> None:
    broken = life.root / "class0" / "broken.jpg"
    broken.write_bytes(b"no image")
    assert parts(life.night()) == (25, 24, 0, 1, 0)
    changed = files(life)[3]
    changed.write_bytes(draw(900))
    broken.write_bytes(draw(901))
    (life.root / "new.jpg").write_bytes(draw(902))
    life.deadline = 0.0
    ledger = life.night()
    assert parts(ledger) == (26, 0, 23, 0, 3)
    assert {item.key for item in ledger.ledger.missing} == {
        "class0/broken.jpg", "new.jpg", changed.relative_to(life.root).as_posix()
    }  # fmt: skip
    life.deadline = None
    assert parts(life.night()) == (26, 3, 23, 0, 0)


def test_low_coverage_is_held_and_still_balances(life: "Life") -> None:
    life.limits = Limits(max_embeds=10)
    ledger = life.night()
    assert parts(ledger) == (24, 10, 0, 0, 14)
    assert not ledger.promoted
    assert ledger.held_by == ("coverage",)
    assert life.alias.current() is None


def test_a_new_encoder_indexes_everything_anew(life: "Life") -> None:
    life.night()
    life.train = life.train.model_copy(update={"seed": 5})
    life.gates = life.gates.model_copy(update={"fall": 1.0})
    assert parts(life.night()) == (24, 24, 0, 0, 0)
    assert parts(life.night()) == (24, 0, 24, 0, 0)


def test_a_ledger_survives_its_file(life: "Life") -> None:
    ledger = life.night()
    assert Ledger.model_validate_json(ledger.model_dump_json()) == ledger


def test_more_missing_than_fit_stand_in_a_file(
    life: "Life", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "INLINE", 3)
    life.limits = Limits(max_embeds=10)
    told = life.night().ledger
    assert (len(told.missing), told.missing_count) == (3, 14)
    rows = list(csv.DictReader(io.StringIO(life.store.read(told.missing_file).decode())))
    assert len(rows) == 14
    assert rows[0] == {"key": told.missing[0].key, "state": "deferred",
                       "reason": "no descriptor yet"}  # fmt: skip


def tampered(life: "Life", doomed: list[str]) -> tuple["Change", Lineage]:
    """A quiet night's change, and an index version that lost rows DOOMED behind everyone's back."""
    ledger = life.night()
    change = life.change()
    table = index_table(life.store, ledger.table)
    base = table.open()
    lineage = lineage_of(base)
    assert lineage
    rows = base.scanner(["key"], with_row_address=True).to_table()
    gone = rows["_rowaddr"].to_numpy()[np.isin(rows["key"].to_pylist(), doomed)]
    after = table.commit(base, [], gone, {RUN: "a thief"})
    forged = lineage.model_copy(update={"version": after.version + 1, "rows": after.count_rows()})
    after.update_metadata({KEY: forged.model_dump_json()})
    return change, forged


def test_an_image_that_is_lost_fails_the_run_by_name(life: "Life") -> None:
    key = files(life)[0].relative_to(life.root).as_posix()
    change, lineage = tampered(life, [key])
    with pytest.raises(UnbalancedLedger, match=f"1 lost, 0 extra. Among them: '{key}'") as failed:
        balance(
            life.store,
            life.recipe,
            change,
            lineage,
            Scores("labels", "map@10[min]", {}),
            Verdict(()),
            run="run-9",
            embedded=0,
            production=None,
            before=None,
            papers="runs/toy/run-9",
            rates={},
            seconds={},
        )
    told = failed.value.ledger.ledger
    assert not told.ok
    assert [(item.key, item.state) for item in told.missing] == [(key, "missing")]


def test_a_lost_image_whose_descriptor_is_lost_too_is_deferred(life: "Life") -> None:
    key = files(life)[0].relative_to(life.root).as_posix()
    change, lineage = tampered(life, [key])
    for part in DescriptorCache(life.store, lineage.encoder).parts():
        life.store.delete(f"descriptors/{lineage.encoder}/{part}.arrow")
    told = account(life.store, change, lineage, "runs/toy/run-9", "run-9")
    assert (told.deferred, told.lost, told.ok) == (1, 0, True)


def test_rows_that_nothing_stands_behind_fail_the_run(life: "Life") -> None:
    life.night()
    change = life.change()
    lineage = lineage_of(index_table(life.store, life.night().table).open())
    assert lineage
    files(life)[0].unlink()
    later = life.night()
    before = lineage.model_copy(update={"dataset_version": later.dataset_version})
    told = account(life.store, change, before, "runs/toy/run-9", "run-9")
    assert (told.extra, told.ok) == (1, False)


def test_a_night_held_before_it_wrote_leaves_all_that_is_new_waiting(life: "Life") -> None:
    before = life.night()
    for path in files(life)[:10]:
        path.unlink()
    change = life.change()
    with pytest.raises(HeldByGate) as held:
        check_mass_deletion(change, life.gates)
    production = life.alias.current()
    verdict = held.value.verdict
    ledger = held_ledger("toy", change, verdict, run="r", production=production, seconds={})
    assert parts(ledger) == (14, 0, 14, 0, 0)
    assert ledger.held_by == ("mass_deletion",)
    assert ledger.index_version is None
    assert ledger.dataset_version == before.dataset_version
    assert ledger.production == before.production
