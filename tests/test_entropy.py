"""the latents: range coder, integer priors, exactness, sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurcodec.container import FrameType, Substream, frame_types
from neurcodec.entropy import latent_coder
from neurcodec.entropy.binary import NEW, Binary
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.prior import PriorState
from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache
from neurcodec.entropy.tables import TOTAL, normalise
from neurcodec.errors import DamageError, ModelError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EntropyModel:
    from neurcodec.training.tiny import write_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_model(folder, seed=3)
    return EntropyModel.load(folder / "entropy.safetensors")


def random_chunk(
    model: EntropyModel, frames: int, interval: int, grid: tuple[int, int], seed: int
) -> list[FrameLatents]:
    """Any integers a chunk may hold, from a Laplace-like source with a few large values."""
    random = np.random.default_rng(seed)
    result = []
    channels = model.class_channels[-1]
    for kind in frame_types(frames, interval):
        motion = classes = y = None
        quality = 0
        if kind is not FrameType.I:
            vectors = np.clip(np.rint(random.laplace(0, 6, (2, *grid))), -511, 511)
            mode = random.integers(0, 3 if kind is FrameType.S else 1, (1, *grid))
            motion = np.concatenate([mode, vectors]).astype(np.int16)
        if kind is not FrameType.S:
            quality = int(random.integers(64))
            classes = random.integers(0, len(model.class_channels), grid).astype(np.uint8)
            y = np.rint(random.laplace(0, 2, (channels, *grid)) * random.choice([1, 1, 500], (channels, *grid)))
            coded = np.arange(channels)[:, None, None] < np.array(model.class_channels)[classes]
            y = np.where(coded, y, 0).astype(np.int16)
        result.append(FrameLatents(kind, motion, classes, y, quality))
    return result


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_chunk_round_trips(model: EntropyModel, data: st.DataObject) -> None:
    frames, interval = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 4))
    grid = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    quality = data.draw(st.integers(0, 63))
    chunk = random_chunk(model, frames, interval, grid, data.draw(st.integers(0, 2**32)))
    streams = latent_coder.encode(model, chunk, quality)
    decoded = latent_coder.decode(model, streams, frames, interval, grid, quality)
    assert list(map(latent_coder.exact, decoded)) == list(map(latent_coder.exact, chunk))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=200))
def test_range_coder_inverts_itself(pairs: list[tuple[int, int]]) -> None:
    tables = [normalise(np.array(weights)) for weights in ([1.0, 0, 0], [1.0, 1, 1], [1e-9, 1, 5])]
    models = ModelCache(lambda index: tables[index])
    indexes = np.array([index % 3 for index, _ in pairs], dtype=np.int64)
    symbols = np.array([symbol for _, symbol in pairs], dtype=np.int64)
    encoder = Encoder()
    encoder.symbols(symbols, indexes, models)
    encoder.bits(5, 4)
    decoder = Decoder(encoder.finish())
    assert (decoder.symbols(indexes, models) == symbols).all()
    assert decoder.bits(4) == 5
    decoder.finish()


def test_bytes_left_over_are_damage(model: EntropyModel) -> None:
    chunk = random_chunk(model, 3, 2, (3, 4), 1)
    streams = latent_coder.encode(model, chunk, 20)
    streams[Substream.LATENTS_I] += b"\x55" * 64
    with pytest.raises(DamageError):
        latent_coder.decode(model, streams, 3, 2, (3, 4), 20)


def test_size_is_the_entropy_of_the_tables(model: EntropyModel) -> None:
    """Coded bytes are within 1 % of the information that the integer tables give the symbols."""
    chunk = random_chunk(model, 5, 1, (12, 20), 7)
    information = 0.0
    tables = model.tables.value

    class Adaptive(Binary):
        def code(self, context, bit):  # type: ignore[no-untyped-def]
            nonlocal information
            one = (2 * (self.states.get(context, NEW)[0] >> 5) + 1) / 4096
            information -= np.log2(one if bit else 1 - one)
            return super().code(context, bit)

    class Measuring(latent_coder.SymbolCoder):
        def __init__(self, model, coder):  # type: ignore[no-untyped-def]
            super().__init__(model, coder)
            self.motion_coder.binary = Adaptive(coder)

        def quality(self, value):  # type: ignore[no-untyped-def]
            nonlocal information
            information += latent_coder.QUALITY_BITS
            return super().quality(value)

        def residuals(self, indexes, mean, wanted):  # type: ignore[no-untyped-def]
            nonlocal information
            reach = np.array([len(tables[index]) // 2 - 1 for index in indexes])
            inside = np.abs(wanted - mean) <= reach
            symbols = np.where(inside, wanted - mean + reach, 2 * reach + 1)
            for index, symbol in zip(indexes, symbols, strict=True):
                information -= np.log2(tables[index][symbol] / TOTAL)
            for excess in (np.abs(wanted - mean) - reach)[~inside]:
                information += 5 + int(excess).bit_length() - 1
            return super().residuals(indexes, mean, wanted)

        def classes(self, state, count, wanted):  # type: ignore[no-untyped-def]
            nonlocal information
            for index, symbol in zip(state.class_tables(), wanted, strict=True):
                information -= np.log2(model.tables.classes[count][index][symbol] / TOTAL)
            return super().classes(state, count, wanted)

    encoders = {stream: Encoder() for stream in latent_coder.STREAMS}
    coders = {stream: Measuring(model, encoder) for stream, encoder in encoders.items()}
    coder = latent_coder.ChunkCoder(model, coders, (12, 20), 30)
    latent_coder.code_chunk(coder, [frame.type for frame in chunk], chunk)
    size = sum(len(encoder.finish()) for encoder in encoders.values())
    assert abs(size * 8 - information) < 0.01 * information


def test_integer_prior_is_what_was_trained(model: EntropyModel) -> None:
    """The straight-through network's bits equal the integer tables' to 0.5 %."""
    import torch

    from neurcodec.training.export import latent_priors

    torch.manual_seed(11)
    net = latent_priors(model.class_channels[-1], 8, model.class_channels)["latents_i"]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    chunk = random_chunk(model, 1, 1, (8, 10), 5)[0]
    assert chunk.y is not None and chunk.classes is not None
    chunk.y[:] = np.clip(chunk.y, -8, 8)
    context = np.full((1, 8, 10), 32.0)
    state = PriorState(net.export(), context)
    bits = 0.0
    for number in range(4):
        rows, columns = state.start_pass(number)
        classes = chunk.classes[rows, columns].astype(np.int64)
        for index, symbol in zip(state.class_tables(), classes, strict=True):
            bits -= np.log2(model.tables.classes[len(model.class_channels)][index][symbol] / TOTAL)
        mean, tables = state.value_tables(classes)
        values = chunk.y[:, rows, columns].T.astype(np.int64)
        coded = np.arange(model.class_channels[-1]) < np.array(model.class_channels)[classes][:, None]
        for index, residual in zip(tables[coded], (values - mean)[coded], strict=True):
            table = model.tables.value[index]
            reach = len(table) // 2 - 1
            bits -= np.log2(table[min(max(residual, -reach), reach) + reach] / TOTAL)
        state.put(rows, columns, classes, values)
    planes = torch.from_numpy(chunk.y.astype(np.float32))[None], torch.from_numpy(chunk.classes.astype(np.int64))[None]
    with torch.no_grad():
        trained = sum(float(part) for part in net(torch.full((1, 1, 8, 10), 0.5), *planes))
    assert abs(bits - trained) < 0.005 * bits


SCRIPT = """
import sys, numpy as np
from pathlib import Path
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy import latent_coder
from test_entropy import random_chunk
model = EntropyModel.load(Path(sys.argv[1]))
chunk = random_chunk(model, 5, 2, (9, 11), 2)
streams = latent_coder.encode(model, chunk, 33)
decoded = latent_coder.decode(model, streams, 5, 2, (9, 11), 33)
assert list(map(latent_coder.exact, decoded)) == list(map(latent_coder.exact, chunk))
print(b"".join(streams.values()).hex())
"""


@pytest.mark.parametrize("kernel", ["Haswell", "Prescott", "SkylakeX"])
def test_bits_do_not_depend_on_threads_or_kernels(model: EntropyModel, tmp_path: Path, kernel: str) -> None:
    """The same bytes with one or two BLAS threads and other matrix kernels (summation orders)."""
    path = tmp_path / "entropy.safetensors"
    model.save(path)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(path)],
            check=True,
            capture_output=True,
            text=True,
            env={
                "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parent.parent}",
                "PATH": "/usr/bin:/bin",
                **extra,
            },
        ).stdout
        for extra in (
            {"OPENBLAS_NUM_THREADS": "1"},
            {"OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": kernel},
        )
    }
    assert len(outputs) == 1


def test_activations_stay_exact(model: EntropyModel) -> None:
    """No accumulator of the largest possible input reaches 2^53."""
    for weights in model.priors.values():
        largest = 2.0**15 * max(np.abs(w).sum(-1).max() for w in (weights.context, weights.hidden, weights.values))
        assert largest + 2.0**30 < 2.0**53


def test_a_wrong_model_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "entropy.safetensors"
    with pytest.raises(ModelError):
        EntropyModel.load(path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ModelError):
        EntropyModel.load(path)
