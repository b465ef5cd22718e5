"""The verb that asks an index: search."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import show
from flows.cli.app import Json, RecipeOption, app, the_recipe, the_store
from flows.cli.asked import asked_with, images_of
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from data.conditions import Where
    from data.store import Store
    from models.reranking import Reranking
    from models.weights import Embedder
    from tasks.searching.question import Question

Rows = list[dict[str, Any]]


@app.command()
def search(
    recipe: RecipeOption,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Image files.")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Ask with this part of the IMAGE, in pixels, or in percent: percent:25,25,50,50.",
        ),
    ] = None,
    by_image: Annotated[
        bool, typer.Option("--by-image", help="Of an index of boxes: each image once, by its best.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--as", metavar="FORM", help="What the files are: image; or sketch, a drawing."
        ),
    ] = "image",
    together: Annotated[
        bool, typer.Option("--together", help="One answer to all images: what is like all of them.")
    ] = False,
    unlike: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="IMAGE", help="An image whose like is not wanted."),
    ] = None,
    beta: Annotated[float, typer.Option(min=0, help="How much those of --not count.")] = 0.5,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="WORDS", help="Words that say what to look for; may be repeated."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    offset: Annotated[
        int, typer.Option(min=0, help="Leave out so many from the front, for the next page.")
    ] = 0,
    radius: Annotated[
        int | None,
        typer.Option(min=0, help="Leave out what differs in more bits; binary indexes only."),
    ] = None,
    diversify: Annotated[
        float | None,
        typer.Option(min=0, help="Leave out what is so near, or nearer, to one shown before it."),
    ] = None,
    rerank: Annotated[
        str,
        typer.Option(
            metavar="WORDS", help="Put the first into a better order: 'alpha_qe:n=5,alpha=2'."
        ),
    ] = "",
    depth: Annotated[int, typer.Option(min=1, help="How many are re-ranked.")] = 100,
    where: Annotated[
        str,
        typer.Option(help="Only images of which this is true: 'label = cat and width >= 640'."),
    ] = "",
    labels: Annotated[
        str, typer.Option(help="Only images with these labels: 'dog and not (cat or car)'.")
    ] = "",
    encoder: Annotated[
        str,
        typer.Option(
            metavar="ENCODER", help="Describe the query by this one, trained to fit the index's."
        ),
    ] = "",
    real: Annotated[
        bool, typer.Option("--real", help="Ask binary codes with real numbers; exact.")
    ] = False,
    scales: Annotated[
        str,
        typer.Option(metavar="S,S,…", help="Ask with the mean of IMAGE at these sizes: 1,0.7,0.5."),
    ] = "",
    at: Annotated[
        str, typer.Option(help="An index version, a run, or @prev; production if left out.")
    ] = "production",
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every row.")] = False,
    json: Json = False,
) -> None:
    """Find the images most like IMAGE, or of which --text is true; of several, those of each.

    Without either: those that are typical of what --where and --labels leave.
    """
    asked = asked_with(images or (), form, real, text or (), box or (), scales)
    away = images_of(unlike or (), "image", scales)
    among = condition(where, labels)
    if not asked and among is None:
        raise Misuse(
            "Nothing is asked with: name an image file, or say --text, --labels or --where."
        )
    by = _steps(rerank)
    name, store = the_recipe(recipe).name, the_store()
    from data.aliases import Alias
    from models.pixels import BadImage
    from tasks.searching.among import unheld
    from tasks.searching.parts import images_found, located
    from tasks.searching.question import Question
    from tasks.searching.search import MixedEncoders, Searcher
    from tasks.searching.versions import resolve

    try:
        questions = [
            Question(
                like=tuple(like),
                unlike=tuple(away),
                beta=beta,
                k=k,
                offset=offset,
                exact=exact,
                radius=radius,
                apart=diversify,
                among=among,
                rerank=by,
                depth=depth,
            )
            for like in ([asked] if together or not asked else [[query] for query in asked])
        ]
    except ValueError as error:
        raise Misuse(str(error)) from error
    place = resolve(store, name, at)
    try:
        other = _encoder(store, encoder) if encoder else None
        searcher = Searcher(store, *place, other, Alias(store, name).probing(place))
    except MixedEncoders as error:
        if not encoder:  # nobody chose it: the index contradicts itself
            raise
        raise Misuse(str(error)) from error
    try:
        find = partial(images_found, searcher) if by_image else searcher.ask
        answers = [(_said(one), located(find(one)).to_pylist()) for one in questions]
    except BadImage as error:
        raise Misuse(str(error)) from error
    if among is not None and not searcher.among(among).rows:
        why = " ".join(["No image satisfies this.", *unheld(searcher.dataset, among)])
        typer.echo(why, err=True)
    if radius is not None and any(len(found) == k for _, found in answers):
        typer.echo(f"There may be more within {radius} bits: raise -k.", err=True)
    tell(answers, json)


def condition(where: str, labels: str) -> "Where | None":
    """What images must satisfy by --WHERE and --LABELS, both where both are said.

    Raises:
        Misuse: one of them cannot be read; shows where.
    """
    from data.conditions import BadWhere, both
    from data.where import labelled
    from data.where import where as read

    try:
        option = "--where"
        first = read(where) if where else None
        option = "--labels"
        return both(first, labelled(labels) if labels else None)
    except BadWhere as error:
        raise Misuse(f"{option} cannot be read. {error}") from error


def tell(answers: Sequence[tuple[str, Rows]], json: bool) -> None:
    """Print ANSWERS, each to what was said; as JSON a list of rows, or of several such lists."""
    from data.regions import parted

    if json:
        several = [{"query": said, "found": found} for said, found in answers]
        show.machine(answers[0][1] if len(answers) == 1 else several)
        return
    for said, found in answers:
        if len(answers) > 1:
            typer.echo(f"{said}:")
        scored = bool(found) and "score" in found[0]
        which = ("image", "box") if any("box" in row for row in found) else ("key",)
        head = ("rank", *(["score"] if scored else []), "distance", *which, "labels")
        shown = [row | {"box": str(parted(row["key"])[1] or "")} for row in found]
        cells = [["" if row[name] is None else row[name] for name in head] for row in shown]
        show.table(cells, head=head)


def _said(question: "Question") -> str:
    """What QUESTION asks with, in a person's words."""
    return " + ".join(query.said for query in question.like)


def _steps(said: str) -> "tuple[Reranking, ...]":
    """The re-ranking that was SAID.

    Raises:
        Misuse: there is none of that name, or with those options.
    """
    if not said:
        return ()
    from tasks.searching.rerank import steps

    try:
        return steps(said)
    except ValueError as error:
        raise Misuse(str(error)) from error


def _encoder(store: "Store", word: str) -> "Embedder":
    """The encoder whose digest begins with WORD.

    Raises:
        Misuse: there is none in STORE, or several; names what there is.
    """
    from tasks.encoders import load_encoder, the_encoder

    try:
        return load_encoder(store, the_encoder(store, word))
    except (FileNotFoundError, ValueError) as error:
        raise Misuse(str(error)) from error
