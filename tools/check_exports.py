"""What libcpprof shows to the world, and what its signal handlers call.

    check_exports.py --library libcpprof.so --archive libcpprof.a --lists DIR --header cpprof.h [--handlers OBJECT...]

- the shared library exports exactly the names of the lists, unversioned: a hook under a version of ours would not interpose. A list
  gives a name the version that libc's newest function has, where libc has an older one, too (NAME@@VERSION);
- the static library defines no other global name: what it was made of must not meet the program's own copies;
- the public header declares exactly the cpprof_* names;
- objects whose code runs in signal handlers call nothing of libc that could block, allocate or break there.
"""

import argparse
import glob
import os
import re
import subprocess
import sys

# Of libc, in a handler: pure functions, the clock in the vDSO, the lock-free module lookup; errno is a thread-local word.
HANDLER_MAY_CALL = set("memcpy memchr strrchr memset memmove memcmp strlen clock_gettime _dl_find_object __errno_location getauxval "
                       "_GLOBAL_OFFSET_TABLE_ __libc_stack_end _r_debug".split())


def nm(*arguments):
    answer = subprocess.run(["nm", "--format=posix", *arguments], capture_output=True, text=True, check=True)
    return [line.split() for line in answer.stdout.split("\n") if len(line.split()) >= 2]


def listed(directory):
    names = set()
    for path in glob.glob(os.path.join(directory, "*.txt")):
        with open(path, encoding="utf-8") as lines:
            names.update(line.strip() for line in lines if re.match("[A-Za-z_]", line))
    return names


def difference(what, found, wanted):
    for name in sorted(found - wanted):
        yield "%s: %s is not in the list" % (what, name)
    for name in sorted(wanted - found):
        yield "%s: %s is missing" % (what, name)


def handler_problems(objects):
    defined = set()
    for path in objects:
        defined.update(fields[0] for fields in nm("--defined-only", path))
    for path in objects:
        for name in sorted({fields[0] for fields in nm("--undefined-only", path)}):
            # Names of ours are hidden; libc's are told by being in libc.
            if name not in HANDLER_MAY_CALL and name not in defined and name in LIBC:
                yield "%s: a handler must not reach %s()" % (os.path.basename(path), name)


def libc_names():
    answer = subprocess.run(["cc", "-print-file-name=libc.so.6"], capture_output=True, text=True, check=True)
    return {fields[0].split("@")[0] for fields in nm("--dynamic", "--defined-only", answer.stdout.strip())}


LIBC = libc_names()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("library", "archive", "lists", "header"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--handlers", nargs="*", default=[])
    options = parser.parse_args()
    wanted = listed(options.lists)
    symbols = nm("--dynamic", "--defined-only", options.library)
    exported = {fields[0] for fields in symbols if fields[1] != "A"}  # a version has a symbol of its own, which is absolute
    problems = list(difference(options.library, exported, wanted))
    wanted = {name.split("@")[0] for name in wanted}
    archived = {fields[0] for fields in nm("--defined-only", "--extern-only", options.archive)}
    problems += difference(options.archive, archived, wanted)
    with open(options.header, encoding="utf-8") as header:
        declared = set(re.findall(r"\b(cpprof_\w+)\(", header.read()))
    problems += difference(options.header, declared, {name for name in wanted if name.startswith("cpprof_")})
    problems += handler_problems(options.handlers)
    for problem in problems:
        print(problem)
    print("%d names, %d handler objects, %d problems" % (len(wanted), len(options.handlers), len(problems)))
    return 1 if problems or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
