"""Formats of images and animations, one module each; `formats.table` lists them.

avif, bmp, gif, heif, jp2, jpeg, jxl, netpbm, png,     the formats
tiff, webp
png_*, gif_*, heif_*, jxl_*, jp2_*, bmp_*, tiff_*      their structure: chunks, blocks, boxes, headers, tags
metadata                                               EXIF, XMP, ICC, IPTC
stated_colour, icc_profile                             colour that is stated outside ICC; profiles made from it
vips, pillow                                           the libraries that decode and encode
source, limits, upright                                what reading shares
sink, fitting, spool, encoder                          what writing shares; `fitting` finds what is lost
"""
