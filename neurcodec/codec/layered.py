"""The layered profile (DiSCo): a degraded AV1 base per chunk, restored by the generator (spec section 7.1).

The base is the chunk's frames, or every n-th of them, at 1/scale of their size, one closed AV1 GOP. The quality index
chooses the scale and the quantiser (`setting`). Frames that the base skips are filled, and base frames may carry detail
(`filling`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from neurcodec.analysis.laplacian import cell_levels, detail, fitted, texture_index, texture_map
from neurcodec.coarse.codec import CoarseFrame, to_device, to_rgb
from neurcodec.coarse.warp import BLOCK
from neurcodec.codec import side
from neurcodec.codec.device import reported
from neurcodec.codec.filling import code, rebuild
from neurcodec.codec.latents import grid
from neurcodec.codec.native import NativeCodec
from neurcodec.codec.strength import fitting_strength
from neurcodec.container import BaseLayer, FrameType, Gop, Header, Substream, frame_types
from neurcodec.entropy import bitplane, layered, packets, texture
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.entropy.hints import FULL, Hints
from neurcodec.entropy.texture import NO_GAP
from neurcodec.generator.condition import FrameKind
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import GROUP, coarse_levels, restore
from neurcodec.jobs.options import MAX_QUALITY, PRESETS
from neurcodec.media.av1 import MIN_SIDE, decode_gop, encode_gop

Frames = npt.NDArray[np.uint8]

RATE_DIVISOR = 1
"""By default all frames are in the base (docs/decisions/0010-filling.md)."""
RANGES = {1: (16, 63), 2: (60, 64), 3: (62, 64), 4: (63, 70)}
"""The CRFs of each scale, one a quality index from 63 down: where a smaller picture with a finer quantiser starts to be
better at equal bytes once both are restored (docs/decisions/0008-base-scale.md)."""
MAX_CRF = 70
GAP_EVERY = 8
"""The texture gap is measured on one group in so many frames."""
FIT_GROUPS, FIT_EVERY = 4, 24
"""It is fitted on so many groups of frames at most, one in so many frames."""
SLOW_PIXELS = 20_000_000
"""SVT-AV1 refuses presets below 5 for larger pictures."""


class Base(NamedTuple):
    """A base layer: its scale, its quantiser (CRF 1..70) and its AV1 packets in decoding order."""

    scale: int
    crf: int
    packets: list[bytes]


def base_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Width and height of a base at 1/scale: even, rounded up."""
    return -(-width // (2 * scale)) * 2, -(-height // (2 * scale)) * 2


def setting(quality: int, scales: Sequence[int]) -> tuple[int, int]:
    """The scale and CRF of a quality index 0..63, of the `scales` (1 and on) that a picture's size allows."""
    steps = [
        (scale, crf)
        for scale in scales
        for crf in range(RANGES[scale][0], (MAX_CRF if scale == scales[-1] else RANGES[scale][1]) + 1)
    ]
    return steps[min(MAX_QUALITY - quality, len(steps) - 1)]


def smaller(rgb: Frames, scale: int) -> Frames:
    """Frames uint8 (T, H, W, 3) at the size of a base of 1/scale, bicubic with as wide a filter as it takes."""
    width, height = base_size(rgb.shape[2], rgb.shape[1], scale)
    if (height, width) == rgb.shape[1:3]:
        return rgb
    planes = (torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None] for frame in rgb)
    small = [F.interpolate(plane, (height, width), mode="bicubic", antialias=True)[0] for plane in planes]
    return torch.stack(small).permute(0, 2, 3, 1).contiguous().numpy()


def encode_base(rgb: Frames, scale: int, quantiser: int, preset: int = PRESETS["medium"]) -> Base:
    """Code frames uint8 (T, H, W, 3) as a base at 1/scale with a preset of SVT-AV1."""
    small = smaller(rgb, scale)
    usable = max(preset, 5) if small.shape[1] * small.shape[2] > SLOW_PIXELS else preset
    return Base(scale, quantiser, encode_gop(small, quantiser, usable))


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
    generator: Generator, frames: Iterable[CoarseFrame], crf: int, scale: int, size: tuple[int, int], hints: Hints
) -> Iterator[Frames]:
    """What the generator makes of a base's frames: uint8 (H, W, 3) each. size: height, width."""
    kinds = repeat(FrameKind.BASE)  # untrained kinds do worse (docs/decisions/0010-filling.md)
    return restore(generator, frames, MAX_QUALITY - crf, *size, kinds, float(scale), hints)


