"""Models of older versions, and of other versions of transformers, load and say what they said then."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
import srsly
from kept import KEPT, said

VERSIONS = sorted(path for path in KEPT.iterdir())


def test_a_model_of_every_format_is_kept() -> None:
    kept = {path.name.rpartition(".")[0] for path in VERSIONS}
    assert kept >= {"0.1", *(f"0.1.0-transformers-{version}" for version in ("4.49", "4.53", "5.24"))}


def test_settings_that_came_later_can_be_set() -> None:
    """Those of the config by `spacy.load`; tables, which spaCy refuses there, in `cfg`."""
    path = KEPT / "0.1.0" / "model"
    block = {"self_relations": False, "relations_per_head": [["BINDS", 1]]}
    assert not any(name in (path / "config.cfg").read_text("utf-8") for name in (*block, "entity_thresholds"))
    nlp = spacy.load(path, config={"components": {"bispn": block}})
    (text, *_) = srsly.read_json(KEPT / "0.1.0" / "said.json")
    pipe = nlp.get_pipe("bispn")
    assert {name: pipe.cfg[name] for name in block} == block
    doc = nlp(text["text"])
    label = doc.spans["bispn"][0].label_
    pipe.cfg["entity_thresholds"] = {label: 1.0}
    doc = nlp(text["text"])
    assert label not in {span.label_ for span in doc.spans["bispn"]}


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_says_what_it_said(folder: Path) -> None:
    before = srsly.read_json(folder / "said.json")
    assert sum(len(text["relations"]) for text in before) >= 4, "worth comparing"
    now = said(spacy.load(folder / "model"), [text["text"] for text in before[:-1]])
    assert [text["text"] for text in now] == [text["text"] for text in before]
    for text, then in zip(now, before, strict=True):
        for kind in ("entities", "relations"):
            assert [x[:3] for x in text[kind]] == [x[:3] for x in then[kind]]
            assert [x[3] for x in text[kind]] == pytest.approx([x[3] for x in then[kind]], abs=1e-4)
