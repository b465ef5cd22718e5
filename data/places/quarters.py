"""Places to walk through: a harbour, a market, an orchard, a station, a terrace, a square.

Each function draws on the near layer, on ground that begins at BASE, and returns the kind of that
ground.
"""

from typing import Final

from data.places.buildings import WIDTH, Layer, house, roof, row, tree
from data.places.textures import shade, tint

CENTRE: Final = WIDTH / 2


def harbour(on: Layer, base: float) -> str:
    """Draw narrow houses along a quay, boats before them."""
    x = 40.0
    while x < WIDTH - 40:
        width = on.rng.uniform(34, 58)
        house(
            on,
            x,
            base,
            width,
            on.rng.uniform(60, 130),
            str(on.rng.choice(["gable", on.style.gable])),
        )
        x += width
    on.box(0, base + 7, WIDTH, 9, shade(on.style.trim, 0.7))
    for _ in range(int(on.rng.integers(2, 6))):
        _boat(on, on.rng.uniform(140, 500), base + on.rng.uniform(22, 66), on.rng.uniform(26, 54))
    return "water"


def _boat(on: Layer, x: float, y: float, size: float) -> None:
    """Draw a boat with a mast, and with some luck a sail."""
    hull = tint(on.style.accent if on.rng.random() < 0.6 else (224, 220, 210), on.rng, 20)
    on.fill(
        [
            (x - size / 2, y - size * 0.2),
            (x + size / 2, y - size * 0.2),
            (x + size * 0.36, y),
            (x - size * 0.36, y),
        ],
        hull,
    )
    on.box(x - size * 0.2, y - size * 0.2, size * 0.25, size * 0.16, (216, 208, 196))
    on.stroke([(x, y - size * 0.2), (x, y - size * 1.3)], (70, 60, 52), 1.4)
    if on.rng.random() < 0.5:
        sail = [
            (x + 1, y - size * 1.25),
            (x + 1, y - size * 0.3),
            (x + size * 0.45, y - size * 0.3),
        ]
        on.fill(sail, tint((232, 222, 204), on.rng, 14))


def market(on: Layer, base: float) -> str:
    """Draw stalls under striped awnings before a row of houses."""
    row(on, base - 8, 70, 120)
    for i in range(int(on.rng.integers(3, 6))):
        x, y = 120 + i * on.rng.uniform(70, 96), base + on.rng.uniform(6, 30)
        width, cloth = on.rng.uniform(52, 74), tint(on.style.accent, on.rng, 26)
        for post in (x + 3, x + width - 3):
            on.stroke([(post, y), (post, y - 40)], (82, 66, 54), 2)
        on.box(x, y, width, 16, tint((132, 100, 70), on.rng, 12))
        for fruit in range(9):
            on.disc(
                x + 5 + fruit * (width - 10) / 8, y - 17, 4, 4, tint((190, 120, 60), on.rng, 46)
            )
        stripes = int(on.rng.integers(4, 9))
        for stripe in range(stripes):
            left, step = x - 5 + stripe * (width + 10) / stripes, (width + 10) / stripes
            slant = [
                (left, y - 36),
                (left + step, y - 36),
                (left + step * 0.9 + 4, y - 54),
                (left + 4, y - 54),
            ]
            on.fill(slant, cloth if stripe % 2 else (232, 226, 214))
    return str(on.rng.choice(["cobbles", "paving", "chequers"]))


def orchard(on: Layer, base: float) -> str:
    """Draw rows of trees, a wall and a small house."""
    house(
        on, CENTRE + on.rng.uniform(-120, 60), base, on.rng.uniform(60, 104), on.rng.uniform(34, 60)
    )
    for depth in range(3):
        count = int(on.rng.integers(3, 6))
        for i in range(count):
            x = 90 + 460 * (i + 0.5 * (depth % 2) + on.rng.uniform(-0.1, 0.1)) / count
            tree(on, x, base + 6 + depth * 22, 44 + depth * 16 + on.rng.uniform(-6, 6))
    on.box(60, base + 14, on.rng.uniform(120, 300), 16, on.style.walls[-1])
    return str(on.rng.choice(["grass", "gravel"]))


