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
from hyperacuity.errors import HyperacuityError
from hyperacuity.formats import inventory
from hyperacuity.image import Image, Strips
from tests.formats import jpeg_files
from tests.formats.samples import load

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
