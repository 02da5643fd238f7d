"""Tables of a Markdown page from the files in metrics/, here written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import srsly
from results import main

COHERENT = {"bispn_coherence": 1.0, "bispn_raw_coherence": 0.7}
STRICT = {"ents_f": 0.5, "ents_boundary_f": 0.6, "rel_micro_f": 0.3, "rel_boundary_f": 0.4}
SUMMARY = {"median": 34.12, "min": 30.0, "max": 40.0}
OLD = {"commit": "aaa1111", "date": "2020-01-01 10:00", "machine": "CPU, 2 threads", "command": "old"}
NEW = {"commit": "bbb2222", "date": "2020-02-02 10:00", "machine": "CPU, 2 threads", "command": "new"}


def put(path: str, content: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(path, content)


def put_run(study: str, key: int, name: str, corpus: str, relations: float, run: Any = NEW) -> None:
    variant = {"name": name, "epochs": 2, "minutes": 12.4, "encoder": "MiniLM", "run": run}
    put(f"metrics/runs/{study}/{key}/variant.json", variant)
    put(f"metrics/runs/{study}/{key}/{corpus}.json", {**STRICT, **COHERENT, "rel_micro_f": relations})


def put_variant(key: str, name: str, minutes: float = 2.0, relations: float = 0.3, run: Any = NEW) -> None:
    development = {"ents_f": 0.51, "rel_micro_f": 0.22}
    variant = {"name": name, "minutes": minutes, "development": development, "run": run}
    put(f"metrics/ablation/demo/{key}/variant.json", variant)
    put(f"metrics/ablation/demo/{key}/demo.json", {**STRICT, **COHERENT, "rel_micro_f": relations})


def inside(corpus: str, name: str) -> str:
    """What is between the marks of a table after all tables of a corpus were written."""
    page = Path("page.md")
    if not page.exists():
        page.write_text(f"Before.\n<!-- {name} -->\nnot yet run\n<!-- /{name} -->\nAfter.\n", "utf8")
    main(page, corpus)
    text = page.read_text("utf8")
    assert text.startswith("Before.\n") and text.endswith("After.\n")
    return text.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]


def table(corpus: str, name: str) -> list[list[str]]:
    """The cells of a table after all tables of a corpus were written."""
    lines = inside(corpus, name).strip().splitlines()
    return [line[2:-2].split(" | ") for line in lines if line.startswith("|")]


@pytest.fixture(autouse=True)
def empty(workspace: Path) -> None:
    """Every test begins in an empty folder."""


def test_runs_have_a_mean_and_a_standard_deviation() -> None:
    for key, relations in ((10, 0.3), (2, 0.2), (3, 0.4)):
        put_run("demo", key, f"seed {key}", "demo", relations)
    header, _, *rows = table("demo", "demo runs")
    assert header[:2] == ["run", "entities"]
    assert header[-4:] == ["coherence", "raw coherence", "epochs", "minutes"]
    assert [row[0] for row in rows] == ["seed 2", "seed 3", "seed 10", "mean of 3", "standard deviation"]
    assert [row[3] for row in rows] == ["20.0", "40.0", "30.0", "30.0", "10.0"]
    assert rows[0] == ["seed 2", "50.0", "60.0", "20.0", "40.0", "100.0", "70.0", "2", "12"]


def test_a_missing_table_is_named_if_another_corpus_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    put_run("ade", 0, "fold 0", "ade", 0.3)
    page = Path("page.md")
    for content in ("Nothing here.\n", "<!-- demo runs -->\n<!-- /demo runs -->\n"):
        assert not capsys.readouterr().out, "a page without such tables misses none"
        page.write_text(content, "utf8")
        main(page, "ade")
        assert page.read_text("utf8") == content
    printed = " ".join(capsys.readouterr().out.split())
    assert "ade runs has no table in page.md: add <!-- ade runs --> and <!-- /ade runs -->" in printed


def test_the_cost_of_speed() -> None:
    timed = {"sentences_per_second": SUMMARY, "times": dict.fromkeys(SUMMARY, 1.5)}
    put("metrics/demo_trade.json", {"settings": {"fewer bits": {**STRICT, **timed}}, "run": NEW})
    _, _, row = table("demo", "demo trade")
    assert row == ["fewer bits", "50.0", "60.0", "30.0", "40.0", "34.1 (30.0 to 40.0)", "1.50 (1.50 to 1.50)"]


def test_a_single_run_has_neither_mean_nor_deviation() -> None:
    put_run("demo", 1, "seed 1", "demo", 0.3)
    assert len(table("demo", "demo runs")) == 3


def test_folds_are_averaged_by_the_conventions_of_their_corpus() -> None:
    for fold, macro in enumerate((0.7, 0.8)):
        put_run("ade", fold, f"fold {fold}", "ade", 0.3)
        scores = {"spert": {"entities": {"f": macro}, "relations": None}}
        put(f"metrics/runs/ade/{fold}/ade_published.json", {"scores": scores})
    header, _, *rows = table("ade", "ade published-runs")
    assert header == ["run", "entities, macro", "relations, macro", "epochs", "minutes"]
    assert [row[1] for row in rows] == ["70.0", "80.0", "75.0", "7.1"]
    # without a score of one fold there is no mean
    assert [row[2] for row in rows] == [""] * 4


def test_strict_and_published_scores_share_no_table() -> None:
    put("metrics/biorelex.json", {**STRICT, "run": NEW})
    official = {"biorelex": {"entities": {"f": 0.8}, "relations": {"f": 0.7}}}
    put("metrics/biorelex_published.json", {"scores": official, "run": NEW})
    strict = table("biorelex", "biorelex scores")
    assert strict[0] == [
        "test set", "entities", "entities, boundaries", "relations", "relations, boundaries", "coherence",
        "raw coherence",
    ]  # fmt: skip
    Path("page.md").unlink()
    published = table("biorelex", "biorelex published-scores")
    assert published == [
        ["test set", "official mentions", "official relations"], ["---"] * 3, ["test", "80.0", "70.0"],
    ]  # fmt: skip


def test_a_vote_is_below_the_voters() -> None:
    for seed in (1, 2, 3):
        put_run("text2dt", seed, f"seed {seed}", "text2dt", 0.3)
        put(
            f"metrics/runs/text2dt/{seed}/text2dt_published.json",
            {"scores": {"text2dt": {"relations": {"f": 0.2}}}},
        )
    found = {"entities": {"f": 0.9}, "relations": {"f": 0.8}}
    scores = {"strict": found, "boundaries": found, "text2dt": {"relations": {"f": 0.85}}}
    put("metrics/runs/text2dt/ensemble.json", {"voters": ["1", "2", "3"], "scores": scores})
    *_, last = table("text2dt", "text2dt runs")
    assert last == ["vote of 3", "90.0", "90.0", "80.0", "80.0", "", "", "", ""]
    Path("page.md").unlink()
    *_, last = table("text2dt", "text2dt published-runs")
    assert last == ["vote of 3", "85.0", "", ""]


def test_runs_whose_model_is_chosen_on_the_test_file_have_a_table_of_their_own() -> None:
    put_run("biorelex-released", 1, "seed 1", "biorelex", 0.9)
    put_run("biorelex", 1, "seed 1", "biorelex", 0.3)
    assert table("biorelex", "biorelex-released runs")[2][3] == "90.0"


def test_an_ablation_has_its_development_scores_too() -> None:
    put_variant("0", "as configured", minutes=3.2)
    header, _, row = table("demo", "demo ablation")
    assert header[1:3] == ["development: entities", "development: relations"]
    day = "commit `bbb2222`, 2020-02-02"
    assert row == ["as configured", "51.0", "22.0", "50.0", "60.0", "30.0", "40.0", "100.0", "70.0", "3", day]


def test_an_ablation_with_several_seeds_has_means_and_deviations() -> None:
    for key, relations, run in (("0", 0.2, OLD), ("0-7", 0.4, NEW), ("1", 0.1, NEW)):
        put_variant(key, f"variant {key[0]}", relations=relations, run=run)
    several, one = table("demo", "demo ablation")[2:]
    assert several[0] == "variant 0" and several[5] == "30.0 (14.1)" and several[-2] == "2"
    assert several[-1] == "commit `aaa1111`, 2020-01-01; commit `bbb2222`, 2020-02-02"
    assert one[0] == "variant 1" and one[5] == "10.0"


def test_a_variant_that_is_run_later_does_not_remove_the_others() -> None:
    for name, minutes in (("as configured", 1.0), ("another", 2.0), ("another", 3.0)):
        put_variant("0", name, minutes)
        rows = table("demo", "demo ablation")[2:]
    assert [(row[0], row[-2]) for row in rows] == [("as configured", "1"), ("another", "3")]


def test_a_table_with_other_columns_is_written_anew() -> None:
    old = "| variant | F1 |\n| --- | --- |\n| old | 1 |\n"
    page = f"Before.\n<!-- demo ablation -->\n{old}<!-- /demo ablation -->\nAfter.\n"
    Path("page.md").write_text(page, "utf8")
    put_variant("0", "new")
    assert [row[0] for row in table("demo", "demo ablation")[2:]] == ["new"]


def test_dense_test_texts() -> None:
    put("metrics/demo_subsets.json", {"minima": {"0": {"texts": 9, **STRICT}, "2": {"texts": 4}}, "run": NEW})
    header, _, *rows = table("demo", "demo subsets")
    assert header[:2] == ["gold relations, at least", "texts"]
    assert rows == [["0", "9", "50.0", "60.0", "30.0", "40.0"], ["2", "4", "", "", "", ""]]


def put_bench(name: str, device: str, run: Any = NEW) -> None:
    peak = {"resident": 749.3}
    speed = {"sentences_per_second": SUMMARY, "of_floor": dict.fromkeys(SUMMARY, 0.5)}
    put(f"metrics/{name}.json", {
        "device": device, "threads": 2, "texts": 64, "run": run,
        "infer": {
            "floor": {"sentences_per_second": SUMMARY},
            "batch 8": {**speed, "parts": {"encoder": 0.5, "rest": 0.25}},
            "default batching": {**speed, "parts": {"encoder": 0.4, "rest": 0.3}},
        },
        "train": {"encoder frozen": {"seconds": SUMMARY, "floor_batches": SUMMARY, "parts": {"match": 0.1}}},
        "load": {"seconds": {"pipeline": SUMMARY}, "of_encoder_and_blank": SUMMARY},
        "memory": {"prediction": peak, "training": {**peak, "allocated": 100.0}},
        "scale": {"length": {"16": {"seconds": SUMMARY, **peak}}, "batch": {}},
    })  # fmt: skip


def test_speed_has_a_row_for_every_model_and_device_that_was_measured() -> None:
    put_bench("scierc_bench", "x86_64")
    put_bench("biorelex_bench", "x86_64")
    put_bench("biorelex_bench_gpu", "NVIDIA H100")
    model = {"commit": None, "date": None, "encoder": "MiniLM", "epochs": 10}
    put_bench("ade_bench", "x86_64", {**NEW, "models": [model]})
    _, _, *rows = table("demo", "speed")
    ours = [row for row in rows if "spacy-bispn" in row[0]]
    assert [row[0].replace(", spacy-bispn", "") for row in ours] == [
        "ade, CPU", "biorelex, CPU", "biorelex, NVIDIA H100", "scierc, CPU",
    ]  # fmt: skip
    origin = ["CPU, 2 threads", "commit `bbb2222`, 2020-02-02"]
    measured = ["34.1 (30.0 to 40.0)", "0.50 (0.50 to 0.50)"]
    assert ours[0][1:] == [*measured, "MiniLM", "10", *origin]
    assert ours[1][1:] == [*measured, "not stated", "not stated", *origin]
    paper = {row[0]: row[1:] for row in rows if row not in ours}
    assert paper["biorelex, BiSPN, Tesla V100"] == [
        "40.8", "", "BioBERT-base", "75", "Tesla V100", "He and Tang (2023), table 3",
    ]  # fmt: skip
    assert paper["scierc, PL-Marker (2022), Tesla V100"][0] == "18.5" and len(paper) == 11


def test_the_bench_of_each_device_has_a_table() -> None:
    put_bench("demo_bench", "x86_64")
    put_bench("demo_bench_gpu", "NVIDIA H100")
    for name in ("demo bench", "demo bench_gpu"):
        rows = table("demo", name)[2:]
        assert [row[0] for row in rows] == [
            "floor", "batch 8", "default batching", "training, encoder frozen", "loading",
            "peak memory, prediction", "peak memory, training",
        ]  # fmt: skip
        assert rows[0][1:] == ["34.1 (30.0 to 40.0) sentences a second", ""]
        assert rows[-1][1] == "749 MB resident, 100 MB allocated"
        Path("page.md").unlink()


def test_the_bench_by_parts_and_by_size() -> None:
    put_bench("demo_bench", "x86_64")
    header, _, *rows = table("demo", "demo prediction-parts")
    assert header == ["part", "batch 8", "default batching"]
    assert rows == [["encoder", "50.0 %", "40.0 %"], ["rest", "25.0 %", "30.0 %"]]
    Path("page.md").unlink()
    assert table("demo", "demo training-parts")[2:] == [["match", "10.0 %"]]
    Path("page.md").unlink()
    seconds = "34.12 (30.00 to 40.00)"
    (row,) = table("demo", "demo growth")[2:]
    assert row == ["8 texts of so many wordpieces", "16", seconds, "749 MB resident"]


def test_the_speed_of_a_network_of_some_size() -> None:
    found = {
        "steps_per_second": SUMMARY, "sentences_per_second": {"8": SUMMARY}, "training": {"resident": 10.0},
        "prediction": {"resident": 5.0}, "per_sentence": {"entities": 4.4, "relations": 2.9}, "run": NEW,
    }  # fmt: skip
    put("metrics/demo_size_gpu.json", found)
    rows = table("demo", "demo size_gpu")[2:]
    assert rows[0] == ["training, batch 8", "34.1 (30.0 to 40.0) steps a second"]
    assert rows[1] == ["prediction, batch 8", "34 (30 to 40) sentences a second"]
    assert rows[-1][1] == "4.4 entities, 2.9 relations"


def test_attention_between_queries_that_belong_together_and_others() -> None:
    one = {"entities": ["a"] * 3, "relations": ["b"] * 2, "joined": 0.25, "others": None}
    put("metrics/demo_attention.json", {"text": "t", "models": {"as configured": one}, "run": NEW})
    assert table("demo", "demo attention")[2] == ["as configured", "3 and 2", "0.250", ""]


def test_cases_have_a_row_for_each_item_with_a_mark_of_each_model() -> None:
    marked = {
        "b — x → a": ["missing"], "a — x → b": ["missing", "right", "wrong", "right", "right"],
    }  # fmt: skip
    relations = [{"item": item, "mark": mark} for item, of in marked.items() for mark in of]
    one = {"entities": [{"item": "z", "mark": "right"}], "relations": relations}
    other = {"entities": [{"item": "c | d", "mark": "wrong"}], "relations": []}
    text = {"text": "A | and\n b.", "found": {"one": one, "other": other}}
    put("metrics/demo_cases.json", {"texts": [text], "run": NEW})
    header, _, *rows = table("demo", "demo cases")
    assert header == ["sentence, its entities and relations", "one", "other"]
    assert rows == [
        ["*A \\| and b.*", "", ""], ["c \\| d", "", "✗"], ["z", "✓", ""],
        ["a — x → b", "✓3 ✗ ○", ""], ["b — x → a", "○", ""],
    ]  # fmt: skip


def test_a_table_without_figures_stays_as_it_is() -> None:
    table("demo", "demo runs")
    assert "not yet run" in Path("page.md").read_text("utf8")


def test_a_table_names_its_runs() -> None:
    model = {"commit": "ccc3333", "date": "2020-01-31 09:00"}
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}, "run": {**NEW, "models": [model]}})
    line = inside("demo", "demo long").strip().splitlines()[-1]
    assert line == (
        "Commit `bbb2222`, 2020-02-02, CPU, 2 threads, model of commit `ccc3333`, 2020-01-31: `new`"
    )


def test_runs_of_one_command_share_a_line() -> None:
    later = {**NEW, "date": "2020-02-03 01:00"}
    for key, run in ((1, OLD), (2, NEW), (3, later)):
        put_run("demo", key, f"seed {key}", "demo", 0.3, run)
    lines = [line for line in inside("demo", "demo runs").splitlines() if line.startswith("Commit")]
    assert lines == [
        "Commit `aaa1111`, 2020-01-01, CPU, 2 threads: `old`",
        "Commit `bbb2222`, 2020-02-02 to 2020-02-03, CPU, 2 threads: `new`",
    ]


def test_a_run_that_was_not_recorded_is_unknown() -> None:
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}})
    assert inside("demo", "demo long").strip().splitlines()[-1] == "Commit unknown, unknown date"


PAGE = """# Page
<!-- measured -->

