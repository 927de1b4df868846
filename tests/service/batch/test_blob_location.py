"""Blobs, on Azurite: what is read, what is committed, and what is said when something is wrong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from scorewright.errors import LocationError, UsageError
from scorewright.service.batch import blob_client
from scorewright.service.batch.cut import cut, read
from scorewright.service.batch.location import Location
from tests.service.batch.azurite import ACCOUNT, KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.batch.azurite import Azurite, Line

pytestmark = pytest.mark.azurite


@pytest.fixture
def folder(azurite: Azurite) -> Location:
    """A folder in a container of the test's own."""
    return Location.of(f"abfs://{azurite.container(f'c{uuid4().hex}')}@{ACCOUNT}/some/folder")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        blob_client, "PATIENCE", {"initial_backoff": 0, "increment_base": 0, "retry_total": 3, "random_jitter_range": 0}
    )


def test_what_is_put_is_read(folder: Location) -> None:
    place = folder.child("deep", "a b#c%20.csv")
    place.put(b"0123456789")

    assert place.read() == b"0123456789"
    assert place.read_range(3, 6) == b"345"
    assert place.read_range(8, 20) == b"89"
    assert place.read_range(20, 30) == place.read_range(4, 4) == b""
    with place.open() as file:
        assert (file.read(2), file.seek(-2, os.SEEK_END), file.read(), file.seek(1), file.read(1)) == (
            b"01",
            8,
            b"89",
            1,
            b"1",
        )
    assert place.exists()
    assert folder.exists()
    assert not folder.child("deeper").exists()
    assert not place.is_local


def test_the_files_of_a_folder_a_blob_and_a_pattern(folder: Location) -> None:
    for name in ("b.csv", "a.csv", "sub/c.csv", "sub/d.txt", "_hidden/e.csv", "sub/.f.csv", "ax/g.csv"):
        folder.child(*name.split("/")).put(name.encode())

    def relative(url: str) -> list[str]:
        return [file.relative for file in Location.of(url).files()]

    assert relative(folder.url) == ["a.csv", "ax/g.csv", "b.csv", "sub/c.csv", "sub/d.txt"]
    assert relative(f"{folder.url}/b.csv") == ["b.csv"]
    assert relative(f"{folder.url}/*.csv") == ["a.csv", "b.csv"]
    assert relative(f"{folder.url}/**/*.csv") == ["a.csv", "ax/g.csv", "b.csv", "sub/c.csv"]
    assert relative(f"{folder.url}/[ab].csv") == ["a.csv", "b.csv"]
    assert relative(f"{folder.url}/?.csv") == ["a.csv", "b.csv"]
    assert relative(f"{folder.url}/a*") == ["a.csv", "ax/g.csv"]
    (file,) = Location.of(f"{folder.url}/sub/c.csv").files()
    assert (file.size, Location.of(file.url).read()) == (9, b"sub/c.csv")
    folder.child("sub", "c.csv").put(b"sub/C.csv")
    assert Location.of(file.url).files()[0].tag != file.tag


def test_what_is_not_there(folder: Location, azurite: Azurite) -> None:
    azurite.container(empty := f"c{uuid4().hex}")
    for url, words in [
        (f"abfs://no-such@{ACCOUNT}/a.csv", "There is no container no-such"),
        (f"abfs://no-such@{ACCOUNT}", "There is no container no-such"),
        (f"abfs://no-such@{ACCOUNT}/*.csv", "There is no container no-such"),
        (f"abfs://{empty}@{ACCOUNT}", "has no files in it"),
        (f"{folder.url}/a.csv", "There is no blob or folder"),
        (f"{folder.url}/*.csv", "No blob matches"),
    ]:
        with pytest.raises(LocationError, match=words) as caught:
            Location.of(url).files()
        assert caught.value.hint
    folder.child("_all", "hidden.csv").put(b"")
    with pytest.raises(LocationError, match="has no files in it"):
        folder.files()
    missing = Location.of(f"abfs://no-such@{ACCOUNT}/a.csv")
    for act in (missing.read, missing.open, lambda: missing.put(b""), lambda: missing.read_range(1, 2)):
        with pytest.raises(LocationError, match="There is no container no-such"):
            act()
    for act in (folder.read, folder.open):
        with pytest.raises(LocationError, match=r"There is no blob .*some/folder"):
            act()
    assert folder.child("nothing").names() == []
    folder.child("nothing").remove()


