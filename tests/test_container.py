"""Container: what is written comes back, in few bytes, from files and pipes, by frame number and by time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from math import floor
from pathlib import Path

import container_samples as samples
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurcodec.container import (
    BaseLayer,
    FrameType,
    Gop,
    Header,
    Limits,
    ModelInfo,
    Packet,
    Reader,
    StreamInfo,
    Substream,
    VideoTrack,
    Writer,
    check,
    frame_types,
    summary,
)
from neurcodec.errors import DamageError, InputError, LimitError
from tools.format.files import split


def read(data: bytes, **options: bool) -> tuple[Reader, list[Gop | Packet]]:
    reader = Reader(io.BytesIO(data), **options)
    return reader, list(reader)


def flat(items: list[samples.Content]) -> list[Gop | Packet]:
    return [
        part for item in items if not isinstance(item, dict) for part in ([item] if isinstance(item, Gop) else item)
    ]


@given(samples.contents(), st.none() | samples.tracks)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_round_trip(
    contents: tuple[Header, ModelInfo, list[StreamInfo], list[samples.Content]], track: VideoTrack | None
) -> None:
    header, model, streams, items = contents
    # 12 hours is a default limit that arbitrary time bases break; here only the bytes count.
    file = io.BytesIO()
    writer = Writer(file, header, model, Limits.none())
    if track is not None:
        writer.write_track(track)
    for stream in streams:
        writer.write_stream(stream)
    for item in items:
        {Gop: writer.write_gop, dict: writer.write_metadata, tuple: writer.write_packets}[type(item)](item)
    writer.close()
    assert writer.bytes_written == len(file.getvalue())
    reader = Reader(file, Limits.none())
    assert (reader.header, reader.model, reader.version) == (header, model, (2, 1))
    assert list(reader.streams.values()) == streams and reader.track == track
    assert list(reader) == flat(items)
    expected: dict[str, str] = {}
    for item in items:
        if isinstance(item, dict):
            expected |= item
    assert reader.metadata == expected
    assert tuple(reader.entries) == reader.index
    salvaging = Reader(file, Limits.none(), salvage=True)
    assert list(salvaging) == flat(items)
    assert not salvaging.losses and not salvaging.gaps


def test_same_bytes_twice() -> None:
    assert samples.small() == samples.small()


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30), Fraction(60000, 1001), Fraction(25)])
def test_millisecond_timestamps_cost_a_few_bytes(rate: Fraction) -> None:
    header = replace(samples.HEADER, time_base=Fraction(1, 1000), frame_rate=rate)
    pts = [floor(i * 1000 / rate + Fraction(1, 2)) for i in range(37, 127)]
    record = replace(samples.gop(0, 90), pts=tuple(pts), last_duration=33)
    constant = samples.write([samples.gop(0, 90)])
    data = samples.write([record], header)
    assert next(Reader(io.BytesIO(data)).gops()) == record
    assert len(data) - len(constant) <= 10


def test_variable_timestamps_are_kept() -> None:
    steps = [1, 4, 1, 9000, 3, 2**35]
    record = replace(samples.gop(0, 7), pts=tuple(accumulate(steps, initial=-5)), last_duration=0)
    data = samples.write([record], replace(samples.HEADER, time_base=Fraction(1, 10**9), frame_rate=Fraction(0)))
    assert next(Reader(io.BytesIO(data)).gops()) == record


def test_overhead_of_a_short_file() -> None:
    header = Header(640, 360, Fraction(1, 15360), Fraction(30), Fraction(1))
    records = [
        Gop(
            tuple(512 * i for i in range(start, start + frames)),
            512,
            20,
            3,
            {Substream.MOTION: bytes(3000), Substream.LATENTS_I: bytes(7000), Substream.LATENTS_P: bytes(5000)},
            bytes(8),
        )
        for start, frames in ((0, 90), (90, 60))
    ]
    data = samples.write(records, header, model=replace(samples.MODEL, name="default"))
    assert len(data) - 2 * 15000 <= 240


def test_long_files_have_copies_of_head_and_model_and_a_small_index() -> None:
    kinds = [part[:4] for part in split(samples.write([samples.gop(5 * k, 5) for k in range(8)]))[1:]]
    assert kinds == [b"HEAD", b"MODL"] + [b"GOPC"] * 8 + [b"head", b"modl", b"indx", b"FEND"]
    few = split(samples.write([samples.gop(5 * k, 5) for k in range(100)]))
    many = split(samples.write([samples.gop(5 * k, 5) for k in range(200)]))
    assert len(many[-2]) - len(few[-2]) <= 100 * 7


def test_packets_are_compact() -> None:
    with_audio = samples.write([samples.gop(0, 5), samples.audio(0, 100)], streams=[samples.AUDIO])
    without = samples.write([samples.gop(0, 5)], streams=[samples.AUDIO])
    payload = sum(len(packet.data) for packet in samples.audio(0, 100))
    assert len(with_audio) - len(without) - payload <= 2 * 100 + 20


def test_many_pairs_go_into_several_records() -> None:
    pairs = {f"key {number}": "x" for number in range(2500)}
    data = samples.write([samples.gop(0, 5), pairs])
    reader = Reader(io.BytesIO(data))
    list(reader)
    assert reader.metadata == pairs
    assert sum(part[:4] == b"meta" for part in split(data)) == 3


def test_many_packets_go_into_several_records() -> None:
    packets = tuple(Packet(0, b"x", i, i, 1) for i in range(70000))
    big = tuple(Packet(0, bytes(5 << 20), i, i, 1) for i in range(70000, 70003))
    data = samples.write([samples.gop(0, 5), packets + big], streams=[samples.AUDIO])
    assert tuple(Reader(io.BytesIO(data)).packets()) == packets + big
    assert sum(part[:4] == b"pckt" for part in split(data)) == 4


def test_empty_substreams_and_packets_are_left_out() -> None:
    record = replace(samples.gop(0, 2), substreams={Substream.MOTION: b"", Substream.LATENTS_I: b"i"})
    data = samples.write([record, (Packet(0, b"", 0, 0),)], streams=[samples.AUDIO])
    _, items = read(data)
    assert [item.substreams for item in items if isinstance(item, Gop)] == [{Substream.LATENTS_I: b"i"}]
    assert len(items) == 1


def test_reading_from_a_pipe() -> None:
    data = samples.small()
    for salvage in (False, True):
        out, into = os.pipe()
        feeder = threading.Thread(target=lambda into=into: (os.write(into, data), os.close(into)))
        feeder.start()
        with os.fdopen(out, "rb", buffering=0) as file, Reader(file, salvage=salvage) as reader:
            assert list(reader) == read(data)[1]
            if not salvage:
                with pytest.raises(InputError, match="pipe"):
                    reader.seek_frame(0)
        feeder.join()


def test_streams_and_metadata_are_there_before_the_frames() -> None:
    reader = Reader(io.BytesIO(samples.small()))
    assert reader.streams == {0: samples.AUDIO}
    assert reader.metadata == {"title": "small"}
    assert reader.header == samples.HEADER and reader.model == samples.MODEL


@pytest.mark.parametrize("indexed", [True, False])
def test_seeking(indexed: bool) -> None:
    data = samples.small()
    if not indexed:
        parts = split(data)
        data = b"".join(part for part in parts if part[:4] not in (b"indx", b"FEND"))
    reader = Reader(io.BytesIO(data), salvage=not indexed)
    whole = list(Reader(io.BytesIO(data), salvage=True))
    for frame in (14, 0, 5, 9, 4, 99, -1):
        entry = reader.seek_frame(frame)
        assert entry.first_frame == min(max(frame, 0), 14) // 5 * 5
        position = next(
            i for i, item in enumerate(whole) if isinstance(item, Gop) and item.first_frame == entry.first_frame
        )
        assert list(reader) == whole[position:]
    for pts, first in ((0, 0), (5005, 5), (5004, 0), (14 * 1001, 10), (10**9, 10), (-7, 0)):
        assert reader.seek_pts(pts).first_frame == first
        assert next(reader.gops()).first_frame == first


def test_a_wrong_index_is_rebuilt() -> None:
    parts = split(samples.write([samples.gop(5 * k, 5) for k in range(3)]))
    other = split(samples.write([samples.gop(5 * k, 5, 21) for k in range(3)]))
    reader = Reader(io.BytesIO(b"".join([*parts[:-2], other[-2], parts[-1]])))
    assert reader.seek_frame(12).first_frame == 10
    assert next(reader.gops()) == replace(samples.gop(10, 5), first_frame=10)


def test_frame_types() -> None:
    kinds = "".join(kind.name for kind in frame_types(9, 3))
    assert kinds == "ISSPSSPSP"
    assert frame_types(1, 4) == (FrameType.I,)
    assert "".join(kind.name for kind in frame_types(3, 1)) == "IPP"


def test_summary(tmp_path: Path) -> None:
    path = tmp_path / "small.nvc"
    path.write_bytes(samples.small())
    facts = check(path)
    assert facts == summary(path)
    assert facts["bytes"] == path.stat().st_size == sum(facts["bytes_by_kind"].values())
    assert (facts["frames"], facts["chunks"], facts["width"], facts["height"]) == (15, 3, 64, 48)
    assert facts["frame_types"] == {"I": 3, "P": 6, "S": 6}
    assert facts["format_version"] == "2.1" and facts["model"] == "tiny" and facts["complete"]
    assert facts["frame_rate"] == pytest.approx(30000 / 1001, abs=1e-6)
    assert facts["duration"] == pytest.approx(15 * 1001 / 30000)
    assert facts["bits_per_pixel"] == facts["bytes"] * 8 / (15 * 64 * 48)
    assert facts["kbps"] == pytest.approx(facts["bytes"] * 8 / facts["duration"] / 1000)
    assert facts["bytes_by_kind"]["motion"] == facts["bytes_by_kind"]["latents_P"] == 60
    assert facts["bytes_by_kind"]["audio"] > sum(len(packet.data) for packet in samples.audio(0, 9))
    json.dumps(facts)


def test_summary_of_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.nvc"
    path.write_bytes(samples.small()[:-120])
    with pytest.raises(DamageError):
        summary(path)
    facts = summary(path, salvage=True)
    assert not facts["complete"] and facts["gaps"][-1]["frames"] is None
    assert facts["bytes"] == sum(facts["bytes_by_kind"].values())
    with pytest.raises(InputError, match="cannot read"):
        summary(tmp_path / "none.nvc")


def test_import_and_summary_need_no_heavy_module_and_little_time(tmp_path: Path) -> None:
    path = tmp_path / "small.nvc"
    path.write_bytes(samples.small())
    code = (
        "import sys, time; start = time.process_time()\n"
        "import neurcodec.container as c; c.summary(sys.argv[1])\n"
        "assert not {'torch', 'numpy', 'av', 'constriction'} & set(sys.modules)\n"
        "print(time.process_time() - start)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.15


def test_the_writer_refuses_what_no_reader_takes() -> None:
    def writer(header: Header = samples.HEADER) -> Writer:
        return Writer(io.BytesIO(), header, samples.MODEL)

    for header in (
        replace(samples.HEADER, width=0),
        replace(samples.HEADER, width=16385),
        replace(samples.HEADER, width=16384, height=16385),
        replace(samples.HEADER, time_base=Fraction(0)),
        replace(samples.HEADER, frame_rate=Fraction(-1)),
        replace(samples.HEADER, display_matrix=(1, 2)),
        replace(samples.HEADER, bit_depth=0),
    ):
        with pytest.raises(LimitError):
            writer(header)
    good = samples.gop(0, 5)
    for bad in (
        replace(good, pts=()),
        replace(good, pts=(0, 2, 2)),
        replace(good, pts=tuple(range(256))),
        replace(good, quality=64),
        replace(good, mini_gop=0),
        replace(good, mini_gop=5),
        replace(good, digest=b"short"),
        replace(good, last_duration=-1),
        replace(good, pts=(0, 30000 * 43201), last_duration=1),
        replace(good, substreams={Substream.MOTION: bytes((64 << 20) + 1)}),
    ):
        with pytest.raises(LimitError):
            writer().write_gop(bad)
    again = writer()
    again.write_gop(good)
    with pytest.raises(InputError, match="timestamps go back"):
        again.write_gop(good)
    with pytest.raises(InputError, match="before the first"):
        again.write_stream(samples.AUDIO)
    with pytest.raises(InputError, match="not declared"):
        again.write_packets([Packet(3, b"x", 0, 0)])
    with pytest.raises(InputError, match="Unicode"):
        again.write_metadata({"title": "\udc80"})
    with pytest.raises(LimitError, match="metadata"):
        for key in range(20):
            again.write_metadata({str(key): "x" * 65000})
    with pytest.raises(InputError, match="no frames"):
        writer().close()
    with pytest.raises(LimitError, match="chunk_pixels"):
        writer(replace(samples.HEADER, width=16384, height=16384)).write_gop(samples.gop(0, 17))
    with pytest.raises(LimitError, match="base_scale"):
        writer().write_gop(replace(good, base=BaseLayer(0, 1)))
    few = Writer(io.BytesIO(), samples.HEADER, samples.MODEL, Limits(index_entries=1, stream_bytes=50))
    few.write_stream(samples.AUDIO)
    with pytest.raises(LimitError, match="attachments"):
        few.write_stream(samples.AUDIO)
    few.write_gop(good)
    assert few.frames == 5
    with pytest.raises(LimitError, match="index_entries"):
        few.write_gop(samples.gop(5, 5))
    full = writer()
    for _ in range(64):
        full.write_stream(samples.AUDIO)
    with pytest.raises(LimitError, match="64 streams"):
        full.write_stream(samples.AUDIO)
