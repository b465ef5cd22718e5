"""``python -m flows.cli`` is the command, for where no ``nightjar`` is on the path."""

import flows.cli

flows.cli.main()
