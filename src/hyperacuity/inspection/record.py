"""The measurements of one image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Inspection:
    """The measurements of one image, by which a model is chosen for it.

    Attributes:
        height, width: In pixels.
        noise: The standard deviation of the noise, in 8-bit levels of luma.
        blockiness: How many 8-bit levels the borders of JPEG's blocks stand out; 0 where there are none.
        grid: The column and the row at which these blocks begin, 0 to 7 each; None where there are none.
        bandwidth: The share of the spectrum that holds detail: 1 for a sharp image, 0.5 for one that was enlarged by 2
            or blurred as much; None for images too flat or too small to tell.
        saturation: The share of pixels that are black or white.
        traces: How likely it is, from 0 to 1, that a codec of low quality changed the pixels, also before they were
            resized or stored again; None for images too small or too flat to tell.
        grain: How likely it is, from 0 to 1, that `noise` is noise and not fine texture, if no codec of low quality
            changed the pixels; None for images too small or too flat to tell.
        jpeg_quality: Of the luma of a JPEG file, on libjpeg's scale of 1 to 100; None for other files and for arrays.
        chroma: The resolution of a JPEG file's chroma, such as "4:2:0"; None where there is none.
        webp_quality: Of a lossy WebP file, on libwebp's scale of 0 to 100; None for other files.
        avif_quality: Of a lossy AVIF file, on libavif's scale of 0 to 100; None for other files.
    """

    height: int
    width: int
    noise: float = 0.0
    blockiness: float = 0.0
    grid: tuple[int, int] | None = None
    bandwidth: float | None = None
    saturation: float = 0.0
    traces: float | None = None
    grain: float | None = None
    jpeg_quality: int | None = None
    chroma: str | None = None
    webp_quality: int | None = None
    avif_quality: int | None = None

    @property
    def megapixels(self) -> float:
        return self.height * self.width / 1e6

    @property
    def recompressed(self) -> bool:
        """Whether a JPEG file was a JPEG of lower quality, or one of another crop, before."""
        if self.jpeg_quality is None or self.grid is None:
            return False
        return self.grid != (0, 0) or (self.jpeg_quality >= 90 and self.blockiness >= 0.65)
