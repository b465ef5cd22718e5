"""The command ``nightjar``: a verb a function, its docstring the help, engines imported inside."""

from flows.cli import lab, look, move, night, start
from flows.cli.app import app, main

__all__ = ["app", "lab", "look", "main", "move", "night", "start"]
