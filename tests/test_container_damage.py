"""Container: files that were cut, flipped, spliced or shuffled give the documented errors, or are salvaged."""

from __future__ import annotations

import io
import random
import resource
import time
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import container_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurcodec.container import Gap, Gop, Packet, Reader, StreamInfo, StreamKind
from neurcodec.container.framing import pack_record
from neurcodec.container.schema import pack_uvar
from neurcodec.errors import DamageError, FormatError, LimitError
from tools.format.files import split

DOCUMENTED = (FormatError, DamageError, LimitError)
SMALL = samples.small()
WHOLE = list(Reader(io.BytesIO(SMALL)))
LONG = samples.write([samples.gop(5 * k, 5, 300) for k in range(40)])


def salvage(data: bytes) -> tuple[Reader, list[Gop | Packet]]:
    reader = Reader(io.BytesIO(data), salvage=True)
    return reader, list(reader)


def strict(data: bytes) -> list[Gop | Packet]:
    """What a strict reader gives before it errs; it must err with a documented error."""
    items: list[Gop | Packet] = []
    with pytest.raises(DOCUMENTED):
        for item in Reader(io.BytesIO(data)):
            items.append(item)
    return items


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_every_flipped_byte_is_noticed_and_costs_one_record_at_most(bit: int) -> None:
    for place in range(len(SMALL)):
        data = bytearray(SMALL)
        data[place] ^= 1 << bit
        kept = strict(bytes(data))
        assert kept == WHOLE[: len(kept)], place
        try:
            reader, items = salvage(bytes(data))
        except DOCUMENTED:
            assert 16 <= place < samples_end_of_model(), place
            continue
        assert all(item in WHOLE for item in items), place
        frames = sum(item.frames for item in items if isinstance(item, Gop))
        lost = sum(gap.frames or 0 for gap in reader.gaps)
        assert frames + lost == 15 or (frames == 15 and reader.gaps == [Gap(15, None)]), place
        assert frames >= 10, place


def samples_end_of_model() -> int:
    preamble, head, model = split(SMALL)[:3]
    return len(preamble) + len(head) + len(model)


def test_every_length() -> None:
    for length in range(len(SMALL)):
        kept = strict(SMALL[:length])
        assert kept == WHOLE[: len(kept)], length
        try:
            reader, items = salvage(SMALL[:length])
        except DOCUMENTED:
            assert length < samples_end_of_model()
            continue
        assert items == WHOLE[: len(items)], length
        assert items[: len(kept)] == kept
        frames = sum(item.frames for item in items if isinstance(item, Gop))
        assert reader.gaps[-1] == Gap(frames, None)
        assert reader.losses


def test_k_flips_cost_at_most_k_records_of_a_long_file() -> None:
    chance = random.Random(5)
    whole = list(Reader(io.BytesIO(LONG)))
    for _ in range(60):
        data = bytearray(LONG)
        flips = chance.randint(1, 6)
        for _ in range(flips):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            reader, items = salvage(bytes(data))
        except DOCUMENTED:
            pytest.fail("nothing was salvaged, although HEAD and MODL have copies")
        assert len(items) >= len(whole) - flips
        assert all(item in whole for item in items)
        known = sum(gap.frames or 0 for gap in reader.gaps)
        assert sum(item.frames for item in items) + known == 200 or reader.gaps[-1].frames is None


def test_a_destroyed_start_is_taken_from_the_copies() -> None:
    for size in (1, 30, 60, 100, 500, 3000):
        data = bytes(size) + LONG[size:]
        reader, items = salvage(data)
        assert (reader.header, reader.model) == (samples.HEADER, samples.MODEL)
        assert len(items) >= 39 - size // 900
        assert reader.losses[0].start == 0


def test_losses_and_gaps_say_what_is_missing() -> None:
    parts = split(LONG)
    starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
    data = bytearray(LONG)
    data[starts[5] + 40] ^= 1
    data[starts[6] + 6] ^= 64
    reader, items = salvage(bytes(data))
    assert [(loss.start, loss.end) for loss in reader.losses] == [(starts[5], starts[7])]
    assert reader.gaps == [Gap(10, 10)]
    assert [item.first_frame for item in items] == [0, 5, *range(20, 200, 5)]
    without = b"".join([*parts[:9], *parts[10:]])
    reader, _ = salvage(without)
    assert reader.gaps == [Gap(30, 5)]
    assert reader.seek_frame(33).first_frame == 25
    assert next(reader.gops()).first_frame == 25


