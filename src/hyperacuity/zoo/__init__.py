"""The models at hand: what each is (its card) and where its files are.

A model is two files: NAME.safetensors, whose metadata holds the card, and NAME.onnx, the same network for ONNX
Runtime. There may be two more: NAME-int8.onnx where 8 bits pay, and NAME-sampler.onnx of a network that draws samples.
Those of the package are in this folder, their hashes in SHA256SUMS: a name never changes its file. "bicubic" and
"lanczos" are models without a file, the classical baseline.

A name such as "fsrcnn-x2" is a family and a scale. Asked for "fsrcnn", the chain takes the family's model for the
scale. "fast", "balanced" and "best" are presets: other names of families.

`catalogue.csv` lists published weights of other projects; those that the user has fetched are models in the cache
folder.

`card`, `files`, `shipped` (the package's own models), `catalogue`, `fetched`, `names`, `chain`, `roles` (which family
`auto` takes) and `blending` (a model between two models, with `onnx_weights`) hold the parts.
"""

from __future__ import annotations

from hyperacuity.zoo.blending import blend, blend_family, check_strength
from hyperacuity.zoo.card import CLASSICAL, Card
from hyperacuity.zoo.catalogue import PublishedWeights, find_published, read_catalogue
from hyperacuity.zoo.chain import LARGEST_SCALE, ChainStep, chain_steps, plan_chain
from hyperacuity.zoo.fetched import fetched_folder, fetched_models
from hyperacuity.zoo.files import CHECKPOINT_SUFFIXES, MODEL_SUFFIXES, Model, int8_path, open_model, sampler_path
from hyperacuity.zoo.generative import is_generative, refuse_generative, restores
from hyperacuity.zoo.names import DEFAULT, PRESETS, find_models, installed
from hyperacuity.zoo.roles import AUTO, ROLES, find_role, has_roles
from hyperacuity.zoo.shipped import FOLDER, RESAMPLERS, models, speed, verify

__all__ = [
    "AUTO",
    "CHECKPOINT_SUFFIXES",
    "CLASSICAL",
    "DEFAULT",
    "FOLDER",
    "LARGEST_SCALE",
    "MODEL_SUFFIXES",
    "PRESETS",
    "RESAMPLERS",
    "ROLES",
    "Card",
    "ChainStep",
    "Model",
    "PublishedWeights",
    "blend",
    "blend_family",
    "chain_steps",
    "check_strength",
    "fetched_folder",
    "fetched_models",
    "find_models",
    "find_published",
    "find_role",
    "has_roles",
    "installed",
    "int8_path",
    "is_generative",
    "models",
    "open_model",
    "plan_chain",
    "read_catalogue",
    "refuse_generative",
    "restores",
    "sampler_path",
    "speed",
    "verify",
]
