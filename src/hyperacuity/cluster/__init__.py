"""One batch over many machines, with the same bytes as on one.

    planning        what to do, as a manifest of tasks that is a pure function of its input: `make_plan`
    routes          the sources and their targets: `find_routes`
    costs           how long files take: `CostMeter`
    models          the models and packages of a plan: `check_models`
    manifest        the manifest: `Plan`, `PlannedTask`, `PlannedFile`
    kinds           the kinds of tasks, one file each
    prepared_image  a large image, read once for all bands
    work            one task, which may be done any number of times with the same result: `work_on`
    bench           the place where a task is worked on: its sources, its spool folder, its results
    spool           folders for files that are being worked on
    leases          who works on what, by the time of the store
    driving         all tasks of a plan, until they are done: `run_plan`
    runners         where tasks run, one file each
    worker          a process that works on tasks as the local runner gives them
    sbatch          scripts for Slurm, and its programs
    training_job    a training as a job of Slurm
    progress        how far a plan is: `look`
    stored          one file of an object store, on this machine alone: `upscale_stored`
    checks          whether the machines agree: `check_node`

A task is done if its result is there. There is no other record of that, so none can disagree with it. To add a kind of
task, write one file in `kinds` and add one line to `kinds.table`; a runner likewise in `runners`.
"""
