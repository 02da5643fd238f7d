"""A training takes the place of an earlier one when it has come to its end, and not before."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import folders  # noqa: F401, which makes the scripts modules
import pytest
from train import exchange, train


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "model").write_text(content)
    return path


def test_a_finished_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for content in ("first", "second"):
        exchange(folder(tmp_path / "new", content), tmp_path / "there")
        assert (tmp_path / "there" / "model").read_text() == content
        assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("killed", [True, False])
def test_a_training_that_is_killed_leaves_the_earlier_one(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = folder(tmp_path / "demo", "earlier")
    folder(tmp_path / "demo.part", "of a training that was killed before")

    def spacy_train(command: list[str], check: bool) -> Any:
        output = Path(command[command.index("--output") + 1])
        folder(output, "half" if killed else "whole")
        assert command[command.index("--training.logger.output_file") + 1].startswith(str(output))
        if killed:
            raise subprocess.CalledProcessError(-9, command)

    monkeypatch.setattr(subprocess, "run", spacy_train)
    if killed:
        with pytest.raises(subprocess.CalledProcessError):
            train("demo.cfg", tmp_path, "", "-1", there)
    else:
        train("demo.cfg", tmp_path, "", "-1", there)
    assert (there / "model").read_text() == ("earlier" if killed else "whole")
