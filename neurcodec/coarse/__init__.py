"""The in-loop codec: motion, conditional transforms, and I / P / S coding of chunks."""

from neurcodec.coarse.codec import CoarseFrame, decode_chunk, encode_chunk, to_rgb
from neurcodec.coarse.model import CoarseCodec

__all__ = ["CoarseCodec", "CoarseFrame", "decode_chunk", "encode_chunk", "to_rgb"]
