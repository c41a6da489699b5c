"""Which files a batch works on, and what they become: files, folders and globs as jobs, with outputs in like trees."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from neurcodec.errors import InputError, OutputError
from neurcodec.files.ffmpeg import video_suffixes
from neurcodec.jobs.options import DecodeOptions, EncodeOptions

Options = EncodeOptions | DecodeOptions

_NAMED = 8  # suffixes that a list names


@dataclass(frozen=True)
class Job:
    """One file of a batch; delete_source: when the output is verified."""

    number: int
    source: Path
    target: Path
    options: Options
    delete_source: bool = False


@dataclass(frozen=True)
class Plan:
    """The jobs, and how many files of folders were passed over, by suffix."""

    jobs: list[Job]
    passed_over: Mapping[str, int]


def plan(inputs: Iterable[str], folder: Path, suffix: str, options: Options, delete_source: bool = False) -> Plan:
    """The jobs for files, folders (searched through) and globs; the trees are mirrored below `folder`.

    An output has the input's name with this suffix, behind the input's own suffix where several would have the same.
    InputError for an input that is not there, and where there is nothing to do; OutputError, which names all of them,
    where several inputs would become one file.
    """
    wanted = video_suffixes() if isinstance(options, EncodeOptions) else {".nvc"}
    passed_over: Counter[str] = Counter()
    found: dict[Path, tuple[Path, Path]] = {}
    for name in inputs:
        for source, place in _expand(name, wanted, folder, passed_over):
            found.setdefault(source.resolve(), (source, place))
    if not found:
        what = "video" if isinstance(options, EncodeOptions) else ".nvc file"
        others = f" among {passed_over.total()} files ({counted(passed_over)})" if passed_over else ""
        raise InputError(f"no {what}{others} in {', '.join(inputs)}")
    sources, places = zip(*found.values(), strict=True)
    targets = [folder / target for target in _targets(places, suffix)]
    _check_clashes(sources, targets)
    jobs = enumerate(zip(sources, targets, strict=True))
    return Plan([Job(number, *pair, options, delete_source) for number, pair in jobs], passed_over)


def counted(files: Mapping[str, int]) -> str:
    """Numbers of files by suffix, as text: 5 .jpg, 1 .txt."""
    most = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count} {suffix or 'without suffix'}" for suffix, count in most[:_NAMED]]
    rest = sum(count for _, count in most[_NAMED:])
    return ", ".join([*parts, f"{rest} of other kinds"] if rest else parts)


def _expand(name: str, wanted: Collection[str], output: Path, passed_over: Counter[str]) -> Iterator[tuple[Path, Path]]:
    """The files of an input, each with its path below the output folder; hidden ones are not seen."""
    path = Path(name)
    if path.is_file():
        yield path, Path(path.name)
    elif path.is_dir():
        for file in _walk(path, output):
            if file.suffix.lower() in wanted:
                yield file, file.relative_to(path)
            else:
                passed_over[file.suffix.lower()] += 1
    else:
        matches = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207 - it may be absolute
        if not matches or not glob.has_magic(name):
            raise InputError(f"{name}: no such file, folder or match")
        root = Path(*path.parts[: next(i for i, part in enumerate(path.parts) if glob.has_magic(part))])
        yield from ((match, match.relative_to(root)) for match in matches if match.is_file())


def _walk(root: Path, output: Path) -> Iterator[Path]:
    """The files below a folder, but not those of the output folder where that is inside."""
    outputs = output.resolve()
    for folder, folders, names in os.walk(root, onerror=_unread):
        folders[:] = sorted(name for name in folders if Path(folder, name).resolve() != outputs)
        files = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())


def _unread(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror})")


def _targets(places: Sequence[Path], suffix: str) -> list[Path]:
    """The output of each input; inputs whose outputs would meet keep their own suffix, as tape.avi.nvc."""
    keeping: set[Path] = set()
    while True:
        targets = [place.with_name(place.name + suffix) if place in keeping else place.with_suffix(suffix)
                   for place in places]  # fmt: skip
        counts = Counter(targets)
        meeting = {place for place, target in zip(places, targets, strict=True) if counts[target] > 1}
        if meeting <= keeping:
            return targets
        keeping |= meeting


def _check_clashes(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    makers: dict[Path, list[Path]] = {}
    for source, target in zip(sources, targets, strict=True):
        makers.setdefault(target, []).append(source)
    clashes = [
        f"{' and '.join(map(str, made))} would become {target}" for target, made in makers.items() if len(made) > 1
    ]
    if clashes:
        raise OutputError(f"{'; '.join(clashes)}: rename some, or give them another --output-dir")
