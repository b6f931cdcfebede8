"""Draw small gray pictures of ten shapes, in train/<class>/ and test/<class>/ below a folder: images of one's own.

Run with the folder to write to: `python docs/examples/shapes/draw_shapes.py results/my-shapes`.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 28
IMAGES = {"train": 80, "test": 20}  # of each class


def polygon(corners, turn=0.0):
    """The corners of a regular polygon with radius 1."""
    angles = np.arange(corners) * 2 * np.pi / corners + turn
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def star():
    points = polygon(10)
    points[1::2] *= 0.4
    return points


OUTLINES = {
    "arrow": [(0, -1), (0.9, 0), (0.35, 0), (0.35, 1), (-0.35, 1), (-0.35, 0), (-0.9, 0)],
    "cross": [(-1, -0.6), (-0.6, -1), (0, -0.4), (0.6, -1), (1, -0.6), (0.4, 0), (1, 0.6), (0.6, 1), (0, 0.4)]
    + [(-0.6, 1), (-1, 0.6), (-0.4, 0)],
    "diamond": [(0, -1), (0.6, 0), (0, 1), (-0.6, 0)],
    "disc": polygon(40),
    "ell": [(-0.7, -1), (-0.1, -1), (-0.1, 0.4), (0.8, 0.4), (0.8, 1), (-0.7, 1)],
    "plus": [(-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3), (0.3, 1), (-0.3, 1)]
    + [(-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)],
    "ring": polygon(40),
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "star": star(),
    "triangle": polygon(3),
}


def drawn(name, random):
    """One picture: a shape of some size, place, angle and brightness on a dark, noisy ground."""
    scale, large = 4, 4 * SIDE  # drawn large and made smaller, so that edges are smooth
    radius = random.uniform(0.28, 0.38) * large
    centre = large / 2 + random.uniform(-0.1, 0.1, 2) * large
    angle = random.uniform(-0.25, 0.25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    picture = Image.new("L", (large, large))
    draw = ImageDraw.Draw(picture)
    points = np.asarray(OUTLINES[name]) * radius @ turn.T + centre
    draw.polygon([tuple(point) for point in points], fill=255)
    if name == "ring":
        hole = np.asarray(OUTLINES[name]) * 0.55 * radius + centre
        draw.polygon([tuple(point) for point in hole], fill=0)
    shape = np.asarray(picture.reduce(scale), np.float64) / 255
    ground = random.uniform(0, 0.15)
    pixels = ground + (random.uniform(0.6, 1.0) - ground) * shape + random.normal(0, 0.03, shape.shape)
    return Image.fromarray((255 * np.clip(pixels, 0, 1)).astype(np.uint8))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    random = np.random.RandomState(0)
    for part, count in IMAGES.items():
        for name in OUTLINES:
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                drawn(name, random).save(folder / part / name / f"{number:03d}.png")


if __name__ == "__main__":
    main()
