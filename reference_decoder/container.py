"""The container, written from bitstream_spec.md sections 2 to 5, 11 and 12 alone.

`read(data)` checks a whole file and returns what is in it as plain dicts and lists, down to the substreams. It raises
Refused with the kind of error that section 11 of the specification gives.
"""

from __future__ import annotations

import zlib
from math import gcd
from typing import Any

from reference_decoder.errors import need
from reference_decoder.fields import INT_MAX, TIME_MAX, U32_MAX, Bytes

SIGNATURE = bytes([0x8B, 0x4E, 0x56, 0x43, 0x0D, 0x0A, 0x1A, 0x0A])
LIMITS = {
    "side": 16384, "pixels": 2**28, "chunk_pixels": 2**32, "record_bytes": 2**26, "seconds": 43200, "streams": 64,
    "stream_bytes": 2**27, "metadata_bytes": 2**20, "index_entries": 2**18,
    "pixels_per_byte": 2**23, "native_pixels_per_byte": 2**19, "native_picture_per_byte": 2**14, "file_pixels": 2**45,
}  # fmt: skip


def preamble(data: bytes) -> None:
    """Section 3.1."""
    need(data[:8] == SIGNATURE[: len(data)] and len(data) > 0, "the signature is not that of an .nvc file", "format")
    need(len(data) >= 16, "the preamble is cut")
    need(data[8] == 2 and data[10] <= 1 and data[11] == 0, "a newer version of the format, or unknown flags", "format")
    need(data[10] <= data[9], "a file that needs a newer reader than its own version")


def records(data: bytes) -> list[tuple[str, int, bytes, bytes]]:
    """Section 3.2: (type, offset, payload, crc field) of every record."""
    out, at, file_id = [], 16, int.from_bytes(data[12:16], "little")
    while at < len(data):
        need(at + 13 <= len(data), "the file ends in a record")
        length = int.from_bytes(data[at + 5 : at + 9], "little")
        need(at + 13 + length <= len(data), "the file ends in a record")
        need(length <= LIMITS["record_bytes"], f"the record at byte {at} is above the limit of its size", "limit")
        need(
            data[at : at + 4] not in (b"meta", b"vide") or length <= LIMITS["metadata_bytes"],
            "metadata above the limit",
            "limit",
        )
        crc = data[at + 9 + length : at + 13 + length]
        need(
            int.from_bytes(crc, "little") == zlib.crc32(data[at : at + 9 + length], file_id),
            f"the CRC of the record at byte {at} differs",
        )
        kind = data[at : at + 4]
        need(
            all(65 <= c <= 90 for c in kind) or all(97 <= c <= 122 for c in kind),
            f"the record at byte {at} has a type that is none",
            "format",
        )
        need(data[at + 4] == 0, f"the record at byte {at} has unknown flags", "format")
        name = kind.decode("ascii")
        need(name in ("HEAD", "MODL", "GOPC", "FEND") or name.islower(), f"unknown critical record {name}", "format")
        out.append((name, at, data[at + 9 : at + 9 + length], crc))
        at += 13 + length
        if name == "FEND":
            need(at == len(data), "bytes behind FEND")
    return out


def header(payload: bytes) -> dict[str, Any]:
    """Section 4.1."""
    b = Bytes(payload)
    out: dict[str, Any] = {"profile": b.u8(0, 1, "format")}
    for side in ("width", "height"):
        out[side] = b.uvar(1, 2**20)
        need(out[side] <= LIMITS["side"], f"{side} above the limit", "limit")
    out |= {"time_base": b.ratio(1), "frame_rate": b.ratio(0), "sar": b.ratio(0)}
    out |= {"primaries": b.u8(), "transfer": b.u8(), "matrix": b.u8(), "range": b.u8(0, 2), "location": b.u8(0, 6)}
    out["bit_depth"] = b.u8(1, 32)
    has_matrix = b.u8(0, 1)
    out["display_matrix"] = [b.fixed(4, -(2**31), INT_MAX, True) for _ in range(9)] if has_matrix else None
    b.end()
    need(out["width"] * out["height"] <= LIMITS["pixels"], "pixels of a picture above the limit", "limit")
    return out


def model(payload: bytes) -> dict[str, Any]:
    """Section 4.2."""
    b = Bytes(payload)
    out = {"name": b.text(1, 64), "weights_hash": b.raw(16), "entropy_hash": b.raw(16)}
    b.end()
    return out