def record(kind: bytes, payload: bytes) -> bytes:
    """A record of a file like SMALL."""
    return pack_record(kind, payload, samples.file_id(SMALL))


def index_record(*rows: tuple[int, int, int]) -> bytes:
    body = b"".join(pack_uvar(distance) + bytes([frames]) + pack_uvar(2 * step) for distance, frames, step in rows)
    return record(b"indx", bytes([len(rows)]) + body)


def test_seeking_does_without_a_right_index() -> None:
    parts = split(samples.write([samples.gop(5 * k, 5) for k in range(3)]))
    first, size, third = sum(map(len, parts[:3])), len(parts[3]), len(parts[4])
    right = [(first, 5, 0), (size, 5, 5005), (third, 5, 5005)]
    tail = parts[-1][9:17]
    wrong = {
        "no index": [],
        "index elsewhere": [b"", 7],
        "too few frames": [index_record(*right[:2])],
        "no GOPC there": [index_record((first - 3, 5, 0), *right[1:])],
        "other record": [index_record(right[0], (size, 6, 5005), (third, 4, 5005))],
        "beyond the file": [index_record(right[0], (2**50, 5, 5005), right[2])],
        "another type": [index_record((16, 5, 0), *right[1:])],
    }
    assert index_record(*right) == parts[-2]
    for name, (index, distance) in {
        name: (*value, *[b"", None][len(value) :]) for name, value in wrong.items()
    }.items():
        step = len(index) if distance is None else distance
        data = b"".join(parts[:-2]) + index + record(b"FEND", tail + step.to_bytes(4, "little") + bytes(4))
        for frame, expected in ((0, 0), (7, 5), (12, 10)):
            reader = Reader(io.BytesIO(data))
            assert reader.seek_frame(frame).first_frame == expected, name
            assert next(reader.gops()).pts[0] == expected * 1001, name
    nothing = Reader(io.BytesIO(b"".join([*parts[:3], record(b"FEND", tail + bytes(8))])))
    with pytest.raises(DamageError, match="no whole chunk"):
        nothing.seek_frame(0)


def test_a_record_inside_a_payload_is_no_record() -> None:
    inner = samples.write([replace(samples.gop(0, 5), quality=63)])
    stream = replace(samples.AUDIO, extradata=inner)
    data = bytearray(samples.write([samples.gop(0, 5), samples.gop(5, 5)], streams=[stream]))
    data[data.index(inner) - 10] ^= 1
    reader, items = salvage(bytes(data))
    assert [item.quality for item in items if isinstance(item, Gop)] == [20, 20]
    assert len(reader.losses) == 1 and not reader.gaps


def test_the_search_for_records_is_bounded() -> None:
    fake = b"GOPC\0" + (30 << 20).to_bytes(4, "little")
    data = samples.build(*[(part[:4], part[9:-4]) for part in split(SMALL)[1:3]])
    data += b"\xff" * 20 + fake * 100000 + bytes(31 << 20)
    start = time.process_time()
    reader, items = salvage(data)
    assert not items and reader.gaps == [Gap(0, None)]
    assert time.process_time() - start < 5


record_lists = st.lists(
    st.tuples(st.sampled_from(["keep", "drop", "twice", "swap", "flip", "cut", "noise"]), st.integers(0, 2**16)),
    max_size=5,
)


@given(record_lists, st.booleans())
@settings(max_examples=400, deadline=None)
def test_shuffled_files_give_documented_errors_only(changes: list[tuple[str, int]], pipe: bool) -> None:
    parts = split(SMALL)
    for change, value in changes:
        if len(parts) < 3:
            break
        at = value % len(parts)
        other = value // 7 % len(parts)
        if change == "drop":
            del parts[at]
        elif change == "twice":
            parts.insert(other, parts[at])
        elif change == "swap":
            parts[at], parts[other] = parts[other], parts[at]
        elif change == "flip" and parts[at]:
            part = bytearray(parts[at])
            part[value % len(part)] ^= 1 << value % 8
            parts[at] = bytes(part)
        elif change == "cut":
            parts[at] = parts[at][: value % (len(parts[at]) + 1)]
        elif change == "noise":
            parts.insert(at, random.Random(value).randbytes(value % 50))
    data = b"".join(parts)
    file = io.BytesIO(data)
    if pipe:
        file.seekable = lambda: False  # type: ignore[method-assign]
    items: list[Gop | Packet] = []
    try:
        for item in Reader(file):
            items.append(item)
        assert data == SMALL
    except DOCUMENTED:
        pass
    with_salvage: list[Gop | Packet] = []
    try:
        reader, with_salvage = salvage(data)
    except DOCUMENTED:
        return
    assert all(item in WHOLE for item in with_salvage)
    assert data == SMALL or with_salvage == WHOLE or reader.losses or reader.gaps


