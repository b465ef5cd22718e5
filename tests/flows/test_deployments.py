"""Nights as flow runs: a schedule fires one that publishes; held, missed and cancelled nights."""

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from data.aliases import Alias
from data.lease import holder
from data.store import Store
from flows.recipe import Recipe, shipped

if TYPE_CHECKING:
    from tests.flows.orchestra import Orchestra

HOME = Path(__file__).parents[2]
TRAIN = "{supervision: supervised, dimensions: 16, size: 16, width: 8, epochs: 1, batch: 8}"


def test_the_deployments_name_no_place_of_this_machine_and_what_they_name_is_there() -> None:
    text = (HOME / "prefect.yaml").read_text()
    (nightly,) = yaml.safe_load(text)["deployments"]
    module, _, name = nightly["entrypoint"].rpartition(".")
    parameters = set(importlib.import_module(module).__dict__[name].parameters.properties)
    assert set(nightly["parameters"]) <= parameters
    assert nightly["parameters"]["recipe"] in shipped()
    assert nightly["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert "pull" not in text
    assert str(HOME) not in text


def test_only_what_may_be_gone_in_a_moment_is_tried_again() -> None:
    from prefect.states import Failed

    from flows.deployments import passing

    def tried(error: Exception) -> bool:
        return passing(None, None, Failed(data=error))  # type: ignore[arg-type]

    assert tried(ConnectionError("the bucket"))
    assert tried(TimeoutError("the disk"))
    assert not tried(FileNotFoundError("the source"))
    assert not tried(ValueError("the recipe"))


def test_a_training_is_cached_by_its_plan_once_its_encoder_is_there(
    store: Store, picture_folder: Callable[..., Path], tmp_path: Path
) -> None:
    from flows.deployments import train_key
    from flows.reindex import reindex

    recipe = _recipe(tmp_path, picture_folder(12))
    plan = Recipe.named(str(recipe))
    assert train_key(store, "toy", 1, plan.train) is None
    ledger = reindex(plan, store=store)
    key = train_key(store, "toy", 1, plan.train)
    assert key == train_key(store, "toy", 2, plan.train) != None  # noqa: E711
    assert key != train_key(store, "toy", 1, plan.train.model_copy(update={"seed": 1}))
    store.delete(f"encoders/{ledger.encoder}")
    store.delete("encoders/plans")
    assert train_key(store, "toy", 1, plan.train) is None


def test_the_ledger_s_page_names_gates_figures_and_who_is_missing(
    store: Store, picture_folder: Callable[..., Path], tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    from flows.artifacts import history, markdown
    from flows.reindex import reindex

    root = picture_folder(12)
    (root / "class0/cut `off`.jpg").write_bytes(draw(77)[:-300])
    recipe = Recipe.named(str(_recipe(tmp_path, root, "gates: {min_rows: 50}\n")))
    ledger = reindex(recipe, store=store)
    page = markdown(ledger)
    assert "**Held by min_rows.** Search uses nothing." in page
    assert "| 13 | 12 | 0 | 1 | 0 |" in page
    assert "`class0/cut 'off'.jpg`: quarantined" in page
    (row,) = history(store, "toy")
    assert row.items() >= ledger.metrics.items()


# --- a real server and worker --------------------------------------------------------------------


@pytest.fixture(scope="module")
def orchestra(
    tmp_path_factory: pytest.TempPathFactory, draw: Callable[..., bytes]
) -> Iterator["Orchestra"]:
    """A server with an empty history; a store, eight pictures and a recipe for them beside it."""
    from tests.flows.orchestra import Orchestra

    home = tmp_path_factory.mktemp("orchestra")
    for seed in range(8):
        path = home / "pictures" / f"class{seed % 2}" / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(seed))
    _recipe(home, home / "pictures")
    found = Orchestra(home, {"NIGHTJAR_STORE": str(home / "store"), "TMPDIR": str(home)})
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.timeout(1200)
class TestNightsOfARealServer:
    """One after the other, on one server."""

    def test_the_file_as_it_stands_is_deployed_and_its_schedule_makes_runs(
        self, orchestra: "Orchestra"
    ) -> None:
        from tests.flows.orchestra import wait

        (orchestra.home / "prefect.yaml").write_text((HOME / "prefect.yaml").read_text())
        orchestra.say("deploy", "--all")
        runs = wait(lambda: orchestra.runs("nightly"), 120, "the scheduler to make runs")
        assert {run["state_name"] for run in runs} == {"Scheduled"}
        assert all(run["expected_start_time"][11:19] == "02:00:00" for run in runs)
        assert all(run["parameters"] == {"recipe": "cifar10"} for run in runs)

    def test_a_schedule_fires_a_night_that_publishes(self, orchestra: "Orchestra") -> None:
        from tests.flows.orchestra import wait

        _deploy(orchestra, "often", "toy.yaml", interval=15)
        worker = orchestra.worker()
        wait(lambda: orchestra.states("often", "Completed"), 300, "a scheduled night to complete")
        orchestra.say("deployment", "schedule", "clear", "reindex/often", "-y")
        # a night under way outlives its worker, and would be counted among those to come
        wait(lambda: not orchestra.unfinished("often"), 300, "the last night to end")
        orchestra.stop(worker)

        store = Store(str(orchestra.home / "store"))
        pointer = Alias(store, "toy").current()
        assert pointer is not None
        assert pointer.why == "promoted"
        run = orchestra.states("often", "Completed")[0]
        assert run["auto_scheduled"]
        assert run["created_by"]["type"] == "SCHEDULE"
        stages = orchestra.ask("task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
        assert {"scan", "plan", "shard", "train", "extract", "index", "promote"} & {
            stage["name"].split("-")[0] for stage in stages
        } >= {"plan", "train", "extract", "index", "promote"}
        keys = {each["key"] for each in orchestra.ask("artifacts/latest/filter")}
        assert keys >= {"toy-plan", "toy-progress", "toy-ledger", "toy-metrics", "toy-answers"}

    def test_after_an_outage_only_the_latest_missed_night_runs(
        self, orchestra: "Orchestra"
    ) -> None:
        from tests.flows.orchestra import wait

        _deploy(orchestra, "missed", "toy.yaml", cron="0 2 * * *")
        store, now = Store(str(orchestra.home / "store")), datetime.now(UTC)
        nights = len(store.names("runs/toy"))
        deployment = orchestra.ask("deployments/filter", deployments={"name": {"any_": ["missed"]}})
        orchestra.ask(
            f"deployments/{deployment[0]['id']}/schedule",
            start_time=(now - timedelta(days=4)).isoformat(),
            end_time=now.isoformat(),
            min_runs=4,
        )
        due = now.isoformat()
        missed = [r["id"] for r in orchestra.runs("missed") if r["expected_start_time"] < due]
        assert len(missed) == 4
        worker = orchestra.worker()

        def states() -> list[str]:
            names = {run["id"]: run["state_name"] for run in orchestra.runs("missed")}
            return [names[run] for run in missed]

        wait(lambda: set(states()) <= {"Skipped", "Completed", "Failed"}, 500, "them to end")
        orchestra.stop(worker)
        assert states() == ["Skipped", "Skipped", "Skipped", "Completed"]
        assert len(store.names("runs/toy")) == nights + 1

    def test_a_held_night_has_a_state_of_its_own(self, orchestra: "Orchestra") -> None:
        from tests.flows.orchestra import wait

        _recipe(orchestra.home, orchestra.home / "pictures", "gates: {min_rows: 99}\n", "held")
        _deploy(orchestra, "held", "held.yaml")
        worker = orchestra.worker()
        orchestra.say("deployment", "run", "reindex/held")
        (run,) = wait(lambda: orchestra.states("held", "Held"), 200, "the night to be held")
        orchestra.stop(worker)
        assert (run["state_type"], run["state"]["message"]) == ("COMPLETED", "Held by min_rows.")

    def test_a_cancelled_night_leaves_the_store_clean(self, orchestra: "Orchestra") -> None:
        from tests.flows.orchestra import wait

        endless = TRAIN.replace("epochs: 1", "epochs: 100000")
        _recipe(orchestra.home, orchestra.home / "pictures", "", "endless", endless)
        _deploy(orchestra, "endless", "endless.yaml")
        store = Store(str(orchestra.home / "store"))
        worker = orchestra.worker()
        orchestra.say("deployment", "run", "reindex/endless")
        wait(lambda: holder(store, "endless"), 200, "the night to take its lease")
        wait(lambda: list(orchestra.home.glob("nightjar-*")), 60, "its workspace")
        (run,) = wait(lambda: orchestra.states("endless", "Running"), 60, "the run to be running")
        orchestra.ask(f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"}, force=False)
        wait(lambda: orchestra.states("endless", "Cancelled"), 200, "the run to be cancelled")
        orchestra.stop(worker)
        assert holder(store, "endless") is None
        assert Alias(store, "endless").current() is None
        assert not list(orchestra.home.glob("nightjar-*"))

    def test_the_command_is_a_flow_run_where_a_server_is_configured(
        self, orchestra: "Orchestra"
    ) -> None:
        import json
        import subprocess
        import sys

        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "reindex", "toy.yaml", "--json"],
            cwd=orchestra.home,
            env=orchestra.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["listed"] == 8
        by_hand = {"deployment_id": {"is_null_": True}}
        (run,) = orchestra.ask("flow_runs/filter", flow_runs=by_hand)
        assert (run["name"], run["state_name"]) == ("toy.yaml", "Completed")


def _deploy(orchestra: "Orchestra", name: str, recipe: str, **schedule: str | int) -> None:
    """Deploy the project's own file under NAME for RECIPE, by SCHEDULE or on demand."""
    found: dict[str, Any] = yaml.safe_load((HOME / "prefect.yaml").read_text())
    schedules = [schedule | {"active": True}] if schedule else []
    changed = {"name": name, "parameters": {"recipe": recipe}, "schedules": schedules}
    found["deployments"] = [found["deployments"][0] | changed]
    (orchestra.home / "prefect.yaml").write_text(yaml.safe_dump(found))
    orchestra.say("deploy", "--all")


def _recipe(
    folder: Path, root: Path, more: str = "", name: str = "toy", train: str = TRAIN
) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\nsource: {{dataset: folder, root: {root}}}\ntrain: {train}\n"
        f"evaluate: {{queries: 8, k: 10}}\n{more}"
    )
    return path
