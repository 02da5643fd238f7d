"""A batch of Docs on its way through a model: windows in, padded tensors out, gradients back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from torch import Tensor

from spacy_bispn.model.given import GivenInWindows
from spacy_bispn.model.lexical import DocWords
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import Inputs, Outputs

# Padded pieces at once: what a processor keeps near, and on a GPU what is worth its start.
BATCH_PIECES = {"cpu": 1024, "cuda": 8192}


class TokenVectors:
    """What a `tok2vec` sublayer makes of some Docs, and the gradient that goes back into it.

    Windows of one Doc overlap, so their gradients add up on its tokens before they go back.
    Shape: one array (tokens, width) a Doc, of the vectors and of the gradient.
    """

    def __init__(self, model: Model[Any, Any], docs: Sequence[Doc], is_train: bool) -> None:
        sublayer = model.get_ref("tok2vec")
        if not is_train:
            check_listened_to(sublayer, docs)
        self.vectors, self._backprop = sublayer(docs, is_train)
        self.gradient = [model.ops.alloc2f(*vectors.shape) for vectors in self.vectors if is_train]

    def gather(self, windows: Sequence[Window], ids: Tensor) -> Tensor:
        """The vectors of some windows. Shape: ids (B, P) long -> (B, P, width), padded with zeros."""
        rows = [
            xp2torch(self.vectors[window.text], device=ids.device)[row[: len(window.ids)]]
            for window, row in zip(windows, ids, strict=True)
        ]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def add_gradient(self, windows: Sequence[Window], gradient: Tensor) -> None:
        """Add the gradient of what `gather` returned. Shape: (B, P, width)."""
        for window, rows in zip(windows, gradient, strict=True):
            self.gradient[window.text][window.ids] += torch2xp(rows[: len(window.ids)].float())

    def backprop(self) -> None:
        """Send the gradient into the sublayer."""
        self._backprop(self.gradient)


def check_listened_to(sublayer: Model[Any, Any], docs: Sequence[Doc]) -> None:
    """Raise ValueError for words without vectors: listeners would take them for zeros."""
    for node in sublayer.walk():
        upstream, has_vectors = _upstream(node)
        if upstream and any(len(doc) and not has_vectors(doc) for doc in docs):
            raise ValueError(
                f"the Docs have no vectors, expected those of the {upstream} component that bispn was "
                f"trained with: run that component before bispn. To move bispn into another pipeline, give "
                f'it a copy first, with source.replace_listeners("{upstream}", "bispn", ["model.tok2vec"]).'
            )


def _upstream(node: Model[Any, Any]) -> tuple[str, Callable[[Doc], bool]]:
    """The usual name of the component that a layer listens to ("" for none), and whether that read a Doc."""
    if isinstance(node, Tok2VecListener):
        return "tok2vec", lambda doc: bool(doc.tensor.size)
    # spacy-transformers, and spacy-curated-transformers unless the transformer is inside the layer
    if hasattr(node, "upstream_name") or node.attrs.get("_USE_DOC_ANNOTATIONS_FOR_PREDICTION"):
        return "transformer", lambda doc: Doc.has_extension("trf_data") and doc._.trf_data is not None
    return "", lambda doc: True


def clear_gradients(model: Model[Any, Any]) -> None:
    """Forget the gradients of the network and of its sublayer, which has not learnt from them either."""
    model.shims[0].require().zero_grad()
    for node in model.walk():
        for name in node.param_names:
            if node.has_grad(name):
                node.set_grad(name, node.ops.alloc_f(node.get_grad(name).shape))


class DocBatch:
    """Some Docs on their way through a model: their windows, and their vectors where a sublayer
    delivers them. Made once a batch and handed to the network, the targets and the decoder.

    given: the entities that are known beforehand, if there can be any.
    """

    def __init__(self, model: Model[Any, Any], docs: Sequence[Doc], is_train: bool) -> None:
        self.docs = docs
        self.words = DocWords(docs) if model.attrs["settings"].reads_words else None
        self.shim: NetworkShim = model.shims[0]
        self.shim.require()
        self.window_tokenizer = self.shim.window_tokenizer()
        self.windows = self.shim.windows(docs, is_train)
        self.given: GivenInWindows | None = None
        self.vectors: TokenVectors | None = None
        if self.shim.encoder is None and self.windows:  # a CNN cannot read nothing
            self.vectors = TokenVectors(model, docs, is_train)

    def batches(self, pieces: int | None) -> list[list[int]]:
        """Indices of windows by length, at most `pieces` padded positions together; None: what suits the
        device.
        """
        return budget(self.windows, pieces or BATCH_PIECES.get(self.shim.device.type, BATCH_PIECES["cpu"]))

    def inputs(self, batch: Sequence[int]) -> Inputs:
        """The padded tensors of some windows, with vectors in place of ids where there are any, and with the
        entities that are given in them.
        """
        windows = [self.windows[index] for index in batch]
        inputs: Inputs = self.window_tokenizer.batch(windows, self.shim.device)
        if self.words is not None:
            inputs = inputs._replace(words=self.words.of(windows, inputs.mask))
        if self.given is not None:
            inputs = self.given.add_to(inputs, batch)
        if self.vectors is None or inputs.ids is None:
            return inputs
        vectors = self.vectors.gather(windows, inputs.ids)
        return inputs._replace(ids=None, vectors=vectors)

    def outputs(
        self, batch: Sequence[int], entity_threshold: float | None, relation_threshold: float | None
    ) -> Outputs:
        """Outputs of some windows: only the queries whose label reaches its threshold."""
        return self.shim.infer(self.inputs(batch), entity_threshold, relation_threshold)

    def add_gradient(self, batch: Sequence[int], gradient: Tensor | None) -> None:
        """Keep the gradient of some windows' vectors for `backprop`, None without a sublayer.

        Shape: (B, P, width).
        """
        if self.vectors is not None and gradient is not None:
            self.vectors.add_gradient([self.windows[index] for index in batch], gradient)

    def backprop(self) -> None:
        """Send the gradients of all windows into the sublayer, if there is one."""
        if self.vectors is not None:
            self.vectors.backprop()


def budget(windows: Sequence[Window], pieces: int) -> list[list[int]]:
    """Indices of windows, sorted by length, in batches of at most `pieces` padded positions.

    The longest come first: later batches then fit into the memory that earlier ones have left.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(windows)), key=lambda index: -len(windows[index].ids)):
        if batches and (len(batches[-1]) + 1) * len(windows[batches[-1][0]].ids) <= pieces:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
