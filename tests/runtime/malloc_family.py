"""Every function of the malloc family answers, with the library in front, what it answers without."""

import heap_bed
from heap_bed import Failed


def compare(bed, arguments=(), **how):
    program = [bed.program("malloc_family"), *arguments]
    plain = bed.run(program, plain=True, preload=how.get("preload", ()))
    ours = bed.run(program, **how)
    if plain != ours:
        for expected, got in zip(plain.splitlines(), ours.splitlines()):
            if expected != got:
                raise Failed("plain %r, with the library %r" % (expected, got))
        raise Failed("the number of lines differs")
    if "errno 12" not in plain or "errno 77" not in plain:
        raise Failed("the program did not try what it should: %s" % plain)


def same_when_every_block_is_sampled(bed):
    compare(bed, rate=1)


def same_when_some_are(bed):
    compare(bed, rate=1000)


def same_by_default(bed):
    compare(bed)


def same_when_off(bed):
    compare(bed, settings={"CPPROF_DISABLE": "heap"})


if __name__ == "__main__":
    heap_bed.main([same_when_every_block_is_sampled, same_when_some_are, same_by_default, same_when_off])
