"""Recordings on disk: a name from the journal becomes a path only when it names a file in the folder itself."""

from pathlib import Path

MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".opus": "audio/ogg"}


def recording_path(folder: Path, name: str) -> Path | None:
    """The recording's path; None for no name and for one that would leave the folder or is no sound file."""
    if not name or "\0" in name or Path(name).name != name or name.startswith("."):
        return None
    path = folder / name
    if path.suffix not in MEDIA_TYPES:
        return None
    return None if path.is_symlink() else path


def remove_recording(folder: Path, name: str) -> None:
    """Unlink it where it exists. Raises OSError."""
    path = recording_path(folder, name)
    if path is not None:
        path.unlink(missing_ok=True)


def remove_older(folder: Path, before_s: float) -> int:
    """Unlink recordings last written before `before_s` (Unix time), those no call names included; how many."""
    removed = 0
    if not folder.is_dir():
        return removed
    for path in folder.iterdir():
        if path.suffix in MEDIA_TYPES and not path.is_symlink() and path.is_file() and path.stat().st_mtime < before_s:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
