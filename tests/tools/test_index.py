"""pip's settings for the registry reach uv."""

from pathlib import Path

from tools.index import pip_settings, uv_environment

MIRROR = "https://mirror.example/simple"


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_environment_wins_over_files(tmp_path: Path) -> None:
    listing = f":env:.cert='/one.pem'\nglobal.cert='/two.pem'\nglobal.index-url='{MIRROR}'\nfreeze.timeout='10'"
    python = script(tmp_path / "python", f'cat <<"END"\n{listing}\nEND')
    assert pip_settings(python) == {"cert": "/one.pem", "index-url": MIRROR}


def test_a_mirror_becomes_uvs_default_index() -> None:
    assert uv_environment({"index-url": MIRROR}, {}) == {"UV_DEFAULT_INDEX": MIRROR}


def test_further_indexes_are_searched_as_pip_does() -> None:
    settings = {"extra-index-url": "https://one.example/simple\nhttps://two.example/simple"}
    assert uv_environment(settings, {}) == {
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_setting_made_for_uv_stands() -> None:
    assert uv_environment({"index-url": MIRROR}, {"UV_DEFAULT_INDEX": "https://mine.example"}) == {}
    assert uv_environment({"index-url": MIRROR}, {"UV_INDEX_URL": "https://mine.example"}) == {}


def test_a_local_folder_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    settings = {"find-links": f"{tmp_path} {tmp_path}/absent", "extra-index-url": f"file://{tmp_path}/absent"}
    assert uv_environment(settings, {}) == {"UV_FIND_LINKS": str(tmp_path)}


def test_no_settings_add_nothing() -> None:
    assert uv_environment({}, {}) == {}
