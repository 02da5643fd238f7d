"""Old texts among the new ones, as the reader for `spacy train` mixes them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
import spacy
from pipelines import make_text
from spacy.tokens import Doc, DocBin

from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import create_reader
from spacy_bispn.settings import SettingError

NLP = spacy.blank("en")


def write(path: Path, name: str, count: int) -> Path:
    texts = [make_text(f"{name}{n} binds ATP.", [("ATP", "DRUG")], []) for n in range(count)]
    DocBin(docs=[to_doc(NLP, text)[0] for text in texts]).to_disk(path / f"{name}.spacy")
    return path / f"{name}.spacy"


def words(docs: list[Doc]) -> list[str]:
    return [doc[0].text for doc in docs]


def read(**settings: object) -> list[str]:
    return words([example.reference for example in create_reader(**settings)(NLP)])  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "wanted"), [(0.0, 0), (0.2, 2), (0.5, 8), (0.75, 24)])
def test_the_share_is_that_of_all_texts_and_evenly_spread(tmp_path: Path, share: float, wanted: int) -> None:
    new, old = write(tmp_path, "new", 8), write(tmp_path, "old", 30)
    found = read(path=new, replay=old, replay_share=share)
    assert [word for word in found if word.startswith("new")] == [f"new{n}" for n in range(8)]
    replayed = [word for word in found if word.startswith("old")]
    assert len(replayed) == len(set(replayed)) == wanted
    runs = [len(list(run)) for is_old, run in groupby(found, lambda word: word[:3] == "old") if is_old]
    assert set(runs) <= {max(wanted // 8, 1)}
    assert found == read(path=new, replay=old, replay_share=share), "the same in every training"


def test_each_reading_takes_other_old_texts(tmp_path: Path) -> None:
    reader = create_reader(write(tmp_path, "new", 4), replay=write(tmp_path, "old", 8))
    first, second = (
        {x.reference.text for x in reader(NLP) if x.reference.text.startswith("old")} for _ in range(2)
    )
    assert len(first) == len(second) == 4 and not first & second


def test_few_old_texts_are_all_taken_once_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(path=write(tmp_path, "new", 6), replay=write(tmp_path, "old", 2))
    assert sorted(word for word in found if word.startswith("old")) == ["old0", "old1"]
    assert "replay has 2 texts, fewer than the 6 that replay_share = 0.5 asks for" in caplog.text


def test_texts_in_both_are_not_replayed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = write(tmp_path, "old", 3)
    both = tmp_path / "both.spacy"
    docs = [*DocBin().from_disk(old).get_docs(NLP.vocab)][:2]
    DocBin(docs=docs).to_disk(both)
    assert sorted(read(path=both, replay=old)) == ["old0", "old1", "old2"]
    assert "2 texts of replay are among the new ones and are not replayed" in caplog.text
    with pytest.raises(SettingError, match=r"replay is .*old.spacy, whose 3 texts are all among") as e:
        read(path=old, replay=old)
    assert (e.value.name, e.value.expected) == ("replay", "the texts of an earlier training")
    assert e.value.advice == "give their file"


def test_without_new_texts_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    new, old = write(tmp_path, "new", 0), write(tmp_path, "old", 2)
    with pytest.raises(SettingError, match=r"path is '.*new.spacy', expected a corpus with texts: without"):
        read(path=new, replay=old)
    with pytest.raises(ValueError, match=r"expected a \.spacy file or a folder"):
        read(path=old, replay=tmp_path / "none.spacy")
    with pytest.raises(SettingError, match=r"replay_share is 1, expected .*0 to below 1"):
        create_reader(old, replay=old, replay_share=1)