@given(st.binary(max_size=100), st.booleans(), st.sampled_from([0, 16, 38, 64]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_without_crc(noise: bytes, keep: bool, start: int) -> None:
    data = SMALL[:start] + noise + (SMALL[start + len(noise) :] if keep else b"")
    for crc in (True, False):
        try:
            list(Reader(io.BytesIO(data), check_crc=crc))
        except DOCUMENTED:
            continue


def hostile() -> list[bytes]:
    """Files of about 100 bytes that declare as much as they can."""
    start = b"".join(split(SMALL)[:3])
    huge = b"\xff\xff\xff\x03"
    files = [
        start + kind + b"\0" + huge + b"x" for kind in (b"GOPC", b"pckt", b"indx", b"strm", b"meta", b"side", b"xxxx")
    ]
    many = b"\xff\xff\xff\x7f"
    files += [
        start + record(b"indx", many + b"\x01\x01\x00" * 9),
        start + record(b"meta", b"\xff\x07" + b"\x01a\x00" * 9),
        start + record(b"GOPC", b"\0\xff\x14\x03\0\x02" + b"\x01" * 20),
        start + record(b"GOPC", b"\0\xff\x14\x03\0\0\x01" + bytes(9) + b"\x01\0" + huge),
        start + record(b"strm", b"\0\0\x01a\x01\x01" + bytes(30) + many),
        samples.build((b"HEAD", b"\0" + b"\x80\x80\x01" * 2 + bytes(20))),
    ]
    return files


@pytest.mark.parametrize("number", range(13))
@pytest.mark.parametrize("pipe", [False, True])
def test_a_hostile_file_of_100_bytes_takes_little(number: int, pipe: bool) -> None:
    file = io.BytesIO(hostile()[number])
    if pipe:
        file.seekable = lambda: False  # type: ignore[method-assign]
    tracemalloc.start()
    started = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(DOCUMENTED):
        list(Reader(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - started < 1


def test_records_of_another_file_in_an_attachment_are_not_taken_for_ones_own() -> None:
    """Its strm record's length is damaged, so that the search for the next record walks through the attachment."""
    foreign = samples.write([samples.gop(5 * k, 5) for k in range(9)], replace(samples.HEADER, width=48))
    font = StreamInfo(StreamKind.ATTACHMENT, "ttf", Fraction(1, 90000), extradata=foreign)
    whole = samples.write([samples.gop(5 * k, 5) for k in range(10)], streams=[font])
    reader, before = salvage(whole)
    parts = split(whole)
    assert parts[3][:4] == b"strm" and not reader.losses
    for number, damage in ((1, 5), (1, 12), (3, 5), (3, 7), (3, 12)):  # lengths, and payloads, of HEAD and strm
        data = bytearray(whole)
        data[sum(map(len, parts[:number])) + damage] ^= 64
        reader, items = salvage(bytes(data))
        assert reader.losses and items == before
        assert reader.header.width == samples.HEADER.width


@pytest.mark.parametrize("place", range(16))
def test_a_damaged_preamble_costs_nothing(place: int) -> None:
    """The file's id is found again from its first records."""
    data = bytearray(LONG)
    data[place] ^= 0x55
    reader, items = salvage(bytes(data))
    assert [item.first_frame for item in items] == list(range(0, 200, 5))
    assert reader.losses


def test_an_id_is_found_from_a_copy_where_the_start_is_lost() -> None:
    data = bytearray(LONG)
    data[:90] = bytes(90)
    _, items = salvage(bytes(data))
    assert len(items) > 35
