"""What `convert` says of entities that end inside a token: how many `--punctuation` would place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipelines import make_text
from samples import Run, docs_in

from spacy_bispn.cli import docfiles
from spacy_bispn.cli.docfiles import DocFiles
from spacy_bispn.cli.sources import make_tokenizer
from spacy_bispn.converters.formats.jsonl import write_jsonl
from spacy_bispn.records import AnnotatedText

# spaCy makes one token of "Mn=1" and of "Zn_Cu", and two of "10km", which no punctuation divides
SYMBOLS = make_text("Mn=1 and Zn_Cu .", [("Mn", "X"), ("1", "N"), ("Zn", "X")], [(0, 1, "is"), (0, 2, "by")])
LETTERS = make_text("Heat for 10km now.", [("10", "N"), ("now", "T")], [(0, 1, "at")])
INSIDE = make_text("An abc here.", [("bc", "X"), ("An", "Y")], [(0, 1, "of")])


def convert(
    run: Run, folder: Path, texts: list[AnnotatedText], *options: object
) -> tuple[str, dict[str, int]]:
    """What the command says, and what it reports."""
    write_jsonl(folder / "in.jsonl", texts)
    result = run(
        "convert", folder / "in.jsonl", folder / "out.spacy", "--report", folder / "r.json", *options
    )
    said = json.loads((folder / "r.json").read_text("utf8"))
    return " ".join(result.output.split()), said


@pytest.mark.parametrize(
    ("texts", "lost", "left"),
    [
        ([SYMBOLS], (3, 2), (0, 0)),
        ([SYMBOLS, INSIDE], (4, 3), (1, 1)),
        ([SYMBOLS, LETTERS], (3, 2), (1, 1)),  # what it gains, less what it loses
    ],
)
def test_the_remedy_is_named_with_what_it_would_save(
    run: Run, tmp_path: Path, texts: list[AnnotatedText], lost: tuple[int, int], left: tuple[int, int]
) -> None:
    output, said = convert(run, tmp_path, texts)
    assert (said["unplaced_entities"], said["unplaced_relations"]) == lost
    assert said["punctuation_gains"] == {"entities": lost[0] - left[0], "relations": lost[1] - left[1]}
    assert (
        f"with --punctuation, {left[0]} entities and {left[1]} relations would be left out instead of "
        f"{lost[0]} and {lost[1]}: convert again with it" in output
    )
    output, said = convert(run, tmp_path, texts, "--punctuation")
    assert (said["unplaced_entities"], said["unplaced_relations"]) == left
    assert "would be left out" not in output
    assert len(docs_in(tmp_path / "out.spacy")) == len(texts)


def test_of_many_lines_it_is_said_that_there_are_more(run: Run, tmp_path: Path) -> None:
    output, said = convert(run, tmp_path, [SYMBOLS] * 3)
    assert len(said["unplaced"]) == 15
    assert "10 more problems: --report FILE lists all of them" in output


@pytest.mark.parametrize("texts", [[INSIDE], [INSIDE, LETTERS], [make_text("Go now.", [("Go", "X")], [])]])
def test_no_remedy_is_named_that_would_save_nothing(
    run: Run, tmp_path: Path, texts: list[AnnotatedText]
) -> None:
    output, said = convert(run, tmp_path, texts)
    assert "--punctuation" not in output
    assert sum(said["punctuation_gains"].values()) <= 0  # less than nothing where it parts fewer words


def test_the_files_of_a_folder_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docfiles, "CHARACTERS", 5)
    other = make_tokenizer("en", punctuation=True)
    with DocFiles(make_tokenizer("en"), tmp_path / "corpus", other) as made:
        for text in (SYMBOLS, INSIDE, SYMBOLS):
            made.add(text)
    assert made.gained == {"entities": 6, "relations": 4}
    assert made.held == {"entities": 1}


def test_texts_with_tokens_of_their_own_gain_nothing(tmp_path: Path) -> None:
    own = AnnotatedText("a", SYMBOLS.text, SYMBOLS.extraction, tuple(SYMBOLS.text.split()))
    with DocFiles(make_tokenizer("en"), tmp_path / "a.spacy", make_tokenizer("en", punctuation=True)) as made:
        made.add(own)
    assert len(made.problems) == 5 and made.gained.total() == 0


def test_most_of_the_published_mentions_inside_tokens_can_be_placed(
    run: Run, tmp_path: Path, corpora: Path
) -> None:
    out, report = tmp_path / "out.spacy", tmp_path / "report.json"
    result = run("convert", corpora / "brat" / "data", out, "--report", report)
    said = json.loads(report.read_text("utf8"))
    assert said["unplaced_entities"] == 64 and said["punctuation_gains"]["entities"] == 64 - 7
    assert "with --punctuation, 7 entities" in " ".join(result.output.split())
