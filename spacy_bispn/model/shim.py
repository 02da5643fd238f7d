"""The only seam between thinc and torch: a shim that holds the network, and its thinc model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from spacy.tokens import Doc
from thinc.api import NumpyOps, Shim, get_torch_default_device
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from spacy_bispn.context import get_context
from spacy_bispn.doc_utils import sentence_starts
from spacy_bispn.model.averages import StandIns
from spacy_bispn.model.encoders import Encoder, rebuild
from spacy_bispn.model.optimizers import AdamW, clip
from spacy_bispn.model.skip_init import SkipInit
from spacy_bispn.model.windowing import (
    LONGEST_WINDOW,
    SpecialPieces,
    Window,
    WindowLengths,
    WindowSettings,
    WindowTokenizer,
)
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.quantization import quantize
from spacy_bispn.nn.shapes import Inputs, Outputs, Proposals
from spacy_bispn.safetensors_io import Parts, pack, unpack
from spacy_bispn.settings import SWITCH, Settings, Values, setting

NO_SPECIAL = SpecialPieces((), (), 0)  # positions that are tokens; padding takes the vector of token 0
PRECISIONS = ("full", "bf16", "int8")
# not cuDNN, which newer GPUs prefer: it plans a kernel for every new shape, and here every batch has its own
ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
GIVEN_TYPE = "queries.given_type.weight"
Build = Callable[..., Network]

# a forked process (`n_process=2`) inherits torch's thread pool without its threads and would wait for ever
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class Trained(NamedTuple):
    """The results of a training pass: outputs of the supervised layers, and the proposals."""

    outputs: Outputs
    proposals: Proposals | None


class State(NamedTuple):
    """What a shim holds; sizes are the width of the inputs and the numbers of entity and relation types."""

    network: Network | None
    encoder: Encoder | None
    sizes: tuple[int, ...]
    epoch: float
    training_lengths: WindowLengths | None


@dataclass(frozen=True)
class Precision(Settings):
    """The dtype of computations. Raises SettingError for an unknown one."""

    mixed_precision: bool = setting(
        SWITCH,
        "bf16 on a GPU that has it (compute capability 8.0 and above); without effect elsewhere.",
        default=True,
    )
    cpu_precision: str = setting(
        Values(choices=PRECISIONS),
        'In what is computed at prediction on a CPU; training always has 32 bits there. `"bf16"` needs a CPU '
        "that has it (AVX-512 BF16, AMX) to be faster. With either, scores move a little, and with the texts "
        "that are read together. Speed and F1: "
        "[performance.md](performance.md#what-can-be-given-up-for-speed).",
        default="full",
    )


class NetworkShim(Shim):  # type: ignore[misc]
    """Holds a network that is built once its labels are known.

    build: makes the network from an encoder (None where vectors come from elsewhere), the width of
    its inputs, and the numbers of entity and relation types. windowing: how texts are cut.
    """

    def __init__(self, build: Build, precision: Precision, windowing: WindowSettings) -> None:
        super().__init__(None)
        self.build = build
        self.windowing = windowing
        self.precision = precision
        self.network: Network | None = None
        self.quantized: Network | None = None  # made from the network when it is first needed
        self.encoder: Encoder | None = None
        self.given_types = False  # whether the types of given entities join their queries
        self.sizes: tuple[int, ...] = (0, 0, 0)
        self.training_lengths: WindowLengths | None = None
        self.epoch = 0.0
        self.grown = False  # whether there are labels that it did not know when it was created or loaded
        self.last_step = 0.0  # the epoch of the last change of the weights, or of their loading
        self.averages: Mapping[str, Tensor] = {}  # of the weights, after a step
        self.stand_ins = StandIns()

    def create(self, encoder: Encoder | None, width: int, entity_types: int, relation_types: int) -> None:
        """Build the network with fresh weights (those of `encoder` are kept)."""
        self.encoder = encoder
        self.sizes = (width, entity_types, relation_types)
        self.training_lengths = None
        self.epoch, self.last_step, self.grown, self.averages = 0.0, 0.0, False, {}
        network = self.build(encoder, *self.sizes, given_types=self.given_types)
        self.network, self.quantized = network.to(get_torch_default_device()), None

    def grow(self, entity_types: int, relation_types: int) -> None:
        """Make room for more labels; weights are kept. Raises ValueError where there is no network yet."""
        self.require().grow(entity_types, relation_types)
        self.sizes, self.quantized = (self.sizes[0], entity_types, relation_types), None
        self.grown = True

    def window_tokenizer(self, windowing: WindowSettings | None = None) -> WindowTokenizer:
        """What cuts texts for this network, or as it would be with other settings.

        A window never exceeds the encoder's positions; raises SettingError if its context would.
        """
        windowing = windowing or self.windowing
        if self.encoder is None:
            window = windowing.window or LONGEST_WINDOW
            return WindowTokenizer(None, NO_SPECIAL, window, windowing.overlap, self.training_lengths)
        special = self.encoder.special
        fitted = windowing.within(self.encoder.longest, len(special.opening) + len(special.closing))
        sizes = (fitted.window or LONGEST_WINDOW, fitted.overlap, self.training_lengths, fitted.context)
        return WindowTokenizer(self.encoder.tokenizer, special, *sizes)

    def windows(self, docs: Sequence[Doc], is_train: bool = False) -> list[Window]:
        """The windows of some Docs, in order. In prediction, texts longer than those of the training are
        read by sentences.
        """
        own = docs if self.encoder is None else ()  # a tokenizer makes its own pieces
        tokens = [[(token.idx, token.idx + len(token)) for token in doc] for doc in own]
        sentences = None if is_train else lambda text: sentence_starts(docs[text])
        around = [get_context(doc) for doc in docs]
        return self.window_tokenizer().windows([doc.text for doc in docs], tokens, sentences, around)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are: thinc's device for torch (`--gpu-id`, `spacy.require_gpu`) when
        they were made or loaded, whatever the device of the calling thread.
        """
        device: torch.device = next(self.require().parameters()).device
        return device

    def require(self) -> Network:
        """The network. Raises ValueError before `initialize` or loading."""
        if self.network is None:
            raise ValueError(
                "the component 'bispn' has no weights yet, expected an initialized or a loaded one: "
                "call nlp.initialize(get_examples) or load a trained pipeline."
            )
        return self.network

    def freeze_encoder(self, frozen: bool) -> None:
        """Freeze the encoder's weights, or let them learn again."""
        if self.encoder is not None:
            self.encoder.model.requires_grad_(not frozen)

    def infer(
        self, inputs: Inputs, entity_threshold: float | None, relation_threshold: float | None
    ) -> Outputs:
        """Prediction without gradients: only the queries whose label reaches its threshold."""
        network = self.require().eval()
        if self.device.type == "cpu" and self.precision.cpu_precision == "int8":
            self.quantized = network = self.quantized or quantize(network)
        with self.autocast():
            return network.forward_pruned(inputs, entity_threshold, relation_threshold)

    def begin_update(self, inputs: Inputs) -> tuple[Trained, Callable[[Tensor], Tensor | None]]:
        """A training pass, and the function that carries the loss back through it.

        The function returns the gradient of `inputs.vectors`, None where there are none. It raises
        FloatingPointError where the loss or that gradient is no finite number.
        """
        self.stand_ins.put_back()
        network = self.require().train()
        if inputs.vectors is not None:
            inputs = inputs._replace(vectors=inputs.vectors.detach().requires_grad_())
        with self.autocast(is_train=True):
            trained = Trained(*network(inputs))

        def backprop(loss: Tensor) -> Tensor | None:
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()}, expected a finite number")
            loss.backward()
            gradient = None if inputs.vectors is None else inputs.vectors.grad
            if gradient is not None and not gradient.isfinite().all():  # it must not reach a sublayer
                raise FloatingPointError("the gradient of the vectors is not finite, expected finite numbers")
            return gradient

        return trained, backprop

    @contextmanager
    def autocast(self, is_train: bool = False) -> Iterator[None]:
        """The context of all computation: bf16 where it is set, on a GPU or at prediction on a CPU, and
        attention kernels that are not planned anew for each shape.
        """
        on_cpu = self.precision.cpu_precision == "bf16" and not is_train
        enabled = self.mixed if self.device.type == "cuda" else on_cpu
        with torch.autocast(self.device.type, torch.bfloat16, enabled=enabled), sdpa_kernel(ATTENTION):
            yield

    @property
    def mixed(self) -> bool:
        """Whether bf16 is set and this GPU has it: older ones only emulate it, slowly."""
        return self.precision.mixed_precision and torch.cuda.get_device_capability(self.device) >= (8, 0)

    @property
    def exact(self) -> bool:
        """Whether prediction computes in 32 bits, so that an answer does not depend on the other texts."""
        return not self.mixed if self.device.type == "cuda" else self.precision.cpu_precision == "full"

    def finish_update(self, optimizer: Any) -> None:
        """One step of our own AdamW, or of any other thinc optimizer parameter by parameter.

        Raises FloatingPointError, before any weight changes, if the gradients are no finite numbers.
        """
        network = self.require()
        self.quantized = None  # its weights are about to be outdated
        if isinstance(optimizer, AdamW):
            when = (self.epoch, self.last_step, self.grown)
            # a listener's averages would not fit what it gets, which is not averaged
            optimizer.step_module(self.id, network, *when, averaged=self.encoder is not None)
            self.averages = (optimizer.averages or {}).get(self.id, {})
            self.last_step = self.epoch
            return
        clip(network.parameters(), math.inf)
        ops = NumpyOps()
        for name, weight in network.named_parameters():
            if weight.grad is not None:
                values, gradient = ops.asarray(weight.data.cpu()), ops.asarray(weight.grad.cpu())
                updated, _ = optimizer((self.id, name), values, gradient)
                weight.data = torch.as_tensor(updated, device=weight.device)
                weight.grad = None

    @contextmanager
    def use_params(self, params: Mapping[Any, Any]) -> Iterator[None]:
        """Predict and save with the averages of `AdamW.averages`, if they are of this network's training;
        `nlp.use_params` calls it.
        """
        if self.network is None or params.get(self.id) is not self.averages:
            yield
            return
        self.quantized = None
        try:
            with self.stand_ins.use(self.network, self.averages):
                yield
        finally:
            self.quantized = None

    def to_device(self, device_type: str, device_id: int) -> None:
        """Called by thinc when its model moves."""
        self.quantized = None
        if self.network is not None:
            self.network.to(f"cuda:{device_id}" if device_type == "gpu" else device_type)

    def dump(self) -> Parts:
        """What the network is, as plain values, and its weights."""
        values: dict[str, Any] = {"sizes": self.sizes, "epoch": self.epoch, "seen": self.training_lengths}
        if self.network is None:
            return values, {}
        values["encoder"] = self.encoder.describe() if self.encoder else None
        return values, self.network.state_dict()

    def fresh(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> State:
        """A network of its own with dumped weights; the shim stays as it is.

        Raises ValueError where they are damaged or do not fit this config.
        """
        try:
            sizes, epoch = tuple(map(int, values["sizes"])), float(values["epoch"])
            lengths = WindowLengths(*map(int, values["seen"])) if values["seen"] else None
            if "encoder" not in values:
                return State(None, None, sizes, epoch, lengths)
            if (GIVEN_TYPE in tensors) != self.given_types:
                raise ValueError(
                    "the network was trained with another setting of entities, expected the same, as only "
                    "one for given entities knows their types"
                )
            with SkipInit():
                encoder = rebuild(values["encoder"]) if values["encoder"] else None
                network = self.build(encoder, *sizes, given_types=self.given_types)
            network.load_state_dict(tensors)
        except Exception as error:  # whatever damage may cause
            raise ValueError(
                f"the saved weights do not fit the model of this config ({type(error).__name__}: {error}), "
                f"expected the tensors of the network that the config describes: load them with the config "
                f"they were saved with."
            ) from error
        return State(network, encoder, sizes, epoch, lengths)

    def take(self, state: State) -> None:
        """Replace the network."""
        self.network, self.encoder, self.sizes, self.epoch, self.training_lengths = state
        self.quantized = None
        self.last_step, self.grown, self.averages = self.epoch, False, {}
        if self.network is not None:
            self.network.to(get_torch_default_device())

    def to_bytes(self) -> bytes:
        """What `dump` gives, for thinc, which saves models as bytes."""
        return pack(*self.dump())

    def from_bytes(self, data: bytes) -> NetworkShim:
        """Take over what `to_bytes` wrote. Raises ValueError, and changes nothing, for anything else."""
        self.take(self.fresh(*unpack(data)))
        return self
