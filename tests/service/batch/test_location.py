"""Files of this machine: what is read, what is committed, and what is said when something is wrong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.errors import LocationError, UsageError
from scorewright.service.batch.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Location:
    return Location.of(str(tmp_path))


@contextmanager
def mounted(place: Path, size: str) -> Iterator[None]:
    """A small file system in memory."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_what_is_put_is_read(folder: Location, tmp_path: Path) -> None:
    place = folder.child("deep", "a b.csv")
    place.put(b"0123456789")

    assert (tmp_path / "deep" / "a b.csv").read_bytes() == place.read() == b"0123456789"
    assert place.read_range(3, 6) == b"345"
    assert place.read_range(8, 20) == b"89"
    assert place.read_range(20, 30) == place.read_range(4, 4) == b""
    with place.open() as file:
        assert (file.read(2), file.seek(-2, os.SEEK_END), file.read()) == (b"01", 8, b"89")
    assert place.exists()
    assert not place.child("below a file").exists()
    assert place.is_local
    assert place.local == tmp_path / "deep" / "a b.csv"
    assert pickle.loads(pickle.dumps(place)) == place


def test_the_forms_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a ü%20.csv"
    path.write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    for form in (str(path), path.name, path.as_uri(), f"file://localhost{path.as_uri().removeprefix('file://')}"):
        assert Location.of(form).url == str(path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no location"),
        ("a\0b", "is no location"),
        ("s3://bucket/a", r"s3:// is no kind of location"),
        ("https://account.blob.core.windows.net/c/a", "https:// is no kind of location"),
        ("file://elsewhere/a", "is no file of this machine"),
        ("file://a", "is no file of this machine"),
        ("abfs://", "is no name of a container"),
        ("abfs://Data@account/a", "'Data' is no name of a container"),
        ("abfs://data@my_account/a", "'my_account' is no name of a storage account"),
        ("abfs://data@account/a/../b", "no . and no .. in it"),
        ("abfs://data@account/a//b", "no empty parts"),
        ("abfs://data@account/a?sv=2024&sig=secret", "has a signature in its URL"),
    ],
)
def test_what_is_no_location(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Location.of(url)
    assert "secret" not in f"{caught.value}{caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("abfs://data@account/a/b.csv", "abfs://data@account.dfs.core.windows.net/a/b.csv"),
        ("abfss://data@account.dfs.core.windows.net/a/", "abfs://data@account.dfs.core.windows.net/a"),
        ("AZ://data@account.blob.core.windows.net", "abfs://data@account.dfs.core.windows.net"),
        ("az://data/a?.csv", "abfs://data/a?.csv"),
        ("abfs://data@account.dfs.core.chinacloudapi.cn/a", "abfs://data@account.dfs.core.chinacloudapi.cn/a"),
    ],
)
def test_the_forms_of_a_blobs_url(url: str, expected: str) -> None:
    place = Location.of(url)
    assert (place.url, Location.of(place.url), place.local) == (expected, place, None)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scorewright.service.batch.blob_store", raising=False)
    monkeypatch.delitem(sys.modules, "scorewright.service.batch.blob_client", raising=False)
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(LocationError, match="adlfs is not installed") as caught:
        Location.of("abfs://data@account/a")
    assert "scorewright[batch,abfs]" in caught.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0"])
