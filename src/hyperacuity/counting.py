"""Counts in sentences: `counted`."""

from __future__ import annotations


def counted(count: float, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the singular for one.

    Args:
        count: The number.
        noun: In the singular, with the words that agree with it, such as "frame is".
        plural: The same in the plural; the noun with an "s" if empty.

    Example:
        >>> counted(1, "frame"), counted(2, "frame"), counted(0, "copy", "copies")
        ('1 frame', '2 frames', '0 copies')
    """
    number = f"{count:g}" if isinstance(count, float) else count
    return f"{number} {noun if count == 1 else plural or noun + 's'}"
