"""The rows of the tables about speed and memory, made from the files of measure.py, trade.py and size.py."""

from collections.abc import Mapping

from comparison import COLUMNS, OURS, speeds
from formatting import STRICT, Figures, Rows, Table, markdown, percent, percents, read, run_in_words
from paper import UNKNOWN
from provenance import METRICS

from spacy_bispn.bench.figures import spread

GROWTH = {
    "length": "8 texts of so many wordpieces", "queries": "8 sentences with so many queries of each kind",
    "sentences": "a text of so many sentences", "batch": "32 sentences in batches of so many",
}  # fmt: skip


def speed() -> Table:
    """Prediction speed of all measured models on each device, below the paper's systems (its table 3)."""
    rows, made = speeds(), []
    for file in sorted([*METRICS.glob("*_bench.json"), *METRICS.glob("*_bench_gpu.json")]):
        found, (corpus, _, gpu) = read(file), file.stem.partition("_bench")
        batch, run = found["infer"]["batch 8"], found.get("run", {})
        model = next(iter(run.get("models", ())), {})
        rows.append([
            f"{corpus}, {OURS}, {found['device'] if gpu else 'CPU'}",
            spread(batch["sentences_per_second"], 1), spread(batch["of_floor"], 2),
            model.get("encoder") or UNKNOWN, str(model.get("epochs") or UNKNOWN),
            run.get("machine", UNKNOWN), run_in_words(run),
        ])  # fmt: skip
        made.append(run)
    header = ["system", "sentences a second at batch 8", "of the bare encoder", *COLUMNS]
    return Table(markdown(header, rows), made)


def bench(found: Figures) -> Rows:
    """Speed and memory; medians, with minimum and maximum."""
    rows = [
        [name, f"{spread(x['sentences_per_second'], 1)} sentences a second", spread(x.get("of_floor"), 2)]
        for name, x in found["infer"].items()
    ]
    for name, step in found["train"].items():
        batches = f"a step takes {spread(step['floor_batches'], 1)} batches"
        rows.append([f"training, {name}", f"{spread(step['seconds'], 2)} seconds a step", batches])
    seconds, ratio = found["load"]["seconds"]["pipeline"], found["load"]["of_encoder_and_blank"]
    times = f"{spread(ratio, 2)} times encoder and blank pipeline"
    rows.append(["loading", f"{spread(seconds, 2)} seconds", times])
    rows += [[f"peak memory, {name}", megabytes(peak), ""] for name, peak in found["memory"].items()]
    return markdown(["", "median (minimum to maximum)", "relative to the floor"], rows)


def megabytes(peak: Mapping[str, float]) -> str:
    """Peak memory by kind."""
    return ", ".join(f"{peak[kind]:.0f} MB {kind}" for kind in ("resident", "allocated") if kind in peak)


def shares(found: Mapping[str, Figures]) -> Rows:
    """The share of each part, in columns for everything that was measured by parts."""
    parts = {name: one["parts"] for name, one in found.items() if "parts" in one}
    names = dict.fromkeys(name for one in parts.values() for name in one)
    rows = [[name, *(f"{percent(one[name])} %" for one in parts.values())] for name in names]
    return markdown(["part", *parts], rows)


def growth(found: Figures) -> Rows:
    """Seconds and peak memory by size."""
    rows = [
        [GROWTH[kind], size, spread(one["seconds"], 2), megabytes(one)]
        for kind, sizes in found["scale"].items() for size, one in sizes.items()
    ]  # fmt: skip
    return markdown(["prediction of", "size", "seconds", "peak memory"], rows)


def size(found: Figures) -> Rows:
    """Training and prediction of a network with random weights."""
    rows = [["training, batch 8", f"{spread(found['steps_per_second'], 1)} steps a second"]]
    rows += [
        [f"prediction, batch {batch}", f"{spread(one, 0)} sentences a second"]
        for batch, one in found["sentences_per_second"].items()
    ]
    rows += [[f"peak memory, {name}", megabytes(found[name])] for name in ("training", "prediction")]
    counts = ", ".join(f"{count:.1f} {kind}" for kind, count in found["per_sentence"].items())
    rows.append(["predicted for a sentence, as in gold", counts])
    return markdown(["", "median (minimum to maximum)"], rows)


def shapes(found: Figures) -> Rows:
    """Prediction with each encoder, and relative to that encoder alone."""
    rows = []
    for name, one in found["shapes"].items():
        rates = [spread(part["sentences_per_second"], 2) for part in one.values()]
        shares = [spread(part["of_floor"], 2) for part in one.values() if "of_floor" in part]
        rows.append([name, *rates, *shares])
    names = ("floor", "batch 8", "default batching", "batch 8, of floor", "default batching, of floor")
    return markdown(["encoder", *names], rows)


def trade(found: Figures) -> Rows:
    """Scores of one trained model, and its speed relative to the first row."""
    rows = [
        [name, *percents(one, STRICT), spread(one["sentences_per_second"], 1), spread(one["times"], 2)]
        for name, one in found["settings"].items()
    ]
    return markdown(["setting", *STRICT, "sentences a second", "times as fast"], rows)
