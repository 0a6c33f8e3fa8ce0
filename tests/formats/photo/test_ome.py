"""OME-XML for an enlarged image: sizes, regions, identifiers; everything else byte for byte."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hyperacuity.formats.photo import ome
from hyperacuity.image import Header

HEADER = Header(24, 48, 1, np.dtype(np.uint16), (0, 65535))
SCALE = Fraction(3), Fraction(2)


def enlarged(xml: str) -> str:
    return ome.enlarged(xml.encode(), HEADER, SCALE, "large.ome.tif").decode()


def test_sizes_change_and_all_else_stays_byte_for_byte() -> None:
    before = """<?xml version='1.0'?><!-- by "us" > --><ome:OME xmlns:ome="x"  ><ome:Pixels
        SizeX = '16' SizeY="12" SizeZ="5" PhysicalSizeX="0.3" PhysicalSizeY="1e-1" PhysicalSizeZ="2"
        Type="uint16" Note="a > b"/> <ome:Plane DeltaT="3.5"/> &lt; </ome:OME>"""
    after = before.replace("'16'", '"48"').replace('"12"', '"24"').replace('"0.3"', '"0.1"').replace('"1e-1"', '"0.05"')
    assert enlarged(before) == after


def test_regions_are_counted_in_the_new_pixels() -> None:
    before = '<OME><ROI><Rectangle X="1" Y="2.5" Width="4" Height="3"/><Polygon Points="1,2 3,4"/></ROI></OME>'
    after = '<OME><ROI><Rectangle X="3.0" Y="5.0" Width="12.0" Height="6.0"/>'
    after += '<Polygon Points="3.0,4.0 9.0,8.0"/></ROI></OME>'
    assert enlarged(before) == after


def test_another_file_has_another_identifier_and_its_own_name() -> None:
    before = '<OME UUID="urn:uuid:1"><TiffData><UUID FileName="small.ome.tif">urn:uuid:1</UUID></TiffData></OME>'
    after = enlarged(before)
    assert "urn:uuid:1<" not in after
    assert 'FileName="large.ome.tif"' in after
    identifier = after.split('"')[1]
    assert f">{identifier}<" in after
    assert enlarged(before) == after


def test_files_of_a_set_keep_their_names() -> None:
    before = (
        '<OME UUID="urn:uuid:1"><UUID FileName="a.tif">urn:uuid:1</UUID><UUID FileName="b.tif">urn:uuid:2</UUID></OME>'
    )
    assert ome.has_other_files(before.encode())
    assert 'FileName="b.tif">urn:uuid:2<' in enlarged(before)


def test_types_become_those_that_are_written() -> None:
    assert 'Type="float"' in enlarged('<OME><Pixels SizeX="1" SizeY="1" Type="double"/></OME>')


def test_xml_that_is_damaged_stays() -> None:
    assert enlarged('<OME><Pixels SizeX="16"></OME>') == '<OME><Pixels SizeX="16"></OME>'
