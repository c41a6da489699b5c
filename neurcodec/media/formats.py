"""The room for what output formats hold: containers, codecs, subtitles, metadata, pixels.

FFmpeg is asked where it knows: a stream is held where its muxer takes the stream's description. Where it says yes and
then writes what nothing reads, the tables below know better; tests mux and read back a stream of every codec.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import av
import av.error
from av.codec.codec import UnknownCodecError

from neurcodec.container.values import Packet, StreamInfo, StreamKind
from neurcodec.media import copied

FORMATS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
"""Our names of container formats, and FFmpeg's names of their muxers."""
TEXT = {"mp4": "mov_text", "mov": "mov_text", "mkv": "subrip", "webm": "webvtt"}
"""The codec that each has for subtitles that are text."""
X264 = ("libx264", {"crf": "12"})
SVT_AV1 = ("libsvtav1", {"crf": "25", "preset": "8"})
DEFAULT_CODEC: Mapping[str, tuple[str, dict[str, str]]] = {"mp4": X264, "mov": X264, "mkv": X264, "webm": SVT_AV1}

UNREADABLE = {
    "mov": {"adpcm_g726"},
    "any": {
        "adpcm_ima_wav", "adpcm_ms", "atrac3", "atrac3p", "cook", "gsm_ms", "ra_288", "sipr", "wmalossless", "wmapro",
        "wmav1", "wmav2", "wmavoice",
    },
}  # fmt: skip
"""Codecs that FFmpeg writes and does not read again. Those of any format need a block size, which .nvc files lack."""

ATOMS = {
    "mp4": {
        "album", "album_artist", "artist", "comment", "compilation", "composer", "copyright", "creation_time", "date",
        "description", "disc", "episode_id", "episode_sort", "gapless_playback", "genre", "grouping", "hd_video",
        "keywords", "location", "lyrics", "media_type", "network", "season_number", "show", "synopsis", "title",
        "track",
    },
    "mov": {
        "album", "artist", "comment", "copyright", "creation_time", "date", "genre", "location", "make", "model",
        "title",
    },
}  # fmt: skip
"""Metadata that these formats have an atom for; the muxer writes either atoms, or all keys by name."""

ODD_420 = {"libsvtav1", "libvpx-vp9", "libaom-av1"}  # encoders that take odd sizes as yuv420p
_EVEN = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "rgb24", "gbrp", "bgr0", "bgr24")
_ODD = ("yuv444p", "yuv444p10le", "rgb24", "gbrp", "bgr0", "bgr24")


def refusal(format: str, info: StreamInfo, packet: Packet | None = None) -> str | None:
    """Return why a format cannot hold a copied stream (and its first packet); None where it can."""
    if info.kind == StreamKind.ATTACHMENT:
        return None if format == "mkv" else f"{format} has no attachments"
    if info.codec in UNREADABLE["any"] | UNREADABLE.get(format, set()):
        return f"{format} cannot hold {info.codec}"
    try:
        with av.open(io.BytesIO(), "w", format=FORMATS[format]) as trial:
            stream = copied.add(trial, info)
            trial.start_encoding()
            if packet is not None:
                trial.mux(copied.to_av(packet, info, stream))
            return None
    except (av.error.FFmpegError, UnknownCodecError, ValueError, OverflowError) as error:
        said = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        return f"{format} cannot hold {info.codec} ({said})"


def text_codec(format: str, info: StreamInfo) -> str | None:
    """Return the codec that a subtitle stream is converted to for a format that does not hold its own; None: none."""
    try:
        text = info.kind == StreamKind.SUBTITLE and av.Codec(info.codec, "r").text_sub
    except UnknownCodecError:
        return None
    return TEXT[format] if text else None


def holders(info: StreamInfo) -> tuple[str, ...]:
    """Return the formats in which a copied stream comes back."""
    return tuple(name for name in FORMATS if text_codec(name, info) or refusal(name, info) is None)


def pixel_format(codec: str, width: int, height: int) -> str:
    """Return the pixels that an encoder takes for pictures of this size, YCbCr 4:2:0 of 8 bits where it can.

    H.264 and H.265 encoders cannot code odd sizes as 4:2:0. ValueError where the encoder takes no colours.
    """
    known = [one.name for one in av.Codec(codec, "w").video_formats or ()] or list(_EVEN)
    if known[0].startswith("yuvj"):
        return known[0]  # of full range, as JPEG's
    even = (width % 2 == 0 and height % 2 == 0) or codec in ODD_420
    wanted = _EVEN if even else (*_ODD, *_EVEN)
    found = next((name for name in wanted if name in known), None)
    if found is None:
        raise ValueError(f"{codec} takes none of the pixel formats {', '.join(_EVEN)}")
    return found


def codec_tag(format: str, codec: str) -> str | None:
    """Return the tag that a video codec is known by where the muxer's own choice is refused by some players."""
    return "hvc1" if format in ("mp4", "mov") and av.Codec(codec, "w").canonical_name == "hevc" else None


def metadata(format: str, given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the options with which the muxer writes metadata, and the keys that are lost.

    Where no key has an atom, all are written by name.
    """
    if format not in ATOMS:
        return {}, []
    lost = [key for key in given if key.lower() not in ATOMS[format]]
    if lost and not any(key.lower() in ATOMS[format] for key in given if key.lower() != "creation_time"):
        return {"movflags": "use_metadata_tags"}, []
    return {}, lost


def attached(count: int) -> str:
    """Return so many attachments as the subject of a sentence."""
    return "1 attachment is" if count == 1 else f"{count} attachments are"


def where_kept(streams: Iterable[tuple[str, StreamInfo]], default: str = "mp4") -> list[str]:
    """Return a line for each set of formats without the default one in which some of the named streams come back."""
    kept: dict[tuple[str, ...], list[str]] = {}
    for name, info in streams:
        kept.setdefault(holders(info), []).append(name)
    return [
        f"{', '.join(names)} {'are' if names[1:] else 'is'} kept in {' and '.join(formats)} only"
        for formats, names in kept.items()
        if formats and default not in formats
    ]
