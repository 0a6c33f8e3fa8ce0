"""What files state about how they were made, read by exiftool and by an XML parser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import zoo
from hyperacuity.formats.photo.xmp_origin import with_origin
from hyperacuity.image import Image, Origin
from hyperacuity.origin import state_origin

ORIGIN = Origin("Hyperacuity 0.1", ("photo-x4", "a<b>&c"), invents=True)
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "mm": "http://ns.adobe.com/xap/1.0/mm/",
    "evt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
OLD = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<r:Description r:about="" xmlns:q="http://ns.adobe.com/xap/1.0/" q:CreatorTool="Camera 7"'
    b' xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="http://cv.iptc.org/newscodes/'
    b'digitalsourcetype/digitalCapture" xmlns:m="http://ns.adobe.com/xap/1.0/mm/"><m:History><r:Seq><r:li'
    b' r:parseType="Resource" xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"><e:action>saved</e:action>'
    b"</r:li></r:Seq></m:History></r:Description></r:RDF></x:xmpmeta>"
)


def test_a_new_packet_states_software_models_and_kind() -> None:
    root = ElementTree.fromstring(with_origin(None, ORIGIN).split(b"?>", 1)[1].rsplit(b"<?", 1)[0])
    assert root.findtext(".//ext:DigitalSourceType", namespaces=NAMES) == COMPOSITE
    assert root.findtext(".//xmp:CreatorTool", namespaces=NAMES) == "Hyperacuity 0.1"
    assert root.findtext(".//mm:History//evt:parameters", namespaces=NAMES) == "enlarged by photo-x4, a<b>&c"


def test_earlier_steps_and_the_first_tool_stay() -> None:
    twice = with_origin(with_origin(OLD, ORIGIN), ORIGIN)
    root = ElementTree.fromstring(twice)
    assert [step.text for step in root.findall(".//evt:action", NAMES)] == ["saved", "converted", "converted"]
    assert b"Camera 7" in twice
    assert twice.count(b"CreatorTool") == 1
    assert twice.count(b"digitalsourcetype") == 1
    assert b"compositeWithTrainedAlgorithmicMedia" in twice


def test_models_that_invent_nothing_only_enhance() -> None:
    packet = with_origin(None, Origin("Hyperacuity 0.1", ("fsrcnn-x2",), invents=False))
    assert b"/algorithmicallyEnhanced" in packet


@pytest.mark.parametrize("packet", [b"<broken", b"not xml"])
def test_a_damaged_packet_stays(packet: bytes) -> None:
    assert with_origin(packet, ORIGIN) == packet


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        OLD.replace(b"<r:Seq>", b"<r:Bag>").replace(b"</r:Seq>", b"</r:Bag>"),
        OLD.replace(OLD[OLD.index(b"<r:Seq>") : OLD.index(b"</m:History>")], b"<r:Seq/>"),
    ],
)
def test_packets_of_other_forms_get_a_history(packet: bytes) -> None:
    made = with_origin(packet, ORIGIN)
    root = ElementTree.fromstring(made.split(b"?>", 1)[1].rsplit(b"<?", 1)[0] if made.startswith(b"<?") else made)
    assert len(root.findall(".//evt:parameters", NAMES)) == 1


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_exiftool_reads_the_origin(ending: str, tmp_path: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    PIL.Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "in.png")
    hyperacuity.load("vae-x2").file(tmp_path / "in.png", tmp_path / f"out.{ending}", 2)
    done = subprocess.run(
        ["exiftool", "-j", "-XMP:all", str(tmp_path / f"out.{ending}")], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)[0]
    assert found["DigitalSourceType"] == COMPOSITE
    assert "enlarged by vae-x2" in found["HistoryParameters"]
    assert str(found["CreatorTool"]).startswith("Hyperacuity")


@pytest.mark.parametrize(
    ("model", "stated", "expected"),
    [("fsrcnn", None, False), ("fsrcnn", True, True), ("vae-x2", False, False), ("bicubic", None, False)],
)
def test_other_models_state_it_on_request_only(model: str, stated: bool | None, expected: bool, tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "in.png")
    hyperacuity.load(model).file(tmp_path / "in.png", tmp_path / "out.webp", 2, origin=stated)
    assert (b"digitalsourcetype" in (tmp_path / "out.webp").read_bytes()) == expected


def test_models_that_invent_or_restore_state_it() -> None:
    strips = Image.from_pixels(np.zeros((4, 4, 3), np.uint8)).strips()
    for model in zoo.models().values():
        origin = state_origin(strips, (model.card.name,), [model.card], None).header.metadata.origin
        assert (origin is not None) == zoo.restores(model.card)
    assert {"vae-x2", "photo-x4", "photo-natural-x4"} <= {
        name for name, model in zoo.models().items() if zoo.restores(model.card)
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RealESRGAN_x4plus", True),
        ("realesr-general-x4v3", True),
        ("SRGAN_mmagic_x4", True),
        ("ESRGAN_mmagic_x4", True),
        ("ESRGAN_PSNR_mmagic_x4", False),
        ("esrgan-psnr-x4", False),
        ("RealESRNet_x4plus", False),
        ("EDSR_x2", False),
    ],
)
def test_published_models_with_an_adversary_are_known(name: str, expected: bool) -> None:
    assert zoo.is_generative(zoo.Card(name, "rrdb", 4, "RGB", "none", "nothing", "none")) == expected
