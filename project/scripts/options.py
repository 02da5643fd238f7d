"""The arguments and options that several scripts have."""

from pathlib import Path
from typing import Annotated

import typer

Corpus = Annotated[str, typer.Argument(help="Name of the corpus")]
Corpora = Annotated[Path, typer.Argument(help="Folder with a folder for each corpus, as published")]
ConfigFile = Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")]
Encoder = Annotated[str, typer.Argument(help="Hub name or folder, 'random', or nothing")]
Model = Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)]
Trainings = Annotated[str, typer.Argument(help="Folders of trainings, with commas between them")]
Texts = Annotated[Path, typer.Argument(help="Texts with gold, a .spacy file", exists=True)]
Epochs = Annotated[str, typer.Option(help="Epochs of each training, or nothing for the config's own")]
Seeds = Annotated[str, typer.Option(help="Seeds such as 1,2,3, or nothing for those of the workflow")]
Fold = Annotated[int, typer.Option(help="Fold of ADE")]
Protocol = Annotated[str, typer.Option(help="held-out, or released: models chosen on the test file")]
Gpu = Annotated[int, typer.Option(help="GPU, or -1 for the CPU")]
Rounds = Annotated[int, typer.Option(help="How often everything is measured")]
