"""Every constant and field table of the format (spec sections 3 and 4), declared once, for the rest of the package.

`tests/test_container_spec.py` holds the tables of bitstream_spec.md equal to these.
"""

from __future__ import annotations

from neurcodec.container.schema import SVAR_MAX, UVAR_MAX, Field
from neurcodec.container.values import DIGEST_BYTES, HASH_BYTES

# fmt: off
SIGNATURE = b"\x8bNVC\r\n\x1a\n"
MAJOR = 2
MINOR = 1

HEAD, MODL, GOPC, FEND = b"HEAD", b"MODL", b"GOPC", b"FEND"
META, VIDE, STRM, PCKT, INDX = b"meta", b"vide", b"strm", b"pckt", b"indx"
HEAD_COPY, MODL_COPY = b"head", b"modl"

PAIRS = 1024
"""Of metadata in a record."""

_INT = (1 << 31) - 1
_U32 = (1 << 32) - 1
_TEXT = 1 << 16
_BIG = 1 << 30
STEP_MAX = _U32
"""Of the numerator and the denominator of a frame spacing."""
_PAIRS = (
    Field("key", "str", 1, 255, "unique in its list"),
    Field("value", "str", 0, _TEXT, "free text"),
)

PREAMBLE_TABLE = (
    Field("signature", "bytes", 8, 8, "8B 4E 56 43 0D 0A 1A 0A"),
    Field("major", "u8", 0, 255, "format version; a reader refuses any other than its own"),
    Field("minor", "u8", 0, 255, "format version, additions only"),
    Field("min_reader_minor", "u8", 0, 255, "least minor version of a reader that can decode the file"),
    Field("flags", "u8", 0, 0, "reserved", new=True),
    Field("file_id", "u32", 0, _U32, "a random number; the CRC of every record starts from it (3.2)"),
)

HEAD_TABLE = (
    Field("profile", "u8", 0, 1, "0 native, 1 layered (AV1 base layer)", new=True),
    Field("width", "uvar", 1, 1 << 20, "picture width in samples", cap="side"),
    Field("height", "uvar", 1, 1 << 20, "picture height in samples", cap="side"),
    Field("time_base_num", "uvar", 1, _INT, "unit of all pts of the picture, seconds, numerator"),
    Field("time_base_den", "uvar", 1, _INT, "and denominator"),
    Field("frame_rate_num", "uvar", 0, _INT, "nominal frames per second; 0/1 = variable or unknown"),
    Field("frame_rate_den", "uvar", 1, _INT, "and denominator"),
    Field("sar_num", "uvar", 0, _INT, "sample aspect ratio; 0/1 = unknown"),
    Field("sar_den", "uvar", 1, _INT, "and denominator"),
    Field("color_primaries", "u8", 0, 255, "ITU-T H.273 ColourPrimaries; 2 = unspecified"),
    Field("color_transfer", "u8", 0, 255, "ITU-T H.273 TransferCharacteristics; 2 = unspecified"),
    Field("color_matrix", "u8", 0, 255, "ITU-T H.273 MatrixCoefficients; 2 = unspecified"),
    Field("color_range", "u8", 0, 2, "of the source: 0 unspecified, 1 limited, 2 full"),
    Field("chroma_location", "u8", 0, 6, "of the source: 0 unspecified, 1 left, 2 centre, 3 top left, 4 top, "
          "5 bottom left, 6 bottom"),
    Field("bit_depth", "u8", 1, 32, "of the source; decoded pictures have 8 bits"),
    Field("has_display_matrix", "u8", 0, 1, "1: the next field is there"),
    Field("display_matrix", "i32", -(1 << 31), _INT, "row by row; 16.16 fixed point, last column 2.30, as in MP4",
          when=("has_display_matrix", "=", 1), count="9"),
)

MODL_TABLE = (
    Field("name", "str", 1, 64, "name of the model"),
    Field("weights_hash", "bytes", HASH_BYTES, HASH_BYTES, "first bytes of the SHA-256 of the pictures' weights"),
    Field("entropy_hash", "bytes", HASH_BYTES, HASH_BYTES, "first bytes of the SHA-256 of the latents' integers"),
)

