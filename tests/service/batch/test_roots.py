"""Where jobs may read and write: whatever a location looks like, what it leads to is inside."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.errors import ForbiddenLocationError, LocationError, UsageError
from scorewright.service.batch.roots import Roots


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Two roots with files, links out and in, the jobs' own files, and a secret beside them."""
    return laid_out(tmp_path)


def laid_out(folder: Path) -> Roots:
    data, more = folder / "data", folder / "more"
    (data / "in" / "deep").mkdir(parents=True)
    (data / ".jobs").mkdir()
    more.mkdir()
    (folder / "secret").mkdir()
    for file in (data / "in" / "a.csv", data / "jobs.sqlite", folder / "secret" / "key", more / "b.csv"):
        file.touch()
    (data / "out-link").symlink_to(folder / "secret")
    (data / "in" / "file-link").symlink_to(folder / "secret" / "key")
    (data / "back-link").symlink_to(more)
    (data / "database-link").symlink_to(data / "jobs.sqlite")
    (data / "loop").symlink_to(data / "loop")
    return Roots.of(data, f"{more}, abfs://results@account1/jobs")


def permitted(roots: Roots, path: str) -> bool:
    try:
        roots.check(path)
    except LocationError:
        return False
    return True


def test_relative_locations_are_in_the_data_folder(roots: Roots) -> None:
    assert roots.input("in") == str(roots.data / "in")
    assert roots.input("./in//a.csv") == str(roots.data / "in/a.csv")
    assert roots.output("new/er") == str(roots.data / "new/er")


def test_absolute_locations_and_files_urls_are_taken_inside_a_root(roots: Roots) -> None:
    more = roots.further[0]
    assert roots.input(f"{more}/b.csv") == f"{more}/b.csv"
    assert roots.output(more) == more
    assert roots.input(f"file://{more}/b.csv") == f"{more}/b.csv"
    assert roots.input(f"FILE://localhost{more}/b%2Ecsv") == f"{more}/b.csv"
    assert roots.input("back-link/b.csv") == f"{more}/b.csv"


@pytest.mark.parametrize(
    "given",
    [
        "..",
        "in/../../secret/key",
        "in/../in",
        "/etc/passwd",
        "/",
        "out-link/key",
        "in/file-link",
        "file:///etc/passwd",
        "file://DATA/in/%2e%2e/%2e%2e/secret/key",
        "file://elsewhere/etc/passwd",
        "file://DATA/in%00",
        "out-link/*.csv",
        "in/*/../../../secret/*",
        "../*",
        "/etc/pass*",
        "s3://bucket/key",
        "http://example.com/a.csv",
        "memory://a",
        "abfs://results@account1/other/a.csv",
        "abfs://results@account1/jobsandmore/a.csv",
        "abfs://results@account2/jobs/a.csv",
        "abfs://results/jobs/a.csv",
        "abfs://other@account1/jobs/a.csv",
        "abfs://results@account1/jobs/%2e%2e/a.csv",
        "abfs://results@account1/jobs/..\\a.csv",
    ],
)
def test_what_is_outside_is_refused(given: str, roots: Roots) -> None:
    given = given.replace("DATA", str(roots.data))
    with pytest.raises(ForbiddenLocationError, match="is not within"):
        roots.input(given)
    with pytest.raises(LocationError):
        roots.output(given)
    assert not permitted(roots, given)


def test_a_sibling_with_the_roots_name_at_its_beginning_is_outside(roots: Roots) -> None:
    with pytest.raises(ForbiddenLocationError):
        roots.input(f"{roots.data}-backup/a.csv")


@pytest.mark.parametrize("given", ["", "a\0b", "a\nb", "\ud800", "x" * 5000, "abfs://results@account1/jobs/../a.csv"])
def test_what_is_no_location_is_refused(given: str, roots: Roots) -> None:
    with pytest.raises(LocationError):
        roots.input(given)
    assert not permitted(roots, given)


def test_an_output_is_no_pattern(roots: Roots) -> None:
    with pytest.raises(LocationError, match="cannot have any of"):
        roots.output("out/*")


@pytest.mark.parametrize("given", [".", "", "jobs.sqlite", "jobs.sqlite-wal", ".jobs", ".jobs/x", "database-link"])
def test_the_jobs_own_files_are_nobody_elses(given: str, roots: Roots) -> None:
    path = f"{roots.data}/{given}"
    for judge in (roots.input, roots.output):
        with pytest.raises(ForbiddenLocationError, match="the jobs' own files"):
            judge(path)
    assert not permitted(roots, path)


def test_a_folder_above_the_data_folder_is_no_output(tmp_path: Path) -> None:
    roots = Roots.of(tmp_path / "a/data", str(tmp_path))
    with pytest.raises(ForbiddenLocationError, match="the jobs' own files"):
        roots.output(str(tmp_path / "a"))


def test_of_a_pattern_each_match_is_judged(roots: Roots) -> None:
    assert roots.input("in/*") == str(roots.data / "in/*")
    assert permitted(roots, str(roots.data / "in/a.csv"))
    assert not permitted(roots, str(roots.data / "in/file-link"))
    assert roots.input("*") == str(roots.data / "*")
    assert not permitted(roots, str(roots.data / "jobs.sqlite"))


def test_blobs_below_a_prefix_are_inside_however_they_are_written(roots: Roots) -> None:
    for written in ("abfs://results@account1/jobs/a.csv", "az://results@account1.blob.core.windows.net/jobs/a.csv"):
        assert roots.input(written) == "abfs://results@account1.dfs.core.windows.net/jobs/a.csv"
        assert permitted(roots, written)
    assert roots.output("abfss://results@account1/jobs") == "abfs://results@account1.dfs.core.windows.net/jobs"


@pytest.mark.parametrize("listed", ["s3://bucket", "http://x", "abfs://", "abfs://a@b@c/d"])
def test_a_root_that_is_none_is_refused(listed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Roots.of(tmp_path, listed)


def test_roots_need_not_exist(tmp_path: Path) -> None:
    assert Roots.of(tmp_path / "later", " , ").output("out") == str(tmp_path / "later/out")


STEPS = st.sampled_from(
    ["in", "deep", "a.csv", "out-link", "file-link", "back-link", "loop", "..", ".", "", "new", "*", "%2e%2e", "secret"]
)


@given(
    start=st.sampled_from(["", "/", "DATA/", "MORE/", "file://DATA/", "file:///", "file://localhostMORE/"]),
    steps=st.lists(STEPS, max_size=6),
    extra=st.text(max_size=4),
)
def test_what_is_taken_leads_inside(start: str, steps: list[str], extra: str) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        roots = laid_out(root)
        start = start.replace("DATA", str(roots.data)).replace("MORE", roots.further[0])
        location = start + "/".join([*steps, extra])
        inside = (f"{root}/data/", f"{root}/more/")
        for judge in (roots.input, roots.output):
            try:
                found = judge(location)
            except LocationError:
                continue
            fixed = found.partition("*")[0].partition("?")[0].partition("[")[0]
            assert f"{os.path.realpath(fixed)}/".startswith(inside)
            assert "/../" not in f"{found}/"
        if permitted(roots, location):
            path = location.removeprefix("file://localhost").removeprefix("file://")
            assert f"{os.path.realpath(roots.data / path)}/".startswith(inside) or "%" in path
