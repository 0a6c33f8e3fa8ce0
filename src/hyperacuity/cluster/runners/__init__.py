"""Where the tasks of a plan run, one file each.

protocol     what a runner is: `Runner`, `Report`, `RunSettings`
table        the table of runners
local        processes on this machine
ray          tasks of a Ray cluster
slurm        arrays of jobs of Slurm
"""
