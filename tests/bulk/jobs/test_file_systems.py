from __future__ import annotations

import sys
from pathlib import Path

import pytest

from perfectpay_async.bulk import JournalError
from perfectpay_async.bulk.jobs import file_systems
from perfectpay_async.bulk.jobs.file_systems import file_system_of, refuse_network_file_system

MOUNTS = (
    b"/dev/sda1 / ext4 rw 0 0\n"
    b"tmpfs /run tmpfs rw 0 0\n"
    b"server:/export /mnt/shared nfs4 rw 0 0\n"
    b"/dev/sdb1 /mnt/shared/local xfs rw 0 0\n"
    b"//nas/x /mnt/two\\040words cifs rw 0 0\n"
    b"s:/y /mnt/back\\134slash nfs rw 0 0\n"
    b"s:/z /mnt/caf\xc3\xa9 nfs rw 0 0\n"
    b"s:/w /mnt/\xff nfs rw 0 0\n"
    b"over /mnt/twice ext4 rw 0 0\n"
    b"over /mnt/twice nfs rw 0 0\n"
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/jobs/a.job", "ext4"),
        ("/run/a.job", "tmpfs"),
        ("/running/a.job", "ext4"),
        ("/mnt/shared/jobs/a.job", "nfs4"),
        ("/mnt/shared", "nfs4"),
        ("/mnt/shared/local/a.job", "xfs"),
        ("/mnt/two words/a.job", "cifs"),
        ("/mnt/back\\slash/a.job", "nfs"),
        ("/mnt/café/a.job", "nfs"),
        ("/mnt/\udcff/a.job", "nfs"),
        ("/mnt/twice/a.job", "nfs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path, kind):
    assert file_system_of(Path(path), lambda: MOUNTS) == kind


def test_a_link_is_followed(tmp_path):
    (tmp_path / "jobs").symlink_to("/mnt/shared/jobs")

    assert file_system_of(tmp_path / "jobs" / "a.job", lambda: MOUNTS) == "nfs4"


def test_a_system_that_does_not_tell(tmp_path, monkeypatch):
    def fails():
        raise FileNotFoundError

    assert file_system_of(tmp_path, fails) == ""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert file_system_of(tmp_path) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such table")
def test_this_system(tmp_path):
    assert file_system_of(tmp_path) != ""
    refuse_network_file_system(tmp_path)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre"])
def test_those_of_a_network_are_refused(monkeypatch, kind):
    monkeypatch.setattr(file_systems, "file_system_of", lambda _path: kind)

    with pytest.raises(JournalError) as caught:
        refuse_network_file_system(Path("/mnt/jobs"))

    assert str(caught.value) == (
        f"/mnt/jobs lies on a network file system ({kind}), where a journal is not safe; "
        "name a directory of this machine"
    )


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", ""])
def test_others_are_not(monkeypatch, kind):
    monkeypatch.setattr(file_systems, "file_system_of", lambda _path: kind)

    refuse_network_file_system(Path("/mnt/jobs"))
