"""Random profiles in the formats from before profile.proto: gperftools, Go's debug=1 texts, Java's.

Each maker returns the bytes of a file. Not here: profile.proto (pprofproto.py).
"""

import struct

FILES = ["/usr/bin/server", "/usr/bin/server", "/lib/x86_64-linux-gnu/libc-2.36.so", "/lib/libstdc++.so.6", "[vdso]", "", "/anon_hugepage (deleted)",
         "/opt/my prog/bin", "/usr/bin/gone (deleted)", "[heap]", "/usr/lib/libfoo.so_1"]


class LegacyMaker:
    def __init__(self, rng):
        self.rng = rng
        self.base = rng.choice([0x400000, 0x401000, 0x555555554000, 0x7f0000000000])
        self.addresses = [self.base + rng.randrange(1, 0x6000) for _ in range(rng.choice([3, 8, 20, 40]))]
        self.clean = rng.random() < 0.7  # no blank lines and comments between samples
        self.hexadecimal = rng.choice(["0x%x", "0x%x", "0x%08x", "0x%016x"])

    def stack(self, deepest=8):
        rng = self.rng
        return [rng.choice(self.addresses) for _ in range(rng.randint(1, deepest))]

    def stack_text(self):
        return " ".join(self.hexadecimal % address for address in self.stack())

    def noise(self):
        if self.clean:
            return ""
        return self.rng.choice(["", "", "", "\n", "# a comment\n", "  # indented\n"])

    def memory_map(self):
        """In the two notations, with some entries that are no code, and with variables."""
        rng = self.rng
        if rng.random() < 0.15:
            return ""
        lines = [rng.choice(["--- Memory map: ---"] * 4 + ["MAPPED_LIBRARIES:"])]
        if rng.random() < 0.2:
            lines.append("build=/usr/bin")
        at = self.base
        for _ in range(rng.randint(0, 5)):
            size = rng.choice([0x1000, 0x2000, 0x3000])
            offset = rng.choice([0, 0, 0x1000, at - self.base, at & 0xfffff])
            file = rng.choice(FILES + ["$build/server"] * (len(lines) > 1))
            if rng.random() < 0.7:
                perms = rng.choice(["r-xp", "r-xp", "r-xp", "rw-p", "r--p"])
                lines.append("%08x-%08x %s %08x fd:00 %d   %s" % (at, at + size, perms, offset, rng.randrange(10 ** 6), file))
            else:
                lines.append("%s%x-%s%x: %s%s" % (*(["", at, "", at + size] if rng.random() < 0.5 else ["0x", at, "0x", at + size]), file or "x",
                                                  " (@%x)" % offset if rng.random() < 0.5 else ""))
            at += size + rng.choice([0, 0, 0, 0x1000])
        if rng.random() < 0.2:
            lines.append("nonsense line")
        return "\n".join(lines) + "\n"

    def heap(self):
        rng = self.rng
        kind = rng.choice(["heap_v2", "heapz_v2", "heap", "heapprofile", "growthz", "growth", "fragmentationz", "fragmentation", "strange"])
        rate = rng.choice(["", "/524288", "/1024", "/1", "/0"])
        same = rng.random() < 0.3
        rows = []
        for _ in range(rng.choice([0, 1, 5, 20])):
            count = rng.choice([0, 1, 1, 3, 100]) if rng.random() < 0.99 else -1
            size = count * rng.choice([16, 32, 1000, 70000])
            allocs = (count, size) if same else (count + rng.choice([0, 2]), size + rng.choice([0, 640]))
            rows.append("%6d: %8d [%6d: %8d] @ %s" % (count, size, *allocs, self.stack_text()))
        total = "%d: %d [%d: %d]" % ((3, 400, 3, 400) if same else (3, 400, 5, 900))
        text = "heap profile: %s @ %s%s\n" % (total, kind, rate)
        if rng.random() < 0.05:
            rows.append(rng.choice(["0: 16 [1: 2] @ 0x1", "broken", "1: 2 @ 0x3", "1: 2 [3: 4] @"]))
        return (text + "".join(self.noise() + row + "\n" for row in rows) + self.memory_map()).encode()

    def count(self):
        rng = self.rng
        text = "%s%s profile: total %d\n" % (self.noise(), rng.choice(["goroutine", "threadcreate", "my-profile"]), rng.randrange(50))
        for _ in range(rng.randint(0, 15)):
            text += "%d @ %s\n" % (rng.choice([1, 2, 10]), " ".join("0x%x" % address for address in self.stack()))
            text += rng.choice(["", "#\t0x4321\tmain.main+0x1\t/src/main.go:3\n\n", "\n"])
        text += rng.choice([""] * 10 + ["broken line\n", "---\nanything\n"])
        return (text + (self.memory_map() if rng.random() < 0.5 else "")).encode()

    def threads(self):
        rng = self.rng
        text = "--- threadz %d ---\n\n" % rng.randrange(9) if rng.random() < 0.7 else ""
        for i in range(rng.randint(1, 8)):
            text += "--- Thread %x (name: %s/%d) stack: ---\n" % (0x7f00 + i, rng.choice(["main", "worker"]), 100 + i)
            kind = rng.random()
            if kind < 0.6:
                text += "".join("    %s\n" % (self.hexadecimal % address) for address in self.stack())
            elif kind < 0.75:
                text += "  PC: %s foo()\n  creator: %s bar\n" % (self.hexadecimal % self.stack()[0], self.hexadecimal % self.stack()[0])
            elif kind < 0.9 and i:
                text += "  [same as previous thread]\n"
        return (text + rng.choice(["", "---- no stack trace for thread 7\n"]) + self.memory_map()).encode()

    def contention(self):
        rng = self.rng
        text = rng.choice(["--- contentionz 1 ---", "--- mutex:", "--- contention:"]) + "\n"
        for line in ("cycles/second = %d" % rng.choice([1000000000, 2500000000, 3]), "sampling period = %d" % rng.choice([1, 100]),
                     "ms since reset = 16502830", "discarded samples = 0", "odd key = 1", "format = java", "resolution=microseconds"):
            if rng.random() < (0.02 if line[0] in "ofr" and "cycles" not in line else 0.6):
                text += line + "\n"
        for _ in range(rng.randint(0, 12)):
            text += "%s%d %d @ %s\n" % (self.noise(), rng.randrange(10 ** 9), rng.randint(1, 99), self.stack_text())
        return (text + rng.choice([""] * 12 + ["broken @ x\n"]) + self.memory_map()).encode()

    def java(self):
        rng = self.rng
        heap = rng.random() < 0.5
        text = "--- %s 1 ---\nformat = java\nresolution=%s\n" % ("heapz" if heap else "contentionz", rng.choice(["bytes", "microseconds"]))
        if not heap:
            text += "sampling period = %d\nms since reset = 6019923\n" % rng.choice([1, 100])
        addresses = sorted(set(self.addresses))
        for _ in range(rng.randint(1, 10)):
            text += "    %d    %d @ %s\n" % (rng.choice([7048, 4752, 10 ** 7]), rng.choice([1, 2, 99]),
                                             " ".join("0x%08x" % rng.choice(addresses) for _ in range(rng.randint(1, 5))))
        text += "\n\n"
        for address in addresses:
            text += "\t0x%08x %s\n" % (address, rng.choice(["java.lang.Thread.run (Thread.java:%d)" % rng.randrange(99), "gc (/usr/lib/libjvm.so)",
                                                            "com.ex.Foo.bar (Foo.java:-1)", "generated stub/JIT", "plain text", "GC"]))
        return text.encode()

    def cpu(self):
        """The binary one: words of 32 or 64 bits, either byte order."""
        rng = self.rng
        word = rng.choice(["<Q", "<Q", "<Q", ">Q", "<I", ">I"])
        if word[1] == "I":
            self.addresses = [address & 0x7fffffff for address in self.addresses]
            self.base &= 0x7fffffff
        words = [0, 3, 0, rng.choice([10000, 1000, 1]), 0]
        handler = rng.choice([None, rng.choice(self.addresses)])
        for _ in range(rng.choice([1, 5, 40])):
            stack = self.stack()
            if handler and len(stack) > 1:
                stack.insert(1, handler)
            if rng.random() < 0.1:
                stack.insert(1, stack[0] - 1)
            words += [rng.choice([1, 1, 5]), len(stack), *stack]
        if rng.random() < 0.95:
            words += [0, 1, 0]
        data = b"".join(struct.pack(word, number) for number in words)
        return data + self.memory_map().split("\n", 1)[-1].encode()

    def make(self):
        rng = self.rng
        data = rng.choice([self.heap, self.heap, self.count, self.threads, self.contention, self.java, self.cpu, self.cpu])()
        if rng.random() < 0.03:
            data = data[:rng.randrange(len(data) + 1)]
        return data