def test_names_rename_remove(folder: Location) -> None:
    for name in ("x/1", "x/_2", "y"):
        folder.child(*name.split("/")).put(name.encode())
    assert folder.names() == ["x", "y"]
    assert folder.child("x").names() == ["1", "_2"]

    folder.child("y").rename(folder.child("z"))
    assert (folder.names(), folder.child("z").read()) == (["x", "z"], b"y")

    folder.child("x").remove()
    folder.child("z").remove()
    assert folder.names() == []


def test_a_blob_in_pieces_is_there_when_it_is_whole(folder: Location) -> None:
    place = folder.child("large.bin")
    content = os.urandom(9_500_000)
    with place.writer() as file:
        for start in range(0, len(content), 700_000):
            file.write(content[start : start + 700_000])
        assert not place.exists()
    assert place.read() == content

    with pytest.raises(KeyError), place.writer() as file:  # the old one stays
        file.write(bytes(9_000_000))
        raise KeyError
    assert place.read() == content

    with folder.child("empty").writer():
        pass
    assert folder.child("empty").read() == b""


def test_files_up_and_down(folder: Location, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(content := os.urandom(9_000_000))
    folder.child("file").upload(tmp_path / "up")
    folder.child("file").download(tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == content
    with pytest.raises(LocationError, match="There is no blob"):
        folder.child("none").download(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["down", "up"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("key", ["d3Jvbmc=", "not base64!"])
def test_a_wrong_key(folder: Location, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string(key=key))
    for act in (folder.files, folder.read, folder.open, folder.exists, lambda: folder.put(b""), folder.remove):
        with pytest.raises(LocationError, match=r"Cannot|No permission") as caught:
            act()
        assert key not in f"{caught.value}{caught.value.hint}"
        assert "AZURE_STORAGE_" in caught.value.hint


def test_a_signature_that_may_only_read(folder: Location, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.child("a").put(b"1")
    container = folder.url.partition("://")[2].partition("@")[0]
    signature = generate_container_sas(
        ACCOUNT,
        container,
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry="2099-01-01",
    )
    endpoint = f"BlobEndpoint=http://127.0.0.1:{azurite.port}/{ACCOUNT};SharedAccessSignature={signature}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", endpoint)
    blob_client.forget()

    assert [Location.of(file.url).read() for file in folder.files()] == [b"1"]
    with pytest.raises(LocationError, match=r"No permission to write .*/b: Azure Storage answers \w+") as caught:
        folder.child("b").put(b"2")
    assert "sig=" not in f"{caught.value}{caught.value.hint}"


def test_the_credentials_of_another_account_are_not_used(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(LocationError, match="no credentials for Azure were found") as caught:
        Location.of("abfs://data@another/x.csv").read()
    assert "az login" in caught.value.hint


def test_no_account_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    blob_client.forget()
    with pytest.raises(UsageError, match="not said which storage account"):
        Location.of("abfs://data/x.csv").read()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("given", ["nonsense", "AccountName=a;b", "BlobEndpoint=http://127.0.0.1:1/a"])
def test_a_connection_string_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", given)
    blob_client.forget()
    with pytest.raises(LocationError):
        Location.of("abfs://data/x.csv").read()


@pytest.mark.parametrize(("after", "times"), [(100_000, 2), (2_000_000, 1)])
def test_a_read_goes_on_where_the_line_was_cut(folder: Location, line: Line, after: int, times: int) -> None:
    content = os.urandom(9_000_000)
    place = folder.child("file")
    place.put(content)

    line.cut("down", after=after, times=times)
    assert place.read() == content
    assert line.cuts == times

    line.cut("down", after=100_000, times=1)
    with place.open() as file:
        assert b"".join(iter(lambda: file.read(1_000_000), b"")) == content
    assert line.cuts == times + 1


def test_a_line_that_is_cut_again_and_again(folder: Location, line: Line) -> None:
    place = folder.child("file")
    place.put(os.urandom(3_000_000))
    line.cut("down", after=100_000, times=1000)

    with pytest.raises(LocationError, match=r"Cannot read abfs.*: the connection is cut again and again") as caught:
        place.read()
    assert "network" in caught.value.hint


@pytest.mark.usefixtures("impatient")
def test_an_upload_that_is_cut_is_done_again_or_not_to_be_seen(folder: Location, line: Line) -> None:
    place, content = folder.child("file"), os.urandom(9_000_000)
    line.cut("up", after=2_000_000, times=1)
    place.put(content)
    assert (place.read(), line.cuts) == (content, 1)

    line.cut("up", after=2_000_000, times=1)
    with folder.child("pieces").writer() as file:
        file.write(content)
    assert (folder.child("pieces").read(), line.cuts) == (content, 2)

    line.cut("up", after=2_000_000, times=1000)
    with pytest.raises(LocationError, match="Cannot write"):
        folder.child("cut").put(content)
    with pytest.raises(LocationError, match="Cannot write"), folder.child("cut").writer() as file:
        file.write(content[:5_000_000])
        file.write(content)
    line.cut("up", after=0, times=0)
    assert not folder.child("cut").exists()


@pytest.mark.usefixtures("impatient")
def test_a_busy_server_is_asked_again(folder: Location, line: Line) -> None:
    line.busy(2)
    folder.child("file").put(b"1")
    assert line.refusals == 2

    line.busy(1000)
    blob_client.forget()
    with pytest.raises(LocationError, match=r"Azure Storage answers 503 \(ServerBusy\)"):
        folder.child("file").read()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_to_be_reached(folder: Location, line: Line) -> None:
    line.close()
    with pytest.raises(LocationError, match="its storage account is not to be reached"):
        folder.child("file").read()


def test_slices_of_blobs_fetch_what_they_need(folder: Location) -> None:
    frame = pd.DataFrame({"x": np.arange(200_000), "y": np.arange(200_000) * 0.5})
    folder.child("table.csv").put(frame.to_csv(index=False).encode())
    with folder.child("table.parquet").writer() as made:
        frame.to_parquet(made, row_group_size=50_000)
    for file in folder.files():
        found = list(cut(file, rows=70_000, header="always"))
        load = pd.read_csv if file.relative.endswith(".csv") else pd.read_parquet
        back = pd.concat([load(read(piece)) for piece in found], ignore_index=True)
        pd.testing.assert_frame_equal(back, frame)


def test_a_parquet_blob_whose_line_is_cut_for_good(folder: Location, line: Line) -> None:
    frame = pd.DataFrame({f"c{place}": np.random.default_rng(place).normal(size=300_000) for place in range(3)})
    with folder.child("table.parquet").writer() as file:
        frame.to_parquet(file)
    (piece,) = cut(folder.files()[0], rows=300_000, header="always")
    line.cut("down", after=300_000, times=1000)

    with pytest.raises(LocationError, match="the connection is cut again and again"):
        read(piece)


def read_there(place: Location) -> bytes:
    return place.read()


def test_from_threads_and_other_processes(folder: Location) -> None:
    place = folder.child("file")
    place.put(content := os.urandom(5_000_000))

    assert pickle.loads(pickle.dumps(place)) == place
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: place.read() == content, range(16))) == [True] * 16
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert list(processes.map(read_there, [place] * 4)) == [content] * 4


def test_a_forked_child_connects_by_itself(folder: Location) -> None:
    place = folder.child("file")
    place.put(b"content")
    script = (
        "import os, sys\n"
        "from scorewright.service.batch.location import Location\n"
        "place = Location.of(sys.argv[1])\n"
        "assert place.read() == b'content'\n"
        "child = os.fork()\n"
        "if not child: os._exit(place.read() != b'content')\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, place.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
