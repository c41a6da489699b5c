"""Which codec codes the chunks of which profile, and the one that is loaded."""

from __future__ import annotations

from functools import lru_cache

from neurcodec.codec.layered import LayeredCodec
from neurcodec.codec.native import NativeCodec
from neurcodec.container import Profile
from neurcodec.files.models import Model
from neurcodec.jobs.options import DecodeOptions, EncodeOptions


def codec(
    profile: Profile, model: Model, device: str, threads: int | None, diffusion: bool = False, compile: bool = False
) -> NativeCodec:
    """The networks of a profile; the last one loaded is kept, so that a process that codes many files loads it once."""
    return _loaded(profile, model, model.weights_hash + model.entropy_hash, device, threads, diffusion, compile)


def decoding(profile: Profile, model: Model, options: DecodeOptions) -> NativeCodec:
    """The networks that decode."""
    return codec(profile, model, options.device, options.threads, options.diffusion, options.compile)


def encoding(profile: Profile, model: Model, options: EncodeOptions) -> NativeCodec:
    """The networks that encode; the layered profile looks at what the generator makes of its base."""
    looks = options.target is not None or (profile is Profile.LAYERED and options.preset != "fast")
    loaded = codec(profile, model, options.device, options.threads, looks)
    loaded.settings, loaded.tick = options, None
    return loaded


@lru_cache(maxsize=1)
def _loaded(
    profile: Profile,
    model: Model,
    hashes: bytes,
    device: str,
    threads: int | None,
    diffusion: bool,
    compile: bool,
) -> NativeCodec:
    kind = LayeredCodec if profile is Profile.LAYERED else NativeCodec
    return kind(model, device, threads, diffusion, compile)
