"""A recipe whose index is measured in another way than the recipe says, for once."""

from typing import Any, Final

from flows.agreement import check_protocol
from flows.recipe import Recipe
from models.scales import scales_of
from tasks.measuring.plan import EvaluatePlan, RerankPlan
from tasks.searching.rerank import words_and_options

NOTHING: Final = "none"
"""The re-ranking that is none."""


def otherwise(
    recipe: Recipe,
    rerank: str = "",
    depth: int | None = None,
    scales: str = "",
    queries: int | None = None,
) -> Recipe:
    """RECIPE, its queries asked and answered otherwise; what is not said stays as it is.

    Args:
        recipe: the recipe.
        rerank: steps, as `nightjar search --rerank` takes them, or `NOTHING`.
        depth: how many first answers they see.
        scales: at which queries are described, with commas between.
        queries: how many ask at most.

    Raises:
        ValueError: a word is none, or does not go with the rest of the recipe; says what would do.
    """
    plan = recipe.evaluate
    again = plan.rerank
    if rerank == NOTHING:
        again = None
    elif rerank:
        steps, options = words_and_options(rerank)
        again = RerankPlan(steps=steps, options=options)
    if depth is not None:
        if again is None:
            raise ValueError("depth says how many answers are re-ranked, and none are.")
        again = RerankPlan.model_validate({**again.model_dump(), "depth": depth})
    said: dict[str, Any] = {name: getattr(plan, name) for name in EvaluatePlan.model_fields}
    said |= {"rerank": again} if again != plan.rerank else {}
    said |= {"scales": scales_of(scales)} if scales else {}
    said |= {"queries": queries} if queries is not None else {}
    changed = EvaluatePlan.model_validate(said)
    check_protocol(recipe.source, recipe.train, changed)
    return recipe.model_copy(update={"evaluate": changed})
