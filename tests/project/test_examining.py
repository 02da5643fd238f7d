"""What the scripts examine in trained models: density, long texts, speed, cases and attention."""

from __future__ import annotations

import builtins
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attention
import cases
import decoding
import long_texts
import measure
import pytest
import shapes
import size
import spacy
import speed
import srsly
import subsets
import trade
import typer
from pipelines import make_text
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bispn.annotations import read, write
from spacy_bispn.attention_maps import AttentionMap
from spacy_bispn.corpus_reader import load
from spacy_bispn.evaluation.error_analysis import Case
from spacy_bispn.records import Entity, Extraction, Relation

TEXT = "Tem2 binds Dal92 and Kel3."
ENTITIES = [("Tem2", "P"), ("Dal92", "P"), ("Kel3", "P")]
HEAD, TAIL = Entity(0, 4, "P"), Entity(11, 16, "P")
PNG, SVG = b"\x89PNG", b"<?xml"


def example(gold: list[tuple[int, int, str]], predicted: list[tuple[int, int, str]]) -> Example:
    """A text with relations by index between its three entities."""
    nlp = spacy.blank("en")
    docs = []
    for relations in (predicted, gold):
        doc = nlp.make_doc(TEXT)
        write(doc, make_text(TEXT, ENTITIES, relations).extraction)
        docs.append(doc)
    return Example(*docs)


def test_only_texts_with_enough_relations_count() -> None:
    one, two = [(0, 1, "R")], [(0, 1, "R"), (0, 2, "R")]
    found = subsets.by_density([example([], one), example(one, []), example(two, two)], ())
    assert {least: scores["texts"] for least, scores in found.items()} == {"0": 3, "1": 2, "2": 1}
    ratios = [found[least]["rel_micro_f"] for least in ("0", "1", "2")]
    assert ratios == pytest.approx([2 * 2 / (3 + 3), 2 * 2 / (3 + 2), 1.0])


def test_dense_texts_of_a_model(trained: str, models: Path) -> None:
    subsets.main("demo", Path(trained.split(",")[0], "model-best"), models / "test.spacy")
    found = srsly.read_json(models / "metrics" / "demo_subsets.json")["minima"]
    assert found["0"]["texts"] >= found["1"]["texts"] >= found["2"]["texts"] > 0
    assert 0 <= found["0"]["ents_f"] <= 1


def test_a_long_text_is_taken_apart_into_the_texts_it_is_made_of() -> None:
    texts = ["Tem2 binds Dal92.", "Kel3.", "EG-75 binds it."]
    first, second = Entity(0, 4, "P", 0.5), Entity(11, 16, "P")
    kel3, across = Entity(18, 22, "P"), Entity(15, 20, "P")
    found = Extraction(
        (first, second, kel3, across),
        tuple(Relation(*ends, "BINDS", 0.25) for ends in ((first, second), (first, kel3), (kel3, kel3))),
    )
    own = Entity(0, 4, "P")
    assert long_texts.split_joined(found, texts) == [
        Extraction((first, second), (Relation(first, second, "BINDS", 0.25),)),
        Extraction((own,), (Relation(own, own, "BINDS"),)),
        Extraction(),
    ]


def test_decoding_settings_are_changed_one_at_a_time(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = SimpleNamespace(cfg={"type_threshold": 0.5, "remove_overlaps": False})

    def evaluate(examples: list[Example]) -> dict[str, float]:
        return {"ents_f": pipe.cfg["type_threshold"], "rel_micro_f": float(pipe.cfg["remove_overlaps"])}

    nlp = SimpleNamespace(get_pipe=lambda name: pipe, evaluate=evaluate)
    monkeypatch.setattr(decoding, "load_model", lambda model: nlp)
    monkeypatch.setattr(decoding, "create_reader", lambda data: lambda nlp: [])
    monkeypatch.setattr(decoding, "VALUES", {"type_threshold": (0.2, 0.9), "remove_overlaps": (True,)})
    decoding.main("demo", workspace / "model-best")
    found = srsly.read_json(workspace / "metrics" / "demo_decoding.json")["settings"]
    assert {name: tuple(scores.values()) for name, scores in found.items()} == {
        "as configured": (0.5, 0), "type_threshold = 0.2": (0.2, 0), "type_threshold = 0.9": (0.9, 0),
        "remove_overlaps = true": (0.5, 1),
    }  # fmt: skip


def test_figures_record_their_run_and_that_of_their_model(trained: str, models: Path) -> None:
    training = Path(trained.split(",")[0])
    provenance = {"commit": "abc1234", "date": "2020-01-02 03:04", "machine": "CPU", "command": "c"}
    srsly.write_json(training / "run.json", provenance)
    subsets.main("demo", training / "model-best", models / "test.spacy")
    run = srsly.read_json(models / "metrics" / "demo_subsets.json")["run"]
    assert {"commit", "date", "machine", "command", "models"} == set(run)
    assert run["models"] == [
        {"commit": "abc1234", "date": "2020-01-02 03:04", "encoder": "random weights", "epochs": 0}
    ]


@pytest.mark.parametrize(("gpu", "name"), [(-1, "demo_bench.json"), (0, "demo_bench_gpu.json")])
def test_the_bench_of_a_gpu_does_not_replace_that_of_the_cpu(
    gpu: int, name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], check: bool) -> None:
        assert command[command.index("--gpu-id") + 1] == str(gpu)
        srsly.write_json(command[command.index("--output") + 1], {"texts": 16})

    monkeypatch.setattr(measure.subprocess, "run", run)
    monkeypatch.setattr(measure, "this_run", lambda *arguments: {"commit": "abc1234"})
    measure.main("demo", workspace / "model-best", workspace / "test.spacy", gpu)
    (made,) = (workspace / "metrics").iterdir()
    assert made.name == name
    assert srsly.read_json(made) == {"run": {"commit": "abc1234"}, "texts": 16}


