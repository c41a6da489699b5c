"""What a file holds, for `ncodec info`, and the quick check of `ncodec verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from neurcodec.container.reader import Reader
from neurcodec.container.values import FrameType, Gop, Header, Limits, Profile, VideoTrack
from neurcodec.errors import InputError

_KINDS = {"latents_i": "latents_I", "latents_p": "latents_P"}
_FRAMES = {Profile.NATIVE: ("I", "P", "S"), Profile.LAYERED: ("base", "filled")}


def summary(
    path: Path | str,
    limits: Limits | None = None,
    *,
    salvage: bool = False,
    each: Callable[[Gop], None] = lambda gop: None,
) -> dict[str, Any]:
    """What `ncodec info --json` shows of the container; reads and checks the whole file. `each` gets its chunks.

    Sizes are in bytes, times in seconds. `bytes_by_kind` sums to `bytes`. With `salvage` a damaged file is summed up as
    far as it is whole: `complete` is then false and `losses` and `gaps` say what is missing.
    """
    with _open(path) as file, Reader(file, limits, salvage=salvage) as reader:
        return _describe(reader, Path(path).stat().st_size, each)


def check(path: Path | str, limits: Limits | None = None) -> dict[str, Any]:
    """Check every rule of the container and return the summary.

    Raises FormatError, DamageError or LimitError at the first thing that is wrong. Latents are not decoded.
    """
    return summary(path, limits)


def _open(path: Path | str) -> Any:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _describe(reader: Reader, size: int, each: Callable[[Gop], None]) -> dict[str, Any]:
    types: Counter[str] = Counter()
    quality: set[int] = set()
    intervals: set[int] = set()
    frames = chunks = ticks = 0
    bounds: tuple[int, int] | None = None
    for item in reader:
        if isinstance(item, Gop):
            types.update(_names(item))
            quality.add(item.quality)
            each(item)
            intervals.add(item.mini_gop)
            frames, chunks = frames + item.frames, chunks + 1
            end = item.pts[-1] + item.last_duration
            ticks += end - item.pts[0]
            bounds = (item.pts[0] if bounds is None else bounds[0], end)
    header = reader.header
    start, end = bounds or (0, 0)
    duration = (end - start) * header.time_base
    rate = header.frame_rate or (frames / duration if duration else Fraction(0))
    return {
        "bytes": size,
        "format_version": None if reader.version is None else "{}.{}".format(*reader.version),
        "profile": header.profile.name.lower(),
        "model": reader.model.name,
        "weights_hash": reader.model.weights_hash.hex(),
        "entropy_hash": reader.model.entropy_hash.hex(),
        **_picture(header),
        "frames": frames,
        "frame_rate": round(float(rate), 6),
        "variable_frame_rate": not header.frame_rate,
        "time_base": str(header.time_base),
        "start": float(start * header.time_base),
        "duration": float(duration),
        "bits_per_pixel": size * 8 / (frames * header.width * header.height) if frames else None,
        "kbps": float(size * 8 / duration / 1000) if duration else None,
        "chunks": chunks,
        "quality": sorted(quality),
        "mini_gops": sorted(intervals),
        "frame_types": {name: types[name] for name in _FRAMES[header.profile]},
        "bytes_by_kind": _bytes_by_kind(reader, size),
        "streams": [_stream(reader, number) for number in sorted(reader.streams)],
        "metadata": reader.metadata,
        "track": None if reader.track is None else _track(reader.track),
        "complete": not (reader.losses or reader.gaps),
        "losses": [{"start": loss.start, "end": loss.end, "reason": loss.reason} for loss in reader.losses],
        "gaps": [{"first_frame": gap.first_frame, "frames": gap.frames} for gap in reader.gaps],
    }


def _picture(header: Header) -> dict[str, Any]:
    """Size, shape and colour of the pictures."""
    return {
        "width": header.width,
        "height": header.height,
        "sample_aspect_ratio": str(header.sample_aspect_ratio),
        "display_matrix": header.display_matrix,
        "color": {
            "primaries": header.color_primaries,
            "transfer": header.color_transfer,
            "matrix": header.color_matrix,
            "range": header.color_range.name.lower(),
            "chroma_location": header.chroma_location,
        },
        "bit_depth": header.bit_depth,
    }


def _track(track: VideoTrack) -> dict[str, Any]:
    """What the source's video stream said."""
    return {
        "disposition": track.disposition,
        "field_order": track.field_order,
        "mastering_display": track.mastering_display,
        "light_level": track.light_level,
        "metadata": dict(track.metadata),
    }


def _names(gop: Gop) -> list[str]:
    """What each frame of a chunk is called."""
    if gop.base is None:
        return [kind.name for kind in gop.frame_types]
    return ["filled" if kind is FrameType.S else "base" for kind in gop.frame_types]


def _bytes_by_kind(reader: Reader, size: int) -> dict[str, int]:
    kinds = {"motion": 0, "latents_I": 0, "latents_P": 0, "base": 0, "audio": 0}
    kinds |= {_KINDS.get(kind, kind): count for kind, count in reader.bytes_by_kind.items()}
    return kinds | {"container": size - sum(kinds.values())}


def _stream(reader: Reader, number: int) -> dict[str, Any]:
    stream = reader.streams[number]
    return {
        "number": number,
        "kind": stream.kind.name.lower(),
        "codec": stream.codec,
        "sample_rate": stream.sample_rate,
        "channel_layout": stream.channel_layout,
        "bit_rate": stream.bit_rate,
        "metadata": dict(stream.metadata),
    }
