"""The doctor finds what is wrong and says what to do; Prefect's settings are read as it does."""

import http.server
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from data.store import Store
from flows import doctor
from flows.orchestration import answers, server_url


def test_all_is_well_here(store: Store) -> None:
    findings = list(doctor.examine(store))
    assert {finding.check for finding in findings} >= {"python", "torch", "store", "disk"}
    assert [f for f in findings if f.state == "fail" and f.check != "prefect server"] == []


def test_versions_that_break_prefect_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = {"fastapi": "0.165.0", "sqlalchemy": "2.1.9"}
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: broken.get(name) or real(name))
    found = {finding.check: finding for finding in doctor.libraries()}
    assert found["fastapi"].state == found["sqlalchemy"].state == "fail"
    assert "fastapi<0.151" in found["fastapi"].advice
    assert "sqlalchemy<2.1" in found["sqlalchemy"].advice


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    states = {f.check: f.state for f in doctor.libraries()}
    assert states.pop("python") == "ok"
    assert set(states.values()) == {"fail"}


def test_a_store_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    finding = doctor.writable(Store(str(tmp_path / "file" / "store")))
    assert finding.state == "fail"
    assert "NIGHTJAR_STORE" in finding.advice


def test_looking_leaves_nothing_in_the_store(store: Store) -> None:
    assert doctor.writable(store).state == "ok"
    assert store.names("") == []


def test_a_full_disk_warns(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM", 2**63)
    assert doctor.room(store).state == "warn"


@pytest.mark.ray
def test_a_ray_worker_answers() -> None:
    assert doctor.ray_worker().state == "ok"


def test_the_environment_names_the_server_before_any_profile(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text(
        'active = "here"\n[profiles.here]\nPREFECT_API_URL = "http://profile/api"\n[profiles.none]\n'
    )
    home = {"PREFECT_HOME": str(tmp_path)}
    assert server_url(home) == "http://profile/api"
    assert server_url(home | {"PREFECT_PROFILE": "none"}) == ""
    assert server_url(home | {"PREFECT_API_URL": "http://env/api"}) == "http://env/api"
    assert server_url({"PREFECT_HOME": str(tmp_path / "nowhere")}) == ""


def test_profiles_that_are_not_toml_are_named(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text("active = ")
    with pytest.raises(ValueError, match="not TOML"):
        server_url({"PREFECT_HOME": str(tmp_path)})


def test_prefect_reads_the_same_address(tmp_path: Path) -> None:
    from prefect.settings.profiles import _read_profiles_from

    path = tmp_path / "profiles.toml"
    path.write_text('active = "here"\n[profiles.here]\nPREFECT_API_URL = "http://profile/api"\n')
    profile = _read_profiles_from(path).active_profile
    assert profile is not None
    theirs = {setting.name: value for setting, value in profile.settings.items()}
    assert theirs["PREFECT_API_URL"] == server_url({"PREFECT_HOME": str(tmp_path)})


@pytest.fixture
def health() -> Iterator[str]:
    """The address of an API that is well."""

    class Well(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Well)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api"
    server.shutdown()
    server.server_close()


def test_a_server_that_answers_is_told_from_one_that_does_not(
    health: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answers(health)
    assert not answers("http://127.0.0.1:9/api", seconds=0.5)
    assert not answers("nonsense")
    monkeypatch.setenv("PREFECT_API_URL", health)
    assert doctor.prefect_server().state == "ok"
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    finding = doctor.prefect_server()
    assert (finding.state, "prefect server start" in finding.advice) == ("fail", True)
