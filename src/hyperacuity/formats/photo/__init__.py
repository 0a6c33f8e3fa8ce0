"""Formats of images and animations, one module each; `formats.table` lists them.

avif, bmp, gif, jp2, jpeg, netpbm, png, tiff, webp     the formats
tiff_tags, tiff_pages, tiff_reading, tiff_samples      TIFF: its structure, pages, and how they are decoded
tiff_meaning, tiff_enlarged, tiff_writer               TIFF: what tags mean for an enlarged page; how pages are written
imagej, ome, photoshop, camera_raw                     what other programs put into TIFF files; raw files of cameras
png_chunks, png_frames, tiff_tags, metadata            the structure of PNG, of TIFF and EXIF; EXIF, XMP, ICC, IPTC
vips, pillow                                           the libraries that decode and encode
source, limits, upright                                what reading shares
sink, fitting, spool, encoder                          what writing shares; `fitting` finds what is lost
"""
