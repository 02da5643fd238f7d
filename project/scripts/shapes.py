"""How fast prediction is with encoders of several families, beside each encoder alone; random weights."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from options import Corpus, Gpu, Rounds, Texts
from provenance import metrics_file, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config, load_model_from_config
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast
from wasabi import msg

from spacy_bispn.bench.checks import bispn_of
from spacy_bispn.bench.measure import all_queries, prediction
from spacy_bispn.corpus_reader import create_reader
from spacy_bispn.model.wordpieces import learn_wordpieces

QUERIES = 16  # entities and relations of a text, all predicted: several times as many as gold has
VOCABULARY = 8000
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
# the sizes of published models
SHAPES: dict[str, dict[str, Any]] = {
    "BERT-base": {"model_type": "bert", **BASE},
    "DeBERTa-v3-base": {
        "model_type": "deberta-v2", **BASE, "relative_attention": True, "position_buckets": 256,
        "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False, "type_vocab_size": 0, "max_relative_positions": -1,
    },
    "ModernBERT-base": {
        "model_type": "modernbert", **BASE, "num_hidden_layers": 22, "intermediate_size": 1152,
    },
}  # fmt: skip


def main(
    corpus: Corpus,
    data: Texts,
    limit: Annotated[int, typer.Option(help="How many texts are read")] = 64,
    rounds: Rounds = 5,
    shapes: Annotated[str, typer.Option(help="Names of encoders, separated by commas")] = ",".join(SHAPES),
    gpu: Gpu = -1,
) -> None:
    """Time `nlp.pipe` from raw text, in turns with the encoder alone on the same texts."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu)
    found: dict[str, Any] = {}
    for shape in shapes.split(","):
        with TemporaryDirectory() as folder:
            nlp = build(corpus, SHAPES[shape], Path(folder), data)
        docs = [example.reference for example in create_reader(data, limit=limit)(nlp)]
        found[shape] = measure(nlp, docs, rounds)
        msg.text(f"{shape}: {found[shape]}")
    write_metrics(metrics_file(corpus, "shapes", gpu), {"shapes": found}, run)


def build(corpus: str, shape: dict[str, Any], folder: Path, data: Path) -> Language:
    """The corpus's pipeline around an encoder with random weights and wordpieces learnt from the texts."""
    overrides = {"paths.train": str(data), "paths.dev": str(data), "paths.encoder": str(folder)}
    config = load_config(Path("configs", f"{corpus}.cfg"), overrides, interpolate=True)
    config["components"]["bispn"]["model"]["feedforward"] = 8 * BASE["hidden_size"] // 3
    nlp = load_model_from_config(config, auto_fill=True)
    examples = list(create_reader(data)(nlp))
    tokenizer = learn_wordpieces([example.reference.text for example in examples], VOCABULARY)
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    model_type, *_ = shape.values()
    sizes = {name: value for name, value in shape.items() if name != "model_type"}
    made = AutoConfig.for_model(model_type, vocab_size=tokenizer.get_vocab_size(), pad_token_id=0, **sizes)
    AutoModel.from_config(made).save_pretrained(folder)
    nlp.initialize(lambda: examples)
    return nlp


def measure(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Speed of prediction where each text has `QUERIES` queries and all of them predict something."""
    pipe = bispn_of(nlp)
    pipe.cfg.update(type_threshold=0.0, relation_threshold=0.0, boundary_threshold=0.0)
    with all_queries(pipe, QUERIES, QUERIES):
        return prediction(nlp, docs, rounds)


if __name__ == "__main__":
    typer.run(main)
