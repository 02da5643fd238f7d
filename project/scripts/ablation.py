"""Train a corpus's config again with one thing changed at a time (table 2 of the paper, and more)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from options import ConfigFile, Corpora, Corpus, Encoder, Epochs, Fold, Gpu, Seeds
from runs import parse_numbers, study_name
from spacy.util import dict_to_dot, load_model_from_config
from thinc.api import Config
from variants import Variant, make_study, run_all
from wasabi import msg

from spacy_bispn.settings import SettingError

# settings of the component that differ from the config, with their number
VARIANTS: dict[str, dict[str, str]] = {
    "as configured": {},
    "without consistency": {"objective.alpha": "0.0"},
    "without linking": {"objective.beta": "0.0"},
    "without both": {"objective.alpha": "0.0", "objective.beta": "0.0"},  # so far table 2 of the paper
    "two shared blocks, both with losses": {"model.shared_layers": "2", "model.supervised_layers": "2"},
    "learned queries": {"model.queries": "learned"},
    "no inverses of symmetric labels": {"symmetric_labels": "[]"},
    "additive pointers": {"model.pointer": "additive"},
    "queries in the encoder": {"model.query_layer": "0"},
    "queries from encoder layer 3": {"model.query_layer": "3"},
    # where the paper's form differs from the default
    "predictors of their own": {"model.predictors": "separate"},
    "only entities that are likely to have a relation": {"objective.related_entities": "hard"},
    "argument types of all relation queries": {"objective.argument_queries": "all"},
    "means instead of sums": {"objective.reduction": "mean"},
    "wordpieces alone": {"model.lexical": "false"},
    "mentions that do not know each other": {"model.pool_mentions": "false"},
    "mentions with relations of their own": {"share_relations": "false"},
}


def main(
    corpus: Corpus,
    corpora: Corpora,
    config: ConfigFile,
    encoder: Encoder,
    epochs: Epochs = "",
    gpu: Gpu = -1,
    fold: Fold = 0,
    variants: Annotated[str, typer.Option(help="Numbers of variants, or all")] = "",
    seeds: Seeds = "",
) -> None:
    """Train and score every variant with every seed."""
    try:
        name = study_name(corpus, config, epochs=epochs)
        study = make_study(f"ablation/{name}", corpus, corpora, config, encoder, gpu, epochs)
        asked = parse_numbers(variants, tuple(range(len(VARIANTS))))
        chosen = without_effectless(study.config, asked)
        data, wanted = Path("corpus", corpus), other_seeds(study.config, seeds)
        run_all(study, [make_variant(number, data, fold, seed) for seed in wanted for number in chosen])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def other_seeds(config: str, seeds: str) -> list[int | None]:
    """The requested seeds; None is the config's own, which is also the default."""
    asked = parse_numbers(seeds, ())
    own = Config().from_disk(config, interpolate=False)["system"]["seed"] if asked else None
    return [None if seed == own else seed for seed in asked] or [None]


def without_effectless(config: str, numbers: Sequence[int]) -> list[int]:
    """The variants that change something in a config; the others are named, with the reason."""
    filled = load_model_from_config(Config().from_disk(config, interpolate=False), auto_fill=True).config
    known = dict_to_dot(filled["components"]["bispn"])
    # of a pretrained encoder the layers are not known here
    layers = known.get("model.encoder.layers", math.inf)
    kept = []
    for number in numbers:
        name, changed = variant_of(number)
        if missing := sorted(changed.keys() - known.keys()):
            reason = f"has no {missing[0]}"  # a listener has no encoder for queries to enter
        elif changed and all(known[key] == parsed(value) for key, value in changed.items()):
            reason = "has it already"
        elif int(changed.get("model.query_layer", 0)) >= layers:
            reason = f"has an encoder of {layers} layers"
        else:
            kept.append(number)
            continue
        msg.info(f"{config} {reason}: without the variant {number}, {name!r}")
    return kept


def parsed(value: str) -> Any:
    """The value of a setting as it is given on a command line."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def variant_of(number: int) -> tuple[str, dict[str, str]]:
    """Name and changes of a variant. Raises SettingError for an unknown number."""
    if not 0 <= number < len(VARIANTS):
        raise SettingError(
            "--variants", number, f"a number from 0 to {len(VARIANTS) - 1}",
            "see VARIANTS in project/scripts/ablation.py",
        )  # fmt: skip
    return list(VARIANTS.items())[number]


def make_variant(number: int, data: Path, fold: int, seed: int | None = None) -> Variant:
    """A variant by its number; `seed` replaces the config's own. Raises SettingError for an unknown one."""
    name, changed = variant_of(number)
    prefixed = {f"components.bispn.{setting}": value for setting, value in changed.items()}
    if seed is None:
        return Variant(str(number), name, data, prefixed, fold)
    return Variant(f"{number}-{seed}", name, data, {**prefixed, "system.seed": str(seed)}, fold)


if __name__ == "__main__":
    typer.run(main)
