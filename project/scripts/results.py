"""Write what stands in metrics/ and the training logs into the tables of a Markdown file.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`; only those whose figures exist are replaced.
Figures of a corpus that have no place in a file where other corpora have theirs are named.
Of tables whose rows stand each for itself, rows without new figures stay.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import srsly
import typer
from wasabi import msg

from spacy_bispn.files import save

METRICS, TRAINING = Path("metrics"), Path("training")
STRICT = {"entities": "ents_f", "entities, boundaries": "ents_boundary_f",
          "relations": "rel_micro_f", "relations, boundaries": "rel_boundary_f"}  # fmt: skip
PUBLISHED = {
    "biorelex": {"official mentions": "biorelex entities", "official relations": "biorelex relations"},
    "ade": {"entities, macro": "spert entities", "relations, macro": "spert relations"},
    "text2dt": {"relations by their words": "text2dt relations"},
    "scierc": {"relations, symmetric ones twice": "symmetric-twice relations"},
    "ace05": {"relations, symmetric ones twice": "symmetric-twice relations"},
}
# the same scores in a report of `spacy bispn evaluate`
STRICT_REPORTED = ("strict entities", "boundaries entities", "strict relations", "boundaries relations")
BY_ROW = ("ablation", "speed")  # tables whose rows stand each for itself
MARKS = {"right": "✓", "wrong": "✗", "missing": "○"}

Rows = list[Sequence[str]]
Scores = list[float | None]


def main(
    document: Annotated[Path, typer.Argument(help="The Markdown file", exists=True)],
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
) -> None:
    """Replace the tables of a corpus, and those that all corpora share."""
    tables: dict[str, Callable[[str], Rows]] = {
        "scores": scores, "curve": curve, "ablation": ablation, "decoding": decoding, "bench": bench,
        "long": long_texts, "runs": runs, "density": density, "attention": attention, "cases": cases,
        "trade": trade,
    }  # fmt: skip
    made = {f"{corpus} {kind}": (make, corpus) for kind, make in tables.items()}
    made[f"{corpus}-released runs"] = runs, f"{corpus}-released"
    made["speed"] = speed, corpus
    text = document.read_text("utf8")
    for name, (make, of) in made.items():
        block = re.compile(f"(<!-- {name} -->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)
        found = block.search(text)
        rows = make(of)
        # where another corpus has its table, this one's is missed
        if rows and not found and re.search(rf"<!-- [\w-]+ {name.split()[-1]} -->", text):
            place = f"<!-- {name} --> and <!-- /{name} -->"
            msg.info(f"{name}: no place in {document.name}; it goes between {place}")
        if found and rows:
            rows = beside(found[2], rows) if name.endswith(BY_ROW) else rows
            table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
            text = block.sub(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[3]}", text)
            msg.good(f"{name}: {len(rows) - 2} rows")
    save(document, text)


def beside(old: str, rows: Rows) -> Rows:
    """Rows in the places of those of their name in an old table of the same columns, others behind them."""
    lines = [line[2:-2].split(" | ") for line in old.strip().splitlines()]
    if not lines or lines[0] != list(rows[0]):
        return rows
    named = {row[0]: row for row in [*lines[2:], *rows[2:]]}
    return [*rows[:2], *named.values()]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Rows:
    """Rows of a Markdown table; none without any content."""
    return [header, ["---"] * len(header), *rows] if rows else []


def percent(scores: dict[str, Any], keys: Sequence[str]) -> list[str]:
    """Scores from 0 to 1 as percentages."""
    return [one_digit(scores.get(key)) for key in keys]


def read(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is no file."""
    return srsly.read_json(path) if path.exists() else {}  # type: ignore[no-any-return]


def by_convention(path: Path) -> dict[str, float]:
    """F1 of a report of `spacy bispn evaluate`, under the names of convention and part."""
    conventions = read(path).get("scores", {})
    return {
        f"{name} {part}": found["f"]
        for name, parts in conventions.items() for part, found in parts.items() if found
    }  # fmt: skip


def scores(corpus: str) -> Rows:
    """The test files' scores."""
    published = PUBLISHED.get(corpus, {})
    found = {part: read(METRICS / f"{corpus}{part}.json") for part in ("", "_unseen")}
    extra = by_convention(METRICS / f"{corpus}_published.json")
    official = percent(extra, list(published.values()))
    rows = [
        [part.strip("_") or "test", *percent(one, list(STRICT.values())), *official]
        for part, one in found.items() if one
    ]  # fmt: skip
    return table(["test set", *STRICT, *published], rows)


