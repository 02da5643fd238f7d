"""Train a corpus with several seeds or on several folds; results.py gives mean and standard deviation."""

from pathlib import Path
from typing import Annotated

import typer
from prepare import HELD_OUT, RELEASED, prepare
from variants import Variant, is_done, make_study, run_all

FOLDS = {"ade": tuple(range(10))}
SEEDS = (2023, 2024, 2025)  # the first is that of the configs
MORE_SEEDS = {"text2dt": (*SEEDS, 2026, 2027)}  # which vote
PLACE = "runs"


def study_name(corpus: str, protocol: str) -> str:
    """The corpus; runs whose model is chosen on the test file never stand among the others."""
    return corpus if protocol == HELD_OUT else f"{corpus}-{RELEASED}"


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    corpora: Annotated[Path, typer.Argument(help="Folder with a folder for each corpus, as published")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder of the pretrained encoder")],
    epochs: Annotated[str, typer.Option(help="Epochs, or nothing for the config's own")] = "",
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3, or nothing for the corpus's")] = "",
    folds: Annotated[str, typer.Option(help="Folds of ADE such as 0,1, or nothing for all")] = "",
    protocol: Annotated[str, typer.Option(help="held-out, or released: choose on the test file")] = HELD_OUT,
) -> None:
    """Prepare, train and score every fold of a corpus that has folds, every seed of any other."""
    name = study_name(corpus, protocol)
    try:
        study = make_study(f"{PLACE}/{name}", corpus, corpora, config, encoder, gpu, epochs)
        if corpus in FOLDS:
            variants = [
                Variant(str(fold), f"fold {fold}", Path("corpus", name, str(fold)), fold=fold)
                for fold in numbers(folds, FOLDS[corpus])
            ]
        else:
            data = Path("corpus", name)
            variants = [
                Variant(str(seed), f"seed {seed}", data, {"system.seed": str(seed)})
                for seed in numbers(seeds, MORE_SEEDS.get(corpus, SEEDS))
            ]
        # made anew whenever something is run: what was published may have changed since
        wanted = {one.data: one.fold for one in variants if not is_done(study, one)}
        for data, fold in wanted.items():
            prepare(corpus, corpora, data, fold, protocol)
        run_all(study, variants)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def numbers(given: str, usual: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers from "0,1,2". Raises ValueError for other words."""
    try:
        return tuple(int(number) for number in given.split(",")) if given else usual
    except ValueError as error:
        raise ValueError(
            f"the numbers are {given!r}, expected some with commas between them: write 0,1,2."
        ) from error


if __name__ == "__main__":
    typer.run(main)
