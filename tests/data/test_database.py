"""Questions to DuckDB do not meet, whatever they call their tables, and leave nothing behind."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.database import Numbered, asking, look


def test_two_questions_at_a_time_have_each_their_own_tables(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [7]}), tmp_path / "seven.parquet")
    with asking(128, mine=pa.table({"n": [1, 2]})) as one, asking(128) as other:
        one.execute("CREATE TABLE made AS SELECT sum(n) AS n FROM mine")
        other.execute("CREATE TABLE made AS SELECT 9 AS n")
        look(one, "seen", [tmp_path / "seven.parquet"])
        assert one.execute("SELECT made.n, seen.n FROM made, seen").fetchall() == [(3, 7)]
        assert other.execute("SELECT n FROM made").fetchall() == [(9,)]
        for hidden in ("mine", "seen"):
            with pytest.raises(Exception, match="does not exist"):
                other.execute(f"SELECT * FROM {hidden}")


def test_a_question_that_fails_leaves_nothing_to_the_next() -> None:
    def fail() -> None:
        with asking(128) as ask:
            ask.execute("CREATE TABLE made AS SELECT 1 AS n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with asking(128) as ask:
        ask.execute("CREATE TABLE made AS SELECT 2 AS n")
        assert ask.execute("SELECT n FROM made").fetchall() == [(2,)]
        names = [
            name
            for (name,) in ask.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        ]
        assert sum(name.startswith("question") for name in names) == 1


def test_files_are_seen_whatever_their_names_with_numbers_if_asked(tmp_path: Path) -> None:
    files = [tmp_path / "it's one.parquet", tmp_path / 'two "2".parquet']
    for start, path in enumerate(files):
        pq.write_table(pa.table({"n": [10 * start, 10 * start + 1]}), path)
    with asking(128, twice=files, second=Numbered(files[1])) as ask:
        assert ask.execute("SELECT n FROM twice ORDER BY n").fetchall() == [
            (0,),
            (1,),
            (10,),
            (11,),
        ]
        assert ask.execute("SELECT row, n FROM second ORDER BY row").fetchall() == [
            (0, 10),
            (1, 11),
        ]


def test_what_does_not_fit_is_spilled_and_the_folder_goes_with_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with asking(77) as ask:  # a limit that nobody else asks for: its engine starts here
        ask.execute("SET threads = 1")
        ask.execute(
            "CREATE TABLE many AS SELECT range AS n, md5(range::VARCHAR) AS s FROM range(4000000)"
        )
        assert ask.execute("SELECT count(DISTINCT s) FROM many WHERE n % 40 = 0").fetchone() == (
            100_000,
        )
        assert [path.name.partition("-spill-")[0] for path in tmp_path.iterdir()] == ["nightjar"]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) == 0