def curve(corpus: str) -> Rows:
    """Development scores as training went on; the log has percentages."""
    log = TRAINING / corpus / "log.jsonl"
    lines = list(srsly.read_jsonl(log)) if log.exists() else []
    rows = [
        [str(line["epoch"]), str(line["step"]), *(f"{line['scores'][key]:.1f}" for key in STRICT.values())]
        for line in lines if line["step"]
    ]  # fmt: skip
    return table(["epoch", "steps", *STRICT], rows)


def ablation(corpus: str) -> Rows:
    """Every variant on the development set and on the test file; of several seeds mean and deviation."""
    found: dict[str, list[Scores]] = defaultdict(list)
    minutes: dict[str, list[float]] = defaultdict(list)
    for file, variant in variants(Path("ablation", corpus)):
        development = map(variant["development"].get, ("ents_f", "rel_micro_f"))
        found[variant["name"]].append([*development, *test_scores(file.parent, corpus)])
        minutes[variant["name"]].append(variant["minutes"])
    rows = [
        [name, *map(of_seeds, zip(*each, strict=True)), f"{mean(minutes[name]):.0f}"]
        for name, each in found.items()
    ]
    scored = ["development: entities", "relations", *(f"test: {name}" for name in STRICT)]
    return table(["variant", *scored, *PUBLISHED.get(corpus, {}), "minutes"], rows)


def runs(study: str) -> Rows:
    """Every seed or fold on its test file, mean and standard deviation, and the vote where there was one."""
    corpus, place = study.removesuffix("-released"), Path("runs", study)
    found = [
        (variant, test_scores(file.parent, corpus)) for file, variant in variants(place)
    ]
    rows = [
        [variant["name"], *map(one_digit, scored), str(variant["epochs"]), f"{variant['minutes']:.0f}"]
        for variant, scored in found
    ]
    if len(found) > 1:
        columns = list(zip(*(scored for _, scored in found), strict=True))
        for name, statistic in {f"mean of {len(found)}": mean, "standard deviation": stdev}.items():
            values = [None if None in column else statistic(column) for column in columns]
            rows.append([name, *map(one_digit, values), "", ""])
    vote = METRICS / place / "ensemble.json"
    if vote.exists():
        keys = (*STRICT_REPORTED, *PUBLISHED.get(corpus, {}).values())
        voted = map(one_digit, map(by_convention(vote).get, keys))
        rows.append([f"vote of {len(read(vote)['voters'])}", *voted, "", ""])
    return table(["run", *STRICT, *PUBLISHED.get(corpus, {}), "epochs", "minutes"], rows)


