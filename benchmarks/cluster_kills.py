"""The kill table: how often each victim was killed, and what was done again.

    HYPERACUITY_CLUSTER_RESULTS=$PWD/benchmarks/results/cluster_kills.csv make test-long    plays the rounds
    python benchmarks/cluster_kills.py                                                      sums them up

A round is in the CSV only if the next run ended the plan with the files of one machine and left nothing else. In some
rounds it was not counted which tasks ran and which were done again: those columns are empty. If a round finds a fault,
the rounds of its victim are counted anew once the fault is mended. Results are in
benchmarks/results/cluster_kill_table.csv.
"""

from __future__ import annotations

from record import load, save

# The first seed after a fault was mended. Ray's driver was killed after a worker's result, and a lease was left.
_MENDED = {"Ray, driver": 3300}

if __name__ == "__main__":
    rounds = load("cluster_kills")
    rows = []
    for victim in dict.fromkeys(row["victim"] for row in rounds):
        own = [row for row in rounds if row["victim"] == victim and int(row["seed"]) >= _MENDED.get(victim, 0)]
        counted = [row for row in own if row["redone"]]
        if not counted:
            continue
        redone = [int(row["redone"]) for row in counted]
        rows.append(
            {
                "victim": victim,
                "rounds": len(own),
                "counted": len(counted),
                "running": sum(int(row["running"]) for row in counted),
                "redone": sum(redone),
                "most_redone": max(redone),
            }
        )
    save("cluster_kill_table", rows)
