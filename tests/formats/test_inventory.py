"""Nothing that a file holds besides its pixels is lost without a warning: it is in the copy, or a warning names it.

ExifTool is the independent reader: every tag that it finds in a source must be in the copy, with its value, except for
those that `CHANGED` and `OUTDATED` list with a reason, and those whose group a warning names.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import HyperacuityError, UsageError
from hyperacuity.formats import inventory
from hyperacuity.image import Image, Metadata, StatedColour, Strips
from tests.formats import everything, jpeg_files
from tests.formats.samples import exif_block, load, noise, save

# The endings of corpus files whose copies are compared, in the format of the source.
ENDINGS = (".jpg", ".webp", ".png", ".gif", ".tif", ".tiff", ".avif", ".bmp")
# Values that say what their absence says: no codes of colour, and how often an image with one frame is played.
EMPTY = {
    "QuickTime:ColorProfiles": "nclx",
    "QuickTime:ColorPrimaries": 2,
    "QuickTime:TransferCharacteristics": 2,
    "PNG:AnimationPlays": 0,
}
# Groups of ExifTool that describe the file system, the encoding, or what ExifTool computed itself.
NOT_METADATA = re.compile(
    r"((System|ExifTool|Composite|JFXX|RIFF|SPIFF|Adobe|AdobeCM|MPF\d|MPImage1):|File:(?!Comment))"
)
# Tags of the encoding: palettes, depths, boxes and counts.
ENCODING = re.compile(
    r"PNG:(BitDepth|ColorType|Palette|Transparency|Compression|Filter|Interlace|AnimationFrames|ProfileName)$"
    r"|GIF:(ColorResolutionDepth|BitsPerPixel|BackgroundColor|HasColorMap|GIFVersion|FrameCount|Duration|Transparent\w+)$"
    r"|(QuickTime:(?!Color(Primaries|Profiles)|Transfer|VideoFull|PixelAspect)|Meta:|Track\d:|ItemList:)"
)
# Tags that are measured in pixels, state the orientation, or are written anew.
CHANGED = re.compile(
    r":(Orientation|(Exif)?Image(Width|Height|Size)|PixelsPerUnit[XY]|RelatedImage(Width|Height)|FocalPlane[XY]Resolution"
    r"|Subject(Area|Location)|Region(Rectangle|Area[XYWH]|AppliedToDimensions[WH])"
    r"|(CroppedArea|FullPano)\w+Pixels|DirectoryItem(Length|Padding)|MPImage(Start|Length|Flags|Type)|MPImage2"
    r"|HasExtendedXMP|XMPToolkit|JFIFVersion"
    # Stated in the depth and the pixels of the result; tests of PNG check their values.
    r"|BackgroundColor|ImageOffset"
    # Offsets and lengths of blocks, and warnings of ExifTool.
    r"|Thumbnail(Offset|Length)|IPTCDigest|CurrentIPTCDigest|Warning)$"
)
# What programs write into a TIFF to state the size of a pixel or of the image; their values have tests of their own.
RESTATED = re.compile(r"IFD\d+:([XY]Resolution|ImageDescription)$")
# How the pixels of a TIFF page are stored, which its copy states anew; previews.
STORED = re.compile(
    r"IFD\d+:(BitsPerSample|Compression|PhotometricInterpretation|FillOrder|SamplesPerPixel|PlanarConfiguration|Predictor"
    r"|StripOffsets|RowsPerStrip|StripByteCounts|Tile\w+|ExtraSamples|SampleFormat|ColorMap|JPEGTables|T[46]Options"
    r"|YCbCr\w+|ReferenceBlackWhite|M(in|ax)SampleValue|OldSubfileType|InkSet)$|SubIFD:"
)
# Previews of the image before it was enlarged, and what belongs to layers, which a JPEG does not have.
OUTDATED = re.compile(
    r"(IFD1:|InteropIFD:Thumbnail|:PhotoshopThumbnail|:ThumbnailImage|:PreviewImage"
    r"|Photoshop:(Photoshop(Quality|Format)|ProgressiveScans|Layer|NumSlices|Slices|TargetLayer)|Ducky:Quality"
    r"|XMP-xmpNote:HasExtendedXMP)"
)
# The words in a warning that name the tags of a group, or one tag.
NAMED = {
    "IFD0:PixelScale": "georeference",
    "IFD0:ModelT": "georeference",
    "IFD0:GDALMetadata": "GDAL's metadata",
    "IFD0:GDALNoData": "no-data value",
    "GeoTiff": "georeference",
    "IFD0": "EXIF",
    "ExifIFD": "EXIF",
    "GPS": "EXIF",
    "InteropIFD": "EXIF",
    "XMP-dcterms": "Content Credentials",
    "XMP": "XMP",
    "ICC": "ICC",
    "IPTC": "IPTC",
    "Photoshop": "Photoshop",
    "MPImage": "(second|stereo) image",
    "FLIR": "FLIR",
    "File:Comment": "comment",
    "JUMBF": "Content Credentials",
    "PNG:ICC_Profile": "the ICC profile is damaged",
    "GIF:AnimationIterations": "second number of repetitions",
}


def enlarged(source: Path, target: Path) -> list[str]:
    """Write every image of a file again with each pixel doubled, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with formats.read(source) as images, formats.write(target, images) as sink:
            for image in images:
                sink.write(doubled(image))
    return [str(warning.message) for warning in caught if issubclass(warning.category, formats.LossWarning)]


