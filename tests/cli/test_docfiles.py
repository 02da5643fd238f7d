"""`.spacy` files that are made text by text: one, or a folder of them that is there when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from pipelines import demo_texts
from samples import docs_in

from spacy_bispn.annotations import read
from spacy_bispn.cli import docfiles
from spacy_bispn.cli.docfiles import DocFiles
from spacy_bispn.corpus import to_docbin
from spacy_bispn.corpus_reader import create_reader

TEXTS = demo_texts(20)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a folder are full after a few sentences."""
    monkeypatch.setattr(docfiles, "CHARACTERS", 300)


@pytest.mark.usefixtures("small")
def test_a_folder_gets_as_many_files_as_it_takes(tmp_path: Path) -> None:
    with DocFiles(spacy.blank("en"), tmp_path / "new" / "corpus") as made:
        for text in TEXTS:
            made.add(text)
    files = sorted((tmp_path / "new" / "corpus").iterdir())
    assert [file.name for file in files[:2]] == ["00001.spacy", "00002.spacy"] and len(files) > 3
    for file in files[:-1]:
        sizes = [len(doc.text) for doc in docs_in(file)]
        assert sum(sizes[:-1]) < 300 <= sum(sizes)
    assert (made.docs, made.problems) == (20, [])
    assert sorted(tmp_path.rglob("*.part")) == []


@pytest.mark.usefixtures("small")
def test_the_files_of_a_folder_say_what_one_file_says(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    # two at once, as where a share is held out
    with DocFiles(nlp, tmp_path / "corpus") as several, DocFiles(nlp, tmp_path / "one.spacy") as one:
        for text in TEXTS:
            several.add(text)
            one.add(text)
    to_docbin(spacy.blank("en"), TEXTS)[0].to_disk(tmp_path / "at_once.spacy")
    found = [
        [(eg.reference.text, read(eg.reference)) for eg in create_reader(tmp_path / name)(spacy.blank("en"))]
        for name in ("corpus", "one.spacy", "at_once.spacy")
    ]
    assert found[0] == found[1] == found[2] and len(found[0]) == 20


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["corpus", "one.spacy"])
def test_an_error_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt), DocFiles(spacy.blank("en"), tmp_path / name) as made:
        for text in TEXTS:
            made.add(text)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_a_similar_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "corpus.part").mkdir()
    (tmp_path / "corpus.part" / "thesis.txt").write_bytes(b"mine")
    (tmp_path / "corpus").mkdir()  # an empty folder may be there
    with DocFiles(spacy.blank("en"), tmp_path / "corpus") as made:
        made.add(TEXTS[0])
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["corpus.part/thesis.txt", "corpus/00001.spacy"]
    assert (tmp_path / "corpus").stat().st_mode == (tmp_path / "corpus.part").stat().st_mode


def test_of_two_neither_is_there_before_both_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nlp = spacy.blank("en")
    with (
        pytest.raises(OSError, match="no room"),
        DocFiles(nlp, tmp_path / "train.spacy") as train,
        DocFiles(nlp, tmp_path / "dev.spacy") as dev,
    ):
        train.add(TEXTS[0])
        dev.add(TEXTS[1])
        dev.finish()
        monkeypatch.setattr(docfiles, "save", refuse)
        train.finish()
    assert list(tmp_path.iterdir()) == []


def refuse(path: Path, content: bytes) -> None:
    raise OSError("no room")


def test_nothing_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "mine.txt").touch()
    folder = "a folder with something in it"
    for name, found in (("corpus", folder), ("corpus/mine.txt", "a file"), (".", folder)):
        with pytest.raises(ValueError) as caught, DocFiles(spacy.blank("en"), Path(name)):
            pass
        for part in (f"{name} is {found}", "expected the name of a .spacy file", "new or empty", "remove"):
            assert part in str(caught.value)
    assert (tmp_path / "corpus" / "mine.txt").exists()
