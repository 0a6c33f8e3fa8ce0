"""Formats of images and animations, one module each; `formats.table` lists them.

avif, bmp, gif, jp2, jpeg, netpbm, png, tiff, webp     the formats
png_chunks, png_frames, tiff_tags, metadata            the structure of PNG, of TIFF and EXIF; EXIF, XMP, ICC, IPTC
vips, pillow                                           the libraries that decode and encode
source, limits, upright                                what reading shares
sink, fitting, spool, encoder                          what writing shares; `fitting` finds what is lost
"""
