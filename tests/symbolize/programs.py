"""Small programs whose functions, inlined calls and lines are known, and profiles of addresses in them.

Not here: what cpprof should make of them (run.py).
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import pprofproto  # noqa: E402

# The loop in `inner` is inlined twice: into middle, and that into the function that remains. Marks name the lines.
C_SOURCE = """#include <stdlib.h>
static inline __attribute__((always_inline)) int inner(int x)
{
	volatile int s = 0;
	for (int i = 0; i < x; i++)
		s += i * x; /* INNER */
	return s;
}
static inline __attribute__((always_inline)) int middle(int x)
{
	return inner(x) + 1; /* MIDDLE */
}
__attribute__((noinline)) int work(int n)
{
	return middle(n) * 2; /* WORK */
}
int main(int argc, char **argv)
{
	(void)argv;
	return work(argc) == 7;
}
"""

# A library: two versions of `pub`, a function with three names, a static one, and one that the compiler makes a clone of.
LIBRARY_SOURCE = """volatile int sink;
static __attribute__((noinline)) int hidden(int n)
{
	int s = 0;
	for (int i = 0; i < n; i++)
		s += sink ^ i;
	return s;
}
__attribute__((noinline)) int pub_v1(int n) { return hidden(n) + 1; }
__attribute__((noinline)) int pub_v2(int n) { return hidden(n) * 3; }
__asm__(".symver pub_v1,pub@V1");
__asm__(".symver pub_v2,pub@@V2");
__attribute__((noinline)) int __plain(int n) { return hidden(n) - 7; }
extern int plain(int) __attribute__((alias("__plain")));
extern int _IO_plain(int) __attribute__((alias("__plain")));
static __attribute__((noinline)) int hotfn(int a, int b)
{
	int s = 0;
	for (int i = 0; i < a; i++)
		s += sink * b;
	return s;
}
int callhot(int n) { return hotfn(n, 42); }
int callhot2(int n) { return hotfn(n + 1, 42); }
"""

LIBRARY_VERSIONS = """V1 { global: pub; plain; _IO_plain; local: *; };
V2 { global: pub; callhot; callhot2; } V1;
"""

CPLUSPLUS_SOURCE = """namespace app {
template <class T> struct Box {
	T value;
	__attribute__((noinline)) T work(int n) const
	{
		volatile T s = value;
		for (int i = 0; i < n; i++)
			s = s + i; /* INNER */
		return s;
	}
};
template struct Box<long>;
}
int main(int argc, char **)
{
	app::Box<long> box{argc};
	return box.work(argc) == 7;
}
"""

RUST_SOURCE = """mod app {
    #[inline(never)]
    pub fn work(n: u64) -> u64 {
        let mut s = 0u64;
        for i in 0..n {
            s = std::hint::black_box(s + i); // INNER
        }
        s
    }
}
fn main() {
    println!("{}", app::work(std::env::args().count() as u64));
}
"""

BIAS = 0x555555554000  # where a position-independent program is said to have been


def compile_source(directory, name, compiler, source, *options):
    """Returns the path of the program, or None where it cannot be built here."""
    suffix = {"rustc": ".rs", "c++": ".cc", "g++": ".cc"}.get(compiler, ".c")
    path, program = os.path.join(directory, name + suffix), os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(source)
    try:
        done = subprocess.run([compiler, *options, path, "-o", program], capture_output=True, cwd=directory, check=False)
    except FileNotFoundError:
        return None
    return program if done.returncode == 0 else None


def line_of(source, mark):
    return next(i + 1 for i, line in enumerate(source.splitlines()) if mark in line)


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def function_range(program, pattern):
    """Start and end of the function whose symbol matches."""
    for line in tool("nm", "-S", "--defined-only", program).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tTwW" and re.search(pattern, fields[3]):
            return int(fields[0], 16), int(fields[0], 16) + int(fields[1], 16)
    raise ValueError("no symbol like %s in %s" % (pattern, program))


def build_id(program):
    found = re.search("Build ID: ([0-9a-f]+)", tool("readelf", "-n", program))
    return found.group(1) if found else ""


def text_mapping(program):
    """The executable segment as the kernel maps it, and what it is moved by."""
    bias = BIAS if "DYN" in tool("readelf", "-hW", program) else 0
    for line in tool("readelf", "-lW", program).splitlines():
        fields = line.split()
        if fields[:1] == ["LOAD"] and " R E " in line:
            offset, address, size = int(fields[1], 16), int(fields[2], 16), int(fields[5], 16)
            inside = address & 0xFFF
            start = bias + address - inside
            return {"id": 1, "start": start, "limit": (start + inside + size + 0xFFF) & ~0xFFF, "offset": offset - inside, "build_id": "",
                    "flags": (0, 0, 0, 0)}, bias
    raise ValueError("no code in %s" % program)


def profile_of(program, addresses, **changes):
    """One sample for each address. `changes` go into the mapping."""
    mapping, bias = text_mapping(program)
    mapping["file"] = program
    mapping.update(changes)
    profile = pprofproto.Profile()
    profile.sample_types, profile.period_type, profile.period = [("samples", "count")], ("cpu", "nanoseconds"), 1
    profile.mappings = [mapping]
    profile.locations = [{"id": i + 1, "mapping": 1, "address": address + bias, "lines": [], "folded": False}
                         for i, address in enumerate(addresses)]
    profile.samples = [{"locations": [i + 1], "values": [1], "labels": []} for i in range(len(addresses))]
    return pprofproto.encode(profile)
