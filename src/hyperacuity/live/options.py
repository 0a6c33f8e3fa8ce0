"""What can be set for a live run."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.codecs import Encoding


@dataclass(frozen=True)
class LiveOutput:
    """How the result is written.

    Attributes:
        encoding: Codec and quality.
        keys: Seconds between key frames, which is also the length of an HLS segment.
        segments: How many segments an HLS playlist lists; older ones are deleted. 0 keeps all.
    """

    encoding: Encoding
    keys: Fraction = Fraction(2)
    segments: int = 6


@dataclass(frozen=True)
class LiveOptions:
    """How a run behaves. All times are in seconds.

    Attributes:
        output: How the result is written.
        latency: The time allowed from a frame's arrival until it is handed to the sink. A frame that takes longer is
            late; with several models, a lighter one then takes over.
        timeout: After this long without a frame the source is reconnected; a consumer that accepts no data for this
            long is disconnected.
        give_up: After this long without a frame the run ends with an error; None waits for ever.
        duration: How long the run lasts, from its first frame; None runs as long as the source does.
        sound: Copy the source's sound if the sink can hold it.
        deinterlace: Make whole frames of fields.
        force: Overwrite a file or a playlist that exists.

    Raises:
        UsageError: For a time that is not positive, or a negative number of segments.
    """

    output: LiveOutput = field(default_factory=lambda: LiveOutput(Encoding()))
    latency: float = 0.2
    timeout: float = 5.0
    give_up: float | None = None
    duration: float | None = None
    sound: bool = True
    deinterlace: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        times = {"latency": self.latency, "timeout": self.timeout, "keys": float(self.output.keys)}
        times |= {"give_up": self.give_up or 1.0, "duration": self.duration or 1.0}
        for name, value in times.items():
            if not value > 0:
                raise UsageError(f"{name} must be a positive number of seconds, not {value:g}")
        if self.output.segments < 0:
            raise UsageError("segments must be 0 (all) or more")
