"""The numbered rules of bitstream_spec.md (section 11.2), and the test vectors that hold each of them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
FOLDERS = ("bad", "bad_latents", "good", "latents")


@dataclass(frozen=True)
class Rule:
    """A rule: its number, which never changes, section, what must hold, the kind of error where it does not, vectors.

    vectors: patterns of `folder/name`, of files that break it, or of good ones that are at its edge.
    """

    number: int
    section: str
    text: str
    kind: str
    vectors: str

    def files(self) -> list[str]:
        """The vectors that its patterns match, as `folder/name`."""
        return [name for name in names() if any(fnmatch(name, pattern) for pattern in self.vectors.split())]


def names() -> list[str]:
    """All vectors, as `folder/name`."""
    return [f"{folder}/{path.stem}" for folder in FOLDERS for path in sorted((VECTORS / folder).glob("*.nvc"))]


# fmt: off
RULES = (
    Rule(1, "3.1", "the signature is right", "Format", "bad/signature bad/text_mode bad/empty"),
    Rule(2, "3.1", "the preamble is whole", "Damage", "bad/preamble bad/one_byte"),
    Rule(3, "3.1", "`major` is 2", "Format", "bad/major"),
    Rule(4, "3.1", "`min_reader_minor` is not above the reader's minor version", "Format",
         "bad/newer_reader bad/next_reader"),
    Rule(5, "3.1", "`min_reader_minor` is not above `minor`", "Damage", "bad/older_than_needed"),
    Rule(6, "3.1", "the preamble's flags are 0", "Format", "bad/file_flags"),
    Rule(7, "3.2", "a record is whole: its length does not lead past the end of the file", "Damage", "bad/cut"),
    Rule(8, "3.2", "a record's CRC, started from the file id, is right", "Damage", "bad/crc bad/other_file"),
    Rule(9, "3.2", "a record's type is four letters of one case", "Format", "bad/mixed_case bad/type_*"),
    Rule(10, "3.2", "a type in capitals is known", "Format", "bad/critical"),
    Rule(11, "3.2", "a type in small letters that is not known is skipped", "", "good/letters"),
    Rule(12, "3.2", "a record's flags are 0", "Format", "bad/chunk_flags"),
    Rule(13, "3.2", "HEAD is first, MODL second, and there is one of each", "Damage",
         "bad/no_head bad/no_header bad/between bad/no_model bad/second_head bad/second_header bad/second_model"),
    Rule(14, "3.2", "FEND is last, and nothing is behind it", "Damage",
         "bad/no_end bad/only_head bad/other_end bad/behind_end bad/trailing"),
    Rule(15, "3.2", "strm records come before the first GOPC and pckt", "Damage",
         "bad/late_stream bad/stream_after_packets"),
    Rule(64, "3.2", "there is at most one vide, before the first GOPC and pckt", "Damage",
         "bad/second_track bad/late_track bad/track_after_packets"),
    Rule(16, "3.2", "there is at most one indx, and no known record between it and FEND", "Damage",
         "bad/second_index bad/index_early good/behind_index"),
    Rule(17, "4", "a field is in its range; a value above it is of kind Format for profile, stream kind, substream id "
         "and substream_count", "Damage",
         "bad/head_*_low bad/head_*_high bad/modl_*_low bad/modl_*_high bad/gopc_* bad/meta_*_low bad/meta_*_high "
         "bad/strm_*_low bad/strm_*_high bad/pckt_*_low bad/pckt_*_high bad/vide_*_high bad/vide_*_low "
         "bad/zero_* bad/interval bad/quality "
         "good/least good/most good/most_of_a_stream good/plain_track good/least_track good/most_of_a_track"),
    Rule(18, "2.1", "a uvar is in its shortest form, and of at most 9 bytes", "Damage",
         "bad/long_integer bad/long_width bad/ten_bytes bad/gopc_last_change_high"),
    Rule(19, "2.1", "text is UTF-8", "Damage", "bad/text"),
    Rule(20, "4", "a payload holds its fields, whole, and nothing behind them", "Damage",
         "bad/*_trailing bad/head_short"),
    Rule(21, "4.1", "head is like HEAD, modl like MODL", "Damage", "bad/other_copy bad/other_head bad/other_model"),
    Rule(22, "4.3", "`first_frame` is the number of frames before", "Damage", "bad/frame_number bad/frames_exchanged"),
    Rule(23, "4.3", "the ids of substreams rise", "Damage", "bad/ids_*"),
    Rule(24, "4.3", "the sizes of substreams sum to the data", "Damage", "bad/substream_sizes"),
    Rule(25, "4.3", "a base layer is in every chunk of the layered profile, in none of the native one", "Damage",
         "bad/native_base bad/native_scale bad/no_base bad/no_base_stream"),
    Rule(26, "13", "a chunk uses nothing that is newer than `min_reader_minor` says", "Damage",
         "bad/claims_no_* good/core good/core_layered"),
    Rule(27, "4.4", "a key is once in its record", "Damage",
         "bad/one_key bad/one_key_of_stream bad/one_key_of_track good/key_again"),
    Rule(28, "4.6", "`stream` is the number of strm records before", "Damage", "bad/stream_number"),
    Rule(29, "4.7", "packets are of a stream that is described", "Damage", "bad/no_stream bad/no_such_stream"),
    Rule(30, "4.7", "a packet's reserved flag is 0", "Format", "bad/packet_flags"),
    Rule(31, "4.7", "a packet's time is not both given and absent", "Damage", "bad/both_*"),
    Rule(32, "4.7", "a packet's field does not say what holds without it", "Damage",
         "bad/no_pts_delta bad/no_dts_delta bad/no_duration bad/same_duration"),
    Rule(33, "4.7", "packet times are in -(2^62 - 1) .. 2^62 - 1", "Damage", "bad/far_pts bad/far_dts bad/far_end"),
    Rule(34, "4.8", "the index has the places, frames and pts of the GOPC records", "Damage",
         "bad/index_place bad/index_frames bad/index_pts bad/index_count"),
    Rule(35, "4.9", "FEND's totals and the place of the index are right", "Damage",
         "bad/frame_count bad/chunk_count bad/index_distance bad/no_index_distance"),
    Rule(36, "4.9", "FEND's chain is right", "Damage", "bad/chain"),
    Rule(37, "5", "pts rise from chunk to chunk", "Damage", "bad/pts_again good/next_tick good/overlap"),
    Rule(38, "5", "a step is at least 1, in lowest terms, and the phase below its denominator", "Damage",
         "bad/small_step bad/phase bad/not_lowest good/even good/halves"),
    Rule(39, "5", "the last duration is not below 0, and that of a single frame is not changed", "Damage",
         "bad/below_zero bad/one_changed good/unknown_end"),
    Rule(40, "5", "of listed durations none but the last is 0", "Damage", "bad/zero_duration good/unknown_length"),
    Rule(41, "5", "durations are not listed where a step gives them", "Damage",
         "bad/even_list bad/even_list_of_one bad/longest_even_list good/long_list good/two_steps"),
    Rule(42, "5", "pts and the end stay in their range", "Damage",
         "bad/end_of_time good/end_of_time good/start_of_time"),
    Rule(43, "12", "the limits", "Limit",
         "bad/too_wide bad/side bad/widest bad/height bad/chunk_pixels bad/pixels_per_byte bad/native_pixels_per_byte "
         "bad/native_picture_per_byte bad/no_bytes bad/seconds bad/long_spacing bad/long_last_duration "
         "bad/long_duration bad/index_entries good/few_bytes good/few_bytes_of_a_picture good/limit_of_seconds"),
    Rule(44, "4.6", "there are at most 64 streams", "Damage", "bad/streams good/streams_64"),
    Rule(45, "4.2", "latents are decoded with the model that the file names", "Model", "bad_latents/other_model"),
    Rule(46, "6.1", "a range-coded substream ends as an encoder ends it, and all of its bytes are read", "Damage",
         "bad_latents/left_over bad_latents/unused bad_latents/exchanged bad_latents/layered_latents "
         "bad_latents/levels_other_end "
         "bad_latents/levels_zero_behind bad_latents/levels_bytes_behind bad_latents/sketch_bytes_behind "
         "bad_latents/caption_trailing bad_latents/heads_left bad_latents/undecodable"),
    Rule(47, "6.3", "latents are in -32000..32000", "Damage", "bad_latents/large_latent bad_latents/changed "
         "bad_latents/quality latents/escapes"),
    Rule(48, "6.6", "a chunk with a base layer has no latents of I", "Damage", "bad_latents/layered_intra"),
    Rule(49, "6.8", "components of vectors are in -511..511", "Damage", "bad_latents/far_*"),
    Rule(50, "6.8", "a vector is not coded by its difference where a candidate equals it", "Damage",
         "bad_latents/motion_by_difference bad_latents/filled_motion"),
    Rule(51, "6.9", "the texture index is one byte in 1..63", "Damage", "bad_latents/texture_*"),
    Rule(52, "6.9", "texture levels are in 0..15", "Damage", "bad_latents/levels_above bad_latents/levels_below "
         "latents/runs"),
    Rule(53, "6.9", "the strength is one byte in 0..15", "Damage", "bad_latents/strength bad_latents/strength_twice"),
    Rule(54, "7.2", "a texture gap is of a picture of two columns and rows at least", "Damage",
         "bad_latents/thin_gap* latents/two_wide latents/thin latents/thin_native"),
    Rule(55, "6.10", "OBUs have a size, no extension, no reserved bit", "Damage",
         "bad_latents/obu_extension bad_latents/obu_without_size bad_latents/obu_forbidden"),
    Rule(56, "6.10", "sizes of OBUs are in their shortest form and below 2^30", "Damage",
         "bad_latents/obu_size bad_latents/obu_long_size latents/obus"),
    Rule(57, "6.10", "n units have at most 2 n + 16 OBUs", "Damage", "bad_latents/obu_too_many latents/most_obus"),
    Rule(58, "6.10", "the heads fit, and the tails have just the bytes that the OBUs lack", "Damage",
         "bad_latents/tails_short bad_latents/tails_left bad_latents/fewer_units"),
    Rule(59, "6.11", "the digest is right", "Damage",
         "bad_latents/digest bad_latents/cut bad_latents/layered_digest "
         "bad_latents/other_base bad_latents/other_quality bad_latents/other_quantiser bad_latents/other_strength "
         "bad_latents/other_texture"),
    Rule(60, "A", "a caption has at most 1024 bytes and is UTF-8", "Damage",
         "bad_latents/caption_long bad_latents/caption_cut bad_latents/caption_not_text latents/captions"),
    Rule(61, "D", "the interval of detail latents is 1 to the number of base frames", "Damage",
         "bad_latents/detail_interval bad_latents/detail_seldom latents/one_detail latents/each_detail "
         "latents/last_detail"),
    Rule(62, "D", "detail latents are not all 0", "Damage", "bad_latents/detail_of_nothing"),
    Rule(63, "7.1", "the base's units decode to as many pictures as there are base frames, of its size and format",
         "Damage", ""),
)
"""In the order of sections, nearly. Rule 63 needs an AV1 decoder: tests/test_layered.py holds it."""
