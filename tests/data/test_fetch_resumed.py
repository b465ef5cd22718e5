"""Downloads that break off: gone on with where they were, and never glued to another version."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.adapters.card import Source
from data.answers import WrongFile
from data.fetch import Fetcher
from data.partial import Stopped
from tests.publisher import CONTENT, Fault, Publisher, bare, left, source


def test_a_cut_connection_is_taken_up_where_it_broke_off(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    url = here.put("a.bin", CONTENT, *(Fault(after=9_000) for _ in range(7)))
    gained: list[int] = []
    fetcher.fetch(source(url), tmp_path / "a.bin", gained.append)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [one.range for one in here.asked] == ["", *(f"bytes={9000 * n}-" for n in range(1, 8))]
    assert sum(one.sent for one in here.asked) == len(CONTENT), "no byte came twice"
    assert sum(gained) == len(CONTENT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_whatever_the_faults_the_file_is_whole_or_not_there(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, data: st.DataObject
) -> None:
    name = f"{len(here.files)}.bin"
    faults = data.draw(
        st.lists(
            st.builds(Fault, after=st.integers(0, 120_000))
            | st.builds(Fault, status=st.sampled_from([429, 500, 503])),
            max_size=6,
        )
    )
    here.marks = data.draw(st.sampled_from([("ETag", "Last-Modified"), ("Last-Modified",), ()]))
    here.ranges = data.draw(st.booleans())
    here.honest = data.draw(st.booleans())
    versions = [CONTENT, CONTENT[::-1], CONTENT[:50_000]]
    change = data.draw(st.sampled_from(versions))
    url = here.put(name, CONTENT, *faults)
    known = data.draw(st.sampled_from([bare(url), source(url)]))
    gained: list[int] = []
    try:
        fetcher.fetch(known, tmp_path / name, gained.append)
    except OSError:
        assert not (tmp_path / name).exists()
        here.put(name, change)
        here.faults[f"/{name}"].clear()
        try:
            fetcher.fetch(known, tmp_path / name)
        except WrongFile:
            assert change != CONTENT
            assert known.bytes
            return
        assert (tmp_path / name).read_bytes() == change
    else:
        assert (tmp_path / name).read_bytes() == CONTENT
        assert sum(gained) == len(CONTENT)


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    here.ranges = False
    url = here.put("a.bin", CONTENT, Fault(after=30_000))
    gained: list[int] = []
    fetcher.fetch(source(url), tmp_path / "a.bin", gained.append)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [one.sent for one in here.asked] == [30_000, len(CONTENT)]
    assert sum(gained) == len(CONTENT)


def interrupted(here: Publisher, fetcher: Fetcher, told: Source, target: Path) -> None:
    """Leave 40,000 bytes of TOLD as its part, as a download that was given up leaves them."""
    here.faults[f"/{target.name}"].extend(
        [Fault(after=40_000), *(Fault(status=503) for _ in range(2))]
    )
    with pytest.raises(OSError, match="503"):
        fetcher.fetch(told, target)
    assert target.with_name(f"{target.name}.part").stat().st_size == 40_000


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("marks", [("ETag", "Last-Modified"), ("ETag",), ("Last-Modified",)])
def test_a_file_that_changed_is_not_glued_to_its_old_beginning(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, marks: tuple[str, ...], honest: bool
) -> None:
    here.marks, here.honest = marks, honest
    told = bare(here.put("a.bin", CONTENT))
    interrupted(here, fetcher, told, tmp_path / "a.bin")
    here.put("a.bin", CONTENT[::-1])
    fetcher.fetch(told, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]
    assert here.asked[-1].range == ("" if not honest else "bytes=40000-")


def test_a_weak_mark_is_not_relied_on(here: Publisher, fetcher: Fetcher, tmp_path: Path) -> None:
    here.marks = ()
    told = bare(here.put("a.bin", CONTENT))
    weak = {"ETag": 'W/"1"'}
    here.faults["/a.bin"].extend(
        [Fault(after=40_000, headers=weak), *(Fault(status=503) for _ in range(2))]
    )
    with pytest.raises(OSError, match="503"):
        fetcher.fetch(told, tmp_path / "a.bin")
    here.asked.clear()
    here.put("a.bin", CONTENT[::-1])
    fetcher.fetch(told, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]
    assert [one.range for one in here.asked] == [""], "nothing tells the two apart: all of it anew"


def test_a_digest_tells_two_versions_apart_where_no_mark_does(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    here.marks = ()
    other = CONTENT[::-1]
    told = source(here.put("a.bin", CONTENT), other)
    interrupted(here, fetcher, told, tmp_path / "a.bin")
    here.put("a.bin", other)
    here.asked.clear()
    gained: list[int] = []
    fetcher.fetch(told, tmp_path / "a.bin", gained.append)
    assert (tmp_path / "a.bin").read_bytes() == other
    assert [one.range for one in here.asked] == ["bytes=40000-", ""]
    assert left(tmp_path) == ["a.bin"]
    assert sum(gained) == len(other)


def test_a_part_of_another_address_is_not_gone_on_with(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    interrupted(here, fetcher, bare(here.put("a.bin", CONTENT)), tmp_path / "a.bin")
    here.asked.clear()
    fetcher.fetch(bare(here.put("b.bin", CONTENT[::-1])), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]
    assert [one.range for one in here.asked] == [""]


def test_a_part_that_lacks_nothing_is_only_checked(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    told = source(here.put("a.bin", CONTENT))
    interrupted(here, fetcher, told, tmp_path / "a.bin")
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    here.asked.clear()
    assert fetcher.fetch(told, tmp_path / "a.bin").state == "fetched"
    assert here.asked == []


def test_a_part_longer_than_the_file_is_begun_anew(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    told = bare(here.put("a.bin", CONTENT))
    interrupted(here, fetcher, told, tmp_path / "a.bin")
    (tmp_path / "a.bin.part").write_bytes(CONTENT * 2)
    fetcher.fetch(told, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_two_downloads_of_one_file_fetch_it_once(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    told = source(here.put("a.bin", CONTENT, Fault(slow=0.01)))
    gained: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        found = [
            pool.submit(fetcher.fetch, told, tmp_path / "a.bin", gained.append) for _ in range(4)
        ]
        states = sorted(one.result().state for one in found)
    assert states == ["fetched", "there", "there", "there"]
    assert sum(one.sent for one in here.asked) == len(CONTENT)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["a.bin"]
    assert sum(gained) == 4 * len(CONTENT)


def test_a_download_that_is_stopped_leaves_its_part_for_the_next(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    told = source(here.put("a.bin", CONTENT))

    def gained(count: int) -> None:
        fetcher.stop.set()

    with pytest.raises(Stopped):
        fetcher.fetch(told, tmp_path / "a.bin", gained)
    size = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < size < len(CONTENT)
    fetcher.stop.clear()
    fetcher.fetch(told, tmp_path / "a.bin")
    assert here.asked[-1].range == f"bytes={size}-"


CHILD = """
import sys
from pathlib import Path
from data.adapters.card import Source
from data.fetch import Fetcher, new_client
with new_client() as client:
    Fetcher(client).fetch(Source.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_download_that_is_killed_goes_on_where_it_was(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    content = CONTENT * 20
    told = source(here.put("a.bin", content, Fault(slow=0.01)), content)
    target = tmp_path / "a.bin"
    part = tmp_path / "a.bin.part"
    child = subprocess.Popen([sys.executable, "-c", CHILD, told.model_dump_json(), str(target)])
    deadline = time.monotonic() + 60
    while not part.exists() or part.stat().st_size < 200_000:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    size = part.stat().st_size
    assert not target.exists()
    fetcher.fetch(told, target)
    assert target.read_bytes() == content
    assert here.asked[-1].range == f"bytes={size}-"
    assert here.asked[-1].sent == len(content) - size
    assert left(tmp_path) == ["a.bin"]