SUBSTREAM_TABLE = (
    Field("id", "u8", 0, 8, "0 motion, 1 latents of I, 2 latents of P, 3 base (AV1), 4 texture index, "
          "5 texture levels, 6 strength, 7 caption, 8 sketch; rising", new=True),
    Field("size", "uvar", 1, _BIG, "bytes of the substream"),
)

GOPC_TABLE = (
    Field("first_frame", "uvar", 0, _U32, "number of the chunk's first frame, counted from 0 in the file"),
    Field("frames", "u8", 1, 255, "number of frames", cap="chunk_frames"),
    Field("quality", "u8", 0, 63, "quality index"),
    Field("mini_gop", "u8", 1, 4, "length of mini-GOPs: distance of backbone frames"),
    Field("first_pts", "svar", -SVAR_MAX, SVAR_MAX, "pts of the first frame, in time base units"),
    Field("step_num", "uvar", 0, STEP_MAX, "spacing of the frames, numerator; 0 = listed"),
    Field("step_den", "uvar", 1, STEP_MAX, "and denominator", when=("step_num", ">", 0)),
    Field("phase", "uvar", 0, STEP_MAX, "below step_den", when=("step_den", ">", 1)),
    Field("last_change", "svar", -SVAR_MAX, SVAR_MAX, "of the last frame's duration, from what the spacing gives it",
          when=("step_num", ">", 0)),
    Field("durations", "uvar", 0, SVAR_MAX, "of each frame; 0 = unknown, for the last frame only",
          when=("step_num", "=", 0), count="frames"),
    Field("digest", "bytes", DIGEST_BYTES, DIGEST_BYTES, "of what the chunk decodes to (6.11)"),
    Field("base_scale", "u8", 0, 16, "0 = no base layer; else its picture is this many times smaller"),
    Field("base_quantiser", "u8", 0, 255, "AV1 quantiser it was coded with", when=("base_scale", ">", 0)),
    Field("substream_count", "u8", 0, 9, "number of substreams", new=True),
    Field("substreams", "rows", rows=SUBSTREAM_TABLE, count="substream_count", meaning="the list of substreams"),
    Field("data", "rest", meaning="the substreams, in the order of the list, without gaps"),
)

META_TABLE = (
    Field("pair_count", "uvar", 1, PAIRS, "number of pairs"),
    Field("pairs", "rows", rows=_PAIRS, count="pair_count", meaning="a later pair replaces an earlier one of its key"),
)

VIDE_TABLE = (
    Field("disposition", "u32", 0, _U32, "FFmpeg's disposition bits of the source's video stream"),
    Field("field_order", "u8", 0, 5, "of the coded pictures: 0 unknown, 1 progressive, 2 top field first, 3 bottom "
          "field first, 4 top coded first but bottom shown first, 5 the reverse"),
    Field("has_mastering_display", "u8", 0, 1, "1: the next field is there"),
    Field("mastering_display", "u32", 0, _U32, "x and y of red, green, blue and white in 1/50000, greatest and least "
          "luminance in 1/10000 cd/m2", when=("has_mastering_display", "=", 1), count="10"),
    Field("has_light_level", "u8", 0, 1, "1: the next two fields are there"),
    Field("max_cll", "uvar", 0, _U32, "greatest light level of a sample, cd/m2", when=("has_light_level", "=", 1)),
    Field("max_fall", "uvar", 0, _U32, "greatest mean light level of a frame, cd/m2",
          when=("has_light_level", "=", 1)),
    Field("pair_count", "uvar", 0, PAIRS, "number of pairs"),
    Field("pairs", "rows", rows=_PAIRS, count="pair_count", meaning="the video stream's metadata"),
)

