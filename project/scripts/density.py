"""Train and score a config on the texts with at least 0, 1 and 2 relations (table 4 of the paper).

The same texts are left out of training, development and test files.
"""

from pathlib import Path

import spacy
import typer
from options import ConfigFile, Corpora, Corpus, Encoder, Epochs, Fold, Gpu
from runs import study_name
from spacy.tokens import DocBin
from subsets import MINIMA
from variants import Variant, make_study, run_all
from wasabi import msg

from spacy_bispn import annotations

DENSITY = "density"  # folder in training/, metrics/ and the corpus's


def keep_dense(source: Path, output: Path, minimum: int) -> int:
    """Write the Docs of a .spacy file that have at least so many relations; returns how many these are.

    Raises ValueError if none has.
    """
    vocab = spacy.blank("xx").vocab
    docs = list(DocBin().from_disk(source).get_docs(vocab))
    kept = [doc for doc in docs if len(annotations.read(doc).relations) >= minimum]
    if not kept:
        raise ValueError(
            f"{source} has no text with {minimum} relations, expected some: the experiment needs a corpus "
            f"whose texts have several relations."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    DocBin(docs=kept).to_disk(output)
    msg.info(f"{output}: {len(kept)} of {len(docs)} texts")
    return len(kept)


def main(
    corpus: Corpus,
    corpora: Corpora,
    config: ConfigFile,
    encoder: Encoder,
    epochs: Epochs = "",
    gpu: Gpu = -1,
    fold: Fold = 0,
) -> None:
    """Train and score each of the three densities."""
    whole = Path("corpus", corpus)
    try:
        name = study_name(corpus, config, epochs=epochs)
        study = make_study(f"{DENSITY}/{name}", corpus, corpora, config, encoder, gpu, epochs)
        variants = []
        for minimum in MINIMA:
            data = whole / DENSITY / str(minimum)
            texts = {
                part: keep_dense(whole / f"{part}.spacy", data / f"{part}.spacy", minimum)
                for part in ("train", "dev", "test")
            }
            variants.append(Variant(str(minimum), f"at least {minimum}", data, fold=fold, texts=texts))
        run_all(study, variants)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
