"""Replacing damaged and missing frames, without FFmpeg."""

from __future__ import annotations

from fractions import Fraction

from hyperacuity.formats.video.damage import DamageMender, LeadIn, PacketRecord, PacketTally
from hyperacuity.formats.video.frames import PlanarFrame

MILLISECOND = Fraction(1, 1000)


def mended(*steps: PacketRecord | int) -> list[int | tuple[int, int]]:
    """The pts shown after packets and decoded frames; (pts, pts of the original) for a repeated frame."""
    mender = DamageMender()
    shown: list[PlanarFrame] = []
    for step in steps:
        if isinstance(step, PacketRecord):
            mender.add_packet(step)
        else:
            damaged = mender.is_damaged(step, corrupt=False)
            shown += mender.add_frame(PlanarFrame((), step, duration=step + 1), damaged=damaged)
    shown += mender.finish()
    assert all(frame.duration == (0 if frame.repeated else frame.pts + 1) for frame in shown)
    return [frame.pts if not frame.repeated else (frame.pts, 0) for frame in shown]


def broken(pts: int) -> PacketRecord:
    return PacketRecord(pts, decodable=False)


def test_frames_of_sound_packets_pass_unchanged() -> None:
    assert mended(PacketRecord(0, key=True), 0, PacketRecord(40), 40) == [0, 40]


def test_a_packet_without_a_frame_is_not_damage() -> None:
    assert mended(PacketRecord(0, key=True), 0, PacketRecord(40), PacketRecord(80), 80) == [0, 80]


def test_a_packet_that_cannot_be_decoded_is_replaced_by_the_frame_before() -> None:
    assert mended(PacketRecord(0, key=True), 0, broken(40), PacketRecord(80), 80) == [0, (40, 0), 80]


def test_frames_missing_up_to_the_next_key_frame_are_replaced_and_later_ones_not() -> None:
    steps = (PacketRecord(0, key=True), 0, broken(40), PacketRecord(80), PacketRecord(120, key=True), 120)
    assert mended(*steps) == [0, (40, 0), (80, 0), 120]
    assert mended(*steps, PacketRecord(160), PacketRecord(200), 200) == [0, (40, 0), (80, 0), 120, 200]


def test_a_corrupt_key_frame_does_not_end_the_damage() -> None:
    steps = (broken(0), PacketRecord(40, key=True, corrupt=True), PacketRecord(80), PacketRecord(120, key=True), 120)
    assert mended(*steps) == [(0, 0), (40, 0), (80, 0), 120]


def test_a_frame_of_a_corrupt_packet_is_replaced() -> None:
    assert mended(PacketRecord(0, key=True), 0, PacketRecord(40, corrupt=True), 40, PacketRecord(80), 80) == [
        0,
        (40, 0),
        80,
    ]


def test_damage_at_the_beginning_shows_the_first_good_frame_early() -> None:
    assert mended(broken(0), broken(40), PacketRecord(80, key=True), 80) == [(0, 0), (40, 0), 80]


def test_damage_at_the_end_repeats_the_last_frame() -> None:
    assert mended(PacketRecord(0, key=True), 0, broken(80), broken(40)) == [0, (40, 0), (80, 0)]


def test_hidden_packets_are_not_missed() -> None:
    steps = (PacketRecord(0, key=True), 0, broken(40), PacketRecord(60, hidden=True), PacketRecord(80), 80)
    assert mended(*steps) == [0, (40, 0), 80]


def test_without_one_good_frame_nothing_is_shown() -> None:
    assert mended(broken(0), broken(40)) == []


def test_a_frame_that_comes_after_its_replacement_is_left_out() -> None:
    assert mended(PacketRecord(0), 0, broken(1), PacketRecord(3), 3, PacketRecord(2), 1, 4) == [0, (1, 0), 3, (2, 0), 4]


def test_a_source_may_repeat_a_frame() -> None:
    mender = DamageMender()
    assert not list(mender.repeat(0))
    frames = [*mender.add_frame(PlanarFrame((), 0), damaged=False), *mender.repeat(1)]
    assert [(frame.pts, frame.repeated) for frame in frames] == [(0, False), (1, False)]


def test_repeated_frames_have_the_planes_of_the_last_good_one() -> None:
    mender = DamageMender()
    planes = PlanarFrame((), 0).planes
    list(mender.add_frame(PlanarFrame(planes, 0), damaged=False))
    (repeated,) = mender.add_frame(PlanarFrame((), 40), damaged=True)
    assert repeated.planes is planes


def test_a_tally_names_what_is_missing() -> None:
    tally = PacketTally()
    for pts in (0, 80, 40):
        tally.add(pts, 40, 1000)
    tally.add(None, 0, 0)  # the empty one at the end
    assert (tally.packets, tally.length, tally.end) == (3, 3000, 120)
    assert tally.describe_missing(3, Fraction(12, 100), MILLISECOND) == ""
    assert tally.describe_missing(0, Fraction(0), MILLISECOND) == ""
    assert tally.describe_missing(4, Fraction(0), MILLISECOND) == "is cut short: it has 3 of 4 frames"
    assert tally.describe_missing(0, Fraction(62, 100), MILLISECOND) == ""  # containers round
    missing = tally.describe_missing(0, Fraction(2), MILLISECOND)
    assert missing == "is damaged or cut short: its video ends at 0.12 of 2.00 s"


def passed(lead: LeadIn, *packets: PacketRecord, decoded: bool = False, last: bool = False) -> list[int | None]:
    return [one.pts for each in packets for one in lead.pass_on(each, decoded=decoded, last=last)]


def test_packets_before_the_first_key_frame_are_left_out_and_counted() -> None:
    lead = LeadIn()
    assert passed(lead, broken(40), PacketRecord(80), PacketRecord(160, key=True), PacketRecord(120)) == [160, 120]
    assert (lead.skipped, lead.length) == (2, 120)


def test_packets_without_a_key_frame_count_once_one_is_decoded_or_the_file_ends() -> None:
    lead = LeadIn()
    assert passed(lead, PacketRecord(0), PacketRecord(40)) == []
    assert passed(lead, PacketRecord(80), decoded=True) == [0, 40, 80]
    assert passed(lead, PacketRecord(120, key=True)) == [120]
    lead = LeadIn()
    assert passed(lead, broken(0)) == []
    assert passed(lead, PacketRecord(None), last=True) == [0, None]
    assert lead.skipped == 0