def test_a_model_reads_the_test_texts_as_one(trained: str, models: Path) -> None:
    long_texts.main("demo", Path(trained.split(",")[0], "model-best"), models / "test.spacy")
    found = srsly.read_json(models / "metrics" / "demo_long.json")["readings"]
    assert list(found) == ["each alone", "as one text", "as one text, against each alone"]
    assert all(0 <= scores["ents_f"] <= 1 for scores in found.values())


def test_fewer_queries_and_bits_are_timed_beside_the_model_as_it_is(trained: str, models: Path) -> None:
    model = Path(trained.split(",")[0], "model-best")
    trade.main("demo", model, models / "test.spacy", rounds=1)
    found = srsly.read_json(models / "metrics" / "demo_trade.json")["settings"]
    assert list(found) == list(map(decoding.in_words, trade.SETTINGS))
    assert list(found)[-2:] == ['cpu_precision = "int8"', 'proposal_floor = 0.1, cpu_precision = "int8"']
    assert found["as configured"]["times"] == {"median": 1, "min": 1, "max": 1}
    assert all(one["sentences_per_second"]["median"] > 0 for one in found.values())
    assert all(0 <= one["ents_f"] <= 1 for one in found.values())
    eight_bits = trade.load_with(model, {"cpu_precision": "int8"}).get_pipe("bispn")
    assert not eight_bits.shim.exact


def test_a_network_of_some_size_is_timed(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models)
    monkeypatch.setattr(size, "STEPS", 1)
    texts = models / "test.spacy"
    size.main("demo", texts, texts, width=24, layers=1, rounds=1)
    found = srsly.read_json(models / "metrics" / "demo_size.json")
    assert list(found["sentences_per_second"]) == ["8", "256", "1024"]
    assert all(one["min"] > 0 for one in (found["steps_per_second"], *found["sentences_per_second"].values()))


def test_encoders_of_several_shapes_are_timed(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models)
    small = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 6, "intermediate_size": 24}
    monkeypatch.setattr(shapes, "SHAPES", {name: {**one, **small} for name, one in shapes.SHAPES.items()})
    shapes.main("demo", models / "test.spacy", limit=8, rounds=1, shapes=",".join(shapes.SHAPES))
    found = srsly.read_json(models / "metrics" / "demo_shapes.json")["shapes"]
    assert list(found) == ["BERT-base", "DeBERTa-v3-base", "ModernBERT-base"]
    assert all(one["default batching"]["of_floor"]["min"] > 0 for one in found.values())
    assert len(speed.shapes({"shapes": found})) == 2 + len(found)


def test_thresholds_are_found_with_which_a_model_predicts_as_much_as_gold_has(
    trained: str, models: Path
) -> None:
    nlp = spacy.load(Path(trained.split(",")[0], "model-best"))
    texts = [doc.text for doc in load(models / "test.spacy", nlp.vocab)]
    whole = [read(doc) for doc in nlp.pipe(texts)]  # the model's thresholds are 0
    gold = [read(doc) for doc in load(models / "test.spacy", nlp.vocab)][:2]
    per_text = size.match_gold_counts(nlp, texts, gold)
    assert size.count(gold, "entities") <= per_text["entities"] * len(texts) < size.count(whole, "entities")
    assert 0 < per_text["relations"] * len(texts) < size.count(whole, "relations")


def test_marks() -> None:
    gold, other = Relation(HEAD, TAIL, "R"), Relation(TAIL, HEAD, "R")
    right, wrong = "Tem2 (P) — R → Dal92 (P)", "Dal92 (P) — R → Tem2 (P)"

    def marked(*case: Any) -> list[tuple[str, str]]:
        return [(one["mark"], one["item"]) for one in cases.marks(Case(*case), TEXT)]

    assert marked("correct", gold, gold) == [("right", right)]
    assert marked("wrong direction", gold, other) == [("wrong", wrong), ("missing", right)]
    assert marked("spurious", None, other) == [("wrong", wrong)]
    assert marked("missed", gold, None) == [("missing", right)]
    assert marked("missed", HEAD, None) == [("missing", "Tem2 (P)")]


