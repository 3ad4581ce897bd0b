"""Allocators other than libc's: preloaded behind the library, linked, in the program itself, and C++'s operators of each."""

import os
import shutil
import subprocess

import heap_bed
import heap_truth
import malloc_family
from heap_bed import Failed

HERE = os.path.dirname(os.path.abspath(__file__))
DIRECTORIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
FILES = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2"}


def installed():
    found = {}
    for name, file in FILES.items():
        for directory in DIRECTORIES:
            if os.path.exists(os.path.join(directory, file)):
                found.setdefault(name, os.path.join(directory, file))
    return found


def preloaded_behind_us(bed):
    for path in installed().values():
        heap_truth.check_exact(bed, preload=(path,))


def preloaded_in_front_of_us(bed):
    """It answers everything; we say that we see nothing."""
    for path in installed().values():
        profile = bed.path("heap.pb.gz")
        bed.run([bed.program("heap_truth"), profile], plain=True, preload=(path, bed.library), settings={"CPPROF_HEAP_RATE": "1"})
        if bed.rows(profile) or "malloc of its own" not in bed.comments(profile):
            raise Failed("%s in front: %s" % (path, bed.comments(profile)))


def build(bed, *arguments):
    """heap_truth.c once more, into the case's directory, from where the bed takes its programs then."""
    compile_c(["-O2", "-g", "-D_GNU_SOURCE", "-o", bed.path("heap_truth"), os.path.join(HERE, "heap_truth.c"), *arguments, "-lpthread"])
    bed.programs = bed.directory


def compile_c(arguments):
    subprocess.run([shutil.which("cc"), *arguments], check=True)


def linked(bed):
    for path in installed().values() if shutil.which("cc") else ():
        build(bed, "-Wl,--no-as-needed", path)
        heap_truth.check_exact(bed)


def a_wrapper_in_front_that_forwards(bed):
    """Everything reaches us through it; its frames are leaves that the names of heap_truth.c stand above."""
    if not shutil.which("cc"):
        return
    wrapper, profile = bed.path("wrapper.so"), bed.path("heap.pb.gz")
    compile_c(["-O2", "-fPIC", "-shared", "-o", wrapper, os.path.join(HERE, "..", "..", "bench", "noop_malloc.c")])
    bed.run([bed.program("heap_truth"), profile], plain=True, preload=(wrapper, bed.library), settings={"CPPROF_HEAP_RATE": "1"})
    seen = bed.rows(profile).get("alloc_small", {}).get("alloc_objects")
    if seen != 200000:
        raise Failed("behind a wrapper: %s small blocks, 200000 are true" % seen)


def a_fixed_executable_that_takes_addresses(bed):
    """Its entry for malloc is what everybody finds first; behind it are our hooks."""
    if not shutil.which("cc"):
        return
    with open(bed.path("taker.c"), "w", encoding="utf-8") as source:
        source.write("#include <stdlib.h>\nvoid *(*const taken)(size_t) = malloc;\n")
    build(bed, "-no-pie", "-fno-pie", bed.path("taker.c"))
    heap_truth.check_exact(bed)


def answers_as_the_allocator_does(bed):
    for path in installed().values():
        malloc_family.compare(bed, ["without", "pvalloc"], rate=1, preload=(path,))


def counted_once_where_calloc_calls_malloc(bed):
    """safe_malloc.c's calloc and realloc turn to the public malloc, which is ours."""
    truth, profile = heap_truth.run(bed, 1, preload=(os.path.join(bed.programs, "libsafe_malloc.so"),))
    for function in ("alloc_mixed", "grow", "alloc_small"):
        found = total(bed.report(["-top", "-nodefraction=0", "-unit=B", "-focus=^%s$" % function, "-sample_index=alloc_space", profile]))
        if found != truth[function]["alloc_space"]:
            raise Failed("%s: %d bytes, true %d" % (function, found, truth[function]["alloc_space"]))


def the_programs_own(bed):
    profile = bed.path("heap.pb.gz")
    if bed.run([bed.program("heap_own_malloc"), profile], rate=1) != "done\n":
        raise Failed("the program did not end well")
    if "off: the program has a malloc of its own" not in bed.comments(profile):
        raise Failed("the profile does not say why it is empty: %s" % bed.comments(profile))


def operators(bed):
    """C++'s operators: each block counted once, whoever serves it; a library that brings C++ into a C program."""
    compiler = shutil.which("c++")
    if not compiler:
        print("skipped: no C++ compiler")
        return
    source = os.path.join(HERE, "heap_operators.cpp")
    program, plugin = bed.path("operators"), bed.path("operators.so")
    common = [compiler, "-std=c++17", "-O1", "-g", "-w"]
    subprocess.run(common + ["-o", program, source, "-ldl"], check=True)
    subprocess.run(common + ["-fPIC", "-shared", "-DPLUGIN", "-o", plugin, source], check=True)
    for preload in [()] + [(path,) for path in installed().values()]:
        check_operators(bed, [program], preload)
    check_operators(bed, [bed.program("heap_plugin"), plugin], ())


def check_operators(bed, command, preload):
    profile = bed.path("heap.pb.gz")
    # mimalloc's C build cannot throw.
    settings = {"NO_THROW": "1"} if any("mimalloc" in path for path in preload) else {}
    output = bed.run(command + [profile], rate=1, preload=preload, settings=settings)
    expected = "caught %d\n" % (0 if settings else 2)
    if output != expected:
        raise Failed("%s %s: %r, not %r" % (command, preload, output, expected))
    text = bed.report(["-top", "-cum", "-nodecount=10000", "-nodefraction=0", "-unit=B", "-focus=^all_forms", "-sample_index=alloc_objects", profile])
    objects = total(text)
    kept = total(bed.report(["-top", "-nodefraction=0", "-unit=B", "-focus=^all_forms", "-sample_index=inuse_space", profile]))
    if objects != 70 or kept != 10000:
        raise Failed("%s %s: %s objects, %s bytes in use; 70 and 10000 are true\n%s" % (command, preload, objects, kept, text))


def total(report):
    for line in report.splitlines():
        words = line.split()
        if line.startswith("Showing nodes accounting for"):
            return float(words[4].rstrip(",B"))
    return 0.0


if __name__ == "__main__":
    if not installed():
        print("none of %s is installed: only the program's own and C++ are tried" % ", ".join(FILES))
    heap_bed.main([preloaded_behind_us, preloaded_in_front_of_us, linked, a_wrapper_in_front_that_forwards,
                   a_fixed_executable_that_takes_addresses, answers_as_the_allocator_does,
                   counted_once_where_calloc_calls_malloc, the_programs_own, operators])
