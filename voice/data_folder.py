"""The folder a node keeps its record in: made when absent, and held by one node at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialog.errors import ConfigurationError


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make `folder` and hold it while the block runs; the kernel lets go when the process ends, however it ends.

    A second node in it would take the first one's live calls for lost ones, and their recordings for left-overs.
    Raises ConfigurationError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"record.folder: {folder} cannot be written ({error.strerror}); "
            "choose another with --set record.folder=PATH"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"record.folder: another node serves from {folder}; choose another with --set record.folder=PATH"
            ) from error
        yield
    finally:
        os.close(descriptor)