def gop(payload: bytes, head: dict[str, Any], minor: int) -> dict[str, Any]:
    """Sections 4.3, 5 and 13; minor: the min_reader_minor of the file."""
    b = Bytes(payload)
    out: dict[str, Any] = {"first_frame": b.uvar(0, U32_MAX)}
    frames = out["frames"] = b.u8(1)
    out["quality"], interval = b.u8(0, 63), b.u8(1, 4)
    out["mini_gop"] = interval
    out["pts"], out["last_duration"] = timing(b, frames)
    need(out["pts"][-1] + out["last_duration"] <= TIME_MAX, "pts out of range")
    out["digest"] = b.raw(8)
    scale = b.u8(0, 16)
    out["base"] = (scale, b.u8()) if scale else None
    count = b.u8(0, 9, "format")
    need(count <= len(b.data), "more substreams than bytes")
    rows = [(b.u8(0, 8, "format"), b.uvar(1, 2**30)) for _ in range(count)]
    ids = [number for number, _ in rows]
    need(ids == sorted(set(ids)), "substream ids do not rise")
    need(sum(size for _, size in rows) == len(b.data), "substream sizes do not fill the record")
    need(
        frames * head["width"] * head["height"] <= LIMITS["chunk_pixels"], "pixels of a record above the limit", "limit"
    )
    most = LIMITS["pixels_per_byte" if head["profile"] == 1 else "native_pixels_per_byte"]
    picture, size = head["width"] * head["height"], max(1, len(b.data))
    need(frames * picture <= most * size, "too few bytes for its pixels", "limit")
    large = picture - 2**20 > LIMITS["native_picture_per_byte"] * size
    need(head["profile"] == 1 or not large, "too few bytes for a picture of its size", "limit")
    out["substreams"] = {number: b.raw(size) for number, size in rows}
    layered = head["profile"] == 1
    need((scale > 0) == layered and (3 in ids) == layered, "a base layer, or none, that the profile does not have")
    last = frames - 1
    out["types"] = "I" + "".join("P" if i % interval == 0 or i == last else "S" for i in range(1, frames))
    extended = 7 in ids or 8 in ids or (layered and (2 in ids or "S" in out["types"]))
    need(minor >= 1 or not extended, "extensions in a file that claims to have none")
    return out


