"""Where lists lie, and lists that break off."""

from pathlib import Path

import pytest

from data.adapters.named import fields_of, place_in


def test_a_place_that_is_not_there_is_named_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No birds in .* should hold a or b"):
        place_in(str(tmp_path), "birds", "a", "b")


def test_a_last_field_may_hold_blanks_and_a_line_may_not_break_off(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"head\n1 a b.jpg\r\n\n2\tc.jpg\n")
    assert list(fields_of(str(path), 2, heads=1)) == [["1", "a b.jpg"], ["2", "c.jpg"]]
    with pytest.raises(ValueError, match=r"list\.txt: 'head' should have 2 fields"):
        list(fields_of(str(path), 2))