STRM_TABLE = (
    Field("stream", "uvar", 0, 63, "number of the stream: 0, 1, 2 ... in file order"),
    Field("kind", "u8", 0, 3, "0 audio, 1 subtitle, 2 attachment, 3 data", new=True),
    Field("codec", "str", 1, 64, "FFmpeg's name of the codec"),
    Field("time_base_num", "uvar", 1, _INT, "unit of the stream's times, seconds, numerator"),
    Field("time_base_den", "uvar", 1, _INT, "and denominator"),
    Field("codec_tag", "u32", 0, _U32, "FourCC as a little-endian integer; 0 = none"),
    Field("bit_rate", "uvar", 0, SVAR_MAX, "bits per second; 0 = unknown"),
    Field("sample_rate", "uvar", 0, _INT, "audio samples per second; 0 = not audio"),
    Field("channel_layout", "str", 0, 255, "FFmpeg's name of the layout"),
    Field("sample_format", "str", 0, 64, "FFmpeg's name of the format"),
    Field("frame_size", "uvar", 0, _INT, "audio samples per packet; 0 = variable or unknown"),
    Field("disposition", "u32", 0, _U32, "FFmpeg's disposition bits"),
    Field("extradata", "blob", 0, _BIG, "codec configuration, or the bytes of an attachment"),
    Field("pair_count", "uvar", 0, PAIRS, "number of pairs"),
    Field("pairs", "rows", rows=_PAIRS, count="pair_count", meaning="the stream's metadata"),
)

PCKT_TABLE = (
    Field("stream", "uvar", 0, 63, "number of the stream, described by an earlier strm record"),
    Field("packet_count", "uvar", 1, 1 << 16, "number of packet records that follow, to the end of the payload"),
)

KEYFRAME, DISCARD, PACKET_RESERVED = 1, 2, 4
PTS_GIVEN, PTS_ABSENT, DTS_GIVEN, DTS_ABSENT, DURATION_GIVEN = 8, 16, 32, 64, 128
PACKET_TABLE = (
    Field("flags", "u8", 0, 255, "1 keyframe, 2 discard, 4 reserved, 8 pts given, 16 pts absent, 32 dts given, "
          "64 dts absent, 128 duration given"),
    Field("pts_delta", "svar", -SVAR_MAX, SVAR_MAX, "pts minus the expected pts", when=("flags", "&", PTS_GIVEN)),
    Field("dts_delta", "svar", -SVAR_MAX, SVAR_MAX, "dts minus the expected dts", when=("flags", "&", DTS_GIVEN)),
    Field("duration", "uvar", 0, SVAR_MAX, "in stream time base; 0 = unknown", when=("flags", "&", DURATION_GIVEN)),
    Field("data", "blob", 1, _BIG, "the packet"),
)

INDEX_TABLE = (
    Field("distance", "uvar", 1, UVAR_MAX, "bytes from the preceding GOPC (first entry: the file's start) to this one"),
    Field("frames", "u8", 1, 255, "number of frames"),
    Field("pts_step", "svar", -SVAR_MAX, SVAR_MAX, "first pts minus that of the preceding GOPC (first entry: minus 0)"),
)

INDX_TABLE = (
    Field("entry_count", "uvar", 1, _U32, "number of GOPC records of the file", cap="index_entries"),
    Field("entries", "rows", rows=INDEX_TABLE, count="entry_count", meaning="one per GOPC, in file order"),
)

FEND_TABLE = (
    Field("frames", "u32", 1, _U32, "frames of the file"),
    Field("chunks", "u32", 1, _U32, "GOPC records of the file"),
    Field("index_distance", "u32", 0, _U32, "bytes from the start of indx to the start of FEND; 0 = no index"),
    Field("chain", "u32", 0, _U32, "CRC-32 of the preamble and of the CRC fields of all records before this one"),
)

TABLES: dict[str, tuple[Field, ...]] = {
    "preamble": PREAMBLE_TABLE, "HEAD": HEAD_TABLE, "MODL": MODL_TABLE, "GOPC": GOPC_TABLE, "FEND": FEND_TABLE,
    "meta": META_TABLE, "vide": VIDE_TABLE, "strm": STRM_TABLE, "pckt": PCKT_TABLE, "indx": INDX_TABLE,
    "substream": SUBSTREAM_TABLE, "pair": _PAIRS, "packet": PACKET_TABLE, "index entry": INDEX_TABLE,
}
"""All tables by the name that they have in bitstream_spec.md."""

KNOWN_TYPES = frozenset({HEAD, MODL, GOPC, FEND, META, VIDE, STRM, PCKT, INDX, HEAD_COPY, MODL_COPY})
"""Record types of this version."""
