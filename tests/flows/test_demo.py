"""The demo lives through a whole life, and says what happened."""

from pathlib import Path

import pytest

from data.aliases import Alias
from data.store import Store
from flows import demo


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of a few places, and encoders that are hardly trained."""
    monkeypatch.setattr(demo, "PLACES", 8)
    monkeypatch.setattr(demo, "VIEWS", 8)
    monkeypatch.setattr(demo, "TRAIN", {**demo.TRAIN, "width": 8, "size": 32, "epochs": 2})
    monkeypatch.setattr(demo, "UNTRAINED", {**demo.TRAIN, "epochs": 0, "dimensions": 1})
    monkeypatch.setattr(demo, "BETTER", {**demo.TRAIN, "epochs": 3})


@pytest.mark.usefixtures("small")
def test_a_life_in_small_leaves_what_it_promises(tmp_path: Path) -> None:
    lines: list[str] = []
    told = demo.demo(tmp_path / "demo", say=lines.append)
    first, second, held, better = told["nights"]
    assert first["listed"] == first["embedded"] == 8 * 12
    assert first["promoted"]
    assert second["embedded"] < 30
    assert second["added"]
    assert second["moved"]
    assert second["removed"]
    assert second["quarantined"] == 1
    assert held["held_by"] == ["fall"]
    assert held["metrics"][held["headline"]] < second["metrics"][second["headline"]]
    assert held["production"] == second["production"]
    assert better["encoder"] not in (first["encoder"], held["encoder"])
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "data:image/" in page
    assert (tmp_path / "demo" / "query.jpg").is_file()
    said = "\n".join(lines)
    assert "held by the gate fall" in said
    assert "nightjar init" in said

    (tmp_path / "demo" / "mine.txt").write_text("left by a person")
    (tmp_path / "demo" / demo.MARK).unlink()
    with pytest.raises(FileExistsError, match="name another folder"):
        demo.demo(tmp_path / "demo", say=lines.append)
    assert (tmp_path / "demo" / "mine.txt").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo(tmp_path: Path) -> None:
    lines: list[str] = []
    told = demo.demo(tmp_path / "demo", say=lines.append)
    first, second, held, better = told["nights"]
    name = first["headline"]
    assert held["held_by"] == ["fall"]
    assert first["metrics"][name] > held["metrics"][name] + 0.1, "training is worth it"
    assert better["promoted"]
    assert better["metrics"][name] > second["metrics"][name]
    production = Alias(Store(str(tmp_path / "demo" / "store")), "places").current()
    assert production is not None
    assert str(production) == better["production"]
    assert sum("  right  " in line for line in lines) >= 5, "a new photograph finds its place"
