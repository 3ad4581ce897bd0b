"""Names, inlined calls and lines for addresses in real binaries, compiled here: C, C++, Rust; stripped, moved, mistaken.

Each function below is a case; its docstring is its name. `run.py WORD` runs the cases whose name has the word.
"""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "badinput"))
import programs  # noqa: E402
from bed import Bed, Skipped, require, run_cases  # noqa: E402
import oracle  # noqa: E402

CASES = []


def case(function):
    CASES.append(function)
    return function


def built(bed, name, compiler, source, *options):
    program = programs.compile_source(bed.directory, name, compiler, source, *options)
    if not program:
        raise Skipped("%s %s cannot build it" % (compiler, " ".join(options)))
    return program


def write_profile(bed, program, pattern="^work$", symbols=None, **changes):
    """A profile `prof` of every address of the function; `symbols` names the file that knows where it is."""
    start, end = programs.function_range(symbols or program, pattern)
    bed.write("prof", programs.profile_of(program, range(start, end), **changes))


def frames_of(bed, *arguments):
    """{address: [(function, file, line)]}, innermost first, from -raw."""
    result = bed.run("-raw", *arguments, "prof")
    require(result.status == 0, result, "status should be 0")
    frames, address = {}, None
    text = result.stdout.decode()
    for line in text[text.index("Locations\n"):text.index("Mappings\n")].splitlines()[1:]:
        fields = line.split()
        if len(fields) > 2 and fields[2].startswith("M="):
            address, fields = int(fields[1], 16), fields[3:]
            frames[address] = []
        if len(fields) >= 2:
            file, number = fields[1].rsplit(":", 2)[:2]
            frames[address].append((fields[0], os.path.basename(file), int(number)))
    return frames, result


def check_c(bed, name="prog", *arguments):
    """Every address is in `work`; the loop is inner in middle in work, each with its line."""
    frames, result = frames_of(bed, *arguments)
    source = programs.C_SOURCE
    expected = [("inner", name + ".c", programs.line_of(source, "INNER")), ("middle", name + ".c", programs.line_of(source, "MIDDLE")),
                ("work", name + ".c", programs.line_of(source, "/* WORK"))]
    require(frames and all(stack and stack[-1][0] == "work" for stack in frames.values()), result, "every address should be in work")
    require(expected in frames.values(), result, "no address has the inlined frames %s" % expected)
    require(result.lines == [], result, "nothing should be told")