def test_the_papers_own_sentence_and_those_in_which_models_differ_most() -> None:
    def text(position: int, *rights: int, words: str = "A.") -> dict[str, Any]:
        right = {"mark": "right"}
        found = {str(model): {"entities": [], "relations": [right] * n} for model, n in enumerate(rights)}
        return {"position": position, "text": words, "found": found}

    texts = [text(0, 1, 1), text(1, 0, 3), text(2, 2, 2), text(3, 1, 0)]
    assert [one["position"] for one in cases.choose(texts, 2)] == [1, 3]
    assert [one["position"] for one in cases.choose(texts, 3)] == [1, 2, 3]
    own = text(4, 1, 1, words="The general transcription factors TFIIA and  TFIIB bind directly to  TBP.")
    assert [one["position"] for one in cases.choose([*texts, own], 2)] == [4, 1, 3]


def test_cases_of_two_models(trained: str, models: Path) -> None:
    cases.main("demo", trained, models / "test.spacy", positions="1,0")
    found = srsly.read_json(models / "metrics" / "demo_cases.json")["texts"]
    assert [text["position"] for text in found] == [1, 0]
    for text in found:
        assert set(text["found"]) == {"as configured", "without consistency"}
        for found_by_one in text["found"].values():
            assert list(found_by_one) == ["entities", "relations"]
            for items in found_by_one.values():
                assert {one["mark"] for one in items} <= {"right", "wrong", "missing"}


@pytest.mark.parametrize(
    ("positions", "problem"),
    [("99,0", r"--positions is \[99\], expected numbers from 0 to \d+: choose others"),
     ("x", r"a list of numbers is 'x', expected integers separated by commas: write 0,1,2")],
)  # fmt: skip
def test_cases_that_are_not_there(trained: str, models: Path, positions: str, problem: str) -> None:
    with pytest.raises(typer.BadParameter, match=problem):
        cases.main("demo", trained, models / "test.spacy", positions=positions)


@pytest.mark.parametrize(("suffix", "begins"), [(".png", PNG), (".svg", SVG)])
def test_attention_of_two_models_side_by_side(trained: str, models: Path, suffix: str, begins: bytes) -> None:
    output = models / "figures" / f"attention{suffix}"
    attention.main("demo", trained, TEXT, models, output)
    assert output.read_bytes().startswith(begins)
    found = srsly.read_json(models / "metrics" / "demo_attention.json")
    assert found["text"] == TEXT
    for one in found["models"].values():
        assert len(one["weights"]) == len(one["entities"]) == 6
        assert len(one["weights"][0]) == len(one["relations"]) == 4


def test_without_a_sentence_it_is_the_papers_or_the_first_of_the_corpus(tmp_path: Path) -> None:
    nlp = spacy.blank("en")

    def write_corpus(**texts: str) -> None:
        for part, text in texts.items():
            DocBin(docs=[nlp("One."), nlp(text)], store_user_data=True).to_disk(tmp_path / f"{part}.spacy")

    write_corpus(test="Two.")
    assert attention.sentence_of(tmp_path) == "One."
    own = "Moreover, the in vitro binding of  NF-κB or  Sp1 was not affected."
    write_corpus(train=own)
    assert attention.sentence_of(tmp_path) == own


def test_every_query_has_its_words_at_the_axes(tmp_path: Path) -> None:
    shown = AttentionMap(TEXT, [HEAD, None], [Relation(HEAD, TAIL, "R"), None], [[0.5, 0.1], [0.3, 0.2]])
    attention.draw({"one": shown, "other": shown}, tmp_path / "map.svg")
    drawn = (tmp_path / "map.svg").read_text("utf8")
    # letters are drawn as shapes, with their words in comments
    for words in ("one", "other", "Tem2 (P)", "Tem2 — R → Dal92", "relation queries"):
        assert f"<!-- {words} -->" in drawn


def test_means_of_attention_between_what_belongs_together_and_the_rest() -> None:
    shown = AttentionMap(TEXT, [HEAD, None], [Relation(HEAD, TAIL, "R"), None], [[0.5, 0.1], [0.3, 0.2]])
    found = attention.as_json(shown)
    assert found["joined"] == pytest.approx(0.5)
    assert found["others"] == pytest.approx(0.2)
    assert found["entities"] == ["Tem2 (P)", "–"]
    silent = AttentionMap(TEXT, [None], [None], [[0.5]])
    assert attention.as_json(silent)["joined"] is None


def test_drawings_need_matplotlib_and_a_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = AttentionMap(TEXT, [None], [None], [[0.5]])
    with pytest.raises(ValueError, match=r"the drawing is 'map.gif', expected .png or .svg: choose one"):
        attention.draw({"one": shown}, tmp_path / "map.gif")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError) as error:
        attention.draw({"one": shown}, tmp_path / "map.png")
    for words in ("matplotlib is not installed", "expected it for drawings", 'install "spacy-bispn[viz]"'):
        assert words in str(error.value)


def test_a_text_without_attention_ends_with_a_message(
    trained: str, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        attention.main("demo", trained, " ", models, models / "figures" / "none.png")
    assert "expected 1: give a text" in " ".join(capsys.readouterr().out.split())
