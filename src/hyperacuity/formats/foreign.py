"""Files that are recognised but not read: what each one is, and how to obtain an image from it."""

from __future__ import annotations

import zlib

_RAW = "a raw camera file ({}): develop it into a TIFF or JPEG first"
_CONVERT = "convert it to PNG or TIFF first"
_EXPORT = "export it as PNG or TIFF first"
_UNPACK = "unpack it first"
_EXTRACT = "extract its images as PNG or TIFF first"
_BY_NAME = "upscale it by its name, since it is read only from files"

# The offset of each signature, the signature, and what the file is; the first that fits names it.
_SIGNATURES = (
    # Raw camera files that are not TIFF structures, or not quite; the others are named by `photo.camera_raw`.
    (4, b"ftypcrx ", _RAW.format("CR3")),
    (0, b"FUJIFILMCCD-RAW", _RAW.format("RAF")),
    (0, b"IIRO", _RAW.format("ORF")),
    (0, b"IIRS", _RAW.format("ORF")),
    (0, b"MMOR", _RAW.format("ORF")),
    (0, b"IIU\0", _RAW.format("RW2")),
    (0, b"\0MRM", _RAW.format("MRW")),
    (0, b"FOVb", _RAW.format("X3F")),
    (6, b"HEAPCCDR", _RAW.format("CRW")),
    (4, b"RED1", _RAW.format("R3D")),
    (4, b"RED2", _RAW.format("R3D")),
    # Images.
    (0, b"II\xbc", f"a JPEG XR image; {_CONVERT}"),
    (0, b"v/1\1", "an OpenEXR image; convert it to a float TIFF first"),
    (0, b"#?RADIANCE", "a Radiance HDR image; convert it to a float TIFF first"),
    (0, b"#?RGBE", "a Radiance HDR image; convert it to a float TIFF first"),
    (0, b"SDPX", f"a DPX image; {_CONVERT}"),
    (0, b"XPDS", f"a DPX image; {_CONVERT}"),
    (0, b"\x80\x2a\x5f\xd7", f"a Cineon image; {_CONVERT}"),
    (0, b"\0\0\1\0", "an icon (ICO); convert it to PNG first"),
    # No colour map, or one that starts with colour 0; plain and compressed.
    *((0, b"\0\0" + kind + bytes(5), f"a TGA image; {_CONVERT}") for kind in (b"\2", b"\3", b"\x0a", b"\x0b")),
    *((0, b"\0\1" + kind + bytes(2), f"a TGA image; {_CONVERT}") for kind in (b"\1", b"\x09")),
    (0, b"\0\0\2\0", "a cursor (CUR); convert it to PNG first"),
    (0, b"icns", "an icon (ICNS); convert it to PNG first"),
    (0, b"DDS ", f"a DDS texture; {_CONVERT}"),
    (0, b"\xabKTX", f"a KTX texture; {_CONVERT}"),
    (0, b"\x13\xab\xa1\x5c", f"an ASTC texture; {_CONVERT}"),
    (0, b"VTF\0", f"a VTF texture; {_CONVERT}"),
    (0, b"qoif", f"a QOI image; {_CONVERT}"),
    (0, b"farbfeld", f"a farbfeld image; {_CONVERT}"),
    (0, b"FLIF", f"a FLIF image; {_CONVERT}"),
    (0, b"BPG\xfb", f"a BPG image; {_CONVERT}"),
    (0, b"\x8aMNG", f"an MNG animation; {_CONVERT}"),
    (0, b"\x8bJNG", f"a JNG image; {_CONVERT}"),
    (0, b"\x97JB2\r\n", f"a JBIG2 image; {_CONVERT}"),
    (0, b"\x01\xda\0", f"an SGI image; {_CONVERT}"),
    (0, b"\x01\xda\1", f"an SGI image; {_CONVERT}"),
    (0, b"\x59\xa6\x6a\x95", f"a Sun raster image; {_CONVERT}"),
    (0, b"\x0a\5\1\x08", f"a PCX image; {_CONVERT}"),
    (8, b"ILBM", f"an Amiga image (ILBM); {_CONVERT}"),
    (0, b"id=ImageMagick", f"an image of ImageMagick's own format (MIFF); {_CONVERT}"),
    (0, b"/* XPM */", f"an XPM image; {_CONVERT}"),
    # Documents of image editors, and drawings.
    (0, b"8BPS\0\2", "a large Photoshop document (PSB); save a flattened copy as TIFF or PNG"),
    (0, b"8BPS", "a Photoshop document (PSD); save a flattened copy as TIFF or PNG"),
    (0, b"gimp xcf", f"a GIMP document (XCF); {_EXPORT}"),
    (38, b"application/x-krita", f"a Krita document; {_EXPORT}"),
    (38, b"image/openraster", f"an OpenRaster document; {_EXPORT}"),
    (0, b"PDN3", f"a Paint.NET document; {_EXPORT}"),
    (0, b"Paint Shop Pro Image File", f"a PaintShop Pro document; {_EXPORT}"),
    (0, b"\0\xffKA", f"an Affinity document; {_EXPORT}"),
    (0, b"BLENDER", "a Blender file; render it first"),
    (0, b"%PDF", "a PDF document; export its images first"),
    (0, b"%!PS", "a PostScript document (PS or EPS); render it to PNG first"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document (EPS); render it to PNG first"),
    (0, b"AT&TFORM", f"a DjVu document; {_EXTRACT}"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows drawing (WMF), which can be rendered at any size; render it to PNG instead"),
    (0, b"\1\0\x09\0\0\3", "a Windows drawing (WMF), which can be rendered at any size; render it to PNG instead"),
    (40, b" EMF", "a Windows drawing (EMF), which can be rendered at any size; render it to PNG instead"),
    (8, b"CDR", "a CorelDRAW drawing, which can be rendered at any size; render it to PNG instead"),
    # Science and medicine.
    (128, b"DICM", f"a DICOM file; {_BY_NAME}"),
    (344, b"n+1\0", f"a NIfTI volume; {_BY_NAME}"),
    (344, b"ni1\0", f"a NIfTI volume; {_BY_NAME}"),
    (4, b"n+2\0", f"a NIfTI volume; {_BY_NAME}"),
    (0, b"ENVI", "the header of an ENVI raster; give the file with its values"),
    (0, b"SIMPLE  =", "a FITS file; save its image as TIFF first"),
    (0, b"NRRD0", "an NRRD volume; save its planes as TIFF first"),
    (208, b"MAP ", "an MRC volume; save its planes as TIFF first"),
    (0, b"ZISRAWFILE", "a microscope file (Zeiss CZI); save it as TIFF or OME-TIFF first"),
    (0, b"\x70\0\0\0", "a microscope file (Leica LIF); save it as TIFF or OME-TIFF first"),
    (0, b"\xda\xce\xbe\x0a", "a microscope file (Nikon ND2); save it as TIFF or OME-TIFF first"),
    (0, b"\x89HDF", "an HDF5 file; save one of its images as TIFF first, such as by gdal_translate"),
    (0, b"CDF\1", "a NetCDF file; save its images as TIFF first"),
    (0, b"CDF\2", "a NetCDF file; save its images as TIFF first"),
    (0, b"\x93NUMPY", "a NumPy array; save it as TIFF or PNG, or give the array to the Python interface"),
    # Archives.
    (0, b"PK\3\4", f"a ZIP archive (or a DOCX, XLSX, CBZ ... document); {_UNPACK}"),
    (0, b"PK\5\6", "an empty ZIP archive"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7-Zip archive; {_UNPACK}"),
    (0, b"Rar!", f"a RAR archive; {_UNPACK}"),
    (0, b"BZh", f"a bzip2 archive; {_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"an XZ archive; {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"a Zstandard archive; {_UNPACK}"),
    (0, b"\x04\x22\x4d\x18", f"an LZ4 archive; {_UNPACK}"),
    (0, b"MSCF", f"a cabinet archive; {_UNPACK}"),
    (257, b"ustar", f"a tar archive; {_UNPACK}"),
    # Sound.
    (8, b"WAVE", "a sound file"),
    (8, b"AIFF", "a sound file"),
    (8, b"AIFC", "a sound file"),
    (0, b"ID3", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (0, b"MThd", "a sound file (MIDI)"),
    # What file systems and programs leave behind.
    (0, b"\0\5\x16\7", "a companion file of macOS (AppleDouble), which holds no image"),
    (0, b"bplist00", "a property list of Apple's; if it stands for a file in iCloud, download that file first"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"a compound document (Thumbs.db, DOC, OIB, ZVI ...); {_EXTRACT}"),
    (0, b"L\0\0\0\1\x14\2", "a shortcut of Windows; give the file itself"),
    (0, b"MZ", "a program of Windows"),
    (0, b"\x7fELF", "a program of Linux"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"\x80\2", "a pickle, perhaps a PyTorch checkpoint"),
    (8, b'{"', "a file of weights (safetensors)"),
)


def known(head: bytes) -> str | None:
    """Return what a file is, with a cure if there is one, by its first bytes; None if no signature fits."""
    for at, signature, what in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return what
    if head.startswith(b"\x1f\x8b"):
        return _compressed(head)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:400].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "an HTML page, perhaps of a download that failed; download the file itself"
    if b"<svg" in start:
        return "an SVG drawing, which can be rendered at any size without upscaling"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself with `git lfs pull`"
    return None


def describe(head: bytes) -> str:
    """Describe a file by its first bytes, with a cure if there is one."""
    if what := known(head):
        return what
    if len(head) >= 64 and not any(head):
        return "filled with zero bytes, as a download that did not finish; download it again"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "text"
    return "of an unknown format"


def _compressed(head: bytes) -> str:
    """A gzip file by what is in it."""
    try:
        inside = known(zlib.decompressobj(31).decompress(head, 1024))
    except zlib.error:
        inside = None
    return f"a gzip archive; {_UNPACK}" if inside is None else f"a gzip archive of {inside}"
