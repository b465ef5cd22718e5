"""Reading what a listing names: whole files or ranges of them, some of them ahead."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from data.adapters.reading import overlapped, place_of, read_uri


def test_a_range_of_a_file_is_read_and_a_cut_one_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    assert read_uri(f"{tmp_path}/a.bin#2,3") == b"234"
    assert read_uri(f"{tmp_path}/a.bin#3,0") == b""
    cut = read_uri(f"{tmp_path}/a.bin#8,5")
    assert isinstance(cut, OSError)
    assert "ends after 2 bytes" in str(cut)


@given(st.text(), st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_range_is_told_from_the_name_before_it(path: str, offset: int, length: int) -> None:
    assert place_of(f"{path}#{offset},{length}") == (path, offset, length)


@given(st.integers(0, 100), st.integers(1, 5))
def test_overlapped_work_keeps_its_order(items: int, threads: int) -> None:
    assert list(overlapped(str, range(items), threads)) == [str(one) for one in range(items)]


def test_overlapped_work_runs_a_bounded_way_ahead() -> None:
    begun: list[int] = []
    answers = overlapped(begun.append, range(1000), threads=2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(begun) <= 5
