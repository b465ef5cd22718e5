"""The command ``nightjar``: a verb a function, its docstring the help, engines imported inside."""

from flows.cli import (
    benchmark,
    captions,
    datasets,
    lab,
    look,
    methods,
    move,
    night,
    papers,
    protocols,
    search,
    start,
)
from flows.cli.app import app, main

__all__ = [
    "app", "benchmark", "captions", "datasets", "lab", "look", "main", "methods", "move", "night",
    "papers", "protocols", "search", "start",
]  # fmt: skip
