"""Random command lines, made for a given world so that most filters hit something.

Not here: running them. Options are drawn few at a time: a command line with everything set prints nothing.
"""

import re

import scripts

REPORTS = (["top"] * 14 + ["text"] * 3 + ["tree"] * 10 + ["peek"] * 8 + ["traces"] * 8 + ["raw"] * 8 + ["tags"] * 6 + ["list"] * 8
           + ["proto"] * 5 + ["topproto"] * 4 + ["comments"] * 2)
GRANULARITIES = ["functions", "filefunctions", "files", "lines", "addresses"]
UNITS = ["minimum", "auto", "ms", "us", "s", "ns", "hrs", "seconds", "kb", "MB", "bytes", "B", "kilobytes", "count", "sample", "GCU",
         "mGCU", "foo", "frobs", "", "M*GCU", "nanosecond"]
BAD_REGEXPS = ["(", "[", "a**", "*", "a{2000}", "\\", "(?<x", "[z-a]", "\\8", "(?=a)", "a)", "\\pX", "(?P<n", "x{3,2}", "[[:foo:]]", "+",
               "(?i", "\\Q", "(?:a", "\\xZZ", "a\\z\\Z"]
ODD_REGEXPS = [".", ".*", "^", "$", "", "(?i)MAIN", "[[:upper:]]", "\\pL+", "\\p{Greek}", "[^a-z]", "\\bmain\\b", "a|b|c", "(a|b)*c", "x{1,3}",
               "^main\\.", "\\.go$", "\\d+", "\\w::\\w", "(?s).", "\\Q(*\\E", "a??", "o{2}", "[a-f]+[^g]", "(?-i)a", "\\x6d", "é", "(?i)É",
               "::", "(?P<n>main)", "(?U)a+", "[\\d]", "^$", "\\PN", "(?m)^a", "\\x{1F980}", "[[:word:]]{5,}", "std|runtime", "\\S\\s\\S"]


def quote(text):
    """RE2's QuoteMeta."""
    return "".join("\\" + char if char in "\\.+*?()|[]{}^$" else char for char in text)


