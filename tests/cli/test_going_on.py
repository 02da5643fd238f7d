"""`spacy bispn continue-config` and `compare`, and the training between them."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from pipelines import (
    CNN,
    LISTENER,
    PUNCTUATION,
    demo_texts,
    initialize,
    listening,
    make_nlp,
    make_text,
    pipe_of,
)
from samples import Run
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_bispn.corpus import to_docbin
from spacy_bispn.records import AnnotatedText
from spacy_bispn.training import comparison

TEXTS = demo_texts(12)
GENE = make_text("Rov5 docks KV-487.", [("Rov5", "PROTEIN"), ("KV-487", "GENE")], [(0, 1, "DOCKS")])


def write(path: Path, texts: list[AnnotatedText]) -> Path:
    to_docbin(spacy.blank("en", config=PUNCTUATION), texts)[0].to_disk(path)
    return path


def saved(nlp: Language, path: Path) -> Path:
    nlp.to_disk(path)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A pipeline that was trained for a step, and corpora."""
    write(tmp_path / "old.spacy", TEXTS[:8])
    write(tmp_path / "new.spacy", [*TEXTS[8:], GENE])
    nlp = make_nlp()
    nlp.update(initialize(nlp, TEXTS[:8]))
    nlp.tokenizer.add_special_case("KV-488", [{"ORTH": "KV-488"}])
    nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "X", "pattern": "zz"}])
    saved(nlp, tmp_path / "model")
    return tmp_path


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.slow
def test_the_config_goes_on_with_what_was_saved(place: Path, run: Run) -> None:
    output = place / "c.cfg"
    result = run(
        "continue-config", output, "--model", place / "model", "--corpus", place / "new.spacy",
        "--replay", place / "old.spacy",
    )  # fmt: skip
    shown = squeezed(result.output)
    assert "5 epochs over 5 new texts and 5 old ones" in shown
    assert "New labels: GENE, CAUSES, DOCKS" in shown and "bispn compare" in shown and "bispn train" in shown
    config = Config().from_disk(output, interpolate=False)
    assert set(map(tuple, (x.items() for x in config["components"].values()))) == {
        (("source", str(place / "model")),)
    }
    assert config["training"]["max_epochs"] == 5 and config["training"]["eval_frequency"] == 1
    assert "already" not in shown and "expected a file that does not exist" in squeezed(
        run(
            "continue-config", output, "--model", place / "model", "--corpus", place / "new.spacy", code=1
        ).output
    )
    optimizer = config["training"]["optimizer"]
    assert optimizer["continued_steps"] == 5 * 2, "10 texts are 2 batches of 8"
    assert optimizer["continued_warmup"] == 3, "the rates have time to fall"
    loaded = util_config(output, {"paths.dev": str(place / "old.spacy"), "training.max_steps": 2})
    nlp = init_nlp(loaded)
    assert [t.text for t in nlp.make_doc("KV-488")] == ["KV-488"], "the tokenizer is the saved one"
    assert pipe_of(nlp).shim.last_step > 0
    (place / "continued").mkdir()
    train(nlp, place / "continued")
    after = spacy.load(place / "continued" / "model-last")
    assert {"GENE", "DOCKS"} <= set(pipe_of(after).labels) and after.pipe_names == ["entity_ruler", "bispn"]
    shown = squeezed(
        run("compare", place / "model", place / "continued" / "model-last", place / "old.spacy").output
    )
    assert "Not more than 1 point of F1 is lost (entities" in shown


def util_config(path: Path, overrides: dict[str, object]) -> Config:
    return spacy.util.load_config(path, overrides=overrides, interpolate=False)


def test_what_the_texts_lack_is_said(place: Path, run: Run) -> None:
    strange = write(place / "strange.spacy", [GENE])
    known = write(place / "known.spacy", TEXTS[:2])
    base = ["continue-config", place / "c.cfg", "--force", "--model", place / "model", "--corpus"]
    shown = squeezed(run(*base, known, "--replay", strange).output)
    assert "--replay has labels that the pipeline does not know and will learn: GENE, DOCKS. Are" in shown
    assert "Without --replay, more is forgotten" in squeezed(run(*base, known).output)
    empty = write(place / "empty.spacy", [])
    assert "found no Docs, expected at least one" in squeezed(run(*base, empty, code=1).output)
    assert "a component with factory" in squeezed(
        run("continue-config", place / "c.cfg", "-F", "--model", saved(spacy.blank("en"), place / "blank"),
            "--corpus", known, code=1).output
    )  # fmt: skip


@pytest.mark.slow
def test_other_components_are_frozen_and_a_shared_one_still_speaks(place: Path, run: Run) -> None:
    nlp = spacy.blank("en", config=PUNCTUATION)
    nlp.add_pipe("tok2vec", config={"model": CNN})
    nlp.add_pipe("tagger")
    nlp.add_pipe("bispn", config=listening(LISTENER))
    nlp.get_pipe("tagger").add_label("NN")
    examples = initialize(nlp, TEXTS[:8])
    nlp.update(examples, exclude=["tagger"])
    saved(nlp, place / "shared")
    output = place / "c.cfg"
    shown = run(
        "continue-config", output, "--model", place / "shared", "--corpus", place / "new.spacy"
    ).output
    assert "These components stay as they are: tok2vec, tagger" in squeezed(shown)
    training = Config().from_disk(output, interpolate=False)["training"]
    assert training["frozen_components"] == ["tok2vec", "tagger"]
    assert training["annotating_components"] == ["tok2vec"]
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    nlp = init_nlp(util_config(output, {"paths.dev": str(place / "old.spacy"), "training.max_steps": 2}))
    old = pipe_of(nlp).to_bytes(exclude=["vocab"])
    (place / "continued").mkdir()
    train(nlp, place / "continued")
    after = spacy.load(place / "continued" / "model-last")
    assert after.get_pipe("tok2vec").model.to_bytes() == before
    assert pipe_of(after).to_bytes(exclude=["vocab"]) != old


def test_what_is_forgotten_is_said_with_the_exit_code(
    place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:

    scores = iter([{"relations": (60.0, 40.0, 48.0)}, {"relations": (50.0, 40.0, 44.4)}])
    monkeypatch.setattr(comparison, "_scores", lambda nlp, gold: next(scores))
    result = run("compare", place / "model", place / "model", place / "old.spacy", code=1)
    shown = squeezed(result.output)
    assert "the pipeline has forgotten relations from 48.0 to 44.4 F1, expected to lose at most 1" in shown
    assert "60.0 40.0 48.0" in shown and "50.0 40.0 44.4" in shown
    assert "cannot be compared" in run("compare", "x", "y", write(place / "e.spacy", []), code=1).output
