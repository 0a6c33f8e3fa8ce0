"""One batch over many machines, with the same bytes as on one.

    planning     what to do, as a manifest of tasks that is a pure function of its input: `make_plan`
    manifest     the manifest: `Plan`, `PlannedTask`, `PlannedFile`
    kinds        the kinds of tasks, one file each
    work         one task, done as often as you like with the same result: `work_on`
    bench        the place where a task is worked on: its sources, its spool folder, its results
    leases       who works on what, by the time of the store
    driving      all tasks of a plan, until they are done: `run_plan`
    runners      where tasks run, one file each
    worker       a process that works on tasks as the local runner gives them
    progress     how far a plan is: `look`
    stored       one file of an object store, on this machine alone: `upscale_stored`
checks       whether the machines agree: `check_node`

A task is done if its result is there. There is no other record of that, so none can disagree with it. To add a kind of
task, write one file in `kinds` and add one line to `kinds.table`; a runner likewise in `runners`.
"""
