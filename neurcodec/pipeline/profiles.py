"""Which codec codes the chunks of which profile."""

from __future__ import annotations

from neurcodec.container import Profile
from neurcodec.pipeline.layered import LayeredCodec
from neurcodec.pipeline.native import NativeCodec


def codec_class(profile: Profile) -> type[NativeCodec]:
    """The codec of a profile."""
    return LayeredCodec if profile is Profile.LAYERED else NativeCodec
