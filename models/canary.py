"""Sixteen fixed pictures by which an encoder proves that it is still the one that was trained.

Another machine may hold other libraries, another device, a wrong weight. What it makes of these
pictures must agree with what the encoder's card says, or its descriptors would poison an index.
Eight are pixels, made by integer arithmetic; six are PNG and two JPEG files, so that decoding and
resizing are proved too.
"""

import base64
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch.nn import functional

TOLERANCE: Final = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 2e-2}
"""The greatest cosine distance between a canary's features and its reference, by precision."""

_JPEGS: Final = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ"
    "c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAwAEgDASIAAhEBAxEB/8QAGQAAAwEBAQAAAAAAAAAAAAAA"
    "AQIEAAMF/8QAMBAAAgEDAwMBBgUFAAAAAAAAAQIDAAQREiExE0FRcSIyQmHB8COBsdHxBUORoeH/xAAYAQEBAQEB"
    "AAAAAAAAAAAAAAACAwQBAP/EACgRAAEDAgQGAgMAAAAAAAAAAAEAAhEDIRIiMWFBUYGhsfDR4UJxwf/aAAwDAQAC"
    "EQMRAD8A1/euPw4ic53A8fOp47T+5duFHOM0qHp5IGpzya7x2plPUupNKeM4qxIogNGqQDTmYLczonSdpcQWUeFG"
    "xbHFBXSNsbyynk+K7dYOrQWsYSM7F/NFDFbbKNch7/Os4tLnKFepo0FKY2CdW5YgDYKBufQVO4j1iW5wAPcjXcf9"
    "NaW4eWQYAdgNsbgV1jgjixLdNqYbhc/f+tqBJdE2HABUpMLBiNvPRFI7m/GhFEVuPIxkUHe2sg6Qe0++ZNjimubm"
    "Yw5A6UPCrxq7YqCOHUMynCjtV6VKRJ02SqMkDFYbp0eWY6LdSM+85/XNau0bvKNFumhO7ea1VNUNtIHVdQjGk5xk"
    "iqY7UuOpdOQg+HOM0IwI8BV1N+lGSOV3w7AAc47GsxhoJdbydlN9QAYtd/gIMy+0IwEjHJ4AHrUX4l1JiDUIu7Ee"
    "99TVFwIwMzsFiXcIPj9f2oR9W5AWJenDwPmK4JdmP0EKQw5tPKMarF7EQ1t55/SqViSAdW4HVc+6ufv9qAaO2QhS"
    "NtyzEY/zUE1605Kw5bsWP08CqtYTc6efgK4tm03OpTXEzSPqkYE8YHA+QHitHEGw85wg+GljTpYaQ5c9h2qqOEH8"
    "S4YgD4RSc/gPfeS4TJxdz/AmiMk3swppTzWpzcMRphXSOM1qxuqQconpKYa5wkJhNFAmoEMc4yN8H6V5839ReWTT"
    "CA7eeR/NPFFHbnqSMWk+R700MBMhlkKwx8ABQNq05XGYtw3+kKlFzcznSkhtUXE95KZH5CDf8vvarV1SRF2xb2yd"
    "ztkcfn6VOrB5QLZGfHJfj+Kpuoswq105LLskaDYH0oue1rg03KIcG31PYLzrsLcuNJaOEcA8n18ffrSxsq4S3TJ4"
    "LeKSRA5wrM7/ACORV1rGlpFqmYFuyj73qpkgT78lee8nMbe8loYCh1MDJId8DtQlkUE6mViPG6ilubmd486TFExI"
    "A4Lff1rlHCDhpjhR2rOSXbBXpU/zd3Ra4kcYiBA4LVq6PIrgJEuAK1PC1oGKyNSsQ6GuA/a//9k=",
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ"
    "c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/wAALCABAADABAREA/8QAGQABAQEBAQEAAAAAAAAAAAAAAgMBBAAF/8QA"
    "LxAAAgAEBQMDAgYDAAAAAAAAAQIAESExAxIiYZEyQXGBgrEToQQUQlHw8WKy0f/aAAgBAQAAPwDjFL9IqBMXNLe0"
    "8wlYghrstq9l/wCkHmKqpUAEz7P8t8HmENNDYVApewp4B5hTkCSM2Wf6rhd9yDzCyle1f1AbfNjzHKARQiYFQN7C"
    "ngHmKLo1dRW2rsu+5B5hyYGU70eo8n/U8whPv0ioExc0t7TzFBNdRqV3FQu+8jzGqMrlbkCb7n+AxAAihsKi17D7"
    "A8w1muo1KbioXfeR5hhSumf+LGY8n4PMKeUEt0rquO+3tPMY2I1ZTzLIA+P6J9Y9gLkxBKs+reVvPSeYwAihEwK9"
    "r2H2B5hia6jUruKhd95HmNZvpgrUtKTb9z8EesTfUx+oZoDaXNPaY8J9R6x/D9lPMJSMMqzMAJgtOljIfB5ihORS"
    "W6VrKl7W8KeYD4zVyzzCQB8f0eYmAVr6tS8qetjzHiMPCkmIRlFAJXkR28j7xBvxDM4GHITp9SRJrKw9R94iR+YY"
    "tiGU6qZWnQeOpeI+hijM0nM1HaX7Xp7TEy+GjAOw+oKWJuR/PWOf8w7zKAJORFJ5qACfqQeYkEnqWjtQmtvPuXiG"
    "MJW0KJI+1i222ZeIYwxi7C6bA09OocRM4uJi4YUELMSCiwFKz8svBjBhK2hRJHvSxbbbMvEMIHrKUq4dLToPHUvE"
    "MJPUtHahNbefcvEMYStoUSR70sW22zLxFAgdf2zGSbA/HUvEcoUnUtHak9jv5ZeIYwlbQokj7WLbbZl4hhA9ZSlX"
    "DpadB46l4igSepaO1Ca28+5eIYwlbQulHvSxbbbMvEMgMCTJFAkpJGkG/iWZeI//2Q==",
)
"""Two small photographs of nothing, colour and grey, once drawn by `picture` and kept as files."""


