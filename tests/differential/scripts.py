"""Random input for the interactive shell: reports, assignments, shortcuts and mistakes.

Not here: `help` and its texts, which are worded by us.
"""

REPORTS = ["top", "top", "top5", "top3", "text", "tree", "tree", "traces", "tags", "raw", "comments", "peek", "list", "top20"]


class ScriptMaker:
    def __init__(self, rng, commands):
        self.rng = rng
        self.commands = commands  # a CommandMaker: regular expressions, labels, options

    def word(self):
        """A regular expression that the shell takes as one word."""
        return self.commands.regexp().replace(" ", ".").replace("\n", "").replace("\t", ".") or "."

    def report(self):
        rng = self.rng
        words = [rng.choice(REPORTS)]
        if words[0] in ("peek", "list"):
            words += [rng.choice([".", "a|e|o", self.word()])] if rng.random() < 0.95 else []
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            words.append(rng.choice([str(rng.randrange(12)), "-cum", "--cum", self.word(), "-" + self.word(), self.word()]))
        if rng.random() < 0.05:
            words.append(rng.choice([">out.file", "> out.file", ">"]))
        return (" " * rng.choice([1, 1, 1, 3])).join(words)

    def assignment(self):
        rng = self.rng
        flags = self.commands.option("top")
        flag = rng.choice(flags).lstrip("-")
        if flag in ("cum", "flat") or "=" not in flag:
            value = rng.choice(["", "=true", "=1", "=t", "=yes", "=false", "=0", "=N", "=maybe"])
            return flag + value
        if rng.random() < 0.15:
            flag = flag.replace("=", " = ", 1) + rng.choice(["", "  ", " //: note"])
        return flag

    def shortcut(self):
        rng = self.rng
        types = [name for name, _ in self.commands.profiles[0].sample_types] or ["x"]
        kind = rng.choice(types)
        return rng.choice([":", kind, "total_" + kind, "mean_" + kind, "sort=cum", "sort=flat", "granularity=lines", "granularity=files", "granularity=addresses",
                           "focus=", "tagfocus=", "ignore=", "hide=", "unit=auto", "unit=minimum"])

    def mistake(self):
        return self.rng.choice(["bogus", "focus", "sort=foo", "granularity=", "lines", "nodecount=abc", "nodefraction=x", "sample_index=99",
                                "sample_index=zz", "nodecount 3", "", "   ", "mean=maybe", "peek", "top(", "sort", "o", "options", "trim"])

    def make(self):
        rng = self.rng
        lines = []
        for _ in range(rng.randint(2, 7)):
            kind = rng.random()
            lines.append(self.report() if kind < 0.5 else self.assignment() if kind < 0.7 else self.shortcut() if kind < 0.88 else self.mistake())
        lines.append(self.report())
        if rng.random() < 0.2:
            lines += [rng.choice(["q", "quit", "exit"]), "top"]
        return "\n".join(lines) + ("\n" if rng.random() < 0.9 else "")
