"""The native profile: the frames of a GOP to our own latents, and back through coarse codec and generator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from neurcodec.analysis import mini_gop
from neurcodec.analysis.laplacian import cell_levels, detail, texture_index, texture_map
from neurcodec.coarse.codec import decode_chunk, encode_chunk, to_rgb
from neurcodec.codec.chunk_codec import Tick, ignore
from neurcodec.codec.device import reported
from neurcodec.codec.networks import Networks
from neurcodec.codec.settings import Pictures, Settings
from neurcodec.codec.symbols import Symbols, parse, write_conditioning, written
from neurcodec.container import Gop, Header, Substream
from neurcodec.entropy import latent_coder, texture
from neurcodec.generator.restore import restore


class NativeCodec:
    """A model's networks used for the native profile. Immutable."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def encode(self, pictures: Pictures, settings: Settings, tick: Tick = ignore) -> Gop:
        """Code pictures as one closed GOP."""
        rgb, networks = pictures.rgb, self.networks
        quality, step = settings.quality, settings.mini_gop or mini_gop.choose(rgb)
        with reported(networks.device):
            latents = encode_chunk(networks.coarse, rgb, quality, step, networks.entropy.class_channels, tick)
        found = detail(rgb)
        streams = write_conditioning(rgb[0], texture_index(found), settings)
        streams[Substream.TEXTURE_LEVELS] = texture.encode(texture_map(cell_levels(found)))
        streams |= latent_coder.encode(networks.entropy, latents, quality)
        return written(pictures, quality, step, streams, latents)

    def parse(self, gop: Gop, header: Header) -> Symbols:
        """The symbols of a GOP; DamageError where it does not hold what it should."""
        return parse(self.networks.entropy, gop, header)

    def decode(self, symbols: Symbols) -> Iterator[npt.NDArray[np.uint8]]:
        """The pictures uint8 (H, W, 3) of a GOP; every GOP starts with a fresh generator state."""
        networks, size = self.networks, (symbols.height, symbols.width)
        with reported(networks.device):
            frames = decode_chunk(networks.coarse, symbols.latents)
            if networks.generator is not None:
                yield from restore(
                    networks.generator, frames, symbols.quality, *size, conditioning=symbols.conditioning
                )
                return
            for frame in frames:
                yield to_rgb(frame.picture, *size)
