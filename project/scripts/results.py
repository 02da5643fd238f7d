"""Write what stands in metrics/ and the training logs into the tables of a Markdown file.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`; only those whose figures exist are replaced.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from wasabi import msg

METRICS, TRAINING = Path("metrics"), Path("training")
STRICT = {"entities": "ents_f", "entities, boundaries": "ents_boundary_f",
          "relations": "rel_micro_f", "relations, boundaries": "rel_boundary_f"}  # fmt: skip
PUBLISHED = {
    "biorelex": {"official mentions": "biorelex entities", "official relations": "biorelex relations"},
    "ade": {"entities, macro": "spert entities", "relations, macro": "spert relations"},
}


def main(
    document: Annotated[Path, typer.Argument(help="The Markdown file", exists=True)],
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
) -> None:
    """Replace the tables of a corpus: scores, learning curve, ablation, decoding, speed and memory."""
    tables = {"scores": scores, "curve": curve, "ablation": ablation, "decoding": decoding, "bench": bench}
    text = document.read_text("utf8")
    for kind, make in tables.items():
        name = f"{corpus} {kind}"
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        rows = make(corpus) if block.search(text) else []
        if rows:
            table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
            text = block.sub(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", text)
            msg.good(f"{name}: {len(rows) - 2} rows")
    document.write_text(text, "utf8")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Rows of a Markdown table; none without any content."""
    return [header, ["---"] * len(header), *rows] if rows else []


def percent(scores: dict[str, Any], keys: Sequence[str]) -> list[str]:
    """Scores from 0 to 1 as percentages."""
    return ["" if scores.get(key) is None else f"{100 * scores[key]:.1f}" for key in keys]


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


def scores(corpus: str) -> list[Sequence[str]]:
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


def curve(corpus: str) -> list[Sequence[str]]:
    """Development scores as training went on; the log has percentages."""
    log = TRAINING / corpus / "log.jsonl"
    lines = list(srsly.read_jsonl(log)) if log.exists() else []
    rows = [
        [str(line["epoch"]), str(line["step"]), *(f"{line['scores'][key]:.1f}" for key in STRICT.values())]
        for line in lines if line["step"]
    ]  # fmt: skip
    return table(["epoch", "steps", *STRICT], rows)


def ablation(corpus: str) -> list[Sequence[str]]:
    """Every variant on the development set and on the test file."""
    published = PUBLISHED.get(corpus, {})
    rows = []
    done = METRICS.glob(f"ablation/{corpus}/*/variant.json")
    for file in sorted(done, key=lambda path: int(path.parent.name)):
        variant = read(file)
        test = read(file.parent / f"{corpus}.json")
        extra = by_convention(file.parent / f"{corpus}_published.json")
        rows.append([
            variant["name"], *percent(variant["development"], ["ents_f", "rel_micro_f"]),
            *percent(test, list(STRICT.values())), *percent(extra, list(published.values())),
            f"{variant['minutes']:.0f}",
        ])  # fmt: skip
    scored = ["development: entities", "relations", *(f"test: {name}" for name in STRICT), *published]
    return table(["variant", *scored, "minutes"], rows)


def decoding(corpus: str) -> list[Sequence[str]]:
    """One trained model under other settings of decoding, on the development set."""
    found = read(METRICS / f"{corpus}_decoding.json")
    rows = [[name, *percent(one, list(STRICT.values()))] for name, one in found.items()]
    return table(["setting", *STRICT], rows)


def bench(corpus: str) -> list[Sequence[str]]:
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


def spread(summary: dict[str, float] | None, digits: int) -> str:
    """A median with the least and the most."""
    values = {} if summary is None else {name: f"{value:.{digits}f}" for name, value in summary.items()}
    return "{median} ({min} to {max})".format(**values) if values else ""


if __name__ == "__main__":
    typer.run(main)
