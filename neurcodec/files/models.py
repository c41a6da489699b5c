"""Model folders: finding them by name, hashing their weights, and matching them to what a file names.

A model folder holds `entropy.safetensors` (the latents' integers), `coarse/` and `generator/` (the pictures'
networks: `config.json` and `*.safetensors` each). They lie in `models/` of a source checkout or, once installed, in
`neurcodec/models`, and where `add` puts them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from neurcodec.container.values import HASH_BYTES, ModelInfo
from neurcodec.errors import ModelError, OutputError

ENTROPY_FILE = "entropy.safetensors"
NETWORKS = ("coarse", "generator")
_PACKAGE = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Model:
    """A model folder. The hashes are the first 16 bytes of SHA-256 and are computed when first asked for."""

    name: str
    folder: Path

    @property
    def entropy_path(self) -> Path:
        """The latents' integers."""
        return self.folder / ENTROPY_FILE

    @property
    def weight_paths(self) -> list[Path]:
        """The pictures' weights, in the order in which they are hashed."""
        return sorted(path for part in NETWORKS for path in (self.folder / part).glob("*.safetensors"))

    @cached_property
    def entropy_hash(self) -> bytes:
        """Of the latents: the hash of `entropy.safetensors`."""
        return _digest(self.entropy_path)[:HASH_BYTES]

    @cached_property
    def weights_hash(self) -> bytes:
        """Of the pictures: over (relative path, 0 byte, SHA-256) of every weights file, sorted by path."""
        total = hashlib.sha256()
        for path in self.weight_paths:
            total.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + _digest(path))
        return total.digest()[:HASH_BYTES]

    @property
    def info(self) -> ModelInfo:
        """What a file made with this model says about it."""
        return ModelInfo(self.name, self.weights_hash, self.entropy_hash)


def model_folders() -> list[Path]:
    """The folders in which models are looked for by name."""
    places = [_PACKAGE / "models", _PACKAGE.parent / "models", own_folder()]
    return [place for place in places if place.is_dir()]


def own_folder() -> Path:
    """Where `add` puts models: $NEURCODEC_MODELS, or neurcodec/models in the user's data folder."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(os.environ.get("NEURCODEC_MODELS") or f"{data}/neurcodec/models").expanduser()


def add(folder: Path) -> Model:
    """Copy the model in a folder to the user's models, as NAME-HASH, the first digits of its weights' hash.

    A model that is there already stays as it is. Raises ModelError where the folder holds none, OutputError where it
    cannot be written.
    """
    model = find(str(folder.resolve()))
    name = model.name.removesuffix(f"-{model.weights_hash.hex()[:8]}")[:48]
    target = own_folder() / f"{name}-{model.weights_hash.hex()[:8]}"
    if not target.exists():
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            shutil.copytree(folder, partial)
            partial.rename(target)
        except OSError as error:
            raise OutputError(f"{target}: the model cannot be copied ({error.strerror or error})") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Model(target.name, target)


def available() -> list[Model]:
    """All models that can be named, sorted."""
    found: dict[str, Model] = {}
    for place in model_folders():
        for entropy in place.glob(f"*/{ENTROPY_FILE}"):
            found.setdefault(entropy.parent.name, Model(entropy.parent.name, entropy.parent))
    return [found[name] for name in sorted(found)]


def find(name_or_folder: str) -> Model:
    """The model of that name, or the one in that folder; ModelError says what there is instead."""
    if _NAME.fullmatch(name_or_folder):
        for model in available():
            if model.name == name_or_folder:
                return model
    folder = Path(name_or_folder)
    if not folder.is_dir():
        names = ", ".join(model.name for model in available()) or "none"
        raise ModelError(f"no model {name_or_folder!r}: neither a folder nor one of the installed models ({names})")
    model = Model(folder.resolve().name[:64], folder)
    missing = [part for part in NETWORKS if not list((folder / part).glob("*.safetensors"))]
    if not model.entropy_path.is_file():
        missing.insert(0, ENTROPY_FILE)
    if missing:
        raise ModelError(f"{folder}: not a model folder, {' and '.join(missing)} missing")
    return model


def for_file(wanted: ModelInfo, choice: str | None, *, latents: bool, pictures: bool) -> Model:
    """The model to decode a file with: `choice`, or of the installed ones that which fits best.

    The hash of the latents' integers must be the file's where it may have latents; that of the pictures' weights where
    they count, unless the model was chosen by hand. ModelError where there is none.
    """
    candidates = [find(choice)] if choice else available()
    fitting = [model for model in candidates if model.entropy_hash == wanted.entropy_hash]
    if latents and not fitting:
        raise ModelError(_refusal(wanted, candidates, choice, "entropy", wanted.entropy_hash))
    same = [model for model in fitting if model.weights_hash == wanted.weights_hash]
    if pictures and not choice and not same:
        raise ModelError(_refusal(wanted, fitting, choice, "weights", wanted.weights_hash))
    best = [*same, *fitting, *candidates]
    if not best:
        raise ModelError("no model is installed; `ncodec models add DIR` installs one")
    return best[0]


def _refusal(wanted: ModelInfo, candidates: list[Model], choice: str | None, part: str, digest: bytes) -> str:
    need = f"the file needs model {wanted.name!r} with {part} hash {digest.hex()}"
    if choice:
        return f"{need}; {choice} is another"
    there = any(model.name == wanted.name for model in candidates)
    how = f"the installed {wanted.name!r} is another version" if there else "none such is installed"
    return f"{need}; {how}: `ncodec models add DIR` installs a model (models/README.md), --model takes its folder"


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