def timing(b: Bytes, frames: int) -> tuple[list[int], int]:
    """Section 5."""
    first, num = b.svar(), b.uvar(0, U32_MAX)
    if num > 0:
        den = b.uvar(1, U32_MAX)
        phase = b.uvar(0, U32_MAX) if den > 1 else 0
        change = b.svar()
        need(num >= den and gcd(num, den) == 1 and phase < den, "a spacing that is none")
        *pts, end = (first + (phase + i * num) // den for i in range(frames + 1))
        last = end - pts[-1] + change
        need(last >= 0, "a last duration below 0")
        need(not change or frames > 1, "a change of the only duration")
        return pts, last
    need(frames <= len(b.data), "more durations than bytes")
    durations = [b.uvar(0, TIME_MAX) for _ in range(frames)]
    need(all(durations[:-1]), "a duration of 0")
    steps = durations[:-1] or durations
    need(len(set(steps)) > 1 or steps[0] == 0 or steps[0] > U32_MAX, "a list of durations that are even")
    return [first + sum(durations[:i]) for i in range(frames)], durations[-1]


def track(payload: bytes) -> dict[str, Any]:
    """Section 4.5."""
    b = Bytes(payload)
    out: dict[str, Any] = {"disposition": b.u32(), "field_order": b.u8(0, 5)}
    out["mastering_display"] = [b.u32() for _ in range(10)] if b.u8(0, 1) else None
    out["light_level"] = (b.uvar(0, U32_MAX), b.uvar(0, U32_MAX)) if b.u8(0, 1) else None
    out["metadata"] = b.pairs(0)
    b.end()
    return out


def stream(payload: bytes) -> dict[str, Any]:
    """Section 4.6."""
    b = Bytes(payload)
    out: dict[str, Any] = {"stream": b.uvar(0, 63), "kind": b.u8(0, 3, "format"), "codec": b.text(1, 64)}
    out |= {"time_base": b.ratio(1), "codec_tag": b.u32(), "bit_rate": b.uvar(0, TIME_MAX)}
    out |= {"sample_rate": b.uvar(0, INT_MAX), "channel_layout": b.text(0, 255), "sample_format": b.text(0, 64)}
    out |= {"frame_size": b.uvar(0, INT_MAX), "disposition": b.u32(), "extradata": b.blob(0, 2**30)}
    out["metadata"] = b.pairs(0)
    b.end()
    return out


def packets(payload: bytes, known: int) -> list[dict[str, Any]]:
    """Section 4.7."""
    b = Bytes(payload)
    number, count = b.uvar(0, 63), b.uvar(1, 65536)
    expected = duration = 0
    out = []
    for _ in range(count):
        flags = b.u8()
        need(not flags & 4, "unknown flags of a packet", "format")
        need(flags & 24 != 24 and flags & 96 != 96, "a time both given and absent")
        step, delay = (b.svar() if flags & flag else None for flag in (8, 32))
        length = b.uvar(0, TIME_MAX) if flags & 128 else None
        need(step != 0 and delay != 0 and length != duration, "a field that says nothing")
        pts = expected + (step or 0)
        dts = pts + (delay or 0)
        duration = duration if length is None else length
        expected = pts + duration
        need(max(abs(pts), abs(dts), abs(expected)) <= TIME_MAX, "packet times out of range")
        data = b.blob(1, 2**30)
        need(number < known, "no such stream")
        times = {"pts": None if flags & 16 else pts, "dts": None if flags & 64 else dts, "duration": duration}
        out.append({"stream": number, "data": data, "keyframe": flags & 1, "discard": flags & 2, **times})
    b.end()
    return out


def index(payload: bytes) -> list[tuple[int, int, int]]:
    """Section 4.8: (offset, frames, first pts) of every GOPC."""
    b = Bytes(payload)
    count = b.uvar(1, U32_MAX)
    need(count <= LIMITS["index_entries"], "more records than the limit", "limit")
    need(count <= len(b.data), "more entries than bytes")
    out, offset, pts = [], 0, 0
    for _ in range(count):
        offset += b.uvar(1)
        frames = b.u8(1)
        pts += b.svar()
        out.append((offset, frames, pts))
    b.end()
    return out


def read(data: bytes) -> dict[str, Any]:
    """The whole file, or Refused."""
    preamble(data)
    parts = records(data)
    need(len(parts) >= 2 and parts[0][0] == "HEAD" and parts[1][0] == "MODL", "HEAD and MODL must come first")
    head = header(parts[0][2])
    out: dict[str, Any] = {"header": head, "model": model(parts[1][2]), "metadata": {}, "track": None}
    state = _Body(head, {"head": parts[0][2], "modl": parts[1][2]}, out, data[10])
    for name, at, payload, _ in parts[2:]:
        state.record(name, at, payload)
    need(parts[-1][0] == "FEND", "the file ends without FEND")
    state.end(parts[-1], [crc for *_, crc in parts[:-1]], data[:16])
    return out


class _Body:
    """Section 3.2: what must hold from record to record."""

    def __init__(self, head: dict[str, Any], copies: dict[str, bytes], out: dict[str, Any], minor: int) -> None:
        self.head, self.copies, self.out, self.minor = head, copies, out, minor
        self.gops: list[dict[str, Any]] = []
        self.streams: list[dict[str, Any]] = []
        self.packets: list[dict[str, Any]] = []
        out |= {"gops": self.gops, "streams": self.streams, "packets": self.packets}
        self.where: list[tuple[int, int, int]] = []
        self.index_at: int | None = None
        self.begun = False
        self.metadata_bytes = self.stream_bytes = 0

    def record(self, name: str, at: int, payload: bytes) -> None:
        known = ("HEAD", "MODL", "GOPC", "meta", "vide", "strm", "pckt", "indx", "head", "modl")
        need(self.index_at is None or name not in known, "a record behind the index")
        need(name not in ("HEAD", "MODL"), "second HEAD or MODL")
        if name in self.copies:
            need(payload == self.copies[name], "a copy that differs")
        elif name == "GOPC":
            self.begun = True
            self.gop(gop(payload, self.head, self.minor), at)
        elif name == "pckt":
            self.begun = True
            self.packets += packets(payload, len(self.streams))
        elif name == "vide":
            need(not self.begun and self.out["track"] is None, "vide out of order")
            self.out["track"] = track(payload)
        elif name == "strm":
            self.stream_bytes += len(payload)
            need(self.stream_bytes <= LIMITS["stream_bytes"], "descriptions of streams above the limit", "limit")
            self.streams.append(stream(payload))
            need(not self.begun and self.streams[-1]["stream"] == len(self.streams) - 1, "strm out of order")
        elif name == "meta":
            self.metadata_bytes += len(payload)
            need(self.metadata_bytes <= LIMITS["metadata_bytes"], "metadata above the limit", "limit")
            b = Bytes(payload)
            self.out["metadata"].update(b.pairs(1))
            b.end()
        elif name == "indx":
            need(index(payload) == self.where, "the index does not fit")
            self.index_at = at

    def gop(self, entry: dict[str, Any], at: int) -> None:
        need(not self.gops or entry["pts"][0] > self.gops[-1]["pts"][-1], "pts do not rise")
        start = self.gops[0]["pts"][0] if self.gops else entry["pts"][0]
        num, den = self.head["time_base"]
        length = entry["pts"][-1] + entry["last_duration"] - start
        need(length * num <= LIMITS["seconds"] * den, "a video longer than the limit", "limit")
        frames = entry["first_frame"] + entry["frames"]
        need(
            frames * self.head["width"] * self.head["height"] <= LIMITS["file_pixels"],
            "too many pixels in all",
            "limit",
        )
        need(len(self.gops) < LIMITS["index_entries"], "more records than the limit", "limit")
        need(
            entry["first_frame"] == sum(other["frames"] for other in self.gops),
            "a first frame that is not the number of frames before",
        )
        self.gops.append(entry)
        self.where.append((at, entry["frames"], entry["pts"][0]))

    def end(self, last: tuple[str, int, bytes, bytes], crcs: list[bytes], start: bytes) -> None:
        """Section 4.9."""
        b = Bytes(last[2])
        frames, count, distance, chain = b.u32(1), b.u32(1), b.u32(), b.u32()
        b.end()
        need(frames == sum(entry["frames"] for entry in self.gops) and count == len(self.gops), "totals of FEND differ")
        need(
            distance == (0 if self.index_at is None else last[1] - self.index_at),
            "the place of the index in FEND differs",
        )
        need(chain == zlib.crc32(start + b"".join(crcs)), "the chain of FEND differs")
