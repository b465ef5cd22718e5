"""Which Prefect server is configured here, found out without importing Prefect (1.5 s)."""

import os
from collections.abc import Mapping
from pathlib import Path

SILENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What keeps the engines from phoning home, for every process that a command starts."""


def server_url(environment: Mapping[str, str] = os.environ) -> str:
    """The URL of the API that Prefect would use, empty where none is configured.

    The environment's ``PREFECT_API_URL`` wins; then the active profile of ``profiles.toml`` in
    ``PREFECT_HOME`` (default ``~/.prefect``), where ``prefect config set`` writes it.
    """
    if "PREFECT_API_URL" in environment:
        return environment["PREFECT_API_URL"]
    import tomllib

    home = Path(environment.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(environment.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    if not path.is_file():
        return ""
    try:
        stored = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"Prefect's profiles in {path} are not TOML: {error}") from error
    active = environment.get("PREFECT_PROFILE") or stored.get("active", "")
    return str(stored.get("profiles", {}).get(active, {}).get("PREFECT_API_URL", ""))


def answers(url: str, seconds: float = 3.0) -> bool:
    """Whether the Prefect API at URL says that it is well within SECONDS."""
    if not url.startswith(("http://", "https://")):
        return False
    import urllib.request

    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=seconds) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
