"""Drawn images, made by seed: interfaces, pages of text, flat art, icons, skies, fabric."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hyperacuity.resize import resize

Codes = NDArray[np.uint8]
Random = np.random.Generator
_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "rain",
    "falls",
    "on",
    "old",
    "stone",
    "walls",
    "near",
    "the",
    "river",
]


def interface(rng: Random, photo: Codes) -> Codes:
    """A window of a program: a bar, a list, lines of text, buttons and one photo, 900 x 640."""
    dark = rng.random() < 0.4
    paper, ink = ((24, 26, 30), (220, 222, 226)) if dark else ((250, 250, 251), (30, 31, 36))
    image = Image.new("RGB", (900, 640), paper)
    draw = ImageDraw.Draw(image)
    accent = tuple(int(each) for each in rng.integers(40, 220, 3))
    draw.rectangle((0, 0, 900, 44), fill=accent)
    draw.text((16, 10), _sentence(rng, 3), fill="white", font=ImageFont.load_default(20))
    for line in range(13):
        y = 64 + 42 * line
        draw.rounded_rectangle((12, y, 200, y + 34), 6, outline=ink, fill=accent if line == 2 else paper)
        draw.text((24, y + 9), _sentence(rng, 2), fill=ink, font=ImageFont.load_default(13))
    for line in range(15):
        draw.text((224, 64 + 20 * line), _sentence(rng, 14), fill=ink, font=ImageFont.load_default(14))
    small = resize(photo, size=(200, 300))
    image.paste(Image.fromarray(small), (224, 400))
    draw.rounded_rectangle((560, 420, 700, 460), 12, fill=accent)
    draw.text((590, 432), "Continue", fill="white", font=ImageFont.load_default(16))
    return np.asarray(image)


def page(rng: Random) -> Codes:
    """A page of black text, (640, 480)."""
    image = Image.new("L", (480, 640), 255)
    draw = ImageDraw.Draw(image)
    for line in range(32):
        draw.text((30, 30 + 18 * line), _sentence(rng, 10), fill=0, font=ImageFont.load_default(12))
    return np.asarray(image)


def drawing(rng: Random) -> Codes:
    """Flat art: figures of one colour or of a gradient with dark outlines, antialiased, 600 x 450."""
    times, height, width = 3, 450, 600
    image = Image.new("RGB", (width * times, height * times), tuple(int(each) for each in rng.integers(120, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, side = rng.integers(0, width * times), rng.integers(0, height * times), rng.integers(60, 500)
        fill = tuple(int(each) for each in rng.integers(20, 255, 3))
        angle = rng.uniform(0, math.pi)
        corners = [(x + side * math.cos(angle + n * 2), y + side * math.sin(angle + n * 2)) for n in range(3)]
        shape = rng.integers(3)
        if shape == 0:
            draw.ellipse((x - side / 2, y - side / 2, x + side / 2, y + side / 3), fill, (20, 20, 25), 9)
        elif shape == 1:
            draw.polygon(corners, fill, (20, 20, 25), 9)
        else:
            draw.rounded_rectangle(
                (float(x), float(y), float(x + side), float(y + side / 2)), 40, fill, (20, 20, 25), 9
            )
    large = np.asarray(image).reshape(height, times, width, times, 3).mean(axis=(1, 3))
    if rng.random() < 0.5:
        large = large * np.linspace(0.7, 1, height)[:, None, None]
    return np.asarray(np.rint(large), np.uint8)


def icon(rng: Random) -> Codes:
    """An icon on transparency, (32, 32, 4)."""
    image = Image.new("RGBA", (256, 256))
    draw = ImageDraw.Draw(image)
    colours = [tuple(int(each) for each in rng.integers(0, 255, 3)) for _ in range(3)]
    draw.ellipse((10, 10, 246, 246), fill=colours[0])
    draw.polygon([(60, 200), (128, 50), (200, 200)], fill=colours[1])
    draw.line([(40, 128), (220, 100)], fill=colours[2], width=24)
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX))


def sky(rng: Random) -> Codes:
    """A smooth sky over a ridge, with the noise of rounding only, 640 x 480."""
    y, x = np.mgrid[:480, :640]
    upper, lower = rng.integers(40, 140, 3), rng.integers(150, 250, 3)
    values = upper + (lower - upper) * (y / 480)[..., None] + (x / 640 * rng.uniform(-20, 20))[..., None]
    ridge = 330 + sum(rng.uniform(5, 60) / n * np.sin(x[0] * n / 60 + rng.uniform(0, 6)) for n in range(1, 8))
    shade = 40 + 25 * np.sin(x / 9 + y / 5) * np.sin(y / 7)
    values = np.where((y > ridge)[..., None], shade[..., None] + [0, 12, 4], values)
    return np.asarray(np.clip(np.rint(values + rng.uniform(-0.5, 0.5, values.shape)), 0, 255), np.uint8)


def fabric(rng: Random) -> Codes:
    """A weave of threads of uneven width and colour, 400 x 400 or 160 x 160."""
    side = 400 if rng.random() < 0.5 else 160
    y, x = np.mgrid[:side, :side] * (2 * math.pi / rng.uniform(4, 7))
    over = np.sin(x + y * 0.02) * np.sin(y) > 0
    threads = np.where(over, np.abs(np.sin(x)), np.abs(np.cos(y)))
    uneven = 1 + 0.25 * rng.normal(size=(side, 1)) * over + 0.25 * rng.normal(size=(1, side)) * ~over
    values = (threads * uneven)[..., None] * rng.integers(60, 200, 3) + 30
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _sentence(rng: Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS, words)).capitalize()