class LayeredCodec(NativeCodec):
    """A model's networks used for the layered profile."""

    def encode(self, rgb: Frames, pts: tuple[int, ...], last_duration: int, quality: int, interval: int) -> Gop:
        """Code frames uint8 (T, H, W, 3) as one closed GOP with an AV1 base; `interval` is for native chunks only."""
        divisor = self.settings.backbone_interval or RATE_DIVISOR
        types = frame_types(len(rgb), divisor)
        bases = [kind is not FrameType.S for kind in types]
        base = self.choose(rgb[bases] if divisor > 1 else rgb, quality)
        hints = side.encode(rgb, self.settings)
        del hints[Substream.TEXTURE_MAP]
        with reported(self.device):
            latents, streams = self.additions(rgb, types, base, quality)
            hints |= self.looked_at(rgb[bases] if divisor > 1 else rgb, base)
        for _ in pts:
            if self.tick is not None:
                self.tick()
        return Gop(
            pts=pts,
            last_duration=last_duration,
            quality=quality,
            backbone_interval=divisor,
            substreams={
                **packets.encode(base.packets),
                **streams,
                **hints,
            },
            latents_digest=bitplane.digest(latents),
            base=BaseLayer(base.scale, divisor, base.crf),
        )

    def choose(self, rgb: Frames, quality: int) -> Base:
        """The base for a quality index."""
        scales = [scale for scale in RANGES if min(base_size(rgb.shape[2], rgb.shape[1], scale)) >= MIN_SIDE]
        return encode_base(rgb, *setting(quality, scales), PRESETS[self.settings.preset])

    def looked_at(self, rgb: Frames, base: Base) -> dict[Substream, bytes]:
        """The texture gap and the strength of base frames uint8 (T, H, W, 3), after a look at what the generator makes
        of some."""
        count, height, width = rgb.shape[:3]
        decoded = decode_gop(base.packets, count, *base_size(width, height, base.scale))

        def group(start: int) -> list[CoarseFrame]:
            return list(base_frames(decoded[start : start + GROUP], height, width, self.features, self.device))

        gap = measured_gap(rgb, group)
        strength = FULL
        if self._generator is not None and self.settings.preset != "fast":
            groups = max(1, min(FIT_GROUPS, count // FIT_EVERY))
            starts = [(2 * number + 1) * count // (2 * groups) // GROUP * GROUP for number in range(groups)]
            hints = Hints(self.settings.caption, texture=texture_index(detail(rgb)), texture_gap=texture_map(gap))
            coarse: list[Frames] = []
            shown: list[Frames] = []
            for frames in map(group, starts):
                coarse += [to_rgb(frame.picture, height, width) for frame in frames]
                shown += restored(self._generator, frames, base.crf, base.scale, (height, width), hints)
            source = np.concatenate([rgb[start : start + GROUP] for start in starts])
            gap = fitted(gap, source, np.stack(shown))
            strength = fitting_strength(source, np.stack(coarse), np.stack(shown), base.scale)
        found = {Substream.TEXTURE_GAP: texture.encode(texture_map(gap))} if strength else {}
        return found | ({Substream.STRENGTH: bytes([strength])} if strength < FULL else {})

    def additions(
        self, rgb: Frames, types: Sequence[FrameType], base: Base, quality: int
    ) -> tuple[list[FrameLatents], dict[Substream, bytes]]:
        """Motion of filled frames and detail latents of base frames, and their substreams."""
        height, width = rgb.shape[1:3]
        detail = self.settings.detail
        if not detail and FrameType.S not in types:
            return [], {}
        frames = self.bases(base.packets, types, base.scale, height, width)
        wanted = layered.detailed(types, detail)
        latents = code(self._coarse, self.entropy.cuts, rgb, types, frames, quality, wanted)
        return latents, layered.encode(self.entropy, latents, grid(width, height), quality, detail)

    def bases(
        self, coded: Sequence[bytes], types: Sequence[FrameType], scale: int, height: int, width: int
    ) -> Iterator[CoarseFrame]:
        """The decoded base frames of a chunk of these types, enlarged to height x width."""
        count = sum(kind is not FrameType.S for kind in types)
        decoded = decode_gop(coded, count, *base_size(width, height, scale))
        return base_frames(decoded, height, width, self.features, self.device)

    def decode(self, gop: Gop, latents: Sequence[FrameLatents], header: Header) -> Iterator[Frames]:
        """The pictures uint8 (H, W, 3) of a chunk."""
        assert gop.base is not None  # by latents.decode
        types = [frame.type for frame in latents]
        bases = self.bases(packets.decode(gop), types, gop.base.scale, header.height, header.width)
        frames = rebuild(self._coarse, latents, bases, gop.quality)
        size = header.height, header.width
        with reported(self.device):
            if self._generator is not None:
                hints = side.hints(gop, header)
                yield from restored(self._generator, frames, gop.base.quantiser, gop.base.scale, size, hints)
                return
            for frame in frames:
                yield to_rgb(frame.picture, *size)
