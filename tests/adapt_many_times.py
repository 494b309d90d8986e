"""A process that adapts a saved learner many times, and says by how much it has grown.

python adapt_many_times.py LEARNER COUNT

`test_reliability.py` starts it. It is a process of its own, as one in which other tests have freed
memory has room for a leak, and need not grow.
"""

import gc
import json
import os
import sys
import tracemalloc
from pathlib import Path

import skmeta
from skmeta.datasets import make_linear_tasks


def memory():
    """Bytes of the whole process, and those that Python and numpy (but not torch) have asked for.

    The second number is exact; the first one need not grow while there is room.
    """
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    traced, _ = tracemalloc.get_traced_memory()
    return {"process": pages * os.sysconf("SC_PAGE_SIZE"), "traced": traced}


def growth(step, count):
    """By how many bytes memory grows in each of many steps."""
    before = memory()
    for _ in range(count):
        step()
    return {name: (after - before[name]) / count for name, after in memory().items()}


def main(path, count):
    """Print the growth by models that are used and dropped, and by some that are kept."""
    meta, kept = skmeta.load(path), []
    task = make_linear_tasks(1, 8, 2, noise=0.1, random_state=0)[0]

    def use():
        model = meta.fit_adapt(task.X, task.y)
        model.predict(task.X)
        return model

    tracemalloc.start()
    growth(use, count // 10)  # caches fill
    dropped = growth(use, count)
    print(json.dumps({"dropped": dropped, "kept": growth(lambda: kept.append(use()), count // 4)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
