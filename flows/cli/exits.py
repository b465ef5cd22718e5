"""How a command ends: the exit codes, and which exception means which, in one place."""

import os
import sys
import traceback
from typing import Final

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
HELD: Final = 3
BUDGET: Final = 4
INTERRUPTED: Final = 130

DEBUG: Final = "NIGHTJAR_DEBUG"

CODES: Final = {
    "flows.cli.exits.Misuse": USAGE,
    "flows.cli.exits.Unwell": FAILED,
    "tasks.extract.FailureBudgetExceeded": BUDGET,
    "tasks.gates.HeldByGate": HELD,
    "tasks.balance.UnbalancedLedger": FAILED,
    "tasks.worker.WorkFailed": FAILED,
    "tasks.stage.MissingDescriptor": FAILED,
    "data.delta.DuplicateKeys": FAILED,
    "data.descriptors.DamagedPart": FAILED,
    "data.lease.LeaseHeld": FAILED,
    "data.lease.LeaseLost": FAILED,
    "data.aliases.AliasMoved": FAILED,
    "tasks.export.ExportDiffers": FAILED,
    "models.canary.CanaryMismatch": FAILED,
    "models.text.base.NoText": USAGE,
    "models.extras.MissingExtra": FAILED,
    "builtins.ValueError": FAILED,
    "builtins.OSError": FAILED,
    "builtins.FloatingPointError": FAILED,
}
"""Exceptions whose message is written for the person at the keyboard, by name: naming them spares
the command the import of every engine. A subclass counts as its nearest named ancestor; whatever is
not here is a fault of ours and keeps its traceback."""


class Misuse(Exception):
    """A word on the command line that cannot be right."""


class Unwell(Exception):
    """A check that a command ran to its end and that found something wrong."""


def code_of(error: BaseException) -> int | None:
    """The exit code that ERROR means; None where it is nothing a person did."""
    for kind in type(error).__mro__:
        code = CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return None


def tell(error: BaseException) -> int:
    """Say on stderr what went wrong, without a traceback where it is not ours; the exit code."""
    code = code_of(error)
    if code is None or os.environ.get(DEBUG):
        traceback.print_exception(error, file=sys.stderr)
        return FAILED if code is None else code
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename and error.strerror:
        message = f"{error.strerror}: {error.filename}"
    sys.stderr.write(f"nightjar: {message}\n")
    return code
