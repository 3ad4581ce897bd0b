#!/bin/bash
# hunt.sh - hunts the leak of leaky.c while it runs: threads first, then the heap; and shows that healthy.c has none.
#
#   CPPROF=path/to/cpprof EXAMPLES=directory/of/leaky examples/hunt.sh      (without: those of build/ in this tree)
#
# Each command is run as it is shown; "(pprof)" lines are fed to cpprof's shell. Every number in the explanations is read
# from the output above it. Profiles are saved where cpprof saves them, in a directory that is removed at the end.
set -euo pipefail
top=$(realpath -m -- "$(dirname "${BASH_SOURCE[0]}")/..")
cpprof=$(realpath -m -- "${CPPROF:-$top/build/bin/cpprof}")
programs=$(realpath -m -- "${EXAMPLES:-$top/build/examples}")
source "$top/examples/play.sh"

COUNT=30 # threads that leaky leaks, and jobs that healthy does, between two looks

PPROF_TMPDIR=$(mktemp -d)
export PPROF_TMPDIR
server='' # pid
end() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$messages" "$PPROF_TMPDIR"
}
trap end EXIT

# Starts a program of the examples; `address` is where it serves. Its output is read line by line from then on.
start() {
	[ -x "$programs/$1" ] || die "there is no program $programs/$1; build it: ./dev build"
	exec {from_server}< <(exec "$programs/$@")
	server=$!
	local line
	IFS= read -r -t 20 -u "$from_server" line || die "$1 does not serve"
	address=${line#serving http://}
	address=${address%/debug/pprof/}
	printf '\n$ %s &\n%s\n' "$1" "$line"
}

stop() {
	kill "$server"
	server=''
	exec {from_server}<&-
}

# Until the server says that it has got so far; it pauses there until it gets SIGUSR1.
reached() {
	local line
	while IFS= read -r -t 60 -u "$from_server" line; do
		[ "$line" != "$1" ] || return 0
	done
	die "the server has ended before it said '$1'"
}

# Saves a profile of the server; `saved` is its file.
fetch() {
	printf '\n$ cpprof http://%s/debug/pprof/%s\n(pprof) q\n' "$address" "$1"
	run '' "http://$address/debug/pprof/$1"
	saved=$(sed -n 's/^Saved profile in //p' "$messages")
	[ -f "$saved" ] || die "no profile was saved"
	saved=${saved##*/}
}

cd "$PPROF_TMPDIR" # so that the profiles have short names below

# --- the hunt -----------------------------------------------------------------------------------------------------------

say "A C server eats memory. It is linked with -lcpprof and calls cpprof_serve(), so it can be asked while it runs."
start leaky 127.0.0.1:0 "$COUNT"

say "Its goroutine profile tells where its threads are. Two of them are taken, some seconds apart."
reached "leaked $COUNT"
fetch goroutine
first=$saved
fetch heap
first_heap=$saved
kill -USR1 "$server"
reached "leaked $((2 * COUNT))"
fetch goroutine
second=$saved
fetch heap
second_heap=$saved

say "Which threads are new? -base subtracts the first profile: what is left is what grew."
open_shell -base "$first" "$second"
shell top
read -r grown place <<<"$(first_row)"

say "$grown threads more are in $place: they wait for something. What for? Their stacks tell."
shell traces

say "The block with $grown: they are inside chan_send, called from alloc2. Which line of alloc2 is it?"
shell 'list alloc2'
read -r blocked line <<<"$(source_line 'chan_send(&results')"

say "Is this what eats the memory? The heap profiles, subtracted in the same way."
open_shell -base "$first_heap" "$second_heap"
shell top
shell 'list alloc2'
read -r held held_line <<<"$(source_line 'malloc(BLOCK_SIZE')"
stop

if [ -z "$line" ] || [ -z "$held_line" ]; then
	die "the profiles do not show the leak"
fi
say "Found: leaky.c:$line sends to a channel that nobody reads; $blocked more threads block there for ever, and the blocks \
of line $held_line that they keep take $held more."

say "The same load without the leak: a pool of threads, and somebody who reads the channel. Nothing grows."
start healthy 127.0.0.1:0 "$COUNT"
reached "done $COUNT"
fetch goroutine
first=$saved
fetch heap
first_heap=$saved
kill -USR1 "$server"
reached "done $((2 * COUNT))"
fetch goroutine
second=$saved
fetch heap
second_heap=$saved
report -top -base "$first" "$second"
report -top -base "$first_heap" "$second_heap"
stop
