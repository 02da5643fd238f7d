"""`spacy bispn demo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import Run

from spacy_bispn.converters.formats.jsonl import read_jsonl
from spacy_bispn.demo.corpus import SIZES


def test_demo_writes_every_split(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spacy_bispn.demo.corpus.SIZES", dict.fromkeys(SIZES, 3))
    run("demo", tmp_path / "new", "--seed", 5)
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(SIZES)
    assert read_jsonl(tmp_path / "new" / "train.jsonl").report.texts > 0
