#!/bin/bash
# demo.sh - hunts the leak of leak/main.go in the profiles that lie beside it, one command after the other.
#
#   CPPROF=path/to/cpprof examples/leaky-go/demo.sh        (without CPPROF: build/bin/cpprof of this tree)
#
# Each command is run as it is shown; "(pprof)" lines are fed to cpprof's shell. Every number in the explanations is
# read from the output above it.
set -euo pipefail
cpprof=$(realpath -m -- "${CPPROF:-$(dirname "${BASH_SOURCE[0]}")/../../build/bin/cpprof}")
cd "$(dirname "${BASH_SOURCE[0]}")" # `list` looks for leak/main.go from here

GOROUTINES=(profiles/pprof.leak.goroutine.001.pb.gz profiles/pprof.leak.goroutine.002.pb.gz)
HEAP=(profiles/pprof.leak.alloc_objects.alloc_space.inuse_objects.inuse_space.001.pb.gz
	profiles/pprof.leak.alloc_objects.alloc_space.inuse_objects.inuse_space.002.pb.gz)

source ../play.sh
trap 'rm -f "$messages"' EXIT

# --- the hunt -----------------------------------------------------------------------------------------------------------

say "A Go server eats memory. Its goroutine profile tells what its goroutines are doing, and how many there are."
report -top -nodecount=5 "${GOROUTINES[0]}"
first=$(total)

say "The same profile, taken again a little later."
report -top -nodecount=5 "${GOROUTINES[1]}"
second=$(total)

say "$first goroutines, then $second. Which ones are new? -base subtracts the first profile: what is left is what grew."
open_shell -base "${GOROUTINES[@]}"
shell top
read -r grown place <<<"$(first_row)"

say "$grown goroutines more are parked in $place: they wait for something. What for? Their stacks tell."
shell traces

say "The block with $grown: they are inside a channel send, called from alloc2. Which line of alloc2 is it?"
shell 'list alloc2'
read -r blocked line <<<"$(source_line 'outCh <- 0')"

say "Is this what eats the memory? Two heap profiles were taken beside these; they are subtracted in the same way."
open_shell -base "${HEAP[@]}"
shell top
shell 'traces alloc2'
shell 'list alloc2'
read -r held held_line <<<"$(source_line 'make([]byte')"

if [ -z "$line" ] || [ -z "$held_line" ]; then
	die "the profiles do not show the leak; were they captured from leak/main.go?"
fi
say "Found: leak/main.go:$line, 'outCh <- 0', sends to a channel that nobody receives from; $blocked more goroutines \
block there for ever, and the blocks of line $held_line that they keep take $held more."
