"""Which file system a path lies on: on those of a network, a journal is not safe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .errors import JournalError

# The locks and the shared memory that SQLite relies on do not work on these.
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3",
     "smbfs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"}
)  # fmt: skip


def refuse_network_file_system(path: Path) -> None:
    """Refuse a path on a network file system.

    Raises:
        JournalError: It lies on one.
    """
    kind = file_system_of(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise JournalError(
            f"{path} lies on a network file system ({kind}), where a journal is not safe; "
            "name a directory of this machine"
        )


def file_system_of(path: Path, read: Callable[[], bytes] | None = None) -> str:
    """Return the kind of file system that a path lies on, or "" where the system does not tell.

    Args:
        path: The path.
        read: Returns the table of mounts; that of this process by default.
    """
    if read is None:
        if sys.platform != "linux":
            return ""
        read = Path("/proc/self/mounts").read_bytes
    try:
        table = read()
    except OSError:
        return ""
    real = path.resolve()
    best, kind = -1, ""
    for line in table.splitlines():
        _, place, found, *_ = line.split(b" ")
        # White space and backslashes are written as octal numbers, everything else as it is.
        mount = Path(os.fsdecode(place.decode("unicode_escape").encode("latin-1")))
        if real.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), found.decode()
    return kind
