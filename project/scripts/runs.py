"""Train a corpus with several seeds or on several folds; results.py computes mean and deviation."""

from pathlib import Path
from typing import Annotated

import typer
from options import ConfigFile, Corpora, Corpus, Encoder, Epochs, Gpu, Protocol, Seeds
from prepare import HELD_OUT, RELEASED, prepare
from train import config_of, epochs_of
from variants import Variant, is_done, make_study, run_all

from spacy_bispn.settings import SettingError

FOLDS = {"ade": tuple(range(10))}
SEEDS = (2023, 2024, 2025)  # the first is that of the configs
MORE_SEEDS = {"text2dt": (*SEEDS, 2026, 2027)}  # for the vote
RUNS = "runs"  # folder in training/ and metrics/


def study_name(corpus: str, config: str = "", protocol: str = HELD_OUT, epochs: str = "") -> str:
    """The corpus, with what differs from its own runs: "ade-paper", "ade-paper-10_epochs", "ade-released".

    That is the form of another config, other epochs than the config's, and the released protocol.
    """
    form = [word for word in Path(config).stem.split("_") if word not in ("", corpus)]
    if epochs and int(epochs) != epochs_of(config_of(corpus, config, "")[0]):
        form.append(f"{epochs}_epochs")
    return "-".join([corpus, *form, *([] if protocol == HELD_OUT else [RELEASED])])


def main(
    corpus: Corpus,
    corpora: Corpora,
    config: ConfigFile,
    encoder: Encoder,
    epochs: Epochs = "",
    gpu: Gpu = -1,
    seeds: Seeds = "",
    folds: Annotated[str, typer.Option(help="Folds of ADE such as 0,1, or nothing for all")] = "",
    protocol: Protocol = HELD_OUT,
) -> None:
    """Prepare, train and score every fold of a corpus that has folds, every seed of any other."""
    name, converted = study_name(corpus, config, protocol, epochs), study_name(corpus, protocol=protocol)
    try:
        study = make_study(f"{RUNS}/{name}", corpus, corpora, config, encoder, gpu, epochs)
        if corpus in FOLDS:
            variants = [
                Variant(str(fold), f"fold {fold}", Path("corpus", converted, str(fold)), fold=fold)
                for fold in parse_numbers(folds, FOLDS[corpus])
            ]
        else:
            data = Path("corpus", converted)
            variants = [
                Variant(str(seed), f"seed {seed}", data, {"system.seed": str(seed)})
                for seed in parse_numbers(seeds, MORE_SEEDS.get(corpus, SEEDS))
            ]
        # converted again for every run: the published files may have changed since
        wanted = {one.data: one.fold for one in variants if not is_done(study, one)}
        for data, fold in wanted.items():
            prepare(corpus, corpora, data, fold, protocol)
        run_all(study, variants)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_numbers(given: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers from "0,1,2", or the default for nothing. Raises SettingError for anything else."""
    try:
        return tuple(int(number) for number in given.split(",")) if given else default
    except ValueError as error:
        raise SettingError(
            "a list of numbers", given, "integers separated by commas", "write 0,1,2"
        ) from error


if __name__ == "__main__":
    typer.run(main)