def test_a_child_is_below(folder: Location, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a file or folder below"):
        folder.child(name)


def test_the_files_of_a_folder_a_file_and_a_pattern(folder: Location, tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "sub/c.csv", "sub/d.txt", "_hidden/e.csv", "sub/.f.csv", "ax/g.csv", "[1].csv"):
        folder.child(*name.split("/")).put(name.encode())
    (tmp_path / "link").symlink_to("sub")
    (tmp_path / "sub" / "round").symlink_to("..")

    def relative(url: str) -> list[str]:
        return [file.relative for file in Location.of(url).files()]

    assert relative(folder.url) == sorted(
        ["[1].csv", "a.csv", "ax/g.csv", "b.csv", "link/c.csv", "link/d.txt", "sub/c.csv", "sub/d.txt"]
    )
    assert relative(f"{folder.url}/b.csv") == ["b.csv"]
    assert relative(f"{folder.url}/[1].csv") == ["[1].csv"]
    assert relative(f"{folder.url}/?.csv") == ["a.csv", "b.csv"]
    assert relative(f"{folder.url}/s*/*.csv") == ["sub/c.csv"]
    assert relative(f"{folder.url}/a*") == ["a.csv", "ax/g.csv"]
    (file,) = Location.of(f"{folder.url}/ax/g.csv").files()
    assert (file.size, Location.of(file.url).read()) == (8, b"ax/g.csv")
    folder.child("ax", "g.csv").put(b"other")
    assert Location.of(file.url).files()[0].tag != file.tag


def test_what_is_not_there(folder: Location, tmp_path: Path) -> None:
    missing = folder.child("missing")
    for act in (missing.files, missing.read, missing.open, lambda: missing.rename(folder.child("other"))):
        with pytest.raises(LocationError, match=r"There is no file or folder .*/missing\.") as caught:
            act()
        assert caught.value.hint
    with pytest.raises(LocationError, match="No file matches"):
        folder.child("*.csv").files()
    with pytest.raises(LocationError, match="has no files in it"):
        folder.files()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(LocationError, match=r"There is no file or folder .*/dangling"):
        folder.files()
    assert missing.names() == []
    missing.remove()


def test_a_file_in_the_way_of_a_folder_and_the_reverse(folder: Location, tmp_path: Path) -> None:
    folder.child("file").put(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LocationError, match="a file is where a folder must be"):
        folder.child("file", "below").put(b"")
    with pytest.raises(LocationError, match=r"Cannot write .*/folder: it is a folder"):
        folder.child("folder").put(b"")
    with pytest.raises(LocationError, match=r"Cannot read .*/folder: it is a folder"):
        folder.child("folder").read()
    assert folder.names() == ["file", "folder"]


def test_rename_and_remove(folder: Location) -> None:
    for name in ("x/1", "x/y/2", "z"):
        folder.child(*name.split("/")).put(name.encode())
    folder.child("z").rename(folder.child("new", "z"))
    assert folder.child("new", "z").read() == b"z"
    folder.child("x").remove()
    folder.child("new", "z").remove()
    assert (folder.names(), folder.child("new").names()) == (["new"], [])


def test_nothing_is_to_be_seen_of_a_file_before_it_is_whole(folder: Location) -> None:
    place = folder.child("file")
    with place.writer() as file:
        file.write(bytes(1_000_000))
        file.flush()
        assert not place.exists()
    assert len(place.read()) == 1_000_000

    with pytest.raises(KeyError), place.writer() as file:
        file.write(b"half")
        raise KeyError
    assert (len(place.read()), folder.names()) == (1_000_000, ["file"])


def test_a_killed_writer_leaves_nothing_that_is_read(folder: Location) -> None:
    folder.child("whole").put(b"")
    script = (
        "import os, sys\n"
        "from scorewright.service.batch.location import Location\n"
        "with Location.of(sys.argv[1]).child('half').writer() as file:\n"
        "    file.write(bytes(1_000_000))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, folder.url], check=False).returncode == -9
    assert [file.relative for file in folder.files()] == ["whole"]


def test_files_up_and_down(folder: Location, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(content := os.urandom(3_000_000))
    folder.child("file").upload(tmp_path / "up")
    folder.child("file").download(tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == content


def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_000))
    with mounted(tmp_path / "small", "256k"):
        folder = Location.of(str(tmp_path / "small"))
        place = folder.child("file")
        place.put(b"old")
        with pytest.raises(LocationError, match=r"No space left to write .*/small/file\.") as caught:
            place.put(bytes(1_000_000))
        assert "Make room" in caught.value.hint
        with pytest.raises(LocationError, match="No space left"), folder.child("pieces").writer() as file:
            for _ in range(100):
                file.write(bytes(10_000))
        with pytest.raises(LocationError, match="No space left"):
            folder.child("up").upload(tmp_path / "large")
        assert (folder.names(), place.read()) == (["file"], b"old")


def test_a_read_only_file_system(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "1m"):
        folder = Location.of(str(tmp_path / "small"))
        folder.child("file").put(b"1")
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "small"], check=True)
        acts: list[Callable[[], object]] = [
            lambda: folder.child("file").put(b"2"),
            lambda: folder.child("new", "file").put(b"2"),
            folder.child("file").remove,
            lambda: folder.child("file").rename(folder.child("other")),
        ]
        for act in acts:
            with pytest.raises(LocationError, match="its file system is read-only"):
                act()
        assert folder.child("file").read() == b"1"


def test_without_permission(folder: Location, tmp_path: Path) -> None:
    folder.child("file").put(b"1")
    tmp_path.chmod(0)
    if os.getuid() == 0:  # whom nothing stops
        os.seteuid(65534)
    try:
        for act, doing in [(folder.child("file").read, "read"), (lambda: folder.child("new").put(b""), "write")]:
            with pytest.raises(LocationError, match=f"No permission to {doing} "):
                act()
    finally:
        os.seteuid(os.getuid())
        tmp_path.chmod(0o700)


@given(st.text(min_size=1, max_size=20))
def test_every_name_is_a_child_or_refused(name: str) -> None:
    folder = Location.of("/data")
    try:
        child = folder.child(name)
    except UsageError:
        assert name in (".", "..") or "/" in name or "\0" in name
    else:
        assert child.local is not None
        assert child.local.parent == folder.local
        assert Location.of(child.url) == child
