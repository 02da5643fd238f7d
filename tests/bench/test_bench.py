"""The bench: what it measures, that it changes nothing, and what it refuses to measure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from pipelines import demo_texts, make_examples, said
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_bispn.bench import measure
from spacy_bispn.bench.__main__ import run_bench
from spacy_bispn.bench.checks import bispn_of
from spacy_bispn.bench.clock import Stopwatch, in_turns, peak_memory, reset_peak_memory, summarize
from spacy_bispn.bench.figures import number, peaks, spread
from spacy_bispn.bench.host import host, replayed
from spacy_bispn.bench.measure import (
    all_queries,
    floor,
    growth,
    loading,
    page,
    read_whole,
    training,
)
from spacy_bispn.nn.network import Network
from spacy_bispn.settings import SettingError


def test_medians_stand_beside_their_spread() -> None:
    assert summarize([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}


def test_works_take_turns_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    seconds = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_a_stopwatch_times_its_functions_and_puts_them_back() -> None:
    class Owner:
        def work(self) -> int:
            return sum(range(10000))

    before = Owner.work
    with Stopwatch({"part": [(Owner, "work")], "idle": []}) as watch:
        assert Owner().work() == sum(range(10000))
    assert Owner.work is before
    assert watch.seconds["part"] > 0 and watch.seconds["idle"] == 0


def test_the_floor_is_the_bare_encoder_in_batches_of_eight(
    proposing: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = bispn_of(proposing)
    docs = [example.reference for example in make_examples(proposing, demo_texts(12))]
    model = pipe.shim.require().encoder.model
    sizes: list[int] = []
    forward = model.forward

    def counted(**given: Any) -> Any:
        sizes.append(len(given["input_ids"]))
        return forward(**given)

    monkeypatch.setattr(model, "forward", counted)
    floor(pipe, docs)()
    assert sizes == [8, 4]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the resident peak")
def test_peak_memory_is_that_since_its_reset() -> None:
    reset_peak_memory()
    before = peak_memory()["resident"]
    array = np.ones(25_000_000)
    assert peak_memory()["resident"] - before > 190
    del array
    reset_peak_memory()
    assert peak_memory()["resident"] - before < 10


WITHOUT_RESOURCE = """
import sys
sys.modules["resource"] = None  # as on Windows
from spacy_bispn.bench import __main__, soak
from spacy_bispn.bench.clock import peak_memory, reset_peak_memory
reset_peak_memory()
print(peak_memory())
import pathlib
soak.STATM = pathlib.Path("none")
print(soak.resident())
"""


def test_without_the_module_resource_peak_memory_is_unknown() -> None:
    command = [sys.executable, "-c", WITHOUT_RESOURCE]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["{}", "None"]
    assert peaks({}) == "resident unknown" and number(None) == "unknown"
    assert peaks({"resident": 12.3, "allocated": 4.0}) == "resident 12, allocated 4"


def test_figures_stand_beside_their_spread() -> None:
    assert spread(summarize([3.0, 1.0, 2.0]), 1) == "2.0 (1.0 to 3.0)"
    assert spread(None, 1) == ""


def test_every_query_is_used_where_growth_asks_for_it(proposing: Language) -> None:
    pipe = bispn_of(proposing)
    queries = pipe.shim.require().queries
    kept = (queries.entity_limit, queries.relation_limit, queries.floor)
    with all_queries(pipe, 7, 9):
        assert (queries.entity_limit, queries.relation_limit, queries.floor) == (7, 9, float("-inf"))
    assert (queries.entity_limit, queries.relation_limit, queries.floor) == kept


def test_training_steps_are_measured_without_training(proposing: Language) -> None:
    pipe = bispn_of(proposing)
    docs = [example.reference for example in make_examples(proposing, demo_texts(16))]
    before = {name: value.clone() for name, value in pipe.shim.require().state_dict().items()}
    found = training(proposing, docs, 1)
    assert all(torch.equal(value, before[name]) for name, value in pipe.shim.require().state_dict().items())
    assert set(found) == {"encoder learning", "encoder frozen"}
    parts = found["encoder learning"]["parts"]
    assert {"forward", "match", "losses", "backward", "optimizer"} <= set(parts)
    assert min(parts.values()) >= 0
    assert pipe.frozen_epochs == 0 and any(p.requires_grad for p in pipe.shim.encoder.model.parameters())


def test_loading_is_held_against_the_bare_encoder_and_a_blank_pipeline(proposing: Language) -> None:
    found = loading(proposing, 1)
    ours, bare = (found["seconds"][name]["median"] for name in ("pipeline", "encoder and blank"))
    assert found["of_encoder_and_blank"]["median"] == pytest.approx(ours / bare)


def test_length_is_that_of_one_window_whatever_the_training_had(proposing: Language) -> None:
    pipe = bispn_of(proposing)
    doc = proposing.make_doc(" ".join(text.text for text in demo_texts(8)))
    kept = pipe.shim.training_lengths
    with read_whole(pipe):
        assert len(pipe.shim.windows([doc])) < len(demo_texts(8))
    assert pipe.shim.training_lengths == kept is not None


def test_a_page_is_held_against_its_bare_encoder(
    proposing: Language, nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = [example.reference for example in make_examples(proposing, demo_texts(16))]
    monkeypatch.setattr(measure, "PAGE_QUERIES", (5, 9))
    shim = bispn_of(proposing).shim
    seen: list[tuple[int, int, int]] = []
    shim.require().queries.register_forward_hook(
        lambda module, given, made: seen.append(
            (given[1].mask.shape[1], made[0].entity.shape[1], made[0].relation.shape[1])
        )
    )
    found = page(proposing, docs, 1)
    assert found["of_floor"]["median"] > 0 and {x[1:] for x in seen} == {(5, 9)}
    assert {length for length, *_ in seen} < set(range(shim.encoder.longest - 9, shim.encoder.longest + 1))
    assert page(nlp, docs, 1) == {}


def test_the_host_s_work_is_measured_without_the_network(
    proposing: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = [example.reference for example in make_examples(proposing, demo_texts(16))]
    shim = bispn_of(proposing).shim
    found = host(proposing, docs, 2)
    assert 100 < found["operations"]["prediction"] < found["operations"]["training step"]
    assert found["milliseconds"]["min"] > 0
    texts = [doc.text for doc in docs]

    def answers() -> list[Any]:
        return [said(doc) for doc in proposing.pipe(texts)]

    expected = answers()
    with replayed(shim, answers):
        monkeypatch.delattr(Network, "forward_pruned")
        assert answers() == answers() == expected
        monkeypatch.undo()
    assert answers() == expected


@pytest.mark.slow
def test_growth_covers_lengths_queries_sentences_and_batches(proposing: Language) -> None:
    docs = [example.reference for example in make_examples(proposing, demo_texts(16))]
    found = growth(proposing, docs, 1)
    assert list(found) == ["length", "queries", "sentences", "batch"]
    assert all(size["seconds"]["median"] > 0 for sizes in found.values() for size in sizes.values())


@pytest.mark.slow
def test_learned_queries_do_not_grow(nlp: Language) -> None:
    docs = [example.reference for example in make_examples(nlp, demo_texts(2))]
    assert growth(nlp, docs, 1)["queries"] == {}


def test_too_few_texts_and_pipelines_without_the_component_are_refused(proposing: Language) -> None:
    docs = [example.reference for example in make_examples(proposing, demo_texts(4))]
    with pytest.raises(SettingError, match=r"number of texts is 4, expected at least 16: raise --limit"):
        run_bench(proposing, docs, 1)
    with pytest.raises(SettingError, match=r"--rounds is 0, expected at least 1: the default is 5"):
        run_bench(proposing, docs * 4, 0)
    with pytest.raises(ValueError, match=r"has no component, expected a trained 'bispn' with an encoder"):
        bispn_of(spacy.blank("en"))


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_json(proposing: Language, tmp_path: Path) -> None:
    proposing.to_disk(tmp_path / "model")
    DocBin(docs=[x.reference for x in make_examples(proposing, demo_texts(16))]).to_disk(tmp_path / "d.spacy")
    command = [sys.executable, "-m", "spacy_bispn.bench", str(tmp_path / "model"), str(tmp_path / "d.spacy")]
    options = ["--rounds", "1", "--output", str(tmp_path / "bench.json")]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert "sentences a second" in result.stdout and "floor batches" in result.stdout
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert figures["infer"]["batch 8"]["of_floor"]["median"] > 0
    assert {"prediction", "training"} == set(figures["memory"])