class CanaryMismatch(RuntimeError):
    """An encoder does not see in the canary set what its card says that it should."""


class Encodes(Protocol):
    """What the canary set asks of an embedder."""

    def pixels(self, content: bytes) -> torch.Tensor:
        """The picture in CONTENT as (3, S, S) uint8."""

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features (B, D) float32 of PIXELS (B, 3, S, S) uint8."""


def features(embedder: Encodes) -> torch.Tensor:
    """What EMBEDDER sees in the canary set, (16, D) float32."""
    return embedder.features(images(embedder)).float().cpu()


def images(embedder: Encodes) -> torch.Tensor:
    """The canary set as EMBEDDER is shown it, (16, 3, S, S) uint8: eight as drawn, eight files."""
    files = torch.stack([embedder.pixels(content) for content in pictures()])  # (8, 3, S, S)
    drawn = torch.stack([picture(n, files.shape[2], files.shape[3]) for n in range(8)])
    return torch.cat([drawn, files])


def reference(embedder: Encodes) -> dict[str, Any]:
    """What the card of EMBEDDER keeps, for JSON: the shape, and the float32 values in base64.

    Raises:
        FloatingPointError: it makes nothing of a canary by which it could prove itself.
    """
    made = features(embedder)
    lengths = made.norm(dim=1)  # (16,)
    lost = int((~(lengths.isfinite() & (lengths > 0))).sum())
    if lost:
        raise FloatingPointError(
            f"The encoder makes no finite numbers, or zeros alone, of {lost} of {len(made)} canary "
            "pictures, so it was not kept: its training diverged at the end, or the weights that "
            "it began with are damaged. Choose a smaller lr, or other pretrained weights."
        )
    seen = made.numpy().astype("<f4")
    return {"shape": list(seen.shape), "float32": base64.b64encode(seen.tobytes()).decode()}


def compare(seen: torch.Tensor, kept: Mapping[str, Any], precision: str) -> None:
    """Return if the features SEEN agree with the KEPT reference as far as PRECISION allows.

    Raises:
        CanaryMismatch: they do not; says which picture is farthest off, by how much.
    """
    try:
        values = np.frombuffer(base64.b64decode(kept["float32"]), "<f4").reshape(kept["shape"])
    except (LookupError, TypeError, ValueError) as error:
        raise CanaryMismatch(f"The card's canary reference cannot be read: {error}") from error
    wanted = torch.from_numpy(values.copy())
    if wanted.shape != seen.shape:
        raise CanaryMismatch(
            f"The canary features are {tuple(seen.shape)}, but the card's {tuple(wanted.shape)}."
        )
    distances = 1 - functional.cosine_similarity(seen, wanted)  # (16,)
    distances = distances.nan_to_num(nan=2.0)
    worst = int(distances.argmax())
    if distances[worst] > TOLERANCE[precision]:
        off = int((distances > TOLERANCE[precision]).sum())
        raise CanaryMismatch(
            f"{off} of {len(seen)} canary pictures are off: number {worst} by "
            f"{distances[worst]:.2e} in cosine distance, {TOLERANCE[precision]:.0e} allowed at "
            f"{precision}. The weights, the transform or a library differ from what was trained."
        )


@cache
def pictures() -> tuple[bytes, ...]:
    """The eight canary files, made once a process."""
    sides = ((97, 61), (64, 64), (33, 120), (150, 150), (28, 28), (256, 192))
    drawn = [png(picture(8 + n, height, width)) for n, (width, height) in enumerate(sides)]
    return (*drawn, *(base64.b64decode(text) for text in _JPEGS))


def picture(number: int, height: int, width: int) -> torch.Tensor:
    """Canary NUMBER as (3, H, W) uint8: discs, stripes and slopes in whole numbers only."""
    y, x = (axis.astype(np.int32) for axis in np.ogrid[0:height, 0:width])
    y, x = y * 256 // height, x * 256 // width  # the same drawing at every size
    planes = []
    for channel in range(3):
        turn = 37 * number + 91 * channel
        slope = (x * (number % 5 + 1) + y * (channel + 2)) // 4 + turn
        stripes = ((x * (2 + channel) + y * (1 + number % 3)) >> (4 + number % 3)) % 2 * 96
        far = (x - turn % 256) ** 2 + (y - 3 * turn % 256) ** 2
        disc = np.where(far < (40 + 11 * number) ** 2, 128, 0)
        planes.append((slope + stripes + disc) % 256)
    return torch.from_numpy(np.stack(planes).astype(np.uint8))


def png(image: torch.Tensor) -> bytes:
    """IMAGE (3, H, W) uint8 as a PNG file, without the help of an image library."""
    _, height, width = image.shape
    rows = image.permute(1, 2, 0).numpy().reshape(height, width * 3)
    body = b"".join(b"\0" + row.tobytes() for row in rows)  # filter 0: as it is
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(body, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
