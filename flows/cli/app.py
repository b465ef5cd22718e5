"""The application that the verbs hang on: global options, how errors end, what many verbs share."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from flows.cli.exits import DEBUG, FAILED, INTERRUPTED, Misuse, tell
from flows.orchestration import SILENT

if TYPE_CHECKING:
    from data.store import Store
    from flows.recipe import Recipe


ORDER = (
    "demo", "init", "plan", "reindex", "search", "captions", "report", "explain", "duplicates",
    "versions", "diff", "promote", "rollback", "tune", "clean", "verify", "datasets", "table",
    "download", "protocols", "methods", "train", "evaluate", "benchmark", "export", "chaos",
    "doctor",
)  # fmt: skip
"""The commands as a newcomer meets them."""


class Verbs(TyperGroup):
    """All commands; whatever one of them raises ends here as a message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands' names in the order of `ORDER`."""
        return sorted(self.commands, key=ORDER.index)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that CTX names."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.stderr.write("\nnightjar: interrupted; what is finished is used by the next run\n")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # whoever read along, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message"):
                raise  # the parser's own: a usage message and exit code 2
            raise typer.Exit(tell(error)) from None


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Keeps an image search index true while the images change.",
    epilog="Exit codes: 0 fine, 1 failed, 2 usage, 3 held by a gate, 4 failure budget. "
    "The store is NIGHTJAR_STORE (default: store/).",
)

RecipeWord = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")
]
RecipeOption = Annotated[
    str,
    typer.Option(
        "--recipe", "-r", metavar="RECIPE", help="A recipe file, or a shipped one's name."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.callback()
def settings(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from (also NIGHTJAR_DEBUG=1).")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Settings that hold for every command."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("nightjar"))
        raise typer.Exit
    if debug:
        os.environ[DEBUG] = "1"
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)


def main() -> None:
    """Run the command that the process was started with; SIGTERM ends it as an exception would."""
    signal.signal(signal.SIGTERM, _terminated)
    app(prog_name="nightjar")


def the_store() -> "Store":
    """The store that NIGHTJAR_STORE names."""
    from data.store import Store

    return Store()


def the_recipe(word: str) -> "Recipe":
    """The recipe that WORD names.

    Raises:
        Misuse: WORD names none, or its file is not a recipe.
    """
    with _unsearched():
        from flows.recipe import Recipe

    try:
        return Recipe.named(word)
    except (FileNotFoundError, ValueError) as error:
        raise Misuse(str(error)) from error


def the_bytes(path: str) -> bytes:
    """The content of the file PATH, which a person named.

    Raises:
        Misuse: there is no such file.
    """
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise Misuse(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def _unsearched() -> Iterator[None]:
    """Without searches for garbage, the first imports within; what they make lives to the end.

    It is hundreds of thousands of objects. To look through them while they come, and again when the
    process ends, takes a fifth of a second. DuckDB is imported later on, for at the end it names
    on stderr whatever of its own was not cleared away.
    """
    if "flows.recipe" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _terminated(number: int, frame: FrameType | None) -> None:
    """Unwind the stack, so that the lease is given back and the workspace removed."""
    sys.exit(128 + number)
