"""Upscales videos with their sound, subtitles and other streams.

    from hyperacuity import Size, load, video

    video.upscale(load(), Path("video.mp4"), Path("video-x2.mp4"), Size(2))

run                 the loop over frames: `upscale`
outputs             where frames go: an encoded file, a folder of images, Y4M; one file each
parts               segments made on their own, on any machine: `plan_segments`, `upscale_segment`
segments            finished segments of a video, from which an interrupted run is resumed
enlarging, chroma   a frame at another size
unchanged           tiles that did not change from frame to frame are not computed again
concurrency         reading, network and writing at the same time
options             `task.VideoOptions` as the formats take them
sampling            frames by which a model is chosen: `sample_frames`
images, previewing  frames as 8-bit images; one of them before and after: `preview`
animations          animated images as videos
rotation            how a video is turned when it is shown
"""

from __future__ import annotations

from hyperacuity.formats import is_video_or_frames as is_video
from hyperacuity.video.parts import plan_segments, upscale_segment
from hyperacuity.video.previewing import preview
from hyperacuity.video.run import upscale
from hyperacuity.video.sampling import sample_frames

__all__ = ["is_video", "plan_segments", "preview", "sample_frames", "upscale", "upscale_segment"]
