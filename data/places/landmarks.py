"""Places seen from afar: a mill, a bridge, a chapel, a castle, a lighthouse, a foundry.

Each function draws on the near layer, on ground that begins at BASE, and returns the kind of that
ground.
"""

from typing import Final

import numpy as np

from data.places.buildings import WIDTH, Layer, house, roof, row, tree, window
from data.places.textures import shade, tint

CENTRE: Final = WIDTH / 2


def mill(on: Layer, base: float) -> str:
    """Draw a windmill beside low houses."""
    house(
        on, CENTRE + on.rng.uniform(40, 90), base, on.rng.uniform(60, 110), on.rng.uniform(30, 56)
    )
    tree(on, CENTRE - on.rng.uniform(90, 150), base + 4, on.rng.uniform(60, 110))
    x, tall, wide = (
        CENTRE + on.rng.uniform(-40, 10),
        on.rng.uniform(96, 130),
        on.rng.uniform(26, 38),
    )
    on.fill(
        [
            (x - wide, base),
            (x + wide, base),
            (x + wide * 0.6, base - tall),
            (x - wide * 0.6, base - tall),
        ],
        on.style.walls[0],
    )
    for up in (0.25, 0.55):
        window(on, x - 5, base - tall * up, 9, 14)
    on.box(x - 8, base, 16, 22, on.style.accent)
    on.fill(
        [(x - wide * 0.7, base - tall), (x, base - tall - wide), (x + wide * 0.7, base - tall)],
        on.style.roof,
    )
    hub, turn, arm = base - tall - 2, on.rng.uniform(0, np.pi / 2), on.rng.uniform(56, 84)
    for blade in range(4):
        along = np.array([np.cos(turn + blade * np.pi / 2), np.sin(turn + blade * np.pi / 2)])
        across = np.array([-along[1], along[0]]) * 11
        root, tip = along * 14 + (x, hub), along * arm + (x, hub)
        corners = [tuple(point) for point in (root, tip, tip + across, root + across)]
        on.fill(corners, tint((222, 214, 198), on.rng, 6))
        for rung in np.linspace(0, 1, 7):
            start = root + (tip - root) * rung
            on.stroke([tuple(start), tuple(start + across)], (96, 82, 70), 1)
        on.stroke([(x, hub), tuple(tip)], (78, 64, 54), 3)
    on.disc(x, hub, 5, 5, (60, 52, 48))
    return str(on.rng.choice(["grass", "gravel"]))


def bridge(on: Layer, base: float) -> str:
    """Draw a bridge of arches from bank to bank."""
    spans, rise = int(on.rng.integers(2, 6)), on.rng.uniform(46, 84)
    row(on, base - 4, 40, 96, left=-10, right=on.rng.uniform(80, 170))
    row(on, base - 4, 40, 96, left=on.rng.uniform(470, 540))
    deck, wall = base - rise, on.style.walls[0]
    hump = on.rng.uniform(0, 22)
    on.fill(
        [(60, deck + 8), (CENTRE, deck - hump), (580, deck + 8), (580, base + 14), (60, base + 14)],
        wall,
    )
    step = 520 / spans
    for span in range(spans):
        middle = 60 + step * (span + 0.5)
        wide, high = step * 0.36, min(rise * 0.7, step * 0.36)
        angles = np.linspace(0, np.pi, 18)
        arch = [
            (middle + wide * np.cos(a), base + 14 - (rise - high) * 0.4 - high * np.sin(a))
            for a in angles
        ]
        outline = [(x, y - 4) for x, y in arch]
        on.stroke(outline, on.style.trim, 4)
        on.fill([(middle + wide, base + 14), *arch, (middle - wide, base + 14)], (70, 86, 92))
    on.stroke([(60, deck + 6), (CENTRE, deck - hump - 2), (580, deck + 6)], on.style.trim, 5)
    for lamp in np.linspace(90, 550, int(on.rng.integers(3, 7))):
        top = deck - 26 - hump * (1 - abs(lamp - CENTRE) / 260)
        on.stroke([(lamp, top + 24), (lamp, top)], (52, 50, 54), 2)
        on.disc(lamp, top, 4, 4, (236, 224, 190), 255)
    return "water"