@case
def position_independent(bed):
    """a C program moved by the loader"""
    write_profile(bed, built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g", "-pie", "-fPIE"))
    check_c(bed)


@case
def position_dependent(bed):
    """a C program at its fixed address"""
    write_profile(bed, built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g", "-no-pie"))
    check_c(bed)


@case
def dwarf_versions(bed):
    """DWARF 4, compressed sections, split DWARF, clang"""
    tried = 0
    for compiler, options in (("cc", ["-gdwarf-4"]), ("cc", ["-gdwarf-5"]), ("cc", ["-g", "-gz"]), ("cc", ["-g", "-gsplit-dwarf"]), ("clang", ["-g"])):
        program = programs.compile_source(bed.directory, "prog", compiler, programs.C_SOURCE, "-O2", *options)
        if program:
            tried += 1
            write_profile(bed, program)
            check_c(bed)
    if not tried:
        raise Skipped("no compiler")


@case
def reports(bed):
    """-top, -traces and -list show functions, inlined calls and source lines"""
    write_profile(bed, built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g"))
    result = bed.run("-top", "prof")
    require(b" work\n" in result.stdout and b" inner (inline)\n" in result.stdout, result, "-top should name the functions")
    result = bed.run("-traces", "prof")
    require(b"inner (inline)\n             middle (inline)\n             work\n" in result.stdout, result, "-traces should show inlined calls")
    result = bed.run("-list=^inner$", "prof")
    require(any(b"s += i * x; /* INNER */" in line and not line.split()[0] == b"." for line in result.stdout.splitlines()), result,
            "-list should show the line with its weight")


@case
def fast(bed):
    """-symbolize=fastlocal takes names only"""
    write_profile(bed, built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g"))
    frames, result = frames_of(bed, "-symbolize=fastlocal")
    require(all(stack == [("work", "", 0)] for stack in frames.values()), result, "every address should be work, without a line")


@case
def without_symbolizing(bed):
    """-symbolize=none leaves addresses"""
    write_profile(bed, built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g"))
    frames, result = frames_of(bed, "-symbolize=none")
    require(frames and not any(frames.values()), result, "no address should have a name")


@case
def cplusplus(bed):
    """a method of a class template, in each way of demangling"""
    write_profile(bed, built(bed, "prog", "c++", programs.CPLUSPLUS_SOURCE, "-O1", "-g"), "4workEi$")
    for words, expected in (([], "app::Box::work"), (["-symbolize=demangle=templates"], "app::Box<long>::work"),
                            (["-symbolize=demangle=none"], "_ZNK3app3BoxIlE4workEi"), (["-symbolize=demangle=full"], "app::Box<long>::work(int) const")):
        result = bed.run("-top", *words, "prof")
        require(result.stdout.decode().splitlines()[-1].endswith("  " + expected), result, "the function should be " + expected)
    result = bed.run("-list=Box::work", "prof")
    require(b"s = s + i; /* INNER */" in result.stdout, result, "the source should be shown")


@case
def rust(bed):
    """a Rust function, with both ways of mangling"""
    for options in ([], ["-Csymbol-mangling-version=v0"]):
        program = built(bed, "prog", "rustc", programs.RUST_SOURCE, "-O", "-g", *options)
        write_profile(bed, program, "prog3app4work")
        result = bed.run("-top", "prof")
        require(b"  prog::app::work\n" in result.stdout, result, "the function should be named")
        result = bed.run("-list=app::work", "prof")
        require(b"// INNER" in result.stdout, result, "the source should be shown")


def stripped(bed, *options):
    """prog without debug information, and prog.debug with it."""
    program = built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g", *options)
    subprocess.run(["objcopy", "--only-keep-debug", program, program + ".debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", "--add-gnu-debuglink=" + program + ".debug", program], check=True, cwd=bed.directory)
    return program


@case
def debug_link(bed):
    """a stripped binary and its .gnu_debuglink, beside it and in .debug/, with build id and with a checksum only"""
    for options in ([], ["-Wl,--build-id=none"]):
        program = stripped(bed, *options)
        write_profile(bed, program, symbols=program + ".debug")
        check_c(bed)
        os.makedirs(bed.path(".debug"), exist_ok=True)
        shutil.move(program + ".debug", bed.path(".debug/prog.debug"))
        check_c(bed)


def built_library(bed):
    """lib.so with its own debug information, and split.so, whose debug information is in split.so.debug."""
    bed.write("versions", programs.LIBRARY_VERSIONS.encode())
    library = built(bed, "lib.so", "cc", programs.LIBRARY_SOURCE, "-O2", "-g", "-fPIC", "-shared", "-Wl,--version-script=versions")
    split = shutil.copy(library, bed.path("split.so"))
    subprocess.run(["objcopy", "--only-keep-debug", split, split + ".debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", "--add-gnu-debuglink=split.so.debug", "split.so"], check=True, cwd=bed.directory)
    return library, split


def library_names(bed, library, symbols, *arguments):
    """What the report calls each of the functions; `symbols` names the file that knows where they are."""
    bias = programs.text_mapping(library)[1]
    starts = {}
    for pattern in ("pub@V1", "pub@@V2", "plain", "hidden", "callhot", r"hotfn(\.constprop\.0)?"):
        starts[pattern] = programs.function_range(symbols, "^%s$" % pattern)[0]
    bed.write("prof", programs.profile_of(library, starts.values()))
    frames, result = frames_of(bed, *arguments)
    names = [frames[bias + start][-1][0] if frames[bias + start] else None for start in starts.values()]
    return names, result


def last_alias(library, names):
    """The one of the names that stands last in the table of exported symbols."""
    order = [line.split()[-1].split("@")[0] for line in programs.tool("nm", "-D", "-p", "--defined-only", library).splitlines()]
    return max(names, key=order.index)


@case
def names_of_split_library(bed):
    """debug information that was split off: the exported name, else DWARF's; never a version or a clone's suffix"""
    library, split = built_library(bed)
    names, result = library_names(bed, split, library)
    plain = last_alias(split, ("plain", "_IO_plain"))
    require(names == ["pub", "pub", plain, "hidden", "callhot", "hotfn"], result, "names are %s" % names)
    result = bed.run("-top", "-focus=^pub$", "prof")
    require(result.stdout.count(b" pub\n") == 1 and b"for 2, " in result.stdout, result, "both versions should be one function")


@case
def names_of_unsplit_library(bed):
    """a library with its own symbol table: no version; the clone's suffix stays"""
    library, _ = built_library(bed)
    clone = next(line.split()[-1] for line in programs.tool("nm", library).splitlines() if " hotfn" in line)
    names, result = library_names(bed, library, library)
    require(names[:2] + names[3:] == ["pub", "pub", "hidden", "callhot", clone], result, "names are %s" % names)
    require(names[2] in ("plain", "_IO_plain", "__plain"), result, "plain is called %s" % names[2])


@case
def names_of_split_library_fast(bed):
    """-symbolize=fastlocal: the exported name, else the debug file's symbol"""
    library, split = built_library(bed)
    clone = next(line.split()[-1] for line in programs.tool("nm", library).splitlines() if " hotfn" in line)
    names, result = library_names(bed, split, library, "-symbolize=fastlocal")
    plain = last_alias(split, ("plain", "_IO_plain"))
    require(names == ["pub", "pub", plain, "hidden", "callhot", clone], result, "names are %s" % names)


@case
def names_without_dwarf(bed):
    """a debug file with symbols only: its names, without versions"""
    library, split = built_library(bed)
    subprocess.run(["objcopy", "--strip-debug", split + ".debug"], check=True)
    clone = next(line.split()[-1] for line in programs.tool("nm", library).splitlines() if " hotfn" in line)
    names, result = library_names(bed, split, library)
    require(names[:2] + names[3:] == ["pub", "pub", "hidden", "callhot", clone], result, "names are %s" % names)


@case
def wrong_debug_link(bed):
    """a debug file of another build is not used"""
    program = stripped(bed, "-Wl,--build-id=none")
    write_profile(bed, program, symbols=program + ".debug")
    with open(program + ".debug", "ab") as out:
        out.write(b"x")
    frames, result = frames_of(bed)
    require(not any(stack and stack[-1][0] == "work" for stack in frames.values()), result, "names of another build are used")


@case
def binary_path(bed):
    """PPROF_BINARY_PATH: by name, by build id, in GDB's places; another build is refused in so many words"""
    program = built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g", "-Wl,--build-id=sha1")
    identity = programs.build_id(program)
    for place in ("prog", "opt/app/prog", "opt/app/.debug/prog.debug", identity + "/anything", "opt/app/prog/" + identity,
                  identity[:2] + "/" + identity[2:] + ".debug", "usr/lib/debug/opt/app/prog.debug"):
        write_profile(bed, program, file="/opt/app/prog", build_id=identity)
        path = os.path.join(bed.path("tree"), place)
        os.makedirs(os.path.dirname(path))
        shutil.copy(program, path)
        result = bed.run("-top", "prof", PPROF_BINARY_PATH=bed.path("nosuch") + ":" + bed.path("tree"))
        require(b" work\n" in result.stdout and not result.lines, result, "the binary should be found as " + place)
        shutil.rmtree(bed.path("tree"))
    os.mkdir(bed.path("tree"))
    shutil.copy(program, bed.path("tree/prog"))
    write_profile(bed, program, file="/opt/app/prog", build_id="ab" * 20)
    result = bed.run("-top", "prof", PPROF_BINARY_PATH=bed.path("tree"))
    refused = "Ignoring local file %s: build-id mismatch (%s != %s)" % (bed.path("tree/prog"), "ab" * 20, identity)
    require(refused in result.lines and b" work\n" not in result.stdout, result, "the other build should be refused")


@case
def build_id_mismatch(bed):
    """a rebuilt binary: one line, and no name that might be wrong"""
    program = built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g", "-Wl,--build-id=sha1")
    write_profile(bed, program, build_id="cd" * 20)
    frames, result = frames_of(bed)
    require(result.lines == ["Local symbolization failed for prog (build ID %s): build ID mismatch" % ("cd" * 20)], result, "one line should tell")
    require(not any(frames.values()), result, "no address should have a name")


@case
def damaged(bed):
    """300 damages to a binary: an answer, never a crash"""
    program = built(bed, "prog", "cc", programs.C_SOURCE, "-O2", "-g")
    write_profile(bed, program)
    with open(program, "rb") as data:
        good = data.read()
    for i in range(300):
        data = bytearray(good)
        for k in range(1 + i % 7):
            data[(i * 7919 + k * 104729) % (len(data) if i % 3 else 4096)] ^= 1 << (i + k) % 8
        if i % 10 == 9:
            del data[len(data) * (i + 1) // 301:]
        bed.write("prog", data)
        result = bed.run("-top", "prof")
        require(result.status == 0, result, "damage %d" % i)


def main():
    cpprof = oracle.ours_or_skip()
    if not all(shutil.which(name) for name in ("cc", "nm", "readelf", "objcopy")):
        oracle.skip("no compiler or binutils here")
    return run_cases(CASES, lambda directory: Bed(cpprof, directory), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
