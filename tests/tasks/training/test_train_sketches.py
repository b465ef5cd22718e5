"""What a recipe says of drawings: plans without them go by the names that they always had."""

import pytest

from tasks.train import TrainPlan
from tests.tasks.training.courses import plan


def test_plans_without_sketches_go_by_the_names_that_they_always_had() -> None:
    plain, said = plan(), plan().model_dump(mode="json")
    assert {"see", "sketches"} < set(said)
    assert plain.purpose == plan(see="colours", sketches=0).purpose
    assert len({plain.purpose, plan(see="edges").purpose, plan(sketches=0.5).purpose}) == 3
    assert "see" not in plain.spec().model_dump(mode="json")["transform"]
    assert plan(see="edges").spec().transform.see == "edges"
    older = TrainPlan.model_validate(
        {name: value for name, value in said.items() if name not in ("see", "sketches")}
    )
    assert older.purpose == plain.purpose


def test_drawings_of_drawings_are_refused() -> None:
    with pytest.raises(ValueError, match="would draw drawings: leave one of them out"):
        plan(see="edges", sketches=0.3)
    with pytest.raises(ValueError, match="sketches"):
        plan(sketches=1.5)