def doubled(image: Image) -> Strips:
    pixels = image.pixels.repeat(2, 0).repeat(2, 1)
    return Strips(image.header.resized(*pixels.shape[:2]), [pixels])


def read_tags(paths: list[Path]) -> dict[str, dict[str, str]]:
    """All tags of files as ExifTool reads them, by the file's name; the values of repeated tags joined."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    command = ["exiftool", "-j", "-G1", "-a", "-s", "-n", "-api", "largefilesupport=1", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {Path(each.pop("SourceFile")).name: each for each in json.loads(done.stdout)}


def missing_tags(before: dict[str, Any], after: dict[str, Any], messages: list[str]) -> list[str]:
    """The tags that are lost or changed without a warning."""
    said = " ".join(messages)
    found = []
    for tag, value in before.items():
        group = tag.partition(":")[0]
        if (
            NOT_METADATA.match(tag)
            or ENCODING.match(tag)
            or STORED.match(tag)
            or OUTDATED.search(tag)
            or after.get(tag) == value
            or (tag not in after and EMPTY.get(tag) == value)
        ):
            continue
        restated = before.get("File:FileType") == "TIFF" and RESTATED.match(tag)
        if tag in after and (CHANGED.search(tag) or restated):
            continue
        word = next((word for start, word in NAMED.items() if tag.startswith(start)), group)
        if not re.search(word, said):
            found.append(f"{tag}: {value!r} became {after.get(tag)!r}")
    return found


def test_every_tag_of_the_corpus_is_kept_or_named(shared: Path, tmp_path: Path) -> None:
    roots = [shared / "data" / "formats" / name for name in ("photo", "pillow", "geotiff")] + [
        shared / "cases" / "pictures"
    ]
    sources = [path for root in roots for path in sorted(root.rglob("*")) if path.suffix in ENDINGS]
    if not sources:
        pytest.skip("needs data/formats and cases/pictures in ../shared")
    messages: dict[str, list[str]] = {}
    pairs = {}
    for number, source in enumerate(sources):
        if source.stat().st_size > 200_000:  # large files, whose metadata are of the same kinds
            continue
        target = tmp_path / f"{number}-{source.name}"
        try:
            messages[target.name] = enlarged(source, target)
        except HyperacuityError:
            continue
        pairs[target.name] = source
    after = read_tags([tmp_path / name for name in pairs])
    before = read_tags(list(pairs.values()))
    failures = {}
    for name, source in pairs.items():
        lost = missing_tags(before[source.name], after[name], messages[name])
        if lost:
            failures[name] = lost
    assert not failures, json.dumps(failures, indent=1)
    assert len(pairs) > 60


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".bmp", ".gif", ".ppm"])
def test_every_item_of_a_jpeg_is_kept_or_named(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_files.everything())
    said = " ".join(enlarged(tmp_path / "a.jpg", tmp_path / f"b{suffix}"))
    before = formats.list_items(tmp_path / "a.jpg")
    kept = load(tmp_path / f"b{suffix}").header.metadata
    assert len(before) > 12
    for item in before:
        carried = item.carrier is not None and getattr(kept, item.carrier)
        assert carried or inventory.is_outdated(item) or item.label in said, item
    if suffix == ".jpg":
        after = {item.key for item in formats.list_items(tmp_path / "b.jpg")}
        assert {item.key for item in before if item.carrier} - {"APP1 Extended XMP"} <= after


# What a file of each format must hold besides its pixels, by the start of the keys that the copy lists too.
HELD = {
    "a.png": "iCCP cICP mDCV cLLI sRGB gAMA cHRM pHYs sBIT bKGD sPLT tIME oFFs sCAL pCAL sTER caNv vpAg gIFg gIFx "
    "prVt tEXt zTXt iTXt eXIf",
    "a.gif": "ICCRGBG1012 XMP SOMEAPP1234 comment aspect",
    "a.webp": "ICCP EXIF XMP ANIM",
    "a.bmp": "embedded",
    "a.tif": "271 286 297 315 337 700 33432 33723 34377 34675 65000 270",
    "imagej.tif": "270 50839",
    "a.jp2": "",
    "hdr.jpg": "export unique JFIF gain video Photoshop XMP",
    "a.avif": "nclx mdcv clli pasp Exif rdf+xml",
}


def write_everything(path: Path) -> None:
    """Write a file that holds everything that its format knows."""
    makers = {"a.png": everything.png, "a.gif": everything.gif, "a.webp": everything.webp, "a.bmp": everything.bmp}
    makers |= {"a.jp2": everything.jpeg2000, "hdr.jpg": everything.ultra_hdr_with_everything}
    if path.name in makers:
        path.write_bytes(makers[path.name]())
    elif path.name == "a.avif":
        # No other program here writes all of them; `HELD` says what must be there.
        colour = StatedColour(primaries=9, transfer=16, mastering=tuple(range(1, 11)), light=(70_000, 30_000))
        metadata = Metadata(exif=exif_block(), xmp=everything.XMP, colour=colour, density_ratio=(2, 1))
        save(path, Image.from_pixels(noise(), metadata=metadata))
        path.write_bytes(path.read_bytes() + b"\0\0\0\x0cabcdwxyz")
    else:
        (everything.imagej if path.name == "imagej.tif" else everything.tiff)(path)


@pytest.mark.parametrize("name", HELD)
def test_everything_in_a_file_is_in_its_copy_or_named(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / name, tmp_path / f"copy-{name.replace('.jp2', '.png')}"
    write_everything(source)
    said = " ".join(enlarged(source, target))
    before, after = formats.list_items(source), formats.list_items(target)
    for item in before:
        if item.carrier is None:
            assert inventory.is_outdated(item) or item.label in said, item
    carried = " ".join(item.key + item.label for item in before if item.carrier)
    held = " ".join(item.key + item.label for item in after if item.carrier)
    for word in HELD[name].split():
        assert word in carried, f"{word} is not listed"
        assert word in held, f"{word} is not in the copy"
    assert len(after) >= sum(item.carrier is not None for item in before)
    with formats.read(source) as one, formats.read(target) as other:
        for first, second in zip(one, other, strict=True):
            was, became = first.header.metadata, second.header.metadata
            for kind in ("icc", "iptc", "trailer", "colour", "density_ratio"):
                assert getattr(became, kind) == getattr(was, kind), kind
            for kind in ("exif", "xmp", "native", "gain_map"):
                assert (getattr(became, kind) is None) == (getattr(was, kind) is None), kind
            assert (became.dpi or 0) == pytest.approx(was.dpi or 0, rel=1e-3)
            if was.gain_map and became.gain_map:
                assert became.gain_map.segments == was.gain_map.segments
                assert became.gain_map.announcement == was.gain_map.announcement


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".bmp", ".gif"])
@pytest.mark.parametrize("name", HELD)
def test_everything_is_named_that_another_format_does_not_hold(name: str, suffix: str, tmp_path: Path) -> None:
    source, target = tmp_path / name, tmp_path / f"copy{suffix}"
    write_everything(source)
    try:
        said = " ".join(enlarged(source, target))
    except UsageError:  # of frames or pages, before any work
        assert not target.exists()
        return
    with formats.read(target) as opened:
        kept = next(iter(opened)).header.metadata
    for item in formats.list_items(source):
        carried = item.carrier is not None and getattr(kept, item.carrier) is not None
        # Codes and numbers of colour become a profile, or are named as the colour that they mean.
        carried |= item.carrier == "colour" and (kept.icc is not None or "colour (" in said)
        assert carried or inventory.is_outdated(item) or item.label in said, item


def test_every_tag_of_a_jpeg_is_kept_or_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_files.everything())
    said = enlarged(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert len(said) == 1
    tags = read_tags([tmp_path / "a.jpg", tmp_path / "b.jpg"])
    assert missing_tags(tags["a.jpg"], tags["b.jpg"], said) == []


def test_what_no_reader_lists_is_named_by_its_field() -> None:
    metadata = load(jpeg_files.with_segments((0xFE, b"words"))).header.metadata
    assert [item.label for item in inventory.items_of(metadata)] == ["JPEG comment"]
    image = Image.from_pixels(np.zeros((2, 2), np.uint8), metadata=metadata)
    assert image.header.metadata.items == metadata.items
