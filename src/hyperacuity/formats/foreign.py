"""Files that are recognised but not read: what each one is, and how to obtain an image from it."""

from __future__ import annotations

# The offset of each signature, the signature, and what the file is.
_SIGNATURES = (
    (0, b"%PDF", "a PDF document; export its images first"),
    (0, b"PK\3\4", "a ZIP archive (or a DOCX, XLSX, CBZ ... document); unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (8, b"WAVE", "a sound file"),
    (0, b"ID3", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (0, b"8BPS", "a Photoshop document; save a flattened copy as TIFF or PNG"),
    (0, b"\0\0\1\0", "an icon; convert it to PNG first"),
    (0, b"v/1\1", "an OpenEXR image; convert it to a float TIFF first"),
    (0, b"#?RADIANCE", "a Radiance HDR image; convert it to a float TIFF first"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"%!PS", "a PostScript document"),
    (128, b"DICM", "a DICOM file"),
    (0, b"\x80\2", "a pickle, perhaps a PyTorch checkpoint"),
)


def describe(head: bytes) -> str:
    """Describe a file by its first bytes, with a cure if there is one."""
    for at, signature, what in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return what
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:400].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "an HTML page, perhaps of a download that failed; download the file itself"
    if b"<svg" in start:
        return "an SVG drawing, which can be rendered at any size without upscaling"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself with `git lfs pull`"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "text"
    return "of an unknown format"