def station(on: Layer, base: float) -> str:
    """Draw a long hall with an arcade and a clock."""
    left, right, tall = on.rng.uniform(70, 130), on.rng.uniform(500, 570), on.rng.uniform(58, 84)
    on.box(left, base, right - left, tall, on.style.walls[0])
    roof(on, left, base - tall, right - left, str(on.rng.choice(["hip", "flat"])))
    arches = int(on.rng.integers(6, 13))
    step = (right - left) / arches
    for arch in range(arches):
        x, wide = left + step * (arch + 0.2), step * 0.6
        on.disc(x + wide / 2, base - tall * 0.52, wide / 2 + 2, wide / 2 + 2, on.style.trim)
        on.disc(x + wide / 2, base - tall * 0.52, wide / 2, wide / 2, (50, 54, 62), 200)
        on.box(x, base, wide, tall * 0.52, (50, 54, 62), 200)
    middle, wide = on.rng.uniform(270, 370), on.rng.uniform(50, 80)
    high = tall + on.rng.uniform(26, 60)
    on.box(middle - wide / 2, base, wide, high, on.style.walls[1])
    roof(
        on,
        middle - wide / 2,
        base - high,
        wide,
        str(on.rng.choice(["gable", "dome", "flat", "stepped"])),
    )
    on.disc(middle, base - high + 22, 14, 14, on.style.trim, 90)
    on.disc(middle, base - high + 22, 11, 11, (240, 236, 224), 230)
    on.stroke([(middle, base - high + 22), (middle + 5, base - high + 15)], (40, 40, 44), 2)
    on.box(middle - wide * 0.26, base, wide * 0.52, tall * 0.6, on.style.accent)
    return str(on.rng.choice(["paving", "chequers", "cobbles"]))


def terrace(on: Layer, base: float) -> str:
    """Draw a long row of tall houses with steps and a hedge."""
    row(on, base, 90, 150)
    for step in range(int(on.rng.integers(2, 5))):
        on.box(
            100 + step * 5,
            base + 16 - step * 5,
            440 - step * 10,
            5,
            shade(on.style.trim, 0.9 - 0.06 * step),
        )
    for i in range(int(on.rng.integers(4, 10))):
        tree(on, 110 + i * 46, base + 24, on.rng.uniform(20, 40))
    return str(on.rng.choice(["grass", "gravel", "paving", "cobbles"]))


def square(on: Layer, base: float) -> str:
    """Draw a fountain or a column before houses."""
    row(on, base - 6, 64, 130)
    x, y = CENTRE + on.rng.uniform(-50, 50), base + 34
    if on.rng.random() < 0.5:
        on.disc(x, y, 62, 15, on.style.trim)
        on.disc(x, y - 2, 55, 11, (96, 132, 148))
        for size, up in ((26, 26), (15, 46)):
            on.disc(x, y - up, size, size * 0.28, on.style.trim)
        on.box(x - 4, y - 2, 8, 50, shade(on.style.trim, 0.85))
        for jet in (-18, -9, 9, 18):
            on.stroke(
                [(x, y - 58), (x + jet, y - 50), (x + jet * 1.5, y - 22)], (206, 222, 228), 1.4
            )
    else:
        tall = on.rng.uniform(90, 130)
        for step in range(3):
            on.box(x - 34 + step * 7, y - step * 7, 68 - step * 14, 7, shade(on.style.trim, 0.9))
        on.box(x - 7, y - 20, 14, tall, on.style.walls[-1])
        on.box(x - 11, y - 20 - tall, 22, 5, on.style.trim)
        on.box(x - 5, y - 25 - tall, 10, 20, (72, 92, 84))
        on.disc(x, y - 50 - tall, 5, 5, (72, 92, 84))
    return str(on.rng.choice(["paving", "chequers", "cobbles"]))