def variants(place: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The trainings of a study that are done, in the order of their numbers."""
    done = (METRICS / place).glob("*/variant.json")
    numbers = {file: tuple(map(int, file.parent.name.split("-"))) for file in done}
    return [(file, read(file)) for file in sorted(numbers, key=numbers.__getitem__)]


def test_scores(folder: Path, corpus: str) -> Scores:
    """A training's scores on its test file, strict and by the conventions of its corpus."""
    strict, official = read(folder / f"{corpus}.json"), by_convention(folder / f"{corpus}_published.json")
    return [*map(strict.get, STRICT.values()), *map(official.get, PUBLISHED.get(corpus, {}).values())]


def one_digit(score: float | None) -> str:
    """A score from 0 to 1 as a percentage."""
    return "" if score is None else f"{100 * score:.1f}"


def of_seeds(scores: Sequence[float | None]) -> str:
    """A score, or the mean of several with their standard deviation."""
    there = [score for score in scores if score is not None]
    if len(there) < len(scores):
        return ""
    return one_digit(mean(there)) + (f" ({one_digit(stdev(there))})" if len(there) > 1 else "")


def decoding(corpus: str) -> Rows:
    """One trained model under other settings of decoding, on the development set."""
    found = read(METRICS / f"{corpus}_decoding.json")
    rows = [[name, *percent(one, list(STRICT.values()))] for name, one in found.items()]
    return table(["setting", *STRICT], rows)


def long_texts(corpus: str) -> Rows:
    """The test texts alone, and as one text."""
    found = read(METRICS / f"{corpus}_long.json")
    rows = [[name, *percent(one, list(STRICT.values()))] for name, one in found.items()]
    return table(["test texts", *STRICT], rows)


def bench(corpus: str) -> Rows:
    """Medians, with the least and the most beside them."""
    found = read(METRICS / f"{corpus}_bench.json")
    if not found:
        return []
    rows = [
        [name, f"{spread(x['sentences_per_second'], 1)} sentences a second", spread(x.get("of_floor"), 2)]
        for name, x in found["infer"].items()
    ]
    for name, step in found["train"].items():
        batches = f"a step takes {spread(step['floor_batches'], 1)} batches"
        rows.append([f"training, {name}", f"{spread(step['seconds'], 2)} seconds a step", batches])
    if "load" in found:
        seconds, ratio = found["load"]["seconds"]["pipeline"], found["load"]["of_encoder_and_blank"]
        times = f"{spread(ratio, 2)} times encoder and blank pipeline"
        rows.append(["loading", f"{spread(seconds, 2)} seconds", times])
    for name, peak in found["memory"].items():
        most = ", ".join(f"{megabytes:.0f} MB {what}" for what, megabytes in peak.items())
        rows.append([f"peak memory, {name}", most, ""])
    return table(["", "median (least to most)", "of the floor"], rows)


def trade(corpus: str) -> Rows:
    """Scores of one trained model, and how fast it is beside the first row."""
    rows = [
        [
            name, *percent(one, list(STRICT.values())), spread(one["sentences_per_second"], 1),
            spread(one["times"], 2),
        ]
        for name, one in read(METRICS / f"{corpus}_trade.json").items()
    ]  # fmt: skip
    return table(["setting", *STRICT, "sentences a second", "times as fast"], rows)


def speed(_: str) -> Rows:
    """Sentences a second of every corpus whose model was measured (table 3 of the paper)."""
    rows = []
    for file in sorted(METRICS.glob("*_bench.json")):
        found = read(file)
        batch = found["infer"]["batch 8"]
        device = f"{found['device']}, {found['threads']} threads"
        measured = (spread(batch["sentences_per_second"], 1), spread(batch["of_floor"], 2))
        rows.append([file.name.removesuffix("_bench.json"), device, str(found["texts"]), *measured])
    header = ["corpus", "device", "sentences", "sentences a second at batch 8", "of the bare encoder"]
    return table(header, rows)


def density(corpus: str) -> Rows:
    """Strict scores on the texts with at least so many gold relations."""
    found = read(METRICS / f"{corpus}_density.json")
    rows = [[least, str(one["texts"]), *percent(one, list(STRICT.values()))] for least, one in found.items()]
    return table(["gold relations, at least", "texts", *STRICT], rows)


def attention(corpus: str) -> Rows:
    """Mean attention between queries that belong together, and between others."""
    found = read(METRICS / f"{corpus}_attention.json").get("models", {})
    rows = [
        [
            name, f"{len(one['entities'])} and {len(one['relations'])}",
            *("" if one[key] is None else f"{one[key]:.3f}" for key in ("joined", "others")),
        ]
        for name, one in found.items()
    ]  # fmt: skip
    return table(["model", "entity and relation queries", "entity is an end of the relation", "others"], rows)


def cases(corpus: str) -> Rows:
    """What each model finds in some sentences, marked; of missing relations gold."""
    found = read(METRICS / f"{corpus}_cases.json") or []
    rows = [
        [cell([text["text"]]), *(cell(tally(relations)) for relations in text["found"].values())]
        for text in found
    ]
    return table(["sentence", *(found[0]["found"] if found else ())], rows)


def tally(relations: Sequence[dict[str, str]]) -> list[str]:
    """A line for all mentions of a relation in the same words, with how many are right, wrong and missing."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in relations:
        counts[one["relation"]][one["mark"]] += 1
    return [f"{signs(marks)} {words}" for words, marks in sorted(counts.items())]


def signs(marks: Mapping[str, int]) -> str:
    """How often each mark was given, as "✓3 ○"."""
    given = [(sign, marks[mark]) for mark, sign in MARKS.items() if mark in marks]
    return " ".join(sign if count == 1 else f"{sign}{count}" for sign, count in given)


def cell(lines: Sequence[str]) -> str:
    """Lines in one cell of a Markdown table."""
    return "<br>".join(" ".join(line.split()).replace("|", "\\|") for line in lines) or "–"


def spread(summary: dict[str, float] | None, digits: int) -> str:
    """A median with the least and the most."""
    values = {} if summary is None else {name: f"{value:.{digits}f}" for name, value in summary.items()}
    return "{median} ({min} to {max})".format(**values) if values else ""


if __name__ == "__main__":
    typer.run(main)
