"""The options that several commands share, each declared once.

To add an option: its type here (with its help), a parameter of that type in each command that has it, and a field of
`task.Options` that the command fills with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hyperacuity.errors import UsageError, nearest

# The panels of `--help`.
INPUT, SIZE, MODEL, OUTPUT, COMPUTE, VIDEO = "Input", "Size", "Model", "Output", "Computation", "Videos"
MEASUREMENT = "Satellite and medical images (not for diagnosis, nor for decisions on safety)"
TRUST = "Trust"

# The names of `engines.ENGINES`, which a test compares: importing the engines would delay each --help.
ENGINES = ("onnxruntime", "openvino", "ncnn", "pytorch")
# Likewise the names of `metrics.METRICS`, `metrics.DEFAULT_METRICS` and `metrics.protocols.PROTOCOLS`.
METRICS = ("psnr", "ssim", "ms-ssim", "lr-psnr", "lpips", "flicker", "hallucination", "omission", "improvement")
DEFAULT_METRICS = ("psnr", "ssim", "lr-psnr")
PROTOCOLS = ("classic", "rgb", "full-range-y")
PRECISIONS = ("auto", "fp32", "fp16", "bf16", "int8")

Inputs = Annotated[
    list[str] | None, typer.Argument(metavar="IN...", help="Files, folders, patterns, or - for standard input.")
]
MoreInputs = Annotated[
    list[str] | None, typer.Option("-i", "--input", help="The same as IN, as an option.", rich_help_panel=INPUT)
]
Recursive = Annotated[
    bool,
    typer.Option("-r", "--recursive", help="Search folders in folders too; keep their tree.", rich_help_panel=INPUT),
]

Scale = Annotated[
    float | None,
    typer.Option(
        "-s",
        "--scale",
        "--outscale",
        help="The final scale, such as 2 or 3.5; 2 if no size is given.",
        rich_help_panel=SIZE,
    ),
]
Width = Annotated[int | None, typer.Option(help="Final width in pixels.", rich_help_panel=SIZE)]
Height = Annotated[int | None, typer.Option(help="Final height in pixels.", rich_help_panel=SIZE)]
Fit = Annotated[
    bool,
    typer.Option(
        "--fit", help="Keep the proportions within --width and --height; both stretch without.", rich_help_panel=SIZE
    ),
]
Megapixels = Annotated[float | None, typer.Option(help="Final area, such as 24.", rich_help_panel=SIZE)]

Model = Annotated[
    str | None,
    typer.Option("-n", "--model", "--model-name", help="A name from `hyperacuity models`.", rich_help_panel=MODEL),
]
ModelOrAuto = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--model",
        "--model-name",
        help="A name from `hyperacuity models`; auto = by what each file needs, the default for images.",
        rich_help_panel=MODEL,
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Of restoring models: 0 = natural, 1 = sharpest.",
        rich_help_panel=MODEL,
    ),
]
Faithful = Annotated[
    str | None,
    typer.Option(
        help="Correct the result to what the input allows: 1 = exactly, auto = by how clean the input is.",
        metavar="0..1|auto",
        rich_help_panel=TRUST,
    ),
]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Print what was measured, and why a model was chosen.", rich_help_panel=MODEL),
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "-m",
        "--model-path",
        help="A model file instead of a name; also an ONNX file of another project.",
        rich_help_panel=MODEL,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "-n", "--model", help="Names from `hyperacuity models`; the default model if missing.", rich_help_panel=MODEL
    ),
]
ModelPaths = Annotated[
    list[Path] | None,
    typer.Option("-m", "--model-path", help="Model files, in addition to names.", rich_help_panel=MODEL),
]
Tta = Annotated[
    bool,
    typer.Option(
        "-x",
        "--tta",
        help="Average over 8 flips and rotations: 8 times slower, a little better.",
        rich_help_panel=MODEL,
    ),
]

ErrorMap = Annotated[
    Path | None,
    typer.Option(
        help="Write for each pixel the error that it stays below with 90 %: 16-bit PNG or TIFF, 256 = 1 grey level.",
        rich_help_panel=TRUST,
    ),
]
ErrorMapLook = Annotated[
    bool, typer.Option("--error-map-look", help="The error map in colours with a legend.", rich_help_panel=TRUST)
]
ErrorMapSource = Annotated[
    str,
    typer.Option(
        "--error-map-source",
        help="network; tta = how far results for flipped and turned input differ; samples = how far samples do.",
        rich_help_panel=TRUST,
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option("--calibration", help="For the error map: a file of `calibrate`.", rich_help_panel=TRUST),
]
Report = Annotated[
    Path | None,
    typer.Option(help="Write what is known about the result: .html to read, .json.", rich_help_panel=TRUST),
]

Samples = Annotated[
    int | None,
    typer.Option(
        help="With -n vae: draw this many possible results; writes NAME-sample-1 ..., their mean and NAME-spread.png.",
        metavar="N",
        rich_help_panel=TRUST,
    ),
]
Seed = Annotated[int, typer.Option(help="Which samples: another seed draws others.", rich_help_panel=TRUST)]
Temperature = Annotated[
    float, typer.Option(help="How far samples differ: 1 as learnt, 0 not at all.", rich_help_panel=TRUST)
]

Origin = Annotated[
    bool | None,
    typer.Option(
        "--origin/--no-origin",
        help="State in XMP which software and models made the file. \\[default: for models that invent or restore]",
        show_default=False,
        rich_help_panel=TRUST,
    ),
]

Engine = Annotated[str, typer.Option(help=f"auto, {', '.join(ENGINES)}.", rich_help_panel=COMPUTE)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=COMPUTE)]
Gpu = Annotated[
    int | None, typer.Option("-g", "--gpu-id", min=0, help="Short for --device cuda:N.", rich_help_panel=COMPUTE)
]
Precision = Annotated[str, typer.Option(help=f"{', '.join(PRECISIONS)}.", rich_help_panel=COMPUTE)]
Fp32 = Annotated[bool, typer.Option("--fp32", help="Short for --precision fp32.", rich_help_panel=COMPUTE)]
Tile = Annotated[
    str,
    typer.Option(
        "-t",
        "--tile",
        help="Largest side of a tile in input pixels; 0 = no tiles; auto = as memory allows.",
        rich_help_panel=COMPUTE,
    ),
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, help="Number of files to work on at once.", rich_help_panel=COMPUTE)
]

Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="A file, a folder, or - for standard output.", rich_help_panel=OUTPUT),
]
ModelFolder = Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")]
Suffix = Annotated[str | None, typer.Option(help="Suffix for each name, such as -large.", rich_help_panel=OUTPUT)]
KeepEnding = Annotated[
    bool,
    typer.Option(
        "--keep-ending",
        help="Keep the input's ending in the name where it changes: a.jpg.png.",
        rich_help_panel=OUTPUT,
    ),
]
Ext = Annotated[
    str,
    typer.Option(
        "--ext",
        "-f",
        "--format",
        help="png, jpg, webp, tiff ...; auto = the format of the input.",
        rich_help_panel=OUTPUT,
    ),
]
Quality = Annotated[
    int | None, typer.Option(min=1, max=100, help="Quality of JPEG, WebP and AVIF.", rich_help_panel=OUTPUT)
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite results that exist; never an input.", rich_help_panel=OUTPUT)
]
ForceModel = Annotated[bool, typer.Option("--force", help="Overwrite an existing model of that name.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Skip inputs whose result exists.", rich_help_panel=OUTPUT)
]
Json = Annotated[bool, typer.Option("--json", help="Print a summary as JSON, for programs.", rich_help_panel=OUTPUT)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.", rich_help_panel=OUTPUT)]

Codec = Annotated[str | None, typer.Option(help="h264, h265, av1, vp9, ffv1; h264 if missing.", rich_help_panel=VIDEO)]
Crf = Annotated[
    float | None, typer.Option(help="Quality on the codec's own scale; smaller is better.", rich_help_panel=VIDEO)
]
Preset = Annotated[str | None, typer.Option(help="Speed of the codec.", rich_help_panel=VIDEO)]
Encoder = Annotated[
    list[str] | None,
    typer.Option("-e", metavar="KEY=VALUE", help="More options of the encoder: tune=film.", rich_help_panel=VIDEO),
]
Start = Annotated[str | None, typer.Option(help="Begin at this time: 90, 1:30.", rich_help_panel=VIDEO)]
Duration = Annotated[str | None, typer.Option(help="Length of the part to upscale: 10, 0:10.", rich_help_panel=VIDEO)]
Fps = Annotated[
    str | None,
    typer.Option(help="Frames per second of a folder of frames, such as frames/%06d.png.", rich_help_panel=VIDEO),
]
Deinterlace = Annotated[
    bool, typer.Option("--deinterlace", help="Make whole frames from interlaced fields.", rich_help_panel=VIDEO)
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Stop at the first damaged frame; refuse a JPEG or PNG without its end marker.",
        rich_help_panel=VIDEO,
    ),
]
Preview = Annotated[
    Path | None,
    typer.Option(
        help="Write only this image of one frame, or of a part of a scene, before and after.",
        rich_help_panel=VIDEO,
    ),
]

Consistent = Annotated[
    bool,
    typer.Option(
        "--consistent",
        help="Make the mean of the result under each input pixel that pixel.",
        rich_help_panel=MEASUREMENT,
    ),
]
Categorical = Annotated[
    bool, typer.Option("--categorical", help="Values are classes: enlarge by nearest.", rich_help_panel=MEASUREMENT)
]
Cog = Annotated[bool, typer.Option("--cog", help="Write a cloud-optimised GeoTIFF.", rich_help_panel=MEASUREMENT)]
AllowGenerative = Annotated[
    bool,
    typer.Option("--allow-generative", help="Allow models that invent detail.", rich_help_panel=MEASUREMENT),
]
Plane = Annotated[
    str | None,
    typer.Option(help="Axes of the slices of a NIfTI volume: xy, xz, yz.", rich_help_panel=MEASUREMENT),
]
ThroughPlane = Annotated[
    float,
    typer.Option(
        help="Slices of a NIfTI volume for each of its own, by a cubic spline.",
        show_default=False,
        rich_help_panel=MEASUREMENT,
    ),
]
Padding = Annotated[
    float | None,
    typer.Option(
        help="Stored value without a measurement, if a DICOM file declares none.", rich_help_panel=MEASUREMENT
    ),
]
KeepPrivate = Annotated[
    bool,
    typer.Option(
        "--keep-private", help="Keep private DICOM elements, also old geometry in them.", rich_help_panel=MEASUREMENT
    ),
]


def check_model(model: object, model_path: object) -> None:
    """Raise `UsageError` if a model is given by name and by file."""
    if model is not None and model_path is not None:
        raise UsageError("give a model by name (-n) or by file (-m), not both")


def read_tile(text: str) -> int | None:
    """Returns the value of --tile: None for auto, else a side in pixels."""
    if text == "auto":
        return None
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f"-t {text}: give auto, 0 for no tiles, or a side in pixels")
    return int(text)


def read_faithful(text: str | None) -> float | str | None:
    """Returns the value of --faithful."""
    if text is None or text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--faithful {text}: give auto, or a number from 0 (off) to 1 (exact)")
    return value


def read_trust(
    error_map: Path | None, look: bool, source: str, calibration: Path | None, report: Path | None, *, single: bool
) -> tuple[str | None, bool, str, str | None, str | None]:
    """Returns the fields of `ImageOptions` for --error-map and all that belongs to it, and for --report."""
    if (error_map or report) and not single:
        raise UsageError("--error-map and --report are for one image: give one input")
    if (look or calibration or source != "network") and not (error_map or report):
        raise UsageError(
            "--error-map-look, --error-map-source and --calibration are about an error map: add --error-map map.png"
        )
    if report is not None and report.suffix.lower() not in (".html", ".json"):
        raise UsageError(f"--report {report}: give a file that ends in .html or .json")
    names = [None if path is None else str(path) for path in (error_map, calibration, report)]
    return names[0], look, source, names[1], names[2]


def read_precision(text: str, fp32: bool = False) -> Any:
    """Returns the value of --precision, or "fp32" where --fp32 is given."""
    if fp32 and text not in ("auto", "fp32"):
        raise UsageError(f"--fp32 and --precision {text}: leave one of them out")
    if text not in PRECISIONS:
        raise UsageError(f"no precision {text!r}: there are {', '.join(PRECISIONS)}")
    return "fp32" if fp32 else text


def read_device(text: str, gpu: int | None) -> str:
    """Returns the value of --device, or that of -g."""
    if gpu is None:
        return text
    if text not in ("auto", "cuda", f"cuda:{gpu}"):
        raise UsageError(f"-g {gpu} and --device {text}: leave one of them out")
    return f"cuda:{gpu}"


def read_extension(ext: str) -> str | None:
    """Returns the value of --ext as an ending with its dot; None for auto."""
    from hyperacuity import formats
    from hyperacuity.errors import UnsupportedFormat

    if ext == "auto":
        return None
    ending = "." + ext.lower().lstrip(".")
    if ending not in formats.suffixes() and not formats.names_video(Path(f"video{ending}")):
        known = [suffix[1:] for suffix in formats.suffixes()]
        raise UnsupportedFormat(f"cannot write {ext!r}; there are auto, {', '.join(known)}{nearest(ext, known)}")
    return ending
