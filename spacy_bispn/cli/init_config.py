"""`spacy bispn init-config`: a config that fits a corpus and an encoder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from spacy import util
from spacy.tokens import Doc
from thinc.api import Config, prefer_gpu
from wasabi import msg

from spacy_bispn.cli.export import read_docs
from spacy_bispn.cli.levels import show_levels
from spacy_bispn.cli.sources import PUNCTUATION, dev_beside, make_tokenizer
from spacy_bispn.files import save
from spacy_bispn.settings import SettingError

if TYPE_CHECKING:
    from spacy_bispn.diagnosis.levels import LevelComparison
    from spacy_bispn.model.encoders import Encoder

NAME = "bispn"
BATCH = 8
EPOCHS = 10  # as in project/configs
STEPS, MOST_EPOCHS = 1500, 100  # small corpora are read more often, until there are so many steps
FREQUENT = 5  # occurrences: the vocabulary is as large as the number of words that occur so often
VOCABULARY = (800, 4000)  # least and most pieces
RANDOM_RATES = {"encoder_rate": 5e-4, "decoder_rate": 1e-3}  # random weights need higher rates
READER = "spacy-bispn.Corpus.v1"
OPTIMIZER = "spacy-bispn.AdamW.v1"


def init_config_command(
    output: Annotated[Path, typer.Argument(help="The config file to write")],
    corpus: Annotated[Path, typer.Option(help="Training corpus: a .spacy file, or a folder of some")],
    encoder: Annotated[
        str | None,
        typer.Option(help="Pretrained encoder, hub name or folder; without it, a small random one"),
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", "-G", help="For training on a GPU")] = False,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language code")] = "en",
    symmetric: Annotated[
        list[str] | None, typer.Option(help="Relation label without a direction (repeatable)")
    ] = None,
    punctuation: Annotated[
        bool | None,
        typer.Option(help="Whether every punctuation mark is a token; by default as in the corpus"),
    ] = None,
    timing: Annotated[
        bool, typer.Option(help="Time a few training steps, for about 20 seconds, and say how long it takes")
    ] = True,
    force: Annotated[bool, typer.Option("--force", "-F", help="Overwrite the file if it exists")] = False,
) -> None:
    """Write a complete config that fits a corpus and an encoder."""
    try:
        check_new(output, force)
        docs = read_docs(corpus)
        make_tokenizer(lang)  # raises ValueError for a language that spaCy does not have
        if punctuation is None:
            punctuation = prefers_punctuation(lang, docs)
        config = base_config(docs, corpus, encoder, gpu, lang, symmetric or [], punctuation)
        filled, levels = fit(config, docs)
    except (ValueError, ImportError) as error:  # an encoder may need a package that is not installed
        msg.fail("The config cannot be written", str(error), exits=1)
    save(output, filled.to_str())
    tokenizer = filled["nlp"]["tokenizer"]["@tokenizers"]
    msg.good(
        f"{output}: {filled['training']['max_epochs']} epochs over {len(docs)} texts, tokens by {tokenizer}"
    )
    if levels.recommend() is not levels.whole:
        show_levels(levels)
    if timing:
        show_timing(filled, gpu, levels)
    on_gpu = " --gpu-id 0" if gpu else ""
    command = f"python -m spacy bispn train {output} --output training --paths.dev {dev_beside(corpus)}"
    msg.text(f"{command}{on_gpu}")


def check_new(output: Path, force: bool) -> None:
    """Raise SettingError for a file that exists, unless it is to be overwritten."""
    if output.exists() and not force:
        advice = "choose another name, or pass --force to overwrite it"
        raise SettingError("the output", str(output), "a file that does not exist", advice)


def show_timing(config: Config, gpu: bool, levels: LevelComparison) -> None:
    """Print how long the training takes, on the GPU if it is for one."""
    from spacy_bispn.cli.training_time import show_time

    if gpu and not prefer_gpu():
        msg.info("Training: not timed, as there is no GPU here")
    else:
        show_time(config, has_dev=False, levels=levels)


def prefers_punctuation(lang: str, docs: Sequence[Doc]) -> bool:
    """Whether the punctuation tokenizer fits a corpus better than that of the language.

    The better one has fewer tokens in which entities end; of equals, it reproduces the tokens of more texts.
    """
    from spacy_bispn.cli.preparing import to_samples
    from spacy_bispn.diagnosis.corpus_checks import inside

    fits: list[tuple[int, int]] = []
    for punctuation in (False, True):
        samples = to_samples(make_tokenizer(lang, punctuation), docs)
        cut = sum(inside(sample, entity) for sample in samples for entity in sample.extraction.entities)
        fits.append((-cut, sum(sample.words == sample.tokens for sample in samples)))
    return fits[1] > fits[0]


def base_config(
    docs: Sequence[Doc],
    corpus: Path,
    encoder: str | None,
    gpu: bool,
    lang: str,
    symmetric: list[str],
    punctuation: bool,
) -> Config:
    """What differs from the defaults of spaCy and the component, without the settings that are measured."""
    steps = math.ceil(len(docs) / BATCH)
    epochs = max(EPOCHS, min(math.ceil(STEPS / steps), MOST_EPOCHS))
    if encoder is None:
        source = {"@misc": "spacy-bispn.RandomEncoder.v1", "vocabulary": vocabulary(docs)}
    else:
        source = {"@misc": "spacy-bispn.PretrainedEncoder.v1", "name": "${paths.encoder}"}
    component = {
        "factory": "bispn",
        "symmetric_labels": symmetric,
        "model": {"@architectures": "spacy-bispn.BiSPN.v1", "encoder": source},
    }
    training = {
        "max_epochs": epochs,
        "max_steps": 0,
        "patience": 0,
        # slightly less than an epoch: spaCy evaluates the last step only if it is a multiple
        "eval_frequency": max((steps * epochs - 1) // epochs, 1),
        "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": BATCH},
        "optimizer": {
            "@optimizers": OPTIMIZER,
            "epochs": "${training.max_epochs}",
            **(RANDOM_RATES if encoder is None else {}),
        },
    }
    readers = {part: {"@readers": READER, "path": f"${{paths.{part}}}"} for part in ("train", "dev")}
    nlp: dict[str, Any] = {"lang": lang, "pipeline": [NAME]}
    if punctuation:
        nlp["tokenizer"] = {"@tokenizers": PUNCTUATION}
    return Config(
        {
            "paths": {"train": str(corpus), "dev": None, **({"encoder": encoder} if encoder else {})},
            "system": {"gpu_allocator": "pytorch" if gpu else None},
            "nlp": nlp,
            "components": {NAME: component},
            "corpora": readers,
            "training": training,
        }
    )


def vocabulary(docs: Sequence[Doc]) -> int:
    """How many wordpieces to learn: as many as there are frequent words, rounded up to hundreds."""
    words = Counter(token.text for doc in docs for token in doc)
    least, most = VOCABULARY
    frequent = sum(count >= FREQUENT for count in words.values())
    return min(max(math.ceil(frequent / 100) * 100, least), most)


def fit(config: Config, docs: Sequence[Doc]) -> tuple[Config, LevelComparison]:
    """The config with the settings that suit the encoder and the corpus, and the defaults of all others;
    and what the texts would be at other levels.

    Raises ValueError if the corpus has no relations, a symmetric label is unknown or the encoder unreadable.
    """
    # `spacy` imports all commands whenever it starts; transformers can wait until one needs it
    from spacy_bispn.cli.preparing import apply, examine

    nlp = util.load_model_from_config(config, auto_fill=True)
    diagnosis = examine(nlp, NAME, docs, [])
    unusable = [x for x in diagnosis.findings if x.level == "error" and not x.repairable]
    if unusable:
        (found,) = unusable[:1]
        raise ValueError(f"{found.count} of {found.total} {found.message} {', '.join(found.examples)}")
    apply(config, NAME, diagnosis.recommended)
    if "encoder" in config["paths"]:
        config["components"][NAME]["model"].update(sizes_and_looks(nlp.get_pipe(NAME).shim.encoder))
    filled: Config = util.load_model_from_config(config, auto_fill=True).config
    return filled, diagnosis.levels


def sizes_and_looks(encoder: Encoder) -> dict[str, int | bool]:
    """As many heads as the encoder, or the next fewer that divide its width, a feed-forward layer 8/3 as wide
    as it, rounded up to 64, and what words look like, if it does not see case.
    """
    shape: Any = encoder.model.config
    normalizer = encoder.tokenizer.normalizer
    heads = range(shape.num_attention_heads, 0, -1)
    return {
        "heads": next(count for count in heads if shape.hidden_size % count == 0),
        "feedforward": math.ceil(shape.hidden_size * 8 / 3 / 64) * 64,
        "lexical": normalizer is not None and normalizer.normalize_str("A") == "a",
    }
