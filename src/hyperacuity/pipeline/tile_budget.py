"""How large tiles are, how many rows each core computes, and how much memory that takes.

All constants of that policy are here. `plan` computes from plain numbers only: it asks neither the machine nor an
engine, so every case can be tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hyperacuity import tiles

# A tile with sides of 40 halos reads a tenth more than it owns. In much larger tiles the results leave the cache, which
# costs more than the halos saved (60 megapixels through FSRCNN: 8.2 megapixels a second in tiles of 64 MiB, 7.6 in
# 256), and smaller tiles show progress and react to a stop sooner.
TILE_SIDE = 40
# How many pixels a tile may read however small its halo. A megapixel through Acute 50k took 688 ms in tiles of 2^16
# pixels, 684 in 2^18, and 639 in one.
TILE_PIXELS = 1 << 18
# The memory that a tile may take if four times as much is free. Networks with a large halo need it: for each pixel that
# a tile of SRResNet x4 (halo 40, 16 KiB a pixel) owns it reads 2.1, and 7 in 256 MiB.
TILE_MEMORY = 1 << 30
# Free memory is divided by these for a tile, and for an image that is computed in one piece.
TILE_SHARE, WHOLE_SHARE = 4, 2
# How many pixels a row of tiles owns if each core computes its own rows: a megapixel through Acute 50k
# took 5 % less than in rows twice as large, since cores that have finished wait less for the others. ROW_HEIGHT is the
# least height of such a row in halos: at most a tenth is then read twice.
ROW_PIXELS = 1 << 17
ROW_HEIGHT = 20
# How much memory the results of one row of tiles may take while its pieces are put together. Where a row of the image
# is so wide that this would leave less of it than the halo, a row of tiles is as high as the halo on both sides, and
# reads twice that.
STRIP_MEMORY = 64 << 20
# Pixels that go through the steps around the network (colour, resizing, rounding) at a time: few enough to stay in a
# cache, but enough to make the overhead of numpy's calls small (chroma and rounding of 2 megapixels on two cores: 34 ms
# in blocks of half the size, 22 in these). Each core works on its own block.
BLOCK = 1 << 17
# Bytes that are held for each column of a result at least: for each plane, the rows that a resize reads, those that it
# returns and those that are rounded and encoded, as floats; and the weights of the columns. A result 4 million columns
# wide took 118 bytes a column in three planes behind a network, and 146 by Lanczos alone; twice that leaves room for
# what measures and encodes them.
PLANE_COLUMN, COLUMN = 64, 96
# Pixels that a tile may always read, however little memory seems to be left: with fewer, an image would never be
# finished.
SMALLEST_TILE = 128 * 128
# The widest border that a network's padding visibly darkens. Deep networks have halos of hundreds of pixels, but
# hardly use them, and their papers' figures were measured with black padding: repeating edges there cost RRDB 0.5 dB on
# Set5.
RING = 24


@dataclass(frozen=True)
class TilePlan:
    """How one image goes through one network.

    Attributes:
        tile: The longest side of what a tile owns; 0 = no tiles; None = no limit but the next ones.
        max_pixels: The most pixels that a tile may read, halo included; None = no limit.
        least_pixels: The pixels that the smallest possible tile reads.
        max_rows: The most rows that a tile may own; None = no limit.
        rows_per_core: The rows of the image in a row of tiles where each core computes one; None = all cores compute
            the same tile.
        ring: Rows and columns by which the edge is repeated around an image that consists only of border.
    """

    tile: int | None
    max_pixels: int | None
    least_pixels: int
    max_rows: int | None
    rows_per_core: int | None
    ring: tuple[int, int]


def plan(
    height: int,
    width: int,
    *,
    halo: int,
    multiple: int,
    scale: int,
    channels: int,
    images: int,
    activation_bytes: int,
    available: int,
    cores: int,
    tile: int | None = None,
    whole: bool = False,
    rows: int | None = None,
) -> TilePlan:
    """Plan tiles, rows per core and memory for one image and one network.

    Args:
        height: Of the network's input, in pixels.
        width: Likewise.
        halo: The distance, in input pixels, over which an output pixel depends on the input.
        multiple: The sides of the network's input are multiples of this.
        scale: Output pixels per input pixel along a side.
        channels: Of the network: 1 or 3.
        images: In a batch: 1, or 2 where alpha is the second one.
        activation_bytes: Memory of a run for each pixel of its batch; 0 = unknown, which sets no limit.
        available: Bytes that a run may take now; used only if `tile` is None and `activation_bytes` is not 0.
        cores: How many cores may each compute a row of tiles; 1 if the engine cannot run on single cores.
        tile: The longest side of a tile that the user asked for; 0 = no tiles; None = as memory allows.
        whole: Whether the network takes statistics of the whole image, so that it should read it in one piece.
        rows: How many rows of the image are computed; None for all.
    """
    near = min(halo, RING)
    ring = [math.ceil(near / multiple) * multiple if side <= near else 0 for side in (height, width)]
    # What a run computes for each pixel that a tile reads: the pixel, its alpha, its share of the ring.
    growth = float(images)
    for side, border in zip((height, width), ring, strict=True):
        growth *= 1 + 2 * border / side
    if tile is None and whole and height * width * growth * activation_bytes <= available // WHOLE_SHARE:
        tile = 0
    least = tiles.smallest(halo, multiple)
    max_pixels = rows_per_core = None
    if tile is None and activation_bytes:
        affordable = min(available // TILE_SHARE, TILE_MEMORY) // activation_bytes
        each = None if whole else _rows_per_core(rows or height, width, halo, cores)
        if each is not None and each * width * growth * cores <= affordable:
            rows_per_core, affordable = each, affordable // cores
        affordable = min(affordable, max(TILE_PIXELS, ((TILE_SIDE + 2) * halo) ** 2))
        max_pixels = max(least, int(max(SMALLEST_TILE, affordable) / growth))
    max_rows = None
    if tile != 0:
        row_bytes = 4 * width * scale**2 * images * channels
        max_rows = max(1, 2 * halo, STRIP_MEMORY // row_bytes)
        max_rows = max_rows if rows_per_core is None else min(max_rows, rows_per_core)
    return TilePlan(tile, max_pixels, least, max_rows, rows_per_core, (ring[0], ring[1]))


def row_memory(width: int, planes: int) -> int:
    """Return the bytes that the fewest rows of a result take while they are computed.

    Args:
        width: Of the result, in pixels.
        planes: Its colours, and alpha.
    """
    return width * (PLANE_COLUMN * planes + COLUMN)


def _rows_per_core(height: int, width: int, halo: int, cores: int) -> int | None:
    """The height of rows of tiles if each core computes its own; None if the halos would cost too much."""
    least = max(1, ROW_HEIGHT * halo)
    count = height // max(least, ROW_PIXELS // width)
    count = max(count // cores * cores, cores)
    rows = math.ceil(height / count)
    return rows if cores > 1 and rows >= least else None
