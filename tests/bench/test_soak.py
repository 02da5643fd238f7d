"""The soak: a few seconds of it, and that it stops at the first violation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import srsly
from pytest import MonkeyPatch
from spacy.tokens import Doc
from typer import Typer
from typer.testing import CliRunner

from spacy_bispn import annotations
from spacy_bispn.annotations import KEY
from spacy_bispn.bench import soak
from spacy_bispn.bench.invariants import Violation
from spacy_bispn.bench.soak import Soak, begin, check_resources, main, open_files, resident, use
from spacy_bispn.component import BiSPN
from spacy_bispn.records import Extraction

APP = Typer()
APP.command()(main)


def used(memory: Sequence[float | None], handles: Sequence[int | None]) -> Soak:
    """A soak after some rounds; its pipeline is not used."""
    return Soak(None, [], None, resident=list(memory), handles=list(handles))  # type: ignore[arg-type]


def test_flat_memory_and_the_same_open_files() -> None:
    figures = check_resources(used([90.0] * 5 + [100.0, 101.0, 99.0] * 5, [9] * 5 + [7] * 15))
    assert figures["resident first"] == 100.5 and figures["resident last"] == 100.0
    assert figures["handles first"] == figures["handles last"] == 7


def test_the_warm_up_may_grow() -> None:
    assert (
        check_resources(used([10.0 * number for number in range(5)] + [50.0] * 15, [5] * 20))["growth"] == 0
    )


def test_memory_that_grows_is_a_violation() -> None:
    with pytest.raises(Violation, match=r"from 105\.5 to 118\.5 MB in 20 rounds, expected at most 5% more"):
        check_resources(used([100.0 + number for number in range(20)], [5] * 20))


def test_a_file_that_stays_open_is_a_violation() -> None:
    with pytest.raises(Violation, match=r"6 files are open, expected 5 as after the warm-up: something"):
        check_resources(used([100.0] * 20, [5] * 19 + [6]))


def test_resident_memory_is_what_the_system_says() -> None:
    assert resident() == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.02)


def test_what_a_system_does_not_tell_is_unknown(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    figures = check_resources(used([None] * 20, [None] * 20))
    assert figures == dict.fromkeys(
        ("resident first", "resident last", "growth", "handles first", "handles last")
    )
    for name in ("STATM", "HANDLES"):
        monkeypatch.setattr(soak, name, tmp_path / "none")
    monkeypatch.setattr(soak, "peak_memory", dict)
    assert resident() is None and open_files() is None


def test_a_file_counts_while_it_is_open(tmp_path: Path) -> None:
    before = open_files()
    with (tmp_path / "file").open("w"):
        assert open_files() == before + 1
    assert open_files() == before


@pytest.fixture(scope="module")
def begun() -> Soak:
    return begin(0)


@pytest.mark.slow
def test_a_few_seconds(begun: Soak, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "FEWEST", 12)
    before = begun.nlp
    use(begun, 0.0)
    counts = begun.counts
    assert counts["rounds"] == 12
    assert (counts["updates"], counts["through disk"], counts["through bytes"]) == (4, 2, 2)
    assert counts["texts"] >= 12 and counts["entities"] > 0 and counts["relations"] > 0
    assert begun.nlp is not before
    assert len(begun.resident) == len(begun.handles) == 12


def doubled(write: Any) -> Any:
    """Scores that are twice what they should be."""

    def wrong(self: BiSPN, docs: list[Doc], extractions: Any) -> None:
        write(self, docs, extractions)
        for doc in docs:
            doc.spans[KEY].attrs["scores"] = [2.0 for _ in doc.spans[KEY]]

    return wrong


def forgetful(write: Any) -> Any:
    """Nothing on the last Doc of a batch, if it is not alone."""

    def wrong(self: BiSPN, docs: list[Doc], extractions: Any) -> None:
        write(self, docs, extractions)
        if len(docs) > 1:
            annotations.write(docs[-1], Extraction())

    return wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "words"), [(doubled, "the score 2.0, expected"), (forgetful, "as score of Entity(")]
)
def test_a_violation_ends_the_soak_with_1(
    begun: Soak, monkeypatch: MonkeyPatch, wrong: Any, words: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(soak, "begin", lambda seed: begun)
    monkeypatch.setattr(BiSPN, "set_annotations", wrong(BiSPN.set_annotations))
    result = CliRunner().invoke(APP, ["--minutes", "0.2", "--output", str(tmp_path / "soak.json")])
    assert result.exit_code == 1
    assert "Failed after" in result.output and words in " ".join(result.output.split())
    assert not (tmp_path / "soak.json").exists()


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_json(
    begun: Soak, monkeypatch: MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(soak, "begin", lambda seed: begun)
    monkeypatch.setattr(
        soak, "check_resources", lambda soak: {**soak.counts, "growth": 0.0, "handles last": None}
    )
    output = tmp_path / "folder" / "soak.json"
    result = CliRunner().invoke(APP, ["--minutes", "0", "--seed", "3", "--output", str(output)])
    assert result.exit_code == 0 and "All predictions passed the checks" in result.output
    said = " ".join(result.output.split())
    assert "does not tell open files" in said and "does not tell memory" not in said
    figures = srsly.read_json(output)
    assert figures["seed"] == 3 and figures["rounds"] >= 20 and figures["through disk"] > 0
