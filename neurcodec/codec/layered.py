"""The layered profile (DiSCo): a degraded AV1 base per GOP, restored by the generator (spec section 7.1).

The base is the GOP's frames, or every n-th of them, at 1/scale of their size, one closed AV1 GOP. The quality index
chooses the scale and the quantiser (`base.setting`). Extensions may change its frames and add to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from neurcodec.analysis.laplacian import cell_levels, detail, fitted, texture_index, texture_map
from neurcodec.coarse.codec import CoarseFrame, to_device, to_rgb
from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.warp import BLOCK
from neurcodec.codec.base import base_size, decode_base, decode_units, setting, usable_scales
from neurcodec.codec.chunk_codec import Tick, ignore
from neurcodec.codec.device import reported
from neurcodec.codec.networks import Networks
from neurcodec.codec.settings import MAX_QUALITY, PRESETS, Pictures, Settings
from neurcodec.codec.strength import fitting_strength
from neurcodec.codec.symbols import Symbols, grid, parse, read_extensions, write_conditioning, written
from neurcodec.container import BaseLayer, FrameType, Gop, Header, Substream, frame_types
from neurcodec.entropy import temporal_units, texture
from neurcodec.entropy.conditioning import FULL, Conditioning
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.entropy.texture import NO_GAP
from neurcodec.errors import DamageError
from neurcodec.extensions.pictures import PICTURES, Bases, BeforeGenerator
from neurcodec.extensions.streams import LATENTS
from neurcodec.generator.condition import FrameKind
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import GROUP, coarse_levels, restore
from neurcodec.media.av1 import encode_gop

Frames = npt.NDArray[np.uint8]

MINI_GOP = 1
"""By default all frames are in the base (docs/decisions/0010-filling.md)."""
GAP_EVERY = 8
"""The texture gap is measured on one group in so many frames."""
FIT_GROUPS, FIT_EVERY = 4, 24
"""It is fitted on so many groups of frames at most, one in so many frames."""
SLOW_PIXELS = 20_000_000
"""SVT-AV1 refuses presets below 5 for larger pictures."""


def smaller(rgb: Frames, scale: int) -> Frames:
    """Frames uint8 (T, H, W, 3) at the size of a base of 1/scale, bicubic with as wide a filter as it takes."""
    width, height = base_size(rgb.shape[2], rgb.shape[1], scale)
    if (height, width) == rgb.shape[1:3]:
        return rgb
    planes = (torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None] for frame in rgb)
    small = [F.interpolate(plane, (height, width), mode="bicubic", antialias=True)[0] for plane in planes]
    return torch.stack(small).permute(0, 2, 3, 1).contiguous().numpy()


def encode_base(rgb: Frames, scale: int, quantiser: int, preset: int = PRESETS["medium"]) -> list[bytes]:
    """The AV1 temporal units of frames uint8 (T, H, W, 3) as a base at 1/scale, coded with a preset of SVT-AV1."""
    small = smaller(rgb, scale)
    usable = max(preset, 5) if small.shape[1] * small.shape[2] > SLOW_PIXELS else preset
    return encode_gop(small, quantiser, usable)


def base_frames(decoded: Frames, height: int, width: int, features: int, device: torch.device) -> Iterator[CoarseFrame]:
    """Decoded base frames (T, h, w, 3) as coarse frames of a picture: bicubic, padded to multiples of 16."""
    rows, columns = -height % BLOCK, -width % BLOCK
    for frame in decoded:
        picture = to_device(frame, device).permute(2, 0, 1)[None].float() / 255
        if picture.shape[2:] != (height, width):
            picture = F.interpolate(picture, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
        picture = F.pad(picture, (0, columns, 0, rows), mode="replicate")
        empty = picture.new_zeros(1, features, picture.shape[2] // 8, picture.shape[3] // 8)
        yield CoarseFrame(FrameType.I, picture, empty)


def changed(
    extension: BeforeGenerator, codec: CoarseCodec, latents: Sequence[FrameLatents], bases: Bases, quality: int
) -> Iterator[CoarseFrame]:
    """What an extension makes of base frames."""
    return extension.apply(codec, latents, bases(), quality)


def measured_gap(source: Frames, group: Callable[[int], list[CoarseFrame]]) -> npt.NDArray[np.float64]:
    """The texture gap of frames uint8 (T, H, W, 3), levels of cells as `cell_levels`.

    group: the base's frames from one of these numbers on, up to GROUP of them, at the source's size.
    """
    height, width = source.shape[1:3]
    gaps = [
        cell_levels(detail(source[start : start + GROUP], 1))
        - coarse_levels(group(start), height, width)[:, 0].mean(0).cpu().numpy()
        for start in range(0, len(source), GAP_EVERY)
    ]
    gap: npt.NDArray[np.float64] = NO_GAP + np.mean(gaps, 0)
    return gap


def restored(
    generator: Generator,
    frames: Iterable[CoarseFrame],
    base: BaseLayer,
    size: tuple[int, int],
    conditioning: Conditioning,
    first: int = 0,
) -> Iterator[Frames]:
    """What the generator makes of a base's frames, number `first` and on: uint8 (H, W, 3) each. size: height, width."""
    kinds = repeat(FrameKind.BASE)  # untrained kinds do worse (docs/decisions/0010-filling.md)
    quality, scale = MAX_QUALITY - base.quantiser, float(base.scale)
    return restore(generator, frames, quality, *size, kinds, scale, conditioning, first)


