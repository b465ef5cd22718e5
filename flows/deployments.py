"""The flows as Prefect knows them: deployed by ``prefect.yaml``, scheduled, watched, cancelled.

The work is in `flows.reindex`; here are its states, its tasks and what a person reads of it in
Prefect. A night that a gate holds ends Completed under the name ``Held``, so that an automation can
raise the alarm on it; one that a newer one makes needless is Cancelled under the name ``Skipped``.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, TypeVar, cast

from prefect import flow, get_client, task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Completed
from prefect.types import DateTime

from data.plan import digest_of
from data.store import Store
from flows.artifacts import ProgressArtifact, publish_ledger, publish_plan
from flows.gather import write_report
from flows.night import Progress, quiet
from flows.recipe import Recipe
from flows.reindex import reindex as night
from tasks.balance import Ledger
from tasks.extract import Limits
from tasks.training.train import TrainPlan, trained

R = TypeVar("R")

HELD: Final = "Held"
SKIPPED: Final = "Skipped"
RETRIES: Final = 2
RETRY_SECONDS: Final = 10
DUE: Final = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]
"""The states of a newer run that leave nothing for an older one to do."""

watcher: ContextVar[Progress] = ContextVar("watcher", default=quiet)
"""Who else watches the progress: the command, when it runs the flow in its own process."""


@flow(name="reindex", flow_run_name="{recipe}", persist_result=False)
def reindex(
    recipe: str,
    accept: list[str] | None = None,
    max_embeds: int | None = None,
    max_minutes: float | None = None,
) -> State[Any]:
    """Bring the index of RECIPE up to its source and publish it if it searches as well as before.

    Args:
        recipe: a recipe file, seen from where the deployment was made, or a shipped recipe's name.
        accept: gates that a person waves through.
        max_embeds: embed at most so many images; the rest waits for the next night.
        max_minutes: begin no new work after so many minutes.
    """
    if newer := newer_due():
        message = f"{newer.name} of {newer.expected_start_time} is due as well and does this work."
        return Cancelled(name=SKIPPED, message=message)
    plan, store = Recipe.named(recipe), Store()
    ledger = night(
        plan,
        store=store,
        accept=tuple(accept or ()),
        limits=Limits(max_embeds=max_embeds, max_minutes=max_minutes),
        progress=ProgressArtifact(plan.name, watcher.get()),
        stage=partial(as_task, plan.name),
    )
    write_report(store, plan, ledger)
    publish_ledger(store, ledger)
    if ledger.held_by:
        return Completed(name=HELD, message=f"Held by {', '.join(ledger.held_by)}.", data=ledger)
    return Completed(message=f"Search uses {ledger.production}.", data=ledger)


def as_task(recipe: str, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Run one stage of RECIPE as a Prefect task: seen, timed, tried again when the ground gave way.

    A stage that `PURE` names is not run at all where its plan has been carried out before; Prefect
    shows it as cached.
    """
    name = work.__name__
    known = PURE[name](*args, **kwargs) if name in PURE else None

    # a closure, so that Prefect neither walks through nor hashes the tables it is handed
    @task(
        name=name,
        description=(work.__doc__ or "").split("\n")[0],
        cache_policy=CacheKeyFnPolicy(cache_key_fn=lambda _, __: known) if known else NO_CACHE,
        persist_result=known is not None,
        result_serializer="json",
        retries=RETRIES,
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=passing,
    )
    def stage() -> R:
        return work(*args, **kwargs)

    result = stage()
    if name == "plan":
        publish_plan(recipe, result)  # type: ignore[arg-type]
    return result


def passing(_: Any, __: TaskRun, state: State[Any]) -> bool:
    """Whether the failure that STATE tells of may be gone in a moment: a disk's or a network's."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)


def train_key(store: Store, dataset: str, version: int, plan: TrainPlan, *_: Any) -> str | None:
    """What names the outcome of a training; None where its encoder is not in the store."""
    encoder = trained(store, dataset, plan)
    return f"train-{digest_of([store.root, dataset, plan.digest, encoder])}" if encoder else None


PURE: Final[Mapping[str, Callable[..., str | None]]] = {"train": train_key}
"""Stages whose result depends on their plan alone, and what it is cached by. The other stages keep
their own account in the store: what is there already is not done again."""


def run_here(recipe: str, accept: list[str], limits: Limits, progress: Progress) -> Ledger:
    """The ledger of a flow run of `reindex` in this process, recorded by the configured server.

    Raises:
        Exception: whatever the night raised.
    """
    watcher.set(progress)
    # the heartbeat thread makes every flow run end a second late
    with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        state: State[Any] = reindex(
            recipe,
            accept=accept,
            max_embeds=limits.max_embeds,
            max_minutes=limits.max_minutes,
            return_state=True,
        )
    return cast(Ledger, state.result())


def newer_due() -> FlowRun | None:
    """The newest other run of this deployment that is due, where this one came from a schedule.

    After an outage every missed night is late at once, and each would do the same work: the newest
    does it. A run that a person started neither waits nor gives way.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or not run.auto_scheduled or not run.deployment_id:
        return None
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
        expected_start_time=FlowRunFilterExpectedStartTime(
            after_=run.expected_start_time,
            before_=DateTime.now("UTC"),
        ),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=DUE)),
    )
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=2
        )
    return next((other for other in found if other.id != run.id), None)