def chapel(on: Layer, base: float) -> str:
    """Draw a nave with its tower among trees."""
    side = on.rng.choice([-1, 1])
    for _ in range(int(on.rng.integers(2, 5))):
        tree(on, CENTRE + on.rng.uniform(-220, 220), base, on.rng.uniform(56, 110))
    wide, tall = on.rng.uniform(100, 150), on.rng.uniform(44, 64)
    house(on, CENTRE - wide / 2, base, wide, tall, "hip")
    width = on.rng.uniform(34, 48)
    x, high = CENTRE + side * wide / 2 - width / 2, on.rng.uniform(90, 124)
    on.box(x, base, width, high, on.style.walls[0])
    roof(on, x, base - high, width, str(on.rng.choice(["spire", "dome", "gable", "battlement"])))
    on.disc(x + width / 2, base - high * 0.82, width * 0.24, width * 0.24, (232, 226, 210), 120)
    window(on, x + width * 0.32, base - high * 0.36, width * 0.34, high * 0.26)
    on.box(x + width * 0.3, base, width * 0.4, high * 0.22, on.style.accent)
    return str(on.rng.choice(["grass", "gravel", "cobbles"]))


def castle(on: Layer, base: float) -> str:
    """Draw walls with battlements between towers."""
    wall = on.rng.uniform(44, 66)
    on.box(110, base, 420, wall, on.style.walls[0])
    roof(on, 110, base - wall, 420, "battlement")
    for x in np.linspace(110, 530, int(on.rng.integers(3, 6))):
        wide, tall = on.rng.uniform(38, 62), wall + on.rng.uniform(16, 78)
        on.box(x - wide / 2, base + 2, wide, tall, on.style.walls[0])
        roof(
            on,
            x - wide / 2,
            base - tall + 2,
            wide,
            str(on.rng.choice(["battlement", "spire", "gable"], p=[0.5, 0.25, 0.25])),
        )
        for up in np.arange(0.3, 0.9, 0.28):
            on.box(x - 3, base - tall * up, 6, 14, (44, 42, 46), int(on.rng.choice([0, 255])))
    gate = on.rng.uniform(200, 440)
    on.disc(gate, base - 22, 17, 17, (48, 42, 40))
    on.box(gate - 17, base + 2, 34, 24, (48, 42, 40))
    return str(on.rng.choice(["grass", "gravel", "water"]))


def lighthouse(on: Layer, base: float) -> str:
    """Draw a banded tower on rocks, the keeper's house below."""
    house(on, CENTRE + on.rng.uniform(30, 80), base, on.rng.uniform(54, 90), on.rng.uniform(30, 48))
    x, tall, wide = (
        CENTRE + on.rng.uniform(-70, 0),
        on.rng.uniform(120, 156),
        on.rng.uniform(17, 25),
    )
    bands = int(on.rng.integers(3, 8))
    for band in range(bands):
        low, high = band / bands, (band + 1) / bands
        edge = [
            (x - wide * (1 - 0.4 * low), base - tall * low),
            (x + wide * (1 - 0.4 * low), base - tall * low),
        ]
        top = [
            (x + wide * (1 - 0.4 * high), base - tall * high),
            (x - wide * (1 - 0.4 * high), base - tall * high),
        ]
        on.fill([*edge, *top], on.style.accent if band % 2 else (230, 226, 216))
    on.box(x - wide * 0.8, base - tall, wide * 1.6, 4, (58, 56, 60))
    on.box(x - wide * 0.45, base - tall - 4, wide * 0.9, 18, (238, 220, 160), 255)
    roof(on, x - wide * 0.5, base - tall - 22, wide, "gable")
    for _ in range(14):
        rock = on.rng.uniform(10, 26)
        on.disc(
            on.rng.uniform(120, 520),
            base + 6,
            rock,
            rock * 0.5,
            shade((110, 104, 98), on.rng.uniform(0.7, 1.2)),
        )
    return str(on.rng.choice(["water", "grass"]))


def foundry(on: Layer, base: float) -> str:
    """Draw sheds with saw-tooth roofs and tall chimneys."""
    for x in on.rng.uniform(150, 500, int(on.rng.integers(1, 4))):
        tall = on.rng.uniform(110, 160)
        on.fill(
            [(x - 8, base), (x + 8, base), (x + 5, base - tall), (x - 5, base - tall)],
            on.style.walls[1],
        )
        on.box(x - 7, base - tall + 6, 14, 6, on.style.trim)
    teeth, tall = int(on.rng.integers(3, 7)), on.rng.uniform(46, 70)
    step, lean = 400 / teeth, on.rng.choice([0.0, 1.0])
    on.box(120, base, 400, tall, on.style.walls[0])
    for tooth in range(teeth):
        left = 120 + step * tooth
        peak = (left + step * lean, base - tall - step * 0.42)
        on.fill([(left, base - tall), peak, (left + step, base - tall)], on.style.roof)
        for pane in range(3):
            window(
                on, left + step * (0.12 + 0.28 * pane), base - tall * 0.3, step * 0.18, tall * 0.45
            )
    on.box(on.rng.uniform(200, 400), base, 40, 38, on.style.accent)
    return str(on.rng.choice(["gravel", "paving", "cobbles"]))