class CommandMaker:
    def __init__(self, rng, world, profiles):
        self.rng = rng
        self.script = ""  # what the interactive shell is given; "" for a single report
        self.world = world
        self.profiles = profiles
        self.names = [function["name"] for function in world.functions if isinstance(function["name"], str)] or ["a"]
        self.files = [function["file"] for function in world.functions] + [mapping["file"] for mapping in world.mappings]
        self.keys = ([key for key, _ in world.text_labels] + [key for key, _ in world.number_labels]) or ["key1", "bytes"]

    # Regular expressions

    def regexp(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.008:
            return rng.choice(BAD_REGEXPS)
        if kind < 0.18:
            return rng.choice(ODD_REGEXPS)
        return self._from_name(rng.choice(self.names if rng.random() < 0.85 else self.files))

    def _from_name(self, name):
        rng = self.rng
        if not name:
            return "main"
        start = rng.randrange(len(name))
        part = name[start:start + rng.randint(1, 8)]
        return rng.choice([quote(part), quote(part), quote(name), "^" + quote(name) + "$", "(?i)" + quote(part.swapcase()), quote(part) + ".*$",
                           "|".join(quote(rng.choice(self.names)) for _ in range(3)), re.sub("[a-m]", "[a-m]", quote(part)),
                           "(" + quote(part) + ")+?", quote(part[:1]) + ".", "^" + quote(name[:2])])

    # Options

    def filters(self):
        rng = self.rng
        kinds = ["focus", "focus", "ignore", "hide", "hide", "show", "show_from", "prune_from"]
        return ["-%s=%s" % (kind, self.regexp()) for kind in rng.sample(kinds, rng.choice([1, 1, 1, 2, 3]))]

    def label_value(self):
        rng = self.rng
        texts = [value for _, values in self.world.text_labels for value in values] or ["tag1", "a"]
        return rng.choice([quote(rng.choice(texts)), rng.choice(texts)[:3], rng.choice(["tag", "a", ".", ":", "work", "true"])])

    def number_range(self):
        rng = self.rng
        unit = rng.choice(["", "", "kb", "b", "ms", "ns", "mb", "bytes", "frobs", "us", "s", "gcu", "KB"])
        low, high = sorted(rng.choice([0, 1, 16, 64, 512, 1024, 4096, 65536, 1000000]) for _ in range(2))
        return rng.choice(["%d%s" % (low, unit), "%d%s:" % (low, unit), ":%d%s" % (high, unit), "%d%s:%d%s" % (low, unit, high, unit),
                           "%d%s:%d%s" % (low, unit, high, rng.choice(["", unit, "kb"])), "-5:5", "+1%s:" % unit, "1.5mb:", "1:2:3", "1kb:5ms"])

    def tag_filter(self):
        rng = self.rng
        expression = self.number_range() if rng.random() < 0.45 else self.label_value()
        if rng.random() < 0.2:
            expression += "," + self.label_value()
        if rng.random() < 0.5:
            expression = rng.choice(self.keys) + "=" + expression
        return "-%s=%s" % (rng.choice(["tagfocus", "tagfocus", "tagignore"]), expression)

    def key_filter(self):
        rng = self.rng
        key = rng.choice(self.keys)
        return "-%s=%s" % (rng.choice(["tagshow", "taghide"]), rng.choice([quote(key), key[:2], "^" + quote(key) + "$", "b|k", self.regexp()]))

    def pseudo_frames(self):
        rng = self.rng
        keys = [rng.choice(self.keys + ["nokey"] * (rng.random() < 0.3)) for _ in range(rng.choice([1, 1, 2]))]
        return "-%s=%s" % (rng.choice(["tagroot", "tagleaf"]), ",".join(keys + [""] * (rng.random() < 0.1)))

    def trimming(self):
        rng = self.rng
        return rng.choice(["-nodecount=%d" % rng.choice([0, 1, 2, 3, 5, 10, 20, 80, -1, -7]),
                           "-nodefraction=%s" % rng.choice(["0", "0.1", "0.3", "0.01", "1", "1e-3", "0.05"]),
                           "-edgefraction=%s" % rng.choice(["0", "0.1", "0.3", "0.01", "1"]), "-trim=false", "-trim"])

    def selector(self):
        rng = self.rng
        types = [name for name, _ in self.profiles[0].sample_types] or ["x"]
        kind = rng.random()
        if kind < 0.5:
            return "-sample_index=" + rng.choice(types)
        if kind < 0.85:
            return "-sample_index=%d" % rng.randrange(len(types))
        if kind < 0.93:
            legacy = ["inuse_space", "inuse_objects", "alloc_space", "alloc_objects", "contentions", "total_delay", "mean_delay"]
            fitting = [flag for flag in legacy if flag in types or "delay" in flag and "delay" in types]
            return "-" + rng.choice(fitting or legacy)
        if rng.random() < 0.5:
            return "-sample_index=0"
        return "-sample_index=" + rng.choice(["space", "objects", "9", "-1", "zz", "cpu", "0x1"])

    def source_paths(self):
        rng = self.rng
        paths = [".", "src", "/src/project", "/usr/local/go", "lib:src", "/home/me/go/pkg/mod", "deep/src", "/", "project"]
        return "-%s=%s" % (rng.choice(["trim_path", "source_path"]), rng.choice(paths))

    def plain(self):
        rng = self.rng
        return rng.choice(["-mean", "-relative_percentages", "-noinlines", "-showcolumns", "-drop_negative", "-compact_labels", "-all_frames",
                           "-call_tree", "-mean", "-divide_by=%s" % rng.choice(["1", "2", "3", "1000", "0.5", "1e6", "-1", "7.3"]),
                           "-add_comment=%s" % rng.choice(["hello", "#quiet", "ünï"]), "-buildid=%s" % rng.choice(["deadbeef", "xyz"])])

    def option(self, report):
        """One option or a few that belong together."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.20:
            return self.filters()
        if kind < 0.34:
            return ["-" + rng.choice(GRANULARITIES)]
        if kind < 0.46:
            return [self.trimming()]
        if kind < 0.54:
            return ["-cum" if rng.random() < 0.9 else "-flat"]
        if kind < 0.64:
            return [self.selector()]
        if kind < 0.70:
            return ["-unit=" + rng.choice(UNITS)]
        if kind < 0.77:
            return [self.tag_filter()]
        if kind < 0.80:
            return [self.key_filter()]
        if kind < 0.86:
            return [self.pseudo_frames()]
        if kind < 0.89 or report == "list" and kind < 0.92:
            return [self.source_paths()]
        return [self.plain()]

    def report_flag(self):
        rng = self.rng
        report = rng.choice(REPORTS)
        if report in ("list", "peek"):
            expression = self.regexp() or "."
            if rng.random() < 0.65:
                expression = rng.choice([".", ".", ".", "a|e|i|o|n", "[a-z]"])
            return report, rng.choice([["-" + report, expression], ["-%s=%s" % (report, expression)]])
        return report, ["-" + report]

    def symbolization(self):
        rng = self.rng
        if rng.random() < 0.75:
            return ["-symbolize=none"]
        return rng.choice([[], [], ["-symbolize=local"], ["-symbolize=fastlocal"], ["-symbolize=demangle=full"], ["-symbolize=demangle=none"],
                           ["-symbolize=demangle=templates"], ["-symbolize=Local:Force"], ["-symbolize=bogus"], ["-symbolize=no"]])

    def make(self, sources, base):
        """The arguments (and self.script). `sources`: file names; `base`: file name or None."""
        rng = self.rng
        report, flags = self.report_flag()
        if rng.random() < 0.07:
            report, flags = "shell", []
            self.script = scripts.ScriptMaker(rng, self).make()
        options = []
        most = [0, 0, 1, 1, 2] if report in ("list", "peek") else [0, 1, 1, 2, 2, 3, 4]
        for _ in range(rng.choice(most)):
            options += self.option(report)
        options = _without_conflicts(rng, options)
        options += self.symbolization()
        if base:
            options.append("%s=%s" % (rng.choice(["-base", "-diff_base"]), base))
            if rng.random() < 0.3:
                options.append("-normalize")
        if rng.random() < 0.04:
            options.append("-output=out.file")
        if rng.random() < 0.04:
            options.append(rng.choice(["-bogus", "-nodecount=abc", "-top=yes", "-raw", "-base=missing.pb", "-normalize", "-no_browser",
                                       "-sample_index", "-divide_by=0", "-lines", "-files", "-cum", "-unit", "-seconds=3", "-timeout=-2"]))
        parts = [[option] for option in options] + [flags]
        rng.shuffle(parts)
        arguments = [_respell(rng, argument) for part in parts for argument in part]
        sources = list(sources)
        if rng.random() < 0.015:
            sources.append(rng.choice(["missing.pb.gz", "garbage.txt", ".", "-top", "empty"]))
        if rng.random() < 0.01:
            sources = []
        return arguments + (["--"] if rng.random() < 0.03 else []) + sources


def _without_conflicts(rng, options):
    """At most one granularity and one order; the error of two is drawn elsewhere."""
    out, seen = [], set()
    for option in options:
        name = option.lstrip("-").split("=")[0]
        group = "granularity" if name in GRANULARITIES else "sort" if name in ("cum", "flat") else name
        if group in seen and (group in ("granularity", "sort") or rng.random() < 0.8):
            continue
        seen.add(group)
        out.append(option)
    return out


def _respell(rng, argument):
    """-x=v and --x=v are the same."""
    if argument.startswith("-") and rng.random() < 0.1:
        return "-" + argument
    return argument
