"""The kinds of tasks of a plan, one file each.

protocol      what a kind is: `TaskKind`; how a file is split: `Split`, `Draft`
table         the table of kinds, and of those that split files
files         small files, several in one task, and whatever cannot be split
segment       100 frames of a video
video_join    a video from its segments
image_source  a large image, read once
band          some rows of the result of a large image; how one is split
image_join    the result from its rows
"""
