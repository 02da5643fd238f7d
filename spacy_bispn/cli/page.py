"""`spacy bispn page`: texts with predicted entities and relations drawn beside gold, as HTML."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model

from spacy_bispn.cli.evaluate import judge_docs
from spacy_bispn.cli.html_report import PageSource, write_page
from spacy_bispn.cli.sources import GPU
from spacy_bispn.corpus_reader import create_reader, predict_examples
from spacy_bispn.evaluation.scorer import symmetric_labels


def page_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="A .spacy file with gold", exists=True)],
    output: Annotated[Path, typer.Argument(help="The HTML file to write")],
    limit: Annotated[int, typer.Option(help="How many texts are shown; 0 shows all", min=0)] = 12,
    gpu_id: GPU = -1,
) -> None:
    """Show what a pipeline finds beside what was annotated."""
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    examples = list(create_reader(data)(nlp))
    texts = judge_docs(predict_examples(nlp, examples[: limit or None]))
    source = PageSource.of(nlp, model, data, len(examples), ["strict"], symmetric_labels(nlp))
    write_page(output, source, texts)