class LayeredCodec:
    """A model's networks used for the layered profile. Immutable."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def encode(self, pictures: Pictures, settings: Settings, tick: Tick = ignore) -> Gop:
        """Code pictures as one closed GOP with an AV1 base."""
        rgb = pictures.rgb
        count, height, width = rgb.shape[:3]
        divisor = settings.mini_gop or MINI_GOP
        types = frame_types(count, divisor)
        based = rgb if divisor == 1 else rgb[[kind is not FrameType.S for kind in types]]
        scale, crf = setting(settings.quality, usable_scales(width, height))
        base = BaseLayer(scale, crf)
        coded = encode_base(based, scale, crf, PRESETS[settings.preset])
        decoded = decode_units(coded, len(based), width, height, scale)
        index = texture_index(detail(rgb))
        streams = {Substream.BASE: temporal_units.encode(coded), **write_conditioning(rgb[0], index, settings)}
        told = Conditioning(index, extensions=read_extensions(streams, height, width))
        with reported(self.networks.device):
            latents = self._latents(rgb, types, decoded, settings)
            for extension in LATENTS:
                wanted, size = settings.wanted(extension.NAME), grid(width, height)
                streams |= extension.encode(self.networks.entropy, latents, size, settings.quality, wanted)
            streams |= self._looked_at(based, decoded, base, told, settings)
        for _ in pictures.pts:
            tick()
        return written(pictures, settings.quality, divisor, streams, latents, base, coded)

    def parse(self, gop: Gop, header: Header) -> Symbols:
        """The symbols of a GOP; DamageError where it does not hold what it should."""
        return parse(self.networks.entropy, gop, header)

    def decode(self, symbols: Symbols) -> Iterator[Frames]:
        """The pictures uint8 (H, W, 3) of a GOP; DamageError, before the first one, where its base does not decode."""
        base, networks, size = symbols.base, self.networks, (symbols.height, symbols.width)
        if base is None:
            raise DamageError(f"{symbols.place}: it has no base layer; the file is damaged")
        frames = base_frames(decode_base(symbols, base), *size, networks.features, networks.device)
        for extension in PICTURES:
            frames = extension.apply(networks.coarse, symbols.latents, frames, symbols.quality)
        with reported(networks.device):
            if networks.generator is not None:
                yield from restored(networks.generator, frames, base, size, symbols.conditioning)
                return
            for frame in frames:
                yield to_rgb(frame.picture, *size)

    def _latents(
        self, rgb: Frames, types: Iterable[FrameType], decoded: Frames, settings: Settings
    ) -> list[FrameLatents]:
        """The latents of the extensions, of frames uint8 (T, H, W, 3) whose base is decoded."""
        networks, quality = self.networks, settings.quality
        latents = [FrameLatents(kind) for kind in types]
        bases: Bases = partial(base_frames, decoded, rgb.shape[1], rgb.shape[2], networks.features, networks.device)
        for extension in PICTURES:
            wanted = settings.wanted(extension.NAME)
            coder = networks.coarse, networks.entropy.class_channels
            latents = extension.search(*coder, rgb, latents, bases, quality, wanted)
            bases = partial(changed, extension, networks.coarse, latents, bases, quality)
        return latents

    def _looked_at(
        self, rgb: Frames, decoded: Frames, base: BaseLayer, told: Conditioning, settings: Settings
    ) -> dict[Substream, bytes]:
        """The texture gap and the strength of base frames uint8 (T, H, W, 3), after a look at what the generator makes
        of some. told: the GOP's conditioning without them."""
        count, height, width = rgb.shape[:3]
        networks, generator = self.networks, self.networks.generator

        def group(start: int) -> list[CoarseFrame]:
            some = decoded[start : start + GROUP]
            return list(base_frames(some, height, width, networks.features, networks.device))

        gap = measured_gap(rgb, group)
        strength = FULL
        if generator is not None and settings.preset != "fast":
            groups = max(1, min(FIT_GROUPS, count // FIT_EVERY))
            starts = [(2 * number + 1) * count // (2 * groups) // GROUP * GROUP for number in range(groups)]
            told = told._replace(texture_gap=texture_map(gap))
            coarse: list[Frames] = []
            shown: list[Frames] = []
            for start in starts:
                frames = group(start)
                coarse += [to_rgb(frame.picture, height, width) for frame in frames]
                shown += restored(generator, frames, base, (height, width), told, start)
            source = np.concatenate([rgb[start : start + GROUP] for start in starts])
            gap = fitted(gap, source, np.stack(shown))
            strength = fitting_strength(source, np.stack(coarse), np.stack(shown), base.scale)
        found = {Substream.TEXTURE_LEVELS: texture.encode(texture_map(gap))} if strength else {}
        return found | ({Substream.STRENGTH: bytes([strength])} if strength < FULL else {})
