"""Writes to standard output, as pip constraints, the packages of the environment that runs it."""

import subprocess
import sys

TITLE = "# The environment that the tests ran in. `make constraints` draws it again."


def main() -> None:
    """Freeze this environment: released versions alone, no builds of one machine, no addresses."""
    freeze = [sys.executable, "-m", "pip", "freeze", "--disable-pip-version-check"]
    lines = subprocess.run(
        [*freeze, "--exclude-editable"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    # torch==2.13.0+cpu says where this torch came from; 2.13.0 is met by every build of it
    pins = {line.split("+")[0] for line in lines if "==" in line and "://" not in line}
    sys.stdout.write("\n".join([TITLE, *sorted(pins, key=str.casefold)]) + "\n")


if __name__ == "__main__":
    main()
