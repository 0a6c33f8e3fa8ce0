"""Formats of images and animations, one module each; `formats.table` lists them.

avif, bmp, gif, heif, jp2, jpeg, jxl, netpbm, png,     the formats
tiff, webp
png_*, gif_*, heif_*, jxl_*, jp2_*, bmp_*              their structure: chunks, blocks, boxes, headers
tiff_tags, tiff_pages, tiff_reading, tiff_samples      TIFF: its structure, pages, and how they are decoded
tiff_codecs                                            LERC, JPEG XL and JPEG 2000 inside TIFF
tiff_meaning, tiff_enlarged, tiff_writer               TIFF: what tags mean for an enlarged page; how pages are written
imagej, ome, camera_raw                                what other programs put into TIFF files; raw files of cameras
jpeg_segments, jpeg_parts, jpeg_resources, jpeg_behind the structure of JPEG; what it holds besides and behind its image
stated_colour, icc_profile                             colour that is stated outside ICC; profiles made from it
metadata, geometry, gain_map                           EXIF and ICC; places in a turned image; gain maps of HDR photos
xmp, xmp_measures, xmp_container                       XMP: as XML, its pixels, what it says of other parts of the file
xmp_extended, xmp_segments                             XMP in JPEG
photoshop                                              Photoshop's image resources, of TIFF and JPEG
vips, pillow                                           the libraries that decode and encode
source, limits, upright                                what reading shares
sink, fitting, spool, encoder                          what writing shares; `fitting` finds what is lost
"""
