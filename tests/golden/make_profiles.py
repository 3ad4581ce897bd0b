"""Makes the profiles and source files that the golden commands read, from fixed seeds.

They are part of the tree: run this only to add a profile, and then `run.py --update`. The generator is the differential
test's; when it has changed since, profiles that are there already are better left alone (name the new ones).

    make_profiles.py [NAME...]
"""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import pprofproto  # noqa: E402
import profiles  # noqa: E402

SOURCES = {"src/server.rs": 45, "main.go": 45}

# Profile names that share one world, so that the first can be the base of the second, and the seed that was drawn well.
WORLDS = {
    ("cpu",): 952,
    ("heap.old", "heap.new"): 163,
    ("contention",): 48,
    ("addresses",): 1356,
    ("negative",): 6,
}


def write(path, data):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)


def draw(seed, count):
    return profiles.make_profiles(random.Random("golden/%d" % seed), count, list(SOURCES))


def main():
    wanted = sys.argv[1:]
    for names, seed in WORLDS.items():
        for name, profile in zip(names, draw(seed, len(names))[1]):
            if not wanted or name in wanted:
                write("profiles/%s.pb.gz" % name, pprofproto.encode(profile))
    for name, count in SOURCES.items():
        text = "".join("%sline %d of %s\n" % ("\t" * (i % 4), i, name) for i in range(1, count + 1))
        write("sources/" + name, text.encode())


if __name__ == "__main__":
    main()
