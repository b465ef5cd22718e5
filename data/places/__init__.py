"""Generated photographs of places, for the demo and for tests: nothing to download.

A place is a scene in two and a half dimensions; its photographs differ in standpoint, crop, hour,
film and in who walks past. `write_places` makes a folder of them, `a_night_of_changes` does to the
folder what a day does to a real one.
"""

from data.places.album import photograph, place_name
from data.places.folder import Night, a_night_of_changes, photograph_key, write_places

__all__ = [
    "Night",
    "a_night_of_changes",
    "photograph",
    "photograph_key",
    "place_name",
    "write_places",
]