Commit `aaa1111`, last run 2020-01-01 10:00 UTC, on CPU, 2 threads

<!-- /measured -->
Since commit `ddd4444` all is better.
<!-- demo long -->
<!-- /demo long -->
<!-- demo trade -->
Commit `aaa1111`, 2020-01-01, CPU: `old`
<!-- /demo trade -->
<!-- demo curve -->
Commit unknown, unknown date
<!-- /demo curve -->
"""


@pytest.fixture
def page() -> Path:
    """A page that names its commit, with tables of that commit."""
    path = Path("page.md")
    path.write_text(PAGE, "utf8")
    return path


def test_the_page_names_its_newest_run_and_marks_all_others(page: Path) -> None:
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}, "run": NEW})
    main(page, "demo")
    text = page.read_text("utf8")
    assert "Commit `bbb2222`, last run 2020-02-02 10:00 UTC, on CPU, 2 threads\n" in text
    assert "Commit `bbb2222`, 2020-02-02, CPU, 2 threads: `new`" in text
    assert "Commit `aaa1111` (older), 2020-01-01, CPU: `old`" in text
    assert "Commit unknown (older), unknown date" in text
    assert "Since commit `ddd4444` all is better." in text, "only tables are marked"
    main(page, "demo")
    assert page.read_text("utf8") == text


def test_an_older_run_leaves_the_page_its_commit(page: Path) -> None:
    before = {**OLD, "commit": "eee5555", "date": "2019-01-01 10:00"}
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}, "run": before})
    main(page, "demo")
    text = page.read_text("utf8")
    assert "Commit `aaa1111`, last run 2020-01-01 10:00 UTC, on CPU, 2 threads\n" in text
    assert "Commit `eee5555` (older), 2019-01-01, CPU, 2 threads: `old`" in text
    assert "Commit `aaa1111`, 2020-01-01, CPU: `old`" in text


def test_a_mark_goes_when_the_page_has_that_commit_again(page: Path) -> None:
    page.write_text(
        PAGE.replace("Commit unknown, unknown date", "Commit `bbb2222` (older), 2020-02-02"), "utf8"
    )
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}, "run": NEW})
    main(page, "demo")
    assert "Commit `bbb2222`, 2020-02-02\n" in page.read_text("utf8")


def test_a_gpu_run_of_the_same_commit_leaves_the_machine(page: Path) -> None:
    gpu = {**OLD, "date": "2020-01-01 11:00", "machine": "NVIDIA H100"}
    put("metrics/demo_long.json", {"readings": {"alone": STRICT}, "run": gpu})
    main(page, "demo")
    assert "last run 2020-01-01 11:00 UTC, on CPU, 2 threads\n" in page.read_text("utf8")
