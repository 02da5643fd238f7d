"""What is written is whole, whenever the writer is stopped."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spacy_bispn.files import replace_folder, save


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond so many bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signalled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signalled)


@pytest.mark.parametrize("content", ["Größe\n", "Größe\n".encode(), b""])
def test_writes_text_and_bytes_into_new_folders(content: str | bytes, tmp_path: Path) -> None:
    save(tmp_path / "a" / "b" / "file", content)
    expected = content if isinstance(content, bytes) else content.encode()
    assert (tmp_path / "a" / "b" / "file").read_bytes() == expected
    assert os.listdir(tmp_path / "a" / "b") == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    save(tmp_path / "file", b"old")
    with room_for(1000), pytest.raises(OSError) as error:
        save(tmp_path / "file", bytes(5000))
    message = str(error.value)
    assert "could not write 5000 bytes" in message and str(tmp_path / "file") in message
    assert "expected room for them" in message and "free space or name another place" in message
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_place_that_is_no_folder_says_so(tmp_path: Path) -> None:
    save(tmp_path / "file", b"old")
    with pytest.raises(OSError, match=r"expected room for them in a folder.*another place"):
        save(tmp_path / "file" / "inside", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def write_for_ever(path: Path, contents: list[bytes]) -> None:
    while True:
        for content in contents:
            save(path, content)


def test_a_killed_writer_leaves_one_content_or_the_other(tmp_path: Path) -> None:
    contents = [b"a" * 300_000, b"b" * 500_000]
    save(tmp_path / "file", contents[0])
    rng, found = random.Random(0), set()
    for kills in itertools.count(1):
        fork = multiprocessing.get_context("fork")
        writer = fork.Process(target=write_for_ever, args=(tmp_path / "file", contents))
        writer.start()
        time.sleep(rng.uniform(0.002, 0.03))
        writer.kill()
        writer.join()
        found.add((tmp_path / "file").read_bytes())
        if (
            kills >= 40 and len(found) > 1
        ) or kills == 400:  # a busy machine may kill before anything is written
            break
    assert found == set(contents)  # both were seen, and nothing else


def test_a_finished_folder_replaces_another(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "model").write_text(content)
        replace_folder(tmp_path / "new", tmp_path / "there")
        assert (tmp_path / "there" / "model").read_text() == content
        assert [path.name for path in tmp_path.iterdir()] == ["there"]
